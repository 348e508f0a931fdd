//! The same key again: finds the license that a purchase extends, and tells its machine what the purchase adds, in one batch.
//! What is looked for, who may have it and what it comes to is `domain/extension.rs`.

use crate::domain::action::SeatId;
use crate::domain::context::DecisionContext;
use crate::domain::decide::{self, Verdict};
use crate::domain::extension::{
    self, Extends, Extension, Looked, NotExtended, Sought, is_same_customer, may_have,
};
use crate::domain::fact::NamedLicense;
use crate::domain::finding::{Finding, Report};
use crate::domain::id::{AppId, LicenseKey, MachineId, PlanName, Scope};
use crate::domain::machine::Machine;
use crate::domain::transfer::apart;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, RecordError, View};
use crate::engine::route::{lookup, of_key};
use crate::engine::write::transaction::Transaction;

/// The most purchases of a customer that are looked at.
const CUSTOMER_MACHINES_MAX: usize = 100;
/// The most machines through which a license is followed to where it is.
const STEPS_MAX: usize = 16;

/// A license that may be meant.
struct Candidate {
    machine: Machine,
    seat: SeatId,
    app_id: Option<AppId>,
}

/// Looks for the license that a purchase extends, once. Where that is settled now, so that the purchase is to be reconciled
/// anew, returns what the operator is to be told.
pub(in crate::engine) fn look(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    settled: &Verdict,
    world: &DecisionContext<'_>,
) -> Result<Option<Vec<Report>>, RecordError> {
    let Some((seat, sought)) = decide::extends(machine, &settled.folded, &settled.due, world)
    else {
        return Ok(None);
    };
    let app_id = settled
        .due
        .seats
        .iter()
        .find(|s| s.item == seat.item && s.unit == seat.unit)
        .and_then(|s| s.app_id.clone());
    let found = match &sought {
        Sought::Named(named) => by_name(tx, scope, machine, named, app_id.as_ref())?.map(Some),
        Sought::OneOf(plans) => by_plan(tx, scope, machine, plans, app_id.as_ref())?,
    };
    let mut told = Vec::new();
    match found {
        Err(NotExtended::Unknown | NotExtended::Ended)
            if machine.waits_for_named() > Some(tx.now.at) =>
        {
            return Ok(None);
        }
        Err(why) => {
            let report = Report::new(tx.now.at, Finding::NotExtended(why));
            machine.told.push(report.clone());
            told.push(report);
            machine.looked = Some(Looked::Own);
        }
        Ok(None) => machine.looked = Some(Looked::Own),
        Ok(Some(license)) => {
            // It is news: shown with the purchase, and nobody is alerted.
            let finding = Finding::Extends(license.machine.id.clone());
            machine.told.push(Report::new(tx.now.at, finding));
            let by_key = matches!(sought, Sought::Named(NamedLicense::Key(_)));
            machine.looked = Some(Looked::Extends(Extends {
                seat,
                shows_key: by_key || is_same_customer(machine, &license.machine),
                machine: license.machine.id,
                license: license.seat,
            }));
        }
    }
    Ok(Some(told))
}

type Searched<T> = Result<Result<T, NotExtended>, RecordError>;

fn by_name(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    buyer: &Machine,
    named: &NamedLicense,
    app_id: Option<&AppId>,
) -> Searched<Candidate> {
    let key = match named {
        NamedLicense::Key(key) => Some(key),
        NamedLicense::Purchase(_) => None,
    };
    let Some(machine) = of_name(tx, scope, buyer, named)? else {
        return Ok(Err(NotExtended::Unknown));
    };
    if apart(machine.livemode, buyer.livemode) {
        return Ok(Err(NotExtended::Unknown));
    }
    if !may_have(buyer, &machine, named) {
        return Ok(Err(NotExtended::OtherCustomer));
    }
    let mut found = follow(tx, scope, machine, key)?;
    let Some(license) = found.pop().filter(|l| l.machine.id != buyer.id) else {
        return Ok(Err(NotExtended::Ended));
    };
    if !found.is_empty() {
        return Ok(Err(NotExtended::Several));
    }
    if license.app_id.as_ref() != app_id {
        return Ok(Err(NotExtended::OtherApplication));
    }
    Ok(Ok(license))
}

/// The purchase that a name leads to: by the key's own link, else among what the customer has.
fn of_name(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    buyer: &Machine,
    named: &NamedLicense,
) -> Result<Option<Machine>, RecordError> {
    let found = match named {
        NamedLicense::Key(key) => of_key(tx.working, scope, key)?,
        NamedLicense::Purchase(object) => lookup(tx.working, scope, object.as_str())?,
    };
    let linked = match found {
        Some(id) if id == buyer.id => None,
        Some(id) => record::machine(tx.working, &id)?,
        None => None,
    };
    if let (None, NamedLicense::Key(key)) = (&linked, named) {
        let has = |m: &Machine| m.grants.iter().any(|g| g.key == *key);
        return Ok(of_customer(tx, scope, buyer)?.into_iter().find(has));
    }
    Ok(linked)
}

/// The licenses of a machine, where they are by now: it may extend another's, or have meant to, and its own may have moved.
fn follow(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    mut machine: Machine,
    key: Option<&LicenseKey>,
) -> Result<Vec<Candidate>, RecordError> {
    let mut only: Option<SeatId> = None;
    for _ in 0..STEPS_MAX {
        let next = if let Some(extends) = machine.extends() {
            let next = extends.machine.clone();
            only = Some(extends.license.clone());
            next
        } else {
            let mut seats = extension::seats_for(&machine, key);
            seats.retain(|(seat, _)| only.as_ref().is_none_or(|only| only == seat));
            let moved = machine.told.iter().rev().find_map(|r| {
                if let Finding::MovedTo { machine, .. } = &r.finding {
                    Some(machine.clone())
                } else {
                    None
                }
            });
            let named = machine
                .named_license()
                .filter(|_| machine.grants.is_empty());
            match (moved.filter(|_| seats.is_empty()), named) {
                (Some(moved), _) => {
                    only = None;
                    moved
                }
                // It was given back before anybody looked for what it names.
                (None, Some(named)) if seats.is_empty() => {
                    match of_name(tx, scope, &machine, named)? {
                        Some(meant) if may_have(&machine, &meant, named) => meant.id,
                        Some(_) | None => break,
                    }
                }
                (None, _) => {
                    let of = |(seat, app_id)| Candidate {
                        machine: machine.clone(),
                        seat,
                        app_id,
                    };
                    return Ok(seats.into_iter().map(of).collect());
                }
            }
        };
        match record::machine(tx.working, &next)? {
            Some(known) => machine = known,
            None => break,
        }
    }
    Ok(Vec::new())
}

/// The only license of some plans that the customer has; nothing where there is none.
fn by_plan(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    buyer: &Machine,
    plans: &[PlanName],
    app_id: Option<&AppId>,
) -> Searched<Option<Candidate>> {
    let mut found = Vec::new();
    for machine in of_customer(tx, scope, buyer)? {
        for (seat, app) in extension::seats_for(&machine, None) {
            let plan = machine.plan_of(&seat);
            if plan.is_some_and(|plan| plans.contains(plan)) && app.as_ref() == app_id {
                found.push(Candidate {
                    machine: machine.clone(),
                    seat,
                    app_id: app,
                });
            }
        }
    }
    let one = found.pop();
    Ok(if found.is_empty() {
        Ok(one)
    } else {
        Err(NotExtended::Several)
    })
}

/// The customer's other purchases of the same mode.
fn of_customer(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    buyer: &Machine,
) -> Result<Vec<Machine>, RecordError> {
    let Some(customer) = buyer.customer() else {
        return Ok(Vec::new());
    };
    let range = key::under(Table::ByCustomer, scope, &[customer.as_str()]);
    let mut out = Vec::new();
    for (entry, _) in tx.working.range(&range, CUSTOMER_MACHINES_MAX)? {
        let Some(id) = key::machine_of(&entry).filter(|id| *id != buyer.id) else {
            continue;
        };
        let kept = record::machine(tx.working, &id)?;
        out.extend(kept.filter(|m| !apart(m.livemode, buyer.livemode)));
    }
    Ok(out)
}

/// Tells the machine of a license what another purchase adds to it, if that is new.
pub(in crate::engine) fn tell(
    tx: &mut Transaction<'_, '_>,
    owner: &MachineId,
    extension: &Extension,
) -> Result<(), RecordError> {
    // An invoice's machine may have become its session's.
    let name = owner.object().as_str();
    let id = lookup(tx.working, owner.scope(), name)?.unwrap_or_else(|| owner.clone());
    let Some(known) = record::machine(tx.working, &id)? else {
        return Ok(());
    };
    if known.extensions.contains(extension) {
        return Ok(());
    }
    tx.change(&id, |machine, world| {
        extension::take_in(machine, extension, world.now);
    })?;
    Ok(())
}

/// A purchase goes by another name from now on: what it adds is told by that.
pub(in crate::engine) fn rename(
    tx: &mut Transaction<'_, '_>,
    machine: &Machine,
    former: &MachineId,
) -> Result<(), RecordError> {
    let Some(extends) = machine.extends() else {
        return Ok(());
    };
    let name = machine.id.clone();
    tx.change(&extends.machine.clone(), |owner, _| {
        for extension in owner.extensions.iter_mut().filter(|e| e.from == *former) {
            extension.from = name.clone();
        }
    })?;
    Ok(())
}

/// Leads the keys of licenses that were just made to their machine.
pub(in crate::engine) fn link_keys(tx: &mut Transaction<'_, '_>, scope: &Scope, machine: &Machine) {
    let new = machine.grants.iter().filter(|g| g.since == tx.now.at);
    for grant in new {
        let entry = key::by_key(scope, &grant.key);
        tx.working.put(entry, machine.id.to_string().into_bytes());
    }
}
