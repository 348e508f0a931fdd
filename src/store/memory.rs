//! The store of simulation: the same contract, nothing behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::{
    Batch, Commit, CommitError, Direction, KeyRange, Read, ReadError, Seq, Value, check_batch,
};

#[derive(Debug, Default)]
struct Contents {
    seq: u64,
    map: BTreeMap<Vec<u8>, Value>,
}

/// An ordered map in memory. Clones are handles on the same map; it is gone with the last of them.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<RwLock<Contents>>);

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        // A panic elsewhere cannot leave a half-made batch: commits validate before they write.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, ReadError> {
        Ok(self.read().map.get(key).cloned())
    }

    fn range(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, ReadError> {
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let state = self.read();
        let found = state.map.range(range.start.clone()..range.end.clone());
        let pair = |(key, value): (&Vec<u8>, &Value)| (key.clone(), value.clone());
        Ok(match direction {
            Direction::Forward => found.take(limit).map(pair).collect(),
            Direction::Backward => found.rev().take(limit).map(pair).collect(),
        })
    }

    fn seq(&self) -> Result<Seq, ReadError> {
        Ok(Seq(self.read().seq))
    }
}

impl Commit for Memory {
    fn commit(&mut self, batch: &Batch) -> Result<Seq, CommitError> {
        check_batch(batch)?;
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, expected) in &batch.expect {
            if state.map.get(key).map(|value| value.seq) != *expected {
                return Err(CommitError::Conflict { key: key.clone() });
            }
        }
        if batch.is_empty() {
            return Ok(Seq(state.seq));
        }
        state.seq += 1;
        let seq = Seq(state.seq);
        for (key, value) in &batch.writes {
            match value {
                Some(bytes) => state.map.insert(
                    key.clone(),
                    Value {
                        bytes: Bytes::copy_from_slice(bytes),
                        seq,
                    },
                ),
                None => state.map.remove(key),
            };
        }
        Ok(seq)
    }
}
