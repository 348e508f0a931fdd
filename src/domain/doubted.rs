//! A service can be wrong for an hour, and that must not cost a customer the license. One that should work and that its service
//! calls revoked, though nobody here ended it, is read again, soon and then ever more rarely: another hand may have ended it,
//! and then it stays until a person says (rule 51). One that was brought back is read once more: nothing else would be asked
//! of it until it renews, and whether it works was the service's word alone.

use super::action::{Act, Action, ActionOutcome, GrantStatus};
use super::by_hand::read_at;
use super::difference::{Difference, read_again, revoked_by_others};
use super::entitlement::Entitlement;
use super::finding::Finding;
use super::machine::{Grant, Machine};
use super::time::{Span, Timestamp};

/// How long after a license was brought back it is read once more: a service that is wrong is so for an hour.
const SETTLES_WITHIN: Span = Span::from_hours(2);

/// Licenses of which a read is wanted, each with when it is.
fn wanted<'m>(
    machine: &'m Machine,
    due: &Entitlement,
    now: Timestamp,
) -> impl Iterator<Item = (&'m Grant, Timestamp)> {
    doubted(machine, due, now).chain(brought_back(machine, now))
}

/// Licenses that work since they were brought back, and of which the service was told or asked nothing since.
fn brought_back(machine: &Machine, now: Timestamp) -> impl Iterator<Item = (&Grant, Timestamp)> {
    let live = machine.grants.iter().filter(move |g| g.live_at(now));
    live.filter_map(|grant| {
        let of_it =
            |a: &&Action| a.outcome == ActionOutcome::Done && a.act.key() == Some(&grant.key);
        let last = machine.actions.iter().rfind(of_it)?;
        let is_back = matches!(last.act, Act::Reinstate { .. });
        is_back.then(|| (grant, last.at + SETTLES_WITHIN))
    })
}

/// Licenses that are called revoked though nobody here ended them, each with when it is read again.
fn doubted<'m>(
    machine: &'m Machine,
    due: &Entitlement,
    now: Timestamp,
) -> impl Iterator<Item = (&'m Grant, Timestamp)> {
    let is_revoked = |g: &Grant| g.status == GrantStatus::Revoked;
    let numbers = if machine.grants.iter().any(is_revoked) {
        revoked_by_others(machine, due, now)
    } else {
        Vec::new()
    };
    let since = move |number: u32| {
        let told = |r: &&super::finding::Report| r.finding == Finding::RevokedElsewhere(number);
        machine.told.iter().find(told).map_or(now, |r| r.at)
    };
    let grants = machine.grants.iter();
    grants
        .filter(move |g| numbers.contains(&g.number))
        .map(move |g| (g, read_at(machine, g.number, since(g.number))))
}

/// When the next one is read again.
pub(super) fn next_read(machine: &Machine, due: &Entitlement, now: Timestamp) -> Option<Timestamp> {
    wanted(machine, due, now).map(|(_, at)| at).min()
}

/// Those that are to be read now.
pub(super) fn reads(machine: &Machine, due: &Entitlement, now: Timestamp) -> Vec<Difference> {
    let is_due = |(_, at): &(&Grant, Timestamp)| *at <= now;
    let due = wanted(machine, due, now).filter(is_due);
    due.map(|(grant, _)| read_again(grant)).collect()
}
