//! The scheduler: jobs that look at the store at set times. What is due stands in the store ("due ≤ now"), so a ring that is
//! lost, late or doubled does no harm.
//!
//! tokio-cron-scheduler is a bell, not a clock: its jobs only ring. One task of ours per job waits for its bell and works, so a
//! job never overlaps itself, missed rings become one, and panics are kept. The watchdog rings where the bell stays silent.

mod bells;
pub mod jobs;
mod rhythm;
mod runs;
mod watchdog;

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_cron_scheduler::JobSchedulerError;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::engine::Handle;
use crate::engine::backup::{Backups, Schedule};
use crate::engine::read::counts::Counts;
use bells::Bells;
use jobs::{JobError, Sweeps};
use rhythm::Rhythm;
use runs::{RunNews, Runs};
use watchdog::Watchdog;

pub use runs::Run;

/// The jobs, as one table: [`Job::cron`] says when, `Worker::work` what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Job {
    /// Wakes machines whose instant has come, rings for what else is due.
    Due,
    /// The rolling sweep over all machines.
    Repair,
    /// Upkeep of the metrics, and the next stretch of what is counted for them.
    Metrics,
    /// Notes that the process lives.
    Heartbeat,
    /// In observe mode: compares what is held with what the license service has.
    Compare,
    /// The nightly audit.
    Audit,
    /// Makes the backup that is due.
    Backup,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Due,
        Self::Repair,
        Self::Metrics,
        Self::Heartbeat,
        Self::Compare,
        Self::Audit,
        Self::Backup,
    ];

    /// The name in logs and `/readyz`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Repair => "repair",
            Self::Metrics => "metrics",
            Self::Heartbeat => "heartbeat",
            Self::Compare => "compare",
            Self::Audit => "audit",
            Self::Backup => "backup",
        }
    }

    /// When it rings.
    #[must_use]
    pub fn cron(self, config: &Config) -> &str {
        match self {
            Self::Due => config.scheduler.due.as_str(),
            Self::Repair => config.scheduler.repair.as_str(),
            Self::Metrics => config.scheduler.metrics.as_str(),
            Self::Heartbeat => "30 * * * * *",
            Self::Compare => config.scheduler.compare.as_str(),
            Self::Audit => config.scheduler.audit.as_str(),
            Self::Backup => "45 * * * * *",
        }
    }
}

/// The bells that the scheduler rings for others.
#[derive(Clone)]
pub struct Notifiers {
    /// Something is due: for the dispatcher.
    pub due: Arc<Notify>,
    /// Upkeep of the metrics, which live in another module.
    pub upkeep: Arc<dyn Fn() + Send + Sync>,
    /// The nightly audit is due.
    pub audit: Arc<Notify>,
    /// Where what is counted goes.
    pub counts: Arc<Counts>,
    /// Who makes backups, and when.
    pub backups: Option<(Arc<Backups>, Schedule)>,
}

impl From<&crate::config::Backup> for Schedule {
    fn from(config: &crate::config::Backup) -> Self {
        Self {
            folder: config.path.clone(),
            every: config.every,
            keep: usize::try_from(config.keep).unwrap_or(usize::MAX),
        }
    }
}

impl Default for Notifiers {
    fn default() -> Self {
        let counts = Arc::default();
        Self {
            due: Arc::new(Notify::new()),
            upkeep: Arc::new(|| {}),
            audit: Arc::default(),
            counts,
            backups: None,
        }
    }
}

/// What wakes the task of each job.
type Wakes = [Arc<Notify>; Job::ALL.len()];

/// The running scheduler.
pub struct Scheduler {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    runs: Arc<Runs>,
}

/// The runs of a scheduler, readable while somebody else owns it.
#[derive(Clone)]
pub struct RunsView(Arc<Runs>);

impl RunsView {
    /// The last run of every job.
    #[must_use]
    pub fn all(&self) -> Vec<Run> {
        self.0.all()
    }
}

/// Starts every job. They end when the token is cancelled; [`Scheduler::shutdown`] waits for that.
///
/// # Errors
/// When a cron expression is refused, which the config has checked before.
pub async fn start(
    handle: Handle,
    config: &Config,
    stop: &CancellationToken,
    notifiers: Notifiers,
) -> Result<Scheduler, JobSchedulerError> {
    let stop = stop.child_token();
    let rhythm = Rhythm::of(config);
    let runs = Arc::new(Runs::new(|job| rhythm.next_within(job)));
    let wakes: Wakes = std::array::from_fn(|_| Arc::new(Notify::new()));
    let bells = Box::pin(Bells::start(config, rhythm.clone(), &wakes)).await?;
    let mut tasks = JoinSet::new();
    for (job, wake) in Job::ALL.into_iter().zip(&wakes) {
        let worker = Worker {
            job,
            handle: handle.clone(),
            notifiers: notifiers.clone(),
        };
        let (wake, runs, rhythm, stop) = (
            Arc::clone(wake),
            Arc::clone(&runs),
            rhythm.clone(),
            stop.clone(),
        );
        tasks.spawn(async move {
            tokio::select! { () = stop.cancelled() => {} () = worker.run(&wake, &runs, &rhythm) => {} }
        });
    }
    let mut watchdog = Watchdog::new(bells, rhythm, Arc::clone(&runs), wakes);
    let ended = stop.clone();
    tasks.spawn(async move {
        tokio::select! { () = ended.cancelled() => {} () = watchdog.watch() => {} }
        // A bell that still rings finds nobody.
        watchdog.end().await;
    });
    Ok(Scheduler { tasks, stop, runs })
}

impl Scheduler {
    /// The last runs, for `/readyz`.
    #[must_use]
    pub fn runs(&self) -> RunsView {
        RunsView(Arc::clone(&self.runs))
    }

    /// Ends every job. When this returns, the scheduler's handles to the engine are gone.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// One job with what it works on.
struct Worker {
    job: Job,
    handle: Handle,
    notifiers: Notifiers,
}

impl Worker {
    async fn run(&self, wake: &Notify, runs: &Runs, rhythm: &Rhythm) {
        let mut sweeps = Sweeps::default();
        loop {
            wake.notified().await;
            runs.began(self.job, rhythm.next_within(self.job));
            // A task of its own keeps a panic; dropped with us, it ends at its next wait.
            let mut work = JoinSet::new();
            let (worker, mut at) = (
                Self {
                    job: self.job,
                    handle: self.handle.clone(),
                    notifiers: self.notifiers.clone(),
                },
                sweeps,
            );
            work.spawn(async move { (worker.work(&mut at).await, at) });
            let error = match work.join_next().await {
                Some(Ok((result, at))) => {
                    sweeps = at;
                    result.err().map(|e| e.to_string())
                }
                Some(Err(error)) => {
                    sweeps = Sweeps::default();
                    Some(error.to_string())
                }
                None => return,
            };
            let job = self.job.as_str();
            match runs.ended(self.job, self.handle.clock().now(), error.clone()) {
                // A full disk fails one every second.
                RunNews::Fails => {
                    let error = error.unwrap_or_default();
                    tracing::warn!(
                        job.name = job,
                        error,
                        "a job did not finish; its next run tries again"
                    );
                }
                RunNews::WorksAgain => tracing::info!(job.name = job, "the job works again"),
                RunNews::AsBefore => {}
            }
        }
    }

    async fn work(&self, sweeps: &mut Sweeps) -> Result<(), JobError> {
        match self.job {
            Job::Due => jobs::due(&self.handle, &self.notifiers.due, &mut sweeps.machines)
                .await
                .map(|_| ()),
            Job::Repair => jobs::repair(&self.handle, &self.notifiers.due, sweeps)
                .await
                .map(|_| ()),
            Job::Metrics => {
                (self.notifiers.upkeep)();
                jobs::count(&self.handle, &self.notifiers.counts).await
            }
            Job::Heartbeat => jobs::heartbeat(&self.handle).await,
            Job::Compare => jobs::compare(&self.handle).await.map(|_| ()),
            Job::Audit => {
                self.notifiers.audit.notify_one();
                Ok(())
            }
            Job::Backup => match &self.notifiers.backups {
                Some((backups, schedule)) => jobs::backup(&self.handle, backups, schedule).await,
                None => Ok(()),
            },
        }
    }
}
