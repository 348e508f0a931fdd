//! What moves between machines: an invoice's purchase to the session that names it, and a former customer's license to the
//! new subscription. Each in one batch, so that a license is never listed twice.

use super::disposition::Disposition;
use super::key::{self, Table};
use super::record::{self, EventRecord, RecordError, View};
use super::transact::{Transaction, dues};
use crate::domain::action::{Act, Action, ActionOutcome, Phase};
use crate::domain::decide::Settled;
use crate::domain::finding::{Finding, Report};
use crate::domain::id::{MachineId, ObjectId, Scope};
use crate::domain::lifecycle::State;
use crate::domain::lifecycle::subscription::State as S;
use crate::domain::machine::Machine;
use crate::domain::policy::Resubscribe;

/// The most former machines of a customer that are looked at for a license to bring back.
const FORMER_MAX: usize = 100;

/// Whether two things are of different modes (live and test): then the one says nothing about the other, whatever it names.
pub(super) fn apart(one: Option<bool>, other: Option<bool>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// Moves everything of an invoice's machine to the session's: nothing is created, ended or mailed again.
pub(super) fn take_over(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    old: &MachineId,
) -> Result<(), RecordError> {
    let kept = record::machine(tx.working, old)?;
    let Some(mut from) = kept.filter(|m| !apart(m.livemode, machine.livemode)) else { return Ok(()) };
    for due in dues(&from) {
        tx.working.delete(due);
    }
    for fact in &from.facts {
        for name in fact.names() {
            tx.working.put(key::link(scope, name.as_str()), machine.id.to_string().into_bytes());
        }
        let entry = key::event(scope, &fact.id);
        if let Some(mut kept) = record::get::<EventRecord>(tx.working, &entry)? {
            kept.disposition = Disposition::Applied(Some(machine.id.clone()));
            record::put(tx.working, entry, &kept)?;
        }
    }
    tx.working.put(key::link(scope, from.object().as_str()), machine.id.to_string().into_bytes());
    record::delete(tx.working, key::machine(old))?;
    if machine.journal.is_empty() {
        machine.journal.clone_from(&from.journal);
    }
    machine.facts.append(&mut from.facts);
    merge_licenses(tx, machine, &mut from)?;
    machine.told.append(&mut from.told);
    Ok(())
}

/// Takes in the other machine's licenses, actions and notices, each keeping its label. Numbers are names within a machine:
/// those that come in go behind its own. Where both served the purchase before the link was known, the fold says which
/// license stands for the seat, and the operator is told about the other.
fn merge_licenses(tx: &mut Transaction<'_, '_>, machine: &mut Machine, from: &mut Machine) -> Result<(), RecordError> {
    if !machine.grants.is_empty() && !from.grants.is_empty() {
        machine.told.push(Report::new(tx.now.at, Finding::ServedTwice(from.id.clone())));
    }
    let numbers = machine.last_number;
    let (actions, notices) = (machine.actions.last().map_or(0, |a| a.id), machine.notices.last().map_or(0, |n| n.id));
    for mut grant in from.grants.drain(..) {
        grant.number += numbers;
        machine.grants.push(grant);
    }
    for mut action in std::mem::take(&mut from.actions) {
        if tx.working.get(&key::attempt(&from.id, action.id))?.is_some() {
            // It is being sent under the old name, and its outcome will find nobody: look for what came of it.
            tx.working.delete(key::attempt(&from.id, action.id));
            let since = tx.now.at + tx.now.rules.source(&machine.source).abilities.request_timeout;
            (action.phase, action.due) = (Phase::Look { since, absent: 0, any_age: false }, since);
            action.attempts += 1;
        }
        action.id += actions;
        action.license += numbers;
        one_create_per_seat(tx, machine, &mut action, from.object())?;
        machine.actions.push(action);
    }
    for mut notice in from.notices.drain(..) {
        notice.id += notices;
        notice.seats.iter_mut().for_each(|n| *n += numbers);
        machine.notices.push(notice);
    }
    machine.last_number += from.last_number;
    Ok(())
}

/// Two creates that wait for one seat: the one that was not sent yet is dropped. If both may have been made, the one that
/// comes in stands for a seat that nobody is due, so that what came of it is found and ended.
fn one_create_per_seat(
    tx: &Transaction<'_, '_>,
    machine: &mut Machine,
    incoming: &mut Action,
    former_object: &ObjectId,
) -> Result<(), RecordError> {
    let waits = |a: &Action| a.act.creates() && a.outcome == ActionOutcome::Pending;
    let Some(seat) = incoming.act.new_license().map(|new| &new.seat) else { return Ok(()) };
    let same = |a: &Action| a.act.new_license().is_some_and(|new| new.seat == *seat);
    let Some(index) = machine.actions.iter().position(|a| waits(a) && same(a)).filter(|_| waits(incoming)) else {
        return Ok(());
    };
    let own = &mut machine.actions[index];
    if own.attempts == 0 && tx.working.get(&key::attempt(&machine.id, own.id))?.is_none() {
        own.outcome = ActionOutcome::Superseded;
    } else if incoming.attempts == 0 {
        incoming.outcome = ActionOutcome::Superseded;
    } else if let Act::Create(new) = &mut incoming.act {
        new.seat.item = former_object.to_string();
    }
    Ok(())
}

/// Gives a new subscription the license of the same customer's ended one, if the policy says so. Returns whether it did.
pub(super) fn resubscription(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    settled: &Settled,
) -> Result<bool, RecordError> {
    let Some(customer) = &settled.folded.contact.customer else { return Ok(false) };
    let unsent = |a: &Action| {
        let Act::Create(new) = &a.act else { return None };
        let unsent = a.outcome == ActionOutcome::Pending
            && a.attempts == 0
            && (a.phase == Phase::Ready || matches!(a.phase, Phase::Look { any_age: true, .. }))
            && tx_policy(new.plan.as_ref(), settled, tx);
        unsent.then(|| (a.id, new.clone(), a.license))
    };
    let wanted: Vec<_> = machine.actions.iter().filter_map(unsent).collect();
    if wanted.is_empty() {
        return Ok(false);
    }
    let mut moved = false;
    let range = key::under(Table::ByCustomer, scope, &[customer.as_str()]);
    let former: Vec<MachineId> = tx
        .working
        .range(&range, FORMER_MAX)?
        .iter()
        .filter_map(|(entry, _)| key::machine_of(entry))
        .filter(|id| *id != machine.id)
        .collect();
    for (action, new, number) in wanted {
        for id in &former {
            let Some(mut old) = record::machine(tx.working, id)? else { continue };
            if old.state() != Some(State::Subscription(S::Ended))
                || apart(old.livemode, machine.livemode)
                || tx.working.get(&key::attempt(&machine.id, action))?.is_some()
            {
                continue;
            }
            let fits = |g: &crate::domain::machine::Grant| {
                g.plan == new.plan && !g.ever_revoked && !g.replaced && g.app_id == new.app_id
            };
            let Some(index) = old.grants.iter().rposition(fits) else { continue };
            let before = dues(&old);
            let mut grant = old.grants.remove(index);
            old.moved_out.push(grant.seat.clone());
            let paid_until = grant.expires_at.filter(|t| *t > tx.now.at);
            let finding = Finding::MovedTo { machine: machine.id.clone(), paid_until };
            old.told.push(Report::new(tx.now.at, finding));
            for open in
                old.actions.iter_mut().filter(|a| a.license == grant.number && a.outcome == ActionOutcome::Pending)
            {
                open.outcome = ActionOutcome::Superseded;
            }
            tx.write(&mut old, &before)?;
            (grant.number, grant.moved_in) = (number, true);
            grant.seat = new.seat.clone();
            machine.grants.push(grant);
            machine.actions.retain(|a| a.id != action);
            moved = true;
            break;
        }
    }
    Ok(moved)
}

fn tx_policy(plan: Option<&crate::domain::id::PlanName>, settled: &Settled, tx: &Transaction<'_, '_>) -> bool {
    let began = settled.folded.transitions.first().map_or(tx.now.at, |t| t.at);
    tx.now.rules.revisions.policy(plan, began).resubscribe == Resubscribe::Restore
}
