//! The mark of a store that was made from a backup: it knows nothing of what happened between the two.

use minicbor::{Decode, Encode};

use super::{RecordError, View, key};
use crate::domain::time::Timestamp;
use crate::engine::record;
use crate::engine::write::working::Working;

/// From what a store was restored, and when.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Restored {
    /// When it was restored.
    #[n(0)]
    pub at: Timestamp,
    /// The backup's file, as it was named.
    #[n(1)]
    pub from: String,
    /// When the backup was made.
    #[n(2)]
    pub taken: Timestamp,
    /// The commit whose state the backup held.
    #[n(3)]
    pub seq: u64,
}

fn restored_key() -> Vec<u8> {
    key::general("restored")
}

/// From what this store was last restored; `None`: it never was.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn read(view: &dyn View) -> Result<Option<Restored>, RecordError> {
    record::get(view, &restored_key())
}

/// Marks a store as restored.
pub(in crate::engine) fn mark(
    working: &mut Working<'_>,
    restored: &Restored,
) -> Result<(), RecordError> {
    Ok(record::put(working, restored_key(), restored)?)
}
