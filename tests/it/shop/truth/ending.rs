//! Ends: of a subscription, and of what is no longer licensed (rules 15, 16, 24, 30, 34).

use super::cover::invoices;
use super::subscription::{Life, OVER, Ruled};
use super::{Moment, Want};
use crate::shop::calendar::Time;
use crate::shop::policy::OnCancel;
use crate::shop::stripe::ledger::Status;

/// What the end of its subscription leaves of a license (rules 16, 24, 30, 34).
pub(crate) fn after_the_end(
    moment: Moment<'_>,
    s: usize,
    life: &Life<'_>,
    end: Time,
    ended: Time,
) -> Ruled {
    let late = life
        .covers
        .iter()
        .any(|c| c.since > ended && c.invoice.is_some());
    if late && life.covers.iter().all(|c| c.since > ended) {
        return (Want::Open("first paid after the deletion"), "5, 16");
    }
    let trial_over = life
        .state
        .trial
        .is_some_and(|(_, over)| over == end && over == ended);
    if trial_over && life.state.reason == Some("payment_failed") {
        // It ended with its trial, which had no payment method; before there were reasons it may have been cancelled.
        return if moment.stripe.new_shape || moment.policy.on_cancel != OnCancel::Keep {
            (Want::Stopped(OVER), "24")
        } else {
            (Want::Open("a trial that ended without a reason"), "24, 34")
        };
    }
    match moment.policy.on_cancel {
        OnCancel::PeriodEnd if late => {
            // Paid after the deletion: it pays for its period (rule 16), with or without the margin.
            margin_or_not(
                moment,
                end,
                ("paid after the deletion: margin or not", "16"),
            )
        }
        _ if late => (
            Want::Open("paid after the deletion, on_cancel is not period_end"),
            "16, 34",
        ),
        // Nobody cancelled: there is nothing to keep.
        OnCancel::Keep
            if moment.stripe.new_shape && life.state.reason == Some("payment_failed") =>
        {
            if moment.at < end {
                (Want::until(end), "30")
            } else {
                (Want::Stopped(OVER), "30")
            }
        }
        OnCancel::Now | OnCancel::Keep if looks_given_up(moment, s, life, ended) => (
            Want::Open("Stripe gave up while the time was paid for, on_cancel is not period_end"),
            "30, 34",
        ),
        OnCancel::PeriodEnd if moment.at < end => (Want::until(end), "34"),
        OnCancel::PeriodEnd | OnCancel::Now => (Want::Stopped(OVER), "34"),
        OnCancel::Keep => (Want::Live(vec![None]), "34"),
    }
}

/// Whether its end reads like Stripe's: by its reason or, before there were reasons, because something was owed (rule 30).
fn looks_given_up(moment: Moment<'_>, s: usize, life: &Life<'_>, ended: Time) -> bool {
    let owed = || {
        let before = moment.stripe.subs[s].at(ended - 1);
        before.is_some_and(|b| matches!(b.status, Status::PastDue | Status::Unpaid))
    };
    life.state.reason == Some("payment_failed") || !moment.stripe.new_shape && owed()
}

/// Whether Stripe ended it for want of payment (rule 30).
pub(crate) fn gave_up(moment: Moment<'_>, life: &Life<'_>) -> bool {
    // Before there were reasons, a deletion while past_due or unpaid is Stripe's.
    !moment.stripe.new_shape || life.state.reason == Some("payment_failed")
}

/// From a licensed price to one that no plan names: it lives to what was paid, then ends (rule 15).
pub(crate) fn unlicensed(moment: Moment<'_>, s: usize, life: &Life<'_>) -> Ruled {
    let end = life.covers.iter().map(|c| c.end).max().unwrap_or(moment.at);
    let credited = invoices(moment, s).any(|(_, i)| i.lines.iter().any(|l| l.amount < 0));
    if life.state.cancel_at.is_some() || life.state.ended_at.is_some() || credited {
        (
            Want::Open("no longer licensed, and credited or cancelled"),
            "15, 17",
        )
    } else {
        margin_or_not(moment, end, ("no longer licensed: margin or not", "15"))
    }
}

/// An end of which the rules do not say whether it has a margin.
pub(crate) fn margin_or_not(
    moment: Moment<'_>,
    end: Time,
    (why, rule): (&'static str, &'static str),
) -> Ruled {
    let margin_end = end + moment.policy.margin;
    let want = if moment.at < end {
        Want::Live(vec![Some(end), Some(margin_end)])
    } else if moment.at < margin_end {
        Want::Open(why)
    } else {
        Want::Stopped(OVER)
    };
    (want, rule)
}
