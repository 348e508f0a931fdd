//! Lists without effects: events, refused deliveries, open actions, each the newest so many.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::context::{Context, raw};
use super::failure::Failure;
use super::request::EventFilter;
use super::response::Response;
use crate::domain::action::{Act, Action, ActionOutcome};
use crate::domain::adoption::may_have_key;
use crate::domain::awaited::Awaiting;
use crate::domain::change::Change;
use crate::domain::guard::name_of;
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::read::view::{self, EventView};
use crate::engine::record::key::Table;
use crate::engine::record::{self, RefusedRecord};
use crate::engine::route::awaited::Awaited;
use crate::engine::route::parked_query;
use crate::engine::write::working::Committed;
use crate::store::{Direction, KeyRange};

/// Rows in one list at most, so that a list of a large store stays within memory on both sides of the socket.
const ROWS_MAX: usize = 100_000;

/// Refused deliveries read from the store at once.
const PAGE: usize = 500;

/// Conditions that an operator wants to see.
pub(super) const OPEN: &[ActionOutcome] = &[
    ActionOutcome::Pending,
    ActionOutcome::Held,
    ActionOutcome::Refused,
];

/// What queries are asked of; the other services are those of licenses.
pub(super) const STRIPE: &str = "stripe";

pub(super) fn rows_max(limit: Option<u32>) -> usize {
    limit.map_or(ROWS_MAX, |n| {
        usize::try_from(n).unwrap_or(ROWS_MAX).min(ROWS_MAX)
    })
}

/// The newest rows of a list, by what they are ordered by, and how many more there are: of these none is made.
pub(super) struct NewestRows<K, T> {
    max: usize,
    pub(super) rows: BTreeMap<K, T>,
    pub(super) more: u64,
}

impl<K: Ord, T> NewestRows<K, T> {
    pub(super) fn new(limit: Option<u32>) -> Self {
        Self {
            max: rows_max(limit),
            rows: BTreeMap::new(),
            more: 0,
        }
    }

    pub(super) fn add(&mut self, key: K, row: impl FnOnce() -> T) {
        let oldest = self.rows.first_key_value();
        if self.rows.len() >= self.max && oldest.is_none_or(|(oldest, _)| key < *oldest) {
            self.more += 1;
            return;
        }
        self.rows.insert(key, row());
        if self.rows.len() > self.max {
            self.rows.pop_first();
            self.more += 1;
        }
    }
}

pub(super) fn events(
    context: &Context,
    which: Option<EventFilter>,
    limit: Option<u32>,
) -> Result<Response, Failure> {
    let mut newest: NewestRows<(Timestamp, String), EventView> = NewestRows::new(limit);
    view::events(context.handle.reader(), |event| {
        if which.is_none_or(|w| w.as_str() == event.disposition) {
            newest.add((event.received, event.event.clone()), || event);
        }
        true
    })?;
    let now = context.handle.clock().now();
    let rows = newest
        .rows
        .into_values()
        .map(|event| raw(&waited(context, event, now)?));
    Ok(Response::List {
        rows: rows.collect::<Result<_, _>>()?,
        more: newest.more,
    })
}

/// What there is to say of an event that waits: for how long, and how often Stripe was asked.
fn waited(context: &Context, mut event: EventView, now: Timestamp) -> Result<EventView, Failure> {
    if let Some(name) = event.waits_for.first() {
        event.age_s = Some((now - event.received).ms() / 1000);
        event.looked_up =
            parked_query::of(context.handle.reader(), &event.scope, name)?.map(|s| s.answered);
    }
    Ok(event)
}

/// A signed delivery that was no event.
#[derive(Clone, Debug, Serialize)]
struct RefusedRow {
    at: Timestamp,
    source: String,
    why: String,
    body: String,
}

pub(super) fn refused(context: &Context, limit: Option<u32>) -> Result<Response, Failure> {
    let max = rows_max(limit);
    let mut rows = VecDeque::new();
    let mut range = KeyRange::prefix(&[Table::Refused as u8]);
    let mut more = 0;
    loop {
        let page = context
            .handle
            .reader()
            .range(&range, Direction::Backward, PAGE);
        let page = page.map_err(|e| Failure::ours(e.to_string()))?;
        let Some((last, _)) = page.last() else { break };
        range.end.clone_from(last);
        for (_, value) in page {
            if rows.len() >= max {
                more += 1;
                continue;
            }
            let row = match record::decode::<RefusedRecord>(&value.bytes) {
                Ok(kept) => RefusedRow {
                    at: kept.at,
                    source: kept.source.to_string(),
                    why: kept.why.to_string(),
                    body: kept.excerpt,
                },
                Err(why) => RefusedRow {
                    at: Timestamp::from_ms(0),
                    source: "?".to_owned(),
                    why: format!("unreadable: {why}"),
                    body: String::new(),
                },
            };
            rows.push_front(raw(&row)?);
        }
    }
    Ok(Response::List {
        rows: rows.into(),
        more,
    })
}

/// An action, as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ActionRow<'a> {
    id: String,
    machine: String,
    service: &'a str,
    at: Timestamp,
    kind: &'static str,
    /// What it would change, beside what the license service was last seen to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<String>,
    seat: u32,
    outcome: &'static str,
    attempts: u32,
    error: Option<String>,
    next: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<HeldBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_at: Option<Timestamp>,
}

/// What an action waits for or failed by, in words: of an end that is held, what goes first.
pub(super) fn waits_because(
    context: &Context,
    awaited: &mut Awaited<'_>,
    action: &Action,
) -> Result<Option<String>, Failure> {
    let awaiting = awaiting(context, awaited, action)?.map(|awaiting| awaiting.to_string());
    let meant = may_have_key(awaited.machine(), action).map(|meant| meant.to_string());
    Ok(awaiting
        .or(meant)
        .or_else(|| action.waits_because())
        .or_else(|| awaited.machine().held.map(|flaw| flaw.to_string())))
}

/// The purchase that waits for the license which an action that is held ends.
pub(super) fn awaiting(
    context: &Context,
    awaited: &mut Awaited<'_>,
    action: &Action,
) -> Result<Option<Awaiting>, Failure> {
    if action.outcome != ActionOutcome::Held {
        return Ok(None);
    }
    let (rules, now) = (context.handle.rules(), context.handle.clock().now());
    Ok(awaited.by(action, &rules.revisions, now)?)
}

/// One action's row.
pub(super) fn row<'a>(
    context: &'a Context,
    awaited: &mut Awaited<'_>,
    action: &Action,
) -> Result<ActionRow<'a>, Failure> {
    let machine = awaited.machine();
    let is_held = action.outcome == ActionOutcome::Held;
    Ok(ActionRow {
        id: format!("{}#{}", machine.id, action.id),
        machine: machine.id.to_string(),
        service: if action.act.question().is_some() {
            STRIPE
        } else {
            service_of(context, machine)
        },
        at: action.at,
        kind: name_of(machine, action, context.handle.clock().now()),
        would: Change::of(machine, action).map(|change| change.to_string()),
        seat: action.license,
        outcome: action.outcome.as_str(),
        attempts: action.attempts,
        error: waits_because(context, awaited, action)?,
        next: (action.outcome == ActionOutcome::Pending && machine.held.is_none())
            .then_some(action.due),
        held_by: is_held
            .then(|| action.held.as_ref().map(Hold::by))
            .flatten(),
        // One that was held before the instant was kept, has been since it was decided.
        held_at: is_held.then_some(action.held_at.unwrap_or(action.at)),
    })
}

pub(super) fn service_of<'a>(context: &'a Context, machine: &Machine) -> &'a str {
    context
        .services
        .get(&machine.source)
        .copied()
        .unwrap_or("unknown")
}

pub(super) fn actions(context: &Context, limit: Option<u32>) -> Result<Response, Failure> {
    let mut newest = NewestRows::new(limit);
    let view = Committed(context.handle.reader());
    view::machines(context.handle.reader(), |machine| {
        let mut awaited = Awaited::new(&view, &machine);
        let open = |a: &&Action| OPEN.contains(&a.outcome) && !matches!(a.act, Act::Read { .. });
        for action in machine.actions.iter().filter(open) {
            newest.add((action.at, machine.id.clone(), action.id), || {
                row(context, &mut awaited, action).and_then(|row| raw(&row))
            });
        }
        true
    })?;
    Ok(Response::List {
        rows: newest.rows.into_values().collect::<Result<_, _>>()?,
        more: newest.more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_rows_are_kept_and_of_the_others_none_is_made_that_is_older() {
        for (limit, kept, more, made) in [
            (0, vec![], 4, 0),
            (2, vec![7, 9], 2, 3),
            (9, vec![1, 5, 7, 9], 0, 4),
        ] {
            let (mut newest, mut rows_made) = (NewestRows::new(Some(limit)), 0);
            for at in [5, 9, 7, 1] {
                newest.add(at, || rows_made += 1);
            }
            assert_eq!(newest.rows.into_keys().collect::<Vec<_>>(), kept);
            assert_eq!((newest.more, rows_made), (more, made), "{limit}");
        }
    }
}
