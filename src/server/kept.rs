//! What the server keeps of its own work for its next start. Where the store takes nothing at the moment, it is kept with a
//! later look.

use crate::domain::alert::AlertLog;
use crate::domain::time::{Span, Timestamp};
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::record::server::{self, Channel, SeenBy, ServerRecord, Trouble};

/// Keeps what is wrong with the sources, and since when, where that is news. How often it was seen is not worth a write each
/// time: strangers can make it grow.
pub(super) async fn keep_troubles(
    handle: &Handle,
    seen_by: SeenBy,
    all: Vec<Trouble>,
    kept: &mut Vec<Trouble>,
) {
    let same = |(a, b): (&Trouble, &Trouble)| (&a.source, a.since) == (&b.source, b.since);
    if all.len() == kept.len() && all.iter().zip(kept.iter()).all(same) {
        return;
    }
    let record = ServerRecord::Troubles {
        seen_by,
        all: all.clone(),
    };
    if handle.submit_waiting(Input::Keep(record)).await.is_ok() {
        *kept = all;
    }
}

/// Whether the store takes what is to be kept: told when it begins to refuse and when that is over, and not at each look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outage {
    since: Option<Timestamp>,
}

impl Outage {
    /// Something was refused; true: that is the first of the outage.
    pub(super) const fn begins(&mut self, now: Timestamp) -> bool {
        let first = self.since.is_none();
        if first {
            self.since = Some(now);
        }
        first
    }

    /// Everything is kept; how long something was not, where that is news.
    pub(super) fn ends(&mut self, now: Timestamp) -> Option<Span> {
        self.since.take().map(|since| now - since)
    }
}

/// What was reported over a channel, and what of that is in the store.
pub(super) struct Reported {
    pub(super) channel: Channel,
    pub(super) log: AlertLog,
    stored: AlertLog,
}

impl Reported {
    /// As the last start left it.
    pub(super) fn read(handle: &Handle, channel: Channel) -> Self {
        let log = server::alert_log(handle.reader(), channel).unwrap_or_default();
        Self {
            channel,
            stored: log.clone(),
            log,
        }
    }

    /// Whether a restart would report nothing twice.
    pub(super) fn is_stored(&self) -> bool {
        self.stored == self.log
    }

    /// Keeps it, where that is not done.
    pub(super) async fn keep(&mut self, handle: &Handle, outage: &mut Outage) {
        if self.is_stored() {
            return;
        }
        let (channel, log) = (self.channel, self.log.clone());
        let record = ServerRecord::Alerts { channel, log };
        match handle.submit_waiting(Input::Keep(record)).await {
            Ok(_) => self.stored = self.log.clone(),
            Err(error) if outage.begins(handle.clock().now()) => {
                tracing::warn!(%error, "what was reported cannot be kept, and is tried again; after a restart it may be reported again");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::clock::Clock;
    use crate::domain::alert::{Coverage, due_digests};
    use crate::domain::attention::{Attention, Concern, Shortage};
    use crate::domain::id::SourceName;
    use crate::domain::revision::Revisions;
    use crate::engine::input::Rules;
    use crate::engine::write::committer;
    use crate::store::memory::Memory;
    use crate::store::{Batch, Commit, CommitError, FullCause, Seq};

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    /// A store that is full while that is wanted.
    struct Filling(Memory, Arc<AtomicBool>);

    impl Commit for Filling {
        fn commit(&mut self, batch: &Batch) -> Result<Seq, CommitError> {
            if self.1.load(Ordering::SeqCst) {
                return Err(CommitError::Full(FullCause::FreeSpace {
                    free_bytes: 1,
                    needed_bytes: 2,
                }));
            }
            self.0.commit(batch)
        }
    }

    /// An engine, and what makes its disk full.
    fn engine() -> (Handle, Arc<AtomicBool>) {
        let (store, full) = (Memory::new(), Arc::<AtomicBool>::default());
        let rules = Rules {
            revisions: Revisions::default(),
            sources: Default::default(),
            store_since: None,
            guard: None,
        };
        let writer = Box::new(Filling(store.clone(), Arc::clone(&full)));
        let clock = Clock::virtual_at(NOW);
        let (handle, _) = committer::start(writer, Arc::new(store), rules, clock, 16).unwrap();
        (handle, full)
    }

    fn a_log() -> AlertLog {
        let concern = Concern::StoreFull {
            shortage: Shortage::Disk,
            why: "full".to_owned(),
        };
        let waiting = [Attention {
            since: NOW,
            concern,
        }];
        let every = Span::from_minutes(15);
        due_digests(&AlertLog::default(), &waiting, Coverage::Whole, every, NOW).1
    }

    /// One line for an outage, however often it is tried; and what could not be kept is kept when there is room, though
    /// nothing was reported since.
    #[tokio::test]
    async fn what_could_not_be_kept_is_told_once_and_kept_later() {
        let (handle, full) = engine();
        let mut outage = Outage::default();
        let mut reported = Reported::read(&handle, Channel::Log);
        reported.log = a_log();
        full.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            reported.keep(&handle, &mut outage).await;
            assert!(!reported.is_stored());
            assert!(!outage.begins(NOW), "that was told");
        }
        full.store(false, Ordering::SeqCst);
        reported.keep(&handle, &mut outage).await;
        assert!(reported.is_stored());
        let stored = server::alert_log(handle.reader(), Channel::Log).unwrap();
        assert_eq!(stored, a_log());
        assert_eq!(outage.ends(NOW + Span::from_s(2)), Some(Span::from_s(2)));
        assert_eq!(outage.ends(NOW), None, "once");
    }

    #[tokio::test]
    async fn what_is_wrong_with_sources_is_kept_where_it_is_news() {
        let (handle, full) = engine();
        let trouble = |times| Trouble {
            source: SourceName::from("stripe"),
            since: NOW,
            times,
        };
        let stored = || server::troubles(handle.reader(), SeenBy::Signatures).unwrap();
        let mut kept = Vec::new();
        full.store(true, Ordering::SeqCst);
        keep_troubles(&handle, SeenBy::Signatures, vec![trouble(1)], &mut kept).await;
        assert_eq!(kept, []);
        full.store(false, Ordering::SeqCst);
        keep_troubles(&handle, SeenBy::Signatures, vec![trouble(2)], &mut kept).await;
        assert_eq!(stored(), [trouble(2)]);
        keep_troubles(&handle, SeenBy::Signatures, vec![trouble(9)], &mut kept).await;
        assert_eq!(stored(), [trouble(2)], "how often is no news");
        keep_troubles(&handle, SeenBy::Signatures, Vec::new(), &mut kept).await;
        assert_eq!(stored(), []);
    }
}
