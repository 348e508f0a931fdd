//! Machines between the inputs of one run, as they are: a store would encode, compress and decode each of them at every
//! input, which is most of what a simulated input costs.
//!
//! They stand in place of the store's records and of its table of what is due.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::dues;
use crate::domain::id::MachineId;
use crate::domain::lifecycle::Folded;
use crate::domain::machine::Machine;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;
use crate::engine::record::key::Item;

/// A machine, and what it was last folded to.
#[derive(Debug)]
struct Slot {
    machine: Machine,
    /// What is due for it first.
    next: Option<(Timestamp, Item)>,
    fold: Option<Fold>,
}

/// A fold with all that it depends on besides the rules of the run: the facts, which only ever join, so that their number
/// tells them apart, and the instant.
#[derive(Debug)]
pub(in crate::engine) struct Fold {
    at: Timestamp,
    facts: usize,
    folded: Folded,
}

impl Fold {
    /// What a machine is folded to at an instant.
    pub(super) fn new(machine: &Machine, at: Timestamp, folded: Folded) -> Self {
        Self {
            at,
            facts: machine.facts.len(),
            folded,
        }
    }

    fn holds(&self, machine: &Machine, at: Timestamp) -> bool {
        let steady = self.at <= at && self.folded.until.is_none_or(|until| at < until);
        steady && self.facts == machine.facts.len()
    }

    /// The fold, if it still is the machine's at an instant.
    pub(super) fn of(
        self,
        machine: &Machine,
        revisions: &Revisions,
        at: Timestamp,
    ) -> Option<Folded> {
        let known = self.at(machine, revisions, at).is_some();
        known.then_some(self.folded)
    }

    /// The same, for whoever only looks.
    fn at(&self, machine: &Machine, revisions: &Revisions, at: Timestamp) -> Option<&Folded> {
        let known = self.holds(machine, at).then_some(&self.folded)?;
        debug_assert_eq!(
            *known,
            machine.folded(revisions, at),
            "{}: what was folded does not hold at {at}",
            machine.id
        );
        Some(known)
    }
}

/// Decoded machines of one run under one set of rules. One that is being changed leaves its place empty.
#[derive(Debug, Default)]
pub struct Machines(BTreeMap<MachineId, Option<Slot>>);

impl Machines {
    /// A machine.
    #[must_use]
    pub fn get(&self, id: &MachineId) -> Option<&Machine> {
        Some(&self.0.get(id)?.as_ref()?.machine)
    }

    /// Every machine.
    pub fn iter(&self) -> impl Iterator<Item = &Machine> {
        self.0.values().flatten().map(|slot| &slot.machine)
    }

    /// Every machine with its fold at an instant.
    pub fn all_folded(
        &self,
        revisions: &Revisions,
        at: Timestamp,
    ) -> impl Iterator<Item = (&Machine, Cow<'_, Folded>)> {
        self.0.values().flatten().map(move |slot| {
            let Slot { machine, fold, .. } = slot;
            let known = fold.as_ref().and_then(|f| f.at(machine, revisions, at));
            let folded = known.map(Cow::Borrowed);
            let folded = folded.unwrap_or_else(|| Cow::Owned(machine.folded(revisions, at)));
            (machine, folded)
        })
    }

    /// What is due first, and when. Every machine is looked at: in a group of a history there are few.
    #[must_use]
    pub fn next_due(&self) -> Option<(Timestamp, &MachineId, Item)> {
        let next = |slot: &Slot| slot.next;
        let due = self
            .0
            .iter()
            .filter_map(|(id, slot)| slot.as_ref().and_then(next).map(|n| (id, n)));
        due.min_by_key(|(_, (at, _))| *at)
            .map(|(id, (at, item))| (at, id, item))
    }

    /// A machine's fold at an instant, which is kept for the input that follows.
    pub fn folded(
        &mut self,
        id: &MachineId,
        rules: &Rules,
        at: Timestamp,
    ) -> Option<(&Machine, &Folded)> {
        let Slot { machine, fold, .. } = self.0.get_mut(id)?.as_mut()?;
        let known = fold
            .take()
            .and_then(|known| known.of(machine, &rules.revisions, at));
        let folded = known.unwrap_or_else(|| machine.folded(&rules.revisions, at));
        let fold = fold.insert(Fold::new(machine, at, folded));
        Some((machine, &fold.folded))
    }

    /// Takes a machine out, to be put back changed.
    pub(super) fn take(&mut self, id: &MachineId) -> Option<(Machine, Option<Fold>)> {
        let slot = self.0.get_mut(id)?.take()?;
        Some((slot.machine, slot.fold))
    }

    /// Puts a machine in.
    pub(super) fn put(&mut self, machine: Machine, fold: Option<Fold>) {
        let next = dues::first(&machine);
        let slot = |machine| {
            Some(Slot {
                machine,
                next,
                fold,
            })
        };
        match self.0.get_mut(&machine.id) {
            Some(place) => *place = slot(machine),
            None => drop(self.0.insert(machine.id.clone(), slot(machine))),
        }
    }

    /// Deletes a machine.
    pub(super) fn delete(&mut self, id: &MachineId) {
        self.0.remove(id);
    }
}
