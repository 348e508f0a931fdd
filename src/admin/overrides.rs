//! What a customer has of their own: ordered for the customer whom a text leads to, or decided for a purchase without one.

use std::collections::BTreeSet;

use super::context::{Context, decision_id, no_machine, to_come};
use super::failure::Failure;
use super::payload::OverrideOrder;
use super::read;
use super::response::{Changed, Response};
use super::standing::give;
use crate::domain::decision::{Decision, Verb};
use crate::domain::id::{CustomerId, EventId, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::standing::Standing;
use crate::engine::input::Input;
use crate::engine::read::view;

impl OverrideOrder {
    fn verb(self) -> Verb {
        match self {
            Self::Give { values, until } => Verb::Override { values, until },
            Self::End => Verb::EndOverride,
        }
    }

    fn standing(self, scope: Scope, customer: CustomerId) -> Standing {
        match self {
            Self::Give { values, until } => Standing::Override {
                scope,
                customer,
                values,
                until,
            },
            Self::End => Standing::EndOverride { scope, customer },
        }
    }
}

/// Whom a text means, with what they bought.
struct Meant {
    customer: Option<(Scope, CustomerId)>,
    machines: Vec<MachineId>,
    /// Whether anything of their own is in force.
    overridden: bool,
}

/// Gives the order.
pub(super) async fn order(
    context: &Context,
    whom: String,
    what: OverrideOrder,
    author: String,
    reason: String,
) -> Result<Response, Failure> {
    let verb = what.clone().verb();
    to_come(verb.until(), context.handle.clock().now())?;
    let meant = context.read(move |context| meant(context, &whom)).await?;
    if what == OverrideOrder::End && !meant.overridden {
        return Err(
            Failure::input("there is nothing to end: the plan's policy counts")
                .hint(
                    "`keyward why ID` says which values are the customer's own, `keyward show ID` what was decided when",
                ),
        );
    }
    match meant.customer {
        Some((scope, customer)) => {
            give(context, what.standing(scope, customer), author, reason).await?;
            let wake = |machine: &MachineId| {
                let input = Input::WakeUp {
                    machine: machine.clone(),
                };
                (machine.clone(), input)
            };
            context
                .submit_all(meant.machines.iter().map(wake).collect())
                .await?;
        }
        // A purchase without a customer is nobody else's: it is decided for it alone.
        None => decide(context, &meant.machines, verb, author, reason).await?,
    }
    Ok(Response::Changed(Changed {
        machines: meant.machines.iter().map(ToString::to_string).collect(),
        ..Changed::default()
    }))
}

async fn decide(
    context: &Context,
    machines: &[MachineId],
    verb: Verb,
    author: String,
    reason: String,
) -> Result<(), Failure> {
    let at = context.handle.clock().now();
    let decision = Decision {
        verb,
        author,
        reason,
    };
    for machine in machines {
        let input = Input::Decision {
            machine: machine.clone(),
            id: EventId::new(decision_id(at)),
            decision: decision.clone(),
            at,
        };
        context.submit(machine, input).await?;
    }
    Ok(())
}

fn meant(context: &Context, text: &str) -> Result<Meant, Failure> {
    let hits = read::all_hits(context, text)?;
    let reader = context.handle.reader();
    let mut found: Vec<Machine> = Vec::new();
    for id in &hits {
        found.extend(view::machine(reader, id)?);
    }
    let of = |m: &Machine| Some((m.id.scope().clone(), m.customer()?.clone()));
    let customers: BTreeSet<Option<(Scope, CustomerId)>> = found.iter().map(of).collect();
    let mut customers = customers.into_iter();
    let customer = match (customers.next(), customers.next(), found.len()) {
        (None, ..) => return Err(no_machine(text)),
        (Some(customer @ Some(_)), None, _) | (Some(customer @ None), None, 1) => customer,
        (Some(_), ..) => {
            return Err(Failure::input(format!(
                "`{text}` leads to purchases of several customers:{}",
                read::listed(&hits)
            ))
            .hint("name one of them, or a customer by an id like cus_123"));
        }
    };
    if let Some((scope, customer)) = &customer {
        found = bought_by(context, scope, customer)?;
    }
    let now = context.handle.clock().now();
    let rules = context.handle.rules();
    let overridden = |m: &Machine| {
        let decided = m.folded(&rules.revisions, now).decided;
        decided.overrides.iter().any(|o| o.is_in_force(now))
    };
    Ok(Meant {
        overridden: found.iter().any(overridden),
        machines: found.into_iter().map(|m| m.id).collect(),
        customer,
    })
}

/// All that a customer bought.
fn bought_by(
    context: &Context,
    scope: &Scope,
    customer: &CustomerId,
) -> Result<Vec<Machine>, Failure> {
    let (reader, mut found) = (context.handle.reader(), Vec::new());
    for id in view::of_customer(reader, scope, customer)? {
        // An entry may outlive its machine, or its machine's customer.
        let machine = view::machine(reader, &id)?;
        found.extend(machine.filter(|m| m.customer() == Some(customer)));
    }
    Ok(found)
}
