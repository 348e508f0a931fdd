//! Refunds: whether money that went back takes a license away. **This file decides it** (rules 36, 37).

use crate::domain::id::InvoiceId;
use crate::domain::lifecycle::{PaidPeriod, PaidTime};
use crate::domain::object::{Returned, ReturnedByInvoice};
use crate::domain::policy::{OnPartialRefund, OnRefund, Policy};
use crate::domain::time::Timestamp;

/// What refunds do to a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundEffect {
    /// Nothing, or nothing any more.
    None,
    /// The money of the running period went back, and the policy takes the license for it.
    Taken,
}

impl RefundEffect {
    /// Every value, for the printed table.
    pub const ALL: [Self; 2] = [Self::None, Self::Taken];
    /// The word in the printed table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "no",
            Self::Taken => "taken back",
        }
    }
}

/// Whether so much went back that the policy takes the license away.
#[must_use]
pub fn takes_away(returned: Returned, policy: &Policy) -> bool {
    match returned {
        Returned::Nothing => false,
        Returned::All => policy.on_refund == OnRefund::Revoke,
        Returned::Part(percent) => match policy.on_partial_refund {
            OnPartialRefund::Keep => false,
            OnPartialRefund::Revoke => true,
            OnPartialRefund::Share(share) => percent >= share,
        },
    }
}

/// What money that went back does to a subscription's item: a refund counts for the period that its invoice paid. An
/// earlier period's changes nothing, and a later paid one gives a live license again (rule 37).
#[must_use]
pub fn of_item(
    returned: &ReturnedByInvoice,
    paid: Option<&PaidTime>,
    policy: impl Fn(Timestamp) -> Policy,
) -> RefundEffect {
    let Some(paid) = paid else {
        return RefundEffect::None;
    };
    // Since when so much is gone that the policy takes the license: the rest may follow when the period is over.
    let gone = |invoice: &InvoiceId| {
        let steps = returned.get(invoice)?;
        let kept = steps
            .iter()
            .rposition(|(part, at)| !takes_away(*part, &policy(*at)));
        steps.get(kept.map_or(0, |n| n + 1)).map(|(_, at)| *at)
    };
    let taken = paid.periods.iter().any(|period| {
        // A proration changes a period that another invoice pays for; where that one reaches as far, it carries.
        let carries = |other: &PaidPeriod| {
            other.invoice != period.invoice
                && gone(&other.invoice).is_none()
                && other.carries(period)
        };
        let gone = gone(&period.invoice).is_some_and(|at| at < period.holds);
        gone && !paid.periods.iter().any(carries)
    });
    if taken {
        RefundEffect::Taken
    } else {
        RefundEffect::None
    }
}

/// What money that went back does to a one-time purchase.
#[must_use]
pub fn of_purchase(
    (returned, since): (Returned, Option<Timestamp>),
    policy: impl Fn(Timestamp) -> Policy,
) -> RefundEffect {
    let taken = since.is_some_and(|at| takes_away(returned, &policy(at)));
    if taken {
        RefundEffect::Taken
    } else {
        RefundEffect::None
    }
}

/// Since when some of the money of the period that ran at a subscription's end went back, in whole or in part: who ends it
/// and gets the rest back has no rest (rule 34).
#[must_use]
pub fn rest_returned(
    returned: &ReturnedByInvoice,
    paid: Option<&PaidTime>,
    ended: Timestamp,
) -> Option<Timestamp> {
    let running = paid?
        .periods
        .iter()
        .filter(|p| p.start <= ended && p.holds > ended);
    running
        .filter_map(|p| returned.get(&p.invoice)?.last())
        .map(|(_, at)| *at)
        .max()
}

/// Of the invoices whose money went back while they paid for the running time, so much that the policy takes the license for
/// it, the one of which it did last, and when: an older period's refund took nothing (rule 37).
#[must_use]
pub fn last_taken<'r>(
    returned: &'r ReturnedByInvoice,
    paid: impl Iterator<Item = &'r PaidTime> + Clone,
    policy: impl Fn(Timestamp) -> Policy,
) -> Option<(&'r InvoiceId, Timestamp)> {
    let periods = paid.flat_map(|p| &p.periods);
    let ran = |(id, at): &(&InvoiceId, Timestamp)| {
        let mut of_it = periods.clone().filter(|p| p.invoice == **id);
        of_it.any(|p| *at < p.holds)
    };
    let last = returned.iter().filter_map(|(id, steps)| {
        let (part, at) = steps.last()?;
        takes_away(*part, &policy(*at)).then_some((id, *at))
    });
    last.filter(ran).max_by_key(|(_, at)| *at)
}
