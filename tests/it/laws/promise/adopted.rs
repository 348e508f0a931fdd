//! A shop that sold without Keyward is taken in, as `keyward adopt --apply` does it: each purchase with its history and the
//! licenses that carry its name; of one that renews soon, or whose payment is tried again, only the keys are noted.

use std::collections::BTreeSet;

use keyward::domain::adoption::{
    Asking, Class, Examined, FoundLicense, Metadata, labels_with, note_seats,
};
use keyward::domain::decide::add_fact;
use keyward::domain::entitlement::entitlement;
use keyward::domain::id::EventId;
use keyward::domain::machine::Machine;
use keyward::domain::time::Timestamp;
use keyward::engine::input::{Adopting, Adoption, Delivery, EventPayload, Input};
use keyward::sim::history::Line;

use super::service::Kept;
use super::world::World;
use crate::support::replay;

/// Takes everything in that the license service has licenses for, or owes one. `calm` knows which event tells of which purchase.
/// Says whether something waits for the next run.
pub(super) fn adopt(world: &mut World, calm: &World, before: &[Line]) -> bool {
    let mut waits = false;
    for known in calm.machines() {
        let holds = |m: &Machine| m.id == known.id && !m.grants.is_empty();
        if world.machines().iter().any(holds) {
            continue;
        }
        let own: BTreeSet<&EventId> = known.facts.iter().map(|f| &f.id).collect();
        let told = before.iter().map(|line| replay::received(line, world.now));
        let deliveries: Vec<Delivery> = told
            .filter_map(|line| {
                let Input::Delivery(delivery) = line.input else {
                    return None;
                };
                Some(*delivery)
            })
            .filter(|d| own.contains(&d.id))
            .collect();
        if let Some(adoption) = adoption(world, &known, deliveries) {
            waits |= adoption.deliveries.is_empty();
            world.put_in(&Input::Adopt(Box::new(Adopting::TakeIn(adoption))));
        }
    }
    waits
}

fn adoption(world: &World, known: &Machine, deliveries: Vec<Delivery>) -> Option<Adoption> {
    let mut machine = Machine::new(
        known.id.clone(),
        known.kind,
        known.source.clone(),
        known.livemode,
    );
    for delivery in &deliveries {
        if let EventPayload::Fact(fact) = &delivery.heard {
            add_fact(&mut machine, fact);
        }
    }
    let rules = &world.rules;
    let folded = machine.folded(&rules.revisions, world.now);
    let due = entitlement(
        &folded,
        &[],
        &rules.revisions,
        world.now,
        rules.devices_max(&machine.source),
    );
    let licenses = found(world, &machine, due.seats.len());
    let judged = Examined {
        machine: &machine,
        due: &due,
        stored: None,
        licenses: &licenses,
        suggested: false,
        retry_at: retry_at(&machine),
        has_newer: false,
        now: world.now,
    };
    let judged = judged.judge(Asking::Adoption)?;
    let waits = judged.waits.is_some();
    let leaves = judged.class == Class::Foreign || (waits && licenses.is_empty());
    let licenses = if waits {
        note_seats(&due, licenses, world.now)
    } else {
        licenses
    };
    (!leaves).then(|| Adoption {
        machine: known.id.clone(),
        kind: known.kind,
        livemode: known.livemode,
        deliveries: if waits { Vec::new() } else { deliveries },
        licenses,
    })
}

/// When the newest invoice that failed is tried again.
fn retry_at(machine: &Machine) -> Option<Timestamp> {
    let mut tried = machine.facts.iter().filter_map(|f| f.invoice());
    tried.next_back()?.next_attempt
}

/// The licenses with a purchase's name, the best first.
fn found(world: &World, machine: &Machine, bought: usize) -> Vec<FoundLicense> {
    let labels = labels_with(machine, &world.templates, &Metadata::new(), bought);
    let label = |k: &Kept| k.license.label.as_ref().map(|l| l.as_str().to_owned());
    let all = world.licenses.all.values();
    let mut own: Vec<&Kept> = all
        .filter(|k| label(k).is_some_and(|l| labels.contains(&l)))
        .collect();
    own.sort_by_key(|k| (world.rank(k), k.steps[0].at));
    own.into_iter()
        .map(|k| FoundLicense {
            key: k.license.key.clone(),
            app_id: None,
            status: Some(k.license.status),
            expires_at: Some(k.license.expires_at),
            devices: Some(k.license.devices),
            label: label(k),
            made: Some(k.steps[0].at),
            seat: None,
        })
        .collect()
}
