//! What the shop's orders hold: by comparing it before and after an order it is told exactly what that held or let go.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::failure::Failure;
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::holding::plan_of;
use crate::domain::id::{MachineId, PlanName};
use crate::domain::machine::Machine;
use crate::domain::standing::Standing;
use crate::engine::read::view;

/// Actions by their purchases.
pub(super) type HeldActions = BTreeSet<(MachineId, u32)>;

/// The actions that orders about the same matter hold at present; of one plan, where the order is about one.
pub(super) fn by_orders_like(context: &Context, what: &Standing) -> Result<HeldActions, Failure> {
    let mut held = HeldActions::new();
    if matter(what).is_some() {
        view::machines(context.handle.reader(), |machine| {
            held.extend(of_machine(&machine, what));
            true
        })?;
    }
    Ok(held)
}

/// What an order left held.
#[derive(Default)]
pub(super) struct LeftHeld {
    /// The actions that orders about the same matter hold.
    pub(super) by_order: HeldActions,
    /// What a plan that goes live leaves held, for it belongs to no plan: one-time purchases by their metadata, say.
    pub(super) unplanned: Option<u32>,
}

/// What an order leaves held of some purchases: what it just changed is among those that it may concern, so that not every
/// purchase is read once more.
pub(super) fn left_held(
    context: &Context,
    what: &Standing,
    concerned: &BTreeSet<MachineId>,
) -> Result<LeftHeld, Failure> {
    let mut left = LeftHeld::default();
    if matter(what).is_none() {
        return Ok(left);
    }
    let goes_live = matches!(what, Standing::Live { plan: Some(_) });
    let mut unplanned = 0;
    for id in concerned {
        let Some(machine) = view::machine(context.handle.reader(), id)? else {
            continue;
        };
        left.by_order.extend(of_machine(&machine, what));
        if goes_live {
            unplanned += observed_without_plan(&machine);
        }
    }
    left.unplanned = u32::try_from(unplanned).ok().filter(|n| *n > 0);
    Ok(left)
}

/// Of actions that an order let go, how many something else holds by now, and what.
pub(super) fn held_still(
    context: &Context,
    let_go: &[(MachineId, u32)],
) -> Result<BTreeMap<HeldBy, u32>, Failure> {
    let mut held = BTreeMap::new();
    for action in let_go {
        if let Some(by) = held_by(context, action)? {
            *held.entry(by).or_default() += 1;
        }
    }
    Ok(held)
}

/// What holds an action at present.
pub(super) fn held_by(
    context: &Context,
    (id, number): &(MachineId, u32),
) -> Result<Option<HeldBy>, Failure> {
    let machine = view::machine(context.handle.reader(), id)?;
    let mut actions = machine.iter().flat_map(|machine| &machine.actions);
    let held = actions.find(|a| a.id == *number && a.outcome == ActionOutcome::Held);
    Ok(held.and_then(|a| a.held.as_ref()).map(Hold::by))
}

/// The same with what belongs to no plan.
pub(super) fn with_unplanned(
    mut held: BTreeMap<HeldBy, u32>,
    unplanned: Option<u32>,
) -> BTreeMap<HeldBy, u32> {
    if let Some(unplanned) = unplanned {
        *held.entry(HeldBy::Observe).or_default() += unplanned;
    }
    held
}

/// How many of a purchase's actions are observed and belong to no plan.
fn observed_without_plan(machine: &Machine) -> usize {
    let is_observed =
        |a: &&Action| a.outcome == ActionOutcome::Held && a.held == Some(Hold::Observed);
    let observed = machine.actions.iter().filter(is_observed);
    observed.filter(|a| plan_of(machine, a).is_none()).count()
}

fn of_machine(machine: &Machine, what: &Standing) -> HeldActions {
    let Some((by, plan)) = matter(what) else {
        return HeldActions::new();
    };
    let held = machine.actions.iter().filter(|action| {
        let is_held =
            action.outcome == ActionOutcome::Held && action.held.as_ref().map(Hold::by) == Some(by);
        is_held && plan.is_none_or(|plan| plan_of(machine, action) == Some(plan))
    });
    held.map(|action| (machine.id.clone(), action.id)).collect()
}

/// What orders about the same matter hold by, and the plan that one is about.
const fn matter(what: &Standing) -> Option<(HeldBy, Option<&PlanName>)> {
    match what {
        Standing::Observe { plan } | Standing::Live { plan } => {
            Some((HeldBy::Observe, plan.as_ref()))
        }
        Standing::Pause { .. } | Standing::Resume { .. } => Some((HeldBy::Pause, None)),
        Standing::OtherHandler { .. } | Standing::Alone { .. } => {
            Some((HeldBy::OtherHandler, None))
        }
        Standing::Adopted { .. }
        | Standing::Override { .. }
        | Standing::EndOverride { .. }
        | Standing::Erased => None,
    }
}
