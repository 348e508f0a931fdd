//! A view of the store with writes over it that are not committed yet: what one batch of inputs works on.

use std::collections::BTreeMap;

use super::record::{Pair, View};
use crate::store::{Direction, KeyRange, Read, ReadError};

/// What was written under a key; `None` deletes it.
type Written = Option<Vec<u8>>;

/// The store as it will be when the writes are committed.
pub struct Working<'a> {
    base: &'a dyn Read,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What the input under way replaced, newest last, so that one that fails leaves nothing behind.
    undo: Vec<(Vec<u8>, Option<Written>)>,
}

impl<'a> Working<'a> {
    /// Nothing written yet.
    #[must_use]
    pub fn new(base: &'a dyn Read) -> Self {
        Self { base, writes: BTreeMap::new(), undo: Vec::new() }
    }

    /// Writes a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.write(key, Some(value));
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let before = self.writes.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    /// Begins an input: what it writes can be taken back until the next one begins.
    pub fn begin(&mut self) {
        self.undo.clear();
    }

    /// Bytes that the input under way wrote.
    #[must_use]
    pub fn written(&self) -> usize {
        let len = |key: &Vec<u8>| key.len() + self.writes.get(key).and_then(Option::as_ref).map_or(0, Vec::len);
        self.undo.iter().map(|(key, _)| len(key)).sum()
    }

    /// Takes back what the input under way wrote.
    pub fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(before) => self.writes.insert(key, before),
                None => self.writes.remove(&key),
            };
        }
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

    /// Bytes written so far, for the limit of a batch.
    #[must_use]
    pub fn size(&self) -> usize {
        self.writes.iter().map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len)).sum()
    }
}

impl View for Working<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => Ok(self.base.get(key)?.map(|v| v.bytes)),
        }
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<Pair>, ReadError> {
        let written: Vec<_> = self.writes.range(range.start.clone()..range.end.clone()).collect();
        // Written keys may hide stored ones, so as many more are read as could be hidden.
        let stored = self.base.range(range, Direction::Forward, limit.saturating_add(written.len()))?;
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().map(|(k, v)| (k, v.bytes)).collect();
        for (key, value) in written {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }
}

/// Committed state alone.
pub struct Committed<'a>(pub &'a dyn Read);

impl View for Committed<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.0.get(key)?.map(|v| v.bytes))
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<Pair>, ReadError> {
        Ok(self.0.range(range, Direction::Forward, limit)?.into_iter().map(|(k, v)| (k, v.bytes)).collect())
    }
}
