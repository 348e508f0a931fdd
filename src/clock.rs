//! The only module that reads the time. Everything else is handed an instant.

mod steady;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::time::{Span, Timestamp};

pub use steady::SteadyClock;

/// A wall clock that moved by more against the monotonic one is not trusted.
pub const JUMP_MAX: Span = Span::from_minutes(2);

/// Where the shell gets its instants from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    Wall,
    /// A clock that somebody else moves: the demo's and the tests'.
    Virtual(Arc<AtomicI64>),
    /// The machine's wall clock, set forward by so many milliseconds: tests let it jump.
    Skewed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at an instant until it is moved.
    #[must_use]
    pub fn virtual_at(at: Timestamp) -> Self {
        Self::Virtual(Arc::new(AtomicI64::new(at.ms())))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Wall => wall(),
            Self::Virtual(ms) => Timestamp::from_ms(ms.load(Ordering::SeqCst)),
            Self::Skewed(by) => wall() + Span::from_ms(by.load(Ordering::SeqCst)),
        }
    }

    /// Measures from now on how long something takes, whatever the wall clock does meanwhile.
    #[must_use]
    pub fn measure(&self) -> Passed {
        Passed {
            clock: self.clone(),
            from: self.now(),
            watch: Stopwatch::start(),
        }
    }

    /// Moves a virtual clock forward to an instant; it never goes back, and the wall clock does not move.
    pub fn advance_to(&self, to: Timestamp) {
        if let Self::Virtual(ms) = self {
            ms.fetch_max(to.ms(), Ordering::SeqCst);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the wall clock"
)]
fn wall() -> Timestamp {
    Timestamp::from_ms(chrono::Utc::now().timestamp_millis())
}

/// How long it is since an instant. A wall clock that is set does not change it.
#[derive(Clone, Debug)]
pub struct Passed {
    clock: Clock,
    from: Timestamp,
    watch: Stopwatch,
}

impl Passed {
    /// So long.
    #[must_use]
    pub fn span(&self) -> Span {
        match self.clock {
            Clock::Virtual(_) => self.clock.now() - self.from,
            Clock::Wall | Clock::Skewed(_) => self.watch.span(),
        }
    }
}

/// Compares the wall clock with the monotonic one.
#[derive(Debug)]
pub struct JumpWatch {
    wall: Timestamp,
    watch: Stopwatch,
}

/// The wall clock may move against the monotonic one by this much between two looks; NTP slews far less.
const JUMP: Span = Span::from_s(2);

impl JumpWatch {
    /// Compares from now on.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        Self {
            wall: clock.now(),
            watch: Stopwatch::start(),
        }
    }

    /// The present instant, and how far the clock jumped since the last look, if it did. A clock that somebody moves on
    /// purpose does not jump.
    pub fn look(&mut self, clock: &Clock) -> (Timestamp, Option<Span>) {
        let (now, passed) = (clock.now(), self.watch.span());
        let moved = Span::from_ms((now - self.wall).ms().saturating_sub(passed.ms()));
        *self = Self {
            wall: now,
            watch: Stopwatch::start(),
        };
        let jumps = !matches!(clock, Clock::Virtual(_)) && moved.ms().abs() > JUMP.ms();
        (now, jumps.then_some(moved))
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

    /// The same, in milliseconds.
    fn span(self) -> Span {
        Span::from_ms(i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_is_set_jumps() {
        let set = Arc::<AtomicI64>::default();
        let clock = Clock::Skewed(Arc::clone(&set));
        let mut watch = JumpWatch::new(&clock);
        let mut by = |ms: i64| {
            set.store(ms, Ordering::SeqCst);
            let (now, jump) = watch.look(&clock);
            assert!((clock.now() - now).ms().abs() < 60_000);
            jump.map(|j| (j.ms() + 500).div_euclid(1_000))
        };
        assert_eq!(by(0), None);
        assert_eq!(by(1_900), None, "NTP may");
        assert_eq!(by(3_601_900), Some(3_600));
        assert_eq!(by(3_601_900), None, "told once");
        assert_eq!(by(0), Some(-3_602));
        let moved = Clock::virtual_at(Timestamp::from_s(0));
        let mut watch = JumpWatch::new(&moved);
        moved.advance_to(Timestamp::from_s(9_000));
        assert_eq!(watch.look(&moved), (Timestamp::from_s(9_000), None));
    }

    #[test]
    fn what_passes_does_not_go_by_a_clock_that_is_set() {
        let set = Arc::<AtomicI64>::default();
        let passed = Clock::Skewed(Arc::clone(&set)).measure();
        set.store(86_400_000, Ordering::SeqCst);
        assert!(passed.span() < Span::from_hours(1));
        let moved = Clock::virtual_at(Timestamp::from_s(0));
        let passed = moved.measure();
        moved.advance_to(Timestamp::from_s(9));
        assert_eq!(passed.span(), Span::from_s(9));
    }
}
