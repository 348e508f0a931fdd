//! The thread that gives sled what the log has: about once a second, net, and then writes the checkpoint.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::record::Link;
use super::sled::Shared;
use super::{StoreFault, highwater};

#[derive(Debug, Default)]
struct Wanted {
    now: bool,
    stop: bool,
}

/// Wakes the thread, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    wanted: Mutex<Wanted>,
    ring: Condvar,
    done: Condvar,
}

impl Bell {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a checkpoint before its time.
    pub(super) fn ring(&self) {
        self.wanted().now = true;
        self.ring.notify_all();
    }

    /// Asks for a last checkpoint, and the thread's end.
    pub(super) fn stop(&self) {
        self.wanted().stop = true;
        self.ring.notify_all();
    }

    /// Waits until a checkpoint is due; true: it is the last.
    fn wait(&self, every: Duration) -> bool {
        let idle = |wanted: &mut Wanted| !wanted.now && !wanted.stop;
        let waited = self.ring.wait_timeout_while(self.wanted(), every, idle);
        let (mut wanted, _) = waited.unwrap_or_else(PoisonError::into_inner);
        wanted.now = false;
        wanted.stop
    }

    /// Waits for checkpoints until `enough` says so, but not longer than `at_most`.
    pub(super) fn wait_done(&self, at_most: Duration, enough: impl Fn() -> bool) {
        let waited = self.done.wait_timeout_while(self.wanted(), at_most, |_| !enough());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn done(&self) {
        // Taken so that nobody between looking and waiting misses it.
        drop(self.wanted());
        self.done.notify_all();
    }
}

/// The thread's life: until it is stopped, or the store breaks.
pub(super) fn run(shared: &Shared, every: Duration, mut checkpoint: Link) {
    loop {
        let last = shared.bell.wait(every);
        if shared.fault().is_some() {
            return;
        }
        let result = catch_unwind(AssertUnwindSafe(|| flush(shared, &mut checkpoint)));
        if result.is_err() {
            shared.break_off(StoreFault::new("giving sled its writes", shared.store(), "the thread panicked"), true);
        }
        shared.bell.done();
        if last || shared.fault().is_some() {
            return;
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
    if let Err(trouble) = shared.disk().write(&layer, link).and_then(|()| shared.disk().sync()) {
        shared.disk_failed("giving sled its writes", &trouble);
        return;
    }
    if let Err(error) = highwater::write(shared.store(), link) {
        let path = highwater::path(shared.store());
        shared.break_off(StoreFault::new("writing the checkpoint", &path, error), false);
        return;
    }
    *checkpoint = link;
    // The last reference to the layer is dropped here, outside the lock.
    let thawed = shared.overlay_mut().thaw();
    drop(thawed);
}
