//! The due work in memory: for each lane of the table the entries that come next, in order and bounded, and what is under
//! way. A plain value: it is told what is due, and says what may begin next.
//!
//! The table is the truth. Of each lane the entries up to a key are here, or under way, or wait for something that is under
//! way; those behind it stand in the table only, and are read when there is room. So what waits costs room on the
//! disk and nothing else, however much it is.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use foldhash::{HashMap, HashSet};

use crate::domain::id::MachineId;
use crate::domain::time::Timestamp;
use crate::engine::record::key::{self, Lane, Work};

/// Entries of a lane in memory, at 100 bytes each.
const ENTRIES_MAX: usize = 4_096;
/// With fewer than this the next ones are read.
const ENTRIES_LOW: usize = 1_024;
/// Entries that one read takes in.
pub(super) const PAGE: usize = 1_024;

/// An entry of the table, as its key.
pub(super) type Entry = Vec<u8>;

/// What must not be done twice at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Exclusive {
    License(MachineId, u32),
    /// The mails of a machine.
    Mail(MachineId),
}

/// One lane's entries.
#[derive(Debug, Default)]
struct Queue {
    next: BTreeSet<Entry>,
    /// Entries below this are here. Of those at or above it only what became due while nothing else waited.
    read_to: Entry,
    /// Whether the table may have entries at or above `read_to` that are due.
    more: bool,
}

/// All lanes that the dispatcher serves.
#[derive(Debug, Default)]
pub(super) struct Queues {
    lanes: BTreeMap<Lane, Queue>,
    /// Entries that were begun, those among them that wait for an [`Exclusive`].
    under_way: HashSet<Entry>,
    exclusive: HashSet<Exclusive>,
    /// What waits for an [`Exclusive`] that is under way.
    after: HashMap<Exclusive, Vec<Entry>>,
    /// The instant of the last scan.
    scanned_at: Timestamp,
}

impl Queue {
    fn put(&mut self, entry: Entry) {
        // With more in the table what is behind `read_to` comes in its turn.
        if self.more && entry >= self.read_to {
            return;
        }
        self.next.insert(entry);
        if self.next.len() > ENTRIES_MAX
            && let Some(last) = self.next.pop_last()
        {
            self.read_to = last.min(std::mem::take(&mut self.read_to));
            self.more = true;
        }
    }
}

impl Queues {
    /// The table may have more of a lane that is due than is here: the lane is new, or time went on.
    pub(super) fn expect_more(&mut self, lane: Lane) {
        if lane.work != Work::Wake {
            self.lanes.entry(lane).or_default().more = true;
        }
    }

    /// Takes in an entry that has just become due, or that did not come to anything.
    pub(super) fn put(&mut self, entry: Entry) {
        let Some(lane) = Lane::of(&entry) else {
            return; // no entry of ours: nothing is due by it
        };
        if self.under_way.contains(&entry) {
            return;
        }
        match self.lanes.get_mut(&lane) {
            Some(queue) => queue.put(entry),
            None => self.expect_more(lane),
        }
    }

    /// A scan of what is due begins. Of a clock that was ahead the lanes were read up to the wrong instant, and what becomes due before
    /// it would not be found: they are read anew once the clock is right again.
    pub(super) fn scan_begins(&mut self, now: Timestamp) {
        if now < self.scanned_at {
            self.forget();
        }
        self.scanned_at = now;
    }

    /// Entries were lost on their way here: all lanes are read anew.
    pub(super) fn forget(&mut self) {
        for queue in self.lanes.values_mut() {
            *queue = Queue {
                more: true,
                ..Queue::default()
            };
        }
    }

    /// The lanes of which more should be read, each with the key from which on.
    pub(super) fn to_read(&self) -> Vec<(Lane, Entry)> {
        let low = |queue: &&Queue| queue.more && queue.next.len() < ENTRIES_LOW;
        self.lanes
            .iter()
            .filter(|(_, queue)| low(queue))
            .map(|(lane, queue)| (lane.clone(), queue.read_to.clone()))
            .collect()
    }

    /// Takes in a page of a lane's table, which was read up to an instant. A page that is not full was the last one.
    pub(super) fn page(&mut self, lane: &Lane, entries: Vec<Entry>, until: Timestamp) {
        let Some(queue) = self.lanes.get_mut(lane) else {
            return;
        };
        queue.more = entries.len() >= PAGE;
        queue.read_to = match entries.last().filter(|_| queue.more) {
            Some(last) => [last.as_slice(), &[0]].concat(),
            None => lane
                .until(until)
                .end
                .max(std::mem::take(&mut queue.read_to)),
        };
        let rest = entries
            .into_iter()
            .filter(|entry| !self.under_way.contains(entry));
        queue.next.extend(rest);
    }

    /// The entry that goes first among lanes, by their precedence and then by when it was due; it counts as under way until it
    /// has [`ended`](Self::ended).
    pub(super) fn begin(&mut self, lanes: impl Fn(&Lane) -> bool) -> Option<(Lane, Entry)> {
        let heads = self.lanes.iter().filter(|(lane, _)| lanes(lane));
        let heads = heads.filter_map(|(lane, queue)| {
            let first = queue.next.first()?;
            Some((lane.work.precedence(), key::due_order(first)?, lane))
        });
        let lane = heads.min().map(|(.., lane)| lane.clone())?;
        let entry = self.lanes.get_mut(&lane)?.next.pop_first()?;
        self.under_way.insert(entry.clone());
        Some((lane, entry))
    }

    /// Notes an entry as under way that began elsewhere.
    pub(super) fn began(&mut self, entry: &Entry) {
        if let Some(queue) = Lane::of(entry).and_then(|lane| self.lanes.get_mut(&lane)) {
            queue.next.remove(entry);
        }
        self.under_way.insert(entry.clone());
    }

    /// Takes something for one entry alone. Where somebody else has it the entry waits for him.
    pub(super) fn claim(&mut self, exclusive: &Exclusive, entry: &Entry) -> bool {
        if self.exclusive.insert(exclusive.clone()) {
            return true;
        }
        self.after
            .entry(exclusive.clone())
            .or_default()
            .push(entry.clone());
        false
    }

    /// An entry came to nothing, and is due still: it comes again in its order.
    pub(super) fn put_back(&mut self, entry: Entry, exclusive: Option<Exclusive>) {
        self.under_way.remove(&entry);
        self.put(entry);
        self.release(exclusive);
    }

    /// An entry is done with.
    pub(super) fn ended(&mut self, entry: &Entry, exclusive: Option<Exclusive>) {
        self.under_way.remove(entry);
        self.release(exclusive);
    }

    fn release(&mut self, exclusive: Option<Exclusive>) {
        if let Some(exclusive) = exclusive {
            self.exclusive.remove(&exclusive);
            for waited in self.after.remove(&exclusive).unwrap_or_default() {
                self.under_way.remove(&waited);
                self.put(waited);
            }
        }
    }

    /// Whether nothing that is due waits in some lanes.
    pub(super) fn is_idle(&self, lanes: impl Fn(&Lane) -> bool) -> bool {
        let mut of = self.lanes.iter().filter(|(lane, _)| lanes(lane));
        of.all(|(_, queue)| queue.next.is_empty() && !queue.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::record::key::Item;

    fn at(s: usize) -> Timestamp {
        Timestamp::from_s(i64::try_from(s).unwrap())
    }

    fn machine(n: usize) -> MachineId {
        format!("stripe/cs_{n:06}").parse().unwrap()
    }

    fn create(n: usize) -> Entry {
        key::due(at(n), &machine(n), Item::Create(1))
    }

    /// The next page of a table, as the store reads it.
    fn read(table: &BTreeSet<Entry>, lane: &Lane, from: Entry, now: Timestamp) -> Vec<Entry> {
        let range = lane.until(now);
        let from = from.max(range.start);
        let behind = table.range(from..).take_while(|entry| **entry < range.end);
        behind.take(PAGE).cloned().collect()
    }

    /// Does what the dispatcher does, until nothing waits any more; returns what was begun, in order.
    fn work_off(table: &mut BTreeSet<Entry>, queues: &mut Queues, now: Timestamp) -> Vec<Entry> {
        let mut order = Vec::new();
        loop {
            for (lane, from) in queues.to_read() {
                queues.page(&lane, read(table, &lane, from, now), now);
            }
            let held: usize = queues.lanes.values().map(|q| q.next.len()).sum();
            assert!(held <= ENTRIES_MAX + PAGE);
            let Some((_, entry)) = queues.begin(|_| true) else {
                return order;
            };
            table.remove(&entry);
            order.push(entry.clone());
            queues.ended(&entry, None);
        }
    }

    #[test]
    fn what_waits_comes_in_order_and_whole_however_much_it_is() {
        const WAITING: usize = 3 * ENTRIES_MAX + 17;
        let all: Vec<_> = (0..WAITING).map(create).collect();
        let mut table: BTreeSet<_> = all.iter().cloned().collect();
        let mut queues = Queues::default();
        // The newest are told first: they still come last.
        for n in WAITING - 9..WAITING {
            queues.put(create(n));
        }
        assert_eq!(work_off(&mut table, &mut queues, at(WAITING)), all);
        assert!(queues.is_idle(|_| true));
    }

    #[test]
    fn more_than_there_is_room_for_waits_in_the_table() {
        let lane = Lane::of(&create(0)).unwrap();
        let mut queues = Queues::default();
        queues.expect_more(lane.clone());
        queues.page(&lane, Vec::new(), at(0));
        let mut table = BTreeSet::new();
        for n in 0..2 * ENTRIES_MAX {
            table.insert(create(n));
            queues.put(create(n));
        }
        assert_eq!(queues.lanes[&lane].next.len(), ENTRIES_MAX);
        let order = work_off(&mut table, &mut queues, at(2 * ENTRIES_MAX));
        assert!(order.is_sorted() && order.len() == 2 * ENTRIES_MAX);
    }

    #[test]
    fn what_becomes_due_later_is_read_when_its_time_has_come() {
        let mut table: BTreeSet<_> = [3, 5, 8].map(create).into();
        let lane = Lane::of(&create(3)).unwrap();
        let mut queues = Queues::default();
        queues.expect_more(lane.clone());
        assert_eq!(work_off(&mut table, &mut queues, at(4)), [create(3)]);
        // Told of, though the table was read to an earlier instant: nothing waits before it that is due.
        table.insert(create(6));
        queues.put(create(6));
        assert_eq!(work_off(&mut table, &mut queues, at(4)), [create(6)]);
        let early = work_off(&mut table, &mut queues, at(9));
        assert!(early.is_empty(), "nothing asks before time has passed");
        queues.expect_more(lane);
        assert!(!queues.is_idle(|_| true));
        let order = work_off(&mut table, &mut queues, at(9));
        assert_eq!(order, [create(5), create(8)]);
    }

    #[test]
    fn what_becomes_due_before_a_wrong_date_is_read_once_the_clock_is_right() {
        let mut table: BTreeSet<_> = [create(3)].into();
        let lane = Lane::of(&create(3)).unwrap();
        let mut queues = Queues::default();
        queues.expect_more(lane.clone());
        queues.scan_begins(at(100));
        assert_eq!(work_off(&mut table, &mut queues, at(100)), [create(3)]);
        queues.scan_begins(at(10));
        table.insert(create(12));
        assert!(work_off(&mut table, &mut queues, at(10)).is_empty());
        queues.scan_begins(at(13));
        queues.expect_more(lane);
        assert_eq!(work_off(&mut table, &mut queues, at(13)), [create(12)]);
    }

    /// Its next try is due behind a thousand that were sold before it, and it is older than all that wait.
    #[test]
    fn what_was_tried_goes_before_what_never_was_and_recoveries_before_both() {
        let entry = |s, item| key::due(at(s), &machine(7), item);
        let (recover, tried, paid) = (
            entry(5_000, Item::Recover(1)),
            entry(4_000, Item::CreateAgain(1)),
            entry(4_500, Item::ActionAgain(1)),
        );
        let mut table: BTreeSet<_> = (0..3 * PAGE).map(create).collect();
        table.extend([recover.clone(), tried.clone(), paid.clone()]);
        let mut queues = Queues::default();
        for entry in &table {
            queues.expect_more(Lane::of(entry).unwrap());
        }
        let order = work_off(&mut table, &mut queues, at(6_000));
        assert_eq!(order[..3], [recover, tried, paid]);
        assert!(order[3..].is_sorted() && order.len() == 3 * PAGE + 3);
    }

    #[test]
    fn what_must_not_run_twice_waits_for_the_other_one() {
        let mut queues = Queues::default();
        let mail = |n| key::due(at(1), &machine(7), Item::Notice(n));
        let exclusive = || Exclusive::Mail(machine(7));
        queues.expect_more(Lane::of(&mail(1)).unwrap());
        queues.page(&Lane::of(&mail(1)).unwrap(), vec![mail(1), mail(2)], at(1));
        let first = queues.begin(|_| true).unwrap().1;
        assert!(queues.claim(&exclusive(), &first));
        let second = queues.begin(|_| true).unwrap().1;
        assert!(!queues.claim(&exclusive(), &second));
        // Read again meanwhile, neither comes twice.
        queues.page(&Lane::of(&mail(1)).unwrap(), vec![mail(1), mail(2)], at(1));
        assert_eq!(queues.begin(|_| true), None);
        queues.put_back(first.clone(), Some(exclusive()));
        assert_eq!(
            queues.begin(|_| true).unwrap().1,
            first,
            "it came to nothing: it is due still"
        );
        assert_eq!(queues.begin(|_| true).unwrap().1, second);
    }
}
