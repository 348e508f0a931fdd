//! Rings where a bell stays silent, and has the bells ring on when the clock was set.

use std::sync::Arc;
use std::time::Duration;

use super::bells::{Bells, NextRing, SLACK};
use super::rhythm::Rhythm;
use super::runs::Runs;
use super::{Job, Wakes};
use crate::clock::pause;
use crate::domain::time::{Span, Timestamp};

/// How often it looks, on the monotonic clock.
const CHECK_EVERY: Span = Span::from_s(2);
/// A job that is at work for longer hangs. A backup may take as long as it takes: its age is watched by itself.
const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);

/// Who watches.
pub(super) struct Watchdog {
    bells: Bells,
    rhythm: Rhythm,
    runs: Arc<Runs>,
    wakes: Wakes,
    /// See [`SLACK`]; on the monotonic clock.
    slack: Duration,
}

impl Watchdog {
    pub(super) fn new(bells: Bells, rhythm: Rhythm, runs: Arc<Runs>, wakes: Wakes) -> Self {
        Self {
            bells,
            rhythm,
            runs,
            wakes,
            slack: SLACK.to_std(),
        }
    }

    pub(super) async fn watch(&mut self) {
        loop {
            pause(CHECK_EVERY).await;
            self.check(Rhythm::now()).await;
        }
    }

    async fn check(&mut self, now: Timestamp) {
        let mut mended = Vec::new();
        for (job, wake) in Job::ALL.into_iter().zip(&self.wakes) {
            // One that cannot be asked is judged by its silence.
            match self
                .bells
                .next_ring(job, now)
                .await
                .unwrap_or(NextRing::Overdue)
            {
                NextRing::Ahead => {}
                NextRing::Mended => {
                    self.runs.expect_anew(job, self.rhythm.next_within(job));
                    mended.push(job.as_str());
                }
                NextRing::Overdue => {
                    if self.runs.is_silent(job, self.slack) {
                        wake.notify_one();
                    }
                }
            }
            if job != Job::Backup {
                self.runs.note_stuck(job, STUCK_AFTER);
            }
        }
        if !mended.is_empty() {
            tracing::info!(
                jobs = mended.join(" "),
                "the machine's clock was set back: the times of jobs are worked out anew"
            );
        }
    }

    pub(super) async fn end(&mut self) {
        self.bells.end().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;
    use crate::config::{Config, Env};

    async fn watchdog() -> Watchdog {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = path.join("fixtures/histories/keyward.toml");
        let config = Config::load(&path, &Env::new(|_| None)).unwrap().0;
        let wakes = std::array::from_fn(|_| Arc::new(Notify::new()));
        let rhythm = Rhythm::of(&config);
        let bells = Bells::start(&config, rhythm.clone(), &wakes).await.unwrap();
        let runs = Arc::new(Runs::new(|_| Duration::ZERO));
        let mut dog = Watchdog::new(bells, rhythm, runs, wakes);
        dog.slack = Duration::ZERO;
        dog
    }

    fn silent(dog: &Watchdog) -> Vec<Job> {
        let silent = dog.runs.all().into_iter().filter(|run| run.silent);
        silent.map(|run| run.job).collect()
    }

    /// Without a look the bells would be silent for two days.
    #[tokio::test]
    async fn a_clock_that_was_ahead_and_is_right_again_silences_no_job() {
        let mut dog = watchdog().await;
        dog.bells.rang_ahead(Span::from_days(2)).await;
        for job in Job::ALL {
            // As it was before: rung for by the watchdog only.
            assert!(dog.runs.is_silent(job, Duration::ZERO), "{job:?}");
        }
        dog.check(Rhythm::now()).await;
        assert_eq!(silent(&dog), []);
        for job in Job::ALL {
            let next = dog.bells.next_ring(job, Rhythm::now()).await.unwrap();
            assert_eq!(next, NextRing::Ahead, "{job:?} was mended");
        }
        // It is the bell that rings: nobody else does here.
        tokio::select! {
            () = dog.wakes[Job::Due as usize].notified() => {}
            () = pause(Span::from_s(30)) => panic!("the bell is silent"),
        }
        dog.end().await;
    }

    /// A night audit is no silent bell because the clock was set back by an hour since it was last rung.
    #[tokio::test]
    async fn a_bell_that_is_to_ring_later_by_the_clock_is_not_silent() {
        let mut dog = watchdog().await;
        dog.end().await;
        let now = Rhythm::now();
        // By the monotonic clock, each is late.
        dog.check(now).await;
        assert_eq!(silent(&dog), []);
        // Nobody rings any more: by both clocks, each is late.
        let next = Job::ALL.map(|job| dog.rhythm.next(job, now).unwrap());
        let last = next.into_iter().max().unwrap();
        dog.check(last + SLACK + SLACK).await;
        assert_eq!(silent(&dog), Job::ALL);
    }
}
