//! Events that could not be read when they came: a newer binary may be able to.

use crate::domain::id::SourceName;
use crate::domain::time::Timestamp;
use crate::engine::input::Receipt;
use crate::engine::read::view;
use crate::engine::record::body_codec;
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventRecord, RecordError};
use crate::engine::write::working::{Committed, Working};
use crate::store::{KeyRange, Read};

/// The place where the binary is noted that last read them again.
const READ_BY: &str = "read_by";

/// An event that waits to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    pub source: SourceName,
    /// When it came.
    pub received: Timestamp,
    /// Its body as it came.
    pub body: Vec<u8>,
}

/// The binary that last read them again.
///
/// # Errors
/// The store's.
pub fn read_by(reader: &dyn Read) -> Result<Option<String>, RecordError> {
    let kept = reader
        .get(&key::general(READ_BY))
        .map_err(RecordError::from)?;
    Ok(kept.and_then(|value| String::from_utf8(value.bytes.into()).ok()))
}

/// Keeps what [`read_by`] says.
pub(in crate::engine) fn note_reader(working: &mut Working<'_>, binary: &str) -> Receipt {
    working.put(key::general(READ_BY), binary.as_bytes().to_vec());
    Receipt::Done
}

/// Hands every unread event over, until the visitor has enough; asked after each event, read or not.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn each(
    reader: &dyn Read,
    mut visit: impl FnMut(Option<Unread>) -> bool,
) -> Result<(), RecordError> {
    view::walk(
        reader,
        KeyRange::prefix(&[Table::Event as u8]),
        |key, first| {
            let kept: EventRecord = record::whole(&Committed(reader), key, first)?;
            let source = key::scope_of(key).source().clone();
            let unread = matches!(kept.disposition, Disposition::Unreadable(_));
            let body = if unread {
                body_codec::unpack(&kept.raw)
            } else {
                None
            };
            Ok(visit(body.map(|body| Unread {
                source,
                received: kept.received,
                body,
            })))
        },
    )
}
