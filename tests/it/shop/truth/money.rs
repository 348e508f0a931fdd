//! Money that went back, laid over what the paid time makes of a license (rules 34, 36, 37, 39).

use super::chain::Chain;
use super::cover::Cover;
use super::subscription::{ENDED, Life, OVER, Ruled, by_time};
use super::{Moment, Want, decided};
use crate::shop::calendar::Time;
use crate::shop::kinds::{self, Kind};
use crate::shop::policy::{AtGraceEnd, OnCancel, OnPartial, Policy};
use crate::shop::script::Word;
use crate::shop::stripe::ledger::{Paid, Refund, word_at};

/// Money of a purchase that went back, as it counts at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    Nothing,
    /// Some, and the policy revokes for less than all since then.
    Part(Time),
    /// As much as the policy wants for a revocation, since then.
    Revokes(Time),
    /// A refund that is still pending decides: the rules do not say what it is meanwhile.
    Pending,
    /// A part revoked, and the whole is kept: the rules do not say which goes before.
    Mixed,
}

/// What went back of a purchase over all its payments (rule 36). `since`: when enough went back.
pub(crate) fn went_back(
    moment: Moment<'_>,
    policy: &Policy,
    total: i64,
    of: impl Fn(Paid) -> bool,
) -> (Back, i64) {
    let (mut sum, mut pending, mut back) = (0, false, Back::Nothing);
    for refund in moment
        .stripe
        .refunds
        .iter()
        .filter(|r| r.at <= moment.at && of(r.of))
    {
        match word_at(&refund.steps, moment.at) {
            Some("succeeded") => sum += refund.amount,
            Some("pending") => (sum, pending) = (sum + refund.amount, true),
            _ => continue,
        }
        let full = sum >= total;
        let revokes = full && policy.refund_revokes
            || !full
                && match policy.on_partial_refund {
                    OnPartial::Keep => false,
                    OnPartial::Revoke => true,
                    OnPartial::Half => sum * 2 >= total,
                };
        back = match back {
            Back::Mixed => Back::Mixed,
            Back::Revokes(_) if !revokes => Back::Mixed,
            Back::Revokes(since) => Back::Revokes(since),
            Back::Nothing | Back::Part(_) | Back::Pending if revokes => Back::Revokes(refund.at),
            Back::Nothing | Back::Part(_) | Back::Pending => Back::Part(refund.at),
        };
    }
    if pending && back != Back::Nothing {
        back = Back::Pending;
    }
    (back, sum)
}

fn invoice_back(moment: Moment<'_>, i: usize) -> Back {
    let total = moment.stripe.invoices[i]
        .payments
        .iter()
        .map(|p| p.amount)
        .sum();
    went_back(
        moment,
        moment.policy,
        total,
        |of| matches!(of, Paid::Invoice(n, _) if n == i),
    )
    .0
}

/// Whether a license may have been made a second time: something was revoked and came back.
pub(crate) fn may_be_new(moment: Moment<'_>, s: usize) -> bool {
    let of_it = |of: Paid| matches!(of, Paid::Invoice(i, _) if moment.stripe.invoices[i].sub == s);
    moment.stripe.refunds.iter().any(|r| of_it(r.of))
        || moment.stripe.disputes.iter().any(|d| of_it(d.of))
}

/// What a license should be, money that went back included.
pub(crate) fn over(moment: Moment<'_>, s: usize, chain: &Chain, life: &Life<'_>) -> Ruled {
    let refunded = after_refunds(moment, s, chain, life);
    let disputed = after_disputes(moment, s, life, refunded);
    let paused = life.state.paused && !life.state.status.is_over() && !moment.policy.pause_keeps;
    match disputed.0 {
        // Rule 33. One that was revoked before is not made anew meanwhile (rule 5).
        Want::Live(_) | Want::LiveFrom(_) if paused && revoked_before(moment, s, life) => {
            (Want::Stopped(&["suspended", "revoked"]), "33")
        }
        Want::Live(_) | Want::LiveFrom(_) if paused => (Want::Stopped(&["suspended"]), "33"),
        Want::Stopped(words) if paused && words == ["expired"] => (Want::Stopped(OVER), "33"),
        Want::Live(_) | Want::LiveFrom(_) | Want::Stopped(_) | Want::Nothing | Want::Open(_) => {
            disputed
        }
    }
}

/// Whether a person lets the customer keep what an invoice paid for, whatever becomes of its money: it was paid by then
/// (rule 50).
fn is_kept(moment: Moment<'_>, i: usize) -> bool {
    let invoice = &moment.stripe.invoices[i];
    let decision = decided::decision(moment, &moment.stripe.subs[invoice.sub].id);
    let kept = decision.ok().flatten().filter(|d| d.word == Word::Keep);
    kept.is_some_and(|d| invoice.paid.is_some_and(|paid| paid <= d.at))
}

/// What a refund of one invoice does to a license.
enum Effect {
    Nothing,
    /// It is taken since then.
    Taken(Time),
    /// The subscription was ended, and money of the running period went back: it ends at the later of the two.
    Ends(Time),
    /// The rules leave it open.
    Open(&'static str, &'static str),
}

fn effect(moment: Moment<'_>, chain: &Chain, life: &Life<'_>, i: usize) -> Effect {
    let invoice = &moment.stripe.invoices[i];
    let back = invoice_back(moment, i);
    let since = match back {
        Back::Nothing => return Effect::Nothing,
        Back::Pending => return Effect::Open("a refund is pending", "36"),
        Back::Mixed => return Effect::Open("a part revokes and the whole keeps", "36"),
        Back::Part(since) | Back::Revokes(since) => since,
    };
    if !invoice.lines.iter().any(|l| chain.billed(l)) && invoice.reason != "manual" {
        return Effect::Nothing;
    }
    let base = ["subscription_create", "subscription_cycle"].contains(&invoice.reason);
    let paid = life.covers.iter().filter(|c| c.invoice == Some(i));
    let Some(cover) = paid.max_by_key(|c| c.end).filter(|_| base) else {
        return Effect::Open("an invoice beside the periods is refunded", "37");
    };
    let lines = invoice.lines.iter();
    let lines = lines.filter(|l| chain.billed(l) && l.amount >= 0 && !l.credit);
    if lines.map(|l| l.end).max() != Some(cover.end) {
        return Effect::Open("the refunded period was credited", "37");
    }
    let overlaps = |c: &Cover| c.invoice != Some(i) && c.start < cover.end && c.end > cover.start;
    if life.covers.iter().any(overlaps) {
        return Effect::Open("the refunded period is paid for twice", "37");
    }
    if since >= cover.end {
        // An earlier period's changes nothing.
        let kept = moment.policy.on_cancel == OnCancel::Keep && life.state.ended_at.is_some();
        return if kept {
            Effect::Open(
                "kept for good, and refunded when the paid time was over",
                "34, 37",
            )
        } else {
            Effect::Nothing
        };
    }
    let later = |r: &Refund| {
        r.at >= cover.end && r.at <= moment.at && matches!(r.of, Paid::Invoice(n, _) if n == i)
    };
    if !kinds::open(Kind::RestRefundedLate) && moment.stripe.refunds.iter().any(later) {
        return Effect::Open("closed kind", "37");
    }
    if matches!(back, Back::Revokes(_)) {
        return Effect::Taken(since);
    }
    let ended = life
        .state
        .ended_at
        .filter(|d| *d >= cover.start && *d < cover.end);
    ended.map_or(Effect::Nothing, |ended| Effect::Ends(ended.max(since)))
}

fn after_refunds(moment: Moment<'_>, s: usize, chain: &Chain, life: &Life<'_>) -> Ruled {
    let plain = by_time(moment, s, chain, life);
    let (mut taken, mut ends): (Option<Time>, bool) = (None, false);
    let of_it = |i: &usize| moment.stripe.invoices[*i].sub == s && !is_kept(moment, *i);
    for i in (0..moment.stripe.invoices.len()).filter(of_it) {
        match effect(moment, chain, life, i) {
            Effect::Nothing => {}
            Effect::Taken(since) => taken = taken.max(Some(since)),
            Effect::Ends(at) => ends |= at <= moment.at,
            Effect::Open(why, rule) => return (Want::Open(why), rule),
        }
    }
    if let Some(since) = taken {
        let stands = |i: usize| !matches!(invoice_back(moment, i), Back::Revokes(_));
        let again = |c: &Cover| c.since > since && c.invoice.is_some_and(stands);
        if !life.covers.iter().any(again) {
            return (Want::Stopped(&["revoked"]), "36, 37");
        }
        if life.episodes.iter().any(|e| e.start > since) {
            return (Want::Open("failed after a refund"), "37");
        }
    }
    if ends && plain.0.is_live() {
        if !kinds::open(Kind::EndedWithMoneyBack) {
            return (Want::Open("closed kind"), "34");
        }
        if moment.policy.on_cancel == OnCancel::Keep || !moment.policy.refund_revokes {
            return (
                Want::Open("ended with money back under a policy that keeps"),
                "34",
            );
        }
        return (Want::Stopped(OVER), "34");
    }
    plain
}

fn after_disputes(moment: Moment<'_>, s: usize, life: &Life<'_>, plain: Ruled) -> Ruled {
    let of_it = |of: Paid| matches!(of, Paid::Invoice(i, _) if moment.stripe.invoices[i].sub == s);
    let paid_after = |since: Time| {
        life.covers
            .iter()
            .any(|c| c.since > since && c.invoice.is_some())
    };
    let mut disputes = moment.stripe.disputes.iter();
    let any = disputes.any(|d| d.at <= moment.at && of_it(d.of));
    let counts = |of: Paid| of_it(of) && !matches!(of, Paid::Invoice(i, _) if is_kept(moment, i));
    match disputed(moment, counts, paid_after) {
        Disputed::No => match plain.0 {
            // What was revoked and would be given back is over by now: it may stay as it is.
            Want::Stopped(_) if revoked_before(moment, s, life) => (Want::Stopped(ENDED), plain.1),
            // Suspended meanwhile, and over: it may stay suspended.
            Want::Stopped(words) if words == ["expired"] && any => (Want::Stopped(OVER), plain.1),
            Want::Live(_)
            | Want::LiveFrom(_)
            | Want::Stopped(_)
            | Want::Nothing
            | Want::Open(_) => plain,
        },
        Disputed::Unclear(why) => (Want::Open(why), "39"),
        Disputed::Lost(_) => match plain.0 {
            Want::Live(_) | Want::LiveFrom(_) => (Want::Stopped(&["revoked"]), "39"),
            // It may have been over before the loss.
            Want::Stopped(_) => (Want::Stopped(ENDED), "39"),
            Want::Nothing | Want::Open(_) => plain,
        },
        Disputed::Open => match plain.0 {
            // Under these, one that was revoked before is not made anew while the dispute is open (rule 5).
            Want::Live(_) | Want::LiveFrom(_) if revoked_before(moment, s, life) => {
                (Want::Stopped(&["suspended", "revoked"]), "39")
            }
            Want::Live(_) | Want::LiveFrom(_) => (Want::Stopped(&["suspended"]), "39"),
            Want::Stopped(_) if revoked_before(moment, s, life) => (Want::Stopped(ENDED), "39"),
            Want::Stopped(words) if !words.contains(&"revoked") => (Want::Stopped(OVER), "39"),
            Want::Stopped(_) | Want::Nothing | Want::Open(_) => plain,
        },
    }
}

/// Whether the license may have been revoked before, and come back since.
fn revoked_before(moment: Moment<'_>, s: usize, life: &Life<'_>) -> bool {
    let of_it = |of: Paid| matches!(of, Paid::Invoice(i, _) if moment.stripe.invoices[i].sub == s);
    let refunded = moment.stripe.refunds.iter().any(|r| of_it(r.of));
    let lost = moment
        .stripe
        .disputes
        .iter()
        .any(|d| of_it(d.of) && d.steps.iter().any(|(_, word)| *word == "lost"));
    refunded
        || lost
        || moment.policy.at_grace_end == AtGraceEnd::Revoke && !life.episodes.is_empty()
}

/// What the disputes of a purchase come to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disputed {
    No,
    /// At least one is open and stops.
    Open,
    /// Lost since then, under a policy that revokes, and no period was paid after it.
    Lost(Time),
    Unclear(&'static str),
}

/// The disputes of a purchase at an instant (rule 39). A loss stands until a period is paid after it; that settles none that
/// is open.
pub(crate) fn disputed(
    moment: Moment<'_>,
    of: impl Fn(Paid) -> bool,
    paid_after: impl Fn(Time) -> bool,
) -> Disputed {
    let policy = moment.policy;
    let (mut open, mut lost, mut unclear, mut any_open) = (false, None, None, false);
    for dispute in moment
        .stripe
        .disputes
        .iter()
        .filter(|d| d.at <= moment.at && of(d.of))
    {
        let steps = || dispute.steps.iter().filter(|(at, _)| *at <= moment.at);
        let was_lost = steps().any(|(_, word)| *word == "lost");
        let now = word_at(&dispute.steps, moment.at);
        any_open |= now.is_some_and(|word| !["won", "lost", "warning_closed"].contains(&word));
        match now {
            Some("needs_response" | "under_review") => open |= policy.dispute_suspends,
            Some("warning_needs_response" | "warning_under_review") => {
                open |= !policy.inquiry_keeps
            }
            Some("lost") if policy.lost_revokes => {
                lost = lost.max(steps().next_back().map(|(at, _)| *at))
            }
            Some("lost") if policy.dispute_suspends => {
                unclear = Some("lost and kept: live or suspended")
            }
            Some("won") if !policy.won_reinstates && (policy.dispute_suspends || was_lost) => {
                unclear = Some("won and kept as it is");
            }
            _ => {}
        }
    }
    match (lost.filter(|since| !paid_after(*since)), unclear) {
        (Some(_), _) if any_open && !kinds::open(Kind::LossBesideOpen) => {
            Disputed::Unclear("closed kind")
        }
        (Some(since), _) => Disputed::Lost(since),
        (None, Some(why)) => Disputed::Unclear(why),
        (None, None) if open => Disputed::Open,
        (None, None) => Disputed::No,
    }
}
