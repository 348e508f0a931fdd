//! The watchdog, outside the scheduler and on the monotonic clock: it rings bells that stay silent, and sees a wall clock
//! that jumps. tokio-cron-scheduler goes by the wall clock: one that is set back by an hour silences every job for an hour.

use std::time::Duration;

use crate::clock::{Clock, Stopwatch};
use crate::domain::time::{Span, Timestamp};

/// How often it looks.
pub(super) const LOOK_EVERY: Span = Span::from_s(2);
/// A bell may be late by this much: the scheduler's own 500 ms, and a machine under load.
pub(super) const SLACK: Duration = Duration::from_secs(5);
/// A job that is at work for longer hangs. A backup may take as long as it takes: its age is watched by itself.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);
/// The wall clock may move against the monotonic one by this much between two looks; NTP slews far less.
const JUMP: Span = Span::from_s(2);

/// Compares the wall clock with the monotonic one.
pub(super) struct JumpWatch {
    wall: Timestamp,
    watch: Stopwatch,
}

impl JumpWatch {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            wall: clock.now(),
            watch: Stopwatch::start(),
        }
    }

    /// How far the wall clock jumped since the last look, if it did. A clock that somebody moves on purpose does not jump.
    pub(super) fn look(&mut self, clock: &Clock) -> Option<Span> {
        let (wall, passed) = (clock.now(), self.watch.elapsed());
        let moved = jump(self.wall, wall, passed);
        *self = Self {
            wall,
            watch: Stopwatch::start(),
        };
        moved.filter(|_| matches!(clock, Clock::Wall))
    }
}

fn jump(before: Timestamp, after: Timestamp, passed: Duration) -> Option<Span> {
    let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
    let moved = Span::from_ms((after - before).ms().saturating_sub(passed_ms));
    (moved.ms().abs() > JUMP.ms()).then_some(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jump_is_a_jump() {
        let at = Timestamp::from_s;
        let passed = Duration::from_secs(2);
        assert_eq!(jump(at(100), at(102), passed), None);
        assert_eq!(jump(at(100), at(104), passed), None);
        assert_eq!(jump(at(100), at(105), passed), Some(Span::from_s(3)));
        assert_eq!(jump(at(4000), at(402), passed), Some(Span::from_s(-3600)));
    }
}
