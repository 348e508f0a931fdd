//! What came of an action, as a change of its machine.

use super::World;
use crate::domain::action::{Action, ActionKind, ActionOutcome, Confirmed, GrantStatus, Outcome, Phase};
use crate::domain::fold::Report;
use crate::domain::machine::{Given, Grant, Machine};
use crate::domain::plan::Devices;
use crate::domain::retry::next_try;
use crate::domain::time::{Span, Timestamp};

/// Takes in what came of an action. An outcome that comes twice, or for an action that is settled, changes only what the
/// service confirmed.
pub fn outcome(machine: &mut Machine, id: u32, outcome: &Outcome, sent: Timestamp, world: &World<'_>) {
    let Some(index) = machine.actions.iter().position(|a| a.id == id) else { return };
    let action = machine.actions[index].clone();
    let open = matches!(action.outcome, ActionOutcome::Pending | ActionOutcome::Held);
    if !open && !matches!(outcome, Outcome::Done(_) | Outcome::Gone) {
        return;
    }
    match outcome {
        Outcome::Done(confirmed) => {
            confirm(machine, &action, confirmed, world.now);
            finish(machine, index, ActionOutcome::Done, None, world.now);
        }
        Outcome::Again { after, why } => {
            let action = &mut machine.actions[index];
            action.attempts += 1;
            action.error = Some(why.clone());
            action.due = next_try(world.now, action.attempts, world.dice, *after);
        }
        Outcome::Unknown { why } => unknown(machine, index, why, sent, world),
        Outcome::Absent { began } => absent(machine, index, *began, world),
        Outcome::Refused { why, service_wide } => {
            let action = &mut machine.actions[index];
            action.attempts += 1;
            action.error = Some(why.clone());
            if *service_wide {
                // The whole service is concerned: it waits for the service, not for a person's word on this license.
                action.due = next_try(world.now, action.attempts.max(8), world.dice, None);
            } else {
                finish(machine, index, ActionOutcome::Refused, Some(why.clone()), world.now);
            }
        }
        Outcome::Answered => finish(machine, index, ActionOutcome::Done, None, world.now),
        Outcome::Gone => gone(machine, index, &action, world.now),
    }
}

fn finish(machine: &mut Machine, index: usize, outcome: ActionOutcome, error: Option<String>, now: Timestamp) {
    let action = &mut machine.actions[index];
    if matches!(action.outcome, ActionOutcome::Pending | ActionOutcome::Held) {
        if outcome == ActionOutcome::Done {
            action.attempts += 1;
            if action.kind == ActionKind::Create {
                // It follows from the machine and the number, and is looked for no more.
                action.target.label.clear();
            }
        }
        action.outcome = outcome;
        action.at = now;
        action.error = error;
    }
}

/// A create that may have acted is looked up before it is sent again; anything else is repeated, since it only sets what
/// should be, and the license is read once more when nothing can land late any more.
fn unknown(machine: &mut Machine, index: usize, why: &str, sent: Timestamp, world: &World<'_>) {
    let first_look = world.abilities.lookup_after.first().copied().unwrap_or(Span::from_s(2));
    let action = &mut machine.actions[index];
    action.attempts += 1;
    action.error = Some(why.to_owned());
    if action.kind == ActionKind::Create {
        action.phase = Phase::Look { since: world.now, absent: 0, any_age: false };
        action.due = world.now + first_look;
        return;
    }
    action.due = next_try(world.now, action.attempts, world.dice, None);
    let (seat, target) = (action.seat, action.target.clone());
    let settled = sent + world.abilities.request_timeout;
    if let Some(grant) = machine.grants.iter_mut().find(|g| g.number == seat) {
        grant.unsettled_until = grant.unsettled_until.max(Some(settled));
    }
    let reads = machine.open_actions().any(|a| a.kind == ActionKind::Check && a.seat == seat);
    if !reads {
        let id = machine.actions.last().map_or(1, |a| a.id + 1);
        machine.actions.push(Action {
            id,
            kind: ActionKind::Check,
            seat,
            target,
            at: world.now,
            outcome: ActionOutcome::Pending,
            attempts: 0,
            due: settled + world.abilities.request_timeout,
            error: None,
            phase: Phase::Ready,
            held: None,
        });
    }
}

/// A sweep that began after the attempt ended did not find it. After as many of them as `lookup_after` names it was not made.
fn absent(machine: &mut Machine, index: usize, began: Timestamp, world: &World<'_>) {
    let sweeps = world.abilities.lookup_after.len().max(1);
    let action = &mut machine.actions[index];
    if let Phase::Look { since, absent, any_age } = action.phase
        && began >= since
    {
        let absent = absent + 1;
        let enough = usize::try_from(absent).unwrap_or(usize::MAX) >= sweeps;
        if enough && action.kind == ActionKind::Find {
            finish(machine, index, ActionOutcome::Done, Some("looked for: there is none".to_owned()), world.now);
        } else if enough {
            // It is decided anew: what was looked for is not looked for again.
            (action.phase, action.due, action.at) = (Phase::Ready, world.now, world.now);
            action.error = action.error.take().or_else(|| Some("looked for: it was not made".to_owned()));
        } else {
            let wait = world.abilities.lookup_after.get(absent as usize).copied().unwrap_or(Span::from_s(15));
            action.phase = Phase::Look { since, absent, any_age };
            action.due = world.now + wait;
        }
    }
}

fn gone(machine: &mut Machine, index: usize, action: &Action, now: Timestamp) {
    let ends = matches!(action.kind, ActionKind::Revoke | ActionKind::Suspend);
    if let Some(grant) = machine.grants.iter_mut().find(|g| g.number == action.seat && ends) {
        grant.status = GrantStatus::Revoked;
        grant.ever_revoked = true;
    }
    let why = "the license is gone at the license service".to_owned();
    let outcome = if ends { ActionOutcome::Done } else { ActionOutcome::Refused };
    finish(machine, index, outcome, Some(why), now);
}

fn confirm(machine: &mut Machine, action: &Action, confirmed: &Confirmed, now: Timestamp) {
    if matches!(action.kind, ActionKind::Create | ActionKind::Find) {
        if machine.grants.iter().any(|g| g.key == confirmed.key) {
            return;
        }
        // One that our own attempt made, though its answer was lost, is no foreign one: its key is mailed.
        let adopted = confirmed.adopted && matches!(action.phase, Phase::Look { any_age: true, .. });
        let target = &action.target;
        let given = Given {
            time: later(confirmed.expires_at, target.expires_at),
            devices: confirmed.devices.is_some_and(|d| d > target.devices),
        };
        if confirmed.others > 0 {
            let what =
                format!("other licenses carry a label of this purchase ({}): they are left alone", confirmed.others);
            machine.told.push(Report { at: now, what });
        }
        let replaced_at = machine.grants.iter_mut();
        // A new key for the same seat takes the place of the old one, which nothing brings back.
        for grant in replaced_at.filter(|g| g.item == action.target.item && g.unit == action.target.unit) {
            grant.replaced = true;
        }
        machine.grants.push(Grant {
            number: action.seat,
            item: action.target.item.clone(),
            unit: action.target.unit,
            key: confirmed.key.clone(),
            app_id: action.target.app_id.clone(),
            plan: action.target.plan.clone(),
            status: confirmed.status,
            expires_at: confirmed.expires_at,
            devices: confirmed.devices.unwrap_or(action.target.devices),
            since: now,
            adopted,
            ever_revoked: confirmed.status == GrantStatus::Revoked,
            replaced: false,
            unsettled_until: None,
            moved_in: false,
            given: Some(given).filter(|g| adopted && action.kind == ActionKind::Create && *g != Given::default()),
        });
        return;
    }
    let ours = own_values(machine, action.seat);
    if let Some(grant) = machine.grants.iter_mut().find(|g| g.key == confirmed.key) {
        grant.ever_revoked |= confirmed.status == GrantStatus::Revoked;
        grant.status = confirmed.status;
        let mut given = grant.given.unwrap_or_default();
        given.time = if matches!(action.kind, ActionKind::Extend | ActionKind::Reinstate) {
            false
        } else if later(confirmed.expires_at, grant.expires_at) {
            !ours.ends.contains(&confirmed.expires_at)
        } else {
            given.time && confirmed.expires_at == grant.expires_at
        };
        grant.expires_at = confirmed.expires_at;
        if let Some(devices) = confirmed.devices {
            given.devices = if action.kind == ActionKind::Update {
                false
            } else if devices > grant.devices {
                !ours.devices.contains(&devices)
            } else {
                given.devices && devices == grant.devices
            };
            grant.devices = devices;
        } else if action.kind == ActionKind::Update {
            grant.devices = action.target.devices;
        }
        grant.given = Some(given).filter(|g| *g != Given::default());
        if action.kind == ActionKind::Check {
            grant.unsettled_until = None;
        }
    }
}

/// The values that we ever asked for on a license: what it shows of them may be a request of ours that landed late.
struct Own {
    ends: Vec<Option<Timestamp>>,
    devices: Vec<Devices>,
}

fn own_values(machine: &Machine, seat: u32) -> Own {
    let of_it = || machine.actions.iter().filter(|a| a.seat == seat);
    let sets_end = |a: &&Action| matches!(a.kind, ActionKind::Create | ActionKind::Extend | ActionKind::Reinstate);
    let sets_devices = |a: &&Action| matches!(a.kind, ActionKind::Create | ActionKind::Update);
    Own {
        ends: of_it().filter(sets_end).map(|a| a.target.expires_at).collect(),
        devices: of_it().filter(sets_devices).map(|a| a.target.devices).collect(),
    }
}

/// Whether the first end is later than the second, to the second; for life is the latest.
fn later(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    match (a, b) {
        (None, Some(_)) => true,
        (Some(a), Some(b)) => a.whole_s() > b.whole_s(),
        (_, None) => false,
    }
}
