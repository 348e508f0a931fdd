//! A view of the store with writes over it that are not committed yet: what one batch of inputs works on.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::parked::ParkedNames;
use crate::domain::id::Scope;
use crate::engine::record::{Pair, View};
use crate::store::{Direction, KeyRange, Read, ReadError, Seq};

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
            size: 0,
            size_before: 0,
        }
    }

    /// The same with the names that parked events wait for at hand.
    #[must_use]
    pub fn with_parked(base: &'a dyn Read, parked: &'a mut ParkedNames) -> Self {
        Self {
            parked: Some(parked),
            ..Self::new(base)
        }
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
