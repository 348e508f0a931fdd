//! Every machine of a backup, read from it and folded, and held against the store that it was taken from.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::domain::machine::Machine;
use crate::domain::revision::{Revision, Revisions};
use crate::domain::time::Timestamp;
use crate::engine::read::view;
use crate::engine::record::key::Table;
use crate::engine::record::{self, Pair, RecordError, View};
use crate::store::backup::{Backup, BackupError, Section, Step};
use crate::store::sled::{OnStep, Reader};
use crate::store::{KeyRange, Read, ReadError, Seq};

/// Long machines whose parts are gathered in one way through the backup, at some 20 KB each.
const LONG_AT_ONCE: usize = 2_000;
/// After so many machines it is asked whether to go on.
const ASK_EVERY: u64 = 500;

/// Values that were gathered from a backup.
#[derive(Default)]
struct Gathered(BTreeMap<Vec<u8>, (Seq, Bytes)>);

impl View for Gathered {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        Ok(self.0.get(key).map(|(_, value)| value.clone()))
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<Pair>, ReadError> {
        let found = self.0.range(range.start.clone()..range.end.clone());
        Ok(found
            .take(limit)
            .map(|(key, (_, value))| (key.clone(), value.clone()))
            .collect())
    }
}

/// Folds every machine of a backup. Returns how many there are.
///
/// # Errors
/// A machine that cannot be read.
pub(super) fn fold(backup: &Backup, section: &Section, now: Timestamp) -> Result<u64, BackupError> {
    let revisions = revisions(backup, section)?;
    each(backup, section, |_, machine| {
        // That it can be folded is what is wanted.
        drop(machine.folded(&revisions, now));
        Ok(())
    })
}

/// Folds every machine of a backup, and compares each with the store's, unless that has changed since.
///
/// # Errors
/// One that differs.
pub(super) fn prove(
    backup: &Backup,
    section: &Section,
    reader: &Reader,
    now: Timestamp,
    on_step: OnStep<'_>,
) -> Result<u64, BackupError> {
    let revisions = revisions(backup, section)?;
    let mut count = 0;
    each(backup, section, |seq, machine| {
        count += 1;
        if count % ASK_EVERY == 0 && !on_step(Step::Synced) {
            return Err(BackupError::Stopped);
        }
        let folded = machine.folded(&revisions, now);
        let is_still = || -> Result<bool, ReadError> {
            let live = reader.get(&record::key::machine(&machine.id))?;
            Ok(live.is_some_and(|live| live.seq == seq))
        };
        let live = view::machine_and_version(reader, &machine.id);
        let same = match &live {
            Ok(Some((live, version))) if *version == seq => {
                *live == machine && live.folded(&revisions, now) == folded
            }
            Ok(_) => true,
            Err(_) => false,
        };
        // It may have been written while it was read.
        match same || !is_still()? {
            true => Ok(()),
            false => Err(differs(
                backup,
                section,
                format!("{} is another machine in it", machine.id),
            )),
        }
    })
}

fn differs(backup: &Backup, section: &Section, why: String) -> BackupError {
    BackupError::Differs {
        path: backup.path().to_owned(),
        seq: section.seq().0,
        why,
    }
}

/// The revisions in a backup, as the store has them.
fn revisions(backup: &Backup, section: &Section) -> Result<Revisions, BackupError> {
    let mut gathered = Gathered::default();
    backup.each(section, |key, seq, value| {
        let first = record::record_of(key);
        if first.first() == Some(&(Table::Revision as u8)) {
            let value = (seq, Bytes::copy_from_slice(value));
            gathered.0.insert(key.to_vec(), value);
        }
        Ok::<_, BackupError>(())
    })?;
    let kept: Result<Vec<Revision>, RecordError> = record::revisions::kept(&gathered);
    kept.map(Revisions::new)
        .map_err(|error| differs(backup, section, error.to_string()))
}

/// Every machine of a backup with the commit that wrote it. Returns how many there are.
fn each(
    backup: &Backup,
    section: &Section,
    mut visit: impl FnMut(Seq, Machine) -> Result<(), BackupError>,
) -> Result<u64, BackupError> {
    let is_machine = |key: &[u8]| key.first() == Some(&(Table::Machine as u8));
    let unreadable = |error: RecordError| differs(backup, section, error.to_string());
    let (mut count, mut long) = (0, Vec::new());
    backup.each(section, |key, seq, value| {
        if !is_machine(key) {
            return Ok(());
        }
        count += 1;
        if record::part_count(value) > 0 {
            long.push(key.to_vec());
            return Ok(());
        }
        let first = Bytes::copy_from_slice(value);
        let machine = record::whole(&Gathered::default(), key, first).map_err(unreadable)?;
        visit(seq, record::checked(machine))
    })?;
    long.sort_unstable();
    for group in long.chunks(LONG_AT_ONCE) {
        let mut gathered = Gathered::default();
        backup.each(section, |key, seq, value| {
            let first = record::record_of(key);
            if is_machine(first) && group.binary_search_by(|k| k.as_slice().cmp(first)).is_ok() {
                let value = (seq, Bytes::copy_from_slice(value));
                gathered.0.insert(key.to_vec(), value);
            }
            Ok::<_, BackupError>(())
        })?;
        for key in group {
            let Some((seq, first)) = gathered.0.get(key).cloned() else {
                continue;
            };
            let machine = record::whole(&gathered, key, first).map_err(unreadable)?;
            visit(seq, record::checked(machine))?;
        }
    }
    Ok(count)
}
