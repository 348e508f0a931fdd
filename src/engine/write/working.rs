//! A view of the store with writes over it that are not committed yet: what one batch of inputs works on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use foldhash::HashMapExt as _;

use super::dues;
use super::machines::{Fold, Machines};
use super::parked::ParkedNames;
use crate::domain::id::{MachineId, Scope};
use crate::domain::machine::Machine;
use crate::engine::record::{self, Pair, RecordError, View, key};
use crate::store::{Direction, KeyRange, Read, ReadError, Seq};

/// Most batches ask for fewer keys: room that is made at once.
const USUAL_READS: usize = 896;

/// What was written under a key; `None` deletes it.
type Written = Option<Vec<u8>>;

/// The store as it will be when the writes are committed.
pub struct Working<'a> {
    base: &'a dyn Read,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What the input under way replaced, newest last, so that one that fails leaves nothing behind.
    undo: Vec<(Vec<u8>, Option<Written>)>,
    /// What the store said of single keys: inputs of one batch ask for the same ones.
    read: RefCell<foldhash::HashMap<Vec<u8>, Option<Bytes>>>,
    parked: Option<&'a mut ParkedNames>,
    /// Machines that are not encoded between inputs; `None`: each is a record like any other.
    machines: Option<&'a mut Machines>,
    size: usize,
    size_before: usize,
}

impl<'a> Working<'a> {
    /// Nothing written yet.
    #[must_use]
    pub fn new(base: &'a dyn Read) -> Self {
        Self {
            base,
            writes: BTreeMap::new(),
            undo: Vec::new(),
            read: RefCell::default(),
            parked: None,
            machines: None,
            size: 0,
            size_before: 0,
        }
    }

    /// The same with the names that parked events wait for at hand.
    #[must_use]
    pub fn with_parked(base: &'a dyn Read, parked: &'a mut ParkedNames) -> Self {
        Self {
            parked: Some(parked),
            read: RefCell::new(foldhash::HashMap::with_capacity(USUAL_READS)),
            ..Self::new(base)
        }
    }

    /// The same with machines that stay decoded. An input that fails leaves them changed, so a failure ends the run.
    #[must_use]
    pub fn with_machines(base: &'a dyn Read, machines: &'a mut Machines) -> Self {
        Self {
            machines: Some(machines),
            ..Self::new(base)
        }
    }

    /// Takes a machine to change it, with what it was last folded to. It comes back by [`Self::put_machine`].
    pub(in crate::engine) fn take_machine(
        &mut self,
        id: &MachineId,
    ) -> Result<Option<(Machine, Option<Fold>)>, RecordError> {
        if let Some(taken) = self.machines.as_mut().and_then(|m| m.take(id)) {
            return Ok(Some(taken));
        }
        Ok(record::machine(self, id)?.map(|machine| (machine, None)))
    }

    /// Writes a machine: as it is where machines stay decoded, else as a record. Of a record the machine is given back.
    pub(in crate::engine) fn put_machine(
        &mut self,
        machine: Machine,
        fold: Option<Fold>,
    ) -> Result<Option<Machine>, ReadError> {
        if let Some(machines) = &mut self.machines {
            machines.put(machine, fold);
            return Ok(None);
        }
        record::put(self, key::machine(&machine.id), &machine)?;
        Ok(Some(machine))
    }

    /// Whether machines stay decoded. Then they are looked through for what is due, and no table is kept of it.
    pub(super) const fn keeps_machines(&self) -> bool {
        self.machines.is_some()
    }

    /// The entries of a machine in the table of what is due.
    pub(super) fn dues(&self, machine: &Machine) -> BTreeSet<Vec<u8>> {
        if self.keeps_machines() {
            return BTreeSet::new();
        }
        dues::as_kept(machine)
    }

    /// Gives a machine back as it was taken.
    pub(in crate::engine) fn put_back(&mut self, machine: Machine, fold: Option<Fold>) {
        if let Some(machines) = &mut self.machines {
            machines.put(machine, fold);
        }
    }

    /// Deletes a machine.
    pub(in crate::engine) fn delete_machine(&mut self, id: &MachineId) -> Result<(), ReadError> {
        if let Some(machines) = &mut self.machines {
            machines.delete(id);
        }
        record::delete(self, key::machine(id))
    }

    /// Whether a parked event may wait for a name. Without the names at hand the answer is yes.
    #[must_use]
    pub fn may_be_parked(&self, scope: &Scope, name: &str) -> bool {
        self.parked
            .as_ref()
            .is_none_or(|parked| parked.may_hold(scope, name))
    }

    /// Writes a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        if let Some(parked) = &mut self.parked {
            parked.note(&key);
        }
        self.write(key, Some(value));
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.size += key.len() + value.as_ref().map_or(0, Vec::len);
        let before = self.writes.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    /// Begins an input: what it writes can be taken back until the next one begins.
    pub fn begin(&mut self) {
        self.undo.clear();
        self.size_before = self.size;
    }

    /// Bytes that the input under way wrote.
    #[must_use]
    pub const fn written(&self) -> usize {
        self.size - self.size_before
    }

    /// Takes back what the input under way wrote.
    pub fn roll_back(&mut self) {
        self.size = self.size_before;
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(before) => self.writes.insert(key, before),
                None => self.writes.remove(&key),
            };
        }
    }

    /// Whether a record is still of a version that somebody has read.
    ///
    /// # Errors
    /// The store's.
    pub fn is_still(&self, key: &[u8], version: Seq) -> Result<bool, ReadError> {
        if self.writes.contains_key(key) {
            return Ok(false);
        }
        Ok(self
            .base
            .get(key)?
            .is_some_and(|value| value.seq == version))
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.write(key, None);
    }

    /// What was written.
    #[must_use]
    pub fn into_writes(self) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        self.writes
    }

    /// Bytes written so far, for the limit of a batch; what was written twice counts twice.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }
}

impl View for Working<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        if let Some(written) = self.writes.get(key) {
            return Ok(written.as_deref().map(Bytes::copy_from_slice));
        }
        if self.keeps_machines() {
            // The store of such a run is in memory: to ask it again costs less than to note what it said.
            return Ok(self.base.get(key)?.map(|v| v.bytes));
        }
        if let Some(known) = self.read.borrow().get(key) {
            return Ok(known.clone());
        }
        let stored = self.base.get(key)?.map(|v| v.bytes);
        self.read.borrow_mut().insert(key.to_vec(), stored.clone());
        Ok(stored)
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<Pair>, ReadError> {
        let written: Vec<_> = self
            .writes
            .range(range.start.clone()..range.end.clone())
            .collect();
        // Written keys may hide stored ones, so as many more are read as could be hidden.
        let stored = self.base.range(
            range,
            Direction::Forward,
            limit.saturating_add(written.len()),
        )?;
        if written.is_empty() {
            return Ok(stored.into_iter().map(|(k, v)| (k, v.bytes)).collect());
        }
        let mut merged: BTreeMap<Vec<u8>, Bytes> =
            stored.into_iter().map(|(k, v)| (k, v.bytes)).collect();
        for (key, value) in written {
            match value {
                Some(value) => merged.insert(key.clone(), Bytes::copy_from_slice(value)),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }

    fn decoded(&self, id: &MachineId) -> Option<&Machine> {
        self.machines.as_ref()?.get(id)
    }
}

/// Committed state alone.
pub struct Committed<'a>(pub &'a dyn Read);

impl View for Committed<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        Ok(self.0.get(key)?.map(|v| v.bytes))
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<Pair>, ReadError> {
        Ok(self
            .0
            .range(range, Direction::Forward, limit)?
            .into_iter()
            .map(|(k, v)| (k, v.bytes))
            .collect())
    }
}
