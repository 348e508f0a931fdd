//! What a license that others give lacks where it lasts as long as what was paid for: the policy's margin, and nothing else.

use super::found::SAME_END;
use crate::domain::action::Act;
use crate::domain::context::DecisionContext;
use crate::domain::entitlement::{Entitlement, SeatDue, Why};
use crate::domain::holding::is_only_adopted;
use crate::domain::machine::Machine;
use crate::domain::matching::match_seats;
use crate::domain::reconcile::Difference;

/// Leaves the margin of an adopted purchase to the next thing that is heard of it: its next renewal moves the end anyhow, and
/// nobody is asked for a yes to each of a thousand customers who have what they paid for. While a plan is only observed its
/// licenses are another program's, which knows no margin: what was paid for is there, and nothing differs.
///
/// A grace is more than a margin, and so is a license that does not work any more: they wait for a yes.
pub fn leave_margins(
    machine: &Machine,
    due: &Entitlement,
    world: &DecisionContext<'_>,
    wanted: &mut Vec<Difference>,
) {
    let adopted = is_only_adopted(machine);
    let observes = |seat: &SeatDue| world.brakes.standing.observes(seat.plan.as_ref()).is_some();
    if !adopted && !due.seats.iter().any(observes) {
        return;
    }
    let matched = match_seats(machine, due);
    let lasts = |number: u32| {
        let pairs = due.seats.iter().zip(&matched);
        let mut pairs = pairs.filter_map(|(seat, n)| Some((seat, &machine.grants[(*n)?])));
        pairs.any(|(seat, grant)| {
            let (Some(paid), Some(ends)) = (seat.paid_until, grant.expires_at) else {
                return false;
            };
            let is_paid = seat.why == Why::Due && grant.live_at(world.now);
            let of_others = adopted || observes(seat);
            grant.number == number && of_others && is_paid && ends + SAME_END >= paid
        })
    };
    wanted.retain(|d| {
        let lengthens = matches!(d.act, Act::SetExpiry { .. }) && !d.takes;
        !(lengthens && d.grant.is_some_and(lasts))
    });
}
