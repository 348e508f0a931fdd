//! How far a reading is, and why it stands still: for whoever watches it.

use crate::domain::time::Span;

/// No wait between two tries is longer.
pub(super) const WAIT_MAX: Span = Span::from_s(30);

/// How far a reading is, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub struct ReadSoFar<'a> {
    /// What is read.
    pub what: &'static str,
    /// How many of it.
    pub read: usize,
    /// Calls to Stripe so far.
    pub calls: u64,
    /// Why nothing more is read for a while; `None`: it goes on.
    pub trouble: Option<&'a Trouble>,
}

/// Why a reading stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Who does not answer.
    pub whom: &'static str,
    /// What came instead.
    pub why: String,
    /// How long it is tried again at most, the calls' own time aside.
    pub patience: Span,
}

impl Trouble {
    /// With waits that double from the first one, so many tries in all.
    pub(super) fn of(whom: &'static str, why: &str, first: Span, tries: u32) -> Self {
        let waits = (1..tries).scan(first, |wait, _| {
            let this = *wait;
            *wait = Span::from_ms(wait.ms().saturating_mul(2)).min(WAIT_MAX);
            Some(this.ms())
        });
        Self {
            whom,
            why: why.to_owned(),
            patience: Span::from_ms(waits.sum()),
        }
    }
}
