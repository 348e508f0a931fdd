//! One purchase's page, and which purchases a text leads to.

use super::context::{Context, no_machine, raw};
use super::failure::Failure;
use super::response::{Coming, Response};
use crate::domain::id::{MachineId, Scope};
use crate::domain::lifecycle::Folded;
use crate::domain::machine::{Grant, Machine};
use crate::domain::outlook::outlook;
use crate::domain::summary;
use crate::domain::time::Timestamp;
use crate::engine::read::view::{self, Keys, MachineView};

fn hits(context: &Context, text: &str) -> Result<Vec<MachineId>, Failure> {
    let scopes: Vec<Scope> = context
        .handle
        .rules()
        .sources
        .keys()
        .map(|s| Scope::new(s.clone(), None))
        .collect();
    Ok(view::find(context.handle.reader(), &scopes, text)?)
}

/// The one purchase that a text leads to.
pub(super) fn resolve(context: &Context, text: &str) -> Result<MachineId, Failure> {
    let mut found = hits(context, text)?;
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
pub(super) fn may(context: &Context, id: MachineId, resend: bool) -> Result<MachineId, Failure> {
    if !resend {
        return Ok(id);
    }
    let machine =
        view::machine(context.handle.reader(), &id)?.ok_or_else(|| no_machine(&id.to_string()))?;
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
    Ok(id)
}

struct Page {
    view: MachineView,
    folded: Folded,
    machine: Machine,
}

fn page(context: &Context, id: &MachineId, now: Timestamp) -> Result<Page, Failure> {
    let reader = context.handle.reader();
    let machine = view::machine(reader, id)?.ok_or_else(|| no_machine(&id.to_string()))?;
    let rules = context.handle.rules();
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
    let Page {
        view,
        folded,
        machine,
    } = page(context, &resolve(context, text)?, now)?;
    let rules = context.handle.rules();
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
