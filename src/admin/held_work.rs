//! What an order asks for and something holds all the same: whoever gave it is told, with what lets it go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::failure::Failure;
use crate::domain::action::{Act, Action, ActionOutcome};
use crate::domain::adoption::Repair;
use crate::domain::decision::Verb;
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::holding::plan_of;
use crate::domain::id::{EventId, MachineId, PlanName};
use crate::domain::machine::Machine;
use crate::domain::operator::Repaired;
use crate::domain::ordered::is_asked;
use crate::domain::standing::Standing;
use crate::domain::time::Timestamp;
use crate::engine::read::view;

/// Work for an order that one thing holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldWork {
    /// What holds it.
    pub by: HeldBy,
    /// How many actions.
    pub actions: u32,
    /// The command that lets it go.
    pub released_by: String,
}

/// What of a decision about a purchase is held.
pub(super) fn held_for(
    context: &Context,
    machine: &MachineId,
    verb: &Verb,
    decision: &EventId,
) -> Result<Vec<HeldWork>, Failure> {
    let machine = view::machine(context.handle.reader(), machine)?;
    let asked = |a: &Action| is_asked(a, verb, decision);
    let held = machine.iter().flat_map(|m| held_of(context, m, &asked));
    Ok(joined(held))
}

/// The repair of purchases that an operator chose.
#[derive(Clone, Copy)]
pub(super) struct ChosenRepair {
    pub(super) repair: Repair,
    /// Whether it ends keys: else it only gives.
    pub(super) takes: bool,
}

/// What of a repair of purchases is held. What comes of a read, or of a recovery of a license, is not known yet: where it would
/// only be observed, that is held.
pub(super) fn held_for_repair(
    context: &Context,
    machines: &[MachineId],
    chosen: ChosenRepair,
) -> Result<Vec<HeldWork>, Failure> {
    let now = context.handle.clock().now();
    let mut held = Vec::new();
    for id in machines {
        let Some(machine) = view::machine(context.handle.reader(), id)? else {
            continue;
        };
        let meant = |a: &Action| is_meant(&machine, a, chosen, now);
        let mut of_it = held_of(context, &machine, &meant);
        let looks = |a: &&Action| a.outcome == ActionOutcome::Pending && a.act.creates();
        let actions = machine.actions.iter().filter(looks);
        let plans = actions.filter(|a| meant(a)).map(|a| plan_of(&machine, a));
        of_it.extend(plans.filter_map(|plan| observed(context, plan)));
        if matches!(chosen.repair, Repair::Read | Repair::Rekey) && of_it.is_empty() {
            let mut grants = machine.grants.iter().filter(|g| !g.replaced);
            of_it.extend(grants.find_map(|g| observed(context, g.plan.as_ref())));
        }
        held.append(&mut of_it);
    }
    Ok(joined(held))
}

/// Whether a repair asks for what an action does.
fn is_meant(machine: &Machine, action: &Action, chosen: ChosenRepair, now: Timestamp) -> bool {
    match chosen.repair {
        Repair::Read => {
            matches!(action.act, Act::Read { .. }) || Repaired::Lacking.has(machine, action, now)
        }
        Repair::Retry if chosen.takes => Repaired::Taking.has(machine, action, now),
        Repair::Retry => Repaired::Giving.has(machine, action, now),
        Repair::Rekey => matches!(
            action.act,
            Act::Create(_) | Act::Revoke { .. } | Act::Read { .. }
        ),
        Repair::Hear => false,
    }
}

/// What is to come of a plan, where that is only observed.
fn observed(context: &Context, plan: Option<&PlanName>) -> Option<HeldWork> {
    let standing = context.handle.standing();
    let order = standing.observes(plan)?;
    Some(HeldWork {
        by: HeldBy::Observe,
        actions: 1,
        released_by: go_live(&order.what),
    })
}

/// The held actions of a purchase of which something holds, each by itself.
fn held_of(
    context: &Context,
    machine: &Machine,
    is_meant: &dyn Fn(&Action) -> bool,
) -> Vec<HeldWork> {
    let actions = machine.actions.iter();
    let held = actions.filter(|a| a.outcome == ActionOutcome::Held && is_meant(a));
    let held = held.filter_map(|action| {
        let hold = action.held.as_ref()?;
        Some(HeldWork {
            by: hold.by(),
            actions: 1,
            released_by: released_by(context, machine, action, hold),
        })
    });
    held.collect()
}

/// Held work by what holds it. Where no one command lets all of it go, the list says which does.
pub fn joined(held: impl IntoIterator<Item = HeldWork>) -> Vec<HeldWork> {
    let mut found: BTreeMap<HeldBy, HeldWork> = BTreeMap::new();
    for work in held {
        let Some(known) = found.get_mut(&work.by) else {
            found.insert(work.by, work);
            continue;
        };
        known.actions += work.actions;
        if known.released_by != work.released_by {
            known.released_by = "keyward held".to_owned();
        }
    }
    found.into_values().collect()
}

/// What ends an order by which something is only observed.
fn go_live(order: &Standing) -> String {
    if let Standing::Observe { plan: Some(plan) } = order {
        return format!("keyward go-live --plan {plan} --reason …");
    }
    "keyward go-live --reason …".to_owned()
}

fn released_by(context: &Context, machine: &Machine, action: &Action, hold: &Hold) -> String {
    let name = format!("{}#{}", machine.id, action.id);
    match hold {
        Hold::Observed => {
            let standing = context.handle.standing();
            let order = standing.observes(plan_of(machine, action));
            order.map_or_else(
                || "keyward go-live --reason …".to_owned(),
                |order| go_live(&order.what),
            )
        }
        Hold::Paused { .. } => {
            let service = context.services.get(&machine.source);
            format!(
                "keyward resume --service {} --reason …",
                service.copied().unwrap_or_default()
            )
        }
        Hold::OtherHandler => format!("keyward resume --source {} --reason …", machine.source),
        Hold::OtherService { at } => format!("keyward move-licenses --from {}", at.as_str()),
        Hold::Person { .. } | Hold::TimeNotTrusted(_) => format!("keyward retry {name}"),
        Hold::Guard | Hold::Adoption | Hold::BeginningUnknown => {
            format!("keyward held approve {name} --reason …")
        }
    }
}
