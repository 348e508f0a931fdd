//! A fact as a purchase's page lists it.

use serde::Serialize;

use crate::domain::decision::Decision;
use crate::domain::fact::order::canonical;
use crate::domain::fact::{Fact, FactBody};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;

/// Something that was said about a purchase.
#[derive(Clone, Debug, Serialize)]
pub struct FactView {
    /// The event's id, or the decision's.
    pub event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was so.
    pub at: Timestamp,
    /// When we heard of it.
    pub received: Timestamp,
    /// The object that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// An amount of money, in the currency's minor unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// The currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// All of a purchase, in the order in which they count.
pub(super) fn views(machine: &Machine) -> Vec<FactView> {
    canonical(&machine.facts).into_iter().map(view).collect()
}

/// What a person decided about a purchase.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionView {
    /// The decision's id, as among the facts.
    pub event: String,
    /// When it was decided.
    pub at: Timestamp,
    /// Who decided it; empty: nobody is named.
    pub author: String,
    /// The reason that was given.
    pub reason: String,
    /// What, in the words of the timeline.
    pub what: String,
}

/// The decisions about a purchase, in the order in which they count.
pub(super) fn decisions(machine: &Machine) -> Vec<DecisionView> {
    let facts = canonical(&machine.facts).into_iter();
    let decided = facts.filter_map(|fact| Some((fact, fact.decision()?)));
    let view = |(fact, decision): (&Fact, &Decision)| DecisionView {
        event: fact.id.to_string(),
        at: fact.at,
        author: decision.author.clone(),
        reason: decision.reason.clone(),
        what: decision.verb.to_string(),
    };
    decided.map(view).collect()
}

fn view(fact: &Fact) -> FactView {
    let (object, money) = about(fact);
    let (amount, currency) = money.unzip();
    FactView {
        event: fact.id.to_string(),
        kind: fact.kind.clone(),
        at: fact.at,
        received: fact.received,
        object,
        amount,
        currency,
    }
}

/// What a fact is about, and the money that it tells of.
fn about(fact: &Fact) -> (Option<String>, Option<(i64, String)>) {
    match &fact.body {
        FactBody::Session(s) => {
            let money = s.amount.zip(s.currency.clone());
            (Some(s.id.to_string()), money)
        }
        FactBody::Subscription(s) => (Some(s.id.to_string()), None),
        FactBody::Invoice(i) => (Some(i.id.to_string()), Some((i.total, i.currency.clone()))),
        FactBody::Payment(p) => {
            let invoice = p.invoice.as_ref().map(ToString::to_string);
            let charge = || p.charge.as_ref().map(ToString::to_string);
            (invoice.or_else(charge), None)
        }
        FactBody::Charge(c) => (Some(c.id.to_string()), None),
        FactBody::Refund(r) => (r.charge.as_ref().map(ToString::to_string), None),
        FactBody::Dispute(d) => (d.charge.as_ref().map(ToString::to_string), None),
        FactBody::FraudWarning(w) => (w.charge.as_ref().map(ToString::to_string), None),
        FactBody::LineItems(l) => (Some(l.session.to_string()), None),
        FactBody::Items(i) => (Some(i.subscription.to_string()), None),
        FactBody::Decision(_) => (None, None),
    }
}
