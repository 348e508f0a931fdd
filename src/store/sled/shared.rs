//! What the writer, the readers and the flush thread share: sled, the overlay over it, and what broke the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use super::digest::Digest;
use super::disk::{Applied, Disk, DiskError};
use super::lock::Lock;
use super::open::{self, OnBroken};
use super::overlay::Overlay;
use super::signal::FlushSignal;
use crate::store::log::record::Link;
use crate::store::{StoreFault, Value};

/// The two newest checkpoints.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checkpoints {
    pub(super) newest: Link,
    /// The one before; none of this process's yet: nothing.
    pub(super) before: Link,
    /// What sled held at the newest.
    pub(super) digest: Option<Digest>,
}

impl Checkpoints {
    /// The one that a store was opened at.
    pub(super) fn at_open(newest: Link, applied: Option<Applied>) -> Self {
        Self {
            newest,
            before: Link::default(),
            digest: applied.filter(|a| a.link == newest).map(|a| a.digest),
        }
    }

    /// Another one.
    pub(super) fn reach(&mut self, link: Link, digest: Digest) {
        *self = Self {
            newest: link,
            before: self.newest,
            digest: Some(digest),
        };
    }
}

/// What writer, readers and the flush thread share.
pub(super) struct Shared {
    pub(super) store: PathBuf,
    pub(super) disk: Disk,
    pub(super) overlay: RwLock<Overlay>,
    pub(super) signal: FlushSignal,
    pub(super) fault: OnceLock<StoreFault>,
    pub(super) on_broken: Option<OnBroken>,
    pub(super) checkpoints: Mutex<Checkpoints>,
    /// So many of the newest records stay in the log, whatever backups there are.
    pub(super) keep_records: u64,
    /// Behind `disk`, so that sled is closed before the lock is let go.
    pub(super) _lock: Lock,
}

impl Shared {
    pub(super) fn store(&self) -> &Path {
        &self.store
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    // A panic cannot leave the overlay half-changed in a way that matters: whoever could panic there breaks the store.
    pub(super) fn overlay(&self) -> RwLockReadGuard<'_, Overlay> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn overlay_mut(&self) -> RwLockWriteGuard<'_, Overlay> {
        self.overlay.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        self.checkpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What broke the store, if anything did.
    pub(super) fn fault(&self) -> Option<&StoreFault> {
        self.fault.get()
    }

    pub(super) fn sound(&self) -> Result<(), StoreFault> {
        self.fault().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Ends all reading and writing because sled's data are damaged: the next open shall rebuild them.
    pub(super) fn break_off_damaged(&self, fault: StoreFault) -> StoreFault {
        if let Err(error) = fs::write(open::suspect_path(&self.store), fault.why.as_bytes()) {
            tracing::error!(%error, "the store could not be marked for repair");
        }
        self.break_off(fault)
    }

    /// Ends all reading and writing.
    pub(super) fn break_off(&self, fault: StoreFault) -> StoreFault {
        if self.fault.set(fault.clone()).is_ok()
            && let Some(on_broken) = &self.on_broken
        {
            on_broken(&fault);
        }
        fault
    }

    pub(super) fn asked<T>(&self, result: Result<T, DiskError>) -> Result<T, StoreFault> {
        result.map_err(|trouble| self.disk_failed("reading from sled", &trouble))
    }

    pub(super) fn read(&self, key: &[u8]) -> Result<Option<Value>, StoreFault> {
        let Some(place) = self.disk.layout().find(key) else {
            return Ok(None);
        };
        if let Some(entry) = self.overlay().get(&place) {
            return Ok(entry.value());
        }
        // In between the key may be committed and reach sled: then this read simply happened after it.
        self.asked(self.disk.get(&place))
    }

    pub(super) fn disk_failed(&self, doing: &str, trouble: &DiskError) -> StoreFault {
        let fault = StoreFault::new(doing, self.disk.path(), &trouble.why);
        if trouble.damaged {
            self.break_off_damaged(fault)
        } else {
            self.break_off(fault)
        }
    }
}
