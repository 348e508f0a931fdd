//! Whether the server is well enough for the heartbeat's address to be asked: whoever listens there hears of the rest by silence.

use std::time::Duration;

use crate::domain::time::{Span, Timestamp};
use crate::engine::Handle;
use crate::engine::record::gaps::last_heartbeat;

/// The scheduler has a heartbeat stored each minute. An older one than this says that the scheduler, the queue or the disk stands
/// still, whichever it is; the same holds for a dispatcher that did not go round for so long.
const STORED_WITHIN: Span = Span::from_minutes(5);

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vitals {
    /// The store takes writes, and is not full.
    pub(super) store_takes: bool,
    /// What waits for the disk, and how much may.
    pub(super) queue: (usize, usize),
    /// Each of the scheduler's jobs is rung for in time, and comes to an end.
    pub(super) scheduler_works: bool,
    /// How long ago the dispatcher went round: what is due is begun by nobody else.
    pub(super) dispatched: Duration,
    /// The newest heartbeat in the store.
    pub(super) stored: Option<Timestamp>,
    /// When the server started: before its first heartbeat there may be none, or one of long ago.
    pub(super) started: Timestamp,
}

impl Vitals {
    pub(super) fn of(
        handle: &Handle,
        scheduler_works: bool,
        dispatched: Duration,
        started: Timestamp,
    ) -> Self {
        Self {
            store_takes: handle.is_open() && !handle.is_full(),
            queue: (handle.queue_len(), handle.queue_len_max()),
            scheduler_works,
            dispatched,
            stored: last_heartbeat(handle.reader()),
            started,
        }
    }

    pub(super) fn are_good(&self, now: Timestamp) -> bool {
        let (waiting, most) = self.queue;
        let newest = self.stored.map_or(self.started, |at| at.max(self.started));
        let turns = self.dispatched <= STORED_WITHIN.to_std();
        let works = self.scheduler_works && turns;
        self.store_takes && waiting < most && works && now - newest <= STORED_WITHIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_767_600_000);

    #[test]
    fn each_thing_that_stands_still_silences_the_heartbeat() {
        let ago = |minutes| NOW - Span::from_minutes(minutes);
        let well = Vitals {
            store_takes: true,
            queue: (3, 1_000),
            scheduler_works: true,
            dispatched: Duration::from_secs(60),
            stored: Some(ago(1)),
            started: ago(600),
        };
        assert!(well.are_good(NOW));
        let new = Vitals {
            stored: Some(ago(600)),
            started: ago(1),
            ..well
        };
        assert!(new.are_good(NOW), "just started");
        for (what, ill) in [
            (
                "store",
                Vitals {
                    store_takes: false,
                    ..well
                },
            ),
            (
                "queue",
                Vitals {
                    queue: (1_000, 1_000),
                    ..well
                },
            ),
            (
                "scheduler",
                Vitals {
                    scheduler_works: false,
                    ..well
                },
            ),
            (
                "dispatcher",
                Vitals {
                    dispatched: Duration::from_secs(301),
                    ..well
                },
            ),
            (
                "nothing was stored",
                Vitals {
                    stored: Some(ago(6)),
                    ..well
                },
            ),
            (
                "nothing was ever stored",
                Vitals {
                    stored: None,
                    ..well
                },
            ),
        ] {
            assert!(!ill.are_good(NOW), "{what}");
        }
    }
}
