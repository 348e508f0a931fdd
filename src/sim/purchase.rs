//! A purchase as a store knows it, in lines to be replayed: its facts stand for the events that told them, so that no body is
//! read again, and none is missing whose body is not kept any more.

use minicbor::{Decode, Encode};

use super::history::Line;
use crate::domain::customer::Customer;
use crate::domain::fact::{Fact, FactBody};
use crate::domain::id::{EventId, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::input::{Delivery, EventPayload, Input};

/// What a purchase is replayed from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Purchase {
    /// The purchase.
    #[n(0)]
    pub id: MachineId,
    /// Its mode.
    #[n(1)]
    pub livemode: Option<bool>,
    /// What was said about it, in the order of arrival.
    #[n(2)]
    pub facts: Vec<Fact>,
}

impl Purchase {
    /// What was known of a machine at an instant.
    #[must_use]
    pub fn of(machine: Machine, until: Timestamp) -> Self {
        let mut facts = machine.facts;
        facts.retain(|fact| fact.received <= until);
        Self {
            id: machine.id,
            livemode: machine.livemode,
            facts,
        }
    }

    fn line(id: &MachineId, livemode: Option<bool>, fact: Fact) -> Line {
        let received = fact.received;
        let input = match fact.body {
            FactBody::Decision(decision) => Input::Decision {
                machine: id.clone(),
                id: fact.id,
                decision: *decision,
                at: fact.at,
            },
            FactBody::Session(_)
            | FactBody::Subscription(_)
            | FactBody::Invoice(_)
            | FactBody::Payment(_)
            | FactBody::Charge(_)
            | FactBody::Refund(_)
            | FactBody::Dispute(_)
            | FactBody::FraudWarning(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_) => Input::Delivery(Box::new(Delivery {
                source: id.source().clone(),
                id: fact.id.clone(),
                kind: fact.kind.clone(),
                created: fact.at,
                livemode,
                account: id.scope().account().cloned(),
                payload: EventPayload::Fact(Box::new(fact)),
                raw: Vec::new(),
                received,
            })),
        };
        Line { received, input }
    }
}

/// The lines of purchases that are played together, with what is known of their customer, in the order of receipt.
#[must_use]
pub fn lines(purchases: Vec<Purchase>, customer: Option<(&Scope, Customer)>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Purchase {
        id,
        livemode,
        facts,
    } in purchases
    {
        lines.extend(
            facts
                .into_iter()
                .map(|fact| Purchase::line(&id, livemode, fact)),
        );
    }
    lines.extend(customer.map(|(scope, customer)| of_customer(scope, customer)));
    lines.sort_by_key(|line| line.received);
    lines
}

/// What is known of a customer, as a query would have said it.
fn of_customer(scope: &Scope, customer: Customer) -> Line {
    let at = customer.at;
    let delivery = Delivery {
        source: scope.source().clone(),
        id: EventId::new(format!("lookup_{}", customer.id)),
        kind: "lookup.customer".to_owned(),
        created: at,
        livemode: customer.livemode,
        account: scope.account().cloned(),
        payload: EventPayload::Customer(customer),
        raw: Vec::new(),
        received: at,
    };
    Line {
        received: at,
        input: Input::Delivery(Box::new(delivery)),
    }
}
