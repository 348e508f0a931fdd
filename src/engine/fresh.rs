//! What has become due with the last commits, for the dispatcher: so that it need not look through all that is due, and
//! wait for sled, thousands of times a second. The table of what is due stays the truth; this only spares looking.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::key::{Item, Table, parse_due};
use super::taker::Taken;
use crate::domain::id::MachineId;
use crate::domain::time::Timestamp;

/// More than this and the table is looked through instead.
const ENTRIES_MAX: usize = 4_096;

/// Due entries that were written since they were last taken.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: Vec<(MachineId, Item)>,
    too_many: bool,
}

impl Fresh {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes those of a batch's keys that are due by now, but for what was taken up in it. What comes due later is found when
    /// time rings.
    pub(super) fn note<'a>(&self, written: impl Iterator<Item = &'a [u8]>, taken: &[Box<dyn Taken>], now: Timestamp) {
        let due = written.filter(|key| key.first() == Some(&(Table::Due as u8))).filter_map(parse_due);
        let due = due.filter(|(at, ..)| *at <= now).map(|(_, machine, item)| (machine, item));
        let is_taken = |machine: &MachineId, item: &Item| match item {
            Item::Action(n) => taken.iter().any(|taken| taken.is(machine, *n)),
            Item::Notice(_) | Item::Wake | Item::LookUp(_) | Item::Search => false,
        };
        let mut due = due.filter(|(machine, item)| !is_taken(machine, item)).peekable();
        if due.peek().is_none() {
            return;
        }
        let mut state = self.state();
        if !state.too_many {
            state.entries.extend(due);
            if state.entries.len() > ENTRIES_MAX {
                *state = State { entries: Vec::new(), too_many: true };
            }
        }
    }

    /// Takes them; `None`: there were too many to keep.
    pub(super) fn take(&self) -> Option<Vec<(MachineId, Item)>> {
        let State { entries, too_many } = std::mem::take(&mut *self.state());
        (!too_many).then_some(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key;
    use super::*;

    #[test]
    fn what_is_due_by_now_is_kept_until_taken_and_a_flood_is_told() {
        let (fresh, now) = (Fresh::default(), Timestamp::from_s(100));
        let machine = |n: usize| MachineId::new(format!("stripe/cs_{n}"));
        let due = |n, at_s| key::due(Timestamp::from_s(at_s), &machine(n), Item::Action(1));
        let keys = [due(1, 100), due(2, 101), key::machine(&machine(3)), due(4, 99)];
        fresh.note(keys.iter().map(Vec::as_slice), &[], now);
        assert_eq!(fresh.take(), Some(vec![(machine(1), Item::Action(1)), (machine(4), Item::Action(1))]));
        assert_eq!(fresh.take(), Some(Vec::new()));
        let flood: Vec<_> = (0..=ENTRIES_MAX).map(|n| due(n, 1)).collect();
        fresh.note(flood.iter().map(Vec::as_slice), &[], now);
        fresh.note(keys.iter().map(Vec::as_slice), &[], now);
        assert_eq!(fresh.take(), None);
        assert_eq!(fresh.take(), Some(Vec::new()));
    }
}
