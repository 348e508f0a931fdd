//! What cannot be judged in a subscription's life: the rules leave it open, the endpoint is not told, or its kind is closed.

use super::Moment;
use super::chain::{Chain, chains};
use super::cover::invoices;
use super::episode::{Episode, episodes};
use crate::shop::calendar::{HOUR, Time};
use crate::shop::catalog::price_of;
use crate::shop::kinds::{Kind, open};
use crate::shop::script::{Types, Word};
use crate::shop::stripe::ledger::{Decision, Invoice, State, Status};
use crate::shop::stripe::shape::SHOWN;

/// Whether the price that is found by lookup key came when the key was another's: then no plan sells it.
fn sold_after_the_key_moved(moment: Moment<'_>, s: usize) -> bool {
    let Some(moved) = moment.stripe.lookups_moved else {
        return false;
    };
    let has = |state: &State| state.items.iter().any(|i| i.price == "price_studio_m");
    let history = &moment.stripe.subs[s].history;
    let came = history
        .windows(2)
        .any(|w| w[1].0 >= moved && has(&w[1].1) && !has(&w[0].1));
    came || history[0].0 >= moved && has(&history[0].1)
}

/// A trial of something that costs nothing anyway: its zero line tells nothing of a trial.
fn free_trial(moment: Moment<'_>, s: usize) -> bool {
    let first = &moment.stripe.subs[s].history[0].1;
    let free = first
        .items
        .iter()
        .any(|i| price_of(i.price).amount == 0 && !price_of(i.price).metered);
    first.trial.is_some() && !moment.policy.trial_licenses && free
}

/// Whether a trial was added to something else than a paid, running subscription (rule 23): to one that was never paid, or
/// where nothing ran but what is billed by use, which carries nothing.
fn trial_added_to_nothing_paid(moment: Moment<'_>, s: usize, chain: &Chain) -> bool {
    let history = &moment.stripe.subs[s].history;
    let first = history[0].1.trial;
    let by_use =
        |x: &State| chain.items.is_none() && x.items.iter().all(|i| price_of(i.price).metered);
    let unpaid = |at: Time| invoices(moment, s).all(|(_, i)| i.paid.is_none_or(|paid| paid > at));
    let added = |(at, x): &(Time, State)| {
        let is_new = *at <= moment.at && x.status == Status::Trialing && x.trial != first;
        is_new && (by_use(x) || unpaid(*at))
    };
    history.iter().any(added)
}

/// Whether the first charge after a trial without a license was still open when the next one was made: whether that one
/// renews anything is left open.
fn first_charge_open_at_the_next(moment: Moment<'_>, s: usize) -> bool {
    let trial = moment.stripe.subs[s].history[0].1.trial;
    let Some((_, end)) = trial.filter(|_| !moment.policy.trial_licenses) else {
        return false;
    };
    let mut cycles: Vec<&Invoice> = invoices(moment, s)
        .map(|(_, i)| i)
        .filter(|i| i.reason == "subscription_cycle" && i.created >= end)
        .collect();
    cycles.sort_by_key(|i| i.created);
    matches!(cycles[..], [first, next, ..] if first.paid.is_none_or(|paid| paid > next.created))
}

/// Whether an item was not shown: lists are cut, and nobody could ask for the rest.
fn is_cut(moment: Moment<'_>, s: usize) -> bool {
    let mut history = moment.stripe.subs[s].history.iter();
    let hides = |(at, x): &(Time, State)| *at <= moment.at && x.items.len() > SHOWN;
    !moment.stripe.has_key && history.any(hides)
}

/// The rule of a closed kind that a life is of.
fn closed(moment: Moment<'_>, s: usize) -> Option<&'static str> {
    let sub = &moment.stripe.subs[s];
    let mut states = sub
        .history
        .iter()
        .filter(|(at, _)| *at <= moment.at)
        .map(|(_, state)| state);
    let first_trial = sub.history[0].1.trial;
    let paused = states.clone().any(|x| x.paused);
    let added = states.clone().any(|x| x.trial != first_trial);
    let studio = states.any(|x| x.items.iter().any(|i| i.price == "price_studio_m"));
    let renewed_since = |i: &Invoice| {
        let later = |(_, other): (usize, &Invoice)| {
            other.created > i.created && other.reason == "subscription_cycle"
        };
        invoices(moment, s).any(later)
    };
    let side =
        |i: &Invoice| i.reason == "subscription_update" || i.reason == "manual" || renewed_since(i);
    let first_paid = invoices(moment, s)
        .filter_map(|(_, i)| i.paid)
        .min()
        .unwrap_or(Time::MAX);
    let paused_unpaid = sub
        .history
        .iter()
        .any(|(at, x)| x.paused && *at < first_paid && *at <= moment.at);
    let declined =
        invoices(moment, s).any(|(_, i)| i.reason == "subscription_create" && !i.failed.is_empty());
    if first_trial.is_some() && declined && !open(Kind::FeeDeclined) {
        return Some("22");
    }
    if paused_unpaid && !open(Kind::PausedUnpaid) {
        return Some("20, 33");
    }
    let overdue =
        invoices(moment, s).any(|(_, i)| side(i) && i.overdue.is_some_and(|at| at <= moment.at));
    if overdue && !open(Kind::SentSideOverdue) {
        return Some("32");
    }
    if first_trial.is_some() && !moment.policy.trial_licenses && !open(Kind::TrialNone) {
        Some("22")
    } else if paused && !moment.policy.pause_keeps && !open(Kind::PauseSuspends) {
        Some("33")
    } else if added && !open(Kind::TrialAdded) {
        Some("23")
    } else if studio && moment.stripe.lookups_moved.is_some() && !open(Kind::LookupMoved) {
        Some("12")
    } else {
        None
    }
}

/// Whether an invoice for something else was written off while the running period's own was open: that the subscription is
/// active again says nothing of the period.
fn side_written_off(moment: Moment<'_>, s: usize) -> bool {
    let closed = |i: &Invoice| i.voided.or(i.uncollectible).filter(|at| *at <= moment.at);
    let is_side = |i: &Invoice| i.reason == "subscription_update" || i.reason == "manual";
    let mut sides = invoices(moment, s).filter(|(_, i)| is_side(i));
    sides.any(|(_, side)| {
        closed(side).is_some_and(|at| {
            let is_open = |i: &Invoice| {
                let done = [i.paid, i.voided, i.uncollectible];
                i.created <= at && done.into_iter().flatten().all(|done| done > at)
            };
            let mut renewals = invoices(moment, s).filter(|(_, i)| !is_side(i));
            renewals.any(|(_, i)| is_open(i))
        })
    })
}

/// Why a life cannot be judged from what this endpoint is told.
pub(crate) fn unheard(moment: Moment<'_>, s: usize, chain: &Chain) -> Option<&'static str> {
    let (sub, stripe) = (&moment.stripe.subs[s], moment.stripe);
    let plain = sub
        .history
        .iter()
        .all(|(_, x)| !x.paused && x.trial.is_none() && x.items.len() == 1)
        && chain.steps.iter().all(|(_, h)| h.is_some())
        && sub.sent_days.is_none()
        && sub.metadata.is_none();
    let money = super::money::may_be_new(moment, s);
    let changed = stripe
        .invoices
        .iter()
        .any(|i| i.sub == s && (i.reason == "subscription_update" || i.reason == "manual"));
    let written_off = invoices(moment, s).any(|(_, i)| i.voided.or(i.uncollectible).is_some());
    let scheduled = sub.history.iter().any(|(_, x)| x.cancel_at.is_some());
    let ended = sub.now().ended_at.is_some();
    let came = chain.steps[0].0 > sub.created;
    let decided = stripe.decisions.iter().any(|d| d.about == sub.id);
    match moment.delivery.types {
        Types::All => None,
        _ if !plain || money || changed || decided => Some("not told to an endpoint of few types"),
        Types::Guide if scheduled || ended || came || written_off || changes(chain) => {
            Some("not told to an endpoint of few types")
        }
        Types::Guide => None,
        Types::Snapshots if moment.at < sub.created + HOUR => {
            Some("the first minutes of snapshots alone")
        }
        Types::Snapshots => None,
    }
}

/// Whether its plan or quantity ever changed.
fn changes(chain: &Chain) -> bool {
    let first = chain.last();
    chain
        .steps
        .iter()
        .flat_map(|(_, h)| h)
        .any(|h| (h.plan, h.count, h.devices) != (first.plan, first.count, first.devices))
}

/// Whether somebody was exempted when the grace was over.
fn is_exempted_late(moment: Moment<'_>, s: usize) -> bool {
    let about = &moment.stripe.subs[s].id;
    let late = |d: &Decision| {
        matches!(d.word, Word::Exempt { .. })
            && invoices(moment, s).any(|(_, i)| {
                let fails = i.failed.first().copied().or(i.overdue);
                fails.is_some_and(|at| at + moment.policy.grace <= d.at)
            })
    };
    let mut decided = moment.stripe.decisions.iter().filter(|d| d.about == *about);
    decided.any(|d| d.at <= moment.at && late(d))
}

/// What the rules do not decide while nothing was paid.
fn never_paid(moment: Moment<'_>, s: usize, chain: &Chain) -> Option<(&'static str, &'static str)> {
    let pays = |i: &Invoice| i.lines.iter().any(|l| !l.trial && chain.billed(l));
    let paid = invoices(moment, s)
        .filter(|(_, i)| pays(i))
        .filter_map(|(_, i)| i.paid);
    let first = paid
        .min()
        .filter(|at| *at <= moment.at)
        .unwrap_or(Time::MAX);
    let about = &moment.stripe.subs[s].id;
    let mut added = moment.stripe.decisions.iter();
    let added = added.any(|d| d.about == *about && matches!(d.word, Word::Extend { .. }));
    if first == Time::MAX && added {
        // Whether what is then sent for a later period carries it as a renewal does.
        return Some((
            "only a person gave it time, and nothing was ever paid",
            "20, 32, 50",
        ));
    }
    let given_up = |i: &Invoice| i.voided.or(i.uncollectible).is_some_and(|at| at < first);
    if invoices(moment, s).any(|(_, i)| given_up(i)) {
        return Some(("written off before anything was paid", "20, 29"));
    }
    None
}

/// What the rules do not decide in a life, and the rules in question.
pub(crate) fn undecided(
    moment: Moment<'_>,
    s: usize,
    chain: &Chain,
) -> Option<(&'static str, &'static str)> {
    if sold_after_the_key_moved(moment, s) {
        return Some(("sold when its lookup key had moved on", "12"));
    }
    if let Some(open) = never_paid(moment, s, chain) {
        return Some(open);
    }
    if side_written_off(moment, s) {
        return Some(("a side invoice is written off beside an open renewal", "29"));
    }
    if is_exempted_late(moment, s) {
        return Some(("exempted when the grace was over", "50"));
    }
    if is_cut(moment, s) {
        return Some(("a cut list, and no API key", "14"));
    }
    if free_trial(moment, s) {
        return Some(("a free price's trial under trial = none", "22"));
    }
    if first_charge_open_at_the_next(moment, s) {
        return Some(("renewals beside a first charge that is open", "20, 25"));
    }
    if trial_added_to_nothing_paid(moment, s, chain) {
        return Some(("a trial is added to nothing paid", "10, 23"));
    }
    let voided = |i: &Invoice| {
        i.voided
            .or(i.uncollectible)
            .is_some_and(|at| at <= moment.at)
    };
    let trial = moment.stripe.subs[s].history[0].1.trial.map(|(_, end)| end);
    let is_first = |i: &Invoice| i.reason == "subscription_create" || trial == Some(i.created);
    if invoices(moment, s).any(|(_, i)| is_first(i) && voided(i)) {
        return Some(("a first invoice is written off", "20, 29"));
    }
    let paused = moment.stripe.subs[s]
        .history
        .iter()
        .any(|(at, x)| x.paused && *at <= moment.at);
    if paused && chain.added.is_some() {
        return Some(("an item is added, and collection is paused", "14, 33"));
    }
    let last = moment.stripe.subs[s].at(moment.at)?;
    if last.paused && last.status.is_over() && !moment.policy.pause_keeps {
        return Some(("deleted while a pause suspended it", "33, 34"));
    }
    let paused = |at: Time| moment.stripe.subs[s].at(at).is_some_and(|x| x.paused);
    let fails = |i: &Invoice| {
        let mut all = i.failed.iter().chain(&i.overdue);
        all.any(|at| *at <= moment.at && paused(*at))
    };
    if invoices(moment, s).any(|(_, i)| fails(i)) {
        return Some(("it fails while collection is paused", "33"));
    }
    if fails_beside(moment, s, chain) {
        return Some((
            "a renewal fails, and of its items one is paid for",
            "21, 25",
        ));
    }
    if let Some(rule) = closed(moment, s) {
        return Some(("closed kind", rule));
    }
    None
}

/// Whether a renewal of several licenses failed and a grace began for another one of them only.
fn fails_beside(moment: Moment<'_>, s: usize, chain: &Chain) -> bool {
    let others = chains(moment, s);
    if others.len() < 2 {
        return false;
    }
    let own = episodes(moment, s, chain);
    let begun = others.iter().flat_map(|o| episodes(moment, s, o));
    let alone = |e: &Episode| {
        chain.renewed_by(moment, &moment.stripe.invoices[e.invoice])
            && own.iter().all(|o| o.invoice != e.invoice)
    };
    begun.into_iter().any(|e| alone(&e))
}
