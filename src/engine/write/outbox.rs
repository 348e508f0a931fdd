//! What commits made due, handed to the dispatcher in the order in which it was committed, so that it need not look for it
//! in the store.
//!
//! The table of what is due stays the truth: what does not fit in here is found there, and so is everything after a
//! start. Creates for which a slot was free are handed over with their attempt: it is on disk with what decided them,
//! so nothing must be read, asked or committed again before they are sent. What was handed over and not sent, for the
//! process ended, is an attempt that the next start looks after.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::action::Action;
use crate::domain::id::SourceName;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::record::key;

/// Entries that wait to be collected, at 100 bytes each. The dispatcher collects a thousand times a second.
const ENTRIES_MAX: usize = 8_192;

/// The slots at a license service: so many actions may be under way. The committer takes one for a create that it
/// decides, as long as nothing that is due has waited longer.
#[derive(Debug)]
pub struct Slots {
    free: Arc<Semaphore>,
    /// Whether the committer may take one.
    open: AtomicBool,
}

/// A slot that is taken until this is dropped.
#[derive(Debug)]
pub struct Slot(
    #[expect(dead_code, reason = "held, never read: dropping it frees the slot")]
    OwnedSemaphorePermit,
);

impl From<OwnedSemaphorePermit> for Slot {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self(permit)
    }
}

impl Slots {
    /// So many slots, closed to the committer.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))),
            open: AtomicBool::new(false),
        }
    }

    /// Says whether the committer may take slots: not while something that is due waits for one.
    pub fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    /// Takes a slot, if one is free.
    #[must_use]
    pub fn take(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(Slot(permit))
    }

    fn reserve(&self) -> Option<Slot> {
        self.open
            .load(Ordering::Relaxed)
            .then(|| self.take())
            .flatten()
    }
}

/// A create whose attempt is on disk, with the slot that was taken for it.
#[derive(Debug)]
pub struct Attempted {
    /// Its machine, as it was committed.
    pub machine: Arc<Machine>,
    /// The create.
    pub action: Action,
    /// Its entry in the table of what is due.
    pub entry: Vec<u8>,
    /// Its slot.
    pub slot: Slot,
}

/// What the outbox held.
#[derive(Debug, Default)]
pub struct Collected {
    /// Entries that became due, in the order of their commits.
    pub due: Vec<Vec<u8>>,
    /// Creates to be sent.
    pub attempted: Vec<Attempted>,
    /// Whether entries were dropped, for there were too many: they stand in the table.
    pub overflowed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    collected: Mutex<Collected>,
    slots: ArcSwap<BTreeMap<SourceName, Arc<Slots>>>,
}

impl Outbox {
    fn collected(&self) -> MutexGuard<'_, Collected> {
        self.collected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the slots of each source's license service.
    pub(super) fn set_slots(&self, slots: BTreeMap<SourceName, Arc<Slots>>) {
        self.slots.store(Arc::new(slots));
    }

    /// A slot for a create that is decided now, if it may go at once.
    pub(super) fn reserve(&self, source: &SourceName) -> Option<Slot> {
        self.slots.load().get(source)?.reserve()
    }

    /// Puts in what a commit wrote: the entries that are due by now, but for the wake-ups, and the attempts. What comes
    /// due later is found in the table when its time has come.
    pub(super) fn put<'a>(
        &self,
        written: impl Iterator<Item = &'a [u8]>,
        attempted: Vec<Attempted>,
        now: Timestamp,
    ) {
        let is_due = |key: &[u8]| {
            key.first() == Some(&(key::Table::Due as u8))
                && key.get(1) != Some(&(key::Work::Wake as u8))
                && key::due_order(key).is_some_and(|(at, _)| at <= now)
                && !attempted.iter().any(|a| a.entry == key)
        };
        let mut due = written.filter(|key| is_due(key)).peekable();
        if due.peek().is_none() && attempted.is_empty() {
            return;
        }
        let mut collected = self.collected();
        if !collected.overflowed {
            collected.due.extend(due.map(<[u8]>::to_vec));
            if collected.due.len() > ENTRIES_MAX {
                collected.due = Vec::new();
                collected.overflowed = true;
            }
        }
        collected.attempted.extend(attempted);
    }

    /// Takes everything out.
    pub(super) fn collect(&self) -> Collected {
        std::mem::take(&mut *self.collected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::MachineId;
    use crate::engine::record::key::Item;

    #[test]
    fn what_is_due_by_now_is_kept_until_collected_and_a_flood_is_told() {
        let (outbox, now) = (Outbox::default(), Timestamp::from_s(100));
        let machine = |n: usize| format!("stripe/cs_{n}").parse::<MachineId>().unwrap();
        let due = |n, at_s| key::due(Timestamp::from_s(at_s), &machine(n), Item::Action(1));
        let wake = key::due(now, &machine(5), Item::Wake);
        let keys = [
            due(1, 100),
            due(2, 101),
            key::machine(&machine(3)),
            due(4, 99),
            wake,
        ];
        outbox.put(keys.iter().map(Vec::as_slice), Vec::new(), now);
        assert_eq!(outbox.collect().due, [due(1, 100), due(4, 99)]);
        assert!(outbox.collect().due.is_empty());
        let flood: Vec<_> = (0..=ENTRIES_MAX).map(|n| due(n, 1)).collect();
        outbox.put(flood.iter().map(Vec::as_slice), Vec::new(), now);
        outbox.put(keys.iter().map(Vec::as_slice), Vec::new(), now);
        let collected = outbox.collect();
        assert!(collected.overflowed && collected.due.is_empty());
        assert!(!outbox.collect().overflowed);
    }

    #[test]
    fn a_slot_is_reserved_only_while_nobody_waits() {
        let (outbox, stripe) = (Outbox::default(), SourceName::from("stripe"));
        assert!(outbox.reserve(&stripe).is_none());
        let slots = Arc::new(Slots::new(1));
        outbox.set_slots([(stripe.clone(), Arc::clone(&slots))].into());
        assert!(outbox.reserve(&stripe).is_none());
        slots.set_open(true);
        let slot = outbox.reserve(&stripe);
        assert!(slot.is_some() && outbox.reserve(&stripe).is_none());
        drop(slot);
        slots.set_open(false);
        assert!(outbox.reserve(&stripe).is_none() && slots.take().is_some());
    }
}
