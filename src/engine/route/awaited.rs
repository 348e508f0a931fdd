//! Which purchase of the same customer waits for a license that is to end. What waits for what is `domain/awaited.rs`.

use super::transfer::others_of;
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::awaited::{self, Awaiting};
use crate::domain::machine::Machine;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::engine::record::{self, RecordError, View};
use crate::engine::write::transaction::Transaction;

/// The purchase that waits for the license which an action ends.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn awaiting(
    view: &dyn View,
    revisions: &Revisions,
    machine: &Machine,
    action: &Action,
    now: Timestamp,
) -> Result<Option<Awaiting>, RecordError> {
    let ends = awaited::ends(machine, action, now);
    let Some(customer) = machine.customer().filter(|_| ends) else {
        return Ok(None);
    };
    for id in others_of(view, machine.id.scope(), customer, &machine.id)? {
        let other = record::machine(view, &id)?;
        let found = other.and_then(|o| awaited::awaiting(&o, machine, action, revisions, now));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Holds the ends of licenses that another purchase waits for, whatever let them go.
pub(in crate::engine) fn hold_back(
    tx: &Transaction<'_, '_>,
    machine: &mut Machine,
) -> Result<(), RecordError> {
    for index in 0..machine.actions.len() {
        let action = &machine.actions[index];
        let revisions = &tx.now.rules.revisions;
        if action.outcome == ActionOutcome::Pending
            && awaiting(&*tx.working, revisions, machine, action, tx.now.at)?.is_some()
        {
            awaited::hold(&mut machine.actions[index], tx.now.at);
        }
    }
    Ok(())
}
