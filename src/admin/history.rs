//! A store's history in pages: what was received, in the lines that replay reads. Nothing is kept between pages, so that a
//! running server can be asked for a history of any length.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use minicbor::{Decode, Encode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::context::{Context, no_machine, raw};
use super::failure::Failure;
use super::read::resolve;
use super::request::HistoryQuery;
use super::response::{HistoryEntry, HistoryGroup, HistoryLine, Purchases, Response};
use crate::domain::id::{CustomerId, EventId, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::read::view;
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self as stored, EventHead, EventRecord, RecordError, View};
use crate::engine::record::{body_codec as body, revisions};
use crate::engine::write::working::Committed;
use crate::sim::purchase::Purchase;
use crate::sim::record;
use crate::store::{KeyRange, Read};

/// Entries of the index in one page.
const ENTRIES_MAX: usize = 5_000;
/// Events whose bodies are asked for at one time: a request stays below the socket's limit, however long the ids are.
pub const BODIES_MAX: usize = 100;
/// A page of whole histories ends when it is longer than this, in bytes.
const PAGE_LEN: usize = 2 << 20;
/// The most machines of one customer that are taken together.
const PEERS_MAX: usize = 200;
/// Types that may become a purchase, or lead to one, under another config.
const MAY_SELL: [&str; 3] = [
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
];

/// Reads a page.
pub(super) fn page(context: &Context, pages: &HistoryQuery) -> Result<Response, Failure> {
    let now = context.handle.clock().now();
    let history = History {
        context,
        reader: context.handle.reader(),
        until: now,
    };
    let until = |until: &Option<Timestamp>| until.unwrap_or(now);
    match pages {
        HistoryQuery::Events {
            loose,
            after,
            until: t,
        } => History {
            until: until(t),
            ..history
        }
        .events(*loose, after),
        HistoryQuery::Said { after, until: t } => History {
            until: *t,
            ..history
        }
        .without_events(after),
        HistoryQuery::Machines { after, until: t } => History {
            until: *t,
            ..history
        }
        .machines(after),
        HistoryQuery::Bodies { events } => history.bodies(events),
        HistoryQuery::Only(text) => history.only(text),
        HistoryQuery::Purchases { after, until: t } => History {
            until: until(t),
            ..history
        }
        .purchases(after),
        HistoryQuery::Revisions => {
            let kept = revisions::kept(&Committed(history.reader))?;
            let rows = kept.iter().map(|r| raw(&hex::encode(stored::encode(r))));
            Ok(Response::Page {
                rows: rows.collect::<Result<_, _>>()?,
                next: None,
                at: now,
            })
        }
    }
}

struct History<'a> {
    context: &'a Context,
    reader: &'a dyn Read,
    until: Timestamp,
}

impl History<'_> {
    fn answer<T: Serialize>(&self, rows: &[T], next: Option<Vec<u8>>) -> Result<Response, Failure> {
        let rows: Vec<Box<RawValue>> = rows.iter().map(raw).collect::<Result<_, _>>()?;
        Ok(Response::Page {
            rows,
            next: next.map(hex::encode),
            at: self.until,
        })
    }

    /// Walks through a page of a table; where the next one begins, if there is one.
    fn page(
        &self,
        table: Table,
        after: &Option<String>,
        mut each: impl FnMut(&[u8], Bytes) -> Result<(), RecordError>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let (mut next, mut scanned) = (None, 0);
        view::walk(self.reader, from(table, after)?, |key, first| {
            each(key, first)?;
            scanned += 1;
            if scanned >= ENTRIES_MAX {
                next = Some(key.to_vec());
            }
            Ok(next.is_none())
        })?;
        Ok(next)
    }

    fn events(&self, loose: bool, after: &Option<String>) -> Result<Response, Failure> {
        let mut rows = Vec::new();
        let next = self.page(Table::Event, after, |key, first| {
            let record: EventHead = stored::whole(&Committed(self.reader), key, first)?;
            if record.received <= self.until && (!loose || is_loose(&record)) {
                let (scope, id) = (key::scope_of(key), key::event_of(key));
                rows.extend(id.map(|id| HistoryEntry {
                    received: record.received,
                    created: record.created,
                    scope,
                    id,
                }));
            }
            Ok(())
        })?;
        self.answer(&rows, next)
    }

    fn without_events(&self, after: &Option<String>) -> Result<Response, Failure> {
        let mut rows = Vec::new();
        let next = self.page(Table::Machine, after, |key, first| {
            let machine: Machine = stored::whole(&Committed(self.reader), key, first)?;
            for fact in machine.facts.iter().filter(|f| f.received <= self.until) {
                let Some(text) = record::without_event(machine.source.as_str(), &machine.id, fact)
                else {
                    continue;
                };
                // What was kept as an event is in their list.
                if Committed(self.reader)
                    .get(&key::event(machine.id.scope(), &fact.id))?
                    .is_none()
                {
                    rows.push(HistoryLine {
                        received: fact.received,
                        text: Some(text),
                    });
                }
            }
            rows.extend(self.words(&machine));
            Ok(())
        })?;
        self.answer(&rows, next)
    }

    fn machines(&self, after: &Option<String>) -> Result<Response, Failure> {
        let mut rows = Vec::new();
        let next = self.page(Table::Machine, after, |key, first| {
            let machine: Machine = stored::whole(&Committed(self.reader), key, first)?;
            if machine.facts.iter().any(|f| f.received <= self.until) {
                rows.push(machine.id.to_string());
            }
            Ok(())
        })?;
        self.answer(&rows, next)
    }

    /// What people said of a purchase's held work.
    fn words<'m>(&self, machine: &'m Machine) -> impl Iterator<Item = HistoryLine> + use<'m> {
        let until = self.until;
        let words = machine
            .actions
            .iter()
            .filter_map(|a| record::word(machine, a));
        words
            .filter(move |(at, _)| *at <= until)
            .map(|(received, text)| HistoryLine {
                received,
                text: Some(text),
            })
    }

    fn bodies(&self, events: &[(Scope, EventId)]) -> Result<Response, Failure> {
        let rows = events
            .iter()
            .take(BODIES_MAX)
            .filter_map(|(scope, id)| self.event(scope, id).transpose());
        self.answer(&rows.collect::<Result<Vec<_>, _>>()?, None)
    }

    /// An event's line; `None` where no event of that id is kept.
    fn event(&self, scope: &Scope, id: &EventId) -> Result<Option<HistoryLine>, RecordError> {
        let record: Option<EventRecord> =
            stored::get(&Committed(self.reader), &key::event(scope, id))?;
        Ok(record.map(|record| {
            let whole = body::unpack(&record.raw);
            let text = whole
                .and_then(|body| record::received(scope, &record.kind, record.received, &body));
            HistoryLine {
                received: record.received,
                text,
            }
        }))
    }

    fn only(&self, text: &str) -> Result<Response, Failure> {
        let id = resolve(self.context, text)?;
        let machine =
            view::machine(self.reader, &id)?.ok_or_else(|| no_machine(&id.to_string()))?;
        let (customer, _) = self.peers(&machine)?;
        self.answer(&[self.group(vec![machine], customer)?], None)
    }

    fn purchases(&self, after: &Option<String>) -> Result<Response, Failure> {
        let mut rows = Vec::new();
        let mut next = None;
        let mut len = 0;
        view::walk(self.reader, from(Table::Machine, after)?, |key, first| {
            let machine: Machine = stored::whole(&Committed(self.reader), key, first)?;
            let (customer, peers) = self.peers(&machine)?;
            if peers.first().is_none_or(|first| *first == machine.id) {
                let known = match &customer {
                    Some(customer) => view::customer(self.reader, machine.id.scope(), customer)?,
                    None => None,
                };
                let customer = known.filter(|c| c.at <= self.until);
                let mut machines = vec![machine];
                for peer in peers.iter().skip(1) {
                    machines.extend(view::machine(self.reader, peer)?);
                }
                let purchases = machines
                    .into_iter()
                    .map(|machine| packed(&Purchase::of(machine, self.until)))
                    .collect::<Vec<_>>();
                len += purchases.iter().map(String::len).sum::<usize>();
                rows.push(Purchases {
                    purchases,
                    customer: customer.as_ref().map(packed),
                });
            }
            if len >= PAGE_LEN || rows.len() >= ENTRIES_MAX {
                next = Some(key.to_vec());
            }
            Ok(next.is_none())
        })?;
        self.answer(&rows, next)
    }

    /// The customer of a machine, and all machines that are taken together with it, itself among them. None where it stands
    /// alone.
    fn peers(
        &self,
        machine: &Machine,
    ) -> Result<(Option<CustomerId>, Vec<MachineId>), RecordError> {
        let Some(customer) = machine.contact().customer else {
            return Ok((None, Vec::new()));
        };
        let range = key::under(Table::ByCustomer, machine.id.scope(), &[customer.as_str()]);
        let entries = Committed(self.reader).range(&range, PEERS_MAX)?;
        let peers = entries.iter().filter_map(|(k, _)| key::machine_of(k));
        // An entry may outlive its machine, which another one took over.
        let mut there = Vec::new();
        for peer in peers {
            if Committed(self.reader).get(&key::machine(&peer))?.is_some() {
                there.push(peer);
            }
        }
        let peers = there;
        Ok((
            Some(customer),
            if peers.contains(&machine.id) {
                peers
            } else {
                Vec::new()
            },
        ))
    }

    fn group(
        &self,
        machines: Vec<Machine>,
        customer: Option<CustomerId>,
    ) -> Result<HistoryGroup, RecordError> {
        let mut lines = Vec::new();
        for machine in &machines {
            let scope = machine.id.scope();
            for fact in machine.facts.iter().filter(|f| f.received <= self.until) {
                lines.push(match self.event(scope, &fact.id)? {
                    Some(line) => line,
                    None => {
                        let text =
                            record::without_event(scope.source().as_str(), &machine.id, fact);
                        HistoryLine {
                            received: fact.received,
                            text,
                        }
                    }
                });
            }
            lines.extend(self.words(machine));
        }
        if let (Some(customer), Some(machine)) = (customer, machines.first()) {
            let scope = machine.id.scope();
            let known =
                view::customer(self.reader, scope, &customer)?.filter(|c| c.at <= self.until);
            // Its own events are not kept by customer; a query says what they came to.
            lines.extend(known.map(|c| HistoryLine {
                received: c.at,
                text: record::customer(scope, &c),
            }));
        }
        lines.sort_by_key(|l| l.received);
        Ok(HistoryGroup {
            machines: machines.into_iter().map(|m| m.id.to_string()).collect(),
            lines,
        })
    }
}

/// What is stored, as text.
#[must_use]
pub fn packed<T: Encode<()>>(value: &T) -> String {
    BASE64.encode(stored::encode(value))
}

/// Reads what was packed as text.
///
/// # Errors
/// What is wrong with it.
pub fn unpacked<T: for<'b> Decode<'b, ()>>(text: &str) -> Result<T, String> {
    let bytes = BASE64.decode(text).map_err(|e| e.to_string())?;
    stored::decode(&bytes)
}

fn is_loose(record: &EventHead) -> bool {
    match &record.disposition {
        Disposition::Applied(Some(_)) => false,
        Disposition::Parked(_) => true,
        Disposition::Applied(None) | Disposition::Ignored(_) | Disposition::Unreadable(_) => {
            MAY_SELL.contains(&record.kind.as_str())
        }
    }
}

/// A table from its beginning, or from after the entry where a page ended.
pub(super) fn from(table: Table, after: &Option<String>) -> Result<KeyRange, Failure> {
    let mut range = KeyRange::prefix(&[table as u8]);
    if let Some(after) = after {
        let key = hex::decode(after).map_err(|_| Failure::input("that is no end of a page"))?;
        if key.first() != Some(&(table as u8)) {
            return Err(Failure::input("that is no end of a page"));
        }
        range.start = key;
        range.start.push(0);
    }
    Ok(range)
}
