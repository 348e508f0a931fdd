//! Licenses that were left at a service that is the purchase's own again, beside those that took their place: each works as
//! long as the purchase does and no longer. Until then they had nothing to ask for: nothing could be done about them.

use super::act::{reinstate, revoke, stop};
use super::stand_in::{end, is_of};
use super::{Difference, live_differences};
use crate::domain::action::{Abilities, Act, ActionOutcome, GrantStatus};
use crate::domain::entitlement::{Entitlement, SeatDue, Want};
use crate::domain::machine::{Grant, Machine};
use crate::domain::service_move::{ServiceKind, ServiceMove};
use crate::domain::time::Timestamp;

/// What the licenses that were left `here` lack of it.
pub(super) fn left_here(
    machine: &Machine,
    due: &Entitlement,
    (abilities, here): (&Abilities, Option<ServiceKind>),
    now: Timestamp,
    out: &mut Vec<Difference>,
) {
    let is_here = |g: &&Grant| g.is_left() && here.is_some() && g.service == here;
    for grant in machine.grants.iter().filter(is_here) {
        if grant.status == GrantStatus::Revoked {
            continue;
        }
        let newer = successor(machine, grant);
        let is_replaced = grant.service_move == Some(ServiceMove::LeftForGood) && newer.is_some();
        match due.seats.iter().find(|seat| is_of(grant, seat)) {
            _ if is_replaced => out.push(end(machine, due, grant)),
            Some(seat) => follow(machine, (seat, grant, newer), abilities, now, out),
            None if due.complete => out.push(end(machine, due, grant)),
            None => {}
        }
    }
}

/// The license that took its place.
fn successor<'m>(machine: &'m Machine, left: &Grant) -> Option<&'m Grant> {
    let is_its = |g: &&Grant| g.seat == left.seat && !g.replaced;
    machine.grants.iter().rev().find(is_its)
}

/// Stops it with its seat, and takes back what was stopped so. It is given nothing else: what is paid for is another one.
fn follow(
    machine: &Machine,
    (seat, grant, newer): (&SeatDue, &Grant, Option<&Grant>),
    abilities: &Abilities,
    now: Timestamp,
    out: &mut Vec<Difference>,
) {
    let key = || grant.key.clone();
    match (seat.want, grant.status) {
        (Want::Revoked, _) => out.push(stop(seat, grant, revoke(grant))),
        (Want::Suspended | Want::Nothing, GrantStatus::Live) => {
            out.push(stop(seat, grant, Act::Suspend { key: key() }));
        }
        (Want::Live { until }, GrantStatus::Live) => {
            let mut lacks = Vec::new();
            live_differences(seat, grant, until, abilities, now, &mut lacks);
            lacks.retain(|d| d.takes);
            let is_over = !seat.want.live_at(now) && grant.live_at(now);
            if lacks.is_empty() && is_over && !abilities.can_shorten {
                lacks.push(stop(seat, grant, Act::Suspend { key: key() }));
            }
            out.extend(lacks);
        }
        // One that was stopped already when it was left is not given beside the one that was made for it.
        (Want::Live { until }, GrantStatus::Suspended)
            if seat.want.live_at(now) && was_stopped_here(machine, grant, newer) =>
        {
            out.push(reinstate(grant, until));
        }
        (Want::Live { .. } | Want::Suspended | Want::Nothing, _) => {}
    }
}

/// Whether it was stopped since another one took its place.
fn was_stopped_here(machine: &Machine, left: &Grant, newer: Option<&Grant>) -> bool {
    let since = newer.map_or(left.since, |g| g.since);
    machine.actions.iter().any(|a| {
        matches!(a.act, Act::Suspend { .. })
            && a.license == left.number
            && a.outcome == ActionOutcome::Done
            && a.at >= since
    })
}
