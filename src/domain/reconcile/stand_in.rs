//! A license in whose place another one is made works until that one is there: whoever pays is never without a key because
//! the new one waits for its service.

use super::{Difference, live_differences};
use crate::domain::action::{Abilities, Act};
use crate::domain::decision::Verb;
use crate::domain::entitlement::{SeatDue, Want};
use crate::domain::fact::Fact;
use crate::domain::machine::{Grant, Machine};
use crate::domain::time::Timestamp;

/// The working license of a seat that has none of its own any more: a new key was ordered, or its plan is another application's
/// now.
pub(super) fn stand_in(machine: &Machine, seat: &SeatDue, now: Timestamp) -> Option<usize> {
    if !seat.want.live_at(now) {
        return None;
    }
    let is_its = |g: &Grant| {
        let named = g.seat.item == seat.item || seat.aliases.contains(&g.seat.item);
        let works = g.live_at(now) && !g.is_left();
        named && g.seat.unit == seat.unit && works && !ends_at_once(machine, g)
    };
    machine.grants.iter().rposition(is_its)
}

/// Whether a person wants a license ended though the new one may not be there yet.
fn ends_at_once(machine: &Machine, grant: &Grant) -> bool {
    let at_once = |f: &Fact| match f.decision().map(|d| &d.verb) {
        Some(Verb::Rekey { license, at_once }) => {
            *at_once && f.received >= grant.since && license.is_none_or(|n| n == grant.number)
        }
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
/// application's is none.
pub(super) fn is_ordered(machine: &Machine, grant: &Grant) -> bool {
    let mut newer = machine.grants.iter().rev();
    let successor = newer.find(|g| g.seat == grant.seat && !g.replaced);
    grant.replaced && successor.is_none_or(|s| s.app_id == grant.app_id)
}
