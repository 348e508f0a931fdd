//! Taking a create up in the very commit that decides it: its attempt is on disk with the decision, so that nothing must be
//! read, asked or committed again before it is sent.
//!
//! The store stays the truth. What is not taken up is due like everything else; what was taken up and not sent, for the
//! process ended, is an attempt that the next start looks after.

use std::sync::Arc;

use super::record::key;
use super::record::{RecordError, View};
use super::transact::Transaction;
use crate::domain::action::{Action, ActionOutcome, Phase};
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;

/// Who carries actions out.
pub trait Taker: Send + Sync {
    /// Takes a create up, if there is a place for it now and nothing has waited for one longer.
    fn take(
        &self,
        machine: &Arc<Machine>,
        action: &Action,
        now: Timestamp,
    ) -> Option<Box<dyn Taken>>;
}

/// A create that was taken up. Dropped before it began it gives its place back.
pub trait Taken: Send {
    /// Whether it is this action of this machine.
    fn is(&self, machine: &MachineId, action: u32) -> bool;
    /// Its attempt is on disk: it is sent.
    fn begin(self: Box<Self>);
}

impl Transaction<'_, '_> {
    /// Offers the creates that are due to whoever may take them up. Their attempts are written with what decided them.
    pub(super) fn offer(&mut self, machine: Machine) -> Result<(), RecordError> {
        let Some(taker) = self.taker.filter(|_| machine.held.is_none()) else {
            return Ok(());
        };
        let now = self.now.at;
        let is_due = |a: &&Action| {
            a.act.creates()
                && a.outcome == ActionOutcome::Pending
                && a.phase == Phase::Ready
                && a.due <= now
        };
        if !machine.actions.iter().any(|a| is_due(&a)) {
            return Ok(());
        }
        let machine = Arc::new(machine);
        for action in machine.actions.iter().filter(is_due) {
            let attempt = key::attempt(&machine.id, action.id);
            if self.working.get(&attempt)?.is_none()
                && let Some(taken) = taker.take(&machine, action, now)
            {
                self.working.put(attempt, now.ms().to_be_bytes().to_vec());
                self.taken.push(taken);
            }
        }
        Ok(())
    }
}
