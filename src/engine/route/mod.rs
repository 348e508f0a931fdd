//! Which machine a fact belongs to: finds what its names are linked to; where it goes by that is `domain/routing.rs`.
//!
//! `unpark` links names and takes in what waited for them, `expire_parked` gives up what waited too long, `query` asks
//! Stripe for links, `reparse` reads again what an older binary could not, `transfer` moves licenses between two machines,
//! `awaited` says which purchase waits for a license of another one, `extend` finds the license to which a purchase adds its time,
//! and `key_limits` refuses ids that fit into no key.

pub(crate) mod awaited;
pub(crate) mod expire_parked;
pub(in crate::engine) mod extend;
pub(in crate::engine) mod key_limits;
pub mod parked_query;
pub(crate) mod reparse;
pub(in crate::engine) mod transfer;
pub(in crate::engine) mod unpark;

use super::record::key;
use super::record::{self, RecordError, View};
use crate::domain::fact::{Fact, Name};
use crate::domain::id::{LicenseKey, MachineId, Scope};
use crate::domain::revision::Revisions;
use crate::domain::routing::{self, Route, machine_id};

/// Finds a fact's machine.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn route(
    view: &dyn View,
    scope: &Scope,
    fact: &Fact,
    revisions: &Revisions,
) -> Result<Route, RecordError> {
    let mut links = Vec::new();
    for name in routing::asks(fact) {
        if let Some(machine) = named(view, scope, &name)? {
            links.push((name, machine));
        }
    }
    Ok(routing::route(scope, fact, &links, revisions))
}

/// The machine that a fact's name is linked to. Payments and charges are never machines themselves.
fn named(view: &dyn View, scope: &Scope, name: &Name) -> Result<Option<MachineId>, RecordError> {
    match name {
        Name::PaymentIntent(_) | Name::Charge(_) => linked(view, scope, name.as_str()),
        Name::Session(_) | Name::Subscription(_) | Name::Invoice(_) => {
            machine_named(view, scope, name.as_str())
        }
    }
}

fn linked(view: &dyn View, scope: &Scope, name: &str) -> Result<Option<MachineId>, RecordError> {
    led_to(view, &key::link(scope, name))
}

/// The machine that has the license of a key.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn of_key(
    view: &dyn View,
    scope: &Scope,
    license: &LicenseKey,
) -> Result<Option<MachineId>, RecordError> {
    led_to(view, &key::by_key(scope, license))
}

fn led_to(view: &dyn View, entry: &[u8]) -> Result<Option<MachineId>, RecordError> {
    let bytes = view.get(entry)?;
    Ok(bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()))
}

/// The machine that a name is linked to.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn machine_named(
    view: &dyn View,
    scope: &Scope,
    name: &str,
) -> Result<Option<MachineId>, RecordError> {
    let id = linked(view, scope, name)?;
    if id.is_some() {
        return Ok(id);
    }
    // A machine's own object needs no link.
    let own = machine_id(scope, name);
    Ok(record::has_machine(view, &own)?.then_some(own))
}
