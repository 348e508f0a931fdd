//! The front door: what a machine must do next, given what is known of it and an instant.
//!
//! `settle` is called after every input (a fact, an outcome, a wake-up, a command) and says the same however often it is
//! called. It never asks what happened: it compares what should be with what is.

use super::action::{Abilities, Action, ActionKind, ActionOutcome, Confirmed, GrantStatus, Outcome, Phase, Target};
use super::customer::Customer;
use super::entitlement::{Entitlement, earliest, entitlement};
use super::fold::{Folded, Report, Transition, fold};
use super::machine::{Grant, Machine, Seen};
use super::notice::{Called, Notice, NoticeKind, NoticeStatus, called};
use super::reconcile::{Difference, differences, name_plans};
use super::retry::next_try;
use super::revision::Revisions;
use super::time::{Span, Timestamp};

/// All that a decision depends on besides the machine.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Plans and policies through time.
    pub revisions: &'a Revisions,
    /// The instant.
    pub now: Timestamp,
    /// What the license service can.
    pub abilities: &'a Abilities,
    /// The customer's own record.
    pub customer: Option<&'a Customer>,
    /// When this store began; purchases before it look for a license first.
    pub store_since: Option<Timestamp>,
    /// A number from 0 to 999 for jitter.
    pub dice: u32,
    /// Creates whose attempt is on disk and whose outcome is not: they may have acted.
    pub under_way: &'a [u32],
    /// Why nobody is stopped by time alone at present (after an outage, or a clock that jumped); `None`: nothing speaks
    /// against it.
    pub stops_held: Option<&'a str>,
}

/// What a settling found besides what it wrote into the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The machine's fold, for whoever shows it.
    pub folded: Folded,
    /// What should be.
    pub due: Entitlement,
    /// New words for the operator.
    pub reports: Vec<Report>,
}

/// Brings a machine's actions, notices, journal and wake-up in line with its facts at an instant.
pub fn settle(machine: &mut Machine, world: &World<'_>) -> Settled {
    let folded = fold(machine.kind, &machine.facts, world.revisions, world.now);
    let due = entitlement(&folded, world.revisions, world.now, world.abilities.devices_max);
    journal(machine, &folded.transitions, world.now);
    rekey(machine, &folded);
    name_plans(machine, &due);
    if machine.held.is_none() {
        actions(machine, &due, world);
    }
    let calls = called(machine, &folded, &due, world.revisions, world.now);
    notices(machine, &calls, &folded, world);
    machine.wake_at = wake(machine, &folded, &due, &calls, world);
    let mut reports: Vec<Report> = folded.reports.iter().chain(&due.reports).cloned().collect();
    reports.retain(|r| !machine.told.iter().any(|t| t.what == r.what));
    machine.told.extend(reports.iter().cloned());
    Settled { folded, due, reports }
}

/// Appends what is new of the fold's transitions. Where a late fact rewrote the past, one entry says from what was seen
/// to what holds.
fn journal(machine: &mut Machine, transitions: &[Transition], now: Timestamp) {
    let seen = machine.journal.iter().map(|s| &s.what);
    if seen.clone().count() <= transitions.len() && seen.clone().zip(transitions).all(|(a, b)| a == b) {
        let known = machine.journal.len();
        machine.journal.extend(transitions[known..].iter().cloned().map(|what| Seen { what, seen_at: now }));
        return;
    }
    let was = machine.state();
    let Some(last) = transitions.last() else { return };
    if was == Some(last.to) {
        return;
    }
    // The past reads differently now, but what comes after the state that was seen joins on to it.
    if let Some(joins) = transitions.iter().rposition(|t| t.from == was) {
        machine.journal.extend(transitions[joins..].iter().cloned().map(|what| Seen { what, seen_at: now }));
        return;
    }
    let mut what = last.clone();
    what.from = was;
    let latest_fact = machine.facts.last().filter(|f| f.received <= now);
    if let Some(fact) = latest_fact {
        what.cause = super::fold::Cause::event(fact);
        what.at = fact.at;
    }
    machine.journal.push(Seen { what, seen_at: now });
}

/// Marks the licenses that a re-key replaces: all that were there when it was decided.
fn rekey(machine: &mut Machine, folded: &Folded) {
    if folded.decided.rekeys == 0 {
        return;
    }
    let rekeys = |f: &&super::fact::Fact| f.decision().is_some_and(|d| d.verb == super::decision::Verb::Rekey);
    if let Some(last) = machine.facts.iter().filter(rekeys).map(|f| f.received).max() {
        for grant in machine.grants.iter_mut().filter(|g| g.since <= last) {
            grant.replaced = true;
        }
    }
}

fn actions(machine: &mut Machine, due: &Entitlement, world: &World<'_>) {
    let wanted = differences(machine, due, world.abilities, world.now);
    for action in &mut machine.actions {
        let open = matches!(action.outcome, ActionOutcome::Pending | ActionOutcome::Held);
        // One that may have acted is settled first: what it did decides what remains to be done.
        let may_have_acted = matches!(action.phase, Phase::Look { .. }) || world.under_way.contains(&action.id);
        if open && action.kind != ActionKind::Check && !may_have_acted && !wanted.iter().any(|d| d.is(action)) {
            action.outcome = ActionOutcome::Superseded;
            action.at = world.now;
        }
    }
    release(machine, world);
    for difference in wanted {
        refresh(machine, &difference);
        if stands(machine, &difference) || blocked(machine, &difference) {
            continue;
        }
        let action = new_action(machine, difference, world);
        machine.actions.push(action);
    }
}

/// Stops that were held because time could not be trusted go ahead when it can be.
fn release(machine: &mut Machine, world: &World<'_>) {
    if world.stops_held.is_some() {
        return;
    }
    for action in machine.actions.iter_mut().filter(|a| a.outcome == ActionOutcome::Held) {
        if action.held.as_deref().is_some_and(|why| why.starts_with(TIME_NOT_TRUSTED)) {
            (action.outcome, action.held, action.due) = (ActionOutcome::Pending, None, world.now);
        }
    }
}

/// How the reason of a hold begins that ends by itself.
pub const TIME_NOT_TRUSTED: &str = "time cannot be trusted yet: ";

/// A create that waits makes what is due when it is sent, not what was due when it was decided. Its label stays.
fn refresh(machine: &mut Machine, difference: &Difference) {
    let waits = |a: &&mut Action| {
        a.kind == ActionKind::Create && a.outcome == ActionOutcome::Pending && a.phase == Phase::Ready
    };
    if let Some(action) = machine.actions.iter_mut().filter(waits).find(|a| difference.is(a)) {
        let label = std::mem::take(&mut action.target.label);
        action.target = Target { label, ..difference.target.clone() };
    }
}

/// Whether an open action does this already, or a refusal stands in its way.
fn stands(machine: &Machine, difference: &Difference) -> bool {
    machine.open_actions().any(|a| difference.is(a)) || machine.actions.iter().any(|a| difference.was_refused(a))
}

/// One act at a time on one license, in order: the next waits until the one before is settled.
fn blocked(machine: &Machine, difference: &Difference) -> bool {
    difference.grant.is_some_and(|n| machine.open_actions().any(|a| a.seat == n && a.kind != ActionKind::Create))
}

fn new_action(machine: &mut Machine, difference: Difference, world: &World<'_>) -> Action {
    let id = machine.actions.last().map_or(1, |a| a.id + 1);
    let mut target = difference.target;
    let seat = difference.grant.unwrap_or_else(|| {
        let unsent = machine
            .actions
            .iter()
            .filter(|a| a.kind == ActionKind::Create && a.outcome == ActionOutcome::Superseded && a.attempts == 0);
        // A create that was never sent gives its number back.
        let highest = machine.last_number;
        let freed = unsent.map(|a| a.seat).filter(|n| *n == highest).max();
        let free = freed.filter(|n| !machine.open_actions().any(|a| a.kind == ActionKind::Create && a.seat == *n));
        let free = free.filter(|n| !machine.grants.iter().any(|g| g.number == *n));
        let number = free.unwrap_or(highest + 1);
        machine.last_number = highest.max(number);
        target.label = machine.label(number);
        number
    });
    let mut due = world.now;
    if let Some(grant) = machine.grants.iter().find(|g| Some(g.number) == difference.grant)
        && let Some(until) = grant.unsettled_until
    {
        due = due.max(until);
    }
    let hold = world.stops_held.filter(|_| difference.by_time).map(|why| format!("{TIME_NOT_TRUSTED}{why}"));
    let older = world.store_since.is_some_and(|since| machine.facts.iter().any(|f| f.at < since));
    let look_first = difference.kind == ActionKind::Create && older;
    let phase = if look_first { Phase::Look { since: world.now, absent: 1, any_age: true } } else { Phase::Ready };
    Action {
        id,
        kind: difference.kind,
        seat,
        target,
        at: world.now,
        outcome: if hold.is_some() { ActionOutcome::Held } else { ActionOutcome::Pending },
        attempts: 0,
        due,
        error: None,
        phase,
        held: hold,
    }
}

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
        Outcome::Gone => gone(machine, index, &action, world.now),
    }
}

fn finish(machine: &mut Machine, index: usize, outcome: ActionOutcome, error: Option<String>, now: Timestamp) {
    let action = &mut machine.actions[index];
    if matches!(action.outcome, ActionOutcome::Pending | ActionOutcome::Held) {
        if outcome == ActionOutcome::Done {
            action.attempts += 1;
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
        if enough {
            (action.phase, action.due) = (Phase::Ready, world.now);
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
    if action.kind == ActionKind::Create {
        if machine.grants.iter().any(|g| g.key == confirmed.key) {
            return;
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
            // One that our own attempt made, though its answer was lost, is no foreign one: its key is mailed.
            adopted: confirmed.adopted && matches!(action.phase, Phase::Look { any_age: true, .. }),
            ever_revoked: confirmed.status == GrantStatus::Revoked,
            replaced: false,
            unsettled_until: None,
            moved_in: false,
        });
        return;
    }
    if let Some(grant) = machine.grants.iter_mut().find(|g| g.key == confirmed.key) {
        grant.ever_revoked |= confirmed.status == GrantStatus::Revoked;
        grant.status = confirmed.status;
        grant.expires_at = confirmed.expires_at;
        if let Some(devices) = confirmed.devices {
            grant.devices = devices;
        } else if action.kind == ActionKind::Update {
            grant.devices = action.target.devices;
        }
        if action.kind == ActionKind::Check {
            grant.unsettled_until = None;
        }
    }
}

/// Writes down the notices that are due, and skips those that are no longer true.
fn notices(machine: &mut Machine, calls: &[Called], folded: &Folded, world: &World<'_>) {
    let on_record = world.customer.filter(|c| !c.deleted).and_then(|c| c.email.as_deref());
    for notice in machine.notices.iter_mut().filter(|n| n.status == NoticeStatus::Pending) {
        let call = calls.iter().find(|c| c.is(notice));
        let carries_keys = notice.kind == NoticeKind::LicenseIssued;
        let skip = match call {
            Some(call) => call.skip,
            None if carries_keys || notice.kind == NoticeKind::Restored => None,
            None => Some("it was no longer true when its turn came"),
        };
        if let Some(why) = skip {
            (notice.status, notice.at, notice.error) = (NoticeStatus::Skipped, world.now, Some(why.to_owned()));
        }
    }
    for notice in machine.notices.iter_mut().filter(|n| n.status == NoticeStatus::NoAddress) {
        if recipient(notice, folded, on_record).is_some() {
            (notice.status, notice.due) = (NoticeStatus::Pending, world.now);
        }
    }
    for call in calls.iter().filter(|c| c.due <= world.now) {
        if machine.notices.iter().any(|n| call.is(n)) {
            continue;
        }
        let id = machine.notices.last().map_or(1, |n| n.id + 1);
        let to = call.to.clone().or_else(|| usual_recipient(call.kind, folded, on_record));
        let status = match (call.skip, &to) {
            (Some(_), _) => NoticeStatus::Skipped,
            (None, _) if !world.abilities.sends_mail => NoticeStatus::Skipped,
            (None, None) => NoticeStatus::NoAddress,
            (None, Some(_)) => NoticeStatus::Pending,
        };
        machine.notices.push(Notice {
            id,
            kind: call.kind,
            episode: call.episode.clone(),
            part: call.part.clone(),
            status,
            at: world.now,
            to: call.to.clone(),
            seats: call.seats.clone(),
            attempts: 0,
            due: world.now,
            error: call.skip.or((!world.abilities.sends_mail).then_some("mail is switched off")).map(str::to_owned),
        });
    }
}

/// Where a notice goes, resolved when it is sent; one that a person addressed goes there.
#[must_use]
pub fn recipient(notice: &Notice, folded: &Folded, on_record: Option<&str>) -> Option<String> {
    let named = notice.to.clone().filter(|_| notice.status != NoticeStatus::Sent);
    named.or_else(|| usual_recipient(notice.kind, folded, on_record))
}

fn usual_recipient(kind: NoticeKind, folded: &Folded, on_record: Option<&str>) -> Option<String> {
    match kind {
        NoticeKind::LicenseIssued | NoticeKind::LicenseDelayed => folded.contact.key_holder(on_record),
        NoticeKind::PaymentFailed
        | NoticeKind::GraceEnding
        | NoticeKind::Suspended
        | NoticeKind::Restored
        | NoticeKind::Ended
        | NoticeKind::Refunded
        | NoticeKind::Disputed
        | NoticeKind::ActionRequired
        | NoticeKind::TrialEnding => folded.contact.payer(on_record),
    }
}

/// What came of sending a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mailed {
    /// The mail server took it.
    Sent {
        /// Whom it went to.
        to: String,
    },
    /// Try again.
    Again {
        /// What happened.
        why: String,
    },
    /// The address was refused for good.
    Undeliverable {
        /// What the server said.
        why: String,
    },
}

/// Takes in what came of a notice.
pub fn mailed(machine: &mut Machine, id: u32, mailed: &Mailed, world: &World<'_>) {
    let Some(notice) = machine.notices.iter_mut().find(|n| n.id == id && n.status == NoticeStatus::Pending) else {
        return;
    };
    notice.attempts += 1;
    match mailed {
        Mailed::Sent { to } => {
            (notice.status, notice.at, notice.to, notice.error) =
                (NoticeStatus::Sent, world.now, Some(to.clone()), None);
        }
        Mailed::Again { why } => {
            notice.error = Some(why.clone());
            notice.due = next_try(world.now, notice.attempts, world.dice, None);
        }
        Mailed::Undeliverable { why } => {
            (notice.status, notice.at, notice.error) = (NoticeStatus::Undeliverable, world.now, Some(why.clone()));
        }
    }
}

/// When time alone changes something next: a license that runs out, a grace that ends, a notice that comes due.
fn wake(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    calls: &[Called],
    world: &World<'_>,
) -> Option<Timestamp> {
    let new = |c: &&Called| !machine.notices.iter().any(|n| c.is(n));
    let notices = calls.iter().filter(new).map(|c| c.due);
    let grace = match &folded.life {
        super::fold::Life::Subscription(s) => s.open_episode().map(|e| e.ends),
        super::fold::Life::Payment(_) => None,
    };
    earliest(due.wake, notices.chain(grace), world.now)
}
