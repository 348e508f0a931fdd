//! What waits for a person in the whole store: purchases, and events without one.

use crate::domain::attention::{Attention, Concern, PURCHASE_WITHIN, of_machine};
use crate::domain::fact::Fact;
use crate::domain::time::Timestamp;
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventHead, RecordError};
use crate::engine::write::working::Committed;
use crate::store::{KeyRange, Read};

use super::view;

/// Everything that waits, of every purchase and event, the oldest first.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn all(reader: &dyn Read, now: Timestamp) -> Result<Vec<Attention>, RecordError> {
    let mut found = parked(reader, now)?;
    view::machines(reader, |machine| {
        found.extend(of_machine(&record::checked(machine), now));
        true
    })?;
    found.sort_by_key(|attention| attention.since);
    Ok(found)
}

/// Events that have waited too long for their purchase.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn parked(reader: &dyn Read, now: Timestamp) -> Result<Vec<Attention>, RecordError> {
    let mut found = Vec::new();
    let waiting = KeyRange::prefix(&[Table::Waiting as u8]);
    view::walk(reader, waiting, |entry, first| {
        let (scope, Some(event)) = (key::scope_of(entry), key::event_of(entry)) else {
            return Ok(true);
        };
        let fact: Fact = record::whole(&Committed(reader), entry, first)?;
        if now - fact.received < PURCHASE_WITHIN {
            return Ok(true);
        }
        let head: Option<EventHead> = record::get(&Committed(reader), &key::event(&scope, &event))?;
        // Others wait without anybody missing them: links for what may come.
        if let Some(Disposition::Parked(names)) = head.map(|head| head.disposition) {
            found.push(Attention {
                since: fact.received,
                concern: Concern::Parked {
                    scope,
                    event,
                    names,
                },
            });
        }
        Ok(true)
    })?;
    Ok(found)
}
