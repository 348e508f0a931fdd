//! The keys of what is due: a lane for each kind of work and service, in the order of the instants.

use super::{Table, USUAL_LEN, push_machine, push_scope};
use crate::domain::id::{MachineId, Scope, SourceName};
use crate::domain::time::Timestamp;
use crate::store::KeyRange;

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
    /// `d`: those of them that were tried.
    CreateAgain = b'd',
    /// `f`: licenses to be found. It takes no slot.
    Recover = b'f',
    /// `l`: everything else at the license service.
    License = b'l',
    /// `n`: that of it which was tried.
    LicenseAgain = b'n',
    /// `m`: mails.
    Mail = b'm',
    /// `q`: questions to Stripe.
    Query = b'q',
    /// `w`: machines that time alone changes.
    Wake = b'w',
}

impl Work {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::CreateAgain,
        Self::Recover,
        Self::License,
        Self::LicenseAgain,
        Self::Mail,
        Self::Query,
        Self::Wake,
    ];

    /// Whether it is at a license service, and takes a slot there.
    #[must_use]
    pub const fn takes_slot(self) -> bool {
        match self {
            Self::Create | Self::CreateAgain | Self::License | Self::LicenseAgain => true,
            Self::Recover | Self::Mail | Self::Query | Self::Wake => false,
        }
    }

    /// Its place beside other lanes: the lower goes first, whenever each is due. What was tried had its turn before what never
    /// was, and is due later only because it had to wait: behind everything else it would wait as long as all that is sold
    /// meanwhile. Recoveries take nothing away from anybody.
    #[must_use]
    pub const fn precedence(self) -> u8 {
        match self {
            Self::Recover => 0,
            Self::CreateAgain | Self::LicenseAgain => 1,
            Self::Create | Self::License | Self::Mail | Self::Query | Self::Wake => 2,
        }
    }
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// For a machine.
    Of(MachineId, Item),
    /// The search for what a parked name belongs to: there is no machine yet.
    ParkedQuery(Scope, String),
}

/// What is due for a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A license to be made, by its action's number.
    Create(u32),
    /// The same, tried already.
    CreateAgain(u32),
    /// A license to be found, by its action's number.
    Recover(u32),
    /// Any other action at the license service, by its number.
    Action(u32),
    /// The same, tried already.
    ActionAgain(u32),
    /// A notice, by its number.
    Notice(u32),
    /// Time alone changes something.
    Wake,
    /// A query to Stripe, by its action's number.
    Query(u32),
}

impl Item {
    const fn work(self) -> Work {
        match self {
            Self::Create(_) => Work::Create,
            Self::CreateAgain(_) => Work::CreateAgain,
            Self::Recover(_) => Work::Recover,
            Self::Action(_) => Work::License,
            Self::ActionAgain(_) => Work::LicenseAgain,
            Self::Notice(_) => Work::Mail,
            Self::Query(_) => Work::Query,
            Self::Wake => Work::Wake,
        }
    }

    /// The number of the action at the license service that it is, and whether it was tried.
    #[must_use]
    pub const fn action(self) -> Option<(u32, bool)> {
        match self {
            Self::Create(n) | Self::Action(n) => Some((n, false)),
            Self::CreateAgain(n) | Self::ActionAgain(n) | Self::Recover(n) => Some((n, true)),
            Self::Notice(_) | Self::Wake | Self::Query(_) => None,
        }
    }
}

impl Lane {
    /// The lane of what time alone changes.
    pub const WAKE: Self = Self {
        work: Work::Wake,
        source: None,
    };

    pub(super) fn prefix(&self) -> Vec<u8> {
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
    let mut key = Vec::with_capacity(USUAL_LEN);
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
        Item::Create(n)
        | Item::CreateAgain(n)
        | Item::Recover(n)
        | Item::Action(n)
        | Item::ActionAgain(n) => key.extend_from_slice(format!("a{n}").as_bytes()),
        Item::Notice(n) => key.extend_from_slice(format!("n{n}").as_bytes()),
        Item::Wake => key.push(b'w'),
        Item::Query(n) => key.extend_from_slice(format!("l{n}").as_bytes()),
    }
    key
}

/// The due entry of a search.
#[must_use]
pub fn due_parked_query(at: Timestamp, scope: &Scope, name: &str) -> Vec<u8> {
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
        return Some((at, Due::ParkedQuery(Scope::of(first), name.to_owned())));
    }
    let number = || what.get(1..)?.parse().ok();
    let item = match (lane.work, what.as_bytes().first()?) {
        (Work::Create, b'a') => Item::Create(number()?),
        (Work::CreateAgain, b'a') => Item::CreateAgain(number()?),
        (Work::Recover, b'a') => Item::Recover(number()?),
        (Work::License, b'a') => Item::Action(number()?),
        (Work::LicenseAgain, b'a') => Item::ActionAgain(number()?),
        (Work::Mail, b'n') => Item::Notice(number()?),
        (Work::Wake, b'w') => Item::Wake,
        (Work::Query, b'l') => Item::Query(number()?),
        _ => return None,
    };
    Some((at, Due::Of(first.parse().ok()?, item)))
}
