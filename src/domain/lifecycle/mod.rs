//! Step two: from the objects, at an instant, how a purchase's life went and where it stands. The tables that people see
//! are in `payment.rs` and `subscription.rs`; everything that they need is settled here before they are asked.

mod billed;
mod concern;
mod course;
mod covered;
mod deadlines;
pub mod diagram;
pub(crate) mod grace;
mod invoices;
mod late;
mod paid_time;
mod pauses;
pub mod payment;
pub(crate) mod phase;
mod purchase;
mod returned;
mod role;
mod snapshots;
mod steady;
pub(crate) mod subscription;
mod subscription_life;
mod unknown;

use std::fmt;

use minicbor::{Decode, Encode};

pub(in crate::domain) use course::SPEAKS_AFTER;
pub use grace::{Concern, Episode, GraceOutcome, SideFailure};
pub use paid_time::{PaidPeriod, PaidTime};
pub use phase::Phase;
pub use purchase::{CutLines, PurchaseLife};
pub use subscription_life::{Deleted, OpenRenewal, Pause, SubscriptionLife, TrialEnding};

use super::contact::Contact;
use super::decided::Decided;
use super::fact::Fact;
use super::fact::order::canonical;
use super::finding::Report;
use super::id::EventId;
use super::object::{Disputes, Objects};
use super::revision::Revisions;
use super::terms::Terms;
use super::time::{Span, Timestamp};
use crate::domain::words::{Sentence, sentences};

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
    Payment(#[n(0)] payment::PaymentState),
    /// Of a subscription.
    #[n(1)]
    Subscription(#[n(0)] subscription::SubscriptionState),
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

/// Why a transition happened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Cause {
    /// An event came.
    #[n(0)]
    Event {
        /// Its type.
        #[n(0)]
        kind: String,
        /// Its id.
        #[n(1)]
        id: EventId,
    },
    /// The instant came at which a grace ended.
    #[n(1)]
    GraceOver,
    /// The due date of a sent invoice came, and no event tells of that.
    #[n(2)]
    Overdue,
}

impl Cause {
    /// An event.
    #[must_use]
    pub fn event(fact: &Fact) -> Self {
        Self::Event {
            kind: fact.kind.clone(),
            id: fact.id.clone(),
        }
    }
}

impl Sentence for Cause {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { kind, id } => write!(f, "{kind} {id}"),
            Self::GraceOver => f.write_str("grace over"),
            Self::Overdue => f.write_str("invoice overdue"),
        }
    }
}

sentences!(Cause);

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
    /// The event, decision or deadline that caused it.
    #[n(3)]
    pub cause: Cause,
}

/// What holds for a machine at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Until when it holds if nothing else is heard: no earlier than this would the same facts be folded to something else.
    /// `None`: for good.
    pub until: Option<Timestamp>,
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
    /// A one-time purchase's.
    Payment(Box<PurchaseLife>),
    /// A subscription's.
    Subscription(Box<SubscriptionLife>),
}

impl Life {
    /// The grace that runs or has lapsed without being settled.
    #[must_use]
    pub fn open_episode(&self) -> Option<&Episode> {
        match self {
            Self::Payment(_) => None,
            Self::Subscription(s) => s.open_episode(),
        }
    }

    /// Where its disputes stand.
    #[must_use]
    pub fn disputes(&self) -> &Disputes {
        match self {
            Self::Payment(p) => &p.disputes,
            Self::Subscription(s) => &s.disputes,
        }
    }
}

/// Folds a machine's facts: a pure function of a set. Neither the order of delivery nor duplicates change what it says,
/// and deadlines are part of it: a grace that ends at D is over from D on, whether anybody looked at D or not.
#[must_use]
pub fn fold(kind: Kind, facts: &[Fact], revisions: &Revisions, now: Timestamp) -> Folded {
    fold_heard(kind, facts, revisions, now, Hears::Invoices)
}

/// What a source's endpoint hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// Invoices too: a new subscription's first one is on its way.
    Invoices,
    /// No invoices: a snapshot speaks at once (rule 18).
    Snapshots,
}

/// The same, of a source whose endpoint may hear of no invoices.
#[must_use]
pub fn fold_heard(
    kind: Kind,
    facts: &[Fact],
    revisions: &Revisions,
    now: Timestamp,
    hears: Hears,
) -> Folded {
    let facts = canonical(facts);
    let decided = Decided::of(&facts);
    let terms = Terms {
        revisions,
        decided: &decided,
    };
    let objects = Objects::of(&facts, &terms);
    let (state, transitions, reports, life) = match kind {
        Kind::Payment => purchase::live(&facts, &objects),
        Kind::Subscription => course::live(&facts, &objects, &terms, (now, hears)),
    };
    let until = match &life {
        // Time alone changes nothing of a payment.
        Life::Payment(_) => None,
        // What was told of no step is dated with the instant.
        Life::Subscription(_) if transitions.is_empty() => Some(now + Span::from_ms(1)),
        Life::Subscription(life) => steady::until(&facts, &objects, life, now),
    };
    let contact = Contact::of(&facts);
    Folded {
        until,
        state,
        transitions,
        contact,
        reports,
        life,
        decided,
    }
}
