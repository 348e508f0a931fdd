//! Questions without effects: a machine's page, what is due, lists. The shapes here are relied on from outside.

mod event;
mod fact;
mod find;
mod machine;

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::domain::action::SeatId;
use crate::domain::entitlement::entitlement;
use crate::domain::id::{CustomerId, EventId, LicenseKey, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::input::{Rules, Version};
use crate::engine::record;
use crate::engine::record::key::Table;
use crate::engine::record::{EventRecord, RecordError, key};
use crate::engine::write::working::Committed;
use crate::store::{Direction, KeyRange, Read};
pub use event::EventView;
pub use fact::FactView;
pub use find::{FOUND_MAX, find};
pub use machine::{
    ActionView, AttemptView, Keys, LicenseView, MachineView, NoticeView, TransitionView,
};

/// Keys read from the store at once while a table is walked.
const PAGE: usize = 200;

/// Walks a range page by page, so that no list of a whole store stands in memory.
///
/// # Errors
/// The store's, or what the visitor says.
pub fn walk(
    reader: &dyn Read,
    range: KeyRange,
    mut visit: impl FnMut(&[u8], Bytes) -> Result<bool, RecordError>,
) -> Result<(), RecordError> {
    let mut range = range;
    loop {
        let page = reader.range(&range, Direction::Forward, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        range.start.clone_from(last);
        range.start.push(0);
        let full = page.len() == PAGE;
        for (key, value) in page {
            if !visit(&key, value.bytes)? {
                return Ok(());
            }
        }
        if !full {
            return Ok(());
        }
    }
}

/// Every event, in the order of source and id, until the visitor has enough.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn events(
    reader: &dyn Read,
    mut visit: impl FnMut(EventView) -> bool,
) -> Result<(), RecordError> {
    walk(
        reader,
        KeyRange::prefix(&[Table::Event as u8]),
        |key, first| {
            let record: EventRecord = record::whole(&Committed(reader), key, first)?;
            let id = key::event_of(key).map_or_else(String::new, |id| id.to_string());
            Ok(visit(EventView::of(key::scope_of(key), id, &record)))
        },
    )
}

/// Every event of an id, each with its body as it came: several accounts, or two sources that hear of one, may have it. By its
/// key, else by looking through all, for it may be of a source that the config names no more.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn events_of(
    reader: &dyn Read,
    scopes: &[Scope],
    id: &str,
) -> Result<Vec<(EventView, String)>, RecordError> {
    let shown = |scope: &Scope, record: &EventRecord| {
        let body = record::body_codec::unpack(&record.raw).unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        (EventView::of(scope.clone(), id.to_owned(), record), body)
    };
    let mut found = Vec::new();
    for scope in scopes {
        let key = key::event(scope, &EventId::from(id));
        let kept: Option<EventRecord> = record::get(&Committed(reader), &key)?;
        found.extend(kept.map(|record| shown(scope, &record)));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    walk(
        reader,
        KeyRange::prefix(&[Table::Event as u8]),
        |key, first| {
            if key::event_of(key).is_some_and(|e| e.as_str() == id) {
                let record: EventRecord = record::whole(&Committed(reader), key, first)?;
                found.push(shown(&key::scope_of(key), &record));
            }
            Ok(true)
        },
    )?;
    Ok(found)
}

/// Every machine, in the order in which the store has them, until the visitor has enough.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn machines(
    reader: &dyn Read,
    mut visit: impl FnMut(Machine) -> bool,
) -> Result<(), RecordError> {
    walk(
        reader,
        KeyRange::prefix(&[Table::Machine as u8]),
        |key, first| Ok(visit(record::whole(&Committed(reader), key, first)?)),
    )
}

/// The machines of which something holds, to be looked at anew. One that cannot be read is left out: nothing can be done for
/// it, and `verify` tells of it.
///
/// # Errors
/// The store's.
pub fn ids(
    reader: &dyn Read,
    holds: impl Fn(&Machine) -> bool,
) -> Result<BTreeSet<MachineId>, RecordError> {
    let mut out = BTreeSet::new();
    let all = KeyRange::prefix(&[Table::Machine as u8]);
    walk(reader, all, |key, first| {
        match record::whole::<Machine>(&Committed(reader), key, first) {
            Ok(machine) if holds(&machine) => {
                out.insert(machine.id);
            }
            Ok(_) | Err(RecordError::Form { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    })?;
    Ok(out)
}

/// A machine by its id.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn machine(reader: &dyn Read, id: &MachineId) -> Result<Option<Machine>, RecordError> {
    record::machine(&Committed(reader), id)
}

/// The same with the version of its record, for whoever acts on it a moment later.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn machine_and_version(
    reader: &dyn Read,
    id: &MachineId,
) -> Result<Option<(Machine, Version)>, RecordError> {
    let key = key::machine(id);
    let Some(found) = reader.get(&key)? else {
        return Ok(None);
    };
    let machine = record::checked(record::whole(&Committed(reader), &key, found.bytes)?);
    Ok(Some((machine, found.seq)))
}

/// The machine that a name leads to within a scope: its own object's id, or an id that is linked to it. Nothing is searched.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn by_name(
    reader: &dyn Read,
    scope: &Scope,
    name: &str,
) -> Result<Option<Machine>, RecordError> {
    match crate::engine::route::machine_named(&Committed(reader), scope, name)? {
        Some(id) => machine(reader, &id),
        None => Ok(None),
    }
}

/// The machine that has the license of a key.
///
/// # Errors
/// As [`by_name`].
pub fn by_key(
    reader: &dyn Read,
    scope: &Scope,
    license: &LicenseKey,
) -> Result<Option<Machine>, RecordError> {
    match crate::engine::route::of_key(&Committed(reader), scope, license)? {
        Some(id) => machine(reader, &id),
        None => Ok(None),
    }
}

/// A purchase whose licenses another one extends.
#[derive(Clone, Debug)]
pub struct ExtendedPurchase {
    /// The purchase that has the licenses.
    pub owner: Machine,
    /// The seats that are extended.
    pub seats: Vec<SeatId>,
    /// Whether the other purchase's buyer may see the keys.
    pub shows_key: bool,
}

/// The purchases whose licenses a machine extends.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn extended_by(
    reader: &dyn Read,
    machine: &Machine,
) -> Result<Vec<ExtendedPurchase>, RecordError> {
    let mut out: Vec<ExtendedPurchase> = Vec::new();
    for extends in machine.extends() {
        let (scope, object) = (extends.machine.scope(), extends.machine.object().as_str());
        let Some(owner) = by_name(reader, scope, object)? else {
            continue;
        };
        match out.iter_mut().find(|e| e.owner.id == owner.id) {
            Some(known) => known.seats.push(extends.license.clone()),
            None => out.push(ExtendedPurchase {
                owner,
                seats: vec![extends.license.clone()],
                shows_key: extends.shows_key,
            }),
        }
    }
    Ok(out)
}

/// The machines of a customer, however many. An entry may outlive its machine, or its machine's customer.
///
/// # Errors
/// The store's.
pub fn of_customer(
    reader: &dyn Read,
    scope: &Scope,
    customer: &CustomerId,
) -> Result<Vec<MachineId>, RecordError> {
    let mut ids = Vec::new();
    let range = key::under(Table::ByCustomer, scope, &[customer.as_str()]);
    walk(reader, range, |entry, _| {
        ids.extend(key::machine_of(entry));
        Ok(true)
    })?;
    Ok(ids)
}

/// The customer's own record for a machine.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn customer(
    reader: &dyn Read,
    scope: &Scope,
    id: &CustomerId,
) -> Result<Option<crate::domain::customer::Customer>, RecordError> {
    record::get(&Committed(reader), &key::customer(scope, id))
}

/// The attempts that were under way when the process ended.
///
/// # Errors
/// The store's.
pub fn attempts(reader: &dyn Read) -> Result<Vec<(MachineId, u32, Timestamp)>, RecordError> {
    let mut out = Vec::new();
    walk(
        reader,
        KeyRange::prefix(&[Table::Attempt as u8]),
        |key, value| {
            let parts = key::parts(key);
            let sent = value[..]
                .try_into()
                .map(i64::from_be_bytes)
                .map_or(Timestamp::from_ms(0), Timestamp::from_ms);
            if let [machine, action] = parts.as_slice()
                && let (Ok(machine), Ok(action)) = (machine.parse(), action.parse())
            {
                out.push((machine, action, sent));
            }
            Ok(true)
        },
    )?;
    Ok(out)
}

/// What the customer of a machine should hold, for pages: on as many keys as its license service needs for that.
#[must_use]
pub fn seats(
    machine: &Machine,
    rules: &Rules,
    now: Timestamp,
) -> crate::domain::entitlement::Entitlement {
    let folded = machine.folded(&rules.revisions, now);
    entitlement(
        &folded,
        &machine.extensions,
        &rules.revisions,
        now,
        rules.devices_max(&machine.source),
    )
}
