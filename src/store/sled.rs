//! The durable store: commit log in front, sled behind, the overlay between.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use foldhash::HashSet;

use super::disk::{Disk, Trouble};
use super::fault::Doing;
use super::flush::{self, Bell};
use super::layout::Layout;
use super::lock::Lock;
use super::log::Appender;
use super::open::{self, OnBroken, Opened};
use super::overlay::{Overlay, precedes};
use super::space::Space;
use super::{
    Batch, Commit, CommitError, Direction, FullCause, KeyRange, OpenError, OpenReport, Options,
    Read, ReadError, Seq, StoreFault, Value, check_batch, migrate,
};

/// The smallest key that is not the store's own.
const FIRST_KEY: &[u8] = &[1];

/// What writer, readers and the flush thread share.
pub(super) struct Shared {
    store: PathBuf,
    disk: Disk,
    overlay: RwLock<Overlay>,
    pub(super) bell: Bell,
    fault: OnceLock<StoreFault>,
    on_broken: Option<OnBroken>,
    /// Behind `disk`, so that sled is closed before the lock is let go.
    _lock: Lock,
}

impl Shared {
    pub(super) fn store(&self) -> &Path {
        &self.store
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    // A panic cannot leave the overlay half-changed in a way that matters: whoever could panic there breaks the store.
    fn overlay(&self) -> RwLockReadGuard<'_, Overlay> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn overlay_mut(&self) -> RwLockWriteGuard<'_, Overlay> {
        self.overlay.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What broke the store, if anything did.
    pub(super) fn fault(&self) -> Option<&StoreFault> {
        self.fault.get()
    }

    fn sound(&self) -> Result<(), StoreFault> {
        self.fault().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Ends all reading and writing. `suspect`: sled's data are damaged, so the next open shall rebuild them.
    pub(super) fn break_off(&self, fault: StoreFault, suspect: bool) -> StoreFault {
        if suspect
            && let Err(error) = fs::write(open::suspect_path(&self.store), fault.why.as_bytes())
        {
            tracing::error!(%error, "the store could not be marked for repair");
        }
        if self.fault.set(fault.clone()).is_ok()
            && let Some(on_broken) = &self.on_broken
        {
            on_broken(&fault);
        }
        fault
    }

    fn asked<T>(&self, result: Result<T, Trouble>) -> Result<T, StoreFault> {
        result.map_err(|trouble| self.disk_failed("reading from sled", &trouble))
    }

    fn read(&self, key: &[u8]) -> Result<Option<Value>, StoreFault> {
        let Some(place) = self.disk.layout().find(key) else {
            return Ok(None);
        };
        if let Some(entry) = self.overlay().get(&place) {
            return Ok(entry.value());
        }
        // In between the key may be committed and reach sled: then this read simply happened after it.
        self.asked(self.disk.get(&place))
    }

    pub(super) fn disk_failed(&self, doing: &str, trouble: &Trouble) -> StoreFault {
        self.break_off(
            StoreFault::new(doing, self.disk.path(), &trouble.why),
            trouble.damaged,
        )
    }
}

/// Opens durable stores.
#[derive(Clone, Copy, Debug)]
pub struct Store;

impl Store {
    /// Opens the store in a directory, or makes one if `options.create` says so. Damage is repaired from the commit
    /// log, which [`Writer::report`] tells of, or refused.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do. Nothing that was acknowledged is given up on the way.
    pub fn open(dir: &Path, options: Options) -> Result<(Writer, Reader), OpenError> {
        let Opened {
            lock,
            disk,
            overlay,
            appender,
            checkpoint,
            report,
        } = open::open(dir, &options)?;
        let shared = Arc::new(Shared {
            store: dir.to_owned(),
            disk,
            overlay: RwLock::new(overlay),
            bell: Bell::default(),
            fault: OnceLock::new(),
            on_broken: options.on_broken.clone(),
            _lock: lock,
        });
        let reader = Reader {
            shared: Arc::clone(&shared),
        };
        let every = options.flush_every;
        let threads = [
            spawn("store-flush", &shared, move |shared| {
                flush::run(shared, every, checkpoint)
            })?,
            spawn("store-watch", &shared, |shared| {
                flush::watch(shared, flush::PATIENCE)
            })?,
        ];
        let space = Space::new(dir, options.min_free_bytes);
        let (overlay_max, full_wait) = (options.overlay_max_bytes, options.full_wait);
        let mut writer = Writer {
            shared,
            appender,
            space,
            overlay_max,
            full_wait,
            threads: Some(threads),
            report,
        };
        migrate::bring_up(&mut writer, &reader)?;
        writer.report.seq = reader.seq().map_err(|ReadError::Broken(fault)| fault)?;
        Ok((writer, reader))
    }
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    run: impl FnOnce(&Shared) + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let theirs = Arc::clone(shared);
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || run(&theirs));
    thread.doing("starting a thread", &shared.store)
}

/// The one writer. Dropping it closes the store like [`Writer::close`], with errors only logged.
pub struct Writer {
    shared: Arc<Shared>,
    appender: Appender,
    space: Space,
    overlay_max: usize,
    full_wait: Duration,
    threads: Option<[JoinHandle<()>; 2]>,
    report: OpenReport,
}

impl Writer {
    /// What was found and repaired when the store was opened.
    #[must_use]
    pub fn report(&self) -> &OpenReport {
        &self.report
    }

    /// What broke the store, if anything did: then the process should end.
    #[must_use]
    pub fn broken(&self) -> Option<StoreFault> {
        self.shared.fault().cloned()
    }

    /// Gives sled everything, writes a last checkpoint and ends the flush thread. The directory is free once all
    /// readers are gone too.
    ///
    /// # Errors
    /// What broke the store, then or before. Nothing acknowledged is lost by that: the log has it.
    pub fn close(mut self) -> Result<(), StoreFault> {
        self.stop();
        self.shared.sound()
    }

    fn stop(&mut self) {
        let Some(threads) = self.threads.take() else {
            return;
        };
        if !self.shared.bell.stop() {
            let why = "the flush thread does not end";
            self.shared.break_off(
                StoreFault::new("closing the store", &self.shared.store, why),
                false,
            );
            return;
        }
        for thread in threads {
            // Its panics were caught inside, and the watch has none.
            let _ = thread.join();
        }
    }

    /// The number of the newest commit.
    pub(super) fn last(&self) -> u64 {
        self.appender.last().seq
    }

    fn check_conditions(&self, batch: &Batch) -> Result<(), CommitError> {
        for (key, expected) in &batch.expect {
            if self.shared.read(key)?.map(|value| value.seq) != *expected {
                return Err(CommitError::Conflict { key: key.clone() });
            }
        }
        Ok(())
    }

    /// Waits a little for sled to catch up if the overlay is full, and then refuses.
    fn wait_for_room(&self, bytes: usize) -> Result<(), CommitError> {
        let held = || self.shared.overlay().bytes();
        let fits = || held() + bytes <= self.overlay_max;
        if fits() {
            return Ok(());
        }
        self.shared.bell.ring();
        self.shared
            .bell
            .wait_done(self.full_wait, || fits() || self.shared.fault().is_some());
        self.shared.sound()?;
        match held() {
            held_bytes if held_bytes + bytes > self.overlay_max => {
                Err(CommitError::Full(FullCause::Overlay {
                    held_bytes,
                    max_bytes: self.overlay_max,
                }))
            }
            _ => Ok(()),
        }
    }

    /// Deleted keys that only ever were in the live overlay.
    fn absent<'b>(&self, batch: &'b Batch) -> Result<HashSet<&'b [u8]>, StoreFault> {
        let mut absent = HashSet::default();
        for (key, _) in batch.writes.iter().filter(|(_, value)| value.is_none()) {
            let Some(place) = self.shared.disk.layout().find(key) else {
                continue;
            };
            let only_live = self.shared.overlay().only_live(&place);
            if only_live && !self.shared.asked(self.shared.disk.contains(&place))? {
                absent.insert(key.as_slice());
            }
        }
        Ok(absent)
    }

    /// Appends, syncs, publishes. Keys are not judged here: migrations write the store's own.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<Seq, StoreFault> {
        let absent = self.absent(batch)?;
        let writes = batch
            .writes
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_deref()));
        let link = self.appender.append(writes).map_err(|error| {
            self.shared.break_off(
                StoreFault::new("appending to the commit log", &self.appender.path(), error),
                false,
            )
        })?;
        let mut overlay = self.shared.overlay_mut();
        overlay.publish(batch, self.shared.disk.layout(), &absent, link);
        let filling = overlay.live_bytes() > self.overlay_max / 2;
        drop(overlay);
        if filling {
            self.shared.bell.ring();
        }
        Ok(Seq(link.seq))
    }
}

impl Commit for Writer {
    fn commit(&mut self, batch: &Batch) -> Result<Seq, CommitError> {
        self.shared.sound()?;
        check_batch(batch)?;
        self.check_conditions(batch)?;
        if batch.is_empty() {
            return Ok(Seq(self.last()));
        }
        self.space
            .take(batch.size() as u64)
            .map_err(CommitError::Full)?;
        self.wait_for_room(batch.size())?;
        Ok(self.write(batch)?)
    }

    fn close(self: Box<Self>) -> Result<(), StoreFault> {
        Writer::close(*self)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.threads.is_some() {
            self.stop();
            if let Some(fault) = self.shared.fault() {
                tracing::error!(%fault, "the store was closed broken");
            }
        }
    }
}

/// Reads; clones are cheap.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    /// What broke the store, if anything did: then the process should end.
    #[must_use]
    pub fn broken(&self) -> Option<StoreFault> {
        self.shared.fault().cloned()
    }

    /// Bytes of sled's files on the disk, for the metric.
    ///
    /// # Errors
    /// If the store is broken, or sled cannot tell.
    pub fn disk_bytes(&self) -> Result<u64, ReadError> {
        self.shared.sound()?;
        Ok(self.shared.asked(self.shared.disk.size_bytes())?)
    }

    /// Bytes in memory that wait for sled, for the metric.
    #[must_use]
    pub fn overlay_bytes(&self) -> usize {
        self.shared.overlay().bytes()
    }

    pub(super) fn store(&self) -> &Path {
        &self.shared.store
    }

    /// Reads any key, the store's own too.
    pub(super) fn own(&self, key: &[u8]) -> Result<Option<Value>, ReadError> {
        self.shared.sound()?;
        Ok(self.shared.read(key)?)
    }
}

fn key_at(place: &[u8]) -> Option<Vec<u8>> {
    Layout::key(place).map(Cow::into_owned)
}

impl Read for Reader {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, ReadError> {
        match super::key_is_ours(key) {
            true => self
                .shared
                .sound()
                .map(|()| None)
                .map_err(ReadError::Broken),
            false => self.own(key),
        }
    }

    fn range(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, ReadError> {
        self.shared.sound()?;
        let start = range.start.as_slice().max(FIRST_KEY).to_vec();
        let range = KeyRange {
            start,
            end: range.end.clone(),
        };
        if range.start >= range.end || limit == 0 {
            return Ok(Vec::new());
        }
        let range = self.shared.disk.layout().range(&range);
        // Held to the end: meanwhile sled changes only under keys that the frozen layer hides, so this is one instant.
        let overlay = self.shared.overlay();
        let mut upper = overlay.range(&range, direction).peekable();
        let mut lower = self
            .shared
            .asked(self.shared.disk.range(&range, direction))?
            .peekable();
        let mut found = Vec::new();
        while found.len() < limit {
            let from_upper = match (upper.peek(), lower.peek()) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) | (_, Some(Err(_))) => false,
                (Some((key, _)), Some(Ok((below, _)))) => !precedes(direction, below, key),
            };
            if from_upper {
                let Some((key, entry)) = upper.next() else {
                    break;
                };
                lower.next_if(|below| below.as_ref().is_ok_and(|(below, _)| **below == *key));
                found.extend(entry.value().and_then(|value| Some((key_at(key)?, value))));
            } else {
                let Some(pair) = lower.next() else { break };
                let (place, value) = self.shared.asked(pair)?;
                found.extend(key_at(&place).map(|key| (key, value)));
            }
        }
        Ok(found)
    }

    fn seq(&self) -> Result<Seq, ReadError> {
        self.shared.sound()?;
        Ok(Seq(self.shared.overlay().last().seq))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Create;
    use super::*;

    fn settle(reader: &Reader) {
        while reader.overlay_bytes() > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn damage_found_while_running_breaks_the_store_and_is_repaired_at_the_next_open() {
        let dir = tempfile::tempdir().unwrap();
        let heard: Arc<OnceLock<String>> = Arc::default();
        let told = Arc::clone(&heard);
        let options = Options {
            create: Create::IfMissing,
            min_free_bytes: 0,
            flush_every: Duration::from_millis(1),
            on_broken: Some(Arc::new(move |fault| drop(told.set(fault.to_string())))),
            ..Options::default()
        };
        for by_range in [false, true] {
            let (mut writer, reader) = Store::open(dir.path(), options.clone()).unwrap();
            writer
                .commit(Batch::new().put("k", "value").put("l", "other"))
                .unwrap();
            settle(&reader);
            writer.shared.disk.spoil(b"k");
            match by_range {
                true => assert!(
                    reader
                        .range(&KeyRange::prefix(b""), Direction::Backward, 9)
                        .is_err()
                ),
                false => assert!(reader.get(b"k").is_err()),
            }
            assert!(
                reader.get(b"l").is_err(),
                "a broken store reads nothing more"
            );
            assert!(reader.seq().is_err());
            let refused = writer.commit(Batch::new().put("l", "more"));
            assert!(
                matches!(refused, Err(CommitError::Broken(_))),
                "and takes nothing more"
            );
            assert!(heard.get().unwrap().contains("hint"));
            assert!(writer.close().is_err());
            drop(reader);
            let (writer, reader) = Store::open(dir.path(), options.clone()).unwrap();
            assert!(
                writer.report().repaired[0].contains("while the store was in use"),
                "{:?}",
                writer.report()
            );
            assert_eq!(reader.get(b"k").unwrap().unwrap().bytes, "value");
        }
    }

    #[test]
    fn what_lives_shortly_never_reaches_sled() {
        let dir = tempfile::tempdir().unwrap();
        let flush_every = Duration::from_secs(3600);
        let options = Options {
            create: Create::IfMissing,
            min_free_bytes: 0,
            flush_every,
            ..Options::default()
        };
        let (mut writer, reader) = Store::open(dir.path(), options).unwrap();
        writer.commit(Batch::new().put("kept", "x")).unwrap();
        for n in 0..50_u32 {
            writer
                .commit(Batch::new().put(format!("due/{n}"), vec![0; 1_000]))
                .unwrap();
            writer
                .commit(Batch::new().delete(format!("due/{n}")))
                .unwrap();
        }
        assert_eq!(
            reader
                .shared
                .overlay()
                .range(&KeyRange::prefix(b"due"), Direction::Forward)
                .count(),
            0
        );
        reader.shared.bell.ring();
        settle(&reader);
        assert_eq!(
            reader
                .shared
                .disk
                .applied()
                .unwrap()
                .unwrap()
                .digest
                .count(),
            2,
            "what is kept, and the schema"
        );
        assert_eq!(reader.seq().unwrap().0, 102);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            create: Create::IfMissing,
            min_free_bytes: 0,
            ..Options::default()
        };
        let (mut writer, reader) = Store::open(dir.path(), options.clone()).unwrap();
        writer
            .write(Batch::new().put(migrate::SCHEMA_KEY, (migrate::SCHEMA + 1).to_be_bytes()))
            .unwrap();
        drop((writer, reader));
        let refused = Store::open(dir.path(), options).err().unwrap();
        assert!(
            matches!(
                refused,
                OpenError::Newer {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{refused}"
        );
    }
}
