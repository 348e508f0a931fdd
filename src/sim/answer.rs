//! Replay's answer: what became of everything, as JSON. This shape is relied on from outside.

use serde::Serialize;

use super::world::{Stuck, World};
use crate::domain::time::Timestamp;
use crate::engine::key;
use crate::engine::record::{self, Disposition, EventRecord};
use crate::engine::transact::scope_of;
use crate::engine::view::{self, Keys, MachineView};
use crate::engine::working::Committed;

/// What became of a history.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
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

impl Answer {
    /// What a world has come to.
    ///
    /// # Errors
    /// [`Stuck`].
    pub fn of(world: &World) -> Result<Self, Stuck> {
        let mut answer = Self {
            until: world.now,
            machines: Vec::new(),
            parked: Vec::new(),
            ignored: Vec::new(),
            applied: Vec::new(),
        };
        let mut machines = Vec::new();
        view::machines(&world.store, |m| {
            machines.push(m);
            true
        })?;
        for machine in &machines {
            let named = machine.facts.iter().rev().find_map(crate::sim::answer::customer_of);
            let on_record = match named {
                Some(id) => view::customer(&world.store, &scope_of(machine), &id)?,
                None => None,
            };
            let email = on_record.filter(|c| !c.deleted).and_then(|c| c.email);
            let view = MachineView::of(machine, email.as_deref(), &world.rules.revisions, world.now, Keys::Hidden);
            answer.machines.push(view);
        }
        for (scope, id) in &world.events {
            let record: Option<EventRecord> = record::get(&Committed(&world.store), &key::event(scope, id))?;
            let Some(record) = record else { continue };
            let (event, kind) = (id.to_string(), record.kind);
            match record.disposition {
                Disposition::Applied(machine) => {
                    answer.applied.push(Applied { event, kind, machine: machine.map(|m| m.to_string()) });
                }
                Disposition::Parked(names) => {
                    let waits_for = names.into_iter().next().unwrap_or_default();
                    answer.parked.push(Parked { event, kind, waits_for });
                }
                Disposition::Ignored(reason) => answer.ignored.push(Ignored { event, kind, reason }),
            }
        }
        Ok(answer)
    }
}

fn customer_of(fact: &crate::domain::fact::Fact) -> Option<crate::domain::id::CustomerId> {
    use crate::domain::fact::Says;
    match &fact.says {
        Says::Session(s) => s.customer.clone(),
        Says::Subscription(s) => s.customer.clone(),
        Says::Invoice(i) => i.customer.clone(),
        Says::Charge(c) => c.customer.clone(),
        Says::Payment(_)
        | Says::Refund(_)
        | Says::Dispute(_)
        | Says::FraudWarning(_)
        | Says::Decision(_)
        | Says::LineItems(_) => None,
    }
}
