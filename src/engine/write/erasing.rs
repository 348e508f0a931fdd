//! A customer's data is erased: out of purchases, the customer's own record, the index of addresses, and the bodies of events.

use super::transaction::Transaction;
use crate::domain::customer::Customer;
use crate::domain::decide;
use crate::domain::erasure::{addresses, forget_in_fact, forget_person};
use crate::domain::fact::Fact;
use crate::domain::id::MachineId;
use crate::engine::input::{ErasedBody, Erasure, Receipt};
use crate::engine::record::{self, EventRecord, RecordError, View, key, standing};

/// Carries it out. Repeating it changes nothing more.
pub(super) fn carry_out(
    tx: &mut Transaction<'_, '_>,
    erasure: &Erasure,
) -> Result<Receipt, RecordError> {
    match erasure {
        Erasure::Purchase { machine, decision } => purchase(tx, machine, decision),
        Erasure::Bodies(bodies) => {
            for body in bodies {
                event(tx, body)?;
            }
            Ok(Receipt::Done)
        }
        Erasure::Orders { scope, customer } => {
            standing::forget_customer(tx.working, scope, customer)
        }
    }
}

fn purchase(
    tx: &mut Transaction<'_, '_>,
    id: &MachineId,
    decision: &Fact,
) -> Result<Receipt, RecordError> {
    let Some((mut machine, _)) = tx.working.take_machine(id)? else {
        return Ok(Receipt::Unknown);
    };
    let before = tx.working.dues(&machine);
    let scope = id.scope().clone();
    let mut known = addresses(&machine);
    if let Some(customer) = machine.customer() {
        let entry = key::customer(&scope, customer);
        let kept: Option<Customer> = record::get(tx.working, &entry)?;
        if let Some(kept) = kept {
            known.extend(kept.email.clone());
            let bare = Customer {
                email: None,
                name: None,
                ..kept
            };
            record::put(tx.working, entry, &bare)?;
        }
    }
    for address in &known {
        leave_index(tx, key::by_address(address), id)?;
    }
    forget_person(&mut machine);
    decide::add_fact(&mut machine, decision);
    tx.settle_and_write(&scope, machine, None, &before)?;
    Ok(Receipt::Done)
}

fn leave_index(
    tx: &mut Transaction<'_, '_>,
    entry: Vec<u8>,
    id: &MachineId,
) -> Result<(), RecordError> {
    let mut ids: Vec<MachineId> = record::get(tx.working, &entry)?.unwrap_or_default();
    let had = ids.len();
    ids.retain(|other| other != id);
    if ids.is_empty() {
        record::delete(tx.working, entry)?;
    } else if ids.len() < had {
        record::put(tx.working, entry, &ids)?;
    }
    Ok(())
}

/// An event's body, and its fact where that waits for its purchase.
fn event(tx: &mut Transaction<'_, '_>, erased: &ErasedBody) -> Result<(), RecordError> {
    let entry = key::event(&erased.scope, &erased.event);
    if let Some(kept) = record::get::<EventRecord>(tx.working, &entry)? {
        let raw = erased.raw.clone();
        record::put(tx.working, entry, &EventRecord { raw, ..kept })?;
    }
    let entry = key::waiting(&erased.scope, &erased.event);
    if tx.working.get(&entry)?.is_some()
        && let Some(mut fact) = record::get::<Fact>(tx.working, &entry)?
    {
        forget_in_fact(&mut fact);
        record::put(tx.working, entry, &fact)?;
    }
    Ok(())
}
