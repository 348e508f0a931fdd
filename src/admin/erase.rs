//! What `erase` asks: the purchases of a customer and the events that name them, and the order to take the person out.

mod bodies;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::context::{Context, decision_id, raw};
use super::failure::Failure;
use super::payload::{EraseOrder, EraseQuery};
use super::read;
use super::response::Response;
use crate::domain::contact::normal_address;
use crate::domain::decision::{Decision, Verb};
use crate::domain::erasure::{addresses, names};
use crate::domain::fact::Fact;
use crate::domain::id::{CustomerId, EventId, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::status::PurchaseStatus;
use crate::domain::summary;
use crate::domain::words::counted;
use crate::effects::sign_in::SignOut;
use crate::engine::input::{ErasedBody, Erasure, Input};
use crate::engine::read::view;
use crate::sim::redact::Names;
use bodies::bodies;

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
    /// What leads to them: ids of theirs and addresses, in lower case.
    leads: BTreeSet<String>,
    /// What they are called.
    names: Names,
}

/// Answers what `keyward erase` asks.
pub(super) async fn answer(
    context: &Context,
    sign_out: Option<&SignOut>,
    query: EraseQuery,
) -> Result<Response, Failure> {
    let who = query.who.clone();
    let (mut plan, bodies, customers, leads) = context
        .read(move |context| {
            let mut person = person(context, &who)?;
            let bodies = bodies(context, &mut person)?;
            let plan = plan(&person, bodies.len());
            Ok((plan, bodies, person.customers, person.leads))
        })
        .await?;
    if let Some(order) = query.order {
        apply(context, &plan, bodies, order).await?;
        for (scope, customer) in &customers {
            context.handle.forget_customer(scope, customer).await?;
        }
        if let Some(sign_out) = sign_out {
            leads.iter().for_each(|lead| sign_out(lead));
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
    let (mut leads, mut called) = (BTreeSet::new(), Names::default());
    for (scope, customer) in &customers {
        ids.extend(view::of_customer(reader, scope, customer)?);
        if let Some(kept) = view::customer(reader, scope, customer)? {
            leads.extend(kept.email.map(|e| normal_address(&e)));
            kept.name.iter().for_each(|name| called.add(name));
        }
        leads.insert(customer.as_str().to_lowercase());
    }
    let mut machines = Vec::new();
    for id in ids {
        if let Some(machine) = view::machine(reader, &id)? {
            leads.extend(addresses(&machine));
            names(&machine).iter().for_each(|name| called.add(name));
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
        leads,
        names: called,
    })
}
