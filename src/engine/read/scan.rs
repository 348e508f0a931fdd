//! The store a page at a time, for jobs that come again: where one page ends, the next one begins.

use crate::domain::id::MachineId;
use crate::domain::time::Timestamp;
use crate::store::{Direction, KeyRange, Read};

use crate::engine::record::RecordError;
use crate::engine::record::key::{self, Due, Lane, Table};

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
        Due::Search(..) => None,
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
