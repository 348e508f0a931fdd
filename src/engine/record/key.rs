//! Every key of the store on one page: a table's byte, then its parts, separated by a zero byte.
//!
//! Few lasting keys per event: one for the event, one for its machine, one for each name that links to the machine.
//! Ids come from outside; one that holds a zero byte is refused before it gets here (`fits.rs`).

use crate::domain::id::{CustomerId, EventId, MachineId, Scope, SourceName};
use crate::domain::time::Timestamp;
use crate::store::KeyRange;

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Table {
    /// `a`: an attempt under way: machine, action → instant of sending.
    Attempt = b'a',
    /// `b`: machines of a customer: scope, customer, machine → nothing.
    ByCustomer = b'b',
    /// `c`: a customer's own record: scope, customer.
    Customer = b'c',
    /// `d`: what is due: kind of work, source, instant (8 bytes), then machine, what, or scope, name, `s` for a search →
    /// nothing.
    Due = b'd',
    /// `e`: an event: scope, event id.
    Event = b'e',
    /// `g`: the store's own facts: its beginning, the heartbeat.
    General = b'g',
    /// `i`: labels of licenses that were read: the first license (8 bytes).
    Labels = b'i',
    /// `k`: a parked event under each name it waits for: scope, name, event id → nothing.
    Parked = b'k',
    /// `l`: a link: scope, name → machine.
    Link = b'l',
    /// `m`: a machine.
    Machine = b'm',
    /// `p`: a parked event's fact: scope, event id.
    Waiting = b'p',
    /// `q`: what could not be read as an event: instant (8 bytes), hash.
    Refused = b'q',
    /// `r`: a revision: number (8 bytes).
    Revision = b'r',
    /// `s`: the search for what a parked name belongs to: scope, name.
    Search = b's',
    /// `x`: the further parts of a value that is too long for one key.
    Part = b'x',
}

/// Puts a key together.
fn key(table: Table, parts: &[&str]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|p| p.len() + 1).sum::<usize>());
    key.push(table as u8);
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            key.push(0);
        }
        key.extend_from_slice(part.as_bytes());
    }
    key
}

/// Puts a key together that begins with a scope.
fn scoped(table: Table, scope: &Scope, parts: &[&str]) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    key.push(table as u8);
    push_scope(&mut key, scope);
    for part in parts {
        key.push(0);
        key.extend_from_slice(part.as_bytes());
    }
    key
}

fn push_scope(key: &mut Vec<u8>, scope: &Scope) {
    key.extend_from_slice(scope.source().as_str().as_bytes());
    if let Some(account) = scope.account() {
        key.push(b'/');
        key.extend_from_slice(account.as_str().as_bytes());
    }
}

fn push_machine(key: &mut Vec<u8>, machine: &MachineId) {
    push_scope(key, machine.scope());
    key.push(b'/');
    key.extend_from_slice(machine.object().as_str().as_bytes());
}

/// All keys of a table that begin with a scope and the parts, each whole.
#[must_use]
pub fn under(table: Table, scope: &Scope, parts: &[&str]) -> KeyRange {
    let mut prefix = scoped(table, scope, parts);
    prefix.push(0);
    KeyRange::prefix(&prefix)
}

/// The scope that a key begins with.
#[must_use]
pub fn scope_of(key: &[u8]) -> Scope {
    Scope::of(parts(key).first().copied().unwrap_or_default())
}

/// The machine that a key ends with.
#[must_use]
pub fn machine_of(key: &[u8]) -> Option<MachineId> {
    parts(key).last()?.parse().ok()
}

/// The event that a key ends with.
#[must_use]
pub fn event_of(key: &[u8]) -> Option<EventId> {
    parts(key).last().map(|id| EventId::from(*id))
}

/// The parts of a key.
#[must_use]
pub fn parts(key: &[u8]) -> Vec<&str> {
    key.get(1..)
        .unwrap_or_default()
        .split(|b| *b == 0)
        .filter_map(|p| std::str::from_utf8(p).ok())
        .collect()
}

/// An event.
#[must_use]
pub fn event(scope: &Scope, id: &EventId) -> Vec<u8> {
    scoped(Table::Event, scope, &[id.as_str()])
}

/// A machine.
#[must_use]
pub fn machine(id: &MachineId) -> Vec<u8> {
    let mut key = vec![Table::Machine as u8];
    push_machine(&mut key, id);
    key
}

/// A link from a name to its machine.
#[must_use]
pub fn link(scope: &Scope, name: &str) -> Vec<u8> {
    scoped(Table::Link, scope, &[name])
}

/// A parked event under a name.
#[must_use]
pub fn parked(scope: &Scope, name: &str, event: &EventId) -> Vec<u8> {
    scoped(Table::Parked, scope, &[name, event.as_str()])
}

/// A parked event's fact.
#[must_use]
pub fn waiting(scope: &Scope, event: &EventId) -> Vec<u8> {
    scoped(Table::Waiting, scope, &[event.as_str()])
}

/// The search for what a parked name belongs to.
#[must_use]
pub fn search(scope: &Scope, name: &str) -> Vec<u8> {
    scoped(Table::Search, scope, &[name])
}

/// A customer's record.
#[must_use]
pub fn customer(scope: &Scope, id: &CustomerId) -> Vec<u8> {
    scoped(Table::Customer, scope, &[id.as_str()])
}

/// A machine under its customer.
#[must_use]
pub fn by_customer(scope: &Scope, customer: &CustomerId, machine: &MachineId) -> Vec<u8> {
    let mut key = scoped(Table::ByCustomer, scope, &[customer.as_str()]);
    key.push(0);
    push_machine(&mut key, machine);
    key
}

/// The mark of an attempt.
#[must_use]
pub fn attempt(machine: &MachineId, action: u32) -> Vec<u8> {
    let mut key = vec![Table::Attempt as u8];
    push_machine(&mut key, machine);
    key.push(0);
    key.extend_from_slice(action.to_string().as_bytes());
    key
}

/// A delivery that was no event.
#[must_use]
pub fn refused(at: Timestamp, body: &[u8]) -> Vec<u8> {
    let mut key = vec![Table::Refused as u8];
    key.extend_from_slice(&at.ms().max(0).to_be_bytes());
    key.extend_from_slice(&crc32fast::hash(body).to_be_bytes());
    key
}

/// A store-wide fact.
#[must_use]
pub fn general(name: &str) -> Vec<u8> {
    key(Table::General, &[name])
}

/// A revision.
#[must_use]
pub fn revision(number: u64) -> Vec<u8> {
    let mut key = vec![Table::Revision as u8];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Labels that were read together, by the first license's hash.
#[must_use]
pub fn labels(first: u64) -> Vec<u8> {
    let mut key = vec![Table::Labels as u8];
    key.extend_from_slice(&first.to_be_bytes());
    key
}

/// Whose work is due. The entries of one lane lie together, in the order of their instants, so that what waits for one
/// service is never read past to reach what is due for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// What kind of work.
    pub work: Work,
    /// For whose services; `None` for what the engine does itself.
    pub source: Option<SourceName>,
}

/// The kinds of work that have lanes of their own: what can hold one of them up leaves the others free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Work {
    /// `c`: licenses to be made, which need credits at the license service.
    Create = b'c',
    /// `l`: everything else at the license service, looking for a license among it.
    License = b'l',
    /// `m`: mails.
    Mail = b'm',
    /// `q`: questions to Stripe.
    Query = b'q',
    /// `w`: machines that time alone changes.
    Wake = b'w',
}

impl Work {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Create,
        Self::License,
        Self::Mail,
        Self::Query,
        Self::Wake,
    ];
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// For a machine.
    Of(MachineId, Item),
    /// The search for what a parked name belongs to: there is no machine yet.
    Search(Scope, String),
}

/// What is due for a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A license to be made, by its action's number.
    Create(u32),
    /// Any other action at the license service, by its number.
    Action(u32),
    /// A notice, by its number.
    Notice(u32),
    /// Time alone changes something.
    Wake,
    /// A look-up at Stripe, by its action's number.
    LookUp(u32),
}

impl Item {
    const fn work(self) -> Work {
        match self {
            Self::Create(_) => Work::Create,
            Self::Action(_) => Work::License,
            Self::Notice(_) => Work::Mail,
            Self::LookUp(_) => Work::Query,
            Self::Wake => Work::Wake,
        }
    }
}

impl Lane {
    /// The lane of what time alone changes.
    pub const WAKE: Self = Self {
        work: Work::Wake,
        source: None,
    };

    fn prefix(&self) -> Vec<u8> {
        lane_prefix(self.work, self.source.as_ref())
    }

    /// The lane that an entry of the table stands in; `None` for bytes that are none.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Self> {
        split_due(key).map(|(lane, ..)| lane)
    }

    /// Everything due in this lane up to and including an instant.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> KeyRange {
        let start = self.prefix();
        let mut end = start.clone();
        end.extend_from_slice(&(at.ms().max(0) + 1).to_be_bytes());
        KeyRange::new(start, end)
    }

    /// Everything in the table behind this lane.
    #[must_use]
    pub fn behind(&self) -> KeyRange {
        let mut start = self.prefix();
        start.extend_from_slice(&[0xff; 8]);
        KeyRange::new(start, KeyRange::prefix(&[Table::Due as u8]).end)
    }
}

fn lane_prefix(work: Work, source: Option<&SourceName>) -> Vec<u8> {
    let mut key = Vec::with_capacity(80);
    key.extend_from_slice(&[Table::Due as u8, work as u8]);
    key.extend_from_slice(source.map_or("", SourceName::as_str).as_bytes());
    key.push(0);
    key
}

fn due_at(work: Work, scope: &Scope, at: Timestamp) -> Vec<u8> {
    let source = (work != Work::Wake).then(|| scope.source());
    let mut key = lane_prefix(work, source);
    key.extend_from_slice(&at.ms().max(0).to_be_bytes());
    key
}

/// A due entry of a machine: sorts by lane, then instant, then machine.
#[must_use]
pub fn due(at: Timestamp, machine: &MachineId, item: Item) -> Vec<u8> {
    let mut key = due_at(item.work(), machine.scope(), at);
    push_machine(&mut key, machine);
    key.push(0);
    match item {
        Item::Create(n) | Item::Action(n) => key.extend_from_slice(format!("a{n}").as_bytes()),
        Item::Notice(n) => key.extend_from_slice(format!("n{n}").as_bytes()),
        Item::Wake => key.push(b'w'),
        Item::LookUp(n) => key.extend_from_slice(format!("l{n}").as_bytes()),
    }
    key
}

/// The due entry of a search.
#[must_use]
pub fn due_search(at: Timestamp, scope: &Scope, name: &str) -> Vec<u8> {
    let mut key = due_at(Work::Query, scope, at);
    push_scope(&mut key, scope);
    key.push(0);
    key.extend_from_slice(name.as_bytes());
    key.extend_from_slice(b"\0s");
    key
}

/// An entry's lane, its instant, and what is behind them.
fn split_due(key: &[u8]) -> Option<(Lane, Timestamp, &[u8])> {
    let (&[table, work], rest) = key.split_first_chunk()?;
    if table != Table::Due as u8 {
        return None;
    }
    let work = Work::ALL.into_iter().find(|w| *w as u8 == work)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let source = std::str::from_utf8(&rest[..end]).ok()?;
    let source = (!source.is_empty()).then(|| SourceName::from(source));
    let (at, rest) = rest[end + 1..].split_first_chunk()?;
    let at = Timestamp::from_ms(i64::from_be_bytes(*at));
    Some((Lane { work, source }, at, rest))
}

/// When an entry is due, and its place among what is due at that instant, whatever its lane.
#[must_use]
pub fn due_order(key: &[u8]) -> Option<(Timestamp, &[u8])> {
    split_due(key).map(|(_, at, rest)| (at, rest))
}

/// Reads a due entry back; `None` for bytes that are none.
#[must_use]
pub fn parse_due(key: &[u8]) -> Option<(Timestamp, Due)> {
    let (lane, at, rest) = split_due(key)?;
    let (first, what) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
    if let Some((name, "s")) = what.split_once('\0') {
        return Some((at, Due::Search(Scope::of(first), name.to_owned())));
    }
    let number = || what.get(1..)?.parse().ok();
    let item = match (lane.work, what.as_bytes().first()?) {
        (Work::Create, b'a') => Item::Create(number()?),
        (Work::License, b'a') => Item::Action(number()?),
        (Work::Mail, b'n') => Item::Notice(number()?),
        (Work::Wake, b'w') => Item::Wake,
        (Work::Query, b'l') => Item::LookUp(number()?),
        _ => return None,
    };
    Some((at, Due::Of(first.parse().ok()?, item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_entries_sort_by_lane_and_instant_and_read_back() {
        let machine: MachineId = "stripe/acct_1/sub_1".parse().unwrap();
        let items = [
            (5, Item::Wake),
            (1, Item::Notice(12)),
            (256, Item::Action(3)),
            (1, Item::Action(2)),
            (2, Item::Create(1)),
            (300, Item::LookUp(4)),
        ];
        let mut keys: Vec<_> = items
            .iter()
            .map(|(s, item)| due(Timestamp::from_s(*s), &machine, *item))
            .collect();
        keys.sort();
        let read: Vec<_> = keys
            .iter()
            .filter_map(|k| parse_due(k))
            .map(|(at, due)| (at.s(), due))
            .collect();
        let of = |item| Due::Of(machine.clone(), item);
        assert_eq!(
            read,
            [
                (2, of(Item::Create(1))),
                (1, of(Item::Action(2))),
                (256, of(Item::Action(3))),
                (1, of(Item::Notice(12))),
                (300, of(Item::LookUp(4))),
                (5, of(Item::Wake)),
            ]
        );
        for scope in ["stripe", "stripe/acct_1"].map(Scope::of) {
            let search = due_search(Timestamp::from_s(7), &scope, "pi_1");
            assert_eq!(
                parse_due(&search),
                Some((Timestamp::from_s(7), Due::Search(scope, "pi_1".to_owned())))
            );
        }
        assert!(parse_due(b"d").is_none() && parse_due(b"dcstripe\0").is_none());
    }

    #[test]
    fn a_lane_ends_where_the_next_one_begins() {
        let machine: MachineId = "stripe/sub_1".parse().unwrap();
        let other: MachineId = "stripe2/sub_1".parse().unwrap();
        let at = |key: &[u8], range: &KeyRange| *key >= *range.start && *key < *range.end;
        let key = due(Timestamp::from_s(5), &machine, Item::Action(3));
        let lane = Lane::of(&key).unwrap();
        assert!(at(&key, &lane.until(Timestamp::from_s(5))));
        assert!(!at(&key, &lane.until(Timestamp::from_s(4))) && !at(&key, &lane.behind()));
        for behind in [
            due(Timestamp::from_s(1), &other, Item::Action(3)),
            due(Timestamp::from_s(1), &machine, Item::Notice(3)),
        ] {
            assert!(at(&behind, &lane.behind()));
            assert!(!at(&behind, &lane.until(Timestamp::from_s(900))));
        }
        let before = due(Timestamp::from_s(1), &other, Item::Create(3));
        assert!(!at(&before, &lane.behind()));
    }

    #[test]
    fn a_range_under_a_name_does_not_reach_into_a_longer_name() {
        let stripe = Scope::of("stripe");
        let range = under(Table::Link, &stripe, &[]);
        assert!(link(&stripe, "pi_1") >= range.start && link(&stripe, "pi_1") < range.end);
        let other = link(&Scope::of("stripe2"), "pi_1");
        assert!(other < range.start || other >= range.end);
        assert_eq!(parts(&link(&stripe, "pi_1")), ["stripe", "pi_1"]);
    }
}
