//! The fold: a machine's facts in canonical order, the config's revisions and an instant, to what holds at that instant.
//!
//! A pure function of a set: neither the order of delivery nor duplicates change what it says. Deadlines are part of it:
//! a grace that ends at D is over from D on, whether anybody looked at D or not.

mod contact;
mod cover;
mod known;
mod payment;
mod subscription;

use std::fmt;

use minicbor::{Decode, Encode};

pub use contact::Contact;
pub use cover::{Cover, Span as CoverSpan};
pub use known::{ItemHistory, ItemKey, Known};
pub use payment::PaymentFold;
pub use subscription::{Ending, Episode, Outcome, Pause, SideFailure, SubscriptionFold, TrialEnding};

use super::fact::Fact;
use super::id::EventId;
use super::order::canonical;
use super::revision::Revisions;
use super::time::Timestamp;
use super::{payment as payment_table, subscription as subscription_table};

/// What a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A one-time payment: a Checkout session or a one-off invoice.
    #[n(0)]
    Payment,
    /// A subscription.
    #[n(1)]
    Subscription,
}

impl Kind {
    /// The name in JSON and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Subscription => "subscription",
        }
    }
}

/// The state of either kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum State {
    /// Of a payment.
    #[n(0)]
    Payment(#[n(0)] payment_table::State),
    /// Of a subscription.
    #[n(1)]
    Subscription(#[n(0)] subscription_table::State),
}

impl State {
    /// The name in timelines and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment(s) => s.as_str(),
            Self::Subscription(s) => s.as_str(),
        }
    }
}

impl serde::Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a transition happened: an event, or an instant that came.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Cause {
    /// The event's type, or what was due.
    #[n(0)]
    pub kind: String,
    /// The event.
    #[n(1)]
    pub event: Option<EventId>,
}

impl Cause {
    /// An event.
    #[must_use]
    pub fn event(fact: &Fact) -> Self {
        Self { kind: fact.kind.clone(), event: Some(fact.id.clone()) }
    }

    /// An instant that came.
    #[must_use]
    pub fn deadline(kind: &str) -> Self {
        Self { kind: kind.to_owned(), event: None }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event {
            Some(event) => write!(f, "{} {event}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

/// One change of state, in the provider's time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Transition {
    /// When it was so.
    #[n(0)]
    pub at: Timestamp,
    /// The state before; `None` at the beginning.
    #[n(1)]
    pub from: Option<State>,
    /// The state after.
    #[n(2)]
    pub to: State,
    /// Why.
    #[n(3)]
    pub cause: Cause,
}

/// Something that only a person can judge. Told once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Report {
    /// When it was so.
    #[n(0)]
    pub at: Timestamp,
    /// What, in words for the operator.
    #[n(1)]
    pub what: String,
}

/// What holds for a machine at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Its state; `None` while nothing that makes one is known (only an address, say).
    pub state: Option<State>,
    /// How it came there.
    pub transitions: Vec<Transition>,
    /// Who it belongs to and how to reach them.
    pub contact: Contact,
    /// What the operator should know.
    pub reports: Vec<Report>,
    /// The kind's own part.
    pub life: Life,
    /// The person's word, if there is one.
    pub decided: Decided,
}

/// The part of a fold that differs by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// A payment's.
    Payment(Box<PaymentFold>),
    /// A subscription's.
    Subscription(Box<SubscriptionFold>),
}

/// What people decided, the last word on each matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Granted until an instant, or for life (`Some(None)`).
    pub grant: Option<Option<Timestamp>>,
    /// Revoked for good.
    pub revoked: bool,
    /// Kept despite refunds and disputes.
    pub kept: bool,
    /// The paid end counts as not earlier than this.
    pub extended: Option<Timestamp>,
    /// A grace does not end before this.
    pub exempt: Option<Timestamp>,
    /// Judge everything before this instant as if it had happened then.
    pub apply_from: Option<Timestamp>,
}

impl Decided {
    fn of(facts: &[&Fact]) -> Self {
        use super::decision::Verb;
        let mut decided = Self::default();
        for fact in facts {
            let super::fact::Says::Decision(decision) = &fact.says else { continue };
            match &decision.verb {
                Verb::Grant { until } => (decided.grant, decided.revoked) = (Some(*until), false),
                Verb::Extend { until } => decided.extended = decided.extended.max(Some(*until)),
                Verb::Exempt { until } => decided.exempt = decided.exempt.max(Some(*until)),
                Verb::Revoke => (decided.revoked, decided.grant, decided.kept) = (true, None, false),
                Verb::Keep => (decided.kept, decided.revoked) = (true, false),
                Verb::ApplyRevision => decided.apply_from = Some(fact.at),
                Verb::Rekey | Verb::Address { .. } | Verb::ResetDevices | Verb::Resend { .. } => {}
            }
        }
        decided
    }

    /// The instant whose revision judges what happened at `at`.
    #[must_use]
    pub fn judged_at(&self, at: Timestamp) -> Timestamp {
        self.apply_from.map_or(at, |from| from.max(at))
    }
}

/// Folds a machine's facts.
#[must_use]
pub fn fold(kind: Kind, facts: &[Fact], revisions: &Revisions, now: Timestamp) -> Folded {
    let facts = canonical(facts);
    let decided = Decided::of(&facts);
    let contact = Contact::of(&facts);
    match kind {
        Kind::Payment => payment::fold(&facts, decided, contact, now),
        Kind::Subscription => subscription::fold(&facts, decided, contact, revisions, now),
    }
}
