//! All that touches sled. Its panics are caught here, its errors sorted, and its file synced by a handle of our own.

mod error;
mod write;

use std::fs;
use std::fs::{File, OpenOptions, TryLockError};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::block::BlockEntry;
use super::digest::Digest;
use super::layout::Layout;
use super::presence::Presence;
use super::{block, codec, preflight};
use crate::store::log::append;
use crate::store::log::record::{Hash, Link};
use crate::store::{Direction, KeyRange, Seq, Value};
pub(super) use error::DiskError;
use error::catch_panics;

/// Under this key sled holds which commit it has been given last, written after all of that commit's keys; and the
/// digest of all that it holds, written with every batch.
pub(super) const APPLIED: &[u8] = b"\0s";

/// Blocks per sled batch. sled lets nobody read while it applies one: 100 keep a `get` waiting about 1 ms.
const CHUNK: usize = 100;

/// How often, and how far apart, sled's file lock is asked for.
const LOCK_TRIES: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// An open sled.
#[derive(Debug)]
pub(super) struct Disk {
    /// `None` only while it is being dropped.
    db: Option<::sled::Db>,
    /// Open since before the first write: Linux tells of a failed write-back once per handle, so a handle opened
    /// later may hear nothing.
    file: File,
    path: PathBuf,
    /// Which keys it may hold.
    presence: Presence,
    /// Where each key lies. Everything here is asked for places.
    layout: Layout,
}

/// What sled says about itself, under [`APPLIED`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Applied {
    /// The last commit whose writes are all here.
    pub(super) link: Link,
    /// What is here, later writes included.
    pub(super) digest: Digest,
}

impl Applied {
    fn framed(&self) -> Vec<u8> {
        let payload = [&self.link.hash[..], &self.digest.to_bytes()].concat();
        codec::encode(APPLIED, Seq(self.link.seq), &payload)
    }

    fn parse(value: &Value) -> Option<Self> {
        let (hash, digest) = value.bytes.split_first_chunk::<{ size_of::<Hash>() }>()?;
        let digest = Digest::from_bytes(digest.try_into().ok()?);
        Some(Self {
            link: Link {
                seq: value.seq.0,
                hash: *hash,
            },
            digest,
        })
    }
}

/// The directory of sled's files in a store.
pub(super) fn path(store: &Path) -> PathBuf {
    store.join("sled")
}

impl Disk {
    /// Opens what is there. Nothing sled would silently begin anew is let through.
    pub(super) fn open(store: &Path, cache_bytes: u64) -> Result<Self, DiskError> {
        let path = path(store);
        remove_half_snapshots(&path).map_err(DiskError::damaged)?;
        preflight::check(&path.join("db")).map_err(DiskError::damaged)?;
        Self::wait_for_earlier_handle(&path.join("db")).map_err(DiskError::undamaged)?;
        let disk = Self::start(path, cache_bytes, Presence::default())?;
        match disk.db()?.was_recovered() {
            true => Ok(disk),
            false => Err(DiskError::damaged(
                "sled found nothing in a file that was not empty",
            )),
        }
    }

    /// Makes a new, empty one. The directory must not exist.
    pub(super) fn create(store: &Path, cache_bytes: u64) -> Result<Self, DiskError> {
        let path = path(store);
        fs::create_dir(&path).map_err(DiskError::undamaged)?;
        let disk = Self::start(path, cache_bytes, Presence::empty())?;
        // sled syncs neither its directory nor `conf`.
        disk.sync()?;
        let conf = disk.path.join("conf");
        if conf.exists() {
            File::open(&conf)
                .and_then(|conf| conf.sync_all())
                .map_err(DiskError::undamaged)?;
        }
        append::sync_dir(&disk.path)
            .and_then(|()| append::sync_dir(store))
            .map_err(DiskError::undamaged)?;
        Ok(disk)
    }

    fn start(path: PathBuf, cache_bytes: u64, presence: Presence) -> Result<Self, DiskError> {
        let config = ::sled::Config::new()
            .path(&path)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None) // only the flush thread writes, so no error is swallowed elsewhere
            .mode(::sled::Mode::LowSpace);
        let db = catch_panics(|| config.open())?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.join("db"));
        let file = file.map_err(DiskError::undamaged)?;
        Ok(Self {
            db: Some(db),
            file,
            path,
            presence,
            layout: Layout::default(),
        })
    }

    /// sled lets go of its file a moment after it was dropped, from another thread, and opening it does not wait. Our
    /// own lock was taken before, so whoever has the file is an earlier handle of this very process.
    fn wait_for_earlier_handle(db: &Path) -> std::io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(db)?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => thread::park_timeout(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(error),
                Ok(()) => break,
            }
        }
        file.unlock()
    }

    /// Puts something under a key that is no value, as damage would.
    #[cfg(test)]
    pub(super) fn spoil(&self, key: &[u8]) {
        self.presence.note(std::iter::once(key));
        self.db()
            .unwrap()
            .insert(key, b"spoiled by a test")
            .unwrap();
    }

    fn db(&self) -> Result<&::sled::Db, DiskError> {
        self.db
            .as_ref()
            .ok_or_else(|| DiskError::undamaged("sled is closed"))
    }

    /// The directory of sled's files.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where keys lie, as far as sled was walked through.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The value at a place, checked.
    pub(super) fn get(&self, place: &[u8]) -> Result<Option<Value>, DiskError> {
        if !self.presence.may_hold(place) {
            return Ok(None);
        }
        let Some((first_key, framed)) = self.block_of(place)? else {
            return Ok(None);
        };
        block::find(&first_key, &framed, place).map_err(|error| damaged(&first_key, &error))
    }

    /// Whether there is a value at a place.
    pub(super) fn contains(&self, place: &[u8]) -> Result<bool, DiskError> {
        Ok(self.get(place)?.is_some())
    }

    /// The block that a place belongs to.
    fn block_of(&self, place: &[u8]) -> Result<Option<(::sled::IVec, ::sled::IVec)>, DiskError> {
        let db = self.db()?;
        let before = catch_panics(|| db.get_lt([place, &[0]].concat()))?;
        Ok(before
            .filter(|(first_key, _)| first_key.first() == place.first() && **first_key != *APPLIED))
    }

    /// For values that are asked for in the order of their places.
    pub(super) fn ascending(&self) -> Ascending<'_> {
        Ascending {
            disk: self,
            block: Vec::new(),
        }
    }

    /// The values of a range of places in order. Stop at the first error: sled's iterator would return it for ever.
    ///
    /// A block may be divided meanwhile, and what was read in it already be met again in the next one: what is not
    /// further on is left out.
    pub(super) fn range(
        &self,
        range: &KeyRange,
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<(Bytes, Value), DiskError>> + use<>, DiskError> {
        let first = self
            .block_of(&range.start)?
            .map_or_else(|| range.start.clone(), |(first_key, _)| first_key.to_vec());
        let db = self.db()?.clone();
        let mut blocks = db.range(first.as_slice()..range.end.as_slice());
        let mut bounds = (range.start.clone(), range.end.clone());
        let mut items: Vec<BlockEntry> = Vec::new();
        Ok(std::iter::from_fn(move || {
            while items.is_empty() {
                let next = catch_panics(|| match direction {
                    Direction::Forward => blocks.next().transpose(),
                    // sled's own way back keeps a leaf as it was, and would miss what is put behind it meanwhile.
                    Direction::Backward if bounds.0 < bounds.1 => db.get_lt(&bounds.1),
                    Direction::Backward => Ok(None),
                });
                let (first_key, framed) = match next {
                    Ok(None) => return None,
                    Err(trouble) => return Some(Err(trouble)),
                    Ok(Some(block)) => block,
                };
                match taken_apart(&first_key, &framed) {
                    Ok(block) => items = block,
                    Err(trouble) => return Some(Err(trouble)),
                }
                items.retain(|item| *bounds.0 <= *item.key && *item.key < *bounds.1);
                match direction {
                    Direction::Forward => items.reverse(),
                    // All from this fence on has been seen at one instant.
                    Direction::Backward => bounds.1 = first_key.to_vec(),
                }
            }
            let BlockEntry { key, seq, value } = items.pop()?;
            if direction == Direction::Forward {
                bounds.0 = [&*key, &[0]].concat();
            }
            Some(Ok((key, Value { bytes: value, seq })))
        }))
    }

    /// What sled says about itself.
    pub(super) fn applied(&self) -> Result<Option<Applied>, DiskError> {
        let db = self.db()?;
        let Some(framed) = catch_panics(|| db.get(APPLIED))? else {
            return Ok(None);
        };
        let value = codec::decode(APPLIED, &framed).map_err(|error| damaged(APPLIED, &error))?;
        Applied::parse(&value)
            .map(Some)
            .ok_or_else(|| DiskError::damaged("what sled says about itself is malformed"))
    }

    /// What is in fact there, found by walking through all of it, table by table on all cores.
    pub(super) fn digest(&self) -> Result<Digest, DiskError> {
        let db = self.db()?;
        if catch_panics(|| db.contains_key([]))? {
            return Err(damaged(&[], &"an empty key"));
        }
        let tables = AtomicU16::new(0);
        let walk = || {
            let mut digest = Digest::default();
            while let Ok(table) = u8::try_from(tables.fetch_add(1, Ordering::Relaxed)) {
                digest.join(self.table_digest(table)?);
            }
            Ok(digest)
        };
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let digests = thread::scope(|scope| {
            let walks: Vec<_> = (0..threads).map(|_| scope.spawn(walk)).collect();
            let ended = walks.into_iter().map(thread::ScopedJoinHandle::join);
            let ended = ended.map(|walk| walk.unwrap_or_else(|panic| resume_unwind(panic)));
            ended.collect::<Vec<Result<Digest, DiskError>>>()
        });
        let mut digest = Digest::default();
        for walked in digests {
            digest.join(walked?);
        }
        self.presence.complete();
        Ok(digest)
    }

    /// The same of the keys that begin with a byte.
    fn table_digest(&self, table: u8) -> Result<Digest, DiskError> {
        let db = self.db()?;
        let mut digest = Digest::default();
        let mut all = db.scan_prefix([table]);
        while let Some((first_key, framed)) = catch_panics(|| all.next().transpose())? {
            let items = taken_apart(&first_key, &framed)?;
            for item in &items {
                digest.add(&item.key, item.seq);
                if !self.layout.note(&item.key) {
                    return Err(damaged(
                        &first_key,
                        &"a key that lies where it was not laid",
                    ));
                }
            }
            self.presence.note(items.iter().map(|item| &*item.key));
        }
        Ok(digest)
    }

    /// Returns when everything written survives a power cut. sled's own flush does not do that.
    pub(super) fn sync(&self) -> Result<(), DiskError> {
        let db = self.db()?;
        catch_panics(|| db.flush())?;
        self.file.sync_data().map_err(DiskError::undamaged)
    }
}

/// Looks up one value after another in the order of their places: each block is taken apart once.
pub(super) struct Ascending<'d> {
    disk: &'d Disk,
    /// The last one, in order.
    block: Vec<BlockEntry>,
}

impl Ascending<'_> {
    /// The entry at a place, checked.
    pub(super) fn get(&mut self, place: &[u8]) -> Result<Option<&BlockEntry>, DiskError> {
        let last = self.block.last();
        if last.is_none_or(|last| *last.key < *place) {
            let block = self.disk.block_of(place)?;
            let block = block.map(|(first_key, framed)| taken_apart(&first_key, &framed));
            self.block = block.transpose()?.unwrap_or_default();
        }
        let found = self.block.binary_search_by(|entry| (*entry.key).cmp(place));
        Ok(found.ok().map(|at| &self.block[at]))
    }
}

impl Drop for Disk {
    /// sled panics while it is dropped if its last sync fails. Whatever matters was synced, or has been reported.
    fn drop(&mut self) {
        let db = self.db.take();
        let closed = catch_panics(|| {
            drop(db);
            Ok(())
        });
        if let Err(trouble) = closed {
            tracing::error!(why = trouble.why, "sled did not close");
        }
    }
}

fn damaged(first_key: &[u8], why: &dyn std::fmt::Display) -> DiskError {
    DiskError::damaged(format!("key {}: {why}", hex::encode(first_key)))
}

/// A block's entries; none of what is no block.
fn taken_apart(first_key: &[u8], framed: &[u8]) -> Result<Vec<BlockEntry>, DiskError> {
    if first_key == APPLIED {
        return Ok(Vec::new());
    }
    block::items(first_key, framed).map_err(|error| damaged(first_key, &error))
}

/// sled takes the last snapshot by name, and a half-made one sorts last: it would lock us out.
fn remove_half_snapshots(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
