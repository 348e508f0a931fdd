//! The front door: what a machine must do next, given what is known of it and an instant.
//!
//! `reconcile` is called after every input (a fact, an outcome, a wake-up, a command) and says the same however often it is
//! called. It never asks what happened: it compares what should be with what is.

mod absent;
mod add_fact;
mod ahead;
mod finish;
mod inherited;
mod mail;
mod outcome;
mod planned;
mod supersede;

pub use add_fact::add_fact;
pub use ahead::WAIT_MAX;
pub use mail::{Mailed, mailed, recipient};
pub use outcome::outcome;

use super::action::{Action, ActionOutcome, CreatePhase};
use super::adoption;
use super::by_hand;
use super::context::{DecisionContext, Situation};
use super::difference::{
    Difference, ServiceNow, differences, finds, given_by_others, name_plans, revoked_by_others,
};
use super::doubted;
use super::entitlement::{Entitlement, earliest, entitlement};
use super::extension::{self, SeatAsked};
use super::finding::{Finding, Report};
use super::hold::{Cleared, Hold};
use super::holding::{hold_back, hold_unproved, is_silent};
use super::lifecycle::{Folded, Transition};
use super::machine::{Machine, ObservedTransition};
use super::notice::{DueNotice, due_notices};
use super::ordered::let_pass;
use super::query::{self, plan_queries};
use super::revocation;
use super::service_move::{ServiceKind, name_service};
use super::terms::Terms;
use super::time::Timestamp;
use mail::notices;
use planned::{blocked, new_action, stands};
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
pub fn reconcile(machine: &mut Machine, context: &DecisionContext<'_>) -> Verdict {
    reconcile_folded(machine, None, context)
}

/// The same, where the fold of these very facts at this instant may be known already.
pub fn reconcile_folded(
    machine: &mut Machine,
    known: Option<Folded>,
    context: &DecisionContext<'_>,
) -> Verdict {
    let folded = known.unwrap_or_else(|| machine.folded(context.revisions, context.now));
    let mut due = entitlement(
        &folded,
        &machine.extensions,
        context.revisions,
        context.now,
        context.abilities.devices_max,
    );
    journal(machine, &folded.transitions, context.now);
    ahead::redate(machine, context);
    let terms = Terms {
        revisions: context.revisions,
        decided: &folded.decided,
    };
    adoption::bound_ends(machine, &mut due, terms);
    name_plans(machine, &due);
    revocation::note(machine, &due, context);
    if machine.held.is_none() {
        actions(machine, &folded, &due, context);
    }
    let calls = due_notices(&Situation {
        machine,
        folded: &folded,
        due: &due,
        revisions: context.revisions,
        now: context.now,
    });
    let silent = is_silent(machine, &due, context);
    notices(machine, &calls, &folded, (silent, &due), context);
    if machine.held.is_none() {
        plan_queries(machine, &folded, &due, context);
    }
    machine.wake_at = wake(machine, &folded, &due, &calls, context);
    let reports = new_reports(machine, &folded, &due, context);
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
    context: &DecisionContext<'_>,
) -> Vec<Report> {
    let of_now = |finding| Report::new(context.now, finding);
    let revoked = revoked_by_others(machine, due, context.now)
        .into_iter()
        .map(Finding::RevokedElsewhere);
    let given = given_by_others(machine, due, context.now);
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
        !(told || answered || query::waits(machine, r, context.now))
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

fn actions(
    machine: &mut Machine,
    folded: &Folded,
    due: &Entitlement,
    context: &DecisionContext<'_>,
) {
    name_service(machine, context.brakes.service, context.under_way);
    let service = ServiceNow {
        abilities: context.abilities,
        kind: ServiceKind::named(context.brakes.service),
    };
    let mut wanted = differences(machine, due, service, context.now);
    adoption::leave_margins(machine, due, context, &mut wanted);
    if query::keys_wait(machine, folded, due, context).is_some() {
        wanted.retain(|d| !query::waits_for_answer(folded, &d.act));
    }
    if !extends(machine, folded, due, context).is_empty() {
        wanted.retain(|d| d.act.new_license().is_none());
    }
    if adoption::began_before(machine, context.makes_since(&machine.source), context.gaps) {
        wanted.extend(finds(machine, due, context.now));
    }
    adoption::doubt(machine, context.gaps, context.under_way, context.now);
    by_hand::close(machine, &wanted, context.now);
    wanted.extend(by_hand::reads(machine, context.now));
    wanted.extend(doubted::reads(machine, due, context.now));
    let waiting = adoption::WaitingEnds::of(machine);
    supersede(machine, &wanted, context);
    release(machine, context);
    let_pass(machine, &wanted, context.now);
    for difference in &wanted {
        refresh(machine, difference, context);
        hold_by_time(machine, difference, context);
        if stands(machine, difference) || blocked(machine, difference, context.now) {
            continue;
        }
        let mut action = new_action(machine, difference.clone(), context);
        waiting.keep(&mut action, difference, context.now);
        machine.actions.push(action);
    }
    hold_unproved(machine, &wanted, context);
    hold_back(machine, due, context);
}

/// What the purchase is to extend, while that is not resolved.
#[must_use]
pub fn extends(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    context: &DecisionContext<'_>,
) -> Vec<SeatAsked> {
    let (revisions, under_way) = (context.revisions, context.under_way);
    extension::asks(machine, folded, due, revisions, under_way, context.now)
}

/// Stops that were held because time could not be trusted go ahead when it can be.
fn release(machine: &mut Machine, context: &DecisionContext<'_>) {
    if context.stops_held.is_some() {
        return;
    }
    for action in machine
        .actions
        .iter_mut()
        .filter(|a| a.outcome == ActionOutcome::Held)
    {
        if matches!(action.held, Some(Hold::TimeNotTrusted(_))) {
            action.let_go(context.now);
        }
    }
}

/// A stop by time alone that was decided while time could be trusted, and is not sent yet, waits like a new one.
fn hold_by_time(machine: &mut Machine, difference: &Difference, context: &DecisionContext<'_>) {
    let Some(why) = difference.waits_for_time(context.stops_held) else {
        return;
    };
    let waits = |a: &&mut Action| {
        a.outcome == ActionOutcome::Pending
            && !matches!(a.cleared, Some(Cleared::Person { .. } | Cleared::Decision))
    };
    let mut waiting = machine.actions.iter_mut().filter(waits);
    if let Some(action) = waiting.find(|a| difference.is(a)) {
        action.hold(Hold::TimeNotTrusted(why), context.now);
    }
}

/// A create that waits makes what is due when it is sent, not what was due when it was decided. Its label stays. One that
/// is under way is left as it was sent.
fn refresh(machine: &mut Machine, difference: &Difference, context: &DecisionContext<'_>) {
    let waits = |a: &&mut Action| {
        a.act.creates()
            && a.is_open()
            && a.phase == CreatePhase::Ready
            && !context.under_way.contains(&a.id)
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

/// When time alone changes something next: a license that runs out, a grace that ends, a notice that comes due.
fn wake(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    calls: &[DueNotice],
    context: &DecisionContext<'_>,
) -> Option<Timestamp> {
    let new = |c: &&DueNotice| !machine.notices.iter().any(|n| c.is(n));
    let notices = calls.iter().filter(new).map(|c| c.due);
    let grace = folded.life.open_episode().map(|e| e.ends);
    let waiting = query::keys_wait(machine, folded, due, context);
    let asked = extends(machine, folded, due, context);
    let named = asked.first().and_then(|_| machine.waits_for_named());
    earliest(
        due.wake,
        notices
            .chain(grace)
            .chain(waiting)
            .chain(named)
            .chain(by_hand::next_read(machine))
            .chain(doubted::next_read(machine, due, context.now)),
        context.now,
    )
}
