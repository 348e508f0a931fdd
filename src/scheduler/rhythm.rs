//! When the bells should ring.

use std::time::Duration;

use super::Job;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::time::{Span, Timestamp};

/// When each bell should ring, by the same parser that the scheduler uses, and by the clock that it goes by.
#[derive(Clone)]
pub(super) struct Rhythm([Option<croner::Cron>; Job::ALL.len()]);

impl Rhythm {
    pub(super) fn of(config: &Config) -> Self {
        let parser = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Required)
            .dom_and_dow(true)
            .build();
        Self(Job::ALL.map(|job| parser.parse(job.cron(config)).ok()))
    }

    /// The present by the clock that the scheduler goes by, whatever the engine's does.
    pub(super) fn now() -> Timestamp {
        Clock::Wall.now()
    }

    /// The first ring after an instant.
    pub(super) fn next(&self, job: Job, after: Timestamp) -> Option<Timestamp> {
        let after = chrono::DateTime::from_timestamp_millis(after.ms())?;
        let cron = self.0[job as usize].as_ref()?;
        let next = cron.find_next_occurrence(&after, false).ok()?;
        Some(Timestamp::from_ms(next.timestamp_millis()))
    }

    /// How long from now to the next ring; a rhythm that has none is never silent.
    pub(super) fn next_within(&self, job: Job) -> Duration {
        let now = Self::now();
        let within = |next: Timestamp| Span::to_std(next - now);
        self.next(job, now).map_or(Duration::MAX / 2, within)
    }
}
