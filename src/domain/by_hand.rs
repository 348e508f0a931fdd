//! What a license service does not take from us is somebody's task (rule 14): it stays listed as refused until the
//! license, read again, shows that it was done, or until it is no longer needed.

use std::fmt;

use minicbor::{Decode, Encode};

use super::action::{Act, Action, ActionOutcome, GrantStatus, Missing};
use super::difference::{Difference, read_again};
use super::machine::{Grant, Machine};
use super::time::{Span, Timestamp};
use crate::domain::words::{Sentence, sentences};

sentences!(Task<'_>);

/// The license of a task is read again after this long, then after as long as the task has been open, up to
/// [`REREAD_MAX`]: soon for whoever does it at once, and rarely for what nobody does.
const REREAD_MIN: Span = Span::from_hours(1);
/// See [`REREAD_MIN`].
const REREAD_MAX: Span = Span::from_days(7);

/// What a person does at the license service instead of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ByHand {
    /// Set a license's devices.
    #[n(0)]
    SetDevices,
    /// Forget the devices that are bound to a license.
    #[n(1)]
    ResetDevices,
}

/// The same with the act that it stands for, as it is told.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// What is to be done.
    pub by_hand: ByHand,
    /// The act that the service does not take.
    pub act: &'a Act,
}

impl Sentence for Task<'_> {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.by_hand, self.act.sets_devices(), self.act.key()) {
            (ByHand::SetDevices, Some(devices), Some(key)) => {
                write!(
                    f,
                    "set {devices} on the license {key:?} in AuthForge's dashboard; `keyward retry` then confirms it at once, \
                     else it is confirmed when the license is read again"
                )
            }
            (ByHand::SetDevices, _, _) => f.write_str("set the license's devices in AuthForge's dashboard"),
            (ByHand::ResetDevices, _, _) => f.write_str(
                "Reset the devices in the service's own dashboard, then `keyward abandon` this action",
            ),
        }
    }
}

/// The refused actions that are tasks: what they ask for can be seen in the license.
fn tasks(machine: &Machine) -> impl Iterator<Item = (&Action, &Grant)> {
    let refused = machine
        .actions
        .iter()
        .filter(|a| a.outcome == ActionOutcome::Refused && can_be_seen(&a.act));
    refused.filter_map(|a| Some((a, machine.grants.iter().find(|g| g.number == a.license)?)))
}

const fn can_be_seen(act: &Act) -> bool {
    match act {
        Act::SetExpiry { .. }
        | Act::Suspend { .. }
        | Act::Reinstate { .. }
        | Act::Revoke { .. }
        | Act::SetDevices { .. } => true,
        Act::Create(_)
        | Act::Recover(_)
        | Act::Read { .. }
        | Act::ResetDevices { .. }
        | Act::Query(_) => false,
    }
}

/// Closes the tasks that nothing asks for any more: done where the license shows it, else superseded.
pub(super) fn close(machine: &mut Machine, wanted: &[Difference], now: Timestamp) {
    let over = tasks(machine).filter(|(a, _)| !wanted.iter().any(|d| d.is(a)));
    let over: Vec<(u32, bool)> = over
        .map(|(a, grant)| (a.id, is_done(a, grant, now)))
        .collect();
    for (id, done) in over {
        if let Some(action) = machine.actions.iter_mut().find(|a| a.id == id) {
            action.outcome = if done {
                ActionOutcome::Done
            } else {
                ActionOutcome::Superseded
            };
            action.at = now;
            if done {
                (action.error, action.missing, action.by_hand) = (None, None, None);
            }
        }
    }
}

/// Whether a license shows what an action asked for.
fn is_done(action: &Action, grant: &Grant, now: Timestamp) -> bool {
    match &action.act {
        Act::SetDevices { devices, .. } => grant.devices == *devices,
        Act::SetExpiry { until, .. } | Act::Reinstate { until, .. } => {
            grant.status == GrantStatus::Live && grant.expires_at == *until
        }
        Act::Suspend { .. } => !grant.live_at(now),
        Act::Revoke { .. } => grant.status == GrantStatus::Revoked,
        Act::Create(_)
        | Act::Recover(_)
        | Act::Read { .. }
        | Act::ResetDevices { .. }
        | Act::Query(_) => false,
    }
}

/// What was refused because its license was gone, was accepted without effect, or would give what was paid, is decided anew when
/// the license was read: a service can be wrong for an hour, and that must not cost a customer the license. So is whatever was
/// refused of one that `was` called revoked before and is not.
pub(super) fn ask_anew(
    machine: &mut Machine,
    (license, was): (u32, Option<GrantStatus>),
    now: Timestamp,
) {
    let Some(grant) = machine.grants.iter().find(|g| g.number == license) else {
        return;
    };
    let revived = was == Some(GrantStatus::Revoked) && grant.status != GrantStatus::Revoked;
    let is_so_no_more = |a: &&mut Action| match a.missing {
        Some(Missing::Gone) => true,
        Some(Missing::Effect) => !is_done(a, grant, now),
        Some(Missing::NotMade | Missing::NoneThere) => revived,
        None => revived || (gives(a) && !is_done(a, grant, now)),
    };
    let refused = |a: &&mut Action| a.license == license && a.outcome == ActionOutcome::Refused;
    let refused = machine.actions.iter_mut().filter(refused);
    for action in refused.filter(is_so_no_more) {
        action.outcome = ActionOutcome::Superseded;
    }
}

/// Whether a license would have what was paid for by an act. What takes, and what a person does there, waits for a person.
fn gives(action: &Action) -> bool {
    let gives = match &action.act {
        Act::SetExpiry { .. } => action.shortens != Some(true),
        Act::Reinstate { .. } => true,
        Act::Suspend { .. }
        | Act::Revoke { .. }
        | Act::SetDevices { .. }
        | Act::Create(_)
        | Act::Recover(_)
        | Act::Read { .. }
        | Act::ResetDevices { .. }
        | Act::Query(_) => false,
    };
    gives && action.by_hand.is_none()
}

/// Since when a task waits: one that was asked for anew, since it was first.
fn since(machine: &Machine, task: &Action) -> Timestamp {
    let anew = task.missing == Some(Missing::Effect) || (task.missing.is_none() && gives(task));
    let same = |a: &&Action| {
        anew && a.missing == task.missing && (a.license, &a.act) == (task.license, &task.act)
    };
    let first = machine.actions.iter().filter(same).map(|a| a.at).min();
    first.unwrap_or(task.at)
}

/// When a license is read again that somebody waits for since an instant.
pub(super) fn read_at(machine: &Machine, license: u32, since: Timestamp) -> Timestamp {
    let read = |a: &&Action| {
        matches!(a.act, Act::Read { .. })
            && a.license == license
            && a.outcome == ActionOutcome::Done
    };
    let last = machine.actions.iter().filter(read).map(|a| a.at).max();
    let last = last.map_or(since, |at| at.max(since));
    last + Span::from_ms((last - since).ms().clamp(REREAD_MIN.ms(), REREAD_MAX.ms()))
}

/// When the next license of a task is read again.
pub(super) fn next_read(machine: &Machine) -> Option<Timestamp> {
    let at = |(a, _): (&Action, &Grant)| read_at(machine, a.license, since(machine, a));
    tasks(machine).map(at).min()
}

/// Licenses of tasks that are to be read now, each once.
pub(super) fn reads(machine: &Machine, now: Timestamp) -> Vec<Difference> {
    let due = |grant: &&Grant| {
        let is_due = |a: &Action| read_at(machine, a.license, since(machine, a)) <= now;
        tasks(machine).any(|(a, of)| of.number == grant.number && is_due(a))
    };
    machine.grants.iter().filter(due).map(read_again).collect()
}
