//! The thread that gives sled what the log has: about once a second, net, and then writes the checkpoint.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::shared::Shared;
use crate::store::StoreFault;
use crate::store::log::highwater;
use crate::store::log::record::Link;

/// sled has been seen to wait for ever after a panic in one of its threads. A flush that takes longer than this has
/// failed; a healthy one takes well under a second, a minute is a disk in deep trouble.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct State {
    now: bool,
    stop: bool,
    /// Counts flushes, so that the watch can tell one long flush from many.
    round: u64,
    busy: bool,
    ended: bool,
}

/// Wakes the thread, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    ring: Condvar,
    changed: Condvar,
}

impl Bell {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a checkpoint before its time.
    pub(super) fn ring(&self) {
        self.state().now = true;
        self.ring.notify_all();
    }

    /// Asks for a last checkpoint and the thread's end, and waits for it; false: it hangs.
    pub(super) fn stop(&self) -> bool {
        let mut state = self.state();
        state.stop = true;
        self.ring.notify_all();
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE + PATIENCE, |state| !state.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Waits until a checkpoint is due; true: it is the last.
    fn wait(&self, every: Duration) -> bool {
        let idle = |state: &mut State| !state.now && !state.stop;
        let waited = self.ring.wait_timeout_while(self.state(), every, idle);
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

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

/// The thread's life: until it is stopped, or the store breaks.
pub(super) fn run(shared: &Shared, every: Duration, mut checkpoint: Link) {
    loop {
        let last = shared.bell.wait(every);
        if shared.fault().is_none() {
            shared
                .bell
                .change(|state| (state.busy, state.round) = (true, state.round + 1));
            let result = catch_unwind(AssertUnwindSafe(|| flush(shared, &mut checkpoint)));
            if result.is_err() {
                let fault = StoreFault::new(
                    "giving sled its writes",
                    shared.store(),
                    "the thread panicked",
                );
                shared.break_off(fault, true);
            }
            shared.bell.change(|state| state.busy = false);
        }
        if last || shared.fault().is_some() {
            return shared.bell.change(|state| state.ended = true);
        }
    }
}

/// A second thread's life: to notice when the first one hangs.
pub(super) fn watch(shared: &Shared, patience: Duration) {
    if hangs(&shared.bell, patience) {
        let why = format!("sled has not come back for {} s", patience.as_secs());
        shared.break_off(
            StoreFault::new("giving sled its writes", shared.disk().path(), why),
            false,
        );
    }
}

/// Returns when a flush takes longer than `patience` (true), or when there will be no more (false).
fn hangs(bell: &Bell, patience: Duration) -> bool {
    loop {
        let idle = |state: &mut State| !state.busy && !state.ended;
        let state = bell
            .changed
            .wait_while(bell.state(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return false;
        }
        let round = state.round;
        let same = |state: &mut State| state.busy && state.round == round;
        let waited = bell.changed.wait_timeout_while(state, patience, same);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(state);
        if waited.timed_out() {
            return true;
        }
    }
}

/// One checkpoint, unless nothing happened since the last.
fn flush(shared: &Shared, checkpoint: &mut Link) {
    let (layer, link) = {
        let mut overlay = shared.overlay_mut();
        if overlay.last() == *checkpoint {
            return;
        }
        overlay.freeze()
    };
    if let Err(trouble) = shared
        .disk()
        .write(&layer, link)
        .and_then(|()| shared.disk().sync())
    {
        shared.disk_failed("giving sled its writes", &trouble);
        return;
    }
    if let Err(error) = highwater::write(shared.store(), link) {
        let path = highwater::path(shared.store());
        shared.break_off(
            StoreFault::new("writing the checkpoint", &path, error),
            false,
        );
        return;
    }
    *checkpoint = link;
    // The last reference to the layer is dropped here, outside the lock.
    let thawed = shared.overlay_mut().thaw();
    drop(thawed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_that_does_not_end_is_noticed_and_short_ones_are_not() {
        let bell = Bell::default();
        let begin = |state: &mut State| (state.busy, state.round) = (true, state.round + 1);
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| hangs(&bell, Duration::from_secs(60)));
            for _ in 0..1_000 {
                bell.change(begin);
                bell.change(|state| state.busy = false);
            }
            bell.change(|state| state.ended = true);
            assert!(!watch.join().unwrap());
        });
        bell.change(|state| state.ended = false);
        bell.change(begin);
        assert!(hangs(&bell, Duration::from_millis(5)));
    }

    #[test]
    fn a_ring_that_nobody_waited_for_is_not_lost() {
        let bell = Bell::default();
        bell.ring();
        assert!(!bell.wait(Duration::from_secs(3600)));
        assert!(!bell.wait(Duration::ZERO));
    }
}
