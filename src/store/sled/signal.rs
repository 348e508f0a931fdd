//! Wakes the flush thread, and those who wait for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// sled has been seen to wait for ever after a panic in one of its threads. A flush that takes longer than this has
/// failed; a healthy one takes well under a second, a minute is a disk in deep trouble.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct FlushState {
    pub(super) now: bool,
    pub(super) stop: bool,
    /// Counts flushes, so that the watch can tell one long flush from many.
    pub(super) round: u64,
    pub(super) busy: bool,
    pub(super) ended: bool,
}

/// Wakes the thread, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct FlushSignal {
    pub(super) state: Mutex<FlushState>,
    pub(super) wake: Condvar,
    pub(super) changed: Condvar,
}

impl FlushSignal {
    pub(super) fn state(&self) -> MutexGuard<'_, FlushState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a checkpoint before its time.
    pub(super) fn wake(&self) {
        self.state().now = true;
        self.wake.notify_all();
    }

    /// Asks for a last checkpoint and the thread's end, and waits for it; false: it hangs.
    pub(super) fn stop(&self) -> bool {
        let mut state = self.state();
        state.stop = true;
        self.wake.notify_all();
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE + PATIENCE, |state| !state.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Waits until a checkpoint is due; true: it is the last.
    pub(super) fn wait(&self, every: Duration) -> bool {
        let idle = |state: &mut FlushState| !state.now && !state.stop;
        let waited = self.wake.wait_timeout_while(self.state(), every, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.now = false;
        state.stop
    }

    /// Waits for checkpoints until `enough` says so, but not longer than `at_most`.
    pub(super) fn wait_done(&self, at_most: Duration, enough: impl Fn() -> bool) {
        let waited = self
            .changed
            .wait_timeout_while(self.state(), at_most, |_| !enough());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut FlushState)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}
