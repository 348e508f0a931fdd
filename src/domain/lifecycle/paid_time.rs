//! What time of an item is paid for: what payments reached, what was granted, and what credits took back.

use crate::domain::id::InvoiceId;
use crate::domain::time::Timestamp;

/// The time of one item that one invoice paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidPeriod {
    /// The invoice.
    pub invoice: InvoiceId,
    /// Start of the paid time.
    pub start: Timestamp,
    /// End of the paid time.
    pub end: Timestamp,
    /// Until when it pays for the running time: its end, or where a credit took the rest of it for good.
    pub holds: Timestamp,
    /// When it was paid.
    pub paid_at: Timestamp,
    /// Whether it is a proration: it changes a period that another invoice pays for.
    pub proration: bool,
}

/// The paid time of one item.
/// Items of several intervals end each on its own (rule 21).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaidTime {
    /// What paid, in order of payment, as it was billed.
    pub periods: Vec<PaidPeriod>,
    /// What is left of it and of what was granted: no credit took it back.
    left: Vec<(Timestamp, Timestamp)>,
}

impl PaidTime {
    /// Adds paid time.
    pub fn pay(&mut self, period: PaidPeriod) {
        self.left.push((period.start, period.end));
        self.periods.push(period);
    }

    /// Adds time without a payment: granted, or told by a snapshot alone.
    pub fn grant(&mut self, start: Timestamp, end: Timestamp) {
        if !self.left.contains(&(start, end)) {
            self.left.push((start, end));
        }
    }

    /// Takes credited time back, paid or granted: from the start of what is credited to its end. What was paid beyond
    /// that stays (rule 17).
    pub fn credit(&mut self, from: Timestamp, to: Timestamp) {
        let mut left = Vec::with_capacity(self.left.len() + 1);
        for &(start, end) in &self.left {
            if end <= from || start >= to {
                left.push((start, end));
                continue;
            }
            // A stump at the credit's start is kept, also an empty one: something was paid, and it ends there.
            left.push((start.min(from), from));
            if end > to {
                left.push((to, end));
            }
        }
        self.left = left;
    }

    /// Takes the rest of what was billed for good: something else pays for that time from now on (another interval, a new
    /// anchor), or nothing does. A change within the period credits and bills it again; then it goes on to pay for it.
    pub fn replace(&mut self, from: Timestamp, to: Timestamp) {
        for period in &mut self.periods {
            if period.holds > from && period.holds <= to {
                period.holds = from.max(period.start);
            }
        }
    }

    /// The paid end; `None`: nothing was ever paid or granted.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        self.left.iter().map(|(_, end)| *end).max()
    }
}

impl PaidPeriod {
    /// Whether it pays for another period too, or for a later one: by itself, not as a change of it.
    #[must_use]
    pub fn carries(&self, other: &Self) -> bool {
        !self.proration && self.holds >= other.holds
    }
}
