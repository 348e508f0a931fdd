//! When each job last ran, and when it should have run again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Job;
use crate::clock::Stopwatch;
use crate::domain::time::Timestamp;

/// A job's last run, for `/readyz` and people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The job.
    pub job: Job,
    /// When it last ended well; `None`: not yet.
    pub last: Option<Timestamp>,
    /// Whether its bell stayed silent, so that the watchdog rang.
    pub silent: bool,
    /// Whether it is at work for so long that it hangs.
    pub stuck: bool,
    /// What went wrong in the last run, if something did.
    pub error: Option<String>,
}

/// What is new with a run's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunNews {
    /// It failed, and the one before did not.
    Fails,
    /// It did not fail, and the one before did.
    WorksAgain,
    AsBefore,
}

struct RunState {
    run: Run,
    since: Stopwatch,
    next_within: Duration,
    working: bool,
    nudged: bool,
}

/// The runs of all jobs.
pub(super) struct Runs(Vec<Mutex<RunState>>);

impl Runs {
    pub(super) fn new(next_within: impl Fn(Job) -> Duration) -> Self {
        let state = |job: Job| RunState {
            run: Run {
                job,
                last: None,
                silent: false,
                stuck: false,
                error: None,
            },
            since: Stopwatch::start(),
            next_within: next_within(job),
            working: false,
            nudged: false,
        };
        Self(
            Job::ALL
                .into_iter()
                .map(|job| Mutex::new(state(job)))
                .collect(),
        )
    }

    fn of(&self, job: Job) -> MutexGuard<'_, RunState> {
        // Nothing in here panics between two fields that belong together.
        self.0[job as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A bell was heard; the next one should come within a span.
    pub(super) fn began(&self, job: Job, next_within: Duration) {
        let mut state = self.of(job);
        (state.since, state.next_within, state.working) = (Stopwatch::start(), next_within, true);
        // Only a ring of the scheduler's own ends its silence.
        state.run.silent &= std::mem::take(&mut state.nudged);
    }

    /// The bell was set anew: it has not been silent, and should ring within a span.
    pub(super) fn expect_anew(&self, job: Job, next_within: Duration) {
        let mut state = self.of(job);
        if !state.working {
            (state.since, state.next_within) = (Stopwatch::start(), next_within);
        }
        (state.run.silent, state.nudged) = (false, false);
    }

    /// A run is over; whether somebody should hear of how.
    pub(super) fn ended(&self, job: Job, now: Timestamp, error: Option<String>) -> RunNews {
        let mut state = self.of(job);
        (state.working, state.run.stuck) = (false, false);
        let news = match (&state.run.error, &error) {
            (None, Some(_)) => RunNews::Fails,
            (Some(_), None) => RunNews::WorksAgain,
            (Some(_), Some(_)) | (None, None) => RunNews::AsBefore,
        };
        if error.is_none() {
            state.run.last = Some(now);
        }
        state.run.error = error;
        news
    }

    /// Whether a bell has been silent for longer than expected and the slack. Says so once per silence.
    pub(super) fn is_silent(&self, job: Job, slack: Duration) -> bool {
        let mut state = self.of(job);
        let silent =
            !state.working && state.since.elapsed() > state.next_within.saturating_add(slack);
        if silent {
            if !state.run.silent {
                tracing::warn!(
                    job.name = job.as_str(),
                    "the scheduler is silent: the watchdog rings instead"
                );
            }
            (state.run.silent, state.nudged) = (true, true);
        }
        silent
    }

    /// Notes, and says once, that a job has been at work for longer than any of its kind is.
    pub(super) fn note_stuck(&self, job: Job, after: Duration) {
        let mut state = self.of(job);
        if state.working && !state.run.stuck && state.since.elapsed() > after {
            tracing::error!(
                job.name = job.as_str(),
                "a job of the scheduler does not come to its end: the heartbeat's address is not asked meanwhile. If it stays \
                 so, look at the disk, and restart"
            );
            state.run.stuck = true;
        }
    }

    pub(super) fn all(&self) -> Vec<Run> {
        Job::ALL
            .into_iter()
            .map(|job| self.of(job).run.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_fails_is_told_once_and_its_end() {
        use RunNews::{AsBefore, Fails, WorksAgain};
        let runs = Runs::new(|_| Duration::from_secs(1));
        let full = || Some("the disk is nearly full".to_owned());
        let ends = [None, full(), full(), full(), None, None, full()];
        let news = ends.map(|error| runs.ended(Job::Due, Timestamp::from_s(1), error));
        assert_eq!(
            news,
            [
                AsBefore, Fails, AsBefore, AsBefore, WorksAgain, AsBefore, Fails
            ]
        );
        let other = runs.ended(Job::Repair, Timestamp::from_s(1), full());
        assert_eq!(other, Fails, "each job for itself");
    }

    /// A job that hangs is not silent, for its bell was heard: it is told apart by how long it is at work.
    #[test]
    fn a_job_that_does_not_end_is_stuck_until_it_does() {
        let runs = Runs::new(|_| Duration::ZERO);
        let is_stuck = || runs.all()[Job::Due as usize].stuck;
        runs.note_stuck(Job::Due, Duration::ZERO);
        assert!(!is_stuck(), "it is not at work");
        runs.began(Job::Due, Duration::ZERO);
        runs.note_stuck(Job::Due, Duration::from_secs(900));
        assert!(!is_stuck(), "it only just began");
        runs.note_stuck(Job::Due, Duration::ZERO);
        assert!(is_stuck() && !runs.is_silent(Job::Due, Duration::ZERO));
        runs.ended(Job::Due, Timestamp::from_s(1), None);
        assert!(!is_stuck());
    }
}
