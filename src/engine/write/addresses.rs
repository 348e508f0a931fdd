//! The index of machines by e-mail address, from which the customer portal finds what is somebody's. Entries are only ever
//! added: whoever reads one asks the machine whether the address still has to do with it.

use super::transaction::Transaction;
use crate::domain::contact::Contact;
use crate::domain::customer::Customer;
use crate::domain::id::{MachineId, Scope};
use crate::domain::lifecycle::Kind;
use crate::domain::machine::Machine;
use crate::engine::record::{RecordError, View, key};

/// The most purchases of one customer that are found again when the address changes.
const PURCHASES_MAX: usize = 200;

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
        add(tx, key::by_address(&address, &machine.id))?;
    }
    if let (Kind::Payment, Some(customer)) = (machine.kind, &contact.customer) {
        add(tx, key::by_payer(machine.id.scope(), customer, &machine.id))?;
    }
    Ok(())
}

/// Notes a customer's new address for the purchases that are not settled because of it.
pub(super) fn changed(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    customer: &Customer,
) -> Result<(), RecordError> {
    let Some(address) = customer.email.as_deref().filter(|_| !customer.deleted) else {
        return Ok(());
    };
    let range = key::of_payer(scope, &customer.id);
    let entries = tx.working.range(&range, PURCHASES_MAX)?;
    let machines: Vec<MachineId> = entries
        .iter()
        .filter_map(|(entry, _)| key::machine_of(entry))
        .collect();
    for machine in machines {
        add(tx, key::by_address(address, &machine))?;
    }
    Ok(())
}

fn add(tx: &mut Transaction<'_, '_>, entry: Vec<u8>) -> Result<(), RecordError> {
    if tx.working.get(&entry)?.is_none() {
        tx.working.put(entry, Vec::new());
    }
    Ok(())
}
