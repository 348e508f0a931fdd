//! Attempts: on disk before their requests, so that after a crash exactly those are known that may have acted.

use std::sync::Arc;

use super::outbox::Attempted;
use super::transaction::Transaction;
use crate::domain::action::{Action, ActionOutcome, CreatePhase};
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::engine::input::{Receipt, Version};
use crate::engine::record::key::{self, Item};
use crate::engine::record::{self, RecordError, View};

impl Transaction<'_, '_> {
    /// An attempt is on disk before its request.
    pub(super) fn attempt(
        &mut self,
        machine: &MachineId,
        action: u32,
        read: Version,
    ) -> Result<Receipt, RecordError> {
        if !self.is_wanted(machine, action, read)? {
            return Ok(Receipt::Unknown);
        }
        let at = self.context.at.ms().to_be_bytes().to_vec();
        self.working.put(key::attempt(machine, action), at);
        Ok(Receipt::Done)
    }

    /// Whether an action is still to be sent. Whoever wants to send it read the machine a moment ago: it may have been
    /// refunded since.
    fn is_wanted(
        &self,
        machine: &MachineId,
        action: u32,
        read: Version,
    ) -> Result<bool, RecordError> {
        // One whose attempt is on disk is under way already, whoever asks.
        if self.working.get(&key::attempt(machine, action))?.is_some() {
            return Ok(false);
        }
        if self.working.is_still(&key::machine(machine), read)? {
            return Ok(true);
        }
        let stands = |a: &Action| {
            a.id == action && a.outcome == ActionOutcome::Pending && a.phase == CreatePhase::Ready
        };
        let kept = record::machine(self.working, machine)?;
        Ok(kept.is_some_and(|m| m.held.is_none() && m.actions.iter().any(stands)))
    }

    /// Writes the attempts of creates with what decides them, as far as there are slots for them. Of their licenses nothing
    /// else can be under way.
    pub(super) fn attempt_at_once(&mut self, machine: Machine) -> Result<(), RecordError> {
        let Some(outbox) = self.outbox.filter(|_| machine.held.is_none()) else {
            return Ok(());
        };
        let now = self.context.at;
        let is_new =
            |a: &&Action| a.is_ready_create() && a.attempts == 0 && a.at == now && a.due <= now;
        if !machine.actions.iter().any(|a| is_new(&a)) {
            return Ok(());
        }
        let machine = Arc::new(machine);
        for action in machine.actions.iter().filter(is_new) {
            let attempt = key::attempt(&machine.id, action.id);
            if self.working.get(&attempt)?.is_none()
                && let Some(slot) = outbox.reserve(&machine.source)
            {
                self.working.put(attempt, now.ms().to_be_bytes().to_vec());
                self.attempted.push(Attempted {
                    machine: Arc::clone(&machine),
                    action: action.clone(),
                    entry: key::due(action.due, &machine.id, Item::Create(action.id)),
                    slot,
                });
            }
        }
        Ok(())
    }
}
