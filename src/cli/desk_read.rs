//! Answers without effects.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::value::RawValue;

use super::desk::{Coming, Desk, Response, What, Which};
use super::fail::Failure;
use crate::domain::action::{Act, Action, ActionOutcome};
use crate::domain::id::{MachineId, Scope, SourceName};
use crate::domain::lifecycle::Folded;
use crate::domain::machine::{Grant, Machine};
use crate::domain::outlook::outlook;
use crate::domain::summary;
use crate::domain::time::Timestamp;
use crate::engine::key::Table;
use crate::engine::record::{self, RefusedRecord};
use crate::engine::search;
use crate::engine::view::{self, EventView, Keys, MachineView};
use crate::store::{Direction, KeyRange};

/// Rows in one list at most, so that a list of a large store stays within memory on both sides of the socket.
const ROWS_MAX: usize = 100_000;
/// Refused deliveries read from the store at once.
const PAGE: usize = 500;

/// Conditions that an operator wants to see.
const OPEN: &[ActionOutcome] = &[
    ActionOutcome::Pending,
    ActionOutcome::Held,
    ActionOutcome::Refused,
];

pub(super) fn no_machine(text: &str) -> Failure {
    Failure::input(format!("there is no purchase `{text}`"))
        .hint("`keyward find` takes an e-mail address, a license key, or any id at Stripe")
}

fn rows_max(limit: Option<u32>) -> usize {
    limit.map_or(ROWS_MAX, |n| {
        usize::try_from(n).unwrap_or(ROWS_MAX).min(ROWS_MAX)
    })
}

pub(super) fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>, Failure> {
    serde_json::value::to_raw_value(value).map_err(|e| Failure::ours(e.to_string()))
}

fn hits(desk: &Desk, text: &str) -> Result<Vec<MachineId>, Failure> {
    let scopes: Vec<Scope> = desk
        .handle
        .rules()
        .sources
        .keys()
        .map(|s| Scope::new(s.clone(), None))
        .collect();
    Ok(view::find(desk.handle.reader(), &scopes, text)?)
}

/// The one purchase that a text leads to.
pub(super) fn resolve(desk: &Desk, text: &str) -> Result<MachineId, Failure> {
    let mut found = hits(desk, text)?;
    match found.len() {
        0 => Err(no_machine(text)),
        1 => Ok(found.remove(0)),
        n => {
            let list: Vec<_> = found.iter().take(5).map(|id| format!("\n  {id}")).collect();
            let more = if n > 5 {
                format!("\n  and {} more", n - 5)
            } else {
                String::new()
            };
            Err(Failure::input(format!(
                "`{text}` leads to {n} purchases:{}{more}",
                list.concat()
            ))
            .hint("name one of them"))
        }
    }
}

/// Whether keys can be mailed once more, where that is wanted: they must be there, and mail must be on.
pub(super) fn may(desk: &Desk, id: MachineId, resend: bool) -> Result<MachineId, Failure> {
    if !resend {
        return Ok(id);
    }
    let machine =
        view::machine(desk.handle.reader(), &id)?.ok_or_else(|| no_machine(&id.to_string()))?;
    if !machine.grants.iter().any(Grant::can_be_mailed) {
        return Err(
            Failure::input(format!("{id} has no key that could be mailed")).hint(format!(
                "`keyward show {id}` tells what became of its licenses"
            )),
        );
    }
    let rules = desk.handle.rules();
    if rules
        .sources
        .get(&machine.source)
        .is_some_and(|s| !s.abilities.sends_mail)
    {
        return Err(Failure::input("mail is switched off")
            .hint("`transport` under [mail] in the config says how"));
    }
    Ok(id)
}

struct Page {
    view: MachineView,
    folded: Folded,
    machine: Machine,
}

fn page(desk: &Desk, id: &MachineId, now: Timestamp) -> Result<Page, Failure> {
    let reader = desk.handle.reader();
    let machine = view::machine(reader, id)?.ok_or_else(|| no_machine(&id.to_string()))?;
    let rules = desk.handle.rules();
    let folded = machine.folded(&rules.revisions, now);
    let customer = match &folded.contact.customer {
        Some(customer) => view::customer(reader, machine.id.scope(), customer)?,
        None => None,
    };
    let on_record = customer.as_ref().and_then(|c| c.email.as_deref());
    let mut view = MachineView::of(&machine, on_record, &rules.revisions, now, Keys::Shown);
    view.status = Some(summary::status(
        &machine,
        &folded,
        &view::seats(&machine, &rules, now),
        now,
    ));
    Ok(Page {
        view,
        folded,
        machine,
    })
}

pub(super) fn find(desk: &Desk, text: &str) -> Result<Response, Failure> {
    let now = desk.handle.clock().now();
    let pages = hits(desk, text)?
        .into_iter()
        .map(|id| raw(&page(desk, &id, now)?.view));
    Ok(Response::Found {
        machines: pages.collect::<Result<_, _>>()?,
    })
}

pub(super) fn show(desk: &Desk, text: &str) -> Result<Response, Failure> {
    let now = desk.handle.clock().now();
    let Page {
        view,
        folded,
        machine,
    } = page(desk, &resolve(desk, text)?, now)?;
    let rules = desk.handle.rules();
    let next = outlook(
        &machine,
        &folded,
        &view::seats(&machine, &rules, now),
        &rules.revisions,
        now,
    );
    let next = next
        .into_iter()
        .map(|n| Coming {
            at: n.at,
            what: n.to_string(),
        })
        .collect();
    let decisions = machine
        .facts
        .iter()
        .filter_map(|fact| Some((fact.at, fact.decision()?)));
    let decided = decisions
        .map(|(at, decision)| Coming {
            at,
            what: decision.to_string(),
        })
        .collect();
    Ok(Response::Machine {
        view: raw(&view)?,
        decided,
        next,
    })
}

pub(super) fn events(
    desk: &Desk,
    which: Option<Which>,
    limit: Option<u32>,
) -> Result<Response, Failure> {
    let max = rows_max(limit);
    let mut newest: BTreeMap<(Timestamp, String), EventView> = BTreeMap::new();
    let mut more = 0;
    view::events(desk.handle.reader(), |event| {
        if which.is_none_or(|w| w.as_str() == event.disposition) {
            newest.insert((event.received, event.event.clone()), event);
            if newest.len() > max {
                newest.pop_first();
                more += 1;
            }
        }
        true
    })?;
    let now = desk.handle.clock().now();
    let rows = newest
        .into_values()
        .map(|event| raw(&waited(desk, event, now)?));
    Ok(Response::List {
        rows: rows.collect::<Result<_, _>>()?,
        more,
    })
}

/// What there is to say of an event that waits: for how long, and how often Stripe was asked.
fn waited(desk: &Desk, mut event: EventView, now: Timestamp) -> Result<EventView, Failure> {
    if let Some(name) = event.waits_for.first() {
        event.age_s = Some((now - event.received).ms() / 1000);
        event.looked_up = search::of(desk.handle.reader(), &event.scope, name)?.map(|s| s.answered);
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

pub(super) fn refused(desk: &Desk, limit: Option<u32>) -> Result<Response, Failure> {
    let max = rows_max(limit);
    let mut rows = VecDeque::new();
    let mut range = KeyRange::prefix(&[Table::Refused as u8]);
    let mut more = 0;
    loop {
        let page = desk
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
            let kept = record::decode(&value.bytes).unwrap_or_else(|e| RefusedRecord {
                at: Timestamp::from_ms(0),
                source: SourceName::from("?"),
                why: format!("unreadable: {e}"),
                excerpt: String::new(),
            });
            let RefusedRecord {
                at,
                source,
                why,
                excerpt,
            } = kept;
            rows.push_front(raw(&RefusedRow {
                at,
                source: source.to_string(),
                why,
                body: excerpt,
            })?);
        }
    }
    Ok(Response::List {
        rows: rows.into(),
        more,
    })
}

/// An action, as lists show it.
#[derive(Clone, Debug, Serialize)]
struct ActionRow<'a> {
    id: String,
    machine: String,
    service: &'a str,
    at: Timestamp,
    kind: &'static str,
    seat: u32,
    outcome: &'static str,
    attempts: u32,
    error: Option<String>,
    next: Option<Timestamp>,
}

/// What an action waits for or failed by, in words.
fn waits_because(machine: &Machine, action: &Action) -> Option<String> {
    let held = || action.held.as_ref().map(ToString::to_string);
    action
        .why()
        .or_else(held)
        .or_else(|| machine.held.map(|flaw| flaw.to_string()))
}

fn service_of<'a>(desk: &'a Desk, machine: &Machine) -> &'a str {
    desk.services
        .get(&machine.source)
        .copied()
        .unwrap_or("unknown")
}

/// What look-ups are asked of; the other services are those of licenses.
pub(super) const STRIPE: &str = "stripe";

pub(super) fn actions(desk: &Desk, limit: Option<u32>) -> Result<Response, Failure> {
    let max = rows_max(limit);
    let mut newest = BTreeMap::new();
    let mut more = 0;
    view::machines(desk.handle.reader(), |machine| {
        let open = |a: &&Action| OPEN.contains(&a.outcome) && !matches!(a.act, Act::Read { .. });
        for action in machine.actions.iter().filter(open) {
            let row = raw(&ActionRow {
                id: format!("{}#{}", machine.id, action.id),
                machine: machine.id.to_string(),
                service: if action.act.question().is_some() {
                    STRIPE
                } else {
                    service_of(desk, &machine)
                },
                at: action.at,
                kind: action.act.as_str(),
                seat: action.license,
                outcome: action.outcome.as_str(),
                attempts: action.attempts,
                error: waits_because(&machine, action),
                next: (action.outcome == ActionOutcome::Pending && machine.held.is_none())
                    .then_some(action.due),
            });
            newest.insert((action.at, machine.id.clone(), action.id), row);
            if newest.len() > max {
                newest.pop_first();
                more += 1;
            }
        }
        true
    })?;
    Ok(Response::List {
        rows: newest.into_values().collect::<Result<_, _>>()?,
        more,
    })
}

/// The open actions that an order is about, by purchase.
pub(super) fn to_retry(desk: &Desk, what: &What) -> Result<BTreeMap<MachineId, Vec<u32>>, Failure> {
    let concerns = |m: &Machine, a: &Action| match what {
        What::Service(service) if a.act.question().is_some() => service == STRIPE,
        What::Service(service) => service_of(desk, m) == service,
        What::All | What::Id(_) => true,
    };
    let open = |m: &Machine| -> Vec<u32> {
        m.actions
            .iter()
            .filter(|a| OPEN.contains(&a.outcome) && concerns(m, a))
            .map(|a| a.id)
            .collect()
    };
    if let What::Id(id) = what {
        let id = resolve(desk, id)?;
        let machine =
            view::machine(desk.handle.reader(), &id)?.ok_or_else(|| no_machine(&id.to_string()))?;
        let numbers = open(&machine);
        if numbers.is_empty() {
            return Err(Failure::input(format!(
                "nothing waits or was refused for {id}"
            )));
        }
        return Ok([(id, numbers)].into());
    }
    let mut out = BTreeMap::new();
    view::machines(desk.handle.reader(), |machine| {
        let numbers = open(&machine);
        if !numbers.is_empty() {
            out.insert(machine.id, numbers);
        }
        true
    })?;
    Ok(out)
}
