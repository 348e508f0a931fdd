//! Bytes and keys: an ordered map that survives power cuts. It does not know what a license is.
//!
//! The seam is three calls: [`Read::get`], a bounded ordered [`Read::range`], and [`Commit::commit`], where a batch
//! may carry conditions. Nothing above may assume that it is alone except through a condition, so that a store with
//! several writers can stand behind the same calls one day.
//!
//! [`sled::Store`] is the durable one, [`memory::Memory`] the simulator's; `contract` is one suite of tests for both.
//! How the durable one works, in reading order:
//!
//! * A [`Batch`] is appended to the commit `log` and synced: from that moment on it is acknowledged.
//! * [`sled`] follows: the batch becomes visible in its overlay, and about once a second the net of it goes to sled.
//! * A [`backup`] is a copy of all keys after one commit, behind which older files of the log may go.

pub mod backup;
mod batch;
#[cfg(test)]
mod contract;
mod fault;
mod log;
pub mod memory;
pub(crate) mod pack;
pub mod sled;

use bytes::Bytes;

pub use batch::Batch;
pub use fault::{CommitError, FullCause, OpenError, ReadError, StoreFault};
pub use sled::{Create, MissingBackup, OnBroken, OpenReport, Options, Verify};

/// The longest key, in bytes. Keys are table byte plus ids of providers (up to 255 characters each).
pub const MAX_KEY: usize = 1024;

/// The longest value, in bytes. sled rewrites leaves of up to 17 blocks whole, and a leaf of more than a quarter segment
/// (131,020 bytes) goes to a blob file that is never synced; a block of one such value, with its key, the longest fence
/// and what frames them, stays below a seventeenth of that. Whoever has a larger value splits it over several keys.
pub const MAX_VALUE: usize = 5_600;

/// The largest batch, in bytes of keys and values. A batch is one log record, which recovery holds in memory.
pub const MAX_BATCH: usize = 4 << 20;

/// The number of a commit. The first commit of a store has 1 or 2, each later one exactly one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// A stored value and the commit that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The bytes as they were put.
    pub bytes: Bytes,
    /// The commit that wrote it: the version to name in [`Batch::expect`].
    pub seq: Seq,
}

/// The way through a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key up.
    Forward,
    /// From the greatest key down.
    Backward,
}

/// Keys from `start` up to but not including `end`, in bytewise order. Empty if `start >= end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that may be in the range.
    pub start: Vec<u8>,
    /// The first key behind the range.
    pub end: Vec<u8>,
}

impl KeyRange {
    /// Keys from `start` up to but not including `end`.
    #[must_use]
    pub fn new(start: impl Into<Vec<u8>>, end: impl Into<Vec<u8>>) -> Self {
        Self {
            start: start.into(),
            end: end.into(),
        }
    }

    /// All keys that begin with a prefix. The empty prefix means all keys.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while let Some(last) = end.last_mut() {
            if *last < u8::MAX {
                *last += 1;
                return Self {
                    start: prefix.to_vec(),
                    end,
                };
            }
            end.pop();
        }
        // Nothing can be counted up: the range ends behind the greatest key that is allowed.
        Self {
            start: prefix.to_vec(),
            end: vec![u8::MAX; MAX_KEY + 1],
        }
    }
}

/// Whether the ids behind a key's first byte come in no order: digests, and ids that do not begin with the time. Whoever lays out
/// the keys says so by an upper-case letter. The store lays such keys down in the order in which they first come.
#[must_use]
pub const fn comes_in_no_order(first: u8) -> bool {
    first.is_ascii_uppercase()
}

/// Reads of committed and synced state. Every single call sees one instant between two commits; two calls may see two.
/// Whoever needs one instant over several calls compares [`Read::seq`] before and after, or is the committer.
pub trait Read: Send + Sync {
    /// The value under a key.
    ///
    /// # Errors
    /// [`ReadError::Broken`]: the store cannot be trusted any more, and the process should end.
    fn get(&self, key: &[u8]) -> Result<Option<Value>, ReadError>;

    /// At most `limit` pairs of a range in bytewise order of keys, or its reverse. Keys whose ids come in no order (see
    /// [`comes_in_no_order`]) lie in an order of the store's own, which stays; a range of them begins with their first byte
    /// alone, or behind one of them (that key and a zero byte).
    ///
    /// # Errors
    /// [`ReadError::Broken`]: the store cannot be trusted any more, and the process should end.
    fn range(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, ReadError>;

    /// The newest commit that reads can see.
    ///
    /// # Errors
    /// [`ReadError::Broken`]: the store cannot be trusted any more, and the process should end.
    fn seq(&self) -> Result<Seq, ReadError>;
}

/// The one writer's side of a store.
pub trait Commit: Send {
    /// Writes a batch, all or nothing. Returns only when it survives a power cut and reads see it. A batch without
    /// writes checks its conditions and returns the present sequence.
    ///
    /// # Errors
    /// [`CommitError`]; all but [`CommitError::Broken`] leave the store exactly as it was. After `Broken` it is not
    /// known whether the batch will be there at the next open.
    fn commit(&mut self, batch: &Batch) -> Result<Seq, CommitError>;

    /// Ends in order: what waits in memory is written out. Nothing acknowledged depends on it.
    ///
    /// # Errors
    /// What broke the store, then or before.
    fn close(self: Box<Self>) -> Result<(), StoreFault> {
        Ok(())
    }
}

/// Whether a key is the store's own, which nobody else may write: the empty one, and those that begin with a zero byte.
fn is_reserved(key: &[u8]) -> bool {
    key.first().is_none_or(|first| *first == 0)
}

/// Checks a batch's keys and sizes, which every store refuses alike.
fn check_batch(batch: &Batch) -> Result<(), CommitError> {
    for (key, value) in &batch.writes {
        if is_reserved(key) {
            return Err(CommitError::BadKey { key: key.clone() });
        }
        let len = value.as_ref().map_or(0, Vec::len);
        if key.len() > MAX_KEY || len > MAX_VALUE {
            return Err(CommitError::TooLarge {
                key: key.clone(),
                len: key.len().max(len),
            });
        }
    }
    match batch.size() {
        len if len > MAX_BATCH => Err(CommitError::TooLarge {
            key: Vec::new(),
            len,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        assert_eq!(KeyRange::prefix(b"ab"), KeyRange::new(b"ab", b"ac"));
        assert_eq!(
            KeyRange::prefix(&[1, 255, 255]),
            KeyRange::new([1, 255, 255], [2])
        );
        let all = KeyRange::prefix(&[255]);
        assert!(all.end > vec![255; MAX_KEY]);
        assert!(KeyRange::prefix(b"").start.is_empty());
    }
}
