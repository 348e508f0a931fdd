//! Replay's answer: what became of everything, as JSON. This shape is relied on from outside.

use serde::Serialize;

use super::world::{Simulation, SimulationError};
use crate::domain::lifecycle::Folded;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::read::view::{self, Keys, MachineView};
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key;
use crate::engine::record::{self, EventRecord};
use crate::engine::write::working::Committed;

/// What became of a history.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayReport {
    /// The instant that it shows.
    pub until: Timestamp,
    /// Every machine.
    pub machines: Vec<MachineView>,
    /// What waits for its machine.
    pub parked: Vec<Parked>,
    /// What changes nothing.
    pub ignored: Vec<Ignored>,
    /// What belongs to a machine.
    pub applied: Vec<Applied>,
}

/// An event that waits.
#[derive(Clone, Debug, Serialize)]
pub struct Parked {
    /// The event.
    pub event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name that it waits for.
    pub waits_for: String,
}

/// An event that changes nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Ignored {
    /// The event.
    pub event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason that was given.
    pub reason: String,
}

/// An event that was applied.
#[derive(Clone, Debug, Serialize)]
pub struct Applied {
    /// The event.
    pub event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its machine; null for a record of its own (a customer, a link).
    pub machine: Option<String>,
}

/// What became of one event.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum EventOutcome {
    /// It belongs to a machine.
    Applied(Applied),
    /// It waits.
    Parked(Parked),
    /// It changes nothing.
    Ignored(Ignored),
}

impl ReplayReport {
    /// What a world has come to, all of it at once.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn of(world: &Simulation) -> Result<Self, SimulationError> {
        let mut machines: Vec<MachineView> = machines(world).collect::<Result<_, _>>()?;
        machines.sort_by(|a, b| a.id.cmp(&b.id));
        let (mut parked, mut ignored, mut applied) = (Vec::new(), Vec::new(), Vec::new());
        each_event(world, &mut |became| {
            match became {
                EventOutcome::Applied(event) => applied.push(event),
                EventOutcome::Parked(event) => parked.push(event),
                EventOutcome::Ignored(event) => ignored.push(event),
            }
            true
        })?;
        Ok(Self {
            until: world.now,
            machines,
            parked,
            ignored,
            applied,
        })
    }
}

/// Every machine as it is at the world's instant.
pub fn machines(world: &Simulation) -> impl Iterator<Item = Result<MachineView, SimulationError>> {
    let all = world.all_folded();
    all.map(|(machine, folded)| viewed(world, machine, &folded))
}

fn viewed(
    world: &Simulation,
    machine: &Machine,
    folded: &Folded,
) -> Result<MachineView, SimulationError> {
    let on_record = match machine.customer() {
        Some(id) => view::customer(&world.store, machine.id.scope(), id)?,
        None => None,
    };
    let email = on_record.filter(|c| !c.deleted).and_then(|c| c.email);
    Ok(MachineView::of(
        machine,
        folded,
        email.as_deref(),
        world.now,
        Keys::Hidden,
    ))
}

/// Visits every event, in the order in which they first came, until the visitor has enough.
///
/// # Errors
/// [`SimulationError`].
pub fn each_event(
    world: &Simulation,
    visit: &mut dyn FnMut(EventOutcome) -> bool,
) -> Result<(), SimulationError> {
    for (scope, id) in &world.events {
        let record: Option<EventRecord> =
            record::get(&Committed(&world.store), &key::event(scope, id))?;
        let Some(record) = record else { continue };
        let (event, kind) = (id.to_string(), record.kind);
        let became = match record.disposition {
            Disposition::Applied(machine) => EventOutcome::Applied(Applied {
                event,
                kind,
                machine: machine.map(String::from),
            }),
            Disposition::Parked(names) => EventOutcome::Parked(Parked {
                event,
                kind,
                waits_for: names.into_iter().next().unwrap_or_default(),
            }),
            Disposition::Ignored(_) | Disposition::Unreadable(_) => {
                let reason = record.disposition.why_ignored().unwrap_or_default();
                EventOutcome::Ignored(Ignored {
                    event,
                    kind,
                    reason,
                })
            }
        };
        if !visit(became) {
            break;
        }
    }
    Ok(())
}
