//! What the writer, the readers and the flush thread share: sled, the overlay over it, and what broke the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::disk::{Disk, DiskError};
use super::lock::Lock;
use super::open::{self, OnBroken};
use super::overlay::Overlay;
use super::signal::FlushSignal;
use crate::store::{StoreFault, Value};

/// What writer, readers and the flush thread share.
pub(super) struct Shared {
    pub(super) store: PathBuf,
    pub(super) disk: Disk,
    pub(super) overlay: RwLock<Overlay>,
    pub(super) signal: FlushSignal,
    pub(super) fault: OnceLock<StoreFault>,
    pub(super) on_broken: Option<OnBroken>,
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

    /// What broke the store, if anything did.
    pub(super) fn fault(&self) -> Option<&StoreFault> {
        self.fault.get()
    }

    pub(super) fn sound(&self) -> Result<(), StoreFault> {
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
        self.break_off(
            StoreFault::new(doing, self.disk.path(), &trouble.why),
            trouble.damaged,
        )
    }
}
