//! What an order asks for and something holds all the same: whoever gave it is told, with what lets it go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::failure::Failure;
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::decision::Verb;
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::holding::plan_of;
use crate::domain::id::{EventId, MachineId};
use crate::domain::machine::Machine;
use crate::domain::ordered::is_asked;
use crate::domain::standing::Standing;
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
    let Some(machine) = view::machine(context.handle.reader(), machine)? else {
        return Ok(Vec::new());
    };
    let is_held = |a: &&Action| a.outcome == ActionOutcome::Held && is_asked(a, verb, decision);
    let mut found: BTreeMap<HeldBy, HeldWork> = BTreeMap::new();
    for action in machine.actions.iter().filter(is_held) {
        let Some(hold) = &action.held else {
            continue;
        };
        let by = hold.by();
        let work = found.entry(by).or_insert_with(|| HeldWork {
            by,
            actions: 0,
            released_by: released_by(context, &machine, action, hold),
        });
        work.actions += 1;
    }
    Ok(found.into_values().collect())
}

fn released_by(context: &Context, machine: &Machine, action: &Action, hold: &Hold) -> String {
    let name = format!("{}#{}", machine.id, action.id);
    match hold {
        Hold::Observed => {
            let standing = context.handle.standing();
            let order = standing.observes(plan_of(machine, action));
            match order.map(|o| &o.what) {
                Some(Standing::Observe { plan: Some(plan) }) => {
                    format!("keyward go-live --plan {plan} --reason …")
                }
                _ => "keyward go-live --reason …".to_owned(),
            }
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
