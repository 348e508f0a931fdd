//! Facts: what one event, one person or one query says about one payment or subscription, in the provider's time.
//!
//! A fact is normalized over Stripe's API versions and holds nothing that the rules do not need. It comes from
//! `sources` (events), from the operator (decisions) or from a query at Stripe, and it is kept for ever.
//! `order.rs` says which comes first.

mod invoice;
mod money;
pub mod order;
mod session;
mod subscription;

pub use invoice::{BillingReason, Invoice, InvoiceEvent, InvoiceLine, Payment};
use minicbor::{Decode, Encode};
pub use money::{Charge, Dispute, DisputeStatus, FraudWarning, Refund};
pub use session::{
    APP_ID_KEY, Bought, CHECKOUT_KEY, DEVICES_KEY, DURATION_KEY, LineItems, NamedLicense,
    PaymentStatus, Priced, SOLD_DEVICES_KEY, Session, SessionEvent, SessionMode, Wants,
};
use std::collections::BTreeMap;
pub use subscription::{
    EndReason, Item, PauseReason, Subscription, SubscriptionEvent, SubscriptionItems,
    SubscriptionStatus,
};

use super::decision::{Decision, Verb};
use super::id::{
    ChargeId, CustomerId, EventId, InvoiceId, PaymentIntentId, SessionId, SubscriptionId,
};
use super::time::Timestamp;

/// One thing that somebody said, with when it was so and when we heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fact {
    /// The event's id: alone it decides what is a duplicate.
    #[n(0)]
    pub id: EventId,
    /// The event's type as the provider wrote it, or `decision.grant`, `lookup.line_items` …
    #[n(1)]
    pub kind: String,
    /// When it was so: the event's `created`.
    #[n(2)]
    pub at: Timestamp,
    /// When it reached us. It decides only what was known when, never what is true.
    #[n(3)]
    pub received: Timestamp,
    /// What it says.
    #[n(4)]
    pub body: FactBody,
    /// For snapshots of one object within one second: how they hang together.
    #[n(5)]
    pub chain: Option<Chain>,
}

/// What a snapshot shows of its object now, and what the object showed before, as digests by field.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Chain {
    /// The object's id.
    #[n(0)]
    pub object: String,
    /// Field and digest of its value in this snapshot.
    #[n(1)]
    pub now: BTreeMap<u8, u32>,
    /// Field and digest of its value before, from `previous_attributes`.
    #[n(2)]
    pub before: BTreeMap<u8, u32>,
}

/// What a fact says. One variant per kind of object that the rules read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FactBody {
    /// A Checkout session.
    #[n(0)]
    Session(#[n(0)] Box<Session>),
    /// A snapshot of a subscription.
    #[n(1)]
    Subscription(#[n(0)] Box<Subscription>),
    /// An invoice.
    #[n(2)]
    Invoice(#[n(0)] Box<Invoice>),
    /// A link between an invoice and its payment.
    #[n(3)]
    Payment(#[n(0)] Payment),
    /// A charge, with what was refunded of it.
    #[n(4)]
    Charge(#[n(0)] Charge),
    /// One refund.
    #[n(5)]
    Refund(#[n(0)] Refund),
    /// A dispute.
    #[n(6)]
    Dispute(#[n(0)] Dispute),
    /// An early fraud warning: told to the operator, changes nothing.
    #[n(7)]
    FraudWarning(#[n(0)] FraudWarning),
    /// What a person decided.
    #[n(8)]
    Decision(#[n(0)] Box<Decision>),
    /// What a query said the session sold.
    #[n(9)]
    LineItems(#[n(0)] LineItems),
    /// What a query said that a subscription's items are.
    #[n(10)]
    Items(#[n(0)] Box<SubscriptionItems>),
}

/// Something a fact names that tells which machine it belongs to, or links two names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// A Checkout session.
    Session(SessionId),
    /// A subscription.
    Subscription(SubscriptionId),
    /// An invoice.
    Invoice(InvoiceId),
    /// A payment intent.
    PaymentIntent(PaymentIntentId),
    /// A charge.
    Charge(ChargeId),
}

impl Name {
    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Session(id) => id.as_str(),
            Self::Subscription(id) => id.as_str(),
            Self::Invoice(id) => id.as_str(),
            Self::PaymentIntent(id) => id.as_str(),
            Self::Charge(id) => id.as_str(),
        }
    }
}

impl Fact {
    /// A person's decision, made at an instant and received at another.
    #[must_use]
    pub fn decided(id: EventId, decision: &Decision, at: Timestamp, received: Timestamp) -> Self {
        Self {
            id,
            kind: format!("decision.{}", decision.verb.as_str()),
            at,
            received,
            body: FactBody::Decision(Box::new(decision.clone())),
            chain: None,
        }
    }

    /// Whether it says what its customer has of their own, and nothing of the purchase itself.
    #[must_use]
    pub fn is_override(&self) -> bool {
        let verb = self.decision().map(|d| &d.verb);
        matches!(verb, Some(Verb::Override { .. } | Verb::EndOverride))
    }

    /// The invoice that it shows.
    #[must_use]
    pub fn invoice(&self) -> Option<&Invoice> {
        if let FactBody::Invoice(invoice) = &self.body {
            Some(invoice)
        } else {
            None
        }
    }

    /// The snapshot of a subscription that it shows.
    #[must_use]
    pub fn subscription(&self) -> Option<&Subscription> {
        if let FactBody::Subscription(subscription) = &self.body {
            Some(subscription)
        } else {
            None
        }
    }

    /// The customer whom it names.
    #[must_use]
    pub fn customer(&self) -> Option<&CustomerId> {
        match &self.body {
            FactBody::Session(s) => s.customer.as_ref(),
            FactBody::Subscription(s) => s.customer.as_ref(),
            FactBody::Invoice(i) => i.customer.as_ref(),
            FactBody::Charge(c) => c.customer.as_ref(),
            FactBody::Payment(_)
            | FactBody::Refund(_)
            | FactBody::Dispute(_)
            | FactBody::FraudWarning(_)
            | FactBody::Decision(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_) => None,
        }
    }

    /// What the metadata of the object that it shows asks for.
    #[must_use]
    pub fn wants(&self) -> Option<&Wants> {
        match &self.body {
            FactBody::Session(s) => Some(&s.wants),
            FactBody::Subscription(s) => Some(&s.wants),
            FactBody::Invoice(i) => Some(&i.wants),
            FactBody::Payment(_)
            | FactBody::Charge(_)
            | FactBody::Refund(_)
            | FactBody::Dispute(_)
            | FactBody::FraudWarning(_)
            | FactBody::Decision(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_) => None,
        }
    }

    /// What a person decided.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        if let FactBody::Decision(decision) = &self.body {
            Some(decision)
        } else {
            None
        }
    }

    /// Everything that the fact names, most telling first: what belongs to one machine is linked through these.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        match &self.body {
            FactBody::Session(s) => {
                names.extend(s.subscription.clone().map(Name::Subscription));
                names.push(Name::Session(s.id.clone()));
                names.extend(s.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(s.invoice.clone().map(Name::Invoice));
            }
            FactBody::Subscription(s) => {
                names.push(Name::Subscription(s.id.clone()));
                names.extend(s.latest_invoice.clone().map(Name::Invoice));
            }
            FactBody::Invoice(i) => {
                names.extend(i.subscription.clone().map(Name::Subscription));
                names.push(Name::Invoice(i.id.clone()));
                names.extend(i.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(i.charge.clone().map(Name::Charge));
            }
            FactBody::Payment(p) => {
                names.extend(p.invoice.clone().map(Name::Invoice));
                names.extend(p.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(p.charge.clone().map(Name::Charge));
            }
            FactBody::Charge(c) => {
                names.extend(c.payment_intent.clone().map(Name::PaymentIntent));
                names.push(Name::Charge(c.id.clone()));
                names.extend(c.invoice.clone().map(Name::Invoice));
            }
            FactBody::Refund(r) => {
                names.extend(r.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(r.charge.clone().map(Name::Charge));
            }
            FactBody::Dispute(d) => {
                names.extend(d.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(d.charge.clone().map(Name::Charge));
            }
            FactBody::FraudWarning(w) => {
                names.extend(w.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(w.charge.clone().map(Name::Charge));
            }
            FactBody::LineItems(l) => names.push(Name::Session(l.session.clone())),
            FactBody::Items(i) => names.push(Name::Subscription(i.subscription.clone())),
            FactBody::Decision(_) => {}
        }
        names
    }
}
