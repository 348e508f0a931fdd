//! One purchase's page, and which purchases a text leads to.

use std::fmt::Display;

use super::context::{Context, no_machine, raw};
use super::failure::Failure;
use super::response::{Response, TimelineItem};
use crate::domain::action::ActionOutcome;
use crate::domain::context::Situation;
use crate::domain::id::{EventId, MachineId, Scope};
use crate::domain::lifecycle::Folded;
use crate::domain::machine::{Grant, Machine};
use crate::domain::outlook::outlook;
use crate::domain::summary;
use crate::domain::time::Timestamp;
use crate::engine::read::view::{self, EventView, Keys, MachineView};
use crate::engine::record::disposition::Disposition;
use crate::engine::record::{self, EventHead, key, server};
use crate::engine::write::working::Committed;

/// The purchases that a text leads to, as many as are shown.
pub(super) fn hits(context: &Context, text: &str) -> Result<Vec<MachineId>, Failure> {
    found(context, text, view::FOUND_MAX)
}

/// All of them, for an order that must leave none out.
pub(super) fn all_hits(context: &Context, text: &str) -> Result<Vec<MachineId>, Failure> {
    found(context, text, usize::MAX)
}

fn found(context: &Context, text: &str, max: usize) -> Result<Vec<MachineId>, Failure> {
    let reader = context.handle.reader();
    Ok(view::find(reader, &scopes(context)?, text, max)?)
}

/// Where ids are known: the sources, and the accounts connected to them.
pub(super) fn scopes(context: &Context) -> Result<Vec<Scope>, Failure> {
    let (rules, reader) = (context.handle.rules(), context.handle.reader());
    let mut scopes = Vec::new();
    for source in rules.sources.keys() {
        scopes.push(Scope::new(source.clone(), None));
        let accounts = server::accounts(reader, source)?.into_iter();
        scopes.extend(accounts.map(|a| Scope::new(source.clone(), Some(a))));
    }
    Ok(scopes)
}

/// The one purchase that a text leads to.
pub(super) fn resolve(context: &Context, text: &str) -> Result<MachineId, Failure> {
    let mut found = hits(context, text)?;
    match found.len() {
        0 => Err(unfound(context, text)),
        1 => Ok(found.remove(0)),
        n => Err(Failure::input(format!(
            "`{text}` leads to {n} purchases:{}",
            listed(&found)
        ))
        .hint("name one of them")),
    }
}

/// That a text leads to no purchase: where it is an event's id, what became of that; or that the store cannot be read.
pub(super) fn unfound(context: &Context, text: &str) -> Failure {
    match of_event(context, text) {
        Ok(Some(failure)) | Err(failure) => failure,
        Ok(None) => no_machine(text),
    }
}

/// What became of the event that a text names, as why there is no purchase to show.
fn of_event(context: &Context, text: &str) -> Result<Option<Failure>, Failure> {
    for scope in scopes(context)? {
        let entry = key::event(&scope, &EventId::from(text));
        let kept: Option<EventHead> = record::get(&Committed(context.handle.reader()), &entry)?;
        let Some(head) = kept else { continue };
        let became = match &head.disposition {
            Disposition::Parked(names) => format!(
                "waits for its purchase: none is known by {} yet",
                names.join(", ")
            ),
            Disposition::Applied(_) => {
                "belongs to no one purchase: it is a record of its own".to_owned()
            }
            Disposition::Ignored(_) | Disposition::Unreadable(_) => {
                let why = head.disposition.why_ignored().unwrap_or_default();
                format!("changed nothing: {why}")
            }
        };
        return Ok(Some(
            Failure::input(format!("the event `{text}` {became}")).hint(format!(
                "`keyward show --event {scope}/{text}` shows it as it came"
            )),
        ));
    }
    Ok(None)
}

/// What a text leads to, a line each.
pub(super) fn listed(found: &[impl Display]) -> String {
    let n = found.len();
    let list: Vec<_> = found.iter().take(5).map(|id| format!("\n  {id}")).collect();
    let more = if n > 5 {
        format!("\n  and {} more", n - 5)
    } else {
        String::new()
    };
    list.concat() + &more
}

/// Refuses where keys cannot be mailed once more: they must be there, and mail must be on.
pub(super) fn check_can_resend(context: &Context, id: &MachineId) -> Result<(), Failure> {
    let machine =
        view::machine(context.handle.reader(), id)?.ok_or_else(|| no_machine(&id.to_string()))?;
    if !machine.grants.iter().any(Grant::can_be_mailed) {
        return Err(
            Failure::input(format!("{id} has no key that could be mailed")).hint(format!(
                "`keyward show {id}` tells what became of its licenses"
            )),
        );
    }
    let rules = context.handle.rules();
    if rules
        .sources
        .get(&machine.source)
        .is_some_and(|s| !s.abilities.sends_mail)
    {
        return Err(Failure::input("mail is switched off")
            .hint("`transport` under [mail] in the config says how"));
    }
    Ok(())
}

struct Purchase {
    view: MachineView,
    folded: Folded,
    machine: Machine,
}

fn page(context: &Context, id: &MachineId, now: Timestamp) -> Result<Purchase, Failure> {
    let reader = context.handle.reader();
    let machine = view::machine(reader, id)?.ok_or_else(|| no_machine(&id.to_string()))?;
    let rules = context.handle.rules();
    let folded = machine.folded(&rules.revisions, now);
    let customer = match &folded.contact.customer {
        Some(customer) => view::customer(reader, machine.id.scope(), customer)?,
        None => None,
    };
    let on_record = customer.as_ref().and_then(|c| c.email.as_deref());
    let mut view = MachineView::of(&machine, &folded, on_record, now, Keys::Shown);
    view.status = Some(summary::status(
        &machine,
        &folded,
        &view::seats(&machine, &rules, now),
        now,
    ));
    Ok(Purchase {
        view,
        folded,
        machine,
    })
}

pub(super) fn find(context: &Context, text: &str) -> Result<Response, Failure> {
    let now = context.handle.clock().now();
    let pages = hits(context, text)?
        .into_iter()
        .map(|id| raw(&page(context, &id, now)?.view));
    Ok(Response::Found {
        machines: pages.collect::<Result<_, _>>()?,
    })
}

pub(super) fn show(context: &Context, text: &str) -> Result<Response, Failure> {
    let now = context.handle.clock().now();
    let Purchase {
        view,
        folded,
        machine,
    } = page(context, &resolve(context, text)?, now)?;
    let rules = context.handle.rules();
    let next = outlook(&Situation {
        machine: &machine,
        folded: &folded,
        due: &view::seats(&machine, &rules, now),
        revisions: &rules.revisions,
        now,
    });
    let next = next
        .into_iter()
        .map(|n| TimelineItem {
            at: n.at,
            what: n.to_string(),
        })
        .collect();
    let decisions = machine
        .facts
        .iter()
        .filter_map(|fact| Some((fact.at, fact.decision()?)));
    let decided = decisions
        .map(|(at, decision)| TimelineItem {
            at,
            what: decision.to_string(),
        })
        .collect();
    Ok(Response::Machine {
        view: raw(&view.with_history(&machine))?,
        decided,
        next,
    })
}

/// One event as it came: by its id, or with the source or account in front where several have it.
pub(super) fn event(context: &Context, text: &str) -> Result<Response, Failure> {
    let (scopes, id) = match text.rsplit_once('/') {
        Some((scope, id)) => (vec![Scope::of(scope)], id),
        None => (scopes(context)?, text),
    };
    let mut kept = view::events_of(context.handle.reader(), &scopes, id)?;
    let named = |view: &EventView| format!("{}/{id}", view.scope);
    if text != id {
        kept.retain(|(view, _)| named(view) == text);
    }
    if kept.len() > 1 {
        let all: Vec<String> = kept.iter().map(|(view, _)| named(view)).collect();
        return Err(Failure::input(format!(
            "`{id}` is the id of {} events:{}",
            all.len(),
            listed(&all)
        ))
        .hint("name one of them"));
    }
    let Some((view, body)) = kept.pop() else {
        return Err(Failure::input(format!("there is no event `{text}`"))
            .hint("`keyward show PURCHASE` lists a purchase's events, `keyward events` all"));
    };
    Ok(Response::Event {
        view: raw(&view)?,
        body,
    })
}

/// The purchase of an action that is there and in one of these conditions.
pub(super) async fn with_action(
    context: &Context,
    machine: &str,
    number: u32,
    conditions: &'static [ActionOutcome],
) -> Result<MachineId, Failure> {
    let text = machine.to_owned();
    context
        .read(move |context| {
            let id = resolve(context, &text)?;
            let kept = view::machine(context.handle.reader(), &id)?;
            let action = kept
                .iter()
                .flat_map(|m| &m.actions)
                .find(|a| a.id == number);
            match action {
                None => Err(Failure::input(format!("{id} has no action {number}"))
                    .hint("`keyward actions` lists them")),
                Some(a) if conditions.contains(&a.outcome) => Ok(id),
                Some(a) => Err(Failure::input(format!(
                    "{id}#{number} is {} already",
                    a.outcome.as_str()
                ))),
            }
        })
        .await
}
