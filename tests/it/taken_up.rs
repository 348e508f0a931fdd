//! Creates taken up in the commit that decides them: the attempt is on disk with the decision and before anything begins,
//! and what is not committed gives its place back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keyward::clock::Clock;
use keyward::domain::action::Action;
use keyward::domain::id::{MachineId, SourceName};
use keyward::domain::machine::Machine;
use keyward::domain::revision::Revisions;
use keyward::domain::time::Timestamp;
use keyward::engine::committer::{self, Committer};
use keyward::engine::input::{Input, Receipt, Rules};
use keyward::engine::read::view;
use keyward::engine::record::body_codec;
use keyward::engine::record::key::{Due, Item};
use keyward::engine::taker::{Taken, Taker};
use keyward::engine::{Handle, SubmitError};
use keyward::sources::stripe::delivery::delivery;
use keyward::sources::stripe::event;
use keyward::store::memory::Memory;
use keyward::store::{Batch, Commit, CommitError, FullCause, Seq};

use crate::support::purchase::{machine, one_time};

const NOW: Timestamp = Timestamp::from_s(1_767_225_600);

/// Has so many places, and notes what becomes of them.
struct Places {
    store: Memory,
    free: AtomicUsize,
    begun: Arc<Mutex<Vec<String>>>,
    given_back: Arc<AtomicUsize>,
}

struct Held {
    store: Memory,
    machine: String,
    begun: Option<Arc<Mutex<Vec<String>>>>,
    given_back: Arc<AtomicUsize>,
}

impl Taker for Places {
    fn take(
        &self,
        machine: &Arc<Machine>,
        action: &Action,
        now: Timestamp,
    ) -> Option<Box<dyn Taken>> {
        assert!(action.due <= now && machine.actions.contains(action));
        self.free
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| {
                free.checked_sub(1)
            })
            .ok()?;
        Some(Box::new(Held {
            store: self.store.clone(),
            machine: machine.id.to_string(),
            begun: Some(Arc::clone(&self.begun)),
            given_back: Arc::clone(&self.given_back),
        }))
    }
}

impl Taken for Held {
    fn is(&self, machine: &MachineId, action: u32) -> bool {
        self.machine == machine.to_string() && action == 1
    }

    fn begin(mut self: Box<Self>) {
        let on_disk = view::attempts(&self.store).unwrap();
        assert!(
            on_disk
                .iter()
                .any(|(machine, ..)| machine.to_string() == self.machine),
            "its attempt is written first"
        );
        self.begun
            .take()
            .unwrap()
            .lock()
            .unwrap()
            .push(self.machine.clone());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.given_back
            .fetch_add(usize::from(self.begun.is_some()), Ordering::SeqCst);
    }
}

/// A store that may be full.
struct MaybeFull(Memory, Arc<AtomicUsize>);

impl Commit for MaybeFull {
    fn commit(&mut self, batch: &Batch) -> Result<Seq, CommitError> {
        match self.1.load(Ordering::SeqCst) {
            0 => self.0.commit(batch),
            held_bytes => Err(CommitError::Full(FullCause::Overlay {
                held_bytes,
                max_bytes: 1,
            })),
        }
    }
}

struct Engine {
    handle: Handle,
    committer: Committer,
    places: Arc<Places>,
    full: Arc<AtomicUsize>,
}

impl Engine {
    fn start(free: usize) -> Self {
        let (store, full) = (Memory::new(), Arc::<AtomicUsize>::default());
        let rules = Rules {
            revisions: Revisions::default(),
            sources: Default::default(),
            store_since: None,
        };
        let writer = Box::new(MaybeFull(store.clone(), Arc::clone(&full)));
        let started = committer::start(
            writer,
            Arc::new(store.clone()),
            rules,
            Clock::virtual_at(NOW),
            16,
        );
        let (handle, committer) = started.unwrap();
        let (begun, given_back) = (Arc::default(), Arc::default());
        let places = Arc::new(Places {
            store,
            free: AtomicUsize::new(free),
            begun,
            given_back,
        });
        handle.set_taker(Some(Arc::clone(&places) as Arc<dyn Taker>));
        Self {
            handle,
            committer,
            places,
            full,
        }
    }

    async fn buy(&self, name: &str) -> Result<Receipt, SubmitError> {
        let body = one_time(name, NOW.s()).to_string();
        let read = event::read(body.as_bytes(), NOW).unwrap();
        let delivery = delivery(
            read,
            &SourceName::from("stripe"),
            body_codec::pack(body.as_bytes()),
            NOW,
        );
        self.handle
            .submit(Input::Delivery(Box::new(delivery)))
            .await
    }

    fn begun(&self) -> Vec<String> {
        self.places.begun.lock().unwrap().clone()
    }

    fn end(self) -> usize {
        self.handle.set_taker(None);
        drop(self.handle);
        assert!(self.committer.join().is_ok());
        self.places.given_back.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_create_begins_when_its_attempt_is_on_disk_with_what_decided_it() {
    let engine = Engine::start(1);
    assert!(matches!(engine.buy("One").await, Ok(Receipt::Applied(_))));
    assert_eq!(engine.begun(), [machine("One")]);
    assert_eq!(
        engine.handle.take_due(),
        Some(Vec::new()),
        "nobody else need see to it"
    );
    // No place is free: it is due, like everything else.
    assert!(matches!(engine.buy("Two").await, Ok(Receipt::Applied(_))));
    assert_eq!(engine.begun(), [machine("One")]);
    let attempts = view::attempts(engine.handle.reader()).unwrap();
    assert_eq!(attempts.len(), 1);
    let due = view::due(engine.handle.reader(), NOW, 9).unwrap();
    let two = Due::Of(machine("Two").parse().unwrap(), Item::Action(1));
    assert_eq!(due.iter().filter(|(_, due)| *due == two).count(), 1);
    assert_eq!(engine.handle.take_due().map(|due| due.len()), Some(1));
    // The same event once more takes nothing up.
    engine.places.free.store(5, Ordering::SeqCst);
    assert_eq!(engine.buy("One").await, Ok(Receipt::Duplicate));
    assert_eq!(engine.begun().len(), 1);
    assert_eq!(engine.end(), 0);
}

#[tokio::test]
async fn what_is_not_committed_does_not_begin_and_gives_its_place_back() {
    let engine = Engine::start(5);
    engine.full.store(7, Ordering::SeqCst);
    assert_eq!(engine.buy("One").await, Err(SubmitError::Busy));
    assert_eq!(
        (
            engine.begun().len(),
            engine.places.given_back.load(Ordering::SeqCst)
        ),
        (0, 1)
    );
    assert!(view::attempts(engine.handle.reader()).unwrap().is_empty());
    engine.full.store(0, Ordering::SeqCst);
    assert!(matches!(engine.buy("One").await, Ok(Receipt::Applied(_))));
    assert_eq!(engine.begun(), [machine("One")]);
    assert_eq!(engine.end(), 1);
}
