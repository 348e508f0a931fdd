//! Every key of the store on one page: a table's byte, then its parts, separated by a zero byte.
//!
//! Few lasting keys per event: one for the event, one for its machine, one for each name that links to the machine.
//! Ids come from outside; one that holds a zero byte is refused before it gets here (`route.rs`).

use crate::domain::id::{CustomerId, EventId, MachineId};
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
    /// `d`: what is due: instant (8 bytes), machine, what → nothing.
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
#[must_use]
pub fn key(table: Table, parts: &[&str]) -> Vec<u8> {
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

/// All keys of a table that begin with the parts, each whole.
#[must_use]
pub fn under(table: Table, parts: &[&str]) -> KeyRange {
    let mut prefix = key(table, parts);
    if !parts.is_empty() {
        prefix.push(0);
    }
    KeyRange::prefix(&prefix)
}

/// The parts of a key.
#[must_use]
pub fn parts(key: &[u8]) -> Vec<&str> {
    key.get(1..).unwrap_or_default().split(|b| *b == 0).filter_map(|p| std::str::from_utf8(p).ok()).collect()
}

/// An event.
#[must_use]
pub fn event(scope: &str, id: &EventId) -> Vec<u8> {
    key(Table::Event, &[scope, id.as_str()])
}

/// A machine.
#[must_use]
pub fn machine(id: &MachineId) -> Vec<u8> {
    key(Table::Machine, &[id.as_str()])
}

/// A link from a name to its machine.
#[must_use]
pub fn link(scope: &str, name: &str) -> Vec<u8> {
    key(Table::Link, &[scope, name])
}

/// A parked event under a name.
#[must_use]
pub fn parked(scope: &str, name: &str, event: &EventId) -> Vec<u8> {
    key(Table::Parked, &[scope, name, event.as_str()])
}

/// A parked event's fact.
#[must_use]
pub fn waiting(scope: &str, event: &EventId) -> Vec<u8> {
    key(Table::Waiting, &[scope, event.as_str()])
}

/// The search for what a parked name belongs to.
#[must_use]
pub fn search(scope: &str, name: &str) -> Vec<u8> {
    key(Table::Search, &[scope, name])
}

/// A customer's record.
#[must_use]
pub fn customer(scope: &str, id: &CustomerId) -> Vec<u8> {
    key(Table::Customer, &[scope, id.as_str()])
}

/// A machine under its customer.
#[must_use]
pub fn by_customer(scope: &str, customer: &CustomerId, machine: &MachineId) -> Vec<u8> {
    key(Table::ByCustomer, &[scope, customer.as_str(), machine.as_str()])
}

/// The mark of an attempt.
#[must_use]
pub fn attempt(machine: &MachineId, action: u32) -> Vec<u8> {
    key(Table::Attempt, &[machine.as_str(), &action.to_string()])
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

/// What is due for a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// An action, by its number.
    Action(u32),
    /// A notice, by its number.
    Notice(u32),
    /// Time alone changes something.
    Wake,
    /// A look-up at Stripe, by its action's number.
    LookUp(u32),
    /// The search for a parked name; it stands in the place of the machine's id, after its scope and a slash.
    Search,
}

/// A due entry: sorts by instant, then machine.
#[must_use]
pub fn due(at: Timestamp, machine: &MachineId, item: Item) -> Vec<u8> {
    let mut key = Vec::with_capacity(16 + machine.as_str().len());
    key.push(Table::Due as u8);
    key.extend_from_slice(&at.ms().max(0).to_be_bytes());
    key.extend_from_slice(machine.as_str().as_bytes());
    key.push(0);
    match item {
        Item::Action(n) => key.extend_from_slice(format!("a{n}").as_bytes()),
        Item::Notice(n) => key.extend_from_slice(format!("n{n}").as_bytes()),
        Item::Wake => key.push(b'w'),
        Item::LookUp(n) => key.extend_from_slice(format!("l{n}").as_bytes()),
        Item::Search => key.push(b's'),
    }
    key
}

/// All that is due up to and including an instant.
#[must_use]
pub fn due_until(at: Timestamp) -> KeyRange {
    let mut end = vec![Table::Due as u8];
    end.extend_from_slice(&(at.ms().max(0) + 1).to_be_bytes());
    KeyRange::new([Table::Due as u8], end)
}

/// Reads a due entry back; `None` for bytes that are none.
#[must_use]
pub fn parse_due(key: &[u8]) -> Option<(Timestamp, MachineId, Item)> {
    let at = i64::from_be_bytes(key.get(1..9)?.try_into().ok()?);
    let rest = std::str::from_utf8(key.get(9..)?).ok()?;
    let (machine, what) = rest.split_once('\0')?;
    let number = || what.get(1..)?.parse().ok();
    let item = match what.as_bytes().first()? {
        b'a' => Item::Action(number()?),
        b'n' => Item::Notice(number()?),
        b'w' => Item::Wake,
        b'l' => Item::LookUp(number()?),
        b's' => Item::Search,
        _ => return None,
    };
    Some((Timestamp::from_ms(at), MachineId::from(machine), item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_entries_sort_by_instant_and_read_back() {
        let machine = MachineId::from("stripe/sub_1");
        let mut keys: Vec<_> = [
            (5, Item::Wake),
            (1, Item::Notice(12)),
            (256, Item::Action(3)),
            (1, Item::Action(2)),
            (300, Item::LookUp(4)),
        ]
        .iter()
        .map(|(s, item)| due(Timestamp::from_s(*s), &machine, *item))
        .collect();
        keys.sort();
        let read: Vec<_> = keys.iter().filter_map(|k| parse_due(k)).map(|(at, _, item)| (at.s(), item)).collect();
        assert_eq!(
            read,
            [
                (1, Item::Action(2)),
                (1, Item::Notice(12)),
                (5, Item::Wake),
                (256, Item::Action(3)),
                (300, Item::LookUp(4))
            ]
        );
        assert_eq!(parse_due(&due(Timestamp::from_s(7), &machine, Item::Search)).map(|d| d.2), Some(Item::Search));
        let until = due_until(Timestamp::from_s(5));
        assert_eq!(keys.iter().filter(|k| **k >= until.start && **k < until.end).count(), 3);
        assert!(parse_due(b"d").is_none());
    }

    #[test]
    fn a_range_under_a_name_does_not_reach_into_a_longer_name() {
        let range = under(Table::Link, &["stripe"]);
        assert!(link("stripe", "pi_1") >= range.start && link("stripe", "pi_1") < range.end);
        let other = link("stripe2", "pi_1");
        assert!(other < range.start || other >= range.end);
        assert_eq!(parts(&link("stripe", "pi_1")), ["stripe", "pi_1"]);
    }
}
