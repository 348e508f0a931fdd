//! Reading the table of what is due, lane by lane.

use std::collections::BTreeSet;

use super::view;
use crate::domain::id::MachineId;
use crate::domain::time::Timestamp;
use crate::engine::record::RecordError;
use crate::engine::record::key::{self, Due, Lane, Table, Work};
use crate::store::{Direction, KeyRange, Read};

/// What is due, and when.
pub type DueEntries = Vec<(Timestamp, Due)>;

/// The lanes in which anything is due, now or later. Costs one look into the store for each of them.
///
/// # Errors
/// The store's.
pub fn lanes(reader: &dyn Read) -> Result<Vec<Lane>, RecordError> {
    let (mut lanes, mut range) = (Vec::new(), KeyRange::prefix(&[Table::Due as u8]));
    while let Some((key, _)) = reader.range(&range, Direction::Forward, 1)?.pop() {
        match Lane::of(&key) {
            Some(lane) => {
                range = lane.behind();
                lanes.push(lane);
            }
            // No entry of ours: it is passed over, like everywhere else.
            None => range.start = [key.as_slice(), &[0]].concat(),
        }
    }
    Ok(lanes)
}

/// What is due up to an instant in any lane, earliest first, at most `limit` of them.
///
/// # Errors
/// The store's.
pub fn until(reader: &dyn Read, at: Timestamp, limit: usize) -> Result<DueEntries, RecordError> {
    let mut keys = Vec::new();
    for lane in lanes(reader)? {
        let entries = reader.range(&lane.until(at), Direction::Forward, limit)?;
        keys.extend(entries.into_iter().map(|(key, _)| key));
    }
    keys.sort_by(|a, b| key::due_order(a).cmp(&key::due_order(b)));
    keys.truncate(limit);
    Ok(keys.iter().filter_map(|key| key::parse_due(key)).collect())
}

/// The machines for which anything but a wake-up is due later than an instant.
///
/// # Errors
/// The store's.
pub fn behind(reader: &dyn Read, at: Timestamp) -> Result<BTreeSet<MachineId>, RecordError> {
    let mut machines = BTreeSet::new();
    for lane in lanes(reader)? {
        let range = KeyRange::new(lane.until(at).end, lane.behind().start);
        if lane.work == Work::Wake {
            continue;
        }
        view::walk(reader, range, |key, _| {
            if let Some((_, Due::Of(machine, _))) = key::parse_due(key) {
                machines.insert(machine);
            }
            Ok(true)
        })?;
    }
    Ok(machines)
}

/// When something is due next, in any lane.
///
/// # Errors
/// The store's.
pub fn next(reader: &dyn Read) -> Result<Option<Timestamp>, RecordError> {
    let (mut next, mut range) = (None, KeyRange::prefix(&[Table::Due as u8]));
    while let Some((key, _)) = reader.range(&range, Direction::Forward, 1)?.pop() {
        let Some(((at, _), lane)) = key::due_order(&key).zip(Lane::of(&key)) else {
            range.start = [key.as_slice(), &[0]].concat();
            continue;
        };
        next = Some(next.map_or(at, |next: Timestamp| next.min(at)));
        range = lane.behind();
    }
    Ok(next)
}

/// A page of one lane, from a key on: its keys, in order.
///
/// # Errors
/// The store's.
pub fn page(
    reader: &dyn Read,
    lane: &Lane,
    from: &[u8],
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Vec<u8>>, RecordError> {
    let mut range = lane.until(until);
    if from > range.start.as_slice() {
        range.start = from.to_vec();
    }
    if range.start >= range.end {
        return Ok(Vec::new());
    }
    let entries = reader.range(&range, Direction::Forward, limit)?;
    Ok(entries.into_iter().map(|(key, _)| key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Scope;
    use crate::engine::record::key::Item;
    use crate::store::memory::Memory;
    use crate::store::{Batch, Commit};

    #[test]
    fn every_lane_is_found_and_what_is_due_first_comes_first() {
        let mut store = Memory::new();
        assert_eq!(next(&store).unwrap(), None);
        let of = |source: &str| format!("{source}/sub_1").parse::<MachineId>().unwrap();
        let at = Timestamp::from_s;
        let mut batch = Batch::new();
        for (source, s, item) in [
            ("b", 9, Item::Create(1)),
            ("a", 7, Item::Create(2)),
            ("a", 3, Item::Action(3)),
            ("b", 5, Item::Notice(4)),
            ("a", 4, Item::Wake),
            ("b", 8, Item::Wake),
        ] {
            batch.put(key::due(at(s), &of(source), item), Vec::new());
        }
        batch.put(
            key::due_parked_query(at(6), &Scope::of("b"), "pi_1"),
            Vec::new(),
        );
        store.commit(&batch).unwrap();
        assert_eq!(next(&store).unwrap(), Some(at(3)));
        assert_eq!(lanes(&store).unwrap().len(), 6, "wake-ups share theirs");
        let due = until(&store, at(6), 9).unwrap();
        let s: Vec<_> = due.iter().map(|(at, _)| at.s()).collect();
        assert_eq!(s, [3, 4, 5, 6]);
        assert_eq!(due[0].1, Due::Of(of("a"), Item::Action(3)));
        assert_eq!(until(&store, at(9), 2).unwrap().len(), 2);
        let behind = |s| behind(&store, at(s)).unwrap();
        assert_eq!(behind(5), [of("a"), of("b")].into());
        assert_eq!(behind(7), [of("b")].into());
        assert!(behind(9).is_empty());
        let wakes = page(&store, &Lane::WAKE, &[], at(7), 9).unwrap();
        assert_eq!(wakes.len(), 1);
        assert!(
            page(&store, &Lane::WAKE, &[0xff], at(7), 9)
                .unwrap()
                .is_empty()
        );
    }
}
