//! An event: verified or recorded bytes to a fact, a customer, or a reason why not.
//!
//! The type says which object to read and what happened to it; `shape` reads the object. `api_version` is never looked at:
//! removals follow it, additions do not, so it says little about where a field is.

use crate::sources::stripe::envelope::Envelope;
use bumpalo::Bump;

use crate::domain::customer::Customer;
use crate::domain::fact::{Fact, FactBody, InvoiceEvent, SessionEvent, SubscriptionEvent};
use crate::domain::id::{AccountId, EventId};
use crate::domain::no_use::{NoEvent, NoUse, Unreadable};
use crate::domain::time::Timestamp;

use super::chain;
use super::json::Json;
use super::reason;
use super::shape::{customer, invoice, money, session, subscription};
use super::signature::Verified;

pub use super::reason::Reason;
pub use super::types::EVENT_TYPES;

/// One of Stripe's events, as far as Keyward reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`: alone it decides what is a duplicate.
    pub id: EventId,
    /// Stripe's `type`.
    pub kind: String,
    /// When it was so; the receipt, where the event does not say.
    pub created: Timestamp,
    /// Live or test mode; `None` in very old or hand-made events.
    pub livemode: Option<bool>,
    /// Connect: the connected account whose event it is.
    pub account: Option<AccountId>,
    /// What it says.
    pub content: EventContent,
}

/// What an event comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is nearly always a fact, and is taken apart at once"
)]
pub enum EventContent {
    /// Something about a purchase.
    Fact(Fact),
    /// Something about a customer apart from any purchase.
    Customer(Customer),
    /// It changes nothing, for this reason.
    Ignored(Reason),
}

/// Reads a delivery that is Stripe's own.
///
/// # Errors
/// When the body is no event.
pub fn parse(verified: &Verified<'_>, received: Timestamp) -> Result<Event, NoEvent> {
    read(verified.body(), received)
}

/// Reads an event that was recorded, or fetched from Stripe's API: no signature came with it.
///
/// # Errors
/// When the body is no event.
pub fn read(body: &[u8], received: Timestamp) -> Result<Event, NoEvent> {
    // Looked through once as a whole, which is far quicker than text by text.
    let text = std::str::from_utf8(body).map_err(|e| NoEvent::NotJson { why: e.to_string() })?;
    read_text(text, received)
}

/// The same of one that is known to be text.
///
/// # Errors
/// When it is no event.
pub fn read_text(text: &str, received: Timestamp) -> Result<Event, NoEvent> {
    let arena = Bump::with_capacity(text.len());
    let (json, cut) = match Json::read(text, &arena) {
        Ok(json) => (json, false),
        // JSON nevertheless, if it is only nested too deeply or a number in it is too large.
        Err(e) => {
            Json::shallow(text, &arena).ok_or_else(|| NoEvent::NotJson { why: e.to_string() })?
        }
    };
    let kind = json.get("type").text().ok_or(NoEvent::lacks("type"))?;
    if json.get("object").text() == Some("v2.core.event")
        || kind.starts_with("v1.")
        || kind.starts_with("v2.")
    {
        return Err(NoEvent::Thin {
            kind: kind.to_owned(),
        });
    }
    let id = json.get("id").text().ok_or(NoEvent::lacks("id"))?;
    let created = json.get("created").time();
    let envelope = Envelope {
        id: EventId::new(id),
        kind,
        created: created.unwrap_or(received),
        received,
        object: json.get("data").get("object"),
        previous: json.get("data").get("previous_attributes"),
    };
    // Without its instant a fact has no place in the order; only what is ignored anyway may lack it.
    let content = match hear(&envelope) {
        _ if cut && !json.has("data") => {
            EventContent::Ignored(Reason::Unreadable(Unreadable::Beyond))
        }
        Err(reason) => EventContent::Ignored(reason),
        Ok(_) if created.is_none() => {
            EventContent::Ignored(Reason::unreadable("created", json.get("created")))
        }
        Ok(heard) => heard,
    };
    Ok(Event {
        id: envelope.id,
        kind: kind.to_owned(),
        created: envelope.created,
        livemode: json.get("livemode").bool(),
        // `user_id` before 2017-05-25
        account: json
            .get("account")
            .id()
            .or(json.get("user_id").id())
            .map(AccountId::from),
        content,
    })
}

/// Which reader a type needs.
enum About {
    Session(SessionEvent),
    Subscription(SubscriptionEvent),
    Invoice(InvoiceEvent),
    InvoicePayment,
    PaymentIntent,
    Charge,
    Refund,
    Dispute,
    FraudWarning,
    Customer,
}

fn about(kind: &str) -> Result<About, Reason> {
    Ok(match kind {
        "checkout.session.completed" => About::Session(SessionEvent::Completed),
        "checkout.session.async_payment_succeeded" => About::Session(SessionEvent::AsyncSucceeded),
        "checkout.session.async_payment_failed" => About::Session(SessionEvent::AsyncFailed),
        "checkout.session.expired" => About::Session(SessionEvent::Expired),
        "customer.subscription.created" => About::Subscription(SubscriptionEvent::Created),
        "customer.subscription.updated"
        | "customer.subscription.paused"
        | "customer.subscription.resumed"
        | "customer.subscription.pending_update_applied"
        | "customer.subscription.pending_update_expired" => {
            About::Subscription(SubscriptionEvent::Updated)
        }
        "customer.subscription.deleted" => About::Subscription(SubscriptionEvent::Deleted),
        "customer.subscription.trial_will_end" => {
            About::Subscription(SubscriptionEvent::TrialWillEnd)
        }
        "invoice.paid" | "invoice.payment_succeeded" => About::Invoice(InvoiceEvent::Paid),
        "invoice.payment_failed" => About::Invoice(InvoiceEvent::PaymentFailed),
        "invoice.payment_action_required" => About::Invoice(InvoiceEvent::ActionRequired),
        "invoice.finalized" => About::Invoice(InvoiceEvent::Finalized),
        "invoice.finalization_failed" => About::Invoice(InvoiceEvent::FinalizationFailed),
        "invoice.voided" => About::Invoice(InvoiceEvent::Voided),
        "invoice.marked_uncollectible" => About::Invoice(InvoiceEvent::Uncollectible),
        "invoice.overdue" => About::Invoice(InvoiceEvent::Overdue),
        // `payment_attempt_required` asks the vendor, not the customer, for something.
        "invoice.created"
        | "invoice.updated"
        | "invoice.sent"
        | "invoice.will_be_due"
        | "invoice.overpaid"
        | "invoice.payment_attempt_required" => About::Invoice(InvoiceEvent::Updated),
        "invoice.upcoming" => return Err(NoUse::Upcoming.into()),
        "invoice_payment.paid" => About::InvoicePayment,
        "payment_intent.succeeded" => About::PaymentIntent,
        "charge.succeeded" | "charge.updated" | "charge.captured" | "charge.refunded" => {
            About::Charge
        }
        // In spite of its name the object is a refund.
        "charge.refund.updated" | "refund.created" | "refund.updated" | "refund.failed" => {
            About::Refund
        }
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.closed"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated" => About::Dispute,
        "radar.early_fraud_warning.created" | "radar.early_fraud_warning.updated" => {
            About::FraudWarning
        }
        "customer.created" | "customer.updated" | "customer.deleted" => About::Customer,
        other => return Err(reason::of_type(other)),
    })
}

fn hear(e: &Envelope<'_, '_>) -> Result<EventContent, Reason> {
    let about = about(e.kind)?;
    if !e.object.is_map() {
        return Err(Reason::unreadable("data.object", e.object));
    }
    let body = match about {
        About::Session(event) => {
            is_a(e.object, "checkout.session")?;
            FactBody::Session(Box::new(session::read(e.object, event)?))
        }
        About::Subscription(event) => {
            is_a(e.object, "subscription")?;
            FactBody::Subscription(Box::new(subscription::read(e.object, e.previous, event)?))
        }
        About::Invoice(event) => {
            is_a(e.object, "invoice")?;
            FactBody::Invoice(Box::new(invoice::read(e, event)?))
        }
        About::InvoicePayment => {
            is_a(e.object, "invoice_payment")?;
            FactBody::Payment(money::invoice_payment(e.object)?)
        }
        About::PaymentIntent => {
            is_a(e.object, "payment_intent")?;
            FactBody::Payment(money::payment_intent(e.object)?)
        }
        About::Charge => {
            is_a(e.object, "charge")?;
            FactBody::Charge(money::charge(e.object)?)
        }
        About::Refund => {
            is_a(e.object, "refund")?;
            FactBody::Refund(money::refund(e.object, e.kind)?)
        }
        About::Dispute => {
            is_a(e.object, "dispute")?;
            FactBody::Dispute(money::dispute(e.object)?)
        }
        About::FraudWarning => FactBody::FraudWarning(money::fraud_warning(e.object)?),
        About::Customer => {
            is_a(e.object, "customer")?;
            return customer::read(e).map(EventContent::Customer);
        }
    };
    let chain = chain::of(e, &body);
    Ok(EventContent::Fact(Fact {
        id: e.id.clone(),
        kind: e.kind.to_owned(),
        at: e.created,
        received: e.received,
        body,
        chain,
    }))
}

/// Refuses an object that says it is another than the type promises: its ids would be taken for another kind's.
fn is_a(object: &Json<'_>, expected: &str) -> Result<(), Reason> {
    match object.get("object").text() {
        Some(other) if other != expected => {
            let found = format!(
                "{}, where this type shows a `{expected}`",
                object.get("object").describe()
            );
            Err(Reason::field("data.object.object", found))
        }
        _ => Ok(()),
    }
}
