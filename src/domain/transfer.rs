//! What moves between machines: an invoice's purchase to the session that names it, and a former customer's license to the
//! new subscription. Functions of two machines, and of which of their attempts are on disk.

use std::collections::BTreeSet;

use super::action::{Act, Action, ActionOutcome, CreatePhase, NewLicense};
use super::extension::{Extension, ExtensionStanding};
use super::finding::{Finding, Report};
use super::hold::{Cleared, Hold};
use super::holding::{is_only_adopted, plan_of};
use super::id::{ItemKey, ObjectId, PlanName};
use super::lifecycle::subscription::SubscriptionState as S;
use super::lifecycle::{Folded, State};
use super::machine::{Grant, LicenseStatus, Machine};
use super::policy::Resubscribe;
use super::revision::Revisions;
use super::standing::StandingOrders;
use super::time::Timestamp;

/// Whether two things are of different modes (live and test): then the one says nothing about the other, whatever it names.
#[must_use]
pub fn apart(one: Option<bool>, other: Option<bool>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// The actions of two machines whose attempt is on disk: they were sent, or are just about to be, and nothing came back.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// Of the machine that takes over.
    pub own: BTreeSet<u32>,
    /// Of the one that is taken over.
    pub incoming: BTreeSet<u32>,
    /// Until when a request that was sent may still land.
    pub land_until: Timestamp,
}

/// Moves everything of an invoice's machine to the session's: nothing is created, ended or mailed again.
pub fn take_over(machine: &mut Machine, mut from: Machine, attempts: &Attempts, now: Timestamp) {
    if machine.journal.is_empty() {
        machine.journal.clone_from(&from.journal);
    }
    machine.facts.append(&mut from.facts);
    merge_licenses(machine, &mut from, attempts, now);
    machine.told.append(&mut from.told);
    machine.extensions.append(&mut from.extensions);
    machine.target = machine.target.take().or(from.target);
}

/// Takes in the other machine's licenses, actions and notices, each keeping its label. Numbers are names within a machine:
/// those that come in go behind its own. Where both served the purchase before the link was known, the fold says which
/// license stands for the seat, and the operator is told about the other.
fn merge_licenses(machine: &mut Machine, from: &mut Machine, attempts: &Attempts, now: Timestamp) {
    if !machine.grants.is_empty() && !from.grants.is_empty() {
        machine
            .told
            .push(Report::new(now, Finding::ServedTwice(from.id.clone())));
    }
    let numbers = machine.last_number;
    let (actions, notices) = (
        machine.actions.last().map_or(0, |a| a.id),
        machine.notices.last().map_or(0, |n| n.id),
    );
    for mut grant in from.grants.drain(..) {
        grant.number += numbers;
        machine.grants.push(grant);
    }
    for mut action in std::mem::take(&mut from.actions) {
        if attempts.incoming.contains(&action.id) {
            // It is being sent under the old name, and its outcome will find nobody: look for what came of it.
            let since = attempts.land_until;
            (action.phase, action.due) = (
                CreatePhase::Recover {
                    since,
                    absent: 0,
                    any_age: false,
                },
                since,
            );
            action.attempts += 1;
        }
        action.id += actions;
        action.license += numbers;
        one_create_per_seat(machine, &mut action, from.object(), &attempts.own);
        machine.actions.push(action);
    }
    for mut notice in from.notices.drain(..) {
        notice.id += notices;
        notice.seats.iter_mut().for_each(|n| *n += numbers);
        machine.notices.push(notice);
    }
    machine.last_number += from.last_number;
}

/// Two creates that wait for one seat: the one that was not sent yet is dropped. If both may have been made, the one that
/// comes in stands for a seat that nobody is due, so that what came of it is found and ended.
fn one_create_per_seat(
    machine: &mut Machine,
    incoming: &mut Action,
    former_object: &ObjectId,
    sent: &BTreeSet<u32>,
) {
    let waits = |a: &Action| a.act.creates() && a.is_open();
    let Some(seat) = incoming.act.new_license().map(|new| &new.seat) else {
        return;
    };
    let same = |a: &Action| a.act.new_license().is_some_and(|new| new.seat == *seat);
    let own = machine
        .actions
        .iter()
        .position(|a| waits(a) && same(a))
        .filter(|_| waits(incoming));
    let Some(own) = own.map(|index| &mut machine.actions[index]) else {
        return;
    };
    if own.attempts == 0 && !sent.contains(&own.id) {
        own.outcome = ActionOutcome::Superseded;
    } else if incoming.attempts == 0 {
        incoming.outcome = ActionOutcome::Superseded;
    } else if let Act::Create(new) = &mut incoming.act {
        new.seat.item = ItemKey::from(former_object.as_str());
    }
}

/// The creates of a new subscription, by number, for which the policy brings back a license of the same customer's ended
/// one. One that was sent is not among them; whether its attempt is on disk, the caller knows.
/// Rule 35: who comes back to a plan gets the old key, unless the license was ever revoked.
///
/// What an adoption holds, so that nobody gets a second key, needs no yes once the purchase was heard of: no key is made.
///
/// A license that was made for the new subscription itself goes before it (rule 52): while another program makes licenses
/// nothing comes over, and where one may have made it, only once a recovery has found none.
#[must_use]
pub fn restorable(
    machine: &Machine,
    folded: &Folded,
    revisions: &Revisions,
    standing: &StandingOrders,
    now: Timestamp,
) -> Vec<u32> {
    let began = folded.transitions.first().map_or(now, |t| t.at);
    let was_heard_of = !is_only_adopted(machine);
    let others_make = |a: &Action| {
        let is_cleared = matches!(a.cleared, Some(Cleared::Person { .. }));
        let is_shared = standing.other_handler(&machine.source).is_some();
        !is_cleared && (is_shared || standing.observes(plan_of(machine, a)).is_some())
    };
    let is_free = |a: &Action| match a.outcome {
        ActionOutcome::Pending => a.phase == CreatePhase::Ready,
        ActionOutcome::Held => was_heard_of && a.held == Some(Hold::Adoption),
        ActionOutcome::Done
        | ActionOutcome::Refused
        | ActionOutcome::Abandoned
        | ActionOutcome::Superseded => false,
    };
    let goes_on = |a: &&Action| {
        is_free(a) && !others_make(a) && goes_on_with_former(machine, a, began, revisions)
    };
    let creates = machine.actions.iter().filter(goes_on);
    creates.map(|a| a.id).collect()
}

/// Whether a create of a purchase that began then brings back a former license, where there is one. What takes the place of a
/// license of its own does not: who asks for another key has one that leaked, and the one of before may be as old.
pub(super) fn goes_on_with_former(
    machine: &Machine,
    action: &Action,
    began: Timestamp,
    revisions: &Revisions,
) -> bool {
    let restores =
        |plan: Option<&PlanName>| revisions.policy(plan, began).resubscribe == Resubscribe::Restore;
    let unsent = action.attempts == 0
        && (action.phase == CreatePhase::Ready
            || matches!(action.phase, CreatePhase::Recover { any_age: true, .. }));
    let is_first = |new: &NewLicense| !machine.grants.iter().any(|g| g.seat == new.seat);
    let fits =
        |new: &NewLicense| new.keeps.is_none() && is_first(new) && restores(new.plan.as_ref());
    unsent && created(action).is_some_and(fits)
}

pub(super) fn created(action: &Action) -> Option<&NewLicense> {
    if let Act::Create(new) = &action.act {
        Some(new)
    } else {
        None
    }
}

/// Whether a machine is an ended subscription, whose licenses another one may go on with.
pub(super) fn is_ended(machine: &Machine) -> bool {
    machine.state() == Some(State::Subscription(S::Ended))
}

/// Whether a license of an ended subscription can take the place of a new one.
pub(super) fn fits(old: &Machine, grant: &Grant, new: &NewLicense, now: Timestamp) -> bool {
    let counts = |e: &&Extension| e.standing == ExtensionStanding::Counts;
    let mut extensions = old.extensions.iter().filter(counts);
    // rule 55: what another purchase still pays for stays where it is.
    let stays = extensions.any(|e| e.seat == grant.seat) && grant.live_at(now);
    let same = grant.plan == new.plan && grant.app_id == new.app_id;
    same && !grant.ever_revoked && (!grant.replaced || grant.is_left()) && !stays
}

/// Gives a machine the license of an ended subscription in place of a create. Returns whether there was one that fits.
pub fn restore(machine: &mut Machine, create: u32, old: &mut Machine, now: Timestamp) -> bool {
    if !is_ended(old) || apart(old.livemode, machine.livemode) {
        return false;
    }
    let Some(place) = machine.actions.iter().position(|a| a.id == create) else {
        return false;
    };
    let (number, Some(new)) = (
        machine.actions[place].license,
        created(&machine.actions[place]),
    ) else {
        return false;
    };
    // One that still works is paid for, and goes only where there is no other: the one with the least time left.
    let live_until = |g: &Grant| match g.status_at(now) {
        LicenseStatus::Live => g.expires_at.unwrap_or(Timestamp::MAX),
        LicenseStatus::Suspended | LicenseStatus::Revoked | LicenseStatus::Expired => now,
    };
    let fitting = old
        .grants
        .iter()
        .enumerate()
        .filter(|(_, g)| fits(old, g, new, now));
    let Some((index, _)) = fitting.rev().min_by_key(|(_, g)| live_until(g)) else {
        return false;
    };
    let mut grant = old.grants.remove(index);
    old.moved_out.push(grant.seat.clone());
    let paid_until = grant.expires_at.filter(|t| *t > now);
    old.told.push(Report::new(
        now,
        Finding::MovedTo {
            machine: machine.id.clone(),
            paid_until,
        },
    ));
    for open in old
        .actions
        .iter_mut()
        .filter(|a| a.license == grant.number && a.is_open())
    {
        open.outcome = ActionOutcome::Superseded;
    }
    (grant.number, grant.moved_in) = (number, true);
    grant.seat = new.seat.clone();
    machine.grants.push(grant);
    machine.actions.remove(place);
    true
}
