//! Due action → its service → outcome. It decides nothing: what is due stands in the store, and what came of it goes back
//! through the engine's door.
//!
//! Machines run side by side, bounded per service; of one license one action at a time, in order.

mod attempt;
mod look;
mod mail;
mod refused;
mod take;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::carry::Carrier;
use super::services::{LicenseService, Services};
use super::tally;
use super::throttle::Gate;
use crate::clock::pause;
use crate::domain::action::{Action, ActionOutcome, Outcome, Phase};
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::{Input, Receipt, Version};
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::record::key::{Due, Item};
use crate::engine::{Handle, SubmitError};

/// Due entries looked at in one pass beyond those under way and those that there are places for.
const LOOK_AT: usize = 16;
/// Entries kept in mind that found no place; what is beyond is found again in the table.
const WAITING_MAX: usize = 1_000;
/// Entries looked at further down the list when time rings, once a second.
const LOOK_FURTHER: usize = 5_000;
/// How long rings are gathered before a pass.
const GATHER: Span = Span::from_ms(1);
/// So many times as many creates as may be in flight have a place: the attempts of those that come next are on disk by then.
const PLACES_IN_FLIGHT: usize = 2;
/// Look-ups under way side by side. They mostly wait for one another's look, which serves them all, so they take no
/// place from what is sent.
const LOOKS_AT_ONCE: usize = 1_000;
/// Mails on their way side by side, over all servers.
const MAILS_AT_ONCE: usize = 4;
/// How long actions under way may take after the order to stop.
const DRAIN: Span = Span::from_s(10);
/// How long an outcome waits before it is handed in again to an engine that has no room on its disk.
const FULL_WAIT: Span = Span::from_s(1);

/// What is under way, so that nothing is begun twice.
#[derive(Default)]
struct UnderWay(Mutex<foldhash::HashSet<Lane>>);

/// What must not run side by side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    /// A due entry. Taken before the machine is read: what was read before the last one ended may be out of date.
    Due(Due),
    /// One license.
    License(MachineId, u32),
    /// The mails of a machine.
    Mail(MachineId),
}

/// What became of an entry that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// It is under way, or nothing is to be done.
    Settled,
    /// It found no place, or something has to end first.
    Waits,
}

/// A place at a service, and the entry that has it.
struct Place {
    service: Arc<LicenseService>,
    permit: OwnedSemaphorePermit,
    entry: Turn,
}

/// A lane that is taken until this is dropped.
struct Turn(Arc<UnderWay>, Lane);

impl UnderWay {
    fn begin(self: &Arc<Self>, lane: Lane) -> Option<Turn> {
        let fresh = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(lane.clone());
        fresh.then(|| Turn(Arc::clone(self), lane))
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.1);
    }
}

/// The dispatcher's own part, shared with its tasks.
struct Dispatcher {
    handle: Handle,
    services: Arc<Services>,
    under_way: Arc<UnderWay>,
    places: Vec<(Arc<LicenseService>, Arc<Semaphore>)>,
    looks: Arc<Semaphore>,
    mails: Arc<Semaphore>,
    freed: Notify,
    /// How many entries are in mind that found no place.
    waiting: AtomicUsize,
    /// Whether entries may be due that nobody here has in mind: then the table is looked through.
    behind: AtomicBool,
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
    stop: CancellationToken,
) -> Result<(), RecordError> {
    let place = |s: &Arc<LicenseService>| {
        (
            Arc::clone(s),
            Arc::new(Semaphore::new(s.in_flight * PLACES_IN_FLIGHT)),
        )
    };
    let dispatcher = Arc::new(Dispatcher {
        places: services
            .license_services()
            .into_iter()
            .map(|(_, s)| place(s))
            .collect(),
        handle,
        services,
        under_way: Arc::default(),
        looks: Arc::new(Semaphore::new(LOOKS_AT_ONCE)),
        mails: Arc::new(Semaphore::new(MAILS_AT_ONCE)),
        freed: Notify::new(),
        waiting: AtomicUsize::new(0),
        behind: AtomicBool::new(true),
        over: CancellationToken::new(),
    });
    let tasks = TaskTracker::new();
    dispatcher.take_up_attempts().await?;
    let taking = take::Taking::begin(&dispatcher, &tasks, &stop);
    let mut bell = dispatcher.handle.bell();
    let (mut waiting, mut place, mut rung) = (Vec::new(), None, true);
    loop {
        bell.borrow_and_update();
        dispatcher.fresh(&tasks, &mut waiting)?;
        if rung || dispatcher.behind.load(Ordering::Relaxed) {
            dispatcher.pass(&tasks, &mut place, rung)?;
        }
        rung = false;
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            changed = bell.changed() => if changed.is_err() { break },
            () = due.notified() => rung = true,
            () = dispatcher.freed.notified() => {}
        }
        // Under load commits follow one another in less than this: one pass serves many of them.
        tokio::select! { () = stop.cancelled() => break, () = pause(GATHER) => {} }
    }
    drop(taking);
    tasks.close();
    tokio::select! {
        () = tasks.wait() => {}
        () = pause(DRAIN) => {
            tracing::warn!("actions are still under way; they are looked up at the next start");
            // Each of them holds the engine's door, which must be gone before the store can close.
            dispatcher.over.cancel();
            tasks.wait().await;
        }
    }
    Ok(())
}

impl Dispatcher {
    /// Creates that were under way when the process ended may have acted.
    async fn take_up_attempts(&self) -> Result<(), RecordError> {
        for (machine, action, sent) in view::attempts(self.handle.reader())? {
            let why = "the process ended while it was under way".to_owned();
            let input = Input::Outcome {
                machine,
                action,
                outcome: Outcome::Unknown { why },
                sent,
            };
            if self.handle.submit_waiting(input).await == Err(SubmitError::Stopped) {
                break;
            }
        }
        Ok(())
    }

    /// Begins what has just become due, and what waited for a place.
    fn fresh(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        waiting: &mut Vec<Due>,
    ) -> Result<(), RecordError> {
        let now = self.handle.clock().now();
        match self.handle.take_due() {
            Some(mut fresh) => waiting.append(&mut fresh),
            None => self.behind.store(true, Ordering::Relaxed),
        }
        if waiting.is_empty() || self.free(now) == 0 {
            self.forget_some(waiting);
            return Ok(());
        }
        let mut still = Vec::new();
        for due in waiting.drain(..) {
            if self.begin(tasks, &due, now)? == Entry::Waits {
                still.push(due);
            }
        }
        *waiting = still;
        self.forget_some(waiting);
        Ok(())
    }

    /// Keeps no more in mind than a few: the table has them all.
    fn forget_some(&self, waiting: &mut Vec<Due>) {
        self.waiting.store(waiting.len(), Ordering::Relaxed);
        if waiting.len() > WAITING_MAX {
            waiting.truncate(WAITING_MAX);
            self.behind.store(true, Ordering::Relaxed);
        }
    }

    /// Looks through the table and begins everything that is due and may run: what has been due for longest, and, when time
    /// rang, a stretch further down that moves on each time, so that what waits for one service keeps nothing from another
    /// one, or from the mail.
    fn pass(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        place: &mut Option<Vec<u8>>,
        rung: bool,
    ) -> Result<(), RecordError> {
        let now = self.handle.clock().now();
        let free = self.free(now);
        if free == 0 {
            self.behind.store(true, Ordering::Relaxed);
            return Ok(()); // a place that becomes free rings
        }
        self.behind.store(false, Ordering::Relaxed);
        let first = self.stretch(tasks, now, None, self.under_way.len() + free + LOOK_AT)?;
        *place = match (first, place.take()) {
            (None, _) => return Ok(()),
            (Some(first), None) if !rung => Some(first),
            (Some(_), place) if !rung => place,
            (Some(first), place) => {
                self.stretch(tasks, now, Some(place.unwrap_or(first)), LOOK_FURTHER)?
            }
        };
        self.behind.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// How many actions, mails and look-ups could begin now.
    fn free(&self, now: Timestamp) -> usize {
        let open = self
            .places
            .iter()
            .filter(|(service, _)| !service.is_shut(now));
        let licenses: usize = open.map(|(_, places)| places.available_permits()).sum();
        licenses + self.free_to_ask(now) + self.free_to_mail(now)
    }

    /// Begins what may run of a stretch of the due entries. Returns where the next stretch begins, if there is one.
    fn stretch(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        now: Timestamp,
        from: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, RecordError> {
        let (due, next) = view::due_from(self.handle.reader(), from, now, limit)?;
        for (_, due) in due {
            if self.begin(tasks, &due, now)? == Entry::Waits {
                self.behind.store(true, Ordering::Relaxed);
            }
        }
        Ok(next)
    }

    fn begin(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        due: &Due,
        now: Timestamp,
    ) -> Result<Entry, RecordError> {
        match due {
            Due::Of(_, Item::Wake) => Ok(Entry::Settled),
            Due::Of(id, Item::Action(number)) => self.begin_action(tasks, id, *number, now),
            Due::Of(id, Item::Notice(number)) => self.begin_mail(tasks, id, *number, now),
            Due::Of(id, Item::LookUp(number)) => self.begin_look_up(tasks, id, *number, now),
            Due::Search(scope, name) => self.begin_search(tasks, scope, name, now),
        }
    }

    fn begin_action(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        id: &MachineId,
        number: u32,
        now: Timestamp,
    ) -> Result<Entry, RecordError> {
        let Place {
            service,
            permit,
            entry,
        } = match self.place(id, number, now) {
            Ok(place) => place,
            Err(entry) => return Ok(entry),
        };
        let Some((machine, read)) = view::machine_and_version(self.handle.reader(), id)? else {
            return Ok(Entry::Settled);
        };
        let open =
            |a: &&Action| a.id == number && a.outcome == ActionOutcome::Pending && a.due <= now;
        let action = machine
            .actions
            .iter()
            .find(open)
            .filter(|_| machine.held.is_none())
            .cloned();
        let Some(action) = action else {
            return Ok(Entry::Settled);
        };
        let permit = match action.phase {
            Phase::Ready => permit,
            // Its place goes back at once.
            Phase::Look { .. } => match Arc::clone(&self.looks).try_acquire_owned() {
                Ok(permit) => permit,
                Err(_) => return Ok(Entry::Waits),
            },
        };
        let Some(license) = self
            .under_way
            .begin(Lane::License(id.clone(), action.license))
        else {
            return Ok(Entry::Waits);
        };
        if service.gate(&action, now) != Gate::Go {
            return Ok(Entry::Waits);
        }
        let place = Place {
            service,
            permit,
            entry,
        };
        // Boxed, for it would be moved several times on its way to the runtime, and it is large.
        tasks.spawn(Box::pin(Arc::clone(self).see_to(
            Arc::new(machine),
            Some(read),
            action,
            place,
            license,
        )));
        Ok(Entry::Settled)
    }

    /// Carries an action out in its place, and gives the place to the next one.
    async fn see_to(
        self: Arc<Self>,
        machine: Arc<Machine>,
        read: Option<Version>,
        action: Action,
        Place {
            service,
            permit,
            entry,
        }: Place,
        license: Turn,
    ) {
        self.unless_over(self.act(&machine, read, &action, &service, permit))
            .await;
        drop((entry, license));
        self.freed.notify_one();
    }

    /// A place for an action at its license service.
    fn place(&self, id: &MachineId, number: u32, now: Timestamp) -> Result<Place, Entry> {
        let service = self
            .services
            .license(id.source())
            .cloned()
            .ok_or(Entry::Settled)?;
        if service.is_shut(now) {
            return Err(Entry::Waits);
        }
        let entry = self
            .under_way
            .begin(Lane::Due(Due::Of(id.clone(), Item::Action(number))))
            .ok_or(Entry::Settled)?;
        let places = self
            .places
            .iter()
            .find(|(s, _)| Arc::ptr_eq(s, &service))
            .map(|(_, places)| Arc::clone(places));
        let permit = places
            .and_then(|p| p.try_acquire_owned().ok())
            .ok_or(Entry::Waits)?;
        Ok(Place {
            service,
            permit,
            entry,
        })
    }

    /// Carries an action out. `read`: the version of the machine that it was read from; `None`: its attempt is on disk.
    async fn act(
        &self,
        machine: &Machine,
        read: Option<Version>,
        action: &Action,
        service: &LicenseService,
        permit: OwnedSemaphorePermit,
    ) {
        if let Some(read) = read.filter(|_| action.act.creates() && action.phase == Phase::Ready)
            && !self.attempt(machine, action, read, service).await
        {
            return;
        }
        let sent = self.handle.clock().now();
        let carrier = Carrier {
            handle: &self.handle,
            services: &self.services,
            service,
        };
        let outcome = carrier.carry(machine, action).await;
        drop(permit);
        tally::action(service.name, &machine.source, action.act.as_str(), &outcome);
        refused::report(machine, action, &outcome, service);
        self.hand_in(|| Input::Outcome {
            machine: machine.id.clone(),
            action: action.id,
            outcome: outcome.clone(),
            sent,
        })
        .await;
    }

    /// Lets go of what is under way when its time is over: what it did is found out at the next start.
    async fn unless_over(&self, work: impl Future<Output = ()>) {
        tokio::select! {
            () = work => {}
            () = self.over.cancelled() => {}
        }
    }

    /// Hands an outcome in until it is taken: it must not be lost while the process lives.
    async fn hand_in(&self, input: impl Fn() -> Input) -> Option<Receipt> {
        loop {
            match self.handle.submit_waiting(input()).await {
                Ok(receipt) => return Some(receipt),
                // A machine that has grown beyond a batch: told where it was refused, and left for a person.
                Err(SubmitError::Stopped | SubmitError::TooLarge) => return None,
                Err(SubmitError::Busy) => pause(FULL_WAIT).await,
            }
        }
    }
}
