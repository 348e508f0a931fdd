//! The time that is paid for or granted, license by license (rules 16, 17, 22, 29, 33).

use super::chain::{Chain, chains};
use super::{Moment, decided};
use crate::shop::calendar::Time;
use crate::shop::catalog::plan_of;
use crate::shop::script::{Types, Word};
use crate::shop::stripe::ledger::{Invoice, Item, Status};

/// A stretch of time that is paid for or granted.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    pub(crate) start: Time,
    pub(crate) end: Time,
    /// Since when it counts.
    pub(crate) since: Time,
    /// The item that it was paid for; none: granted.
    pub(crate) item: Option<String>,
    /// The invoice that paid for it; none: granted.
    pub(crate) invoice: Option<usize>,
    /// A person added it.
    pub(crate) added: bool,
}

impl Chain {
    /// Whether an invoice is a renewal of it: a line that is no proration, for its next period (rule 25).
    pub(crate) fn renewed_by(&self, moment: Moment<'_>, invoice: &Invoice) -> bool {
        invoice.reason == "subscription_cycle"
            && !is_first(moment, invoice)
            && invoice.lines.iter().any(|l| self.billed(l) && !l.proration)
    }
}

/// Whether an invoice is a subscription's first: it has to be paid before there is a license (rule 20). After a trial that
/// gave none it is the one that the trial's end brings (rule 25).
pub(crate) fn is_first(moment: Moment<'_>, invoice: &Invoice) -> bool {
    let trial = moment.stripe.subs[invoice.sub].history[0].1.trial;
    let tried = trial.is_some_and(|(_, end)| end == invoice.created);
    invoice.reason == "subscription_create" || tried && !moment.policy.trial_licenses
}

/// The invoices of a subscription that were made by an instant.
pub(crate) fn invoices(moment: Moment<'_>, s: usize) -> impl Iterator<Item = (usize, &Invoice)> {
    moment
        .stripe
        .invoices
        .iter()
        .enumerate()
        .filter(move |(_, i)| i.sub == s && i.created <= moment.at)
}

/// Since when, by which invoice, what it takes back, what it gives.
type Change = (Time, Option<usize>, Vec<Stretch>, Vec<Stretch>);

/// A stretch of time, and the item that it is billed for.
type Stretch = (Time, Time, Option<String>);

/// What covers a license, by what happened until an instant: grants and paid invoices, in their order.
pub(crate) fn covers(moment: Moment<'_>, s: usize, chain: &Chain, at: Time) -> Vec<Cover> {
    if moment.delivery.types == Types::Snapshots {
        return by_snapshots(moment, s, chain, at);
    }
    let mut changes: Vec<Change> = Vec::new();
    for (n, invoice) in invoices(moment, s) {
        let Some(paid) = invoice.paid.filter(|paid| *paid <= at) else {
            continue;
        };
        let lines = || invoice.lines.iter().filter(|l| chain.billed(l) && !l.trial);
        let taken = lines()
            .filter(|l| l.amount < 0)
            .map(|l| (l.start, l.end, l.item.clone()))
            .collect();
        let given = lines()
            .filter(|l| l.amount >= 0 && !l.credit)
            .map(|l| (l.start, l.end, l.item.clone()))
            .collect();
        changes.push((paid, Some(n), taken, given));
    }
    // Rule 20: before anything was paid, only a trial is granted.
    let first = changes
        .iter()
        .filter(|c| !c.3.is_empty())
        .map(|c| c.0)
        .min();
    let granted = grants(moment, s, chain, at);
    let alone = granted.iter().filter(|g| g.alone).map(|g| g.since).min();
    let held = [first, alone].into_iter().flatten().min();
    let counts = |g: &Grant| g.alone || held.is_some_and(|held| held <= g.since);
    changes.extend(
        granted
            .into_iter()
            .filter(counts)
            .map(|g| (g.since, None, vec![], vec![(g.start, g.end, None)])),
    );
    changes.sort_by_key(|(since, ..)| *since);
    let mut covers: Vec<Cover> = Vec::new();
    for (since, invoice, taken, given) in changes {
        for (start, end, item) in taken {
            // What took an item's place has its time; metadata goes by each item for itself.
            let planned = chain.items.is_some();
            let of_it = |c: &Cover| planned || c.item.is_none() || c.item == item;
            let cut = |c: Cover| {
                if of_it(&c) {
                    without(c, start, end)
                } else {
                    vec![c]
                }
            };
            covers = covers.into_iter().flat_map(cut).collect();
        }
        covers.extend(given.into_iter().map(|(start, end, item)| Cover {
            start,
            end,
            since,
            item,
            invoice,
            added: false,
        }));
    }
    covers.extend(extended(moment, s, at));
    covers
}

/// Time that a person added: no credit takes it back.
fn extended(moment: Moment<'_>, s: usize, at: Time) -> Option<Cover> {
    let decision = decided::decision(moment, &moment.stripe.subs[s].id).ok()??;
    let extends = matches!(decision.word, Word::Extend { .. }) && decision.at <= at;
    Some(Cover {
        start: decision.at,
        end: decided::until(decision).filter(|_| extends)?,
        since: decision.at,
        item: None,
        invoice: None,
        added: true,
    })
}

/// What is left of a cover when a credit takes a stretch back.
fn without(cover: Cover, start: Time, end: Time) -> Vec<Cover> {
    let before = Cover {
        end: cover.end.min(start),
        ..cover.clone()
    };
    let after = Cover {
        start: cover.start.max(end),
        ..cover
    };
    [before, after]
        .into_iter()
        .filter(|c| c.start < c.end)
        .collect()
}

/// Time that is granted without a payment.
struct Grant {
    since: Time,
    start: Time,
    end: Time,
    /// It needs no payment for this license before: a trial, or an item beside paid ones.
    alone: bool,
}

/// What is granted until an instant.
fn grants(moment: Moment<'_>, s: usize, chain: &Chain, at: Time) -> Vec<Grant> {
    let sub = &moment.stripe.subs[s];
    let mut grants: Vec<Grant> = shared(moment, s, chain, at);
    let history: Vec<_> = sub
        .history
        .iter()
        .filter(|(since, _)| *since <= at)
        .collect();
    // Rule 15: a price that no plan names is given nothing, unless metadata asks for the whole.
    let sells = |i: &&Item| chain.items.is_none() || plan_of(i.price).is_some();
    for (n, (since, state)) in history.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| &history[n].1);
        if let Some((start, end)) = state.trial.filter(|_| state.status == Status::Trialing) {
            let began_with_it =
                before.is_none_or(|b| b.trial == state.trial) && sub.created == start;
            // Rule 23: a trial that is added to a paid subscription counts whatever `trial` says.
            // Who comes when it is over has no trial, and what is billed by use carries nothing (rule 10).
            let there = chain.steps[0].0 < end && state.items.iter().any(|i| chain.is_for(i));
            if there && (!began_with_it || moment.policy.trial_licenses) {
                grants.push(Grant {
                    since: *since,
                    start,
                    end,
                    // One that is added later is given to who has paid.
                    alone: began_with_it || moment.policy.trial_licenses,
                });
            }
        }
        let turned = before.is_some_and(|b| {
            state
                .items
                .iter()
                .any(|i| b.items.iter().all(|j| j.start != i.start))
        });
        let period = state
            .items
            .iter()
            .filter(|i| chain.is_for(i) && sells(i))
            .map(|i| (i.start, i.end))
            .max();
        // Rule 33: periods that turn while paused, and the one running at the resume.
        let resumed = before.is_some_and(|b| b.paused) && !state.paused && !state.status.is_over();
        let paused = state.paused && moment.policy.pause_keeps;
        if let Some((start, end)) =
            period.filter(|_| paused && turned && before.is_some_and(|b| b.paused) || resumed)
        {
            grants.push(Grant {
                since: *since,
                start,
                end,
                alone: false,
            });
        }
        // Rule 29: written off, and back to active without a payment.
        let back = before.is_some_and(|b| matches!(b.status, Status::PastDue | Status::Unpaid));
        let written_off = invoices(moment, s)
            .any(|(_, i)| i.voided == Some(*since) || i.uncollectible == Some(*since));
        if let Some((start, end)) =
            period.filter(|_| back && state.status == Status::Active && written_off)
        {
            grants.push(Grant {
                since: *since,
                start,
                end,
                alone: false,
            });
        }
    }
    grants
}

/// Rule 14: what is added takes effect at once while the running period is paid, so far as it is; before that it waits.
fn shared(moment: Moment<'_>, s: usize, chain: &Chain, at: Time) -> Vec<Grant> {
    let (Some(added), sub) = (chain.added, &moment.stripe.subs[s]) else {
        return Vec::new();
    };
    let others: Vec<Chain> = chains(moment, s)
        .into_iter()
        .filter(|c| c.steps[0].0 < added)
        .collect();
    let paid = invoices(moment, s).filter_map(|(_, i)| i.paid);
    let mut changes: Vec<Time> = sub.history.iter().map(|(at, _)| *at).chain(paid).collect();
    changes.sort_unstable();
    let period = |of: &Chain, then: Time| {
        let items = sub.at(then)?.items.iter().filter(|i| of.is_for(i));
        items.map(|i| (i.start, i.end)).next()
    };
    let paid_to = |o: &Chain, then: Time| {
        let ends = covers(moment, s, o, then).into_iter().map(|c| c.end);
        ends.max()
    };
    let grant = |then: Time| {
        let (start, end) = period(chain, then)?;
        let held = others.iter().filter(|o| o.held(then).is_some());
        // What is billed together is paid together.
        let peer = |o: &&Chain| period(o, then) == period(chain, then);
        let alone = !held.clone().any(|o| peer(&o));
        let peers = held.filter(|o| alone || peer(o));
        let end = peers.filter_map(|o| paid_to(o, then)).max()?.min(end);
        // It shares the period in which it came, or the first one that is paid.
        (chain.held(then).is_some() && end > then).then_some((start <= added, end))
    };
    let mut grants: Vec<Grant> = Vec::new();
    for then in changes.into_iter().filter(|c| (added..=at).contains(c)) {
        if let Some((came_in_it, end)) = grant(then)
            && (came_in_it || grants.is_empty())
        {
            grants.push(Grant {
                since: then,
                start: then,
                end,
                alone: true,
            });
        }
    }
    grants
}

/// Where no invoice is ever heard of, the latest snapshot speaks: `active` pays to its period's end, past_due and unpaid only
/// to the period's start (rule 18).
fn by_snapshots(moment: Moment<'_>, s: usize, chain: &Chain, at: Time) -> Vec<Cover> {
    let mut covers: Vec<Cover> = Vec::new();
    for (since, state) in moment.stripe.subs[s]
        .history
        .iter()
        .filter(|(since, _)| *since <= at)
    {
        for item in state.items.iter().filter(|i| chain.is_for(i)) {
            match state.status {
                Status::Active => {
                    covers.push(Cover {
                        start: item.start,
                        end: item.end,
                        since: *since,
                        item: None,
                        invoice: None,
                        added: false,
                    });
                }
                Status::PastDue | Status::Unpaid => covers.retain(|c| c.start < item.start),
                Status::Incomplete
                | Status::IncompleteExpired
                | Status::Trialing
                | Status::Paused
                | Status::Canceled => {}
            }
        }
    }
    covers
}
