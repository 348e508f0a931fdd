//! Which machine a fact belongs to.
//!
//! A fact names objects; links lead from names to machines. What cannot be linked yet is parked under each of its names
//! and claimed by the machine that first gets one of them, through several links too.

use std::fmt;

use minicbor::{Decode, Encode};

use super::fact::{Fact, FactBody, Invoice, InvoiceEvent, Name, Session, SessionMode};
use super::id::{MachineId, ObjectId, ObjectKind, Scope};
use super::lifecycle::Kind;
use super::no_use::{Dismissal, NoUse, Unreadable};
use super::revision::Revisions;
use crate::domain::words::{Sentence, sentences};

sentences!(Reason);

/// Where a fact goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
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
pub enum Meanwhile {
    /// It waits for its machine.
    Parked,
    /// A mere link between names: a record of its own.
    Link,
    /// It changes nothing, for this reason.
    Ignored(Reason),
}

/// The names of a fact, and to which machine each that is linked leads, most telling first.
pub type Links = [(Name, MachineId)];

/// The names whose links `route` asks for, most telling first. A subscription's facts name their machine themselves.
#[must_use]
pub fn asks(fact: &Fact) -> Vec<Name> {
    match &fact.body {
        FactBody::Session(s) if s.mode == SessionMode::Payment => {
            fact.names().into_iter().filter(pays).collect()
        }
        FactBody::Invoice(invoice) if invoice.subscription.is_some() => Vec::new(),
        FactBody::Session(_) | FactBody::Subscription(_) | FactBody::Decision(_) => Vec::new(),
        FactBody::Invoice(_)
        | FactBody::Payment(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_)
        | FactBody::Charge(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_) => fact.names(),
    }
}

/// Finds a fact's machine, given where the names that it asks for lead.
#[must_use]
pub fn route(scope: &Scope, fact: &Fact, links: &Links, revisions: &Revisions) -> Route {
    let linked = || links.first().map(|(_, machine)| machine.clone());
    let linked_or = |counts: Meanwhile| {
        linked().map_or_else(|| wait(fact, counts), |machine| existing(machine, None))
    };
    match &fact.body {
        FactBody::Session(session) => of_session(scope, session, links),
        FactBody::Subscription(s) => subscription_machine(scope, s.id.as_str()),
        FactBody::Invoice(invoice) => match (&invoice.subscription, linked()) {
            (Some(subscription), _) => subscription_machine(scope, subscription.as_str()),
            (None, Some(machine)) => existing(machine, None),
            (None, None) => of_new_invoice(scope, fact, invoice, revisions),
        },
        FactBody::Payment(_) => match paid_machine(links, ObjectKind::Session) {
            Some(session) => existing(session, paid_machine(links, ObjectKind::Invoice)),
            None => linked_or(Meanwhile::Link),
        },
        FactBody::LineItems(_) | FactBody::Items(_) => linked_or(Meanwhile::Link),
        FactBody::Charge(c) if c.amount_refunded > 0 || c.refunded => linked_or(Meanwhile::Parked),
        FactBody::Charge(_) => linked_or(Meanwhile::Link),
        FactBody::Refund(_) | FactBody::Dispute(_) | FactBody::FraudWarning(_) => {
            linked_or(Meanwhile::Parked)
        }
        FactBody::Decision(_) => Route::Nowhere(Reason::Decision),
    }
}

/// The object of the machine that a fact may begin: the one that [`route`] can name without any link.
#[must_use]
pub fn may_begin(fact: &Fact) -> Option<&str> {
    match &fact.body {
        FactBody::Session(session) => match (session.mode, &session.subscription) {
            (SessionMode::Payment, _) => Some(session.id.as_str()),
            (SessionMode::Subscription, Some(subscription)) => Some(subscription.as_str()),
            (SessionMode::Subscription, None) | (SessionMode::Setup, _) => None,
        },
        FactBody::Subscription(subscription) => Some(subscription.id.as_str()),
        FactBody::Invoice(invoice) => Some(match &invoice.subscription {
            Some(subscription) => subscription.as_str(),
            None => invoice.id.as_str(),
        }),
        FactBody::Payment(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_)
        | FactBody::Charge(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_)
        | FactBody::Decision(_) => None,
    }
}

fn of_session(scope: &Scope, session: &Session, links: &Links) -> Route {
    match (session.mode, &session.subscription) {
        (SessionMode::Payment, _) => Route::To {
            machine: machine_id(scope, session.id.as_str()),
            kind: Kind::Payment,
            // What learns that an invoice is a session's takes its machine over.
            takes_over: paid_machine(links, ObjectKind::Invoice),
        },
        (SessionMode::Subscription, Some(subscription)) => {
            subscription_machine(scope, subscription.as_str())
        }
        (SessionMode::Subscription, None) => Route::Nowhere(Reason::NoSubscription),
        // rule 1: a setup checkout sells nothing.
        (SessionMode::Setup, _) => Route::Nowhere(Reason::Setup),
    }
}

/// A one-off invoice whose names lead nowhere yet: paid, and with something of ours on it, it is a purchase.
fn of_new_invoice(scope: &Scope, fact: &Fact, invoice: &Invoice, revisions: &Revisions) -> Route {
    let ours = |price| {
        revisions
            .plan_for(price, fact.at)
            .is_some_and(|p| !p.is_rest())
    };
    let sells = !invoice.wants.is_empty() || invoice.lines.iter().any(|l| ours(&l.price));
    if invoice.event == InvoiceEvent::Paid && invoice.paid && sells {
        let machine = machine_id(scope, invoice.id.as_str());
        return Route::To {
            machine,
            kind: Kind::Payment,
            takes_over: None,
        };
    }
    let counts = if sells {
        Meanwhile::Ignored(Reason::InvoiceNotPaid)
    } else if invoice.payment_intent.is_some() || invoice.charge.is_some() {
        Meanwhile::Link
    } else {
        Meanwhile::Ignored(Reason::InvoiceOfOthers)
    };
    wait(fact, counts)
}

/// A machine's id.
#[must_use]
pub fn machine_id(scope: &Scope, object: &str) -> MachineId {
    MachineId::new(scope.clone(), ObjectId::from(object))
}

fn subscription_machine(scope: &Scope, id: &str) -> Route {
    let machine = machine_id(scope, id);
    Route::To {
        machine,
        kind: Kind::Subscription,
        takes_over: None,
    }
}

/// A machine that exists: its kind is its own.
fn existing(machine: MachineId, takes_over: Option<MachineId>) -> Route {
    Route::To {
        machine,
        kind: Kind::Payment,
        takes_over,
    }
}

/// Whether it is a name of a payment's objects.
fn pays(name: &Name) -> bool {
    match name {
        Name::Session(_) | Name::Subscription(_) => false,
        Name::Invoice(_) | Name::PaymentIntent(_) | Name::Charge(_) => true,
    }
}

/// The machine of a kind that the names of a payment's objects lead to.
fn paid_machine(links: &Links, kind: ObjectKind) -> Option<MachineId> {
    links
        .iter()
        .find(|(name, machine)| pays(name) && machine.object().kind() == kind)
        .map(|(_, m)| m.clone())
}

fn wait(fact: &Fact, counts: Meanwhile) -> Route {
    Route::Wait {
        names: fact.names().iter().map(|n| n.as_str().to_owned()).collect(),
        counts,
    }
}

/// Names of a fact that should lead to its machine from now on. The machine's own object needs no link.
#[must_use]
pub fn names_to_link(fact: &Fact, object: &ObjectId) -> Vec<Name> {
    fact.names()
        .into_iter()
        .filter(|n| n.as_str() != object.as_str())
        .collect()
}

/// Why an event changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reason {
    /// Its source has no use for it.
    #[n(0)]
    NoUse(#[n(0)] NoUse),
    /// It is of the mode that its source does not take.
    #[n(1)]
    OtherMode,
    /// It is of another mode than the purchase.
    #[n(2)]
    OtherModeThanPurchase,
    /// It is of another mode than the customer.
    #[n(3)]
    OtherModeThanCustomer,
    /// It is a connected account's, and the source takes none of these.
    #[n(4)]
    Connect,
    /// One of its ids fits no key.
    #[n(5)]
    UnfitId,
    /// It names nothing that could lead to a purchase.
    #[n(6)]
    NamesNothing,
    /// A subscription checkout that started no subscription.
    #[n(7)]
    NoSubscription,
    /// A setup checkout.
    #[n(8)]
    Setup,
    /// A one-off invoice that is not paid.
    #[n(9)]
    InvoiceNotPaid,
    /// A one-off invoice that sells nothing of ours.
    #[n(10)]
    InvoiceOfOthers,
    /// A decision that came as an event: it names its machine itself.
    #[n(11)]
    Decision,
    /// It waited for its purchase in vain.
    #[n(12)]
    NeverLinked,
    /// It could not be read, and a person looked at it.
    #[n(13)]
    Dismissed {
        /// Who, and why.
        #[n(0)]
        by: Dismissal,
        /// Why it could not be read.
        #[n(1)]
        was: Unreadable,
    },
}

impl Sentence for Reason {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoUse(why) => return write!(f, "{why}"),
            Self::OtherMode => "an event of the other mode (live or test) than this source takes",
            Self::OtherModeThanPurchase => {
                "an event of the other mode than the purchase that it names"
            }
            Self::OtherModeThanCustomer => {
                "an event of the other mode than the customer that it names"
            }
            Self::Connect => {
                "an event of a connected account, and the source does not say connect = \"accept\""
            }
            Self::UnfitId => {
                "it names an object by an id that is too long, or holds a zero byte or a slash"
            }
            Self::NamesNothing => "it names nothing that could lead to a purchase",
            Self::NoSubscription => "a subscription checkout that started no subscription",
            Self::Setup => "a setup checkout sells nothing",
            Self::InvoiceNotPaid => "a one-off invoice counts when it is paid",
            Self::InvoiceOfOthers => {
                "a one-off invoice whose lines no plan names and whose metadata asks for no license"
            }
            Self::Decision => "a decision names its machine itself",
            Self::Dismissed { by, was } => return write!(f, "{was}; {by}"),
            Self::NeverLinked => "never linked: no purchase that it names became known",
        })
    }
}
