//! The bells: what tokio-cron-scheduler rings, and when it rings next.
//!
//! It works out a job's next ring when it rings, by the wall clock. Of a clock that was ahead and is right again it would stay
//! silent until the wrong date, so whoever watches has each next ring looked at.

use std::sync::Arc;

use tokio_cron_scheduler::{Job as CronJob, JobScheduler, JobSchedulerError};

use super::rhythm::Rhythm;
use super::{Job, Wakes};
use crate::config::Config;
use crate::domain::time::{Span, Timestamp};

/// A bell may be late by this much: the scheduler's own 500 ms, and a machine under load.
pub(super) const SLACK: Span = Span::from_s(5);

/// The running bells.
pub(super) struct Bells {
    cron: JobScheduler,
    timers: Vec<CronJob>,
    rhythm: Rhythm,
}

/// When a bell rings next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextRing {
    /// When it should.
    Ahead,
    /// It should have rung, or nobody knows.
    Overdue,
    /// It would have rung too late, and now rings when it should.
    Mended,
}

impl Bells {
    /// Starts them: each rings by waking its job's task.
    pub(super) async fn start(
        config: &Config,
        rhythm: Rhythm,
        wakes: &Wakes,
    ) -> Result<Self, JobSchedulerError> {
        let mut cron = JobScheduler::new().await?;
        let mut timers = Vec::new();
        for (job, wake) in Job::ALL.into_iter().zip(wakes) {
            let wake = Arc::clone(wake);
            let timer = CronJob::new_async(job.cron(config), move |_, _| {
                let wake = Arc::clone(&wake);
                Box::pin(async move { wake.notify_one() })
            })?;
            cron.add(timer.clone()).await?;
            timers.push(timer);
        }
        if let Err(error) = cron.start().await {
            let _ = cron.shutdown().await;
            return Err(error);
        }
        Ok(Self {
            cron,
            timers,
            rhythm,
        })
    }

    /// Returns when a bell rings next, and mends it where it is later than it should be at an instant.
    pub(super) async fn next_ring(
        &mut self,
        job: Job,
        now: Timestamp,
    ) -> Result<NextRing, JobSchedulerError> {
        let id = self.timers[job as usize].guid();
        let Some(set) = self.cron.next_tick_for_job(id).await? else {
            return Ok(NextRing::Overdue);
        };
        let set = Timestamp::from_s(set.timestamp());
        let should = self.rhythm.next(job, now).unwrap_or(set);
        if set - should > SLACK {
            // It rings only what comes after its last ring, which may lie ahead as well.
            self.set(job, should, None).await?;
            return Ok(NextRing::Mended);
        }
        let is_late = now - set > SLACK;
        Ok(if is_late {
            NextRing::Overdue
        } else {
            NextRing::Ahead
        })
    }

    async fn set(
        &self,
        job: Job,
        next: Timestamp,
        last: Option<Timestamp>,
    ) -> Result<(), JobSchedulerError> {
        let date = |at: Timestamp| chrono::DateTime::from_timestamp_millis(at.ms());
        let id = self.timers[job as usize].guid();
        let storage = Arc::clone(&self.cron.context().metadata_storage);
        let mut kept = storage.write().await;
        kept.set_next_and_last_tick(id, date(next), last.and_then(date))
            .await
    }

    /// Ends them.
    pub(super) async fn end(&mut self) {
        if let Err(error) = self.cron.shutdown().await {
            tracing::debug!(%error, "the cron scheduler did not end as asked; nobody hears it any more");
        }
    }

    /// Leaves them as a clock that was ahead by so much, and is right again, does.
    #[cfg(test)]
    pub(super) async fn rang_ahead(&self, by: Span) {
        for job in Job::ALL {
            let last = Rhythm::now() + by;
            let next = self.rhythm.next(job, last).unwrap();
            self.set(job, next, Some(last)).await.unwrap();
        }
    }
}
