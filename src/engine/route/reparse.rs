//! Events that could not be read when they came: a newer binary may be able to.

use crate::domain::attention::UnreadableEvent;
use crate::domain::id::{EventId, Scope};
use crate::engine::input::Receipt;
use crate::engine::read::view;
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventHead, EventRecord, RecordError};
use crate::engine::write::working::{Committed, Working};
use crate::store::{KeyRange, Read};

/// The place where the binary is noted that last read them again.
const READ_BY: &str = "read_by";

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

/// Hands every unread event over, until the visitor has enough.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn each(
    reader: &dyn Read,
    mut visit: impl FnMut(&Scope, EventRecord) -> bool,
) -> Result<(), RecordError> {
    walk_index(reader, |scope, event| {
        let kept: Option<EventRecord> = record::get(&Committed(reader), &key::event(scope, event))?;
        let unread = kept.filter(|kept| matches!(kept.disposition, Disposition::Unreadable(_)));
        Ok(unread.is_none_or(|kept| visit(scope, kept)))
    })
}

/// Every unread event without what came, and why it could not be read. A damaged record is reported where it is used.
///
/// # Errors
/// The store's.
pub fn all(reader: &dyn Read) -> Result<Vec<UnreadableEvent>, RecordError> {
    let mut found = Vec::new();
    walk_index(reader, |scope, event| {
        let head = match record::get::<EventHead>(&Committed(reader), &key::event(scope, event)) {
            Err(RecordError::Form { .. }) => None,
            head => head?,
        };
        if let Some(head) = head
            && let Disposition::Unreadable(why) = head.disposition
        {
            found.push(UnreadableEvent {
                scope: scope.clone(),
                event: event.clone(),
                kind: head.kind,
                received: head.received,
                why,
            });
        }
        Ok(true)
    })?;
    Ok(found)
}

/// Walks the index of unread events, until the visitor has enough.
///
/// # Errors
/// The store's, or what the visitor says.
fn walk_index(
    reader: &dyn Read,
    mut visit: impl FnMut(&Scope, &EventId) -> Result<bool, RecordError>,
) -> Result<(), RecordError> {
    let all = KeyRange::prefix(&[Table::Unread as u8]);
    view::walk(reader, all, |entry, _| match key::event_of(entry) {
        Some(event) => visit(&key::scope_of(entry), &event),
        None => Ok(true),
    })
}

/// The keys of all unread events, in a store of a time before the index. It is asked after each event whether to go on. A
/// damaged record is reported where it is used.
///
/// # Errors
/// The store's.
pub fn by_looking_through_all(
    reader: &dyn Read,
    mut go_on: impl FnMut() -> bool,
) -> Result<Vec<Vec<u8>>, RecordError> {
    let mut found = Vec::new();
    let all = KeyRange::prefix(&[Table::Event as u8]);
    view::walk(reader, all, |entry, first| {
        match record::whole::<EventHead>(&Committed(reader), entry, first) {
            Ok(head) if matches!(head.disposition, Disposition::Unreadable(_)) => {
                found.push(entry.to_vec());
            }
            Ok(_) | Err(RecordError::Form { .. }) => {}
            Err(error @ RecordError::Read(_)) => return Err(error),
        }
        Ok(go_on())
    })?;
    Ok(found)
}
