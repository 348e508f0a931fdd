//! Refunds: whether money that went back takes a license away. **This file decides it** (rules 36, 37).

use super::money_back::takes_away;
use crate::domain::lifecycle::PaidTime;
use crate::domain::object::{Returned, ReturnedByInvoice};
use crate::domain::policy::Policy;
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

/// What money that went back does to a license that the time of items stands for, its own or those that carry it: a refund
/// counts for the period that its invoice paid. An earlier period's changes nothing, and a later paid one gives a live
/// license again; so does one that was paid beside it, for as long as that lasts (rule 37).
#[must_use]
pub fn of_items<'p>(mut paid: impl Iterator<Item = &'p PaidTime>) -> RefundEffect {
    if paid.any(|paid| paid.taken_by().is_some()) {
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
/// and gets the rest back has no rest (rule 34). `kept`: whether a person lets the customer keep what was paid at an instant.
#[must_use]
pub fn rest_returned(
    returned: &ReturnedByInvoice,
    paid: Option<&PaidTime>,
    ended: Timestamp,
    kept: impl Fn(Timestamp) -> bool,
) -> Option<Timestamp> {
    let paid = paid?;
    let periods = paid
        .periods
        .iter()
        .filter(|p| !paid.is_given_up(p) && !kept(p.paid_at));
    let running = periods.filter(|p| p.start <= ended && p.holds > ended);
    running
        .filter_map(|p| returned.get(&p.invoice)?.last())
        .map(|(_, at)| *at)
        .max()
}
