//! The index of machines by e-mail address, from which the customer portal finds what is somebody's. Entries are only ever
//! added: whoever reads one asks the machine whether the address still has to do with it.

use super::transaction::Transaction;
use crate::domain::contact::Contact;
use crate::domain::customer::Customer;
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::engine::record::{self, RecordError, key};

/// Notes the addresses that a machine has to do with.
pub(super) fn note(
    tx: &mut Transaction<'_, '_>,
    machine: &Machine,
    contact: &Contact,
    customer: Option<&Customer>,
) -> Result<(), RecordError> {
    // A simulation has no portal.
    if tx.working.keeps_machines() {
        return Ok(());
    }
    let on_record = customer.filter(|c| !c.deleted);
    for address in contact.addresses(on_record.and_then(|c| c.email.as_deref())) {
        add(tx, key::by_address(&address), &machine.id)?;
    }
    Ok(())
}

fn add(tx: &mut Transaction<'_, '_>, entry: Vec<u8>, id: &MachineId) -> Result<(), RecordError> {
    let mut ids: Vec<MachineId> = record::get(tx.working, &entry)?.unwrap_or_default();
    if ids.len() < key::OF_ADDRESS_MAX && !ids.contains(id) {
        ids.push(id.clone());
        record::put(tx.working, entry, &ids)?;
    }
    Ok(())
}
