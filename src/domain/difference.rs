//! The difference between what should be and what is, as the next act for each license.
//!
//! A crash, a refusal or a change of mind is repaired by this same function: it looks only at the present.

mod act;
mod hands;
mod refused;
mod stand_in;

use super::action::{Abilities, Act, Action, ActionOutcome, GrantStatus};
use super::adoption::{given_for_its_period, is_over_unpaid, outlives_purchase};
use super::decision::Verb;
use super::entitlement::{Entitlement, SeatDue, Want, Why};
use super::hold::{Distrust, DistrustCause};
use super::machine::{Grant, Machine};
use super::service_move::{ServiceKind, left_for};
use super::time::Timestamp;
use crate::domain::matching::{is_for, match_seats, paired_seats};
pub(super) use act::read_again;
use act::{asked, create, new_license, on, reinstate, revoke, stop, take_place};
use hands::left_as_given;
pub use hands::{given_by_others, left_revoked, revoked_by_others};
use refused::stays_revoked;
use stand_in::{end, keep_up, stand_in};

/// One act that would bring a license nearer to what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What to do.
    pub act: Act,
    /// The license's number; `None` for one to be made.
    pub grant: Option<u32>,
    /// Whether only time that passed asks for it: a grace that ended without a payment being heard of, an end that is earlier
    /// by our clock alone.
    pub by_time: bool,
    /// Whether it takes the license, or time of it.
    pub takes: bool,
    /// Whether a person's own decision asks for it.
    pub by_person: bool,
    /// Whether no fact itself asks for it: it follows from a payment that was not heard of.
    pub unproved: bool,
}

/// The license service that is used now.
#[derive(Clone, Copy, Debug)]
pub struct ServiceNow<'a> {
    pub abilities: &'a Abilities,
    pub kind: Option<ServiceKind>,
}

/// The differences of a machine, in the order in which the service used now should carry them out for each license.
#[must_use]
pub fn differences(
    machine: &Machine,
    due: &Entitlement,
    service: ServiceNow<'_>,
    now: Timestamp,
) -> Vec<Difference> {
    let ServiceNow {
        abilities,
        kind: here,
    } = service;
    let mut out = Vec::new();
    let matched = match_seats(machine, due);
    let mut stand_ins = Vec::new();
    for (seat, grant) in due.seats.iter().zip(&matched) {
        if grant.is_none() && moved_away(machine, seat) {
            continue;
        }
        let grant = grant.map(|g| &machine.grants[g]);
        let left = left_for(machine, seat).filter(|_| grant.is_none());
        let stood = grant.or(left);
        if stood.is_some_and(|g| left_revoked(machine, seat, g, now)) {
            continue;
        }
        match (left, seat.want) {
            (Some(left), Want::Live { until }) if seat.want.live_at(now) => {
                out.push(take_place(seat, until, left));
            }
            (Some(_), _) => {}
            (None, _) => {
                let comes_back = |g: &Grant| {
                    abilities.revoke_reversible && g.is_at(here) && !stays_revoked(machine, g)
                };
                let comes_back = grant.is_some_and(comes_back);
                seat_differences(seat, grant, (abilities, comes_back), now, &mut out);
            }
        }
        out.extend(grant.and_then(|g| stop_overlong(machine, seat, g, abilities, now)));
        let stands_in = stand_in(machine, seat);
        let stands_in = stands_in.filter(|n| stood.is_none() && !matched.contains(&Some(*n)));
        if let Some(index) = stands_in {
            keep_up(seat, &machine.grants[index], abilities, now, &mut out);
            stand_ins.push(index);
        }
    }
    resets(machine, &mut out);
    for (index, grant) in machine.grants.iter().enumerate() {
        let given_up = due.complete && !matched.contains(&Some(index));
        let ends = (grant.replaced || given_up) && !grant.is_left() && !stand_ins.contains(&index);
        if ends && grant.status != GrantStatus::Revoked {
            out.push(end(machine, due, grant));
        }
    }
    out
}

/// A license whose end should have come, where the service cannot shorten one: time that another purchase added and took back
/// is stopped, for it may be years (rule 55).
fn stop_overlong(
    machine: &Machine,
    seat: &SeatDue,
    grant: &Grant,
    abilities: &Abilities,
    now: Timestamp,
) -> Option<Difference> {
    let extended = machine.extensions.iter().any(|e| e.is_of(seat));
    let is_over = matches!(seat.want, Want::Live { .. }) && !seat.want.live_at(now);
    let stops = extended && is_over && !abilities.can_shorten && grant.live_at(now);
    let suspend = || Act::Suspend {
        key: grant.key.clone(),
    };
    stops.then(|| stop(seat, grant, suspend()))
}

/// Devices that a person wants forgotten: on each license that was there when it was said, once.
fn resets(machine: &Machine, out: &mut Vec<Difference>) {
    let said = machine.facts.iter().filter_map(|fact| {
        let Verb::ResetDevices { device } = &fact.decision()?.verb else {
            return None;
        };
        Some((fact, device))
    });
    for (fact, device) in said {
        let there = |g: &&Grant| g.since <= fact.received && g.can_be_mailed();
        for grant in machine.grants.iter().filter(there) {
            let reset = on(
                grant,
                Act::ResetDevices {
                    key: grant.key.clone(),
                    decision: fact.id.clone(),
                    device: device.clone(),
                },
            );
            if !machine
                .actions
                .iter()
                .any(|a| a.outcome == ActionOutcome::Done && reset.is(a))
            {
                out.push(reset);
            }
        }
    }
}

/// Licenses that should not work and that nobody knows of, for a purchase that is older than this store: somebody may have
/// made them, and they are looked for, once.
#[must_use]
pub fn finds(machine: &Machine, due: &Entitlement, now: Timestamp) -> Vec<Difference> {
    let unknown = paired_seats(machine, due)
        .filter(|(_, grant)| grant.is_none())
        .map(|(seat, _)| seat);
    let over = |seat: &&SeatDue| match seat.want {
        Want::Nothing => is_over_unpaid(machine),
        Want::Suspended | Want::Revoked => true,
        Want::Live { .. } => !seat.want.live_at(now),
    };
    let asked = |seat: &SeatDue| {
        let sent = |a: &Action| {
            (matches!(a.act, Act::Recover(_)) && a.outcome == ActionOutcome::Done)
                || (a.act.creates() && a.attempts > 0)
        };
        machine.actions.iter().any(|a| sent(a) && is_for(a, seat))
    };
    let wanted = unknown
        .filter(over)
        .filter(|seat| !moved_away(machine, seat) && !asked(seat))
        .filter(|seat| left_for(machine, seat).is_none());
    wanted
        .map(|seat| Difference {
            act: Act::Recover(new_license(seat, None)),
            ..create(seat, None)
        })
        .collect()
}

/// Whether the seat's license went to another machine of the same customer, or stands for a license of another machine: it
/// is never due here again.
fn moved_away(machine: &Machine, seat: &SeatDue) -> bool {
    let named = |item: &str| {
        machine
            .moved_out
            .iter()
            .any(|m| m.item.as_str() == item && m.unit == seat.unit)
    };
    let extends = machine.extends().any(|e| e.is_of(seat));
    extends || named(seat.item.as_str()) || seat.aliases.iter().any(|a| named(a.as_str()))
}

/// Writes down which plan each license stands for now: a changed price changes the same license.
pub fn name_plans(machine: &mut Machine, due: &Entitlement) {
    for (seat, grant) in due.seats.iter().zip(match_seats(machine, due)) {
        if let Some(index) = grant {
            machine.grants[index].plan.clone_from(&seat.plan);
        }
    }
}

fn seat_differences(
    seat: &SeatDue,
    grant: Option<&Grant>,
    (abilities, comes_back): (&Abilities, bool),
    now: Timestamp,
    out: &mut Vec<Difference>,
) {
    let Some(grant) = grant else {
        // rule 5: what is over before it is made is not made.
        if let Want::Live { until } = seat.want
            && seat.want.live_at(now)
        {
            out.push(create(seat, until));
        }
        return;
    };
    match (seat.want, grant.status) {
        (Want::Live { until }, GrantStatus::Revoked) if seat.want.live_at(now) => {
            // What another service ended does not come back at this one.
            out.push(if comes_back {
                reinstate(grant, until)
            } else {
                create(seat, until)
            });
        }
        (Want::Live { until }, GrantStatus::Suspended) => {
            // An end that came while it was stopped needs no reinstating: it stays stopped.
            if seat.want.live_at(now) {
                out.push(reinstate(grant, until));
            }
        }
        (Want::Live { until }, GrantStatus::Live) => {
            live_differences(seat, grant, until, abilities, now, out);
        }
        (Want::Suspended | Want::Nothing, GrantStatus::Live) => {
            out.push(stop(
                seat,
                grant,
                Act::Suspend {
                    key: grant.key.clone(),
                },
            ));
        }
        (Want::Revoked, GrantStatus::Live | GrantStatus::Suspended) => {
            out.push(stop(seat, grant, revoke(grant)));
        }
        (
            Want::Live { .. } | Want::Suspended | Want::Nothing | Want::Revoked,
            GrantStatus::Revoked,
        )
        | (Want::Suspended | Want::Nothing, GrantStatus::Suspended) => {}
    }
}

fn live_differences(
    seat: &SeatDue,
    grant: &Grant,
    until: Option<Timestamp>,
    abilities: &Abilities,
    now: Timestamp,
    out: &mut Vec<Difference>,
) {
    let is = grant.expires_at.map(Timestamp::whole_s);
    let should = until.map(Timestamp::whole_s);
    let shorter = match (should, is) {
        (Some(should), Some(is)) => should < is,
        (Some(_), None) => true,
        (None, _) => false,
    };
    // Both in the past: it does not work and should not, whatever the exact instant.
    let both_over = should.is_some_and(|t| t <= now) && is.is_some_and(|t| t <= now);
    let left = left_as_given(seat, grant);
    let keeps = left.time && outlives_purchase(grant, seat.want.live_at(now));
    // rule 47: a change of nothing is none.
    if should != is && !both_over && (!shorter || (abilities.can_shorten && !keeps)) {
        let act = Act::SetExpiry {
            key: grant.key.clone(),
            until: should,
        };
        let by_time = shorter && matches!(seat.why, Why::Due | Why::Grace | Why::Lapsed);
        out.push(Difference {
            by_time,
            takes: shorter,
            unproved: shorter && is_unproved(seat, grant),
            ..asked(seat, grant, act)
        });
    }
    let fewer = seat.devices < grant.devices;
    // Also where the service cannot: then it is a person's task.
    if seat.devices != grant.devices && seat.want.live_at(now) && !(fewer && left.devices) {
        out.push(on(
            grant,
            Act::SetDevices {
                key: grant.key.clone(),
                devices: seat.devices,
            },
        ));
    }
}

/// Whether a reason to take a license, or time of it, is no fact itself. A grace begins with the failure of an invoice; where
/// the license of others reaches over just the period that failed, somebody had given that time all the same.
fn is_unproved(seat: &SeatDue, grant: &Grant) -> bool {
    match seat.why {
        // What others add is no proof of what its own purchase paid for.
        Why::Due | Why::NotPaid | Why::Extended => true,
        Why::Grace | Why::Lapsed => seat.guessed || given_for_its_period(seat, grant),
        Why::Disputed
        | Why::DisputeLost
        | Why::Refunded
        | Why::Paused
        | Why::Ending
        | Why::Decided => false,
    }
}

impl Difference {
    /// Why it waits while time cannot be trusted: it is a stop by time alone, or the clock itself is in doubt, by which all is
    /// judged, and it takes something that nobody ordered to be taken.
    #[must_use]
    pub fn waits_for_time(&self, stops_held: Option<Distrust>) -> Option<Distrust> {
        let by_clock = |d: &Distrust| {
            matches!(d.cause, DistrustCause::Jumped(_)) && self.takes && !self.by_person
        };
        stops_held.filter(|d| self.by_time || by_clock(d))
    }

    /// Whether an action does this very thing.
    #[must_use]
    pub fn is(&self, action: &Action) -> bool {
        match (&self.act, &action.act) {
            // A seat gets one license, whatever it should look like by now.
            (Act::Create(this), Act::Create(that)) | (Act::Recover(this), Act::Recover(that)) => {
                this.seat == that.seat
            }
            (this, that) => self.grant == Some(action.license) && this == that,
        }
    }

    /// Whether a refusal of that action stands in the way: same license and attribute, and the same target.
    #[must_use]
    pub fn was_refused(&self, action: &Action) -> bool {
        matches!(
            action.outcome,
            ActionOutcome::Refused | ActionOutcome::Abandoned
        ) && self.is(action)
    }
}
