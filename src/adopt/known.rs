//! What a store knows, for a look at a shop: its purchases as they are stored, who holds which key, which labels were read.

use std::collections::{BTreeSet, HashMap};

use crate::domain::id::{LicenseKey, MachineId, ObjectId, Scope, SourceName};
use crate::domain::machine::Machine;
use crate::engine::record;

/// What a store knows; of a shop that has none, nothing.
#[derive(Debug, Default)]
pub struct KnownShop {
    /// The purchases, as they are stored: decoded they are ten times as large.
    machines: HashMap<MachineId, Vec<u8>>,
    held: HashMap<LicenseKey, MachineId>,
    by_object: HashMap<ObjectId, Vec<MachineId>>,
    /// Digests of keys and of their labels.
    pub labels: Vec<(u64, u64)>,
}

impl KnownShop {
    /// Takes a purchase in, in its stored form; false where it is none.
    pub fn add(&mut self, bytes: Vec<u8>) -> bool {
        let Ok(machine) = record::decode::<Machine>(&bytes) else {
            return false;
        };
        for grant in &machine.grants {
            self.held.insert(grant.key.clone(), machine.id.clone());
        }
        let of = self.by_object.entry(machine.id.object().clone());
        of.or_default().push(machine.id.clone());
        self.machines.insert(machine.id, bytes);
        true
    }

    /// A purchase.
    #[must_use]
    pub fn machine(&self, id: &MachineId) -> Option<Machine> {
        record::decode(self.machines.get(id)?).ok()
    }

    /// A purchase in its stored form.
    pub(super) fn stored(&self, id: &MachineId) -> Option<&[u8]> {
        self.machines.get(id).map(Vec::as_slice)
    }

    /// Who holds a key.
    #[must_use]
    pub fn holder(&self, key: &LicenseKey) -> Option<&MachineId> {
        self.held.get(key)
    }

    /// The purchase of an object that is known in another scope: another source's, or a connected account's.
    #[must_use]
    pub fn elsewhere(&self, object: &str, scope: &Scope) -> Option<&MachineId> {
        let mut of = self.by_object.get(&ObjectId::from(object))?.iter();
        of.find(|id| id.scope() != scope)
    }

    /// The objects of a source's purchases that were taken in.
    #[must_use]
    pub fn adopted(&self, source: &SourceName) -> BTreeSet<String> {
        let machines = self.machines.values();
        let machines = machines.filter_map(|bytes| record::decode::<Machine>(bytes).ok());
        machines
            .filter(|m| m.adopted_at.is_some() && m.source == *source)
            .map(|m| m.id.object().to_string())
            .collect()
    }

    /// How many purchases there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.machines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty()
    }
}
