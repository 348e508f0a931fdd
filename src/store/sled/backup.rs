//! Copies of running stores: consistent, compared with what the stores held, and then what their logs are cut behind.
//!
//! A store is walked through page by page while commits go on, which costs them nothing. Then a checkpoint is asked for,
//! and what the log has between the walk's beginning and that checkpoint goes behind the pages: the state after the
//! checkpoint's commit. sled keeps a digest of that state from write to write, which the copy must lead to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Reader;
use super::digest::Digest;
use super::shared::Shared;
use super::signal::PATIENCE;
use crate::store::backup::write::Draft;
use crate::store::backup::{Backup, BackupError, Section, Step};
use crate::store::log::base::Base;
use crate::store::log::record::Link;
use crate::store::log::{append, base, follow};
use crate::store::{Direction, KeyRange, Seq, StoreFault};

/// Keys that are read at one instant.
const PAGE: usize = 500;

/// Is told how far a backup is, and answers whether to go on.
pub type OnStep<'s> = &'s (dyn Fn(Step) -> bool + Sync);

/// Tells somebody how far it is.
pub(super) fn step(on_step: OnStep<'_>, step: Step) -> Result<(), BackupError> {
    match on_step(step) {
        true => Ok(()),
        false => Err(BackupError::Stopped),
    }
}

/// A backup that is whole, synced, and holds what the stores held. It has no name yet, and goes without one.
#[derive(Debug)]
pub struct Unnamed {
    draft: Draft,
    backup: Backup,
    target: PathBuf,
}

/// A backup that has its name.
#[derive(Clone, Debug)]
pub struct Named {
    path: PathBuf,
    stores: Vec<(String, Link)>,
}

/// Copies stores, in this order, into one file, reads it again and compares it with them. One at a time.
///
/// # Errors
/// [`BackupError`]; there is no file then.
pub fn copy(
    stores: &[(&str, Reader)],
    target: &Path,
    at_ms: i64,
    on_step: OnStep<'_>,
) -> Result<Unnamed, BackupError> {
    let mut draft = Draft::begin(target, at_ms)?;
    step(on_step, Step::Begun)?;
    let mut digests = Vec::with_capacity(stores.len());
    for (name, reader) in stores {
        digests.push(copy_one(&reader.shared, &mut draft, name, on_step)?);
    }
    step(on_step, Step::Copied)?;
    draft.end()?;
    step(on_step, Step::Synced)?;
    let backup = Backup::open(draft.path())?;
    for ((section, digest), (_, reader)) in backup.sections().iter().zip(digests).zip(stores) {
        compare(&reader.shared, &backup, section, digest)?;
    }
    Ok(Unnamed {
        draft,
        backup,
        target: target.to_owned(),
    })
}

impl Unnamed {
    /// What is in it.
    #[must_use]
    pub const fn backup(&self) -> &Backup {
        &self.backup
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// [`BackupError`], also when something has that name by now.
    pub fn name(self) -> Result<Named, BackupError> {
        self.draft.name()?;
        let store = |section: &Section| (section.name().to_owned(), section.link());
        Ok(Named {
            path: self.target,
            stores: self.backup.sections().iter().map(store).collect(),
        })
    }
}

impl Reader {
    /// From now on this store is rebuilt from a backup and the log behind it. Older log files are deleted, but never
    /// those that two checkpoints or the newest records need. Returns how many bytes that freed.
    ///
    /// # Errors
    /// The system's. Whatever is left is enough to rebuild the store.
    pub fn cut_log(
        &self,
        name: &str,
        named: &Named,
        on_step: OnStep<'_>,
    ) -> Result<u64, BackupError> {
        let shared = &self.shared;
        let Some((_, link)) = named.stores.iter().find(|(stored, _)| stored == name) else {
            return Ok(0);
        };
        let base = Base {
            link: *link,
            name: name.to_owned(),
            path: named.path.clone(),
        };
        base::write(&shared.store, &base)
            .map_err(|error| StoreFault::new("noting the last backup", &shared.store, error))?;
        step(on_step, Step::Based)?;
        let last = shared.overlay().last().seq;
        let upto = link
            .seq
            .min(shared.checkpoints().before.seq)
            .min(last.saturating_sub(shared.keep_records));
        let (mut freed, mut given_up) = (0, false);
        append::cut(&shared.store, upto, |len| {
            freed += len;
            given_up |= !on_step(Step::Cut);
        })?;
        match given_up {
            true => Err(BackupError::Stopped),
            false => Ok(freed),
        }
    }
}

/// Copies one store, and returns the digest of what it held after the commit whose state was copied.
fn copy_one(
    shared: &Shared,
    draft: &mut Draft,
    name: &str,
    on_step: OnStep<'_>,
) -> Result<Digest, BackupError> {
    shared.sound()?;
    draft.store(name)?;
    let begin = shared.overlay().last().seq;
    let mut range = KeyRange::prefix(b"");
    loop {
        step(on_step, Step::Copying)?;
        let page = shared.pairs(&range, Direction::Forward, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        range.start = [last.as_slice(), &[0]].concat();
        for (key, value) in &page {
            draft.entry(key, value.seq.0, Some(&value.bytes))?;
        }
        if page.len() < PAGE {
            break;
        }
    }
    let seen = shared.overlay().last().seq;
    let (link, digest) = shared.checkpoint_from(seen)?;
    draft.changes()?;
    let mut net: BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)> = BTreeMap::new();
    follow::between(&shared.store, begin, link, &mut |record| {
        for (key, value) in record.writes().flatten() {
            net.insert(key.to_vec(), (record.link.seq, value.map(<[u8]>::to_vec)));
        }
        Ok(())
    })?;
    for (key, (seq, value)) in &net {
        draft.entry(key, *seq, value.as_deref())?;
    }
    draft.store_ends(link)?;
    Ok(digest)
}

/// Compares what a backup holds with the digest of what the store held, and with each value that is as it was.
fn compare(
    shared: &Shared,
    backup: &Backup,
    section: &Section,
    should: Digest,
) -> Result<(), BackupError> {
    let differs = |why: String| BackupError::Differs {
        path: backup.path().to_owned(),
        seq: section.seq().0,
        why,
    };
    let mut found = Digest::default();
    backup.each(section, |key, seq: Seq, value| {
        let place = shared.disk.layout().find(key);
        let place = place.ok_or_else(|| differs(format!("key {} is strange", hex::encode(key))))?;
        found.add(&place, seq);
        let live = shared.read(key)?;
        if live.is_some_and(|live| live.seq == seq && live.bytes != value) {
            return Err(differs(format!(
                "key {} has another value",
                hex::encode(key)
            )));
        }
        Ok(())
    })?;
    if found == should {
        return Ok(());
    }
    Err(differs(format!(
        "it has {} keys of {}, or other versions of some",
        found.count(),
        should.count()
    )))
}

impl Shared {
    /// The first checkpoint that reaches so far, with the digest of what sled held at it.
    fn checkpoint_from(&self, seq: u64) -> Result<(Link, Digest), StoreFault> {
        let reached = || {
            let checkpoints = self.checkpoints();
            let digest = checkpoints.digest;
            digest
                .filter(|_| checkpoints.newest.seq >= seq)
                .map(|digest| (checkpoints.newest, digest))
        };
        if reached().is_none() {
            self.signal.wake();
            self.signal
                .wait_done(PATIENCE, || reached().is_some() || self.fault().is_some());
        }
        self.sound()?;
        reached().ok_or_else(|| {
            let why = format!("sled has not come back for {} s", PATIENCE.as_secs());
            StoreFault::new("waiting for a checkpoint", &self.store, why)
        })
    }
}
