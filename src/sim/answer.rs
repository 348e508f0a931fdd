//! Replay's answer: what became of everything, as JSON. This shape is relied on from outside.

use serde::ser::{Error as _, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::world::{Simulation, SimulationError};
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
    /// Why.
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
#[derive(Clone, Debug)]
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
        let (mut machines, mut parked, mut ignored, mut applied) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        each_machine(world, &mut |machine| {
            machines.push(machine);
            true
        })?;
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

/// The same as an [`ReplayReport`], written without ever being held as a whole.
#[derive(Clone, Copy)]
pub struct StreamedReport<'w>(pub &'w Simulation);

impl Serialize for StreamedReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(world) = *self;
        let parked: Each<Parked> = |world, visit| {
            each_event(world, &mut |became| {
                if let EventOutcome::Parked(event) = became {
                    visit(event)
                } else {
                    true
                }
            })
        };
        let ignored: Each<Ignored> = |world, visit| {
            each_event(world, &mut |became| {
                if let EventOutcome::Ignored(event) = became {
                    visit(event)
                } else {
                    true
                }
            })
        };
        let applied: Each<Applied> = |world, visit| {
            each_event(world, &mut |became| {
                if let EventOutcome::Applied(event) = became {
                    visit(event)
                } else {
                    true
                }
            })
        };
        let mut answer = serializer.serialize_struct("Answer", 5)?;
        answer.serialize_field("until", &world.now)?;
        answer.serialize_field("machines", &Listed(world, each_machine))?;
        answer.serialize_field("parked", &Listed(world, parked))?;
        answer.serialize_field("ignored", &Listed(world, ignored))?;
        answer.serialize_field("applied", &Listed(world, applied))?;
        answer.end()
    }
}

/// Visits things of a kind, until the visitor has enough.
type Each<T> = fn(&Simulation, &mut dyn FnMut(T) -> bool) -> Result<(), SimulationError>;

/// Things that are written as they are visited.
struct Listed<'w, T>(&'w Simulation, Each<T>);

impl<T: Serialize> Serialize for Listed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(world, each) = self;
        let mut list = serializer.serialize_seq(None)?;
        let mut failed = None;
        let mut write = |element: T| {
            failed = list.serialize_element(&element).err();
            failed.is_none()
        };
        each(world, &mut write).map_err(S::Error::custom)?;
        failed.map_or_else(|| list.end(), Err)
    }
}

/// Visits every machine, in the order of its id, until the visitor has enough.
///
/// # Errors
/// [`SimulationError`].
pub fn each_machine(
    world: &Simulation,
    visit: &mut dyn FnMut(MachineView) -> bool,
) -> Result<(), SimulationError> {
    let mut failed = None;
    view::machines(&world.store, |machine| match viewed(world, &machine) {
        Ok(view) => visit(view),
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn viewed(world: &Simulation, machine: &Machine) -> Result<MachineView, SimulationError> {
    let named = machine
        .facts
        .iter()
        .rev()
        .find_map(|f| f.customer().cloned());
    let on_record = match named {
        Some(id) => view::customer(&world.store, machine.id.scope(), &id)?,
        None => None,
    };
    let email = on_record.filter(|c| !c.deleted).and_then(|c| c.email);
    Ok(MachineView::of(
        machine,
        email.as_deref(),
        &world.rules.revisions,
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
                machine: machine.map(|m| m.to_string()),
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
