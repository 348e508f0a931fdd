//! The outbox: what a commit made due is handed to the dispatcher once it is on disk, creates with their attempt where a
//! slot is free, and what is not committed gives its slot back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::clock::Clock;
use keyward::domain::action::Outcome;
use keyward::domain::id::SourceName;
use keyward::domain::revision::Revisions;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::{Input, Receipt, Rules};
use keyward::engine::read::{due, view};
use keyward::engine::record::body_codec;
use keyward::engine::record::key::{self, Item};
use keyward::engine::write::committer::{self, Committer};
use keyward::engine::write::outbox::{Collected, Slots};
use keyward::engine::{Handle, SubmitError};
use keyward::sources::stripe::delivery::delivery;
use keyward::sources::stripe::event;
use keyward::store::memory::Memory;
use keyward::store::{Batch, Commit, CommitError, FullCause, Seq};

use crate::support::purchase::{machine, one_time};

const NOW: Timestamp = Timestamp::from_s(1_767_225_600);

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
    slots: Arc<Slots>,
    full: Arc<AtomicUsize>,
}

impl Engine {
    fn start(count: usize) -> Self {
        let (store, full) = (Memory::new(), Arc::<AtomicUsize>::default());
        let rules = Rules {
            revisions: Revisions::default(),
            sources: Default::default(),
            store_since: None,
            guard: None,
        };
        let writer = Box::new(MaybeFull(store.clone(), Arc::clone(&full)));
        let clock = Clock::virtual_at(NOW);
        let (handle, committer) =
            committer::start(writer, Arc::new(store), rules, clock, 16).unwrap();
        let slots = Arc::new(Slots::new(count));
        slots.set_open(true);
        handle.set_slots([(SourceName::from("stripe"), Arc::clone(&slots))].into());
        Self {
            handle,
            committer,
            slots,
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

    /// The machines whose creates were handed over with their attempt, each of which is on disk.
    fn attempted(&self, collected: &Collected) -> Vec<String> {
        let on_disk = view::attempts(self.handle.reader()).unwrap();
        let sent = collected.attempted.iter().map(|attempted| {
            let (id, number) = (&attempted.machine.id, attempted.action.id);
            assert!(on_disk.iter().any(|(m, a, _)| (m, *a) == (id, number)));
            assert!(attempted.machine.actions.contains(&attempted.action));
            id.to_string()
        });
        sent.collect()
    }

    fn end(self) {
        drop(self.handle);
        assert!(self.committer.join().is_ok());
    }
}

#[tokio::test]
async fn a_create_is_handed_over_when_its_attempt_is_on_disk_with_what_decided_it() {
    let engine = Engine::start(1);
    assert!(matches!(engine.buy("One").await, Ok(Receipt::Applied(_))));
    let one = engine.handle.collect_due();
    assert_eq!(engine.attempted(&one), [machine("One")]);
    assert!(one.due.is_empty(), "nobody else need see to it");
    // No slot is free: it is due, like everything else.
    assert!(matches!(engine.buy("Two").await, Ok(Receipt::Applied(_))));
    let two = engine.handle.collect_due();
    assert!(two.attempted.is_empty());
    let entry = key::due(NOW, &machine("Two").parse().unwrap(), Item::Create(1));
    assert_eq!(two.due, std::slice::from_ref(&entry));
    let due = due::until(engine.handle.reader(), NOW, 9).unwrap();
    assert!(due.contains(&key::parse_due(&entry).unwrap()));
    // The same event once more hands nothing over.
    drop(one);
    assert_eq!(engine.buy("One").await, Ok(Receipt::Duplicate));
    assert!(engine.handle.collect_due().attempted.is_empty());
    // Nobody sends a create whose attempt is on disk, whoever finds it in the table.
    let id = machine("One").parse().unwrap();
    let (_, read) = view::machine_and_version(engine.handle.reader(), &id)
        .unwrap()
        .unwrap();
    let again = Input::Attempt {
        machine: id.clone(),
        action: 1,
        read,
    };
    assert_eq!(engine.handle.submit(again).await, Ok(Receipt::Unknown));
    let outcome = Input::Outcome {
        machine: id,
        action: 1,
        outcome: Outcome::Again {
            after: None,
            why: "it was not sent".to_owned(),
        },
        sent: NOW,
    };
    assert_eq!(engine.handle.submit(outcome).await, Ok(Receipt::Done));
    assert!(view::attempts(engine.handle.reader()).unwrap().is_empty());
    engine.end();
}

#[tokio::test]
async fn what_is_not_committed_is_not_handed_over_and_gives_its_slot_back() {
    let engine = Engine::start(1);
    engine.full.store(7, Ordering::SeqCst);
    assert_eq!(engine.buy("One").await, Err(SubmitError::Busy));
    let collected = engine.handle.collect_due();
    assert!(collected.attempted.is_empty() && collected.due.is_empty());
    assert!(engine.slots.take().is_some());
    assert!(view::attempts(engine.handle.reader()).unwrap().is_empty());
    let full = engine.handle.fullness();
    let known = full.load_full().unwrap();
    assert_eq!(known.since, NOW);
    assert!(!known.cause.what().contains('\n'), "one line");
    engine.handle.clock().advance_to(NOW + Span::from_s(9));
    assert_eq!(engine.buy("One").await, Err(SubmitError::Busy));
    assert_eq!(
        full.load_full().unwrap().since,
        NOW,
        "it is full since then"
    );
    engine.full.store(0, Ordering::SeqCst);
    assert!(matches!(engine.buy("One").await, Ok(Receipt::Applied(_))));
    assert!(full.load().is_none() && !engine.handle.is_full());
    assert_eq!(
        engine.attempted(&engine.handle.collect_due()),
        [machine("One")]
    );
    engine.end();
}
