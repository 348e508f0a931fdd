//! Unpaid renewals: when a grace begins and ends, and whether a payment came (rules 25 to 32).

use super::chain::Chain;
use super::cover::{Cover, covers, invoices};
use super::{Moment, decided};
use crate::shop::calendar::Time;
use crate::shop::script::{Types, Word};
use crate::shop::stripe::ledger::{Invoice, Status};

/// An unpaid renewal.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    /// The first failed try of its invoice.
    pub(crate) start: Time,
    /// When the grace is over.
    pub(crate) grace_end: Time,
    pub(crate) invoice: usize,
    /// The first try wanted 3-D Secure.
    pub(crate) secure: bool,
    /// When the running period was paid for again.
    pub(crate) resolved: Option<Time>,
    /// Its own invoice was paid or written off, and the running period is not paid for: the rules do not say which grace runs.
    pub(crate) unclear: Option<Time>,
}

/// The episodes of a license until an instant, oldest first.
pub(crate) fn episodes(moment: Moment<'_>, s: usize, chain: &Chain) -> Vec<Episode> {
    let mut fails: Vec<(Time, usize, bool)> = Vec::new();
    if moment.delivery.types == Types::Guide {
        return Vec::new();
    }
    let snapshots = moment.delivery.types == Types::Snapshots;
    let mut changes: Vec<Time> = moment.stripe.subs[s]
        .history
        .iter()
        .map(|(at, _)| *at)
        .collect();
    let about = &moment.stripe.subs[s].id;
    let said = moment.stripe.decisions.iter().filter(|d| d.about == *about);
    changes.extend(said.map(|d| d.at));
    for (n, invoice) in invoices(moment, s) {
        changes.extend(
            [invoice.paid, invoice.voided, invoice.uncollectible]
                .into_iter()
                .flatten(),
        );
        if chain.renewed_by(moment, invoice) && !snapshots {
            let first = invoice.failed.first().copied();
            fails.extend(first.map(|at| (at, n, invoice.secure.contains(&at))));
            fails.extend(invoice.overdue.map(|at| (at, n, false)));
        }
    }
    if snapshots {
        // Where only snapshots come, of the first past_due one.
        let history = &moment.stripe.subs[s].history;
        let turned = history
            .windows(2)
            .filter(|w| w[0].1.status == Status::Active && w[1].1.status == Status::PastDue);
        fails.extend(turned.filter_map(|w| Some((w[1].0, w[1].1.latest?, false))));
    }
    fails.sort_unstable();
    changes.sort_unstable();
    let mut episodes: Vec<Episode> = Vec::new();
    for (at, n, secure) in fails.into_iter().filter(|(at, ..)| *at <= moment.at) {
        if let Some(last) = episodes.last_mut() {
            close(moment, s, chain, last, &changes, at);
        }
        let runs = episodes.last().is_some_and(|e| e.resolved.is_none());
        let ended = moment.stripe.subs[s]
            .at(at)
            .is_some_and(|state| state.status.is_over());
        let grace_end = exempt(moment, s, at + moment.policy.grace);
        if !runs
            && chain.held(at).is_some()
            && !ended
            && !paid_for(moment, s, chain, (at, grace_end))
            && had_time(moment, s, chain, at)
        {
            episodes.push(Episode {
                start: at,
                grace_end,
                invoice: n,
                secure,
                resolved: None,
                unclear: None,
            });
        }
    }
    if let Some(last) = episodes.last_mut() {
        close(moment, s, chain, last, &changes, moment.at);
    }
    episodes
}

/// A grace that a person kept open does not end before that.
fn exempt(moment: Moment<'_>, s: usize, grace_end: Time) -> Time {
    let decision = decided::decision(moment, &moment.stripe.subs[s].id);
    let said = decision.ok().flatten();
    let said = said.filter(|d| matches!(d.word, Word::Exempt { .. }));
    said.and_then(decided::until)
        .map_or(grace_end, |until| until.max(grace_end))
}

/// Whether it had time before, other than a person added: else there is nothing to keep alive.
fn had_time(moment: Moment<'_>, s: usize, chain: &Chain, at: Time) -> bool {
    let before = |c: &Cover| c.start < at && !c.added;
    covers(moment, s, chain, at).iter().any(before)
}

/// Whether an instant is paid for. Time that a person added takes no grace away that reaches further (rules 25, 50).
fn paid_for(moment: Moment<'_>, s: usize, chain: &Chain, (at, grace_end): (Time, Time)) -> bool {
    let counts = |c: &Cover| c.end > at && (!c.added || c.end >= grace_end);
    covers(moment, s, chain, at).iter().any(counts)
}

/// Looks whether a change until an instant resolved an episode.
fn close(
    moment: Moment<'_>,
    s: usize,
    chain: &Chain,
    episode: &mut Episode,
    changes: &[Time],
    until: Time,
) {
    if episode.resolved.is_some() {
        return;
    }
    for at in changes
        .iter()
        .copied()
        .filter(|at| *at >= episode.start && *at <= until)
    {
        if paid_for(moment, s, chain, (at, episode.grace_end)) {
            episode.resolved = Some(at);
            return;
        }
        if moment.delivery.types != Types::All {
            continue;
        }
        // A later period's failure neither restarts nor prolongs the grace (rule 25): it runs on.
        let later = |(n, i): (usize, &Invoice)| {
            n != episode.invoice
                && chain.renewed_by(moment, i)
                && i.failed.first().is_some_and(|f| *f <= at)
                && [i.paid, i.voided, i.uncollectible]
                    .into_iter()
                    .flatten()
                    .all(|c| c > at)
        };
        if invoices(moment, s).any(later) {
            continue;
        }
        let own = &moment.stripe.invoices[episode.invoice];
        if [own.paid, own.voided, own.uncollectible]
            .into_iter()
            .flatten()
            .any(|closed| closed <= at)
        {
            episode.unclear = episode.unclear.or(Some(at));
        }
    }
}
