//! Machines between the inputs of one run, as they are: a store would encode, compress and decode each of them at every
//! input, which is most of what a simulated input costs.
//!
//! They lie over a store. What is here is newer than the store's record, until [`Machines::drain`] hands all of it on.

use std::collections::BTreeMap;

use crate::domain::id::MachineId;
use crate::domain::lifecycle::Folded;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;

/// A machine, and what it was last folded to.
#[derive(Debug)]
struct Kept {
    machine: Machine,
    fold: Option<Fold>,
}

/// A fold with all that it depends on besides the rules of the run. Facts only ever join, so their number tells them apart.
#[derive(Debug)]
pub struct Fold {
    at: Timestamp,
    facts: usize,
    folded: Folded,
}

impl Fold {
    /// What a machine is folded to at an instant.
    pub(in crate::engine) fn new(machine: &Machine, at: Timestamp, folded: Folded) -> Self {
        Self {
            at,
            facts: machine.facts.len(),
            folded,
        }
    }

    fn holds(&self, machine: &Machine, at: Timestamp) -> bool {
        self.at == at && self.facts == machine.facts.len()
    }

    /// The fold, if it still is the machine's at an instant.
    pub(in crate::engine) fn of(self, machine: &Machine, at: Timestamp) -> Option<Folded> {
        self.holds(machine, at).then_some(self.folded)
    }
}

/// Decoded machines of one run under one set of rules.
#[derive(Debug, Default)]
pub struct Machines(BTreeMap<MachineId, Kept>);

impl Machines {
    /// A machine.
    #[must_use]
    pub fn get(&self, id: &MachineId) -> Option<&Machine> {
        self.0.get(id).map(|kept| &kept.machine)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every machine.
    pub fn iter(&self) -> impl Iterator<Item = &Machine> {
        self.0.values().map(|kept| &kept.machine)
    }

    /// A machine's fold at an instant, which is kept for the input that follows.
    pub fn folded(
        &mut self,
        id: &MachineId,
        rules: &Rules,
        at: Timestamp,
    ) -> Option<(&Machine, &Folded)> {
        let Kept { machine, fold } = self.0.get_mut(id)?;
        let known = fold.take().and_then(|known| known.of(machine, at));
        let folded = known.unwrap_or_else(|| machine.folded(&rules.revisions, at));
        let fold = fold.insert(Fold::new(machine, at, folded));
        Some((machine, &fold.folded))
    }

    /// Takes a machine out, to be put back changed.
    pub(in crate::engine) fn take(&mut self, id: &MachineId) -> Option<(Machine, Option<Fold>)> {
        self.0.remove(id).map(|kept| (kept.machine, kept.fold))
    }

    /// Puts a machine in.
    pub fn put(&mut self, machine: Machine, fold: Option<Fold>) {
        self.0.insert(machine.id.clone(), Kept { machine, fold });
    }

    /// Hands every machine on: the store has none of it.
    pub fn drain(&mut self) -> impl Iterator<Item = Machine> {
        std::mem::take(&mut self.0)
            .into_values()
            .map(|kept| kept.machine)
    }
}
