//! One entry of the store against everything that it belongs to.

use std::collections::BTreeMap;

use bytes::Bytes;
use minicbor::Decode;

use super::wrong::Wrong;
use crate::domain::customer::Customer;
use crate::domain::fact::Fact;
use crate::domain::id::{MachineId, Scope};
use crate::domain::lifecycle::Kind;
use crate::domain::machine::Machine;
use crate::domain::notice::NoticeStatus;
use crate::domain::parked_query::ParkedQuery;
use crate::domain::revision::Revision;
use crate::domain::routing::names_to_link;
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::{self, Due, Table};
use crate::engine::record::{
    self, EventHead, EventRecord, RecordError, RefusedRecord, View, body_codec,
};
use crate::engine::write::dues::dues;

/// What is wrong with an entry.
///
/// # Errors
/// The store's.
pub(super) fn entry(view: &dyn View, key: &[u8], first: Bytes) -> Result<Vec<Wrong>, RecordError> {
    let Some(table) = Table::of(key) else {
        return Ok(vec![Wrong::Unknown { key: key.to_vec() }]);
    };
    match table {
        Table::Machine => machine(view, key, first),
        Table::Event => event(view, key, first),
        Table::Waiting => waiting(view, key, first),
        Table::Due => stray_unless(key, is_due(view, key)?),
        Table::Link | Table::ByKey => stray_unless(key, is_link(view, &first)?),
        Table::Parked => stray_unless(key, is_parked(view, key)?),
        Table::Unread => stray_unless(key, is_unread(view, key)?),
        Table::Attempt => stray_unless(key, is_attempt(view, key)?),
        Table::Part => stray_unless(key, is_part(view, key)?),
        Table::ParkedQuery => search(view, key, first),
        Table::Customer => readable::<Customer>(view, key, first).map(|(_, wrong)| wrong),
        Table::Revision => readable::<Revision>(view, key, first).map(|(_, wrong)| wrong),
        Table::Refused => readable::<RefusedRecord>(view, key, first).map(|(_, wrong)| wrong),
        Table::Labels => readable::<Vec<(u64, u64)>>(view, key, first).map(|(_, wrong)| wrong),
        // An entry may outlive its machine, which another one took over; the store's own facts stand alone.
        Table::ByCustomer | Table::ByAddress | Table::General => Ok(Vec::new()),
    }
}

fn stray_unless(key: &[u8], leads_somewhere: bool) -> Result<Vec<Wrong>, RecordError> {
    let stray = || Wrong::Stray {
        entry: key.to_vec(),
    };
    Ok((!leads_somewhere).then(stray).into_iter().collect())
}

/// A record, or that it cannot be read.
fn readable<T: for<'b> Decode<'b, ()>>(
    view: &dyn View,
    key: &[u8],
    first: Bytes,
) -> Result<(Option<T>, Vec<Wrong>), RecordError> {
    match record::whole(view, key, first) {
        Ok(record) => Ok((Some(record), Vec::new())),
        Err(RecordError::Form { why, .. }) => {
            let key = key.to_vec();
            Ok((None, vec![Wrong::Unreadable { key, why }]))
        }
        Err(error @ RecordError::Read(_)) => Err(error),
    }
}

/// A machine by its id. One that cannot be read is told of at its own key.
fn known(view: &dyn View, id: &MachineId) -> Result<Option<Machine>, RecordError> {
    match record::machine(view, id) {
        Err(RecordError::Form { .. }) => Ok(None),
        machine => machine,
    }
}

/// The entries that should lead to a machine.
fn machine(view: &dyn View, key: &[u8], first: Bytes) -> Result<Vec<Wrong>, RecordError> {
    let (machine, mut wrong) = readable::<Machine>(view, key, first)?;
    let Some(machine) = machine.map(record::checked) else {
        return Ok(wrong);
    };
    if key::machine_of(key).as_ref() != Some(&machine.id) {
        let why = format!("it is {}", machine.id);
        let key = key.to_vec();
        return Ok(vec![Wrong::Unreadable { key, why }]);
    }
    let scope = machine.id.scope();
    let mut should: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    should.extend(dues(&machine).into_iter().map(|entry| (entry, Vec::new())));
    for fact in &machine.facts {
        // A query's answer is no event: it names what the machine is known by already.
        if view.get(&key::event(scope, &fact.id))?.is_some() {
            let link = |name: crate::domain::fact::Name| {
                let id = machine.id.to_string().into_bytes();
                (key::link(scope, name.as_str()), id)
            };
            should.extend(names_to_link(fact, machine.object()).into_iter().map(link));
        }
    }
    let unreached = machine
        .notices
        .iter()
        .any(|n| n.status == NoticeStatus::NoAddress);
    if let Some(customer) = machine.contact().customer
        && (machine.kind == Kind::Subscription || unreached)
    {
        let entry = key::by_customer(scope, &customer, &machine.id);
        should.insert(entry, Vec::new());
    }
    for (entry, value) in should {
        if view.get(&entry)?.is_none() {
            let key = key.to_vec();
            wrong.push(Wrong::Missing { key, entry, value });
        }
    }
    Ok(wrong)
}

/// Where an event went, and that it is there.
fn event(view: &dyn View, key: &[u8], first: Bytes) -> Result<Vec<Wrong>, RecordError> {
    let (record, mut wrong) = readable::<EventRecord>(view, key, first)?;
    let (Some(record), Some(id)) = (record, key::event_of(key)) else {
        return Ok(wrong);
    };
    if body_codec::unpack(&record.raw).is_none() {
        wrong.push(Wrong::Unreadable {
            key: key.to_vec(),
            why: "its body does not unpack".to_owned(),
        });
    }
    match record.disposition {
        Disposition::Applied(Some(machine)) => {
            let knows = |m: Machine| m.facts.iter().any(|fact| fact.id == id);
            if !known(view, &machine)?.is_some_and(knows) {
                let key = key.to_vec();
                wrong.push(Wrong::Lost { key, machine });
            }
        }
        Disposition::Parked(names) => {
            let scope = key::scope_of(key);
            if view.get(&key::waiting(&scope, &id))?.is_none() {
                wrong.push(Wrong::NotWaiting { key: key.to_vec() });
                return Ok(wrong);
            }
            for name in names {
                let entry = key::parked(&scope, &name, &id);
                if view.get(&entry)?.is_none() {
                    let (key, value) = (key.to_vec(), Vec::new());
                    wrong.push(Wrong::Missing { key, entry, value });
                }
            }
        }
        Disposition::Unreadable(_) => {
            let entry = key::unread(&key::scope_of(key), &id);
            if view.get(&entry)?.is_none() {
                let (key, value) = (key.to_vec(), Vec::new());
                wrong.push(Wrong::Missing { key, entry, value });
            }
        }
        Disposition::Applied(None) | Disposition::Ignored(_) => {}
    }
    Ok(wrong)
}

/// A fact that waits is found under one of its names at least, or nothing can ever claim it.
fn waiting(view: &dyn View, key: &[u8], first: Bytes) -> Result<Vec<Wrong>, RecordError> {
    let (fact, mut wrong) = readable::<Fact>(view, key, first)?;
    let Some(fact) = fact else {
        return Ok(wrong);
    };
    let scope = key::scope_of(key);
    let mut entries = Vec::new();
    for name in fact.names() {
        let entry = key::parked(&scope, name.as_str(), &fact.id);
        if view.get(&entry)?.is_some() {
            return Ok(wrong);
        }
        entries.push(entry);
    }
    wrong.extend(entries.into_iter().map(|entry| Wrong::Missing {
        key: key.to_vec(),
        entry,
        value: Vec::new(),
    }));
    Ok(wrong)
}

fn search(view: &dyn View, key: &[u8], first: Bytes) -> Result<Vec<Wrong>, RecordError> {
    let (search, mut wrong) = readable::<ParkedQuery>(view, key, first)?;
    let due = search.and_then(|search| search.due);
    if let Some(at) = due
        && let [scope, name] = key::parts(key)[..]
    {
        let entry = key::due_parked_query(at, &Scope::of(scope), name);
        if view.get(&entry)?.is_none() {
            let (key, value) = (key.to_vec(), Vec::new());
            wrong.push(Wrong::Missing { key, entry, value });
        }
    }
    Ok(wrong)
}

fn is_due(view: &dyn View, key: &[u8]) -> Result<bool, RecordError> {
    match key::parse_due(key) {
        None => Ok(false),
        Some((at, Due::ParkedQuery(scope, name))) => {
            match record::get::<ParkedQuery>(view, &key::parked_query(&scope, &name)) {
                Ok(search) => Ok(search.is_some_and(|s| s.due == Some(at))),
                Err(RecordError::Form { .. }) => Ok(true),
                Err(error) => Err(error),
            }
        }
        Some((_, Due::Of(id, _))) => Ok(match known(view, &id)? {
            Some(machine) => dues(&machine).contains(key),
            // Of one that cannot be read nobody knows what is due.
            None => record::has_machine(view, &id)?,
        }),
    }
}

fn is_link(view: &dyn View, value: &[u8]) -> Result<bool, RecordError> {
    let id = std::str::from_utf8(value)
        .ok()
        .and_then(|id| id.parse().ok());
    match id {
        Some(id) => Ok(record::has_machine(view, &id)?),
        None => Ok(false),
    }
}

fn is_parked(view: &dyn View, key: &[u8]) -> Result<bool, RecordError> {
    let Some(event) = key::event_of(key) else {
        return Ok(false);
    };
    let waiting = key::waiting(&key::scope_of(key), &event);
    Ok(view.get(&waiting)?.is_some())
}

fn is_unread(view: &dyn View, key: &[u8]) -> Result<bool, RecordError> {
    let Some(event) = key::event_of(key) else {
        return Ok(false);
    };
    match record::get::<EventHead>(view, &key::event(&key::scope_of(key), &event)) {
        Ok(head) => Ok(head.is_some_and(|h| matches!(h.disposition, Disposition::Unreadable(_)))),
        Err(RecordError::Form { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_attempt(view: &dyn View, key: &[u8]) -> Result<bool, RecordError> {
    let parts = key::parts(key);
    let [machine, action] = parts.as_slice() else {
        return Ok(false);
    };
    let (Ok(machine), Ok(action)) = (machine.parse::<MachineId>(), action.parse::<u32>()) else {
        return Ok(false);
    };
    Ok(match known(view, &machine)? {
        Some(kept) => kept.actions.iter().any(|a| a.id == action),
        None => record::has_machine(view, &machine)?,
    })
}

fn is_part(view: &dyn View, key: &[u8]) -> Result<bool, RecordError> {
    let Some((first, n)) = record::part_of(key) else {
        return Ok(false);
    };
    let first = view.get(first)?;
    Ok(first.is_some_and(|first| n < record::part_count(&first)))
}
