//! Due action → its service → outcome. It decides nothing: what is due stands in the store, and what came of it goes back
//! through the engine's door.
//!
//! The loop owns the due work in memory ([`queues`]): commits tell it what became due, tasks tell it what ended, and what
//! it has no room for it reads from the table when there is room again. Machines run side by side, bounded per service;
//! of one license one action at a time, in order. A service that takes nothing is not looked at for what waits for it.

mod action;
mod attempt;
mod mail;
mod pulse;
mod query;
mod queues;
mod refused;
mod running;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::action::DueAction;
pub use self::pulse::Pulse;
use self::queues::{Entry, PAGE, Queues};
use self::running::{Ended, Running};
use super::execute::CallKind;
use super::services::{LicenseService, Services};
use crate::clock::pause;
use crate::domain::action::Outcome;
use crate::domain::id::SourceName;
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::{Input, Receipt};
use crate::engine::read::{due, view};
use crate::engine::record::key::{Due, Item, Lane, parse_due};
use crate::engine::record::{RecordError, View};
use crate::engine::write::outbox::Slots;
use crate::engine::{Handle, SubmitError};

/// How long notifications are gathered before the loop works.
const GATHER: Span = Span::from_ms(1);
/// So many times as many actions as may be in flight have a slot: the attempts of those that come next are on disk by then.
const SLOTS_IN_FLIGHT: usize = 2;
/// Recoveries under way side by side. They mostly wait for one another's, which serves them all, so they take
/// no slot from what is sent.
const RECOVERIES_AT_ONCE: usize = 1_000;
/// Mails on their way side by side, over all servers.
const MAILS_AT_ONCE: usize = 4;
/// How long actions under way may take after the order to stop.
const DRAIN: Span = Span::from_s(10);
/// How long something waits before it is handed in again to an engine that has no room on its disk.
const FULL_WAIT: Span = Span::from_s(1);

/// What became of an entry that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// It is under way.
    Running,
    /// Nothing is to be done.
    Settled,
    /// It comes again when something else has ended.
    Waits,
    /// Its machine cannot be read: it stays as it is until the next start.
    Left,
    /// Its lane takes nothing now.
    Blocked,
}

/// The dispatcher's own part, shared with its tasks.
struct Dispatcher {
    handle: Handle,
    services: Arc<Services>,
    slots: Vec<(Arc<LicenseService>, Arc<Slots>)>,
    recoveries: Arc<Semaphore>,
    mails: Arc<Semaphore>,
    tasks: TaskTracker,
    ended: UnboundedSender<Ended>,
    /// The order to stop: what only asks is given up then, for it can be asked again.
    stop: CancellationToken,
    /// Cancelled when the time for what is under way is over.
    over: CancellationToken,
}

/// Runs until the stop token, then gives what is under way ten seconds. `due` rings when time may have made something due.
///
/// # Errors
/// The store's, which ends the process.
pub async fn run(
    handle: Handle,
    services: Arc<Services>,
    due: Arc<Notify>,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
) -> Result<(), RecordError> {
    let (ended, mut has_ended) = unbounded_channel();
    let slots = |s: &Arc<LicenseService>| {
        let slots = Slots::new(s.in_flight * SLOTS_IN_FLIGHT);
        (Arc::clone(s), Arc::new(slots))
    };
    let licenses = services.license_services();
    let dispatcher = Arc::new(Dispatcher {
        slots: licenses.into_iter().map(|(_, s)| slots(s)).collect(),
        handle,
        services,
        recoveries: Arc::new(Semaphore::new(RECOVERIES_AT_ONCE)),
        mails: Arc::new(Semaphore::new(MAILS_AT_ONCE)),
        tasks: TaskTracker::new(),
        ended,
        stop,
        over: CancellationToken::new(),
    });
    dispatcher.settle_attempts().await?;
    dispatcher.handle.set_slots(dispatcher.slots_by_source());
    let worked = dispatcher.work((&due, &pulse), &mut has_ended).await;
    dispatcher.handle.set_slots(BTreeMap::new());
    dispatcher.drain().await;
    worked
}

impl Dispatcher {
    /// Creates that were under way when the process ended may have acted.
    async fn settle_attempts(&self) -> Result<(), RecordError> {
        for (machine, action, sent) in view::attempts(self.handle.reader())? {
            let input = || Input::Outcome {
                machine: machine.clone(),
                action,
                outcome: Outcome::Unknown {
                    why: "the process ended while it was under way".to_owned(),
                },
                sent,
            };
            // Until it is taken: what is marked as under way is not sent, whoever asks.
            tokio::select! {
                // What is refused for good was told where it was refused; the next start asks again.
                _ = self.taken(input) => {}
                () = self.stop.cancelled() => break,
            }
        }
        Ok(())
    }

    fn slots_by_source(&self) -> BTreeMap<SourceName, Arc<Slots>> {
        let sources = self.services.licenses_by_source();
        let slots =
            sources.filter_map(|(source, service)| Some((source.clone(), self.slots(service)?)));
        slots.collect()
    }

    fn slots(&self, service: &Arc<LicenseService>) -> Option<Arc<Slots>> {
        let mut all = self.slots.iter();
        let of = all.find(|(of, _)| Arc::ptr_eq(of, service));
        of.map(|(_, slots)| Arc::clone(slots))
    }

    async fn work(
        self: &Arc<Self>,
        (due, pulse): (&Notify, &Pulse),
        has_ended: &mut UnboundedReceiver<Ended>,
    ) -> Result<(), RecordError> {
        let mut committed = self.handle.bell();
        let mut queues = Queues::default();
        self.scan_lanes(&mut queues)?;
        loop {
            pulse.beat();
            committed.borrow_and_update();
            self.take_in(&mut queues, has_ended)?;
            self.begin_all(&mut queues)?;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                // Rings once in a while. Behind commits, which never end in a rush, what comes due by time would not be seen.
                () = due.notified() => self.scan_lanes(&mut queues)?,
                changed = committed.changed() => if changed.is_err() { return Ok(()) },
                Some(ended) = has_ended.recv() => self.end(&mut queues, ended)?,
            }
            // Under load commits follow one another in less than this: one round serves many of them.
            tokio::select! { () = self.stop.cancelled() => return Ok(()), () = pause(GATHER) => {} }
        }
    }

    /// Takes in what has ended and what was committed, and reads on where there is room.
    fn take_in(
        self: &Arc<Self>,
        queues: &mut Queues,
        has_ended: &mut UnboundedReceiver<Ended>,
    ) -> Result<(), RecordError> {
        while let Ok(ended) = has_ended.try_recv() {
            self.end(queues, ended)?;
        }
        let collected = self.handle.collect_due();
        for attempted in collected.attempted {
            queues.began(&attempted.entry);
            self.send_attempted(queues, attempted);
        }
        if collected.overflowed {
            queues.forget();
            self.scan_lanes(queues)?;
        }
        collected
            .due
            .into_iter()
            .for_each(|entry| queues.put(entry));
        let now = self.handle.clock().now();
        queues.scan_begins(now);
        for (lane, from) in queues.to_read() {
            let page = due::page(self.handle.reader(), &lane, &from, now, PAGE)?;
            queues.page(&lane, page, now);
        }
        Ok(())
    }

    /// What stands behind the entries in memory, in lanes that may be new, may be due by now.
    fn scan_lanes(&self, queues: &mut Queues) -> Result<(), RecordError> {
        let lanes = due::lanes(self.handle.reader())?;
        lanes.into_iter().for_each(|lane| queues.expect_more(lane));
        Ok(())
    }

    /// Something is no longer under way. Whether it is due still, the table knows.
    fn end(
        &self,
        queues: &mut Queues,
        Ended { entry, exclusive }: Ended,
    ) -> Result<(), RecordError> {
        if self.handle.get(&entry)?.is_some() {
            queues.put_back(entry, exclusive);
        } else {
            queues.ended(&entry, exclusive);
        }
        Ok(())
    }

    /// Begins what may begin, what has been due for longest first, and says for which services creates need not wait.
    fn begin_all(self: &Arc<Self>, queues: &mut Queues) -> Result<(), RecordError> {
        let now = self.handle.clock().now();
        let mut blocked: Vec<Lane> = Vec::new();
        while let Some((lane, entry)) = queues.begin(|lane| !blocked.contains(lane)) {
            match self.begin_or_leave(queues, &entry, now)? {
                Begun::Running | Begun::Waits | Begun::Left => {}
                Begun::Settled => queues.ended(&entry, None),
                Begun::Blocked => {
                    queues.put_back(entry, None);
                    blocked.push(lane);
                }
            }
        }
        for (service, slots) in &self.slots {
            let waits_for_it = |lane: &Lane| {
                let source = lane.source.as_ref();
                lane.work.takes_slot()
                    && source
                        .and_then(|source| self.services.license(source))
                        .is_some_and(|of| Arc::ptr_eq(of, service))
            };
            slots.set_open(service.flows_freely() && queues.is_idle(waits_for_it));
        }
        Ok(())
    }

    /// Begins an entry. One machine that cannot be read must not keep the others waiting.
    fn begin_or_leave(
        self: &Arc<Self>,
        queues: &mut Queues,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Begun, RecordError> {
        match self.begin(queues, entry, now) {
            Err(error @ RecordError::Form { .. }) => {
                tracing::error!(%error, "what is due for a purchase is not done: its record cannot be read. See `keyward verify`; a backup may still have it whole");
                Ok(Begun::Left)
            }
            begun => begun,
        }
    }

    fn begin(
        self: &Arc<Self>,
        queues: &mut Queues,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Begun, RecordError> {
        let action = |machine, number, kind| DueAction {
            entry,
            machine,
            number,
            kind,
        };
        match parse_due(entry).map(|(_, due)| due) {
            Some(Due::Of(id, Item::Create(number) | Item::CreateAgain(number))) => {
                self.begin_action(queues, action(&id, number, CallKind::Create), now)
            }
            Some(Due::Of(id, Item::Action(number) | Item::ActionAgain(number))) => {
                self.begin_action(queues, action(&id, number, CallKind::Other), now)
            }
            Some(Due::Of(id, Item::Recover(number))) => {
                self.begin_recovery(queues, action(&id, number, CallKind::Other), now)
            }
            Some(Due::Of(id, Item::Notice(number))) => {
                self.begin_mail(queues, entry, &id, number, now)
            }
            Some(Due::Of(id, Item::Query(number))) => self.begin_query(entry, &id, number, now),
            Some(Due::ParkedQuery(scope, name)) => self.begin_parked_query(entry, scope, name, now),
            // The engine's own, or no entry of ours.
            Some(Due::Of(_, Item::Wake)) | None => Ok(Begun::Settled),
        }
    }

    fn running(&self, entry: &Entry, exclusive: Option<queues::Exclusive>) -> Running {
        Running::new(entry.clone(), exclusive, self.ended.clone())
    }

    /// Carries something out beside the loop, until the time for it is over. What is large comes boxed, for it would be moved
    /// several times on its way to the runtime.
    fn spawn(self: &Arc<Self>, running: Running, work: impl Future<Output = ()> + Send + 'static) {
        let over = self.over.clone();
        self.tasks.spawn(async move {
            // What is let go of is found out at the next start.
            tokio::select! {
                () = work => {}
                () = over.cancelled() => {}
            }
            drop(running);
        });
    }

    /// Gives what is under way its time to end.
    async fn drain(&self) {
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = pause(DRAIN) => {
                tracing::warn!("actions are still under way; they are looked up at the next start");
                // Each of them holds the engine's door, which must be gone before the store can close.
                self.over.cancel();
                self.tasks.wait().await;
            }
        }
    }

    /// Hands an outcome in until it is taken: it must not be lost while the process lives.
    async fn hand_in(&self, input: impl Fn() -> Input) -> Option<Receipt> {
        let taken = self.taken(input).await;
        if taken.is_none() {
            self.leave().await;
        }
        taken
    }

    /// Leaves what is under way as it is until the next start: nothing about it can be written down, and could not after the
    /// next try either. A person is told where it was refused; it is not done over and over.
    async fn leave(&self) {
        self.stop.cancelled().await;
    }

    /// Submits until there is room; `None`: it is refused, which was told where it was.
    async fn taken(&self, input: impl Fn() -> Input) -> Option<Receipt> {
        loop {
            match self.handle.submit_waiting(input()).await {
                Ok(receipt) => return Some(receipt),
                Err(SubmitError::Busy) => pause(FULL_WAIT).await,
                Err(SubmitError::TooLarge | SubmitError::Unreadable | SubmitError::Stopped) => {
                    return None;
                }
            }
        }
    }
}
