//! What an adopted license lacks where it lasts as long as what was paid for: the policy's margin, and nothing else.

use super::found::SAME_END;
use crate::domain::action::Act;
use crate::domain::entitlement::{Entitlement, Why};
use crate::domain::holding::is_only_adopted;
use crate::domain::machine::Machine;
use crate::domain::matching::match_seats;
use crate::domain::reconcile::Difference;
use crate::domain::time::Timestamp;

/// Leaves the margin to the next thing that is heard of the purchase: its next renewal moves the end anyhow, and nobody is asked
/// for a yes to each of a thousand customers who have what they paid for.
///
/// A grace is more than a margin, and so is a license that does not work any more: they wait for a yes.
pub fn leave_margins(
    machine: &Machine,
    due: &Entitlement,
    now: Timestamp,
    wanted: &mut Vec<Difference>,
) {
    if !is_only_adopted(machine) {
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
            let is_paid = seat.why == Why::Due && grant.live_at(now);
            grant.number == number && is_paid && ends + SAME_END >= paid
        })
    };
    wanted.retain(|d| {
        let lengthens = matches!(d.act, Act::SetExpiry { .. }) && !d.takes;
        !(lengthens && d.grant.is_some_and(lasts))
    });
}
