//! Ends: cancelled, scheduled to end, or sold as something else by now. **This file decides** to when a license then lives
//! (rules 15, 30, 34).

use crate::domain::lifecycle::Deleted;
use crate::domain::policy::{OnCancel, Policy};
use crate::domain::time::Timestamp;

/// What an end does to a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndingEffect {
    /// None is in sight.
    None,
    /// It lives to the paid end, without the margin.
    AtPaidEnd,
    /// It ends with the subscription.
    AtEnd,
    /// The rest of the running period was given back: it ends with that.
    RestReturned,
    /// It lives on without an end.
    Never,
    /// Stripe gave up collecting. That is no cancellation: a grace that was promised runs on, and what is paid all the same
    /// lives to its end (rule 30).
    GaveUp,
}

impl EndingEffect {
    /// Every value, for the printed table.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::AtPaidEnd,
        Self::AtEnd,
        Self::RestReturned,
        Self::Never,
        Self::GaveUp,
    ];
    /// The word in the printed table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "no",
            Self::AtPaidEnd => "at the paid end",
            Self::AtEnd => "with the subscription",
            Self::RestReturned => "the rest was given back",
            Self::Never => "kept for ever",
            Self::GaveUp => "Stripe gave up",
        }
    }
}

/// What is known of an item's end.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The subscription's end.
    pub deleted: Option<Deleted>,
    /// Whether the item is in a grace, or beyond its end: a scheduled end does not touch that (rule 34).
    pub in_grace: bool,
    /// Whether it was not in grace or lapsed at the subscription's end, or paid beyond it: what had lapsed is not kept.
    pub reached_end: bool,
    /// Whether a trial that nobody cancelled was over at the end, and nothing was ever paid for it.
    pub trial_over: bool,
    /// Whether something was paid for it after the subscription's end.
    pub paid_after: bool,
    /// Since when money of the running period went back, with the end or after it.
    pub rest_returned: Option<Timestamp>,
    /// A scheduled end that counts for the item, and since when it is scheduled.
    pub scheduled: Option<(Timestamp, Timestamp)>,
    /// It sells something without a license now: what was paid is all that there is (rule 15).
    pub unlicensed: bool,
    /// A trial ended without a payment method: nothing will renew it.
    pub runs_out: bool,
}

/// What an end does, and the instant that belongs to it (of the end, or of the money's return).
#[must_use]
pub fn effect(known: &Known, policy: impl Fn(Timestamp) -> Policy) -> (EndingEffect, Timestamp) {
    let by_policy = |at: Timestamp, on_cancel: OnCancel| match on_cancel {
        OnCancel::PeriodEnd => (EndingEffect::AtPaidEnd, at),
        OnCancel::Now => (EndingEffect::AtEnd, at),
        OnCancel::Keep => (EndingEffect::Never, at),
    };
    if let Some(ended) = known.deleted {
        if let Some(returned) = known.rest_returned.filter(|_| !ended.never_began) {
            return (EndingEffect::RestReturned, ended.at.max(returned));
        }
        if ended.never_began {
            return (EndingEffect::AtPaidEnd, ended.at);
        }
        // No grace was for what has no plan any more, and nobody bought it to keep it.
        if known.unlicensed && (ended.gave_up || policy(ended.told).on_cancel == OnCancel::Keep) {
            return (EndingEffect::AtPaidEnd, ended.at);
        }
        // rule 24: a trial that ends without a payment method is over, whatever a cancelled one is worth, and whoever then
        // deletes it.
        if known.trial_over {
            return (EndingEffect::AtPaidEnd, ended.at);
        }
        if ended.gave_up && (known.in_grace || known.paid_after || !known.reached_end) {
            return (EndingEffect::GaveUp, ended.at);
        }
        // An item that was paid all the while ends like any other (rule 34).
        return match policy(ended.told).on_cancel {
            // rule 30: nobody cancelled, so there is nothing to keep: it lives to what was paid.
            OnCancel::Keep if ended.gave_up || !known.reached_end => {
                (EndingEffect::AtPaidEnd, ended.at)
            }
            on_cancel @ (OnCancel::PeriodEnd | OnCancel::Now | OnCancel::Keep) => {
                by_policy(ended.at, on_cancel)
            }
        };
    }
    if known.runs_out || known.unlicensed {
        return (EndingEffect::AtPaidEnd, Timestamp::MAX);
    }
    match known.scheduled.filter(|_| !known.in_grace) {
        Some((at, since)) => match policy(since).on_cancel {
            // It is kept when it ends, and renews until then.
            OnCancel::Keep => (EndingEffect::None, at),
            on_cancel @ (OnCancel::PeriodEnd | OnCancel::Now) => by_policy(at, on_cancel),
        },
        None => (EndingEffect::None, Timestamp::MAX),
    }
}
