//! A license in whose place another one is made works until that one is there: whoever pays is never without a key because
//! the new one waits for its service.

use super::act::{on, revoke};
use super::{Difference, live_differences};
use crate::domain::action::{Abilities, Act, GrantStatus};
use crate::domain::decision::Verb;
use crate::domain::entitlement::{Entitlement, SeatDue, Want, Why};
use crate::domain::fact::Fact;
use crate::domain::machine::{Grant, Machine};
use crate::domain::time::Timestamp;

/// The license of a seat that has none of its own any more: a new key was ordered, or its plan is another application's now.
/// One that runs out by itself meanwhile goes on with the next payment.
pub(super) fn stand_in(machine: &Machine, seat: &SeatDue) -> Option<usize> {
    if !matches!(seat.want, Want::Live { .. }) {
        return None;
    }
    let is_its = |g: &Grant| {
        let runs = g.status == GrantStatus::Live && !g.is_left();
        is_of(g, seat) && runs && !ends_at_once(machine, g)
    };
    machine.grants.iter().rposition(is_its)
}

fn is_of(grant: &Grant, seat: &SeatDue) -> bool {
    let named = grant.seat.item == seat.item || seat.aliases.contains(&grant.seat.item);
    named && grant.seat.unit == seat.unit
}

/// Ends a license that stands for no seat and stands in for none: it was given up, or replaced.
pub(super) fn end(machine: &Machine, due: &Entitlement, grant: &Grant) -> Difference {
    let succeeded = machine
        .grants
        .iter()
        .any(|g| g.seat == grant.seat && !g.replaced);
    // While its successor is not there, it ends by what ends its purchase.
    let by_time = |seat: &SeatDue| is_of(grant, seat) && seat.why == Why::Lapsed;
    Difference {
        by_person: is_ordered(machine, grant),
        by_time: !succeeded && due.seats.iter().any(by_time),
        ..on(grant, revoke(grant))
    }
}

/// Whether a person wants a license ended though the new one may not be there yet.
fn ends_at_once(machine: &Machine, grant: &Grant) -> bool {
    let at_once = |f: &Fact| match f.decision().map(|d| &d.verb) {
        Some(Verb::Rekey {
            license, at_once, ..
        }) => *at_once && f.received >= grant.since && license.is_none_or(|n| n == grant.number),
        Some(_) | None => false,
    };
    grant.replaced && machine.facts.iter().any(at_once)
}

/// What such a license lacks of the time that was paid for meanwhile.
pub(super) fn keep_up(
    seat: &SeatDue,
    grant: &Grant,
    abilities: &Abilities,
    now: Timestamp,
    out: &mut Vec<Difference>,
) {
    let Want::Live { until } = seat.want else {
        return;
    };
    let mut lacks = Vec::new();
    live_differences(seat, grant, until, abilities, now, &mut lacks);
    lacks.retain(|d| matches!(d.act, Act::SetExpiry { .. }) && !d.takes);
    out.extend(lacks);
}

/// Whether what ends a license that another one replaced is a person's own decision. A plan that became another
/// application's is none, and neither is the repair of a key that was revoked: nobody wanted one ended that works.
fn is_ordered(machine: &Machine, grant: &Grant) -> bool {
    let mut newer = machine.grants.iter().rev();
    let successor = newer.find(|g| g.seat == grant.seat && !g.replaced);
    let is_wanted = successor.is_none_or(|s| s.app_id == grant.app_id);
    grant.replaced && is_wanted && !is_repaired_alone(machine, grant)
}

/// Whether a repair replaced a license, and no other decision.
fn is_repaired_alone(machine: &Machine, grant: &Grant) -> bool {
    let decided = |f: &Fact| match f.decision().map(|d| &d.verb) {
        Some(Verb::Rekey {
            license,
            if_revoked,
            ..
        }) => {
            let is_meant = f.received >= grant.since && license.is_none_or(|n| n == grant.number);
            is_meant.then_some(*if_revoked)
        }
        Some(_) | None => None,
    };
    let mut decided = machine.facts.iter().filter_map(decided).peekable();
    decided.peek().is_some() && decided.all(|by_repair| by_repair)
}
