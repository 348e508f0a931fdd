//! A change to a machine's record from which nothing follows at once.

use super::transaction::Transaction;
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::engine::record::RecordError;

impl Transaction<'_, '_> {
    /// Changes a machine's record and nothing else: what follows from that is decided another time.
    pub(in crate::engine) fn amend(
        &mut self,
        id: &MachineId,
        change: impl FnOnce(&mut Machine),
    ) -> Result<(), RecordError> {
        let Some((mut machine, fold)) = self.working.take_machine(id)? else {
            return Ok(());
        };
        let before = self.working.dues(&machine);
        change(&mut machine);
        self.write(machine, fold, &before).map(drop)
    }
}
