//! A person's decision about one purchase is handed in, and what comes of it is told.

use super::context::Context;
use super::failure::Failure;
use super::held_work::held_for;
use super::response::{Changed, Response};
use crate::domain::decision::Decision;
use crate::domain::id::{EventId, MachineId};
use crate::domain::time::Timestamp;
use crate::engine::input::Input;

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
    let held = context
        .read(move |context| held_for(context, &of, &verb, &event))
        .await?;
    Ok(Response::Changed(Changed {
        machines: vec![machine.to_string()],
        decision: Some(id),
        held,
        ..Changed::default()
    }))
}
