//! A license that is found revoked though no request of ours is on record. Another hand may have done that, and then it is
//! left (rule 51). Or this program did, in a time of which it remembers nothing: a copy of its store was put back. Then the
//! purchase's own history asks for it, and goes on as it did there: whoever paid since has a license again (rule 37).

use super::action::{Act, Action, ActionOutcome, GrantStatus};
use super::context::DecisionContext;
use super::difference::revoked_by_others;
use super::entitlement::{Entitlement, Want, entitlement};
use super::extension::Extension;
use super::fact::Fact;
use super::hold::Cleared;
use super::machine::{Grant, Machine};
use super::matching::match_seats;
use super::time::{Span, Timestamp};

/// Notes of each license that was found revoked whether its purchase's own history asked for it.
pub(super) fn note(machine: &mut Machine, due: &Entitlement, context: &DecisionContext<'_>) {
    let is_revoked = |g: &Grant| g.status == GrantStatus::Revoked;
    for grant in machine.grants.iter_mut().filter(|g| !is_revoked(g)) {
        grant.revocation_due = None;
    }
    if !machine.grants.iter().any(is_revoked) {
        return;
    }
    // One that was noted once stays so: what is told late does not make it another's.
    for number in revoked_by_others(machine, due, context.now) {
        let asked = asked_for(machine, number, context);
        let grant = machine.grants.iter_mut().find(|g| g.number == number);
        if let Some(grant) = grant {
            grant.revocation_due = asked;
        }
    }
}

/// When the history of a license's purchase asked for its revocation; `None`: it did not. Each time that it did ended one
/// license of the seat: those of lower numbers go first.
fn asked_for(machine: &Machine, number: u32, context: &DecisionContext<'_>) -> Option<Timestamp> {
    let index = machine.grants.iter().position(|g| g.number == number)?;
    let grant = &machine.grants[index];
    let by_history = |g: &&Grant| {
        g.seat == grant.seat && g.number < number && g.ever_revoked && !is_by_person(machine, g)
    };
    let before: Vec<&Grant> = machine.grants.iter().filter(by_history).collect();
    let worked = worked_at(machine, grant);
    // What all of them outlived ended none of them.
    let since = before.iter().map(|g| worked_at(machine, g)).min();
    let since = since.map_or(worked, |others| others.min(worked));
    let asked = revocations(machine, index, since, context);
    let mut of_it = asked.into_iter().skip(before.len());
    of_it.find(|at| worked.is_none_or(|worked| worked <= *at))
}

/// Whether a person's decision ended a license, as a re-key does.
fn is_by_person(machine: &Machine, grant: &Grant) -> bool {
    let ended = |a: &Action| {
        let revokes = matches!(a.act, Act::Revoke { .. }) && a.license == grant.number;
        revokes && a.cleared == Some(Cleared::Decision)
    };
    machine.actions.iter().any(ended)
}

/// When a license is last known to have worked: it was made, or given something, then.
fn worked_at(machine: &Machine, grant: &Grant) -> Option<Timestamp> {
    let gives = |a: &&Action| match a.act {
        Act::SetExpiry { .. } | Act::Reinstate { .. } | Act::SetDevices { .. } => {
            a.license == grant.number && a.outcome == ActionOutcome::Done
        }
        Act::Create(_)
        | Act::Suspend { .. }
        | Act::Revoke { .. }
        | Act::ResetDevices { .. }
        | Act::Read { .. }
        | Act::Recover(_)
        | Act::Query(_) => false,
    };
    let made = (!grant.adopted).then_some(grant.since);
    let given = machine.actions.iter().filter(gives).map(|a| a.at).max();
    made.max(given)
}

/// The instants from `since` on at which the history turns to asking for the end of a license that it had asked for before:
/// those of its facts, and those just before them, for time alone ends some.
///
/// Each takes a fold, and the committer waits for that: so only those are looked at that can matter, not all of years.
fn revocations(
    machine: &Machine,
    index: usize,
    since: Option<Timestamp>,
    context: &DecisionContext<'_>,
) -> Vec<Timestamp> {
    let mut facts: Vec<&Fact> = machine
        .facts
        .iter()
        .filter(|f| f.at <= context.now)
        .collect();
    facts.sort_by_key(|f| f.at);
    let known = facts.partition_point(|f| since.is_some_and(|since| f.at < since));
    let (known, facts) = facts.split_at(known);
    let mut past = Machine {
        facts: known.iter().copied().cloned().collect(),
        actions: Vec::new(),
        notices: Vec::new(),
        journal: Vec::new(),
        ..machine.clone()
    };
    let want = |past: &Machine, at| wants(past, &machine.extensions, index, at, context);
    let at_first = known.last().and_then(|last| want(&past, last.at));
    let mut stood = known
        .last()
        .is_some_and(|last| at_first.is_some_and(|want| want.live_at(last.at)));
    let mut asked = Vec::new();
    for told in facts.chunk_by(|a, b| a.at == b.at) {
        let at = told[0].at;
        for (told, at) in [(&[][..], at - Span::from_ms(1)), (told, at)] {
            past.facts.extend(told.iter().copied().cloned());
            match want(&past, at) {
                Some(Want::Revoked) if stood => {
                    asked.push(at);
                    stood = false;
                }
                Some(want) => stood |= want.live_at(at),
                None => {}
            }
        }
    }
    asked
}

/// What should have held of a license at an instant by what had happened; `None`: nothing was known of it.
fn wants(
    past: &Machine,
    extensions: &[Extension],
    index: usize,
    at: Timestamp,
    context: &DecisionContext<'_>,
) -> Option<Want> {
    if past.facts.is_empty() {
        return None;
    }
    let folded = past.folded(context.revisions, at);
    let extensions = extensions.iter().filter(|e| e.since <= at).cloned();
    let extensions: Vec<Extension> = extensions.collect();
    let devices_max = context.abilities.devices_max;
    let due = entitlement(&folded, &extensions, context.revisions, at, devices_max);
    let matched = match_seats(past, &due);
    let seat = matched.iter().position(|grant| *grant == Some(index));
    match seat {
        Some(seat) => Some(due.seats[seat].want),
        // A unit given up loses its license.
        None => due.complete.then_some(Want::Revoked),
    }
}
