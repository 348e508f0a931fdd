//! An action for a difference: whether one is made now, and as what.

use crate::domain::action::{Act, Action, ActionOutcome, CreatePhase};
use crate::domain::adoption;
use crate::domain::context::DecisionContext;
use crate::domain::difference::Difference;
use crate::domain::hold::{Cleared, Hold};
use crate::domain::lifecycle::SPEAKS_AFTER;
use crate::domain::machine::Machine;
use crate::domain::service_move::ServiceKind;
use crate::domain::time::Timestamp;

/// Whether an open action does this already, or a refusal stands in its way.
pub(super) fn stands(machine: &Machine, difference: &Difference) -> bool {
    machine.open_actions().any(|a| difference.is(a))
        || machine.actions.iter().any(|a| difference.was_refused(a))
}

/// One act at a time on one license, in order: the next waits until the one before is settled. What is held waits for
/// somebody, and what failed for its next try: neither stands in the way of other work, which may be what was paid for. A
/// license that is to be read first is.
pub(super) fn blocked(machine: &Machine, difference: &Difference, now: Timestamp) -> bool {
    let goes_first = |a: &Action| {
        let reads = matches!(a.act, Act::Read { .. });
        match a.outcome {
            ActionOutcome::Pending => reads || a.attempts == 0 || a.due <= now,
            ActionOutcome::Held => {
                // Nothing of it goes out then.
                reads
                    && matches!(
                        a.held,
                        Some(Hold::Paused { .. } | Hold::OtherService { .. })
                    )
            }
            ActionOutcome::Done
            | ActionOutcome::Superseded
            | ActionOutcome::Refused
            | ActionOutcome::Abandoned => false,
        }
    };
    difference.grant.is_some_and(|n| {
        let mut actions = machine.actions.iter();
        actions.any(|a| a.license == n && !a.act.creates() && goes_first(a))
    })
}

/// From when on a license may be stopped for want of a payment alone: in the first minutes after a purchase was heard of the
/// payment may be what is told next, and a key that stops a moment after it was mailed is the worst first impression.
fn stops_from(machine: &Machine, difference: &Difference) -> Option<Timestamp> {
    let stops = matches!(difference.act, Act::Suspend { .. } | Act::Revoke { .. });
    let heard = machine.facts.iter().map(|f| f.received).min()?;
    (stops && difference.unproved).then(|| heard + SPEAKS_AFTER)
}

pub(super) fn new_action(
    machine: &mut Machine,
    difference: Difference,
    context: &DecisionContext<'_>,
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
    let mut due = context.now;
    if let Some(grant) = machine
        .grants
        .iter()
        .find(|g| Some(g.number) == difference.grant)
        && let Some(until) = grant.unsettled_until
    {
        due = due.max(until);
    }
    due = due.max(stops_from(machine, &difference).unwrap_or(due));
    let hold = difference.waits_for_time(context.stops_held);
    let hold = hold.map(Hold::TimeNotTrusted);
    let by_person = difference.by_person;
    let repaired = repaired(machine, &difference);
    let new = difference.act.new_license();
    let (makes, recovers) = (new.is_some(), new.is_some() && !difference.act.creates());
    let since = context.makes_since(&machine.source);
    let restored = context.brakes.standing.restored_lately(context.now);
    let looks = |seat| {
        let is_next = restored && adoption::has_had(machine, seat);
        is_next || adoption::recovers_first(machine, seat, since, context.gaps)
    };
    let recovers_first = recovers || new.is_some_and(|new| looks(&new.seat));
    let shortens = difference.takes && matches!(difference.act, Act::SetExpiry { .. });
    let mut action = Action::new(machine.next_action(), difference.act, license, context.now);
    action.shortens = shortens.then_some(true);
    action.label = makes.then(|| machine.label(license));
    if action.act.creates() {
        action.service = ServiceKind::named(context.brakes.service);
    }
    if recovers_first {
        // Another program hears of a sale when we do, and may be slower than the first recovery: one more is taken after it.
        let others = context.brakes.standing.others_may_make(context.now);
        action.phase = CreatePhase::Recover {
            since: context.now,
            absent: u32::from(!others),
            any_age: true,
        };
        due = due.max(adoption::looks_from(machine, context.gaps, context.now));
    }
    action.due = due;
    if let Some(hold) = hold {
        action.hold(hold, context.now);
    }
    action.cleared = by_person.then_some(Cleared::Decision);
    if let Some((word, at)) = repaired.filter(|_| !by_person) {
        (action.cleared, action.word_at) = (Some(word), at);
    }
    action
}

/// The yes of a repair that observe mode held until now: what was observed is decided anew when it goes live, and that takes
/// no second yes.
fn repaired(machine: &Machine, difference: &Difference) -> Option<(Cleared, Option<Timestamp>)> {
    let before = machine.actions.iter().rfind(|a| difference.is(a))?;
    let was_observed =
        before.outcome == ActionOutcome::Superseded && before.held == Some(Hold::Observed);
    let word = before.cleared.clone();
    let word = word.filter(|word| was_observed && matches!(word, Cleared::Repair { .. }))?;
    Some((word, before.word_at))
}
