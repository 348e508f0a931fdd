//! The one writer: a thread that gathers inputs, carries them out over one view, commits them as one batch, and only then
//! answers. While one batch is synced the next one gathers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{mpsc, oneshot, watch};

use super::handle::{Full, Handle, Job, SubmitError};
use super::outbox::{Attempted, Outbox};
use super::parked::ParkedNames;
use super::transaction::{Alert, Transaction, TxContext};
use super::trust::Trust;
use super::working::{Committed, Working};
use crate::clock::{Clock, Stopwatch};
use crate::domain::adoption::Gap;
use crate::domain::standing::StandingOrders;
use crate::engine::input::{Receipt, Rules};
use crate::engine::record::{RecordError, gaps, standing};
use crate::store::{Batch, Commit, CommitError, FullCause, Read};

/// Inputs in one batch. More would delay readers; fewer would sync more often.
const GATHER_MAX: usize = 64;
/// After a batch of so many inputs more are on their way: the next one waits a moment for them, which is far less than a
/// sync takes, so that one sync serves more of them.
const CROWD: usize = 4;
const MOMENT: Duration = Duration::from_micros(150);
/// Bytes in one batch before it is committed, well below what the store takes.
const BATCH_LEN_MAX: usize = 256 << 10;
/// One input that writes more than this is refused: the store takes 4 MiB, keys and frames included.
const INPUT_LEN_MAX: usize = 3 << 20;

/// The thread, to be joined at the end.
pub struct Committer(JoinHandle<Ended>);

/// How the committer ended.
pub type Ended = Result<Box<dyn Commit>, String>;

impl Committer {
    /// Waits until everything that was queued is committed. All handles must be gone.
    ///
    /// # Errors
    /// What broke.
    pub fn join(self) -> Ended {
        self.0
            .join()
            .unwrap_or_else(|_| Err("the committer panicked".to_owned()))
    }

    /// Whether it has ended: then nothing can be written any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// Starts the committer over a store.
///
/// # Errors
/// When no thread can be started.
pub fn start(
    store: Box<dyn Commit>,
    reader: Arc<dyn Read>,
    rules: Rules,
    clock: Clock,
    queue_len_max: usize,
) -> std::io::Result<(Handle, Committer)> {
    let (jobs, inbox) = mpsc::channel(queue_len_max.max(1));
    let (ring, bell) = watch::channel(0);
    let rules = Arc::new(ArcSwap::from_pointee(rules));
    let full = Arc::new(ArcSwapOption::empty());
    let broken = Arc::new(AtomicBool::new(false));
    let trust = Arc::new(Trust::new(clock));
    let gaps = Arc::new(ArcSwap::from_pointee(
        gaps::read(&Committed(reader.as_ref())).map_err(std::io::Error::other)?,
    ));
    let standing = Arc::new(ArcSwap::from_pointee(
        standing::orders(&Committed(reader.as_ref())).map_err(std::io::Error::other)?,
    ));
    let live_licenses = Arc::<AtomicU64>::default();
    let outbox = Arc::<Outbox>::default();
    let writer = Writer {
        outbox: Arc::clone(&outbox),
        store,
        reader: Arc::clone(&reader),
        rules: Arc::clone(&rules),
        trust: Arc::clone(&trust),
        ring,
        full: Arc::clone(&full),
        broken: Arc::clone(&broken),
        gaps: Arc::clone(&gaps),
        standing: Arc::clone(&standing),
        live_licenses: Arc::clone(&live_licenses),
        parked: ParkedNames::default(),
    };
    let thread = std::thread::Builder::new()
        .name("committer".to_owned())
        .spawn(move || writer.run(inbox))?;
    Ok((
        Handle {
            jobs,
            bell,
            outbox,
            reader,
            rules,
            full,
            broken,
            trust,
            gaps,
            standing,
            live_licenses,
        },
        Committer(thread),
    ))
}

struct Writer {
    outbox: Arc<Outbox>,
    store: Box<dyn Commit>,
    reader: Arc<dyn Read>,
    rules: Arc<ArcSwap<Rules>>,
    trust: Arc<Trust>,
    ring: watch::Sender<u64>,
    full: Arc<ArcSwapOption<Full>>,
    /// Set before anybody hears that nothing is taken any more.
    broken: Arc<AtomicBool>,
    gaps: Arc<ArcSwap<Vec<Gap>>>,
    standing: Arc<ArcSwap<StandingOrders>>,
    live_licenses: Arc<AtomicU64>,
    parked: ParkedNames,
}

impl Writer {
    fn run(mut self, mut inbox: mpsc::Receiver<Job>) -> Ended {
        let mut gathered = Vec::with_capacity(GATHER_MAX);
        self.parked = ParkedNames::load(self.reader.as_ref()).map_err(|e| e.to_string())?;
        let mut crowded = false;
        while inbox.blocking_recv_many(&mut gathered, GATHER_MAX) > 0 {
            if crowded && gathered.len() < GATHER_MAX {
                // The inbox may have woken this thread in advance, which ends a single wait at once.
                let watch = Stopwatch::start();
                while let Some(left) = MOMENT
                    .checked_sub(watch.elapsed())
                    .filter(|left| !left.is_zero())
                {
                    std::thread::park_timeout(left);
                }
                gathered.extend(
                    std::iter::from_fn(|| inbox.try_recv().ok()).take(GATHER_MAX - gathered.len()),
                );
            }
            crowded = gathered.len() >= CROWD;
            // An error of the store means that nothing may be answered and nothing read any more: the thread ends, the
            // process follows.
            self.batch(&mut gathered)?;
        }
        Ok(self.store)
    }

    fn batch(&mut self, gathered: &mut Vec<Job>) -> Result<(), String> {
        let rules = self.rules.load_full();
        let reader = Arc::clone(&self.reader);
        let mut jobs = gathered.drain(..).peekable();
        while jobs.peek().is_some() {
            let mut working = Working::with_parked(reader.as_ref(), &mut self.parked);
            let mut answers = Vec::with_capacity(GATHER_MAX);
            let (mut alerts, mut attempted) = (Vec::new(), Vec::new());
            // Before anything is decided by it: a clock that jumped holds stops.
            let at = self.trust.now();
            let (gaps, standing) = (self.gaps.load_full(), self.standing.load_full());
            let stops_held = self.trust.stops_held();
            let context = TxContext {
                rules: &rules,
                at,
                jitter: rand::random_range(0..1000),
                stops_held,
                gaps: &gaps,
                standing: &standing,
                live_licenses: self.live_licenses.load(Ordering::Relaxed),
            };
            while let Some(job) = jobs.next_if(|_| working.size() < BATCH_LEN_MAX) {
                working.begin();
                let mut transaction =
                    Transaction::new(&mut working, context).with_outbox(&self.outbox);
                let result = transaction.input(&job.input);
                let (mut raised, mut reserved) = (transaction.alerts, transaction.attempted);
                match result {
                    Ok(_) if working.written() > INPUT_LEN_MAX => {
                        working.roll_back();
                        tracing::error!(
                            "an input would write more than one batch may hold; it was not taken"
                        );
                        let _ = job.answer.send(Err(SubmitError::TooLarge));
                    }
                    Ok(receipt) => {
                        alerts.append(&mut raised);
                        attempted.append(&mut reserved);
                        answers.push((job.answer, receipt));
                    }
                    Err(RecordError::Read(error)) => return Err(self.broken_by(&error)),
                    Err(error @ RecordError::Form { .. }) => {
                        working.roll_back();
                        tracing::error!(%error, "a stored record cannot be read; what is about it is not taken (`keyward verify` lists such records)");
                        let _ = job.answer.send(Err(SubmitError::Unreadable));
                    }
                }
            }
            let batch = Batch {
                expect: Vec::new(),
                writes: working.into_writes(),
            };
            self.commit(&batch, answers, &alerts, attempted)?;
        }
        Ok(())
    }

    /// Notes that nothing can be written at present, and tells it once.
    fn is_full(&self, cause: FullCause) {
        let known = self.full.load_full();
        let since = known
            .as_ref()
            .map_or(self.trust.clock().now(), |full| full.since);
        if known.is_none() {
            tracing::error!(
                "nothing is taken, and deliveries are answered 503 until there is room: {}",
                cause.what()
            );
        }
        self.full.store(Some(Arc::new(Full { since, cause })));
    }

    /// Notes that something was written.
    fn has_room(&self) {
        // Asked first: this is on the way of every commit.
        if self.full.load().is_none() {
            return;
        }
        if let Some(full) = self.full.swap(None) {
            let span = self.trust.clock().now() - full.since;
            tracing::info!("there is room again, and deliveries are taken, after {span}");
        }
    }

    /// Notes that the store has failed, while whoever waits for an answer still waits.
    fn broken_by(&self, error: &impl ToString) -> String {
        self.broken.store(true, Ordering::Release);
        error.to_string()
    }

    fn commit(
        &mut self,
        batch: &Batch,
        answers: Vec<(oneshot::Sender<Result<Receipt, SubmitError>>, Receipt)>,
        alerts: &[Alert],
        attempted: Vec<Attempted>,
    ) -> Result<(), String> {
        let committed = if batch.is_empty() {
            Ok(())
        } else {
            self.store.commit(batch).map(|_| ())
        };
        let result = match committed {
            Ok(()) => {
                if !batch.is_empty() {
                    self.has_room();
                }
                let put = batch
                    .writes
                    .iter()
                    .filter(|(_, value)| value.is_some())
                    .map(|(key, _)| key.as_slice());
                self.outbox.put(put, attempted, self.trust.clock().now());
                Ok(())
            }
            Err(CommitError::Full(cause)) => {
                self.is_full(cause);
                // Their slots are free again before anybody hears of it.
                drop(attempted);
                Err(SubmitError::Busy)
            }
            Err(error) => return Err(self.broken_by(&error)),
        };
        for (answer, receipt) in answers {
            // Whoever gave up waiting hears nothing; what was committed stays so.
            let _ = answer.send(result.map(|()| receipt));
        }
        if result.is_ok() {
            for Alert { machine, report } in alerts {
                tracing::warn!(machine.id = %machine, at = %report.at, "{}", report.finding);
            }
            self.ring.send_modify(|n| *n = n.wrapping_add(1));
        }
        Ok(())
    }
}
