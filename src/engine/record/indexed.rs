//! Indexes that came after the first stores: what is older is put into them once, by a server's start.

use super::{RecordError, key};
use crate::engine::write::working::Working;
use crate::store::Read;

/// Such an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Of purchases by address.
    Addresses,
    /// Of events that could not be read.
    Unread,
}

impl Index {
    fn key(self) -> Vec<u8> {
        key::general(match self {
            Self::Addresses => "addresses",
            Self::Unread => "unread",
        })
    }

    /// Whether everything that belongs into it is in it.
    ///
    /// # Errors
    /// The store's.
    pub fn is_whole(self, reader: &dyn Read) -> Result<bool, RecordError> {
        Ok(reader.get(&self.key())?.is_some())
    }
}

/// Notes that it is whole.
pub(super) fn note(working: &mut Working<'_>, index: Index) {
    working.put(index.key(), vec![1]);
}
