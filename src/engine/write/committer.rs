//! The one writer: a thread that gathers inputs, carries them out over one view, commits them as one batch, and only then
//! answers. While one batch is synced the next one gathers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::outbox::{Attempted, Collected, Outbox, Slots};
use super::parked::ParkedNames;
use super::transaction::{Alert, Transaction, TxContext};
use super::working::{Committed, Working};
use crate::clock::{Clock, Stopwatch};
use crate::domain::action::Action;
use crate::domain::adoption::{self, Gap};
use crate::domain::hold::Distrust;
use crate::domain::id::SourceName;
use crate::domain::standing::{StandingOrder, StandingOrders};
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::{Input, Receipt, Rules};
use crate::engine::record::{Pair, RecordError, View};
use crate::engine::record::{gaps, standing};
use crate::store::{Batch, Commit, CommitError, Read};

/// Two clocks that are no further apart agree: a delivery takes seconds, a wrong clock is minutes off.
const CLOCKS_APART_MAX: Span = Span::from_minutes(2);
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

/// Why an input got no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The queue is full, or the disk: come again.
    #[error("busy: too much is waiting, or the disk is nearly full")]
    Busy,
    /// What it would write is more than one batch may hold.
    #[error("too large: it would write more than one batch may hold")]
    TooLarge,
    /// The engine is stopping or has stopped.
    #[error("stopping")]
    Stopped,
}

struct Job {
    input: Input,
    answer: oneshot::Sender<Result<Receipt, SubmitError>>,
}

/// The engine's door: submit an input, get a receipt; ask; hear the bell.
#[derive(Clone)]
pub struct Handle {
    jobs: mpsc::Sender<Job>,
    bell: watch::Receiver<u64>,
    outbox: Arc<Outbox>,
    reader: Arc<dyn Read>,
    rules: Arc<ArcSwap<Rules>>,
    full: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    stops_held: Arc<ArcSwapOption<Distrust>>,
    clock_agrees: Arc<AtomicBool>,
    gaps: Arc<ArcSwap<Vec<Gap>>>,
    standing: Arc<ArcSwap<StandingOrders>>,
    live_licenses: Arc<AtomicU64>,
    clock: Clock,
}

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
    let full = Arc::new(AtomicBool::new(false));
    let broken = Arc::new(AtomicBool::new(false));
    let stops_held = Arc::new(ArcSwapOption::empty());
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
        clock: clock.clone(),
        ring,
        full: Arc::clone(&full),
        broken: Arc::clone(&broken),
        stops_held: Arc::clone(&stops_held),
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
            stops_held,
            clock_agrees: Arc::default(),
            gaps,
            standing,
            live_licenses,
            clock,
        },
        Committer(thread),
    ))
}

impl Handle {
    /// Hands an input in and waits for its receipt, which exists only after the sync. A full queue is [`SubmitError::Busy`]
    /// at once: for what can come again.
    ///
    /// # Errors
    /// When the input was not carried out.
    pub async fn submit(&self, input: Input) -> Result<Receipt, SubmitError> {
        let (answer, receipt) = oneshot::channel();
        self.jobs
            .try_send(Job { input, answer })
            .map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => SubmitError::Busy,
                mpsc::error::TrySendError::Closed(_) => SubmitError::Stopped,
            })?;
        receipt.await.unwrap_or(Err(SubmitError::Stopped))
    }

    /// The same, but waits for a place in the queue: for outcomes, which must not be lost.
    ///
    /// # Errors
    /// When the engine has stopped, or the disk is full.
    pub async fn submit_waiting(&self, input: Input) -> Result<Receipt, SubmitError> {
        let (answer, receipt) = oneshot::channel();
        self.jobs
            .send(Job { input, answer })
            .await
            .map_err(|_| SubmitError::Stopped)?;
        receipt.await.unwrap_or(Err(SubmitError::Stopped))
    }

    /// Rings after every commit.
    #[must_use]
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.bell.clone()
    }

    /// Takes out what has become due with the commits since this was last done. For one dispatcher.
    #[must_use]
    pub fn collect_due(&self) -> Collected {
        self.outbox.collect()
    }

    /// Names the slots of each source's license service: creates for which one is free come with their attempt on disk.
    pub fn set_slots(&self, slots: BTreeMap<SourceName, Arc<Slots>>) {
        self.outbox.set_slots(slots);
    }

    /// Committed state.
    #[must_use]
    pub fn reader(&self) -> &dyn Read {
        self.reader.as_ref()
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Replaces the rules; the next input is judged by them.
    pub fn set_rules(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    /// From now on nobody is stopped by time alone; `None`: nothing speaks against it any more.
    pub fn hold_stops(&self, why: Option<Distrust>) {
        self.stops_held.store(why.map(Arc::new));
    }

    /// Why nobody is stopped by time alone at present.
    #[must_use]
    pub fn stops_held(&self) -> Option<Distrust> {
        self.stops_held.load().as_deref().copied()
    }

    /// Notes whether a provider's clock, as a verified delivery shows it, agrees with ours.
    pub fn note_clock(&self, signed: Timestamp, received: Timestamp) {
        let apart = (received - signed).ms().abs();
        if apart <= CLOCKS_APART_MAX.ms() && !self.clock_agrees.load(Ordering::Relaxed) {
            self.clock_agrees.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a verified delivery has confirmed our clock since this was last asked with `forget`.
    pub fn clock_agrees(&self, forget: bool) -> bool {
        if forget {
            self.clock_agrees.swap(false, Ordering::Relaxed)
        } else {
            self.clock_agrees.load(Ordering::Relaxed)
        }
    }

    /// Notes a time of which the store has no memory, for good.
    ///
    /// # Errors
    /// When it could not be written; then it does not count either.
    pub async fn note_gap(&self, gap: Gap) -> Result<(), SubmitError> {
        self.submit_waiting(Input::Gap(gap)).await?;
        self.gaps.rcu(|gaps| {
            let mut gaps = gaps.as_ref().clone();
            adoption::add_gap(&mut gaps, gap);
            gaps
        });
        Ok(())
    }

    /// Gives an order for the whole shop. It counts for whatever is decided from now on; what waits already is judged by it
    /// when its machine is looked at again.
    ///
    /// # Errors
    /// When it could not be written; then it does not count either.
    pub async fn order(&self, order: StandingOrder) -> Result<(), SubmitError> {
        self.submit_waiting(Input::Standing(order.clone())).await?;
        self.standing.rcu(|orders| {
            let mut orders = orders.as_ref().clone();
            orders.add(order.clone());
            orders
        });
        Ok(())
    }

    /// The orders for the whole shop.
    #[must_use]
    pub fn standing(&self) -> Arc<StandingOrders> {
        self.standing.load_full()
    }

    /// Notes how many licenses work: the guard lets a share of them end in a while.
    pub fn note_live_licenses(&self, count: u64) {
        self.live_licenses.store(count, Ordering::Relaxed);
    }

    /// Whether a create must not be sent before its machine was looked at anew: a gap was noticed since it was decided.
    #[must_use]
    pub fn is_doubtful(&self, create: &Action) -> bool {
        adoption::is_doubtful(create, &self.gaps.load(), self.clock.now())
    }

    /// The engine's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Inputs that wait.
    #[must_use]
    pub fn queue_len(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Whether the last commit was refused for want of space.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Whether the committer takes inputs.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.broken.load(Ordering::Acquire) && !self.jobs.is_closed()
    }
}

struct Writer {
    outbox: Arc<Outbox>,
    store: Box<dyn Commit>,
    reader: Arc<dyn Read>,
    rules: Arc<ArcSwap<Rules>>,
    clock: Clock,
    ring: watch::Sender<u64>,
    full: Arc<AtomicBool>,
    /// Set before anybody hears that nothing is taken any more.
    broken: Arc<AtomicBool>,
    stops_held: Arc<ArcSwapOption<Distrust>>,
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
            let (at, gaps) = (self.clock.now(), self.gaps.load_full());
            let standing = self.standing.load_full();
            let stops_held = self.stops_held.load().as_deref().copied();
            let now = TxContext {
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
                let mut transaction = Transaction::new(&mut working, now).with_outbox(&self.outbox);
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
                        // Nobody can say what this input would mean: no answer, so it comes again after the repair.
                        tracing::error!(%error, "a stored record cannot be read; the input was not taken");
                        let _ = job.answer.send(Err(SubmitError::Busy));
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
                self.full.store(false, Ordering::Relaxed);
                let put = batch
                    .writes
                    .iter()
                    .filter(|(_, value)| value.is_some())
                    .map(|(key, _)| key.as_slice());
                self.outbox.put(put, attempted, self.clock.now());
                Ok(())
            }
            Err(CommitError::Full(cause)) => {
                tracing::warn!(
                    ?cause,
                    "nothing is taken: the disk or the memory for it is nearly full"
                );
                self.full.store(true, Ordering::Relaxed);
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

/// Reads through a handle.
impl View for Handle {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, crate::store::ReadError> {
        super::working::Committed(self.reader.as_ref()).get(key)
    }

    fn range(
        &self,
        range: &crate::store::KeyRange,
        limit: usize,
    ) -> Result<Vec<Pair>, crate::store::ReadError> {
        super::working::Committed(self.reader.as_ref()).range(range, limit)
    }
}
