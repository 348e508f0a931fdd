//! Which work is held back at present, whatever is due (rule 53): by observe mode, by a paused service, because a purchase is
//! just being adopted. What held it being gone, it is judged again.
//!
//! The guard counts across machines, so the engine asks it ([`super::guard`]); everything else is decided here.

use super::action::{Act, Action, ActionOutcome, CreatePhase};
use super::adoption::{gives_margin, only_gives, was_heard_of};
use super::context::DecisionContext;
use super::difference::Difference;
use super::entitlement::{Entitlement, SeatDue};
use super::guard::is_hurtful;
use super::hold::{Cleared, Hold};
use super::id::{PlanName, SourceName};
use super::machine::Machine;
use super::notice::{DueNotice, NoticeKind, Skipped};
use super::service_move::elsewhere;
use super::standing::StandingOrders;
use super::time::Timestamp;

/// What holds work back at present.
#[derive(Clone, Copy, Debug)]
pub struct Brakes<'a> {
    /// The shop's orders.
    pub standing: &'a StandingOrders,
    /// The name of the machine's license service.
    pub service: &'a str,
}

impl Brakes<'static> {
    /// Nothing does.
    #[must_use]
    pub fn none() -> Self {
        static NONE: std::sync::LazyLock<StandingOrders> =
            std::sync::LazyLock::new(StandingOrders::default);
        Self {
            standing: &NONE,
            service: "",
        }
    }
}

impl Brakes<'_> {
    /// Since when licenses are made here for a source: what was sold before looks for one first. While anything is only
    /// observed, others make them.
    #[must_use]
    pub fn since(
        &self,
        of: &SourceName,
        store: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let store = store?;
        if self.standing.others_may_make(now) {
            return Some(now);
        }
        Some(
            self.standing
                .live_since(of)
                .map_or(store, |live| live.max(store)),
        )
    }
}

/// Holds back what must not be sent now, and lets go what nothing holds any more.
pub(super) fn hold_back(machine: &mut Machine, due: &Entitlement, context: &DecisionContext<'_>) {
    let_go(machine, context);
    for index in 0..machine.actions.len() {
        let action = &machine.actions[index];
        let is_cleared = matches!(action.cleared, Some(Cleared::Person { .. }));
        // No word makes a service out of another one.
        let is_cleared = is_cleared && elsewhere(machine, action, context.brakes.service).is_none();
        let waits = action.outcome == ActionOutcome::Pending
            && !is_cleared
            && !context.under_way.contains(&action.id);
        if !waits {
            continue;
        }
        if let Some(hold) = hold_of(machine, due, action, context) {
            machine.actions[index].hold(hold, context.now);
        }
    }
}

/// What holds an action at present.
fn hold_of(
    machine: &Machine,
    due: &Entitlement,
    action: &Action,
    context: &DecisionContext<'_>,
) -> Option<Hold> {
    if matches!(action.act, Act::Query(_)) {
        return None;
    }
    let brakes = &context.brakes;
    if let Some(at) = elsewhere(machine, action, brakes.service) {
        return Some(Hold::OtherService { at });
    }
    // rule 52: nobody gets a second key because another program makes one, too.
    if makes_key(action) && brakes.standing.other_handler(&machine.source).is_some() {
        return Some(Hold::OtherHandler);
    }
    if let Some(order) = brakes.standing.paused(brakes.service) {
        return Some(Hold::Paused {
            reason: order.reason.clone(),
        });
    }
    // It changes nothing, and what is known of the license is what else is judged by.
    if matches!(action.act, Act::Read { .. }) {
        return None;
    }
    // A yes to what one purchase lacks is none to what the shop's orders hold.
    let is_ordered = matches!(
        action.cleared,
        Some(Cleared::Decision | Cleared::Repair { .. })
    );
    let goes_on = goes_on(machine, action, context.now) || gives_margin(machine, due, action);
    if is_only_adopted(machine) && !goes_on && !is_ordered {
        return Some(Hold::Adoption);
    }
    if !changes_something(action) {
        return None;
    }
    let observed = brakes.standing.observes(plan_of(machine, action)).is_some();
    observed.then_some(Hold::Observed)
}

/// Holds what would take a license, or time of it, from a purchase that began before anybody told us of it, where no fact
/// itself asks for it. Until its history is complete such a purchase is only given to.
pub(super) fn hold_unproved(
    machine: &mut Machine,
    wanted: &[Difference],
    context: &DecisionContext<'_>,
) {
    let asks = wanted.iter().any(|d| d.unproved);
    if !asks || !only_gives(machine, context.store_since) {
        return;
    }
    let unproved = |a: &Action| wanted.iter().any(|d| d.unproved && d.is(a));
    let hurts = |a: &Action| a.cleared.is_none() && is_hurtful(machine, a, context.now);
    let waits = |a: &Action| a.outcome == ActionOutcome::Pending && unproved(a) && hurts(a);
    let found: Vec<usize> = (0..machine.actions.len())
        .filter(|n| waits(&machine.actions[*n]))
        .collect();
    for index in found {
        machine.actions[index].hold(Hold::BeginningUnknown, context.now);
    }
}

/// Whether it makes a key. A recovery of one that may be there does not.
fn makes_key(action: &Action) -> bool {
    action.act.creates() && action.phase == CreatePhase::Ready
}

/// Whether all that is known of a purchase was read at Stripe when it was adopted. What that alone asks for, also later by
/// time, waits for a person: nobody gets a second key, and nobody's ends, because we are new here. A license that was bought
/// again since (rule 55) is known of otherwise.
pub(super) fn is_only_adopted(machine: &Machine) -> bool {
    machine.adopted_at.is_some_and(|at| {
        machine
            .facts
            .iter()
            .all(|f| f.received <= at || f.is_override())
    }) && machine.extensions.iter().all(|e| e.adopted)
}

/// Whether an action gives time to a license of a purchase that was heard of before it was taken in: an event may have asked
/// for it. So does a person who said that the purchase gets a license, and one of the customer's ended ones came for it.
fn goes_on(machine: &Machine, action: &Action, now: Timestamp) -> bool {
    let gives = matches!(action.act, Act::SetExpiry { .. } | Act::Reinstate { .. });
    let mut grants = machine.grants.iter();
    let came = grants.any(|g| g.number == action.license && g.moved_in);
    gives && (came || was_heard_of(machine)) && !is_hurtful(machine, action, now)
}

/// Whether it changes anything at the license service. A recovery of a license that may be there already does not.
fn changes_something(action: &Action) -> bool {
    match &action.act {
        Act::Create(_) => action.phase == CreatePhase::Ready,
        Act::SetExpiry { .. }
        | Act::Suspend { .. }
        | Act::Reinstate { .. }
        | Act::Revoke { .. }
        | Act::SetDevices { .. }
        | Act::ResetDevices { .. } => true,
        Act::Read { .. } | Act::Recover(_) | Act::Query(_) => false,
    }
}

/// The plan that an action is for.
#[must_use]
pub fn plan_of<'a>(machine: &'a Machine, action: &'a Action) -> Option<&'a PlanName> {
    if let Some(new) = action.act.new_license() {
        return new.plan.as_ref();
    }
    let grant = machine.grants.iter().find(|g| g.number == action.license);
    grant.and_then(|g| g.plan.as_ref())
}

/// What was held is judged again once what held it is over: it goes ahead, unless something else holds it. Where others made
/// licenses meanwhile, it looks first: a create for its license, anything else for what the license has become.
fn let_go(machine: &mut Machine, context: &DecisionContext<'_>) {
    recover_anew(machine, context);
    let mut read = Vec::new();
    for index in 0..machine.actions.len() {
        let action = &machine.actions[index];
        let held = action.outcome == ActionOutcome::Held;
        if !held || still_holds(machine, action, context) {
            continue;
        }
        let is_read = matches!(action.act, Act::Read { .. });
        let mut grants = machine.grants.iter();
        let is_left = grants.any(|g| g.number == action.license && g.is_left());
        let live = context.brakes.standing.live_since(&machine.source);
        let action = &mut machine.actions[index];
        // What was paused may have been observed meanwhile.
        let others_acted = matches!(action.held, Some(Hold::Observed | Hold::OtherHandler))
            || live.is_some_and(|live| live >= action.at) && action.phase == CreatePhase::Ready;
        match action.held {
            // Of a license that was left meanwhile nothing is to be read any more.
            Some(Hold::OtherService { .. }) if is_read && is_left => {
                (action.outcome, action.at) = (ActionOutcome::Superseded, context.now);
            }
            _ if action.act.creates() && others_acted => {
                action.let_go(context.now);
                action.phase = CreatePhase::recover_any_age(context.now);
            }
            _ if others_acted && !is_read => {
                (action.outcome, action.at) = (ActionOutcome::Superseded, context.now);
                read.push(action.license);
            }
            Some(
                Hold::Paused { .. }
                | Hold::OtherService { .. }
                | Hold::Observed
                | Hold::OtherHandler
                | Hold::BeginningUnknown
                | Hold::TimeNotTrusted(_)
                | Hold::Person { .. }
                | Hold::Guard
                | Hold::Adoption,
            )
            | None => {
                action.let_go(context.now);
            }
        }
    }
    for license in read {
        read_first(machine, license, context.now);
    }
}

/// Whether what holds an action still does. What a person's word settles ends by that alone, and what time settles is let go
/// by whoever knows the time.
fn still_holds(machine: &Machine, action: &Action, context: &DecisionContext<'_>) -> bool {
    let standing = context.brakes.standing;
    match &action.held {
        Some(Hold::OtherService { .. }) => {
            elsewhere(machine, action, context.brakes.service).is_some()
        }
        Some(Hold::OtherHandler) => standing.other_handler(&machine.source).is_some(),
        Some(Hold::Paused { .. }) => standing.paused(context.brakes.service).is_some(),
        Some(Hold::Observed) => standing.observes(plan_of(machine, action)).is_some(),
        Some(Hold::BeginningUnknown) => only_gives(machine, context.store_since),
        Some(Hold::TimeNotTrusted(_) | Hold::Person { .. } | Hold::Guard | Hold::Adoption) => true,
        None => false,
    }
}

/// A recovery that began before the shop went live may have missed what others made until then: it begins anew.
fn recover_anew(machine: &mut Machine, context: &DecisionContext<'_>) {
    let live = context.brakes.standing.live_since(&machine.source);
    let Some(live) = live.filter(|live| *live <= context.now) else {
        return;
    };
    let waits = |a: &&mut Action| a.act.creates() && a.outcome == ActionOutcome::Pending;
    for action in machine.actions.iter_mut().filter(waits) {
        if let CreatePhase::Recover {
            since,
            absent,
            any_age,
        } = &mut action.phase
            && *since < live
        {
            (*since, *absent) = (context.now, u32::from(*any_age));
            action.due = context.now;
        }
    }
}

/// Reads a license before anything else is done with it.
pub(super) fn read_first(machine: &mut Machine, license: u32, now: Timestamp) {
    let reads = |a: &Action| matches!(a.act, Act::Read { .. }) && a.license == license;
    if machine.open_actions().any(reads) {
        return;
    }
    if let Some(grant) = machine.grants.iter().find(|g| g.number == license) {
        let act = Act::Read {
            key: grant.key.clone(),
        };
        let read = Action::new(machine.next_action(), act, license, now);
        machine.actions.push(read);
    }
}

/// In observe mode: what is held is compared with what the license service has by now. Licenses are read, and those that were
/// not there are looked for; what turns out to be done there already is no longer due.
pub fn compare(machine: &mut Machine, now: Timestamp) {
    let mut read = Vec::new();
    for action in &mut machine.actions {
        if action.outcome != ActionOutcome::Held || action.held != Some(Hold::Observed) {
            continue;
        }
        if action.act.creates() {
            (action.outcome, action.due) = (ActionOutcome::Pending, now);
            action.phase = CreatePhase::recover_any_age(now);
        } else {
            read.push(action.license);
        }
    }
    for license in read {
        read_first(machine, license, now);
    }
}

/// Whether mails about a purchase are another's business at present: its plan is only observed, or it is just being adopted.
pub(super) fn is_silent(
    machine: &Machine,
    due: &Entitlement,
    context: &DecisionContext<'_>,
) -> Option<Skipped> {
    if is_only_adopted(machine) {
        return Some(Skipped::Adopted);
    }
    let observes = |plan: Option<&PlanName>| context.brakes.standing.observes(plan).is_some();
    let of_seat = |seat: &SeatDue| observes(seat.plan.as_ref());
    // What has no license follows the whole shop.
    let silent = due.seats.iter().any(of_seat) || due.seats.is_empty() && observes(None);
    silent.then_some(Skipped::Observed)
}

/// Why a mail is passed over because of when it was heard of what it tells: it happened before its plan went live, and who
/// served the shop until then may have told it. A key of ours is mailed whenever it was made.
pub(super) fn is_past(
    due: &Entitlement,
    call: &DueNotice,
    context: &DecisionContext<'_>,
) -> Option<Skipped> {
    if call.kind == NoticeKind::LicenseIssued {
        return None;
    }
    let standing = context.brakes.standing;
    let of_seats = due
        .seats
        .iter()
        .map(|seat| standing.went_live(seat.plan.as_ref()));
    let went = if due.seats.is_empty() {
        standing.went_live(None)
    } else {
        of_seats.flatten().max_by_key(|went| went.at)
    };
    let went = went.filter(|went| call.happened < went.at)?;
    let lost = went.restored.is_some_and(|at| call.happened < at);
    Some(if lost {
        Skipped::BeforeRestore
    } else {
        Skipped::Observed
    })
}

/// Whether something of a purchase is held because it is only observed.
#[must_use]
pub fn is_observed(machine: &Machine) -> bool {
    machine
        .open_actions()
        .any(|a| a.held == Some(Hold::Observed))
}

/// Whether a shop's order that was just given may change something about a purchase.
#[must_use]
pub fn is_concerned(machine: &Machine) -> bool {
    machine
        .open_actions()
        .any(|a| !matches!(a.act, Act::Query(_)))
        || machine.notices.iter().any(|n| n.status.is_open())
}
