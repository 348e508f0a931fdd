//! Which machine a fact belongs to.
//!
//! A fact names objects; links lead from names to machines. What cannot be linked yet is parked under each of its names
//! and claimed by the machine that first gets one of them, through several links too.

use super::disposition::Reason;
use super::key;
use super::record::{RecordError, View};
use crate::domain::fact::{Fact, InvoiceEvent, Name, Says, SessionMode};
use crate::domain::id::{MachineId, ObjectId, ObjectKind, Scope};
use crate::domain::lifecycle::Kind;
use crate::domain::revision::Revisions;

/// Where a fact goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To this machine, which may not exist yet.
    To {
        /// The machine.
        machine: MachineId,
        /// What it is.
        kind: Kind,
        /// A machine of the session's own invoice, to be taken over.
        takes_over: Option<MachineId>,
    },
    /// Nowhere yet.
    Wait {
        /// The names it waits for.
        names: Vec<String>,
        /// What it counts as meanwhile.
        counts: Meanwhile,
    },
    /// Nowhere, ever.
    Nowhere(Reason),
}

/// What an event counts as that no machine has claimed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meanwhile {
    /// It waits for its machine.
    Parked,
    /// A mere link between names: a record of its own.
    Link,
    /// Nothing, because.
    Ignored(Reason),
}

/// Finds a fact's machine.
///
/// # Errors
/// The store's.
pub(super) fn route(view: &dyn View, scope: &Scope, fact: &Fact, revisions: &Revisions) -> Result<Route, RecordError> {
    let linked = || -> Result<Option<MachineId>, RecordError> {
        for name in fact.names() {
            if let Some(machine) = named(view, scope, &name)? {
                return Ok(Some(machine));
            }
        }
        Ok(None)
    };
    match &fact.says {
        Says::Session(s) => match (s.mode, &s.subscription) {
            (SessionMode::Payment, _) => {
                let machine = machine_id(scope, s.id.as_str());
                let takes_over = invoice_machine(view, scope, fact)?;
                Ok(Route::To { machine, kind: Kind::Payment, takes_over })
            }
            (SessionMode::Subscription, Some(subscription)) => Ok(subscription_machine(scope, subscription.as_str())),
            (SessionMode::Subscription, None) => Ok(Route::Nowhere(Reason::NoSubscription)),
            (SessionMode::Setup, _) => Ok(Route::Nowhere(Reason::Setup)),
        },
        Says::Subscription(s) => Ok(subscription_machine(scope, s.id.as_str())),
        Says::Invoice(invoice) => {
            if let Some(subscription) = &invoice.subscription {
                return Ok(subscription_machine(scope, subscription.as_str()));
            }
            if let Some(machine) = linked()? {
                return Ok(existing(machine, None));
            }
            let sells = !invoice.wants.is_empty()
                || invoice.lines.iter().any(|l| revisions.plan_for(&l.price, fact.at).is_some_and(|p| !p.is_rest()));
            if invoice.event == InvoiceEvent::Paid && invoice.paid && sells {
                let machine = machine_id(scope, invoice.id.as_str());
                return Ok(Route::To { machine, kind: Kind::Payment, takes_over: None });
            }
            Ok(wait(
                fact,
                if sells {
                    Meanwhile::Ignored(Reason::InvoiceNotPaid)
                } else if invoice.payment_intent.is_some() || invoice.charge.is_some() {
                    Meanwhile::Link
                } else {
                    Meanwhile::Ignored(Reason::InvoiceOfOthers)
                },
            ))
        }
        Says::Payment(_) => match session_machine(view, scope, fact)? {
            Some(session) => Ok(existing(session, invoice_machine(view, scope, fact)?)),
            None => Ok(linked()?.map_or_else(|| wait(fact, Meanwhile::Link), |m| existing(m, None))),
        },
        Says::LineItems(_) | Says::Items(_) => {
            Ok(linked()?.map_or_else(|| wait(fact, Meanwhile::Link), |m| existing(m, None)))
        }
        Says::Charge(c) => {
            let gives_back = c.amount_refunded > 0 || c.refunded;
            let link = if gives_back { Meanwhile::Parked } else { Meanwhile::Link };
            Ok(linked()?.map_or_else(|| wait(fact, link), |m| existing(m, None)))
        }
        Says::Refund(_) | Says::Dispute(_) | Says::FraudWarning(_) => {
            Ok(linked()?.map_or_else(|| wait(fact, Meanwhile::Parked), |m| existing(m, None)))
        }
        Says::Decision(_) => Ok(Route::Nowhere(Reason::Decision)),
    }
}

/// The machine that a fact's name is linked to. Payments and charges are never machines themselves.
fn named(view: &dyn View, scope: &Scope, name: &Name) -> Result<Option<MachineId>, RecordError> {
    match name {
        Name::PaymentIntent(_) | Name::Charge(_) => linked(view, scope, name.as_str()),
        Name::Session(_) | Name::Subscription(_) | Name::Invoice(_) => lookup(view, scope, name.as_str()),
    }
}

fn linked(view: &dyn View, scope: &Scope, name: &str) -> Result<Option<MachineId>, RecordError> {
    let bytes = view.get(&key::link(scope, name))?;
    Ok(bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()))
}

/// The machine that a name is linked to.
///
/// # Errors
/// The store's.
pub(super) fn lookup(view: &dyn View, scope: &Scope, name: &str) -> Result<Option<MachineId>, RecordError> {
    let id = linked(view, scope, name)?;
    if id.is_some() {
        return Ok(id);
    }
    // A machine's own object needs no link.
    let own = machine_id(scope, name);
    Ok(view.get(&key::machine(&own))?.map(|_| own))
}

/// A machine's id.
#[must_use]
pub(super) fn machine_id(scope: &Scope, object: &str) -> MachineId {
    MachineId::new(scope.clone(), ObjectId::from(object))
}

fn subscription_machine(scope: &Scope, id: &str) -> Route {
    let machine = machine_id(scope, id);
    Route::To { machine, kind: Kind::Subscription, takes_over: None }
}

/// A machine that exists: its kind is its own.
fn existing(machine: MachineId, takes_over: Option<MachineId>) -> Route {
    Route::To { machine, kind: Kind::Payment, takes_over }
}

/// The machine of a one-off invoice that a fact's names lead to: what learns that it is a session's takes it over.
fn invoice_machine(view: &dyn View, scope: &Scope, fact: &Fact) -> Result<Option<MachineId>, RecordError> {
    paid_machine(view, scope, fact, ObjectKind::Invoice)
}

/// The machine of a session that a fact's names lead to.
fn session_machine(view: &dyn View, scope: &Scope, fact: &Fact) -> Result<Option<MachineId>, RecordError> {
    paid_machine(view, scope, fact, ObjectKind::Session)
}

/// The machine of a kind that the names of a payment's objects lead to.
fn paid_machine(
    view: &dyn View,
    scope: &Scope,
    fact: &Fact,
    kind: ObjectKind,
) -> Result<Option<MachineId>, RecordError> {
    for name in fact.names() {
        if matches!(name, Name::Session(_) | Name::Subscription(_)) {
            continue;
        }
        let machine = named(view, scope, &name)?;
        if let Some(machine) = machine.filter(|m| m.object().kind() == kind) {
            return Ok(Some(machine));
        }
    }
    Ok(None)
}

fn wait(fact: &Fact, counts: Meanwhile) -> Route {
    Route::Wait { names: fact.names().iter().map(|n| n.as_str().to_owned()).collect(), counts }
}

/// Names of a fact that should lead to its machine from now on. The machine's own object needs no link.
#[must_use]
pub(super) fn names_to_link(fact: &Fact, object: &ObjectId) -> Vec<Name> {
    fact.names().into_iter().filter(|n| n.as_str() != object.as_str()).collect()
}
