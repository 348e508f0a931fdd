//! Every key of the store on one page: a table's byte, then its parts, separated by a zero byte.
//!
//! Few lasting keys per event: one for the event, one for its machine, one for each name that links to the machine.
//! A table of an upper-case letter holds keys that come in no order, which the store lays down as they come.
//! Ids come from outside; one that holds a zero byte is refused before it gets here (`route/key_limits.rs`).

mod due;

use sha2::{Digest as _, Sha256};

use crate::domain::contact::normal_address;
use crate::domain::id::{CustomerId, EventId, LicenseKey, MachineId, Scope};
use crate::domain::time::Timestamp;
use crate::store::KeyRange;
pub use due::{Due, Item, Lane, Work, due, due_order, due_parked_query, parse_due};

/// Bytes of a digest: two texts never share one.
const DIGEST_LEN: usize = 16;

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Table {
    /// `a`: an attempt under way: machine, action → instant of sending.
    Attempt = b'a',
    /// `A`: machines that an e-mail address may have to do with: the address's digest → their ids. An entry may be out of
    /// date, so whoever reads it asks the machine.
    ByAddress = b'A',
    /// `K`: the machine that has a license: scope, the key's digest → machine.
    ByKey = b'K',
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
    /// `M`: a machine.
    Machine = b'M',
    /// `p`: a parked event's fact: scope, event id.
    Waiting = b'p',
    /// `q`: what could not be read as an event: instant (8 bytes), hash.
    Refused = b'q',
    /// `r`: a revision: number (8 bytes).
    Revision = b'r',
    /// `s`: the search for what a parked name belongs to: scope, name.
    ParkedQuery = b's',
    /// `u`: an event that could not be read: scope, event id → nothing.
    Unread = b'u',
    /// `x`: the further parts of a value that is too long for one key.
    Part = b'x',
}

impl Table {
    const ALL: [Self; 18] = [
        Self::Attempt,
        Self::ByAddress,
        Self::ByKey,
        Self::ByCustomer,
        Self::Customer,
        Self::Due,
        Self::Event,
        Self::General,
        Self::Labels,
        Self::Parked,
        Self::Link,
        Self::Machine,
        Self::Waiting,
        Self::Refused,
        Self::Revision,
        Self::ParkedQuery,
        Self::Unread,
        Self::Part,
    ];

    /// The table that a key belongs to.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Self> {
        let first = *key.first()?;
        Self::ALL.into_iter().find(|table| *table as u8 == first)
    }
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

/// Most keys are shorter, also those of a session, whose id has 66 characters: room that is made at once.
const USUAL_LEN: usize = 112;

/// Puts a key together that begins with a scope.
fn scoped(table: Table, scope: &Scope, parts: &[&str]) -> Vec<u8> {
    let mut key = Vec::with_capacity(USUAL_LEN);
    key.push(table as u8);
    push_scope(&mut key, scope);
    for part in parts {
        key.push(0);
        key.extend_from_slice(part.as_bytes());
    }
    key
}

/// Puts a key together that begins with a machine.
fn of_machine(table: Table, machine: &MachineId) -> Vec<u8> {
    let mut key = Vec::with_capacity(USUAL_LEN);
    key.push(table as u8);
    push_machine(&mut key, machine);
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
    of_machine(Table::Machine, id)
}

/// A link from a name to its machine.
#[must_use]
pub fn link(scope: &Scope, name: &str) -> Vec<u8> {
    scoped(Table::Link, scope, &[name])
}

/// The machine that has a license. The key's digest stands for it: in full it stands only in its grant.
#[must_use]
pub fn by_key(scope: &Scope, license: &LicenseKey) -> Vec<u8> {
    scoped(Table::ByKey, scope, &[&digest(license.reveal())])
}

/// Enough of a text's digest to tell it from all others.
fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..DIGEST_LEN])
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
pub fn parked_query(scope: &Scope, name: &str) -> Vec<u8> {
    scoped(Table::ParkedQuery, scope, &[name])
}

/// An event that could not be read.
#[must_use]
pub fn unread(scope: &Scope, event: &EventId) -> Vec<u8> {
    scoped(Table::Unread, scope, &[event.as_str()])
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

/// The most machines that are noted of one address: the largest customers have some dozens of purchases.
pub const OF_ADDRESS_MAX: usize = 200;

/// The machines of an e-mail address, however it is written. The address does not stand in it in the clear.
#[must_use]
pub fn by_address(address: &str) -> Vec<u8> {
    key(Table::ByAddress, &[&digest(&normal_address(address))])
}

/// The mark of an attempt.
#[must_use]
pub fn attempt(machine: &MachineId, action: u32) -> Vec<u8> {
    let mut key = of_machine(Table::Attempt, machine);
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
            (300, Item::Query(4)),
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
                (300, of(Item::Query(4))),
                (5, of(Item::Wake)),
            ]
        );
        for scope in ["stripe", "stripe/acct_1"].map(Scope::of) {
            let search = due_parked_query(Timestamp::from_s(7), &scope, "pi_1");
            assert_eq!(
                parse_due(&search),
                Some((
                    Timestamp::from_s(7),
                    Due::ParkedQuery(scope, "pi_1".to_owned())
                ))
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
