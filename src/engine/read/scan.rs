//! The store a page at a time, for jobs that come again: where one page ends, the next one begins.

use crate::domain::fact::Fact;
use crate::domain::id::{EventId, MachineId, Scope};
use crate::domain::time::Timestamp;
use crate::engine::record::key::{self, Due, Lane, Table};
use crate::engine::record::{self, RecordError};
use crate::engine::route::expire_parked::has_waited_too_long;
use crate::engine::write::working::Committed;
use crate::store::{Direction, KeyRange, Read};

/// Where a job goes on in its next run; at the beginning, where the page before was the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(Option<Vec<u8>>);

impl Cursor {
    /// The next page's keys, with the cursor moved behind them.
    fn page(
        &mut self,
        reader: &dyn Read,
        mut range: KeyRange,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, RecordError> {
        if let Some(from) = self.0.take() {
            range.start = from;
        }
        let entries = reader.range(&range, Direction::Forward, limit)?;
        let page: Vec<_> = entries.into_iter().map(|(key, _)| key).collect();
        self.0 = page
            .last()
            .filter(|_| page.len() == limit)
            .map(|key| [key.as_slice(), &[0]].concat());
        Ok(page)
    }
}

/// Machines that time alone changes by an instant, the earliest first.
///
/// # Errors
/// The store's.
pub fn wakes(
    reader: &dyn Read,
    until: Timestamp,
    cursor: &mut Cursor,
    limit: usize,
) -> Result<Vec<MachineId>, RecordError> {
    let page = cursor.page(reader, Lane::WAKE.until(until), limit)?;
    let due = page.iter().filter_map(|k| key::parse_due(k));
    let machine = |(_, due)| match due {
        Due::Of(machine, _) => Some(machine),
        Due::ParkedQuery(..) => None,
    };
    Ok(due.filter_map(machine).collect())
}

/// The next machines, in the order in which the store has them.
///
/// # Errors
/// The store's.
pub fn machines(
    reader: &dyn Read,
    cursor: &mut Cursor,
    limit: usize,
) -> Result<Vec<MachineId>, RecordError> {
    let page = cursor.page(reader, KeyRange::prefix(&[Table::Machine as u8]), limit)?;
    Ok(page.iter().filter_map(|k| key::machine_of(k)).collect())
}

/// Those of the next parked events that have waited so long that their purchase will not come.
///
/// # Errors
/// The store's.
pub fn never_linked(
    reader: &dyn Read,
    now: Timestamp,
    cursor: &mut Cursor,
    limit: usize,
) -> Result<Vec<(Scope, EventId)>, RecordError> {
    let page = cursor.page(reader, KeyRange::prefix(&[Table::Waiting as u8]), limit)?;
    let mut found = Vec::new();
    for entry in page {
        let parked = match record::get::<Fact>(&Committed(reader), &entry) {
            Ok(parked) => parked,
            // `verify` tells of it; those behind it are looked at all the same.
            Err(RecordError::Form { .. }) => continue,
            Err(error) => return Err(error),
        };
        if parked.is_some_and(|fact| has_waited_too_long(&fact, now))
            && let Some(event) = key::event_of(&entry)
        {
            found.push((key::scope_of(&entry), event));
        }
    }
    Ok(found)
}
