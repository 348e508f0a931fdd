//! The only file that reads the time. Everything else is handed an instant.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::time::{Span, Timestamp};

/// Where the shell gets its instants from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    Wall,
    /// A clock that somebody else moves: the demo's and the tests'.
    Virtual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at an instant until it is moved.
    #[must_use]
    pub fn virtual_at(at: Timestamp) -> Self {
        Self::Virtual(Arc::new(AtomicI64::new(at.ms())))
    }

    /// The present instant.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Wall => Timestamp::from_ms(chrono::Utc::now().timestamp_millis()),
            Self::Virtual(ms) => Timestamp::from_ms(ms.load(Ordering::SeqCst)),
        }
    }

    /// Moves a virtual clock forward to an instant; it never goes back, and the wall clock does not move.
    pub fn advance_to(&self, to: Timestamp) {
        if let Self::Virtual(ms) = self {
            ms.fetch_max(to.ms(), Ordering::SeqCst);
        }
    }
}

/// A monotonic instant, for measuring how long something took.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the monotonic clock"
    )]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits until a span has passed on the machine's own clock. For back-off and time limits of the shell only; what is
/// due in the domain is found by comparing instants.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that waits for time; callers select it against a bell"
)]
pub async fn pause(span: Span) {
    tokio::time::sleep(span.to_std()).await;
}
