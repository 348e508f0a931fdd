//! The same key again: finds the licenses that a purchase extends, and tells their machines what the purchase adds, in one batch.
//! What is looked for, who may have it and what it comes to is `domain/extension.rs`.

use std::collections::BTreeSet;

use crate::domain::action::SeatId;
use crate::domain::context::DecisionContext;
use crate::domain::decide::{self, Verdict};
use crate::domain::extension::{
    self, Extends, Extension, NotExtended, Offer, SeatAsked, Sought, Target, is_same_customer,
    may_have, pair,
};
use crate::domain::fact::NamedLicense;
use crate::domain::finding::{Finding, Report};
use crate::domain::id::{AppId, LicenseKey, MachineId, PlanName, Scope};
use crate::domain::machine::Machine;
use crate::domain::time::{Span, Timestamp};
use crate::domain::transfer::apart;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, RecordError, View};
use crate::engine::route::{machine_named, of_key};
use crate::engine::write::transaction::Transaction;

/// The most purchases of a customer that are looked at.
const CUSTOMER_MACHINES_MAX: usize = 100;
/// The most machines through which a license is followed to where it is.
const STEPS_MAX: usize = 16;

/// A license that may be meant, and the machine that has it.
struct Candidate {
    machine: Machine,
    offer: Offer,
}

/// Resolves which licenses a purchase extends, once. Where that is settled now, so that the purchase is to be reconciled
/// anew, returns what the operator is to be told.
pub(in crate::engine) fn resolve(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    settled: &Verdict,
    context: &DecisionContext<'_>,
) -> Result<Option<Vec<Report>>, RecordError> {
    let mut asked = decide::extends(machine, &settled.folded, &settled.due, context);
    if asked.is_empty() {
        return Ok(None);
    }
    let (mut extends, mut told) = (Vec::new(), Vec::new());
    while let Some(SeatAsked { sought, .. }) = asked.first().cloned() {
        let (seats, others): (Vec<_>, Vec<_>) = asked.into_iter().partition(|a| a.sought == sought);
        asked = others;
        match found(tx, scope, machine, &sought, &seats)? {
            Err(why @ (NotExtended::Unknown | NotExtended::Ended)) => {
                let waits = waits(tx, scope, machine)?.filter(|until| *until > tx.context.at);
                if let Some(until) = waits {
                    let earlier = machine.wake_at.filter(|wake| *wake > tx.context.at);
                    machine.wake_at = Some(earlier.map_or(until, |wake| wake.min(until)));
                    return Ok(None);
                }
                told.push(Report::new(tx.context.at, Finding::NotExtended(why)));
            }
            Err(why) => told.push(Report::new(tx.context.at, Finding::NotExtended(why))),
            Ok(found) => extends.extend(found),
        }
    }
    machine.told.extend(told.iter().cloned());
    let mut extends = extends.into_iter();
    machine.target = Some(match extends.next() {
        Some(first) => Target::Extends(Box::new(first), extends.collect()),
        None => Target::Own,
    });
    // It is news: shown with the purchase, and nobody is alerted.
    let owners: BTreeSet<MachineId> = machine.extends().map(|e| e.machine.clone()).collect();
    let news = owners
        .into_iter()
        .map(|owner| Report::new(tx.context.at, Finding::Extends(owner)));
    machine.told.extend(news);
    Ok(Some(told))
}

/// Until when what a purchase names may still be heard of. What it names may itself wait for what that names: it is looked for
/// again just after that has settled.
fn waits(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    buyer: &Machine,
) -> Result<Option<Timestamp>, RecordError> {
    let mut until = buyer.waits_for_named();
    let mut names = buyer.clone();
    for seconds in (1..).take(STEPS_MAX) {
        let Some(named) = names.named_license().cloned() else {
            break;
        };
        let named = of_name(tx, scope, &names, &named)?;
        let Some(named) = named.filter(|m| m.target.is_none() && m.grants.is_empty()) else {
            break;
        };
        let own = named.named_license().and_then(|_| named.waits_for_named());
        until = until.max(own.map(|own| own + Span::from_s(seconds)));
        names = named;
    }
    Ok(until)
}

/// Which license each of some seats extends; those that find none are not among them.
fn found(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    buyer: &Machine,
    sought: &Sought,
    seats: &[SeatAsked],
) -> Searched<Vec<Extends>> {
    // A purchase may name the very application that a plan leaves to the config.
    let rules = tx.source_rules(&buyer.source);
    let meant = |seat: &SeatAsked| SeatAsked {
        app_id: rules.app_meant(seat.app_id.as_ref()),
        ..seat.clone()
    };
    let seats: &[SeatAsked] = &seats.iter().map(meant).collect::<Vec<_>>();
    let found = match sought {
        Sought::Named(named) => by_name(tx, scope, buyer, named)?,
        Sought::OneOf(plans) => Ok(by_plan(tx, scope, buyer, plans, seats)?),
    };
    let found = match found {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    let offer = |c: &Candidate| Offer {
        app_id: rules.app_meant(c.offer.app_id.as_ref()),
        ..c.offer.clone()
    };
    let offers: Vec<Offer> = found.iter().map(offer).collect();
    let by_key = matches!(sought, Sought::Named(NamedLicense::Key(_)));
    let extends = |(seat, license): (usize, usize)| {
        let Candidate { machine, offer } = &found[license];
        Extends {
            seat: seats[seat].seat.clone(),
            machine: machine.id.clone(),
            license: offer.seat.clone(),
            shows_key: by_key || is_same_customer(buyer, machine),
        }
    };
    Ok(pair(seats, &offers).map(|pairs| pairs.into_iter().map(extends).collect()))
}

type Searched<T> = Result<Result<T, NotExtended>, RecordError>;

fn by_name(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    buyer: &Machine,
    named: &NamedLicense,
) -> Searched<Vec<Candidate>> {
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
    found.retain(|license| license.machine.id != buyer.id);
    Ok(if found.is_empty() {
        Err(NotExtended::Ended)
    } else {
        Ok(found)
    })
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
        NamedLicense::Purchase(object) => machine_named(tx.working, scope, object.as_str())?,
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

/// The licenses of a machine, where they are by now: it may extend others', or have meant to, and its own may have moved.
fn follow(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    machine: Machine,
    key: Option<&LicenseKey>,
) -> Result<Vec<Candidate>, RecordError> {
    let mut out: Vec<Candidate> = Vec::new();
    let mut ahead: Vec<(Machine, Option<SeatId>)> = vec![(machine, None)];
    for _ in 0..STEPS_MAX {
        let Some((machine, only)) = ahead.pop() else {
            break;
        };
        let mut seats = extension::seats_for(&machine, key);
        seats.retain(|(seat, _)| only.as_ref().is_none_or(|only| only == seat));
        let mut next: Vec<(MachineId, Option<SeatId>)> = Vec::new();
        if only.is_none() {
            let extends = machine.extends();
            next.extend(extends.map(|e| (e.machine.clone(), Some(e.license.clone()))));
        }
        if seats.is_empty() && next.is_empty() {
            let elsewhere = elsewhere(tx, scope, &machine)?;
            next.extend(elsewhere.map(|id| (id, None)));
        }
        for (id, only) in next {
            ahead.extend(record::machine(tx.working, &id)?.map(|machine| (machine, only)));
        }
        let own = seats
            .into_iter()
            .map(|(seat, app_id)| candidate(&machine, seat, app_id));
        out.extend(own);
    }
    Ok(out)
}

fn candidate(machine: &Machine, seat: SeatId, app_id: Option<AppId>) -> Candidate {
    let plan = machine.plan_of(&seat).cloned();
    Candidate {
        machine: machine.clone(),
        offer: Offer { seat, app_id, plan },
    }
}

/// Where the licenses of a machine without any are: they moved, or it was given back before what it names was resolved.
fn elsewhere(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    machine: &Machine,
) -> Result<Option<MachineId>, RecordError> {
    let moved = machine.told.iter().rev().find_map(|r| {
        if let Finding::MovedTo { machine, .. } = &r.finding {
            Some(machine.clone())
        } else {
            None
        }
    });
    if moved.is_some() {
        return Ok(moved);
    }
    let named = machine.named_license();
    let Some(named) = named.filter(|_| machine.grants.is_empty()) else {
        return Ok(None);
    };
    let meant = of_name(tx, scope, machine, named)?;
    let meant = meant.filter(|meant| may_have(machine, meant, named));
    Ok(meant.map(|meant| meant.id))
}

/// The licenses of some plans that the customer has, for the applications of some seats.
fn by_plan(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    buyer: &Machine,
    plans: &[PlanName],
    seats: &[SeatAsked],
) -> Result<Vec<Candidate>, RecordError> {
    let mut found = Vec::new();
    for machine in of_customer(tx, scope, buyer)? {
        for (seat, app) in extension::seats_for(&machine, None) {
            let plan = machine.plan_of(&seat);
            let meant = tx.source_rules(&buyer.source).app_meant(app.as_ref());
            let fits_a_seat = seats.iter().any(|s| s.app_id == meant);
            if plan.is_some_and(|plan| plans.contains(plan)) && fits_a_seat {
                found.push(candidate(&machine, seat, app));
            }
        }
    }
    Ok(found)
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
    let id = machine_named(tx.working, owner.scope(), name)?.unwrap_or_else(|| owner.clone());
    let Some(known) = record::machine(tx.working, &id)? else {
        return Ok(());
    };
    if known.extensions.contains(extension) {
        return Ok(());
    }
    tx.change(&id, |machine, context| {
        extension::take_in(machine, extension, context.now);
    })?;
    Ok(())
}

/// A purchase goes by another name from now on: what it adds is told by that.
pub(in crate::engine) fn rename(
    tx: &mut Transaction<'_, '_>,
    machine: &Machine,
    former: &MachineId,
) -> Result<(), RecordError> {
    let owners: BTreeSet<MachineId> = machine.extends().map(|e| e.machine.clone()).collect();
    let name = machine.id.clone();
    for owner in owners {
        tx.change(&owner, |owner, _| {
            for extension in owner.extensions.iter_mut().filter(|e| e.from == *former) {
                extension.from = name.clone();
            }
        })?;
    }
    Ok(())
}

/// Leads the keys of licenses that were just made to their machine.
pub(in crate::engine) fn link_keys(tx: &mut Transaction<'_, '_>, scope: &Scope, machine: &Machine) {
    let new = machine.grants.iter().filter(|g| g.since == tx.context.at);
    for grant in new {
        let entry = key::by_key(scope, &grant.key);
        tx.working
            .put(entry, String::from(&machine.id).into_bytes());
    }
}
