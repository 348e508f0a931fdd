//! Reads: the overlay first, below it sled, both as one ordered map.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use super::layout::Layout;
use super::overlay::precedes;
use super::shared::Shared;
use crate::store::{Direction, KeyRange, Read, ReadError, Seq, StoreFault, Value, is_reserved};

/// The smallest key that is not the store's own.
const FIRST_KEY: &[u8] = &[1];

/// Reads; clones are cheap.
#[derive(Clone)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
}

impl Reader {
    /// What broke the store, if anything did: then the process should end.
    #[must_use]
    pub fn broken(&self) -> Option<StoreFault> {
        self.shared.fault().cloned()
    }

    /// Bytes in memory that wait for sled, for the metric.
    #[must_use]
    pub fn overlay_bytes(&self) -> usize {
        self.shared.overlay().bytes()
    }

    pub(super) fn store(&self) -> &Path {
        &self.shared.store
    }

    /// Reads any key, the store's own too.
    pub(super) fn own(&self, key: &[u8]) -> Result<Option<Value>, ReadError> {
        self.shared.sound()?;
        Ok(self.shared.read(key)?)
    }
}

fn key_at(place: &[u8]) -> Option<Vec<u8>> {
    Layout::key(place).map(Cow::into_owned)
}

impl Shared {
    /// At most `limit` pairs of a range as they are at one instant, the store's own keys among them.
    pub(super) fn pairs(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, StoreFault> {
        if range.start >= range.end || limit == 0 {
            return Ok(Vec::new());
        }
        let range = self.disk.layout().range(range);
        // Held to the end: meanwhile sled changes only under keys that the frozen layer hides, so this is one instant.
        let overlay = self.overlay();
        let mut upper = overlay.range(&range, direction).peekable();
        let mut lower = self.asked(self.disk.range(&range, direction))?.peekable();
        let mut found = Vec::new();
        while found.len() < limit {
            let from_upper = match (upper.peek(), lower.peek()) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) | (_, Some(Err(_))) => false,
                (Some((key, _)), Some(Ok((below, _)))) => !precedes(direction, below, key),
            };
            if from_upper {
                let Some((key, entry)) = upper.next() else {
                    break;
                };
                lower.next_if(|below| below.as_ref().is_ok_and(|(below, _)| **below == *key));
                found.extend(entry.value().and_then(|value| Some((key_at(key)?, value))));
            } else {
                let Some(pair) = lower.next() else { break };
                let (place, value) = self.asked(pair)?;
                found.extend(key_at(&place).map(|key| (key, value)));
            }
        }
        Ok(found)
    }
}

impl Read for Reader {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, ReadError> {
        match is_reserved(key) {
            true => self
                .shared
                .sound()
                .map(|()| None)
                .map_err(ReadError::Broken),
            false => self.own(key),
        }
    }

    fn range(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, ReadError> {
        self.shared.sound()?;
        let start = range.start.as_slice().max(FIRST_KEY).to_vec();
        let range = KeyRange {
            start,
            end: range.end.clone(),
        };
        Ok(self.shared.pairs(&range, direction, limit)?)
    }

    fn seq(&self) -> Result<Seq, ReadError> {
        self.shared.sound()?;
        Ok(Seq(self.shared.overlay().last().seq))
    }
}
