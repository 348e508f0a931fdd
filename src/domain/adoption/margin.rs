//! What a license that others give lacks where it lasts as long as what was paid for: the policy's margin, and nothing else.

use super::found::SAME_END;
use crate::domain::action::{Act, Action};
use crate::domain::context::DecisionContext;
use crate::domain::difference::Difference;
use crate::domain::entitlement::{Entitlement, SeatDue, Want, Why};
use crate::domain::holding::is_only_adopted;
use crate::domain::machine::{Grant, Machine};
use crate::domain::matching::held_seats;

/// Leaves the margin of an adopted purchase to the next thing that is heard of it: its next renewal moves the end anyhow, and
/// nobody is asked for a yes to each of a thousand customers who have what they paid for. While a plan is only observed its
/// licenses are another program's, which knows no margin: what was paid for is there, and nothing differs.
///
/// A grace is more than a margin, and so is a license that does not work any more: they wait for a yes.
pub fn leave_margins(
    machine: &Machine,
    due: &Entitlement,
    context: &DecisionContext<'_>,
    wanted: &mut Vec<Difference>,
) {
    let adopted = is_only_adopted(machine);
    let observes = |seat: &SeatDue| {
        context
            .brakes
            .standing
            .observes(seat.plan.as_ref())
            .is_some()
    };
    if !adopted && !due.seats.iter().any(observes) {
        return;
    }
    let lasts = |number: u32| {
        let found = of_paid(machine, due, number);
        found.is_some_and(|(seat, grant)| (adopted || observes(seat)) && grant.live_at(context.now))
    };
    wanted.retain(|d| {
        let lengthens = matches!(d.act, Act::SetExpiry { .. }) && !d.takes;
        !(lengthens && d.grant.is_some_and(lasts))
    });
}

/// The seat of a license that lasted as long as what was paid for, and is due: what it lacks is the margin alone.
fn of_paid<'a>(
    machine: &'a Machine,
    due: &'a Entitlement,
    number: u32,
) -> Option<(&'a SeatDue, &'a Grant)> {
    held_seats(machine, due).find(|(seat, grant)| {
        let (Some(paid), Some(ends)) = (seat.paid_until, grant.expires_at) else {
            return false;
        };
        grant.number == number && seat.why == Why::Due && ends + SAME_END >= paid
    })
}

/// Whether an action gives a license nothing but the margin. At the turn of a period it is given without asking: the renewal
/// is paid an hour later, and whoever pays does not stand before a closed door until then.
pub(in crate::domain) fn gives_margin(
    machine: &Machine,
    due: &Entitlement,
    action: &Action,
) -> bool {
    let Act::SetExpiry { until, .. } = action.act else {
        return false;
    };
    of_paid(machine, due, action.license).is_some_and(|(seat, grant)| {
        let lengthens = until.is_none_or(|until| grant.expires_at.is_some_and(|ends| ends < until));
        // What had ended before it was taken in waits for a yes, as the look at it said.
        let worked = machine
            .adopted_at
            .is_none_or(|at| grant.expires_at.is_none_or(|ends| ends > at));
        lengthens && worked && matches!(seat.want, Want::Live { until: due } if due == until)
    })
}
