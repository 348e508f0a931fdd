//! What time of an item is paid for, invoice by invoice.

use crate::domain::id::InvoiceId;
use crate::domain::time::Timestamp;

/// The time of one item that one invoice paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The invoice.
    pub invoice: InvoiceId,
    /// Start of the paid time.
    pub start: Timestamp,
    /// End of the paid time.
    pub end: Timestamp,
    /// When it was paid.
    pub paid_at: Timestamp,
}

/// The paid time of one item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// The paid end: what credits left and payments reached. `None`: never paid.
    pub end: Option<Timestamp>,
    /// What paid, in order of payment.
    pub spans: Vec<Span>,
}

impl Cover {
    /// Takes credited time back: the paid end falls to the start of what was credited.
    pub fn credit(&mut self, from: Timestamp) {
        self.end = self.end.map(|end| end.min(from));
    }

    /// Adds paid time.
    pub fn pay(&mut self, span: Span) {
        self.end = self.end.max(Some(span.end));
        self.spans.push(span);
    }

    /// Whether an instant is paid for.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.end.is_some_and(|end| end > at)
    }

    /// Whether a later time than this span's was paid, by an invoice that passes the test.
    #[must_use]
    pub fn paid_beyond(&self, end: Timestamp, counts: impl Fn(&Span) -> bool) -> bool {
        self.spans.iter().any(|s| s.end > end && counts(s))
    }
}
