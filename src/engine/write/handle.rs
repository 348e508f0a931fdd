//! The engine's door: an input goes in, and its receipt comes back when it is on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::outbox::{Collected, Outbox, Slots};
use super::trust::Trust;
use super::working::Committed;
use crate::clock::Clock;
use crate::domain::action::Action;
use crate::domain::adoption::{self, Gap};
use crate::domain::hold::Distrust;
use crate::domain::id::{CustomerId, Scope, SourceName};
use crate::domain::standing::{StandingOrder, StandingOrders};
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::{Erasure, Input, Receipt, Rules};
use crate::engine::record::{Pair, View};
use crate::store::{FullCause, KeyRange, Read, ReadError};

/// Since when nothing is taken, and what there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Since when.
    pub since: Timestamp,
    /// Why nothing more can be written.
    pub cause: FullCause,
}

/// Why an input got no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The queue is full, or the disk: come again.
    #[error("busy: too much is waiting, or the disk is nearly full")]
    Busy,
    /// What it would write is more than one batch may hold.
    #[error("too large: it would write more than one batch may hold")]
    TooLarge,
    /// A record that it is about cannot be read: nobody can say what it would mean.
    #[error("a stored record cannot be read")]
    Unreadable,
    /// The engine is stopping or has stopped.
    #[error("stopping")]
    Stopped,
}

pub(super) struct Job {
    pub(super) input: Input,
    pub(super) answer: oneshot::Sender<Result<Receipt, SubmitError>>,
}

/// The engine's door: submit an input, get a receipt; ask; hear the bell.
#[derive(Clone)]
pub struct Handle {
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) bell: watch::Receiver<u64>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) reader: Arc<dyn Read>,
    pub(super) rules: Arc<ArcSwap<Rules>>,
    pub(super) full: Arc<ArcSwapOption<Full>>,
    pub(super) broken: Arc<AtomicBool>,
    pub(super) trust: Arc<Trust>,
    pub(super) gaps: Arc<ArcSwap<Vec<Gap>>>,
    pub(super) standing: Arc<ArcSwap<StandingOrders>>,
    pub(super) live_licenses: Arc<AtomicU64>,
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

    /// From now on nobody is stopped by time alone.
    pub fn hold_stops(&self, why: Distrust) {
        self.trust.hold_stops(Some(why));
    }

    /// Lets stops go ahead again, unless the clock jumped anew and nobody has taken that yet. Whether it did so.
    #[must_use]
    pub fn release_stops(&self) -> bool {
        self.trust.release_stops()
    }

    /// Why nobody is stopped by time alone at present.
    #[must_use]
    pub fn stops_held(&self) -> Option<Distrust> {
        self.trust.stops_held()
    }

    /// The same, for whoever must not keep the engine's door open.
    pub fn distrust(&self) -> impl Fn() -> Option<Distrust> + Send + Sync + use<> {
        let trust = Arc::clone(&self.trust);
        move || trust.stops_held()
    }

    /// Takes out by how much the clock jumped, each time since this was last done, and whether it is doubted for that: then
    /// stops are held since it was noticed.
    #[must_use]
    pub fn take_jumps(&self) -> Vec<(Span, bool)> {
        self.trust.take_jumps()
    }

    /// Notes whether a provider's clock, as a verified delivery shows it, agrees with ours.
    pub fn note_clock(&self, signed: Timestamp, received: Timestamp) {
        self.trust.note_clock(signed, received);
    }

    /// Trusts our clock no longer, until a verified delivery confirms it anew.
    pub fn doubt_clock(&self) {
        self.trust.doubt_clock();
    }

    /// Whether a verified delivery has confirmed our clock since it was last doubted.
    #[must_use]
    pub fn clock_agrees(&self) -> bool {
        self.trust.clock_agrees()
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

    /// Takes a customer who is erased out of the orders for the shop.
    ///
    /// # Errors
    /// When it could not be written; then they are as they were.
    pub async fn forget_customer(
        &self,
        scope: &Scope,
        customer: &CustomerId,
    ) -> Result<(), SubmitError> {
        let erasure = Erasure::Orders {
            scope: scope.clone(),
            customer: customer.clone(),
        };
        self.submit_waiting(Input::Erase(Box::new(erasure))).await?;
        self.standing.rcu(|orders| {
            let mut orders = orders.as_ref().clone();
            orders.forget_customer(scope, customer);
            orders
        });
        Ok(())
    }

    /// Times of which the store has no memory.
    #[must_use]
    pub fn gaps(&self) -> Arc<Vec<Gap>> {
        self.gaps.load_full()
    }

    /// Where the newest orders for the whole shop can always be read.
    #[must_use]
    pub fn standing_orders(&self) -> Arc<ArcSwap<StandingOrders>> {
        Arc::clone(&self.standing)
    }

    /// The orders for the whole shop.
    #[must_use]
    pub fn standing(&self) -> Arc<StandingOrders> {
        self.standing.load_full()
    }

    /// Whether something holds work back at present: time that cannot be trusted, or an order of the shop's.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        let _ = self.trust.now();
        self.stops_held().is_some() || self.standing.load().hold_anything()
    }

    /// Notes how many licenses work: the guard lets a share of them end in a while.
    pub fn note_live_licenses(&self, count: u64) {
        self.live_licenses.store(count, Ordering::Relaxed);
    }

    /// Whether a create must not be sent before its machine was looked at anew: a gap was noticed since it was decided.
    #[must_use]
    pub fn is_doubtful(&self, create: &Action) -> bool {
        adoption::is_doubtful(create, &self.gaps.load(), self.trust.now())
    }

    /// The engine's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.trust.clock()
    }

    /// Inputs that wait.
    #[must_use]
    pub fn queue_len(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// How many may wait.
    #[must_use]
    pub fn queue_len_max(&self) -> usize {
        self.jobs.max_capacity()
    }

    /// Whether the last commit was refused for want of space.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load().is_some()
    }

    /// Where it can always be read whether something is full.
    #[must_use]
    pub fn fullness(&self) -> Arc<ArcSwapOption<Full>> {
        Arc::clone(&self.full)
    }

    /// Whether the committer takes inputs.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.broken.load(Ordering::Acquire) && !self.jobs.is_closed()
    }
}

/// Reads through a handle.
impl View for Handle {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        Committed(self.reader.as_ref()).get(key)
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<Pair>, ReadError> {
        Committed(self.reader.as_ref()).range(range, limit)
    }
}
