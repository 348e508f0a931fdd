//! How much work waits for each service, and since when: counted from the table of what is due.
//!
//! What waits is due by now, or was tried and is due again within an hour; what is planned for later does not
//! wait. Each lane of the table is ordered by instant, so a round reads what waits and what else the next hour brings, and not the
//! wake-ups of all subscriptions behind it.

use std::collections::BTreeMap;

use crate::domain::action::{Act, ActionOutcome};
use crate::domain::id::{MachineId, SourceName};
use crate::domain::machine::Machine;
use crate::domain::notice::NoticeStatus;
use crate::domain::time::{Span, Timestamp};
use crate::engine::read::due;
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::record::key::{self, Due, Item, Lane};
use crate::store::Read;

/// Keys read in one stretch: few enough that the thread is soon free for others.
const KEYS_MAX: usize = 1_000;
/// Machines read in one stretch, for what no key says: since when the work waits, and whether it was tried.
const MACHINES_MAX: usize = 50;
/// No retry is planned further ahead (`domain::retry`), with room for what was asked for by a service.
const RETRIED_WITHIN: Span = Span::from_minutes(61);

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// The license service's.
    Licenses,
    /// The mail server's.
    Mail,
    /// Stripe's, where it is asked.
    Queries,
}

impl Work {
    const fn of(due: &Due) -> Option<Self> {
        match due {
            Due::Of(_, Item::Notice(_)) => Some(Self::Mail),
            Due::Of(_, Item::Query(_)) | Due::ParkedQuery(..) => Some(Self::Queries),
            Due::Of(_, item) => match item.action() {
                Some(_) => Some(Self::Licenses),
                None => None,
            },
        }
    }
}

/// Work that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// How much.
    pub count: u64,
    /// Since when the oldest of it waits. With very much waiting, the oldest of what has been looked at so far.
    pub oldest: Option<Timestamp>,
}

impl Waits {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        Self {
            count: self.count + other.count,
            oldest,
        }
    }
}

/// What waits, by source and service. What is not in it does not wait.
pub type Backlog = BTreeMap<(SourceName, Work), Waits>;

/// The oldest known work of each kind: it was looked at once, and is looked at again in each round for as long as it waits.
type Oldest = BTreeMap<(SourceName, Work), (Timestamp, MachineId, Item)>;

/// A round under way.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The lanes that are left, each with the key from which on; `None`: the round has not begun.
    left: Option<Vec<(Lane, Vec<u8>)>>,
    sum: Backlog,
    oldest: Oldest,
}

impl Round {
    /// Begins anew; what is known to be old is kept.
    pub(super) fn restart(&mut self) {
        (self.left, self.sum) = (None, Backlog::new());
    }

    /// Counts the next stretch: at most [`KEYS_MAX`] keys and [`MACHINES_MAX`] machines. With 50,000 actions waiting a round
    /// is 50 of them; each took 20 to 40 ms in a debug build, half of which are the machines.
    pub(super) fn stretch(
        &mut self,
        reader: &dyn Read,
        now: Timestamp,
    ) -> Result<Option<Backlog>, RecordError> {
        let mut left = match self.left.take() {
            Some(left) => left,
            None => {
                self.reread_oldest(reader)?;
                due::lanes(reader)?
                    .into_iter()
                    .map(|lane| (lane, Vec::new()))
                    .collect()
            }
        };
        let (mut keys_left, mut machines_left) = (KEYS_MAX, MACHINES_MAX);
        while let Some((lane, from)) = left.pop() {
            if keys_left == 0 {
                left.push((lane, from));
                self.left = Some(left);
                return Ok(None);
            }
            let keys = due::page(reader, &lane, &from, now + RETRIED_WITHIN, keys_left)?;
            for (at, due) in keys.iter().filter_map(|key| key::parse_due(key)) {
                self.entry(reader, now, at, &due, &mut machines_left)?;
            }
            if keys.len() == keys_left
                && let Some(last) = keys.last()
            {
                left.push((lane, [last.as_slice(), &[0]].concat()));
            }
            keys_left -= keys.len();
        }
        let mut counted = std::mem::take(&mut self.sum);
        for (of, (since, ..)) in &self.oldest {
            let waits = counted.entry(of.clone()).or_default();
            *waits = waits.and(Waits {
                count: 0,
                oldest: Some(*since),
            });
        }
        counted.retain(|_, waits| waits.count > 0);
        Ok(Some(counted))
    }

    fn entry(
        &mut self,
        reader: &dyn Read,
        now: Timestamp,
        at: Timestamp,
        due: &Due,
        machines_left: &mut usize,
    ) -> Result<(), RecordError> {
        let Some(work) = Work::of(due) else {
            return Ok(());
        };
        let is_due = at <= now;
        // The key itself says of an action that it was tried, or is looked for: then it waits, though its next try is still
        // to come.
        let was_tried =
            matches!(due, Due::Of(_, item) if item.action().is_some_and(|(_, tried)| tried));
        let mut since = (is_due || was_tried).then_some(at.min(now));
        let source = match due {
            Due::Of(id, _) => id.source().clone(),
            Due::ParkedQuery(scope, _) => scope.source().clone(),
        };
        if let Due::Of(id, item) = due
            && *machines_left > 0
        {
            *machines_left -= 1;
            let machine = match view::machine(reader, id) {
                // What is due for it waits all the same, for its repair.
                Err(RecordError::Form { .. }) => {
                    self.add((source, work), since);
                    return Ok(());
                }
                machine => machine?,
            };
            since = match machine.and_then(|machine| pending(&machine, *item)) {
                Some(open) if is_due || was_tried || open.tried => Some(open.since),
                // Planned for later; or done since its key was read.
                Some(_) | None => None,
            };
            if let Some(since) = since {
                self.note_oldest((source.clone(), work), since, id, *item);
            }
        }
        self.add((source, work), since);
        Ok(())
    }

    /// Counts one that waits since then.
    fn add(&mut self, of: (SourceName, Work), since: Option<Timestamp>) {
        if let Some(since) = since {
            let waits = self.sum.entry(of).or_default();
            *waits = waits.and(Waits {
                count: 1,
                oldest: Some(since),
            });
        }
    }

    fn note_oldest(
        &mut self,
        of: (SourceName, Work),
        since: Timestamp,
        id: &MachineId,
        item: Item,
    ) {
        let known = self
            .oldest
            .get(&of)
            .is_some_and(|(oldest, ..)| *oldest <= since);
        if !known {
            self.oldest.insert(of, (since, id.clone(), item));
        }
    }

    /// Forgets what no longer waits: one machine read for each service.
    fn reread_oldest(&mut self, reader: &dyn Read) -> Result<(), RecordError> {
        let mut still = Oldest::new();
        for (of, (since, id, item)) in std::mem::take(&mut self.oldest) {
            let waits = match view::machine(reader, &id) {
                Err(RecordError::Form { .. }) => true,
                machine => machine?.is_some_and(|machine| pending(&machine, item).is_some()),
            };
            if waits {
                still.insert(of, (since, id, item));
            }
        }
        self.oldest = still;
        Ok(())
    }
}

/// An open piece of work.
struct Open {
    since: Timestamp,
    tried: bool,
}

fn pending(machine: &Machine, item: Item) -> Option<Open> {
    if machine.held.is_some() {
        return None;
    }
    match item {
        Item::Notice(number) => {
            let notice = machine
                .notices
                .iter()
                .find(|n| n.id == number && n.status == NoticeStatus::Pending)?;
            Some(Open {
                since: notice.at,
                tried: notice.attempts > 0,
            })
        }
        Item::Wake => None,
        Item::Create(number)
        | Item::CreateAgain(number)
        | Item::Recover(number)
        | Item::Action(number)
        | Item::ActionAgain(number)
        | Item::Query(number) => {
            let open = |a: &&crate::domain::action::Action| {
                a.id == number && a.outcome == ActionOutcome::Pending
            };
            // A check waits for its instant by design, however often it was made.
            let action = machine.actions.iter().find(open)?;
            Some(Open {
                since: action.at,
                tried: action.attempts > 0 && !matches!(action.act, Act::Read { .. }),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;
    use crate::store::{Batch, Commit};

    const NOW: Timestamp = Timestamp::from_s(1_767_600_000);

    fn counted(store: &Memory, round: &mut Round) -> (Backlog, u32) {
        let mut stretches = 1;
        loop {
            if let Some(backlog) = round.stretch(store, NOW).unwrap() {
                return (backlog, stretches);
            }
            stretches += 1;
        }
    }

    #[test]
    fn a_round_takes_as_many_stretches_as_it_needs_and_stops_before_what_comes_later() {
        let mut store = Memory::new();
        let mut batch = Batch::new();
        for n in 0..2_500_u32 {
            let machine = format!("stripe/cs_{n}").parse::<MachineId>().unwrap();
            let scope = machine.scope();
            batch.put(
                key::due_parked_query(NOW - Span::from_s(i64::from(n)), scope, &format!("re_{n}")),
                Vec::new(),
            );
            // What is planned for later, beyond what a retry waits.
            batch.put(
                key::due(NOW + Span::from_hours(2), &machine, Item::Wake),
                Vec::new(),
            );
        }
        batch.put(
            key::due_parked_query(
                NOW,
                "other/cs_1".parse::<MachineId>().unwrap().scope(),
                "re_1",
            ),
            Vec::new(),
        );
        store.commit(&batch).unwrap();
        let (backlog, stretches) = counted(&store, &mut Round::default());
        assert_eq!(stretches, 3);
        let of = |source: &str| backlog[&(SourceName::from(source), Work::Queries)];
        assert_eq!(
            of("stripe"),
            Waits {
                count: 2_500,
                oldest: Some(NOW - Span::from_s(2_499))
            }
        );
        assert_eq!(
            of("other"),
            Waits {
                count: 1,
                oldest: Some(NOW)
            }
        );
        assert_eq!(backlog.len(), 2);
    }

    /// It comes again within the hour, and more machines than a stretch reads are looked at before it.
    #[test]
    fn what_was_tried_waits_also_behind_more_mails_than_are_looked_at() {
        let mut store = Memory::new();
        let mut batch = Batch::new();
        let machine = |n: u32| format!("stripe/cs_{n}").parse::<MachineId>().unwrap();
        for n in 0..2 * u32::try_from(MACHINES_MAX).unwrap() {
            batch.put(key::due(NOW, &machine(n), Item::Notice(1)), Vec::new());
        }
        let later = NOW + Span::from_minutes(50);
        batch.put(
            key::due(later, &machine(0), Item::CreateAgain(1)),
            Vec::new(),
        );
        batch.put(key::due(later, &machine(1), Item::Create(1)), Vec::new());
        store.commit(&batch).unwrap();
        let (backlog, _) = counted(&store, &mut Round::default());
        let licenses = backlog[&(SourceName::from("stripe"), Work::Licenses)];
        assert_eq!((licenses.count, licenses.oldest), (1, Some(NOW)));
    }
}
