//! What has become due with the last commits, for the dispatcher: so that it need not look through all that is due, and
//! wait for sled, thousands of times a second. The table of what is due stays the truth; this only spares looking.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::key::{Due, Item, Table, parse_due};
use super::taker::Taken;
use crate::domain::time::Timestamp;

/// More than this and the table is looked through instead.
const ENTRIES_MAX: usize = 4_096;

/// Due entries that were written since they were last taken.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: Vec<Due>,
    too_many: bool,
}

impl Fresh {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes those of a batch's keys that are due by now, but for what was taken up in it. What comes due later is found when
    /// time rings.
    pub(super) fn note<'a>(
        &self,
        written: impl Iterator<Item = &'a [u8]>,
        taken: &[Box<dyn Taken>],
        now: Timestamp,
    ) {
        let due = written
            .filter(|key| key.first() == Some(&(Table::Due as u8)))
            .filter_map(parse_due);
        let due = due.filter(|(at, _)| *at <= now).map(|(_, due)| due);
        let is_taken = |due: &Due| match due {
            Due::Of(machine, Item::Action(n)) => taken.iter().any(|taken| taken.is(machine, *n)),
            Due::Of(_, Item::Notice(_) | Item::Wake | Item::LookUp(_)) | Due::Search(..) => false,
        };
        let mut due = due.filter(|due| !is_taken(due)).peekable();
        if due.peek().is_none() {
            return;
        }
        let mut state = self.state();
        if !state.too_many {
            state.entries.extend(due);
            if state.entries.len() > ENTRIES_MAX {
                *state = State {
                    entries: Vec::new(),
                    too_many: true,
                };
            }
        }
    }

    /// Takes them; `None`: there were too many to keep.
    pub(super) fn take(&self) -> Option<Vec<Due>> {
        let State { entries, too_many } = std::mem::take(&mut *self.state());
        (!too_many).then_some(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::MachineId;
    use crate::engine::record::key;

    #[test]
    fn what_is_due_by_now_is_kept_until_taken_and_a_flood_is_told() {
        let (fresh, now) = (Fresh::default(), Timestamp::from_s(100));
        let machine = |n: usize| format!("stripe/cs_{n}").parse::<MachineId>().unwrap();
        let of = |n| Due::Of(machine(n), Item::Action(1));
        let due = |n, at_s| key::due(Timestamp::from_s(at_s), &machine(n), Item::Action(1));
        let keys = [
            due(1, 100),
            due(2, 101),
            key::machine(&machine(3)),
            due(4, 99),
        ];
        fresh.note(keys.iter().map(Vec::as_slice), &[], now);
        assert_eq!(fresh.take(), Some(vec![of(1), of(4)]));
        assert_eq!(fresh.take(), Some(Vec::new()));
        let flood: Vec<_> = (0..=ENTRIES_MAX).map(|n| due(n, 1)).collect();
        fresh.note(flood.iter().map(Vec::as_slice), &[], now);
        fresh.note(keys.iter().map(Vec::as_slice), &[], now);
        assert_eq!(fresh.take(), None);
        assert_eq!(fresh.take(), Some(Vec::new()));
    }
}
