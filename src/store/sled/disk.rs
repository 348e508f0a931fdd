//! All that touches sled. Its panics are caught here, its errors sorted, and its file synced by a handle of our own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use super::block::{self, Editor, Item, Made};
use super::digest::Digest;
use super::layout::Layout;
use super::overlay::Layer;
use super::presence::Presence;
use super::{codec, preflight};
use crate::store::log::append;
use crate::store::log::record::{Hash, Link};
use crate::store::{Direction, KeyRange, Seq, Value};

/// Under this key sled holds which commit it has been given last, written after all of that commit's keys; and the
/// digest of all that it holds, written with every batch.
pub(super) const APPLIED: &[u8] = b"\0s";

/// Blocks per sled batch. sled lets nobody read while it applies one: 100 keep a `get` waiting about 1 ms.
const CHUNK: usize = 100;

/// How often, and how far apart, sled's file lock is asked for.
const LOCK_TRIES: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// What sled said instead of doing what it was asked.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) why: String,
    /// Its data are not to be trusted any more, as opposed to the disk being full or away.
    pub(super) damaged: bool,
}

impl Trouble {
    fn damaged(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
            damaged: true,
        }
    }

    fn undamaged(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
            damaged: false,
        }
    }
}

impl From<::sled::Error> for Trouble {
    fn from(error: ::sled::Error) -> Self {
        Self {
            damaged: !matches!(error, ::sled::Error::Io(_)),
            why: error.to_string(),
        }
    }
}

/// Calls into sled, which panics where others return errors.
fn calmly<T>(call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(Trouble::from),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(Trouble::damaged(format!("sled panicked: {text}")))
        }
    }
}

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
    pub(super) fn open(store: &Path, cache_bytes: u64) -> Result<Self, Trouble> {
        let path = path(store);
        remove_half_snapshots(&path).map_err(Trouble::damaged)?;
        preflight::check(&path.join("db")).map_err(Trouble::damaged)?;
        Self::wait_for_earlier_handle(&path.join("db")).map_err(Trouble::undamaged)?;
        let disk = Self::start(path, cache_bytes, Presence::default())?;
        match disk.db()?.was_recovered() {
            true => Ok(disk),
            false => Err(Trouble::damaged(
                "sled found nothing in a file that was not empty",
            )),
        }
    }

    /// Makes a new, empty one. The directory must not exist.
    pub(super) fn create(store: &Path, cache_bytes: u64) -> Result<Self, Trouble> {
        let path = path(store);
        fs::create_dir(&path).map_err(Trouble::undamaged)?;
        let disk = Self::start(path, cache_bytes, Presence::empty())?;
        // sled syncs neither its directory nor `conf`.
        disk.sync()?;
        let conf = disk.path.join("conf");
        if conf.exists() {
            File::open(&conf)
                .and_then(|conf| conf.sync_all())
                .map_err(Trouble::undamaged)?;
        }
        append::sync_dir(&disk.path)
            .and_then(|()| append::sync_dir(store))
            .map_err(Trouble::undamaged)?;
        Ok(disk)
    }

    fn start(path: PathBuf, cache_bytes: u64, presence: Presence) -> Result<Self, Trouble> {
        let config = ::sled::Config::new()
            .path(&path)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None) // only the flush thread writes, so no error is swallowed elsewhere
            .mode(::sled::Mode::LowSpace);
        let db = calmly(|| config.open())?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.join("db"));
        let file = file.map_err(Trouble::undamaged)?;
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
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_PAUSE),
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

    fn db(&self) -> Result<&::sled::Db, Trouble> {
        self.db
            .as_ref()
            .ok_or_else(|| Trouble::undamaged("sled is closed"))
    }

    /// The directory of sled's files.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of sled's files.
    pub(super) fn size_bytes(&self) -> Result<u64, Trouble> {
        let db = self.db()?;
        calmly(|| db.size_on_disk())
    }

    /// Where keys lie, as far as sled was walked through.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The value at a place, checked.
    pub(super) fn get(&self, place: &[u8]) -> Result<Option<Value>, Trouble> {
        if !self.presence.may_hold(place) {
            return Ok(None);
        }
        let Some((fence, framed)) = self.block_of(place)? else {
            return Ok(None);
        };
        let found = block::find(&fence, &framed, place).map_err(|error| damaged(&fence, &error))?;
        Ok(found.map(|(seq, value)| Value {
            bytes: Bytes::copy_from_slice(value),
            seq,
        }))
    }

    /// Whether there is a value at a place.
    pub(super) fn contains(&self, place: &[u8]) -> Result<bool, Trouble> {
        Ok(self.get(place)?.is_some())
    }

    /// The block that a place belongs to.
    fn block_of(&self, place: &[u8]) -> Result<Option<(::sled::IVec, ::sled::IVec)>, Trouble> {
        let db = self.db()?;
        let before = calmly(|| db.get_lt([place, &[0]].concat()))?;
        Ok(before.filter(|(fence, _)| fence.first() == place.first() && **fence != *APPLIED))
    }

    /// The values of a range of places in order. Stop at the first error: sled's iterator would return it for ever.
    ///
    /// A block may be divided meanwhile, and what was read in it already be met again in the next one: what is not
    /// further on is left out.
    pub(super) fn range(
        &self,
        range: &KeyRange,
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<(Bytes, Value), Trouble>> + use<>, Trouble> {
        let first = self
            .block_of(&range.start)?
            .map_or_else(|| range.start.clone(), |(fence, _)| fence.to_vec());
        let db = self.db()?.clone();
        let mut blocks = db.range(first.as_slice()..range.end.as_slice());
        let mut bounds = (range.start.clone(), range.end.clone());
        let mut items: Vec<Item> = Vec::new();
        Ok(std::iter::from_fn(move || {
            while items.is_empty() {
                let next = calmly(|| match direction {
                    Direction::Forward => blocks.next().transpose(),
                    // sled's own way back keeps a leaf as it was, and would miss what is put behind it meanwhile.
                    Direction::Backward if bounds.0 < bounds.1 => db.get_lt(&bounds.1),
                    Direction::Backward => Ok(None),
                });
                let (fence, framed) = match next {
                    Ok(None) => return None,
                    Err(trouble) => return Some(Err(trouble)),
                    Ok(Some(block)) => block,
                };
                match taken_apart(&fence, &framed) {
                    Ok(block) => items = block,
                    Err(trouble) => return Some(Err(trouble)),
                }
                items.retain(|item| *bounds.0 <= *item.key && *item.key < *bounds.1);
                match direction {
                    Direction::Forward => items.reverse(),
                    // All from this fence on has been seen at one instant.
                    Direction::Backward => bounds.1 = fence.to_vec(),
                }
            }
            let Item { key, seq, value } = items.pop()?;
            if direction == Direction::Forward {
                bounds.0 = [&*key, &[0]].concat();
            }
            Some(Ok((key, Value { bytes: value, seq })))
        }))
    }

    /// What sled says about itself.
    pub(super) fn applied(&self) -> Result<Option<Applied>, Trouble> {
        let db = self.db()?;
        let Some(framed) = calmly(|| db.get(APPLIED))? else {
            return Ok(None);
        };
        let value = codec::decode(APPLIED, &framed).map_err(|error| damaged(APPLIED, &error))?;
        Applied::parse(&value)
            .map(Some)
            .ok_or_else(|| Trouble::damaged("what sled says about itself is malformed"))
    }

    /// What is in fact there, found by walking through all of it.
    pub(super) fn digest(&self) -> Result<Digest, Trouble> {
        let db = self.db()?;
        let mut digest = Digest::default();
        let mut all = db.iter();
        while let Some((fence, framed)) = calmly(|| all.next().transpose())? {
            let items = taken_apart(&fence, &framed)?;
            for item in &items {
                digest.add(&item.key, item.seq);
                if !self.layout.note(&item.key) {
                    return Err(damaged(&fence, &"a key that lies where it was not laid"));
                }
            }
            self.presence.note(items.iter().map(|item| &*item.key));
        }
        self.presence.complete();
        Ok(digest)
    }

    /// Writes a layer, and then that everything up to `link` is here. Not durable before [`Self::sync`]. Cut off in
    /// the middle it leaves some of the writes; the log has them all.
    pub(super) fn write(&self, layer: &Layer, link: Link) -> Result<(), Trouble> {
        let mut applied = self.applied()?.unwrap_or_default();
        let kept = layer
            .iter()
            .filter(|(_, entry)| entry.value.is_some())
            .map(|(place, _)| &**place);
        self.presence.note(kept);
        let mut made = Vec::new();
        let mut open: Option<Editor> = None;
        for (place, entry) in layer {
            let mut editor = match open.take() {
                Some(editor) if editor.covers(place) => editor,
                before => {
                    if let Some(before) = before {
                        before.finish(&mut made);
                        self.give(&mut made, CHUNK, applied)?;
                    }
                    self.edit(place)?
                }
            };
            if let Some(old) =
                editor.set(place, entry.value.clone().map(|value| (entry.seq, value)))
            {
                applied.digest.remove(place, old);
            }
            if entry.value.is_some() {
                applied.digest.add(place, entry.seq);
            }
            editor.full(&mut made);
            if made.len() >= CHUNK {
                // What is written must be all that was counted, so the last block is made too, full or not.
                editor.finish(&mut made);
                self.give(&mut made, CHUNK, applied)?;
            } else {
                open = Some(editor);
            }
        }
        if let Some(last) = open {
            last.finish(&mut made);
        }
        applied.link = link;
        self.give(&mut made, 0, applied)
    }

    /// The stretch of sled that a place belongs to.
    fn edit(&self, place: &Bytes) -> Result<Editor, Trouble> {
        let db = self.db()?;
        let block = match self.block_of(place)? {
            Some((fence, framed)) => Some((
                Bytes::copy_from_slice(&fence),
                taken_apart(&fence, &framed)?,
            )),
            None => None,
        };
        let next = calmly(|| db.get_gt(place))?.filter(|(fence, _)| fence.first() == place.first());
        let table_end = || {
            place
                .first()
                .and_then(|table| table.checked_add(1))
                .map(|table| Bytes::from(vec![table]))
        };
        let end = next
            .map(|(fence, _)| Bytes::copy_from_slice(&fence))
            .or_else(table_end);
        Ok(Editor::new(block, end))
    }

    /// Gives sled the blocks that were made, if there are as many as `at_least`, and what it says about itself by then.
    fn give(&self, made: &mut Vec<Made>, at_least: usize, applied: Applied) -> Result<(), Trouble> {
        if made.len() < at_least {
            return Ok(());
        }
        let db = self.db()?;
        let mut batch = ::sled::Batch::default();
        for (fence, block) in made.drain(..) {
            match block {
                Some(block) => batch.insert(&*fence, block),
                None => batch.remove(&*fence),
            }
        }
        batch.insert(APPLIED, applied.framed());
        calmly(|| db.apply_batch(batch))
    }

    /// Returns when everything written survives a power cut. sled's own flush does not do that.
    pub(super) fn sync(&self) -> Result<(), Trouble> {
        let db = self.db()?;
        calmly(|| db.flush())?;
        self.file.sync_data().map_err(Trouble::undamaged)
    }
}

impl Drop for Disk {
    /// sled panics while it is dropped if its last sync fails. Whatever matters was synced, or has been reported.
    fn drop(&mut self) {
        let db = self.db.take();
        let closed = calmly(|| {
            drop(db);
            Ok(())
        });
        if let Err(trouble) = closed {
            tracing::error!(why = trouble.why, "sled did not close");
        }
    }
}

fn damaged(fence: &[u8], why: &dyn std::fmt::Display) -> Trouble {
    Trouble::damaged(format!("key {}: {why}", hex::encode(fence)))
}

/// A block's entries; none of what is no block.
fn taken_apart(fence: &[u8], framed: &[u8]) -> Result<Vec<Item>, Trouble> {
    if fence == APPLIED {
        return Ok(Vec::new());
    }
    block::items(fence, framed).map_err(|error| damaged(fence, &error))
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
