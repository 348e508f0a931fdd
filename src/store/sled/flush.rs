//! The thread that gives sled what the log has: about once a second, net, and then writes the checkpoint.

use crate::store::sled::signal::{FlushSignal, FlushState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;

use super::shared::Shared;
use crate::store::StoreFault;
use crate::store::log::highwater;
use crate::store::log::record::Link;

/// The thread's life: until it is stopped, or the store breaks.
pub(super) fn run(shared: &Shared, every: Duration, mut checkpoint: Link) {
    loop {
        let last = shared.signal.wait(every);
        if shared.fault().is_none() {
            shared
                .signal
                .change(|state| (state.busy, state.round) = (true, state.round + 1));
            let result = catch_unwind(AssertUnwindSafe(|| flush(shared, &mut checkpoint)));
            if result.is_err() {
                let fault = StoreFault::new(
                    "giving sled its writes",
                    shared.store(),
                    "the thread panicked",
                );
                shared.break_off_damaged(fault);
            }
            shared.signal.change(|state| state.busy = false);
        }
        if last || shared.fault().is_some() {
            return shared.signal.change(|state| state.ended = true);
        }
    }
}

/// A second thread's life: to notice when the first one hangs.
pub(super) fn watch(shared: &Shared, patience: Duration) {
    if hangs(&shared.signal, patience) {
        let why = format!("sled has not come back for {} s", patience.as_secs());
        shared.break_off(StoreFault::new(
            "giving sled its writes",
            shared.disk().path(),
            why,
        ));
    }
}

/// Returns when a flush takes longer than `patience` (true), or when there will be no more (false).
fn hangs(signal: &FlushSignal, patience: Duration) -> bool {
    loop {
        let idle = |state: &mut FlushState| !state.busy && !state.ended;
        let state = signal
            .changed
            .wait_while(signal.state(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return false;
        }
        let round = state.round;
        let same = |state: &mut FlushState| state.busy && state.round == round;
        let waited = signal.changed.wait_timeout_while(state, patience, same);
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
    let written = shared
        .disk()
        .write(&layer, link)
        .and_then(|digest| shared.disk().sync().map(|()| digest));
    let digest = match written {
        Ok(digest) => digest,
        Err(trouble) => {
            shared.disk_failed("giving sled its writes", &trouble);
            return;
        }
    };
    if let Err(error) = highwater::write(shared.store(), link) {
        let path = highwater::path(shared.store());
        shared.break_off(StoreFault::new("writing the checkpoint", &path, error));
        return;
    }
    *checkpoint = link;
    shared.checkpoints().reach(link, digest);
    // The last reference to the layer is dropped here, outside the lock.
    let thawed = shared.overlay_mut().thaw();
    drop(thawed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_that_does_not_end_is_noticed_and_short_ones_are_not() {
        let signal = FlushSignal::default();
        let begin = |state: &mut FlushState| (state.busy, state.round) = (true, state.round + 1);
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| hangs(&signal, Duration::from_secs(60)));
            for _ in 0..1_000 {
                signal.change(begin);
                signal.change(|state| state.busy = false);
            }
            signal.change(|state| state.ended = true);
            assert!(!watch.join().unwrap());
        });
        signal.change(|state| state.ended = false);
        signal.change(begin);
        assert!(hangs(&signal, Duration::from_millis(5)));
    }

    #[test]
    fn a_ring_that_nobody_waited_for_is_not_lost() {
        let signal = FlushSignal::default();
        signal.wake();
        assert!(!signal.wait(Duration::from_secs(3600)));
        assert!(!signal.wait(Duration::ZERO));
    }
}
