//! What came of an action, as a change of its machine.

use super::absent::absent;
use super::finish::finish;
use super::inherited::Inherited;
use crate::domain::action::{
    Act, Action, ActionOutcome, Confirmed, CreatePhase, GrantStatus, Missing, NewLicense, Outcome,
    RefusalScope,
};
use crate::domain::by_hand;
use crate::domain::context::DecisionContext;
use crate::domain::finding::{Finding, Report};
use crate::domain::machine::{ExternalChanges, Grant, Machine};
use crate::domain::plan::Devices;
use crate::domain::retry::{next_try, next_try_refused};
use crate::domain::service::{NOT_SHOWN, shows, unrounded};
use crate::domain::service_move::ServiceKind;
use crate::domain::time::{Span, Timestamp};

/// Takes in what came of an action. An outcome that comes twice, or for an action that is settled, changes only what the
/// service confirmed.
pub fn outcome(
    machine: &mut Machine,
    id: u32,
    outcome: &Outcome,
    sent: Timestamp,
    context: &DecisionContext<'_>,
) {
    let Some(index) = machine.actions.iter().position(|a| a.id == id) else {
        return;
    };
    let action = machine.actions[index].clone();
    // What a recovery finds that is not wanted any more is looked for anew where it is: meanwhile another one may have been made
    // here, and its label fits, too.
    let is_recovery = matches!(action.act, Act::Recover(_));
    let counts = matches!(outcome, Outcome::Done(_) | Outcome::Gone) && !is_recovery;
    if !action.is_open() && !counts {
        return;
    }
    // What is accepted and does not come about is not done: to ask for it again at once would go on for ever.
    let undone = Outcome::NoEffect {
        why: NOT_SHOWN.to_owned(),
    };
    let is_undone =
        matches!(outcome, Outcome::Done(is) if action.is_open() && !shows(&action.act, is));
    let came = if is_undone { &undone } else { outcome };
    machine.actions[index].note_attempt(came, sent, context.now);
    machine.actions[index].refused = came.refused();
    if let Outcome::Done(confirmed) = outcome {
        confirm(machine, &action, confirmed, context);
    }
    match came {
        Outcome::Done(_) => finish(machine, index, ActionOutcome::Done, None, context.now),
        Outcome::NoEffect { why } => {
            refuse(machine, index, Some(why), context.now);
            machine.actions[index].missing = Some(Missing::Effect);
        }
        Outcome::Again { after, why } => {
            let action = &mut machine.actions[index];
            action.attempts += 1;
            action.error = Some(why.clone());
            action.due = next_try(context.now, action.attempts, context.jitter, *after);
        }
        Outcome::Unknown { why } => unknown(machine, index, why, sent, context),
        Outcome::Absent { began } => absent(machine, index, *began, context),
        Outcome::Refused { why, scope } => {
            let waits = match scope {
                // It waits for the service, not for a person's word on this license.
                RefusalScope::Service => true,
                // A recovery changes nothing, so it goes on by itself once somebody has mended the access.
                RefusalScope::Access => {
                    matches!(machine.actions[index].phase, CreatePhase::Recover { .. })
                }
                RefusalScope::Action => false,
            };
            if waits {
                let action = &mut machine.actions[index];
                action.attempts += 1;
                action.error = Some(why.clone());
                action.due = next_try_refused(context.now, action.attempts, context.jitter);
            } else {
                refuse(machine, index, Some(why), context.now);
            }
        }
        Outcome::ByHand { why, by_hand } => {
            refuse(machine, index, why.as_ref(), context.now);
            machine.actions[index].by_hand = Some(*by_hand);
        }
        Outcome::Answered => finish(machine, index, ActionOutcome::Done, None, context.now),
        Outcome::Gone => gone(machine, index, &action, context.now),
    }
}

fn refuse(machine: &mut Machine, index: usize, why: Option<&String>, now: Timestamp) {
    machine.actions[index].attempts += 1;
    finish(machine, index, ActionOutcome::Refused, why.cloned(), now);
}

/// A create that may have acted is looked up before it is sent again; anything else is repeated, since it only sets what
/// should be, and the license is read once more when nothing can land late any more.
fn unknown(
    machine: &mut Machine,
    index: usize,
    why: &str,
    sent: Timestamp,
    context: &DecisionContext<'_>,
) {
    let first_pass = context
        .abilities
        .lookup_after
        .first()
        .copied()
        .unwrap_or(Span::from_s(2));
    let action = &mut machine.actions[index];
    action.attempts += 1;
    action.error = Some(why.to_owned());
    if action.act.creates() {
        // What was already being looked for is that of a copy that was put back: the attempt was the other store's, too.
        let any_age = matches!(action.phase, CreatePhase::Recover { any_age: true, .. });
        action.phase = CreatePhase::Recover {
            since: context.now,
            absent: 0,
            any_age,
        };
        action.due = context.now + first_pass;
        return;
    }
    action.due = next_try(context.now, action.attempts, context.jitter, None);
    let (license, key) = (action.license, action.act.key().cloned());
    let settled = sent + context.abilities.request_timeout;
    if let Some(grant) = machine.grants.iter_mut().find(|g| g.number == license) {
        grant.unsettled_until = grant.unsettled_until.max(Some(settled));
    }
    // Nor may anything else that waits for this license overtake it.
    let others = machine.actions.iter_mut().enumerate();
    let of_it = |n: usize, a: &Action| {
        n != index && a.license == license && a.outcome == ActionOutcome::Pending
    };
    for (_, other) in others.filter(|(n, a)| of_it(*n, a) && !a.act.creates()) {
        other.due = other.due.max(settled);
    }
    let reads = machine
        .open_actions()
        .any(|a| matches!(a.act, Act::Read { .. }) && a.license == license);
    if let Some(key) = key.filter(|_| !reads) {
        let mut read = Action::new(
            machine.next_action(),
            Act::Read { key },
            license,
            context.now,
        );
        read.due = settled + context.abilities.request_timeout;
        machine.actions.push(read);
    }
}

fn gone(machine: &mut Machine, index: usize, action: &Action, now: Timestamp) {
    let ends = matches!(action.act, Act::Revoke { .. } | Act::Suspend { .. });
    let mut grants = machine.grants.iter_mut();
    if let Some(grant) = grants.find(|g| g.number == action.license) {
        // Nothing is left to be ended of one that is to be replaced, either.
        let replaces = grant.replace_if_revoked.is_some() && matches!(action.act, Act::Read { .. });
        if ends || replaces {
            grant.status = GrantStatus::Revoked;
            grant.ever_revoked = true;
        }
        if replaces {
            grant.replace_if_revoked = None;
            grant.replaced = true;
        }
    }
    // A read that finds nothing says so, and may be repeated: a service can be wrong for an hour.
    let outcome = if ends || matches!(action.act, Act::Read { .. }) {
        ActionOutcome::Done
    } else {
        ActionOutcome::Refused
    };
    finish(machine, index, outcome, None, now);
    machine.actions[index].missing = Some(Missing::Gone);
}

fn confirm(
    machine: &mut Machine,
    action: &Action,
    confirmed: &Confirmed,
    context: &DecisionContext<'_>,
) {
    match &action.act {
        Act::Create(new) | Act::Recover(new) => {
            confirm_new(machine, action, new, confirmed, context)
        }
        act @ (Act::SetExpiry { .. }
        | Act::Suspend { .. }
        | Act::Reinstate { .. }
        | Act::Revoke { .. }
        | Act::SetDevices { .. }
        | Act::ResetDevices { .. }
        | Act::Read { .. }) => {
            let service = ServiceKind::named(context.brakes.service);
            let mut grants = machine.grants.iter();
            let was = grants.find(|g| g.key == confirmed.key).map(|g| g.status);
            confirm_known(machine, (action.license, service), act, confirmed);
            if matches!(act, Act::Read { .. }) {
                replace_revoked(machine, action.license);
                by_hand::ask_anew(machine, (action.license, was), context.now);
            }
        }
        Act::Query(_) => {}
    }
}

/// A license was read that an audit found revoked, and that is to be replaced. One that works stays.
fn replace_revoked(machine: &mut Machine, license: u32) {
    let grant = machine.grants.iter_mut().find(|g| g.number == license);
    if let Some(grant) = grant
        && grant.replace_if_revoked.take().is_some()
    {
        grant.replaced |= grant.status == GrantStatus::Revoked;
    }
}

fn confirm_new(
    machine: &mut Machine,
    action: &Action,
    new: &NewLicense,
    confirmed: &Confirmed,
    context: &DecisionContext<'_>,
) {
    let now = context.now;
    let inherited = new
        .keeps
        .as_ref()
        .map(|kept| Inherited::of(machine, new, kept, confirmed));
    if machine.grants.iter().any(|g| g.key == confirmed.key) {
        return;
    }
    // One that our own attempt made, though its answer was lost, is no foreign one: its key is mailed.
    let adopted =
        confirmed.adopted && matches!(action.phase, CreatePhase::Recover { any_age: true, .. });
    let expires_at = unrounded(confirmed.expires_at, new.expires_at);
    let given = ExternalChanges {
        time: later(expires_at, new.expires_at),
        devices: confirmed.devices.is_some_and(|d| d > new.devices),
    };
    if !confirmed.others.is_empty() {
        let finding = Finding::OtherLicenses(confirmed.others.clone());
        if !machine.told.iter().any(|t| t.finding == finding) {
            machine.told.push(Report::new(now, finding));
        }
    }
    // A new key for the same seat takes the place of the old one, which nothing brings back.
    for grant in machine.grants.iter_mut().filter(|g| g.seat == new.seat) {
        grant.replaced = true;
    }
    machine.grants.push(Grant {
        number: action.license,
        seat: new.seat.clone(),
        key: confirmed.key.clone(),
        app_id: new.app_id.clone(),
        plan: new.plan.clone(),
        status: confirmed.status,
        expires_at,
        devices: confirmed.devices.unwrap_or(new.devices),
        since: now,
        adopted: adopted || inherited.is_some_and(|i| i.adopted),
        ever_revoked: confirmed.status == GrantStatus::Revoked,
        replaced: false,
        unsettled_until: None,
        moved_in: false,
        given: Some(given)
            .filter(|g| adopted && action.act.creates() && *g != ExternalChanges::default())
            .or_else(|| inherited.and_then(|i| i.given)),
        service: ServiceKind::named(context.brakes.service),
        service_move: inherited.and_then(|i| i.told),
        revocation_due: None,
        replace_if_revoked: None,
    });
}

fn confirm_known(
    machine: &mut Machine,
    (license, service): (u32, Option<ServiceKind>),
    act: &Act,
    confirmed: &Confirmed,
) {
    let ours = own_values(machine, license);
    let Some(grant) = machine.grants.iter_mut().find(|g| g.key == confirmed.key) else {
        return;
    };
    grant.ever_revoked |= confirmed.status == GrantStatus::Revoked;
    grant.status = confirmed.status;
    grant.service = grant.service.or(service);
    let known = act.sets_end().unwrap_or(grant.expires_at);
    let expires_at = unrounded(confirmed.expires_at, known);
    let mut given = grant.given.unwrap_or_default();
    given.time = if act.sets_end().is_some() {
        false
    } else if later(expires_at, grant.expires_at) {
        !ours.ends.contains(&expires_at)
    } else {
        given.time && expires_at == grant.expires_at
    };
    grant.expires_at = expires_at;
    if let Some(devices) = confirmed.devices {
        given.devices = if act.sets_devices().is_some() {
            false
        } else if devices > grant.devices {
            !ours.devices.contains(&devices)
        } else {
            given.devices && devices == grant.devices
        };
        grant.devices = devices;
    } else if let Some(devices) = act.sets_devices() {
        grant.devices = devices;
    }
    grant.given = Some(given).filter(|g| *g != ExternalChanges::default());
    if matches!(act, Act::Read { .. }) {
        grant.unsettled_until = None;
    }
}

/// The values that we ever asked for on a license: what it shows of them may be a request of ours that landed late.
struct Own {
    ends: Vec<Option<Timestamp>>,
    devices: Vec<Devices>,
}

fn own_values(machine: &Machine, license: u32) -> Own {
    let acts = || {
        machine
            .actions
            .iter()
            .filter(|a| a.license == license)
            .map(|a| &a.act)
    };
    Own {
        ends: acts().filter_map(Act::sets_end).collect(),
        devices: acts().filter_map(Act::sets_devices).collect(),
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
