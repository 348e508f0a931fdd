//! What `erase` asks: the purchases of a customer and the events that name them, and the order to take the person out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::context::{Context, decision_id, raw};
use super::failure::Failure;
use super::payload::{EraseOrder, EraseQuery};
use super::read;
use super::response::Response;
use crate::domain::contact::normal_address;
use crate::domain::decision::{Decision, Verb};
use crate::domain::erasure::addresses;
use crate::domain::fact::Fact;
use crate::domain::id::{CustomerId, EventId, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::status::PurchaseStatus;
use crate::domain::summary;
use crate::domain::words::counted;
use crate::effects::sign_in::SignOut;
use crate::engine::input::{ErasedBody, Erasure, Input};
use crate::engine::read::view;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self as stored, EventRecord, body_codec};
use crate::engine::write::working::Committed;
use crate::sim::redact::without_person;
use crate::store::KeyRange;

/// Bodies of events that share a batch.
const BODIES_AT_ONCE: usize = 50;

/// What is to be erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasePlan {
    pub applied: bool,
    /// The purchases.
    pub purchases: Vec<EraseRow>,
    /// How many events name the customer.
    pub events: usize,
}

/// A purchase of the customer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseRow {
    pub machine: MachineId,
    pub status: String,
    /// Whether it goes on: then nothing is erased, for its customer is still to be reached.
    pub runs: bool,
}

/// What is known of a customer.
struct Person {
    machines: Vec<(Machine, PurchaseStatus)>,
    /// Who they are at Stripe.
    customers: BTreeSet<(Scope, CustomerId)>,
    /// What events name them by.
    names: BTreeSet<String>,
}

/// Answers what `keyward erase` asks.
pub(super) async fn answer(
    context: &Context,
    sign_out: Option<&SignOut>,
    query: EraseQuery,
) -> Result<Response, Failure> {
    let who = query.who.clone();
    let (mut plan, bodies, customers, names) = context
        .read(move |context| {
            let person = person(context, &who)?;
            let bodies = bodies(context, &person)?;
            let plan = plan(&person, bodies.len());
            Ok((plan, bodies, person.customers, person.names))
        })
        .await?;
    if let Some(order) = query.order {
        apply(context, &plan, bodies, order).await?;
        for (scope, customer) in &customers {
            context.handle.forget_customer(scope, customer).await?;
        }
        if let Some(sign_out) = sign_out {
            names.iter().for_each(|name| sign_out(name));
        }
        plan.applied = true;
    }
    Ok(Response::List {
        rows: vec![raw(&plan)?],
        more: 0,
    })
}

fn plan(person: &Person, events: usize) -> ErasePlan {
    let row = |(machine, status): &(Machine, PurchaseStatus)| EraseRow {
        machine: machine.id.clone(),
        status: status.to_string(),
        runs: goes_on(machine, *status),
    };
    ErasePlan {
        applied: false,
        purchases: person.machines.iter().map(row).collect(),
        events,
    }
}

/// Whether a purchase's customer is still to be reached: a subscription that is not over.
fn goes_on(machine: &Machine, status: PurchaseStatus) -> bool {
    let renews = machine.kind == crate::domain::lifecycle::Kind::Subscription;
    renews && (status.runs() || status == PurchaseStatus::Ending)
}

async fn apply(
    context: &Context,
    plan: &ErasePlan,
    bodies: Vec<ErasedBody>,
    order: EraseOrder,
) -> Result<(), Failure> {
    if let Some(row) = plan.purchases.iter().find(|row| row.runs) {
        return Err(Failure::input(format!(
            "{} is a subscription that is not over: nothing was erased",
            row.machine
        ))
        .hint("cancel it at Stripe first; its customer is still to be reached"));
    }
    if plan.purchases.len() != order.expect {
        return Err(Failure::input(format!(
            "{}, not {}: nothing was erased",
            counted(
                plan.purchases.len(),
                "purchase is to erase",
                "purchases are to erase"
            ),
            order.expect
        ))
        .hint("look at `keyward erase` again, and give its number"));
    }
    // The bodies first: once the purchases name nobody any more, nothing leads to the events.
    let mut rest = bodies;
    while !rest.is_empty() {
        let some = rest.split_off(rest.len().saturating_sub(BODIES_AT_ONCE));
        let input = Input::Erase(Box::new(Erasure::Bodies(some)));
        context.handle.submit_waiting(input).await?;
    }
    let at = context.handle.clock().now();
    for row in &plan.purchases {
        let decision = Decision {
            verb: Verb::Erase,
            author: order.author.clone(),
            reason: order.reason.clone(),
        };
        let decision = Fact::decided(EventId::new(decision_id(at)), &decision, at, at);
        let decision = Box::new(decision);
        let machine = row.machine.clone();
        let erasure = Erasure::Purchase { machine, decision };
        let input = Input::Erase(Box::new(erasure));
        context.submit(&row.machine, input).await?;
    }
    Ok(())
}

/// The customer's purchases: those that the text leads to, and those of the same customers at Stripe.
fn person(context: &Context, who: &str) -> Result<Person, Failure> {
    let (reader, now) = (context.handle.reader(), context.handle.clock().now());
    let rules = context.handle.rules();
    let hits = read::all_hits(context, who)?;
    let scopes: BTreeSet<&Scope> = hits.iter().map(MachineId::scope).collect();
    // An address is one person's everywhere; an id is somebody else's in each account.
    if scopes.len() > 1 && !who.contains('@') {
        return Err(Failure::input(format!(
            "`{who}` leads to purchases of several accounts:{}",
            read::listed(&hits)
        ))
        .hint("name one of them"));
    }
    let mut ids: BTreeSet<MachineId> = hits.into_iter().collect();
    let mut customers: BTreeSet<(Scope, CustomerId)> = BTreeSet::new();
    for id in &ids {
        if let Some(machine) = view::machine(reader, id)?
            && let Some(customer) = machine.customer()
        {
            customers.insert((id.scope().clone(), customer.clone()));
        }
    }
    let mut names = BTreeSet::new();
    for (scope, customer) in &customers {
        ids.extend(view::of_customer(reader, scope, customer)?);
        let kept = view::customer(reader, scope, customer)?;
        names.extend(kept.and_then(|c| c.email).map(|e| normal_address(&e)));
        names.insert(customer.as_str().to_lowercase());
    }
    let mut machines = Vec::new();
    for id in ids {
        if let Some(machine) = view::machine(reader, &id)? {
            names.extend(addresses(&machine));
            let folded = machine.folded(&rules.revisions, now);
            let should = view::seats(&machine, &rules, now);
            let status = summary::status(&machine, &folded, &should, now);
            machines.push((machine, status));
        }
    }
    if machines.is_empty() {
        return Err(super::context::no_machine(who));
    }
    Ok(Person {
        machines,
        customers,
        names,
    })
}

/// A body in lower case. Most hold nothing but ASCII, which takes a tenth of the time.
fn lower(body: &[u8]) -> String {
    let ascii = body.is_ascii().then(|| body.to_ascii_lowercase());
    ascii
        .and_then(|ascii| String::from_utf8(ascii).ok())
        .unwrap_or_else(|| String::from_utf8_lossy(body).to_lowercase())
}

/// The bodies that name the customer, without them. Every event is looked at: also those that belong to no purchase.
fn bodies(context: &Context, person: &Person) -> Result<Vec<ErasedBody>, Failure> {
    let own: BTreeSet<&EventId> = person
        .machines
        .iter()
        .flat_map(|(machine, _)| machine.facts.iter().map(|f| &f.id))
        .collect();
    let (reader, mut found) = (context.handle.reader(), Vec::new());
    let all = KeyRange::prefix(&[Table::Event as u8]);
    view::walk(reader, all, |entry, first| {
        let Some(event) = key::event_of(entry) else {
            return Ok(true);
        };
        let kept: EventRecord = stored::whole(&Committed(reader), entry, first)?;
        let Some(body) = body_codec::unpack(&kept.raw) else {
            return Ok(true);
        };
        let names = own.contains(&event) || {
            let text = lower(&body);
            person.names.iter().any(|name| text.contains(name.as_str()))
        };
        if names
            && let Some(without) = without_person(&body)
            && without.len() < body.len()
        {
            found.push(ErasedBody {
                scope: key::scope_of(entry),
                event,
                raw: body_codec::pack(&without),
            });
        }
        Ok(true)
    })?;
    Ok(found)
}
