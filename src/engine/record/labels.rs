//! Which license carries which label, as far as it was ever read: kept, so that a crawl goes on where the last process left
//! it. A label never changes. Hashes only, as the recovery makes them.

use super::RecordError;
use super::key::{self, Table};
use crate::engine::input::Receipt;
use crate::engine::read::view;
use crate::engine::record;
use crate::engine::write::working::{Committed, Working};
use crate::store::{KeyRange, Read};

/// The most pairs in one record, so that it stays one value.
pub const CHUNK_MAX: usize = 200;

/// Keeps pairs of key and label.
pub(in crate::engine) fn keep(
    working: &mut Working<'_>,
    pairs: &[(u64, u64)],
) -> Result<Receipt, RecordError> {
    for chunk in pairs.chunks(CHUNK_MAX) {
        let (first, _) = chunk[0];
        record::put(working, key::labels(first), &chunk.to_vec())?;
    }
    Ok(Receipt::Done)
}

/// All pairs that were kept.
///
/// # Errors
/// The store's.
pub fn read(reader: &dyn Read) -> Result<Vec<(u64, u64)>, RecordError> {
    let mut all = Vec::new();
    view::walk(
        reader,
        KeyRange::prefix(&[Table::Labels as u8]),
        |key, first| {
            all.append(&mut record::whole::<Vec<(u64, u64)>>(
                &Committed(reader),
                key,
                first,
            )?);
            Ok(true)
        },
    )?;
    Ok(all)
}
