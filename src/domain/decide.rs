//! The front door: what a machine must do next, given what is known of it and an instant.
//!
//! `reconcile` is called after every input (a fact, an outcome, a wake-up, a command) and says the same however often it is
//! called. It never asks what happened: it compares what should be with what is.

mod heard;
mod mail;
mod outcome;
mod supersede;

pub use heard::add_fact;
pub use mail::{Mailed, mailed, recipient};
pub use outcome::outcome;

use super::action::{Act, Action, ActionOutcome, CreatePhase};
use super::adoption;
use super::by_hand;
use super::context::{DecisionContext, Situation};
use super::doubted;
use super::entitlement::{Entitlement, earliest, entitlement};
use super::extension::{self, SeatAsked};
use super::finding::{Finding, Report};
use super::hold::{Cleared, Hold};
use super::holding::{hold_back, hold_unproved, is_silent};
use super::lifecycle::{Folded, SPEAKS_AFTER, Transition};
use super::look_up::{self, look_ups};
use super::machine::{Machine, ObservedTransition};
use super::notice::{DueNotice, due_notices};
use super::reconcile::{
    Difference, differences, finds, given_by_others, name_plans, revoked_by_others,
};
use super::revocation;
use super::service_move::{ServiceKind, name_service};
use super::terms::Terms;
use super::time::Timestamp;
use mail::notices;
use supersede::supersede;

/// What a settling found besides what it wrote into the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The machine's fold, for whoever shows it.
    pub folded: Folded,
    /// What should be.
    pub due: Entitlement,
    /// New words for the operator.
    pub reports: Vec<Report>,
}

/// Brings a machine's actions, notices, journal and wake-up in line with its facts at an instant.
pub fn reconcile(machine: &mut Machine, world: &DecisionContext<'_>) -> Verdict {
    reconcile_folded(machine, None, world)
}

/// The same, where the fold of these very facts at this instant may be known already.
pub fn reconcile_folded(
    machine: &mut Machine,
    known: Option<Folded>,
    world: &DecisionContext<'_>,
) -> Verdict {
    let folded = known.unwrap_or_else(|| machine.folded(world.revisions, world.now));
    let mut due = entitlement(
        &folded,
        &machine.extensions,
        world.revisions,
        world.now,
        world.abilities.devices_max,
    );
    journal(machine, &folded.transitions, world.now);
    let terms = Terms {
        revisions: world.revisions,
        decided: &folded.decided,
    };
    adoption::bound_ends(machine, &mut due, terms);
    name_plans(machine, &due);
    revocation::note(machine, &due, world);
    if machine.held.is_none() {
        actions(machine, &folded, &due, world);
    }
    let calls = due_notices(&Situation {
        machine,
        folded: &folded,
        due: &due,
        revisions: world.revisions,
        now: world.now,
    });
    let silent = is_silent(machine, &due, world);
    notices(machine, &calls, &folded, (silent, &due), world);
    if machine.held.is_none() {
        look_ups(machine, &folded, &due, world);
    }
    machine.wake_at = wake(machine, &folded, &due, &calls, world);
    let reports = new_reports(machine, &folded, &due, world);
    Verdict {
        folded,
        due,
        reports,
    }
}

/// What the operator has not been told yet. A finding is told once, by what it is; one that a license has answered is told
/// no more (rule 8).
fn new_reports(
    machine: &mut Machine,
    folded: &Folded,
    due: &Entitlement,
    world: &DecisionContext<'_>,
) -> Vec<Report> {
    let of_now = |finding| Report::new(world.now, finding);
    let revoked = revoked_by_others(machine, due, world.now)
        .into_iter()
        .map(Finding::RevokedElsewhere);
    let given = given_by_others(machine, due, world.now);
    let bills = extension::still_bills(machine, folded);
    let seen = revoked.chain(given).chain(bills).map(of_now);
    let mut reports: Vec<Report> = folded
        .reports
        .iter()
        .chain(&due.reports)
        .cloned()
        .chain(seen)
        .collect();
    let made = !machine.grants.is_empty();
    machine
        .told
        .retain(|t| !(made && t.finding == Finding::NothingToHandOut));
    reports.retain(|r| {
        let told = machine.told.iter().any(|t| t.finding == r.finding);
        let answered = made && r.finding == Finding::NothingToHandOut;
        !(told || answered || look_up::waits(machine, r, world.now))
    });
    machine.told.extend(reports.iter().cloned());
    reports
}

/// Appends what is new of the fold's transitions. Where a late fact rewrote the past, one entry says from what was seen
/// to what holds.
fn journal(machine: &mut Machine, transitions: &[Transition], now: Timestamp) {
    let seen = machine.journal.iter().map(|s| &s.what);
    if seen.clone().count() <= transitions.len()
        && seen.clone().zip(transitions).all(|(a, b)| a == b)
    {
        let known = machine.journal.len();
        machine.journal.extend(
            transitions[known..]
                .iter()
                .cloned()
                .map(|what| ObservedTransition { what, seen_at: now }),
        );
        return;
    }
    let was = machine.state();
    let Some(last) = transitions.last() else {
        return;
    };
    if was == Some(last.to) {
        return;
    }
    // The past reads differently now, but what comes after the state that was seen joins on to it.
    if let Some(joins) = transitions.iter().rposition(|t| t.from == was) {
        machine.journal.extend(
            transitions[joins..]
                .iter()
                .cloned()
                .map(|what| ObservedTransition { what, seen_at: now }),
        );
        return;
    }
    let mut what = last.clone();
    what.from = was;
    let latest_fact = machine.facts.last().filter(|f| f.received <= now);
    if let Some(fact) = latest_fact {
        what.cause = super::lifecycle::Cause::event(fact);
        what.at = fact.at;
    }
    machine
        .journal
        .push(ObservedTransition { what, seen_at: now });
}

fn actions(machine: &mut Machine, folded: &Folded, due: &Entitlement, world: &DecisionContext<'_>) {
    name_service(machine, world.brakes.service, world.under_way);
    let here = ServiceKind::named(world.brakes.service);
    let mut wanted = differences(machine, due, (world.abilities, here), world.now);
    adoption::leave_margins(machine, due, world, &mut wanted);
    if look_up::keys_wait(machine, folded, world).is_some() {
        wanted.retain(|d| !look_up::is_newcomer(folded, &d.act));
    }
    if !extends(machine, folded, due, world).is_empty() {
        wanted.retain(|d| d.act.new_license().is_none());
    }
    if adoption::began_before(machine, world.makes_since(&machine.source), world.gaps) {
        wanted.extend(finds(machine, due, world.now));
    }
    adoption::doubt(machine, world.gaps, world.under_way, world.now);
    by_hand::close(machine, &wanted, world.now);
    wanted.extend(by_hand::reads(machine, world.now));
    wanted.extend(doubted::reads(machine, due, world.now));
    supersede(machine, &wanted, world);
    release(machine, world);
    for difference in &wanted {
        refresh(machine, difference, world);
        hold_by_time(machine, difference, world);
        if stands(machine, difference) || blocked(machine, difference) {
            continue;
        }
        let action = new_action(machine, difference.clone(), world);
        machine.actions.push(action);
    }
    hold_unproved(machine, &wanted, world);
    hold_back(machine, due, world);
}

/// What the purchase is to extend, while nobody has looked for it.
#[must_use]
pub fn extends(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    world: &DecisionContext<'_>,
) -> Vec<SeatAsked> {
    let (revisions, under_way) = (world.revisions, world.under_way);
    extension::asks(machine, folded, due, revisions, under_way, world.now)
}

/// Stops that were held because time could not be trusted go ahead when it can be.
fn release(machine: &mut Machine, world: &DecisionContext<'_>) {
    if world.stops_held.is_some() {
        return;
    }
    for action in machine
        .actions
        .iter_mut()
        .filter(|a| a.outcome == ActionOutcome::Held)
    {
        if matches!(action.held, Some(Hold::TimeNotTrusted(_))) {
            (action.outcome, action.held, action.due) = (ActionOutcome::Pending, None, world.now);
        }
    }
}

/// A stop by time alone that was decided while time could be trusted, and is not sent yet, waits like a new one.
fn hold_by_time(machine: &mut Machine, difference: &Difference, world: &DecisionContext<'_>) {
    let Some(why) = difference.waits_for_time(world.stops_held) else {
        return;
    };
    let waits = |a: &&mut Action| {
        a.outcome == ActionOutcome::Pending
            && !matches!(a.cleared, Some(Cleared::Person { .. } | Cleared::Decision))
    };
    let mut waiting = machine.actions.iter_mut().filter(waits);
    if let Some(action) = waiting.find(|a| difference.is(a)) {
        action.hold(Hold::TimeNotTrusted(why), world.now);
    }
}

/// A create that waits makes what is due when it is sent, not what was due when it was decided. Its label stays. One that
/// is under way is left as it was sent.
fn refresh(machine: &mut Machine, difference: &Difference, world: &DecisionContext<'_>) {
    let waits = |a: &&mut Action| {
        a.act.creates()
            && a.is_open()
            && a.phase == CreatePhase::Ready
            && !world.under_way.contains(&a.id)
    };
    if let Some(action) = machine
        .actions
        .iter_mut()
        .filter(waits)
        .find(|a| difference.is(a))
    {
        action.act = difference.act.clone();
    }
}

/// Whether an open action does this already, or a refusal stands in its way.
fn stands(machine: &Machine, difference: &Difference) -> bool {
    machine.open_actions().any(|a| difference.is(a))
        || machine.actions.iter().any(|a| difference.was_refused(a))
}

/// One act at a time on one license, in order: the next waits until the one before is settled.
fn blocked(machine: &Machine, difference: &Difference) -> bool {
    difference.grant.is_some_and(|n| {
        machine
            .open_actions()
            .any(|a| a.license == n && !a.act.creates())
    })
}

/// From when on a license may be stopped for want of a payment alone: in the first minutes after a purchase was heard of the
/// payment may be what is told next, and a key that stops a moment after it was mailed is the worst first impression.
fn stops_from(machine: &Machine, difference: &Difference) -> Option<Timestamp> {
    let stops = matches!(difference.act, Act::Suspend { .. } | Act::Revoke { .. });
    let heard = machine.facts.iter().map(|f| f.received).min()?;
    (stops && difference.unproved).then(|| heard + SPEAKS_AFTER)
}

fn new_action(
    machine: &mut Machine,
    difference: Difference,
    world: &DecisionContext<'_>,
) -> Action {
    let license = difference.grant.unwrap_or_else(|| {
        let unsent = machine.actions.iter().filter(|a| {
            a.act.creates() && a.outcome == ActionOutcome::Superseded && a.attempts == 0
        });
        // A create that was never sent gives its number back.
        let highest = machine.last_number;
        let freed = unsent.map(|a| a.license).filter(|n| *n == highest).max();
        let free = freed.filter(|n| {
            !machine
                .open_actions()
                .any(|a| a.act.creates() && a.license == *n)
        });
        let free = free.filter(|n| !machine.grants.iter().any(|g| g.number == *n));
        let number = free.unwrap_or(highest + 1);
        machine.last_number = highest.max(number);
        number
    });
    let mut due = world.now;
    if let Some(grant) = machine
        .grants
        .iter()
        .find(|g| Some(g.number) == difference.grant)
        && let Some(until) = grant.unsettled_until
    {
        due = due.max(until);
    }
    due = due.max(stops_from(machine, &difference).unwrap_or(due));
    let hold = difference.waits_for_time(world.stops_held);
    let hold = hold.map(Hold::TimeNotTrusted);
    let by_person = difference.by_person;
    let new = difference.act.new_license();
    let (makes, recovers) = (new.is_some(), new.is_some() && !difference.act.creates());
    let since = world.makes_since(&machine.source);
    let restored = world.brakes.standing.restored_lately(world.now);
    let looks = |seat| {
        let is_next = restored && adoption::has_had(machine, seat);
        is_next || adoption::looks_first(machine, seat, since, world.gaps)
    };
    let looks_first = recovers || new.is_some_and(|new| looks(&new.seat));
    let shortens = difference.takes && matches!(difference.act, Act::SetExpiry { .. });
    let mut action = Action::new(machine.next_action(), difference.act, license, world.now);
    action.shortens = shortens.then_some(true);
    action.label = makes.then(|| machine.label(license));
    if action.act.creates() {
        action.service = ServiceKind::named(world.brakes.service);
    }
    if looks_first {
        // Another program hears of a sale when we do, and may be slower than the first look: one more is taken after it.
        let others = world.brakes.standing.others_may_make(world.now);
        action.phase = CreatePhase::Look {
            since: world.now,
            absent: u32::from(!others),
            any_age: true,
        };
        due = due.max(adoption::looks_from(machine, world.gaps, world.now));
    }
    action.due = due;
    if hold.is_some() {
        (action.outcome, action.held) = (ActionOutcome::Held, hold);
    }
    action.cleared = by_person.then_some(Cleared::Decision);
    action
}

/// When time alone changes something next: a license that runs out, a grace that ends, a notice that comes due.
fn wake(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    calls: &[DueNotice],
    world: &DecisionContext<'_>,
) -> Option<Timestamp> {
    let new = |c: &&DueNotice| !machine.notices.iter().any(|n| c.is(n));
    let notices = calls.iter().filter(new).map(|c| c.due);
    let grace = folded.life.open_episode().map(|e| e.ends);
    let newcomers = look_up::keys_wait(machine, folded, world);
    let asked = extends(machine, folded, due, world);
    let named = asked.first().and_then(|_| machine.waits_for_named());
    earliest(
        due.wake,
        notices
            .chain(grace)
            .chain(newcomers)
            .chain(named)
            .chain(by_hand::next_read(machine))
            .chain(doubted::next_read(machine, due, world.now)),
        world.now,
    )
}
