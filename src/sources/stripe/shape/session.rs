//! Checkout sessions. What was bought is not in them: `line_items` appears only where somebody expanded it.

use crate::domain::fact::{Bought, PaymentStatus, Session, SessionEvent, SessionMode};
use crate::domain::no_use::NoUse;

use super::super::json::Json;
use super::super::reason::Reason;
use super::given::Given;
use super::{currency, own_id, owned, payer, price, quantity, wants};

pub(in super::super) fn read(object: &Json<'_>, event: SessionEvent) -> Result<Session, Reason> {
    let id = own_id(object)?;
    let given = Given::of(object);
    given.list("line_items")?;
    let mode = mode(object)?;
    let details = object.get("customer_details");
    let expanded = object.get("customer");
    Ok(Session {
        id,
        event,
        mode,
        payment_status: payment_status(object, event)?,
        customer: payer(object),
        // What the buyer typed (since 2021-01), else what the vendor prefilled.
        email: [
            details.get("email"),
            object.get("customer_email"),
            expanded.get("email"),
        ]
        .into_iter()
        .find_map(owned),
        name: [details.get("name"), expanded.get("name")]
            .into_iter()
            .find_map(owned),
        payment_intent: given.reference("payment_intent")?,
        subscription: given.reference("subscription")?,
        invoice: given.reference("invoice")?,
        wants: wants::read(object.get("metadata")),
        locale: owned(object.get("locale")).filter(|l| !l.eq_ignore_ascii_case("auto")),
        amount: object.get("amount_total").int(),
        currency: currency(object),
        line_items: object.get("line_items").data().iter().map(bought).collect(),
        line_items_cut: object
            .get("line_items")
            .get("has_more")
            .bool()
            .unwrap_or(false),
    })
}

/// `mode`; in 2019 there was none, and what the session names tells.
fn mode(object: &Json<'_>) -> Result<SessionMode, Reason> {
    let names = |key| object.get(key).id().is_some();
    match Given::of(object).text("mode")? {
        Some("payment") => Ok(SessionMode::Payment),
        Some("subscription") => Ok(SessionMode::Subscription),
        Some("setup") => Err(NoUse::Setup.into()),
        Some(_) => Err(Reason::unreadable("data.object.mode", object.get("mode"))),
        None if names("subscription") => Ok(SessionMode::Subscription),
        None if names("setup_intent") && !names("payment_intent") => Err(NoUse::Setup.into()),
        None => Ok(SessionMode::Payment),
    }
}

/// `payment_status`; before 2020-09 there was none, and a finished session with a payment or a subscription was paid. One
/// that we do not know is no proof of money.
fn payment_status(object: &Json<'_>, event: SessionEvent) -> Result<PaymentStatus, Reason> {
    let names = |key| object.get(key).id().is_some();
    Ok(match Given::of(object).text("payment_status")? {
        Some("paid") => PaymentStatus::Paid,
        Some("no_payment_required") => PaymentStatus::NoPaymentRequired,
        Some(_) => PaymentStatus::Unpaid,
        None => match event {
            SessionEvent::AsyncSucceeded => PaymentStatus::Paid,
            SessionEvent::Completed if names("payment_intent") || names("subscription") => {
                PaymentStatus::Paid
            }
            SessionEvent::Completed | SessionEvent::AsyncFailed | SessionEvent::Expired => {
                PaymentStatus::Unpaid
            }
        },
    })
}

pub(in super::super) fn bought(line: &Json<'_>) -> Bought {
    Bought {
        line: owned(line.get("id")),
        price: price::of_item(line),
        quantity: quantity(line).unwrap_or(1),
    }
}
