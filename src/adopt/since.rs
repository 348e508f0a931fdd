//! What became of purchases while the lists were read: a list shows what was made before the store took it in, and the store
//! has what was made after a list was read. What changed meanwhile is judged by the next look.

use super::found::Found;
use super::known::KnownShop;
use crate::domain::id::{MachineId, ObjectId, Scope};
use crate::domain::machine::Machine;
use crate::engine::record;

impl KnownShop {
    /// Whether a purchase is still as it was when this was read; `None`: it is not known.
    #[must_use]
    pub fn is_still(&self, id: &MachineId, now: Option<&Machine>) -> bool {
        self.stored(id) == now.map(record::encode).as_deref()
    }
}

impl Found {
    /// Drops what differs of purchases that are not as they were any more.
    pub fn drop_changed(&mut self, scope: &Scope, is_still: impl Fn(&MachineId) -> bool) {
        self.judged.report.rows.retain(|row| {
            let id = row.machine.as_ref().and_then(|id| id.parse().ok());
            !row.class.is_difference() || id.is_none_or(|id| is_still(&id))
        });
        self.strays.retain(|stray| {
            let object = stray.object.as_deref().map(ObjectId::from);
            object.is_none_or(|object| is_still(&MachineId::new(scope.clone(), object)))
        });
    }
}
