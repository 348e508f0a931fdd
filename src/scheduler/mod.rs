//! The scheduler: jobs that look at the store at set times. What is due stands in the store ("due ≤ now"), so a ring that is
//! lost, late or doubled does no harm.
//!
//! tokio-cron-scheduler is a bell, not a clock: its jobs only ring. One task of ours per job waits for its bell and works, so a
//! job never overlaps itself, missed rings become one, and panics are kept. The watchdog rings where the bell stays silent.

pub mod jobs;
mod runs;
mod watchdog;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_cron_scheduler::{Job as CronJob, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, pause};
use crate::config::Config;
use crate::engine::Handle;
use crate::engine::backup::{Backups, Schedule};
use crate::engine::read::counts::Counts;
use jobs::{Cursor, JobError};
use runs::{RunNews, Runs};

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
    /// Told by how much the wall clock jumped.
    pub jumped: Arc<dyn Fn(crate::domain::time::Span) + Send + Sync>,
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
            jumped: Arc::new(|_| {}),
            upkeep: Arc::new(|| {}),
            audit: Arc::default(),
            counts,
            backups: None,
        }
    }
}

/// The running scheduler.
pub struct Scheduler {
    cron: JobScheduler,
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
    let rhythm = Rhythm::of(config, handle.clock().clone());
    let runs = Arc::new(Runs::new(|job| rhythm.next_within(job)));
    let wakes: [Arc<Notify>; Job::ALL.len()] = std::array::from_fn(|_| Arc::new(Notify::new()));
    let mut cron = JobScheduler::new().await?;
    let mut tasks = JoinSet::new();
    for (job, wake) in Job::ALL.into_iter().zip(&wakes) {
        let timed = Arc::clone(wake);
        let timer = CronJob::new_async(job.cron(config), move |_, _| {
            let timed = Arc::clone(&timed);
            Box::pin(async move { timed.notify_one() })
        });
        cron.add(timer?).await?;
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
    let (watched, ended, clock) = (Arc::clone(&runs), stop.clone(), handle.clock().clone());
    let theirs = notifiers.clone();
    tasks.spawn(async move {
        tokio::select! { () = ended.cancelled() => {} () = watch(&watched, &wakes, &clock, &theirs) => {} }
    });
    if let Err(error) = cron.start().await {
        let _ = cron.shutdown().await;
        return Err(error);
    }
    Ok(Scheduler {
        cron,
        tasks,
        stop,
        runs,
    })
}

impl Scheduler {
    /// The last runs, for `/readyz`.
    #[must_use]
    pub fn runs(&self) -> RunsView {
        RunsView(Arc::clone(&self.runs))
    }

    /// Ends every job. When this returns, the scheduler's handles to the engine are gone.
    pub async fn shutdown(mut self) {
        // The token first: a bell that still rings after `shutdown` finds nobody.
        self.stop.cancel();
        if let Err(error) = self.cron.shutdown().await {
            tracing::debug!(%error, "the cron scheduler did not end as asked; nobody hears it any more");
        }
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
        let mut cursor = Cursor::default();
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
                cursor,
            );
            work.spawn(async move { (worker.work(&mut at).await, at) });
            let error = match work.join_next().await {
                Some(Ok((result, at))) => {
                    cursor = at;
                    result.err().map(|e| e.to_string())
                }
                Some(Err(error)) => {
                    cursor = Cursor::default();
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

    async fn work(&self, cursor: &mut Cursor) -> Result<(), JobError> {
        match self.job {
            Job::Due => jobs::due(&self.handle, &self.notifiers.due, cursor)
                .await
                .map(|_| ()),
            Job::Repair => jobs::repair(&self.handle, &self.notifiers.due, cursor)
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

/// When the bells should ring, by the same parser that the scheduler uses.
#[derive(Clone)]
struct Rhythm {
    crons: [Option<croner::Cron>; Job::ALL.len()],
    clock: Clock,
}

impl Rhythm {
    fn of(config: &Config, clock: Clock) -> Self {
        let parser = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Required)
            .dom_and_dow(true)
            .build();
        Self {
            crons: Job::ALL.map(|job| parser.parse(job.cron(config)).ok()),
            clock,
        }
    }

    /// How long from now to the next ring; a rhythm that has none is never silent.
    fn next_within(&self, job: Job) -> Duration {
        let now = chrono::DateTime::from_timestamp_millis(self.clock.now().ms());
        let next = now.and_then(|now| {
            let next = self.crons[job as usize]
                .as_ref()?
                .find_next_occurrence(&now, false)
                .ok()?;
            (next - now).to_std().ok()
        });
        next.unwrap_or(Duration::MAX / 2)
    }
}

async fn watch(
    runs: &Runs,
    wakes: &[Arc<Notify>; Job::ALL.len()],
    clock: &Clock,
    notifiers: &Notifiers,
) {
    let mut jumps = watchdog::JumpWatch::new(clock);
    loop {
        pause(watchdog::LOOK_EVERY).await;
        if let Some(jump) = jumps.look(clock) {
            (notifiers.jumped)(jump);
            let seconds = jump.ms() / 1000;
            tracing::warn!(
                seconds,
                "the wall clock jumped: check NTP, and whether this machine was asleep"
            );
        }
        for (job, wake) in Job::ALL.into_iter().zip(wakes) {
            if runs.is_silent(job, watchdog::SLACK) {
                wake.notify_one();
            }
        }
    }
}
