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
    /// Since when so much of its money is gone that the policy takes the license; what went back when it was over does not
    /// count.
    pub returned: Option<Timestamp>,
}

/// Time that no credit took back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    start: Timestamp,
    end: Timestamp,
    /// Whether it was given without a payment.
    granted: bool,
}

/// The paid time of one item.
/// Items of several intervals end each on its own (rule 21).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaidTime {
    /// What paid, in order of payment, as it was billed.
    pub periods: Vec<PaidPeriod>,
    /// Periods of other items that it shares since it came in the midst of them, before anything was paid for itself.
    shared: Vec<PaidPeriod>,
    /// What is left of it and of what was granted: no credit took it back.
    left: Vec<Left>,
}

impl PaidTime {
    /// Adds paid time.
    pub fn pay(&mut self, period: PaidPeriod) {
        self.left.push(Left {
            start: period.start,
            end: period.end,
            granted: false,
        });
        self.periods.push(period);
    }

    /// Adds time without a payment: granted, or told by a snapshot alone.
    pub fn grant(&mut self, start: Timestamp, end: Timestamp) {
        let known = |left: &Left| (left.start, left.end) == (start, end);
        if !self.left.iter().any(known) {
            self.left.push(Left {
                start,
                end,
                granted: true,
            });
        }
    }

    /// Adds the rest of a period that other items are paid for. `payers`: the periods that pay for it; none: it was granted.
    pub fn share(&mut self, start: Timestamp, end: Timestamp, payers: Vec<PaidPeriod>) {
        self.grant(start, end);
        self.shared
            .extend(payers.into_iter().map(|payer| PaidPeriod {
                start,
                end,
                holds: end,
                ..payer
            }));
    }

    /// What pays for the time until an instant: its own periods, and those that it shares.
    pub fn payers(&self, until: Timestamp) -> impl Iterator<Item = &PaidPeriod> {
        let own = self.periods.iter().filter(|period| !period.proration);
        own.chain(&self.shared)
            .filter(move |period| period.holds >= until)
    }

    /// Everything that was paid for it.
    pub fn all_periods_mut(&mut self) -> impl Iterator<Item = &mut PaidPeriod> {
        self.periods.iter_mut().chain(&mut self.shared)
    }

    /// Takes credited time back, paid or granted: from the start of what is credited to its end. What was paid beyond
    /// that stays (rule 17).
    pub fn credit(&mut self, from: Timestamp, to: Timestamp) {
        let mut left = Vec::with_capacity(self.left.len() + 1);
        for &time in &self.left {
            if time.end <= from || time.start >= to {
                left.push(time);
                continue;
            }
            // A stump at the credit's start is kept, also an empty one: something was paid, and it ends there.
            left.push(Left {
                start: time.start.min(from),
                end: from,
                ..time
            });
            if time.end > to {
                left.push(Left { start: to, ..time });
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

    /// The paid end; `None`: nothing was ever paid or granted. Time whose money went back counts only where nothing else was
    /// paid for instead: then the license is taken, and there is no other end (rule 37).
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        // rule 37: what is left is what other invoices pay for.
        if self.lost().any(|period| self.is_replaced(period)) {
            let stands = self.periods.iter().filter(|period| period.stands());
            let granted = self.left.iter().filter(|left| left.granted);
            return stands
                .map(|period| period.holds)
                .chain(granted.map(|left| left.end))
                .max();
        }
        self.left.iter().map(|left| left.end).max()
    }

    /// The invoice whose money went back and takes the license with it, and since when: nothing else is paid for instead (rule
    /// 37). Of several, the last.
    #[must_use]
    pub fn taken_by(&self) -> Option<(&InvoiceId, Timestamp)> {
        // rule 14: what an item shares it has while that is paid, or until it is paid for itself.
        let shared = self
            .shared
            .iter()
            .filter(|period| self.is_lost_share(period));
        let lost = self.lost().chain(shared);
        let taken = lost.filter(|period| !self.is_replaced(period));
        let taken = taken.filter_map(|period| Some((&period.invoice, period.returned?)));
        taken.max_by_key(|(_, since)| *since)
    }

    /// Whether a period's money went back, and something else was paid for instead: it is of no more account.
    #[must_use]
    pub fn is_given_up(&self, period: &PaidPeriod) -> bool {
        self.is_lost(period) && self.is_replaced(period)
    }

    fn lost(&self) -> impl Iterator<Item = &PaidPeriod> {
        self.periods.iter().filter(|period| self.is_lost(period))
    }

    /// Whether a period's money went back, and no other invoice pays for it to its end. A proration changes a period that
    /// another invoice pays for; where that one reaches as far, it carries.
    fn is_lost(&self, period: &PaidPeriod) -> bool {
        let carries = |other: &PaidPeriod| other.stands() && other.holds >= period.holds;
        period.returned.is_some() && !self.periods.iter().any(carries)
    }

    fn is_lost_share(&self, period: &PaidPeriod) -> bool {
        let mut others = self.periods.iter().chain(&self.shared);
        let carries = |other: &PaidPeriod| other.returned.is_none() && other.holds >= period.holds;
        period.returned.is_some() && !others.any(carries)
    }

    /// Whether something else was paid for when a period's money went back, or has been since: a month beside a year, or in
    /// its place. What is left then is that.
    fn is_replaced(&self, period: &PaidPeriod) -> bool {
        let mut others = self.periods.iter();
        others.any(|other| other.stands() && Some(other.holds) > period.returned)
    }
}

impl PaidPeriod {
    /// Whether it pays for its time by itself, and not as a change of another period.
    fn stands(&self) -> bool {
        !self.proration && self.returned.is_none()
    }
}
