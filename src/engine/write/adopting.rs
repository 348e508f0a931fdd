//! A purchase that was read at Stripe is taken in: its events as if they had been delivered when they were made, and the
//! licenses that others made for it, in one batch. What only that asks for is held (`domain::holding`).

use super::dues::dues;
use super::transaction::Transaction;
use crate::domain::adoption::{
    FoundLicense, Linked, Linking, began_before, is_served, is_unread, is_untouched, link_found,
};
use crate::domain::decide::add_fact;
use crate::domain::entitlement::entitlement;
use crate::domain::fact::Fact;
use crate::domain::finding::Finding;
use crate::domain::id::{MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::service_move::ServiceKind;
use crate::domain::transfer::apart;
use crate::engine::input::{Adopting, Adoption, Delivery, EventPayload, Receipt};
use crate::engine::record::disposition::{Disposition, Reason};
use crate::engine::record::{self, EventRecord, RecordError, View, key, waiting};
use crate::engine::route::{key_limits, unpark};

/// Carries out what is done with a purchase that others served.
pub(super) fn carry_out(
    tx: &mut Transaction<'_, '_>,
    what: &Adopting,
) -> Result<Receipt, RecordError> {
    match what {
        Adopting::TakeIn(adoption) => adopt(tx, adoption),
        Adopting::Forget(machine) => undo(tx, machine),
    }
}

/// Takes a purchase in; a duplicate where all of it is known.
fn adopt(tx: &mut Transaction<'_, '_>, adoption: &Adoption) -> Result<Receipt, RecordError> {
    if adoption.deliveries.is_empty() {
        return keep_waiting(tx, adoption);
    }
    let scope = adoption.machine.scope().clone();
    let loaded = tx.working.take_machine(&adoption.machine)?;
    let before = loaded.as_ref().map(|(m, _)| tx.working.dues(m));
    let mut fresh = loaded.is_none();
    let (mut machine, fold) = loaded.unwrap_or_else(|| {
        let (id, source) = (adoption.machine.clone(), scope.source().clone());
        (
            Machine::new(id, adoption.kind, source, adoption.livemode),
            None,
        )
    });
    // rule 4.
    if apart(machine.livemode, adoption.livemode) {
        tx.working.put_back(machine, fold);
        return Ok(Receipt::Ignored(Reason::OtherModeThanPurchase.to_string()));
    }
    machine.livemode = machine.livemode.or(adoption.livemode);
    // A purchase that has a license from here, or is getting one, goes on as it is, and so does one of which an event is
    // taken in that was missed. Of one that came here by an event, with keys that others made, only now it is read what was
    // before.
    let begins = !is_served(&machine) || (is_unread(&machine) && !adoption.licenses.is_empty());
    let mut news = 0;
    for delivery in &adoption.deliveries {
        if take_in(tx, &scope, &mut machine, delivery, fresh)? {
            (news, fresh) = (news + 1, false);
        }
    }
    let under_way = tx.under_way(&machine)?;
    let linked = link(tx, &mut machine, &adoption.licenses, &under_way);
    if news == 0 && !linked.any {
        tx.working.put_back(machine, fold);
        return Ok(Receipt::Duplicate);
    }
    if begins {
        (machine.adopted_at, machine.meant) = (Some(tx.context.at), adoption.meant);
    }
    let id = machine.id.clone();
    waiting::forget(tx.working, &id)?;
    tx.settle_and_write(&scope, machine, None, &before.unwrap_or_default())?;
    Ok(Receipt::Applied(Some(id)))
}

/// Keeps the keys of a purchase that is not taken in yet; a duplicate where it has one.
fn keep_waiting(tx: &mut Transaction<'_, '_>, adoption: &Adoption) -> Result<Receipt, RecordError> {
    let known = record::machine(tx.working, &adoption.machine)?;
    if known.is_some_and(|machine| !machine.grants.is_empty()) {
        return Ok(Receipt::Duplicate);
    }
    waiting::keep(tx.working, &adoption.machine, &adoption.licenses)?;
    Ok(Receipt::Done)
}

/// Gives a purchase the keys that were found for it when it was not taken in yet (rule 52). Where an event shows some of its
/// items, the keys of the others stay noted.
pub(super) fn link_waiting(
    tx: &mut Transaction<'_, '_>,
    machine: &mut Machine,
) -> Result<(), RecordError> {
    let since = tx.context.rules.store_since;
    if !began_before(machine, since, &[]) {
        return Ok(());
    }
    let found = waiting::read(tx.working, &machine.id)?;
    if found.is_empty() {
        return Ok(());
    }
    let under_way = tx.under_way(machine)?;
    let linked = link(tx, machine, &found, &under_way);
    if linked.any && linked.waiting.is_empty() {
        waiting::forget(tx.working, &machine.id)?;
    } else if linked.any {
        waiting::keep(tx.working, &machine.id, &linked.waiting)?;
    }
    Ok(())
}

fn link(
    tx: &Transaction<'_, '_>,
    machine: &mut Machine,
    found: &[FoundLicense],
    under_way: &[u32],
) -> Linked {
    let revisions = &tx.context.rules.revisions;
    let folded = machine.folded(revisions, tx.context.at);
    let devices_max = tx.context.rules.devices_max(&machine.source);
    let due = entitlement(
        &folded,
        &machine.extensions,
        revisions,
        tx.context.at,
        devices_max,
    );
    let is_cut = folded
        .reports
        .iter()
        .any(|r| r.finding == Finding::ItemsCut);
    let of = Linking {
        due: &due,
        whole: due.complete && !is_cut,
        under_way,
        service: service_of(tx, machine),
        now: tx.context.at,
    };
    link_found(machine, found, of)
}

/// The license service where the licenses of a purchase are found.
fn service_of(tx: &Transaction<'_, '_>, machine: &Machine) -> Option<ServiceKind> {
    ServiceKind::named(tx.context.rules.source(&machine.source).service)
}

/// Forgets a purchase that was adopted and that nothing has acted on since, as if it had never been taken in, and the keys
/// that were noted for one that was not taken in yet.
fn undo(tx: &mut Transaction<'_, '_>, id: &MachineId) -> Result<Receipt, RecordError> {
    let noted = waiting::forget(tx.working, id)?;
    let Some(machine) = record::machine(tx.working, id)?.filter(is_untouched) else {
        return Ok(if noted {
            Receipt::Done
        } else {
            Receipt::Unknown
        });
    };
    let scope = id.scope();
    for due in dues(&machine) {
        tx.working.delete(due);
    }
    for fact in &machine.facts {
        for name in fact.names() {
            let entry = key::link(scope, name.as_str());
            let leads = tx.working.get(&entry)?;
            if leads.is_some_and(|bytes| bytes[..] == *id.to_string().as_bytes()) {
                tx.working.delete(entry);
            }
        }
        record::delete(tx.working, key::event(scope, &fact.id))?;
    }
    for grant in &machine.grants {
        tx.working.delete(key::by_key(scope, &grant.key));
    }
    if let Some(customer) = machine.contact().customer {
        tx.working.delete(key::by_customer(scope, &customer, id));
    }
    tx.working.delete_machine(id)?;
    Ok(Receipt::Done)
}

/// Takes an event in that is not known yet. Says whether it was.
fn take_in(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    delivery: &Delivery,
    fresh: bool,
) -> Result<bool, RecordError> {
    let entry = key::event(scope, &delivery.id);
    let EventPayload::Fact(fact) = &delivery.payload else {
        return Ok(false);
    };
    if tx.working.get(&entry)?.is_some() || !key_limits::fits(&delivery.payload) {
        return Ok(false);
    }
    let fact = Fact {
        received: tx.context.at,
        ..(**fact).clone()
    };
    add_fact(machine, &fact);
    unpark::link(tx, scope, machine, &fact, fresh)?;
    let kept = EventRecord {
        kind: delivery.kind.clone(),
        created: delivery.created,
        received: tx.context.at,
        disposition: Disposition::Applied(Some(machine.id.clone())),
        raw: delivery.raw.clone(),
        livemode: delivery.livemode,
        noted: None,
    };
    record::put(tx.working, entry, &kept)?;
    Ok(true)
}
