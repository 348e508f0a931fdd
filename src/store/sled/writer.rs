//! The one writer: a batch is checked, appended to the log and synced, and only then visible.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use foldhash::HashSet;

use super::open::OpenReport;
use super::shared::Shared;
use crate::store::log::append::Appender;
use crate::store::log::space::Space;
use crate::store::{Batch, Commit, CommitError, FullCause, Seq, StoreFault, check_batch};

/// The one writer. Dropping it closes the store like [`Writer::close`], with errors only logged.
pub struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) appender: Appender,
    pub(super) space: Space,
    pub(super) overlay_max: usize,
    pub(super) full_wait: Duration,
    /// The last batch was refused for want of memory. Then a quarter of it must be free before one is taken again: else every
    /// second one would be.
    pub(super) overlay_full: bool,
    pub(super) threads: Option<[JoinHandle<()>; 2]>,
    pub(super) report: OpenReport,
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
        if !self.shared.signal.stop() {
            let why = "the flush thread does not end";
            self.shared.break_off(StoreFault::new(
                "closing the store",
                &self.shared.store,
                why,
            ));
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
    fn wait_for_room(&mut self, bytes: usize) -> Result<(), CommitError> {
        let margin = if self.overlay_full {
            self.overlay_max / 4
        } else {
            0
        };
        let held = || self.shared.overlay().bytes();
        let fits = |held: usize| held + bytes.max(margin) <= self.overlay_max;
        if fits(held()) {
            self.overlay_full = false;
            return Ok(());
        }
        self.shared.signal.wake();
        self.shared.signal.wait_done(self.full_wait, || {
            fits(held()) || self.shared.fault().is_some()
        });
        self.shared.sound()?;
        let held_bytes = held();
        self.overlay_full = !fits(held_bytes);
        if self.overlay_full {
            return Err(CommitError::Full(FullCause::Overlay {
                held_bytes,
                max_bytes: self.overlay_max,
            }));
        }
        Ok(())
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
            self.shared.break_off(StoreFault::new(
                "appending to the commit log",
                &self.appender.path(),
                error,
            ))
        })?;
        let mut overlay = self.shared.overlay_mut();
        overlay.publish(batch, self.shared.disk.layout(), &absent, link);
        let filling = overlay.live_bytes() > self.overlay_max / 2;
        drop(overlay);
        if filling {
            self.shared.signal.wake();
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
