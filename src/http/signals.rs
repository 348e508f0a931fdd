//! What deliveries tell of their source besides what is in them: that it speaks at all, and whether its signatures fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use crate::config::Config;
use crate::domain::attention::{Attention, Concern};
use crate::domain::id::SourceName;
use crate::domain::silence::Rhythm;
use crate::domain::time::{Span, Timestamp};
use crate::sources::stripe::signature::SignatureError;

/// No instant.
const NEVER: i64 = i64::MIN;

/// One source's signals. Noting one is a few atomic writes.
#[derive(Debug)]
pub struct SourceSignals {
    /// The source.
    pub source: SourceName,
    last_ms: AtomicI64,
    count: AtomicU64,
    longest_pause_ms: AtomicI64,
    /// How much of the pause that runs is ours: nobody listened.
    ours_ms: AtomicI64,
    failures: AtomicU32,
    failing_since_ms: AtomicI64,
}

/// The signals of all sources, in the config's order.
pub type Signals = Arc<[SourceSignals]>;

/// Signals of a config's sources, of which nothing was heard yet.
#[must_use]
pub fn of(config: &Config) -> Signals {
    let signals = |source: &crate::config::Source| SourceSignals {
        source: source.name.clone(),
        last_ms: AtomicI64::new(NEVER),
        count: AtomicU64::new(0),
        longest_pause_ms: AtomicI64::new(0),
        ours_ms: AtomicI64::new(0),
        failures: AtomicU32::new(0),
        failing_since_ms: AtomicI64::new(NEVER),
    };
    config.sources.iter().map(signals).collect()
}

impl SourceSignals {
    /// What was known before this start, for how long nobody listened since the last delivery, and since when signatures
    /// did not fit, and how often.
    pub fn begin(
        &self,
        kept: Option<Rhythm>,
        ours: Span,
        failing: Option<(Timestamp, u32)>,
        now: Timestamp,
    ) {
        let kept = kept.unwrap_or(Rhythm {
            last: now,
            count: 0,
            longest_pause: Span::from_ms(0),
        });
        // One that came before this is newer than what was kept.
        let (order, last) = (Ordering::Relaxed, kept.last.ms());
        if self
            .last_ms
            .compare_exchange(NEVER, last, order, order)
            .is_ok()
        {
            self.ours_ms.store(ours.ms(), order);
            // Only a delivery that fits ends it.
            if let Some((since, failures)) = failing {
                self.failing_since_ms.store(since.ms(), order);
                self.failures.fetch_add(failures, order);
            }
        }
        self.count.fetch_add(kept.count, order);
        self.longest_pause_ms
            .fetch_max(kept.longest_pause.ms(), order);
    }

    /// Its deliveries so far; `None` before [`Self::begin`].
    #[must_use]
    pub fn rhythm(&self) -> Option<Rhythm> {
        let last = self.last_ms.load(Ordering::Relaxed);
        let pause = self.longest_pause_ms.load(Ordering::Relaxed);
        (last != NEVER).then(|| Rhythm {
            last: Timestamp::from_ms(last),
            count: self.count.load(Ordering::Relaxed),
            longest_pause: Span::from_ms(pause),
        })
    }

    /// A delivery was signed by it.
    pub(super) fn verified(&self, at: Timestamp) {
        let before = self.last_ms.swap(at.ms(), Ordering::Relaxed);
        if before != NEVER {
            let ours = self.ours_ms.swap(0, Ordering::Relaxed);
            let pause = at.ms().saturating_sub(before).saturating_sub(ours);
            self.longest_pause_ms.fetch_max(pause, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
    }

    /// A delivery was not. Whoever sends no signature at all is a stranger.
    pub(super) fn unverified(&self, why: &SignatureError, at: Timestamp) {
        match why {
            SignatureError::NoHeader | SignatureError::Malformed { .. } => {}
            SignatureError::NoSecret
            | SignatureError::NoV1
            | SignatureError::TooOld { .. }
            | SignatureError::NoMatch => {
                if self.failures.fetch_add(1, Ordering::Relaxed) == 0 {
                    self.failing_since_ms.store(at.ms(), Ordering::Relaxed);
                }
            }
        }
    }

    /// Since when signatures do not fit, and how many in a row did not; `None`: they fit.
    #[must_use]
    pub fn failing(&self) -> Option<(Timestamp, u32)> {
        let failures = self.failures.load(Ordering::Relaxed);
        let since = Timestamp::from_ms(self.failing_since_ms.load(Ordering::Relaxed));
        (failures > 0).then_some((since, failures))
    }

    /// Signatures that do not fit, as what waits for a person, until one fits again.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let (since, failures) = self.failing()?;
        let source = self.source.clone();
        Some(Attention {
            since,
            concern: Concern::SignaturesFail { source, failures },
        })
    }
}
