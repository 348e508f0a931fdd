//! Writes that belong together, and what must still hold when they are made.

use std::collections::BTreeMap;

use super::Seq;

/// Writes gathered into one atomic commit. The last write to a key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Conditions: this key was last written by that commit, or does not exist (`None`).
    pub expect: Vec<(Vec<u8>, Option<Seq>)>,
    /// Key to new value; `None` deletes. Deleting what does not exist is allowed and does nothing.
    pub writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Batch {
    /// A batch without writes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value under a key.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.writes.insert(key.into(), Some(value.into()));
        self
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.writes.insert(key.into(), None);
        self
    }

    /// Demands that a key was last written by a commit, or does not exist (`None`).
    pub fn expect(&mut self, key: impl Into<Vec<u8>>, seq: Option<Seq>) -> &mut Self {
        self.expect.push((key.into(), seq));
        self
    }

    /// Whether nothing would be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Bytes of all keys and values that would be written.
    #[must_use]
    pub fn size(&self) -> usize {
        self.writes
            .iter()
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len))
            .sum()
    }
}
