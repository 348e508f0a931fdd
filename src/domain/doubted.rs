//! A license that should work and that its service calls revoked, though nobody here ended it. Another hand may have done
//! so, and then it stays until a person says (rule 51). But a service can be wrong for an hour, and that must not cost a
//! customer the license: it is read again, soon and then ever more rarely.

use super::action::GrantStatus;
use super::by_hand::read_at;
use super::entitlement::Entitlement;
use super::finding::Finding;
use super::machine::{Grant, Machine};
use super::reconcile::{Difference, read_again, revoked_by_others};
use super::time::Timestamp;

/// Such licenses, each with when it is read again.
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
    doubted(machine, due, now).map(|(_, at)| at).min()
}

/// Those that are to be read now.
pub(super) fn reads(machine: &Machine, due: &Entitlement, now: Timestamp) -> Vec<Difference> {
    let is_due = |(_, at): &(&Grant, Timestamp)| *at <= now;
    let due = doubted(machine, due, now).filter(is_due);
    due.map(|(grant, _)| read_again(grant)).collect()
}
