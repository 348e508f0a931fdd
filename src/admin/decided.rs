//! A person's decision about one purchase is handed in, and what comes of it is told.

use super::context::Context;
use super::failure::Failure;
use super::held_work::held_for;
use super::response::{Changed, OutOfReach, Response};
use crate::adopt::last_four;
use crate::domain::decision::{Decision, Verb};
use crate::domain::id::{EventId, MachineId};
use crate::domain::machine::Grant;
use crate::domain::service_move::{ServiceKind, working_left};
use crate::domain::time::Timestamp;
use crate::engine::input::Input;
use crate::engine::read::view;

pub(super) async fn decided(
    context: &Context,
    machine: MachineId,
    (id, decision): (String, Decision),
    at: Timestamp,
) -> Result<Response, Failure> {
    let (event, verb) = (EventId::new(&id), decision.verb.clone());
    let input = Input::Decision {
        machine: machine.clone(),
        id: event.clone(),
        decision,
        at,
    };
    context.submit(&machine, input).await?;
    let of = machine.clone();
    let (held, out_of_reach) = context
        .read(move |context| {
            let held = held_for(context, &of, &verb, &event)?;
            Ok((held, out_of_reach(context, &of, &verb)?))
        })
        .await?;
    Ok(Response::Changed(Changed {
        machines: vec![machine.to_string()],
        decision: Some(id),
        held,
        out_of_reach,
        ..Changed::default()
    }))
}

/// The licenses that a revocation should have ended, and that are where nobody can be asked.
fn out_of_reach(
    context: &Context,
    machine: &MachineId,
    verb: &Verb,
) -> Result<Vec<OutOfReach>, Failure> {
    if *verb != Verb::Revoke {
        return Ok(Vec::new());
    }
    let Some(machine) = view::machine(context.handle.reader(), machine)? else {
        return Ok(Vec::new());
    };
    let rules = context.handle.rules();
    let Some(here) = ServiceKind::named(rules.source(&machine.source).service) else {
        return Ok(Vec::new());
    };
    let left = working_left(&machine, (here, false), context.handle.clock().now());
    let row = |(grant, at): (&Grant, ServiceKind)| OutOfReach {
        number: grant.number,
        key: last_four(&grant.key),
        at,
    };
    Ok(left.map(row).collect())
}
