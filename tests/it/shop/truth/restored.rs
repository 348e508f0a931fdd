//! Who begins anew gets the old license back (rule 35).

use super::chain::{Chain, chains};
use super::episode::episodes;
use super::lived::{changes, lived};
use super::subscription::plain;
use super::{Moment, Want};
use crate::shop::calendar::Time;
use crate::shop::policy::AtGraceEnd;
use crate::shop::script::Types;
use crate::shop::stripe::ledger::Decision;

/// What becomes of a license because its customer began anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is its subscription's own.
    Own,
    /// It came from the former subscription.
    Came,
    /// It went to the new one.
    Went,
    /// The rules leave it open.
    Unclear,
}

/// The fate of each license of a subscription; none: nobody began anew.
pub(crate) fn fates(moment: Moment<'_>, s: usize, all: &[Chain]) -> Option<Vec<Fate>> {
    let subs = &moment.stripe.subs;
    let same = |other: &usize| {
        *other != s
            && subs[*other].customer == subs[s].customer
            && subs[*other].created <= moment.at
    };
    let mut others = (0..subs.len()).filter(same);
    let partner = others.next().filter(|_| moment.policy.restores)?;
    if others.next().is_some() {
        return Some(vec![Fate::Unclear; all.len()]);
    }
    let (old, new) = (s.min(partner), s.max(partner));
    let Some(moves) = moves(moment, old, new) else {
        return Some(vec![Fate::Unclear; all.len()]);
    };
    let fate = |n: usize| {
        if s == new {
            let came = moves.iter().any(|(_, to)| *to == n);
            if came { Fate::Came } else { Fate::Own }
        } else {
            let went = moves.iter().any(|(from, _)| *from == n);
            if went { Fate::Went } else { Fate::Own }
        }
    };
    Some((0..all.len()).map(fate).collect())
}

/// Which license of the old subscription became which of the new one; none: the rules leave it open.
fn moves(moment: Moment<'_>, old: usize, new: usize) -> Option<Vec<(usize, usize)>> {
    // Which is heard of first may decide.
    if moment.delivery.late || moment.delivery.types != Types::All {
        return None;
    }
    let about = |d: &Decision| {
        [old, new]
            .iter()
            .any(|s| d.about == moment.stripe.subs[*s].id)
    };
    if moment.stripe.decisions.iter().any(about) {
        return None;
    }
    let (from, to) = (chains(moment, old), chains(moment, new));
    let simple = |c: &Chain| c.counts() == (1, 1) && c.last().plan.is_some() && c.unclear.is_none();
    if !from.iter().chain(&to).all(simple) {
        return None;
    }
    let mut due: Vec<(Time, usize)> = Vec::new();
    for (n, chain) in to.iter().enumerate() {
        due.extend(first_live(moment, new, chain)?.map(|at| (at, n)));
    }
    due.sort_unstable();
    let mut moves: Vec<(usize, usize)> = Vec::new();
    for (at, n) in due {
        let then = Moment { at, ..moment };
        let plan = to[n].held(at)?.plan;
        if from.iter().any(|chain| grace_runs(then, old, chain)) {
            // Stripe gave up, and the promised grace of one of them runs on: it has not ended.
            return None;
        }
        let mut backs = Vec::new();
        for (o, chain) in from.iter().enumerate() {
            let free = moves.iter().all(|(taken, _)| *taken != o);
            if free && chain.last().plan == plan && comes_back(then, old, chain)? {
                backs.push(o);
            }
        }
        match backs[..] {
            [] => {}
            [o] => moves.push((o, n)),
            // Which of several of the same plan, the rules do not say.
            [..] => return None,
        }
    }
    Some(moves)
}

fn grace_runs(moment: Moment<'_>, s: usize, chain: &Chain) -> bool {
    let all = episodes(moment, s, chain);
    let runs = all.last().filter(|e| e.resolved.is_none());
    runs.is_some_and(|e| moment.at < e.grace_end)
}

/// When a license first works; none: the rules leave it open.
fn first_live(moment: Moment<'_>, s: usize, chain: &Chain) -> Option<Option<Time>> {
    for at in changes(moment, s) {
        match plain(Moment { at, ..moment }, s, chain).0 {
            Want::Live(_) | Want::LiveFrom(_) => return Some(Some(at)),
            Want::Open(_) => return None,
            Want::Stopped(_) | Want::Nothing => {}
        }
    }
    Some(None)
}

/// Whether an ended subscription's license can work again for another one: it was made and never revoked.
fn comes_back(moment: Moment<'_>, s: usize, chain: &Chain) -> Option<bool> {
    if chain.unlicensed.is_some() {
        return None;
    }
    // What was given up was revoked.
    if chain.held(moment.at).is_none() || !lived(moment, s, chain)? {
        return Some(false);
    }
    let all = episodes(moment, s, chain);
    if all.iter().any(|e| e.unclear.is_some()) {
        return None;
    }
    // The customer's own cancellation ends the grace with the license, before it is over (rule 30).
    let state = moment.stripe.subs[s].at(moment.at)?;
    let gave_up = !moment.stripe.new_shape || state.reason == Some("payment_failed");
    let over = state.ended_at.filter(|_| !gave_up).unwrap_or(moment.at);
    let lapsed = |at: Option<Time>, end: Time| at.unwrap_or(over) >= end;
    let revokes = moment.policy.at_grace_end == AtGraceEnd::Revoke;
    if revokes && all.iter().any(|e| lapsed(e.resolved, e.grace_end)) {
        return Some(false);
    }
    for at in changes(moment, s) {
        match plain(Moment { at, ..moment }, s, chain).0 {
            Want::Stopped(words) if *words == ["revoked"] => return Some(false),
            Want::Stopped(words) if words.contains(&"revoked") => return None,
            Want::Open(_) => return None,
            Want::Live(_) | Want::LiveFrom(_) | Want::Stopped(_) | Want::Nothing => {}
        }
    }
    Some(true)
}
