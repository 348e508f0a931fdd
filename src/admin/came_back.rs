//! Customers who came back: a subscription that was taken in without a key goes on with the license of their ended one (rule
//! 35), so that license is not ended first.

use super::context::Context;
use super::failure::Failure;
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::guard::is_hurtful;
use crate::domain::hold::Hold;
use crate::domain::holding::plan_of;
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::engine::read::view;

fn by_adoption<'a>(machine: &'a Machine) -> impl Iterator<Item = &'a Action> {
    let held = |a: &&'a Action| a.outcome == ActionOutcome::Held && a.held == Some(Hold::Adoption);
    machine.actions.iter().filter(held)
}

/// Makes sure that an approved end takes no license that another purchase of the customer waits for.
///
/// # Errors
/// Which purchase does, and what to say first.
pub(super) fn is_awaited(context: &Context, id: &MachineId, number: u32) -> Result<(), Failure> {
    let reader = context.handle.reader();
    let Some(machine) = view::machine(reader, id)? else {
        return Ok(());
    };
    let now = context.handle.clock().now();
    let ends = |a: &&Action| a.id == number && is_hurtful(&machine, a, now);
    let (Some(end), Some(customer)) = (by_adoption(&machine).find(ends), machine.customer()) else {
        return Ok(());
    };
    let plan = plan_of(&machine, end);
    for other in view::of_customer(reader, id.scope(), customer)? {
        let Some(waiting) = view::machine(reader, &other)?.filter(|_| other != *id) else {
            continue;
        };
        let creates = |a: &&Action| a.act.creates() && plan_of(&waiting, a) == plan;
        let Some(create) = by_adoption(&waiting).find(creates).map(|a| a.id) else {
            continue;
        };
        return Err(Failure::input(format!(
            "{other} of the same customer has no key yet, and goes on with this license: nothing was changed"
        ))
        .hint(format!(
            "`keyward held approve {other}#{create} --reason …` first; `keyward revoke {id} --reason …` ends the license all the same"
        )));
    }
    Ok(())
}
