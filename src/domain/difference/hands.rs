//! What other hands did at the license service, as far as it is left so until a person says (rule 51).

use crate::domain::action::{Act, Action, GrantStatus};
use crate::domain::entitlement::{Entitlement, SeatDue, Want, Why};
use crate::domain::finding::Finding;
use crate::domain::machine::{ExternalChanges, Grant, Machine};
use crate::domain::matching::held_seats;
use crate::domain::time::Timestamp;

/// Rule 51: what another hand revoked is left, and told, until a person says otherwise.
#[must_use]
pub fn revoked_by_others(machine: &Machine, due: &Entitlement, now: Timestamp) -> Vec<u32> {
    held_seats(machine, due)
        .filter(|(seat, g)| left_revoked(machine, seat, g, now))
        .map(|(_, g)| g.number)
        .collect()
}

/// Whether another hand revoked a seat's license, so that it is left.
#[must_use]
pub fn left_revoked(machine: &Machine, seat: &SeatDue, grant: &Grant, now: Timestamp) -> bool {
    let ours = |a: &Action| {
        matches!(a.act, Act::Revoke { .. }) && a.license == grant.number && a.attempts > 0
    };
    grant.status == GrantStatus::Revoked
        && seat.want.live_at(now)
        && seat.why != Why::Decided
        && grant.revocation_due.is_none()
        && !machine.actions.iter().any(ours)
}

/// What another hand gave a license and a person has not spoken about.
pub(super) fn left_as_given(seat: &SeatDue, grant: &Grant) -> ExternalChanges {
    grant
        .given
        .filter(|_| seat.why != Why::Decided)
        .unwrap_or_default()
}

/// Licenses that have more at the service than they should, because another hand gave it: they are left so until a person
/// says.
#[must_use]
pub fn given_by_others(machine: &Machine, due: &Entitlement, now: Timestamp) -> Vec<Finding> {
    let mut out = Vec::new();
    for (seat, grant) in held_seats(machine, due).filter(|(_, g)| g.live_at(now)) {
        let left = left_as_given(seat, grant);
        let Want::Live { until } = seat.want else {
            continue;
        };
        let time = left.time
            && until.is_some_and(|u| grant.expires_at.is_none_or(|is| is.whole_s() > u.whole_s()));
        let devices = left.devices && grant.devices > seat.devices;
        if time || devices {
            out.push(Finding::GivenElsewhere {
                number: grant.number,
                time,
                devices,
            });
        }
    }
    out
}
