//! Loads and writes the two machines between which something moves, in one batch, so that a license is never listed twice.
//! What moves is `domain/transfer.rs`.

use std::collections::BTreeSet;

use crate::domain::decide::Verdict;
use crate::domain::id::{CustomerId, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::transfer::{self, Attempts, apart};
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventRecord, RecordError, View};
use crate::engine::route::extend;
use crate::engine::write::dues::dues;
use crate::engine::write::transaction::Transaction;

/// The most machines of a customer that are looked at for a license to bring back, or for who waits for it.
const OF_CUSTOMER_MAX: usize = 100;

/// Moves everything of an invoice's machine to the session's.
pub(in crate::engine) fn take_over(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    old: &MachineId,
) -> Result<(), RecordError> {
    let kept = record::machine(tx.working, old)?;
    let Some(from) = kept.filter(|m| !apart(m.livemode, machine.livemode)) else {
        return Ok(());
    };
    for due in dues(&from) {
        tx.working.delete(due);
    }
    rename(tx, scope, &from, &machine.id)?;
    tx.working.delete_machine(old)?;
    let attempts = Attempts {
        own: on_disk(tx, machine)?,
        incoming: on_disk(tx, &from)?,
        land_until: tx.context.at
            + tx.context
                .rules
                .source(&machine.source)
                .abilities
                .request_timeout,
    };
    for action in &attempts.incoming {
        tx.working.delete(key::attempt(old, *action));
    }
    transfer::take_over(machine, from, &attempts, tx.context.at);
    extend::rename(tx, machine, old)
}

/// Leads every name of a machine, and the records of its events, to another.
fn rename(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    from: &Machine,
    to: &MachineId,
) -> Result<(), RecordError> {
    for grant in &from.grants {
        let entry = key::by_key(scope, &grant.key);
        tx.working.put(entry, to.to_string().into_bytes());
    }
    for fact in &from.facts {
        for name in fact.names() {
            tx.working
                .put(key::link(scope, name.as_str()), to.to_string().into_bytes());
        }
        let entry = key::event(scope, &fact.id);
        if let Some(mut kept) = record::get::<EventRecord>(tx.working, &entry)? {
            kept.disposition = Disposition::Applied(Some(to.clone()));
            record::put(tx.working, entry, &kept)?;
        }
    }
    tx.working.put(
        key::link(scope, from.object().as_str()),
        to.to_string().into_bytes(),
    );
    Ok(())
}

/// The actions of a machine whose attempt is on disk.
fn on_disk(tx: &Transaction<'_, '_>, machine: &Machine) -> Result<BTreeSet<u32>, RecordError> {
    let mut out = BTreeSet::new();
    for action in &machine.actions {
        if tx
            .working
            .get(&key::attempt(&machine.id, action.id))?
            .is_some()
        {
            out.insert(action.id);
        }
    }
    Ok(out)
}

/// The customer's other machines: of more than can be looked at, the first.
pub(super) fn others_of(
    view: &dyn View,
    scope: &Scope,
    customer: &CustomerId,
    machine: &MachineId,
) -> Result<Vec<MachineId>, RecordError> {
    let range = key::under(Table::ByCustomer, scope, &[customer.as_str()]);
    let entries = view.range(&range, OF_CUSTOMER_MAX)?;
    let ids = entries
        .iter()
        .filter_map(|(entry, _)| key::machine_of(entry));
    Ok(ids.filter(|id| id != machine).collect())
}

/// Gives a new subscription the license of the same customer's ended one, if the policy says so. Returns whether it did.
pub(in crate::engine) fn resubscription(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    settled: &Verdict,
) -> Result<bool, RecordError> {
    let Some(customer) = &settled.folded.contact.customer else {
        return Ok(false);
    };
    let (revisions, standing) = (&tx.context.rules.revisions, tx.context.standing);
    let wanted = transfer::restorable(machine, &settled.folded, revisions, standing, tx.context.at);
    if wanted.is_empty() {
        return Ok(false);
    }
    let former = others_of(tx.working, scope, customer, &machine.id)?;
    let mut moved = false;
    for create in wanted {
        if tx
            .working
            .get(&key::attempt(&machine.id, create))?
            .is_some()
        {
            continue;
        }
        for id in &former {
            let Some(mut old) = record::machine(tx.working, id)? else {
                continue;
            };
            let before = dues(&old);
            if transfer::restore(machine, create, &mut old, tx.context.at) {
                tx.write(old, None, &before)?;
                moved = true;
                break;
            }
        }
    }
    Ok(moved)
}
