//! Which purchases an e-mail address has to do with: by the index, then by asking each of them.

use crate::domain::contact::Holder;
use crate::domain::id::{MachineId, SourceName};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::domain::transfer::apart;
use crate::engine::input::Rules;
use crate::engine::read::view;
use crate::engine::record::{self, RecordError, key};
use crate::engine::write::working::Committed;
use crate::store::Read;

/// A purchase that an address has to do with, and what.
#[derive(Debug)]
pub struct HeldPurchase {
    /// The purchase.
    pub machine: Machine,
    /// What the address has to do with it.
    pub holder: Holder,
}

/// The purchases that an address has to do with at present, in the store's order.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn purchases(
    reader: &dyn Read,
    rules: &Rules,
    address: &str,
    now: Timestamp,
) -> Result<Vec<HeldPurchase>, RecordError> {
    let mut found = Vec::new();
    for id in noted(reader, address)? {
        let Some(machine) = view::machine(reader, &id)? else {
            continue;
        };
        let holder = holder(reader, rules, &machine, address, now)?;
        if holder.is_any() {
            found.push(HeldPurchase { machine, holder });
        }
    }
    Ok(found)
}

/// The source of the first purchase that an address has to do with; `None`: there is none.
///
/// # Errors
/// As [`purchases`].
pub fn first(
    reader: &dyn Read,
    rules: &Rules,
    address: &str,
    now: Timestamp,
) -> Result<Option<SourceName>, RecordError> {
    for id in noted(reader, address)? {
        if let Some(machine) = view::machine(reader, &id)?
            && holder(reader, rules, &machine, address, now)?.is_any()
        {
            return Ok(Some(machine.source));
        }
    }
    Ok(None)
}

fn noted(reader: &dyn Read, address: &str) -> Result<Vec<MachineId>, RecordError> {
    let noted = record::get(&Committed(reader), &key::by_address(address))?;
    Ok(noted.unwrap_or_default())
}

fn holder(
    reader: &dyn Read,
    rules: &Rules,
    machine: &Machine,
    address: &str,
    now: Timestamp,
) -> Result<Holder, RecordError> {
    let folded = machine.folded(&rules.revisions, now);
    let customer = match &folded.contact.customer {
        Some(id) => view::customer(reader, machine.id.scope(), id)?,
        None => None,
    };
    let on_record = customer.filter(|c| !c.deleted && !apart(c.livemode, machine.livemode));
    let on_record = on_record.and_then(|c| c.email);
    Ok(folded.contact.holder(address, on_record.as_deref()))
}
