//! Invoices. Basil (2025-03-31) moved the subscription below `parent` and took `paid`, `payment_intent` and `charge` away.

use crate::domain::fact::{BillingReason, Invoice, InvoiceEvent, Wants};
use crate::domain::id::{ChargeId, PaymentIntentId, SubscriptionId};
use crate::domain::no_use::NoUse;
use crate::domain::time::Timestamp;

use super::super::json::Json;
use super::super::reason::Reason;
use super::given::Given;
use super::{currency, is_sent, line, own_id, owned, payer, reference, wants};
use crate::sources::stripe::envelope::Envelope;

pub(in super::super) fn read(e: &Envelope<'_, '_>, event: InvoiceEvent) -> Result<Invoice, Reason> {
    let object = e.object;
    // Forecasts have no id, or one that will never be seen again (`upcoming_in_…`).
    if object.get("billing_reason").text() == Some("upcoming") {
        return Err(NoUse::Upcoming.into());
    }
    let id = own_id(object)?;
    let given = Given::of(object);
    given.list("lines")?;
    given.list("payments")?;
    let status = given.text("status")?;
    let created = object
        .get("created")
        .time()
        .or_else(|| object.get("date").time());
    let shown = line::shown(object);
    let subscription = subscription(object, &shown)?;
    let (payment_intent, charge) = payment(object);
    if event == InvoiceEvent::Updated
        && subscription.is_none()
        && payment_intent.is_none()
        && charge.is_none()
    {
        return Err(NoUse::InvoiceChange.into());
    }
    let lines = shown
        .iter()
        .map(|l| line::read(l, created.unwrap_or(e.created)))
        .collect::<Result<_, _>>()?;
    let paid = is_paid(given, status)?;
    let (total, amount_due) = (object.get("total").int(), object.get("amount_due").int());
    Ok(Invoice {
        id,
        event,
        customer: payer(object),
        email: owned(object.get("customer_email"))
            .or_else(|| owned(object.get("customer").get("email"))),
        name: owned(object.get("customer_name"))
            .or_else(|| owned(object.get("customer").get("name"))),
        paid,
        paid_at: paid_at(
            object,
            (paid && event == InvoiceEvent::Paid).then_some(e.created),
        ),
        reason: reason(given.text("billing_reason")?, subscription.is_some()),
        subscription,
        lines,
        total: total.or(amount_due).unwrap_or(0),
        amount_due: amount_due.or(total).unwrap_or(0),
        currency: currency(object).unwrap_or_default(),
        next_attempt: object.get("next_payment_attempt").time(),
        // It goes into mails, so it must be what it says it is.
        hosted_url: owned(object.get("hosted_invoice_url"))
            .filter(|url| url.starts_with("https://")),
        due: given.time("due_date")?,
        send_invoice: is_sent(object),
        payment_intent,
        charge,
        wants: wants_of(object, &shown),
        created,
        draft: status == Some("draft"),
        lines_whole: !object.get("lines").get("has_more").bool().unwrap_or(false),
        amount_paid: given.int("amount_paid")?,
    })
}

/// The subscription that it bills: below `parent`, its own field, or only told by its lines.
fn subscription(object: &Json<'_>, lines: &[&Json<'_>]) -> Result<Option<SubscriptionId>, Reason> {
    let details = object.get("parent").get("subscription_details");
    let details = Given::within(details, "data.object.parent.subscription_details");
    let id = match details.reference("subscription")? {
        Some(id) => Some(id),
        None => Given::of(object).reference("subscription")?,
    };
    let of_lines = || lines.iter().find_map(|l| line::subscription(l));
    Ok(id.or_else(|| of_lines().map(SubscriptionId::from)))
}

/// `status`, or in 2018 and before `paid`.
fn is_paid(given: Given<'_, '_>, status: Option<&str>) -> Result<bool, Reason> {
    match status {
        Some(status) => Ok(status == "paid"),
        None => Ok(given.bool("paid")?.unwrap_or(false)),
    }
}

/// `status_transitions` since 2019-03-14; before, the event that tells of it.
fn paid_at(object: &Json<'_>, told: Option<Timestamp>) -> Option<Timestamp> {
    object
        .get("status_transitions")
        .get("paid_at")
        .time()
        .or(told)
}

fn reason(given: Option<&str>, of_subscription: bool) -> BillingReason {
    match given {
        Some("subscription_create") => BillingReason::Create,
        // A quote's acceptance starts a subscription, or sells something once.
        Some("quote_accept") if of_subscription => BillingReason::Create,
        Some("subscription_cycle") => BillingReason::Cycle,
        Some("subscription_update" | "subscription_threshold") => BillingReason::Update,
        Some("manual" | "quote_accept" | "automatic_pending_invoice_item_invoice") => {
            BillingReason::Manual
        }
        // `subscription`, before May 2018, can be any of the first three.
        Some(_) | None => BillingReason::Other,
    }
}

/// What paid it: `payments` where expanded (the paid one first), else `payment_intent` and `charge` before basil.
fn payment(object: &Json<'_>) -> (Option<PaymentIntentId>, Option<ChargeId>) {
    let payments = object.get("payments").data();
    let paid = payments
        .iter()
        .find(|p| p.get("status").text() == Some("paid"));
    let newest = paid
        .or(payments.first())
        .map_or(&Json::Null, |p| p.get("payment"));
    (
        reference(newest.get("payment_intent")).or_else(|| reference(object.get("payment_intent"))),
        reference(newest.get("charge")).or_else(|| reference(object.get("charge"))),
    )
}

/// The first place whose metadata asks for anything. Lines that give money back show what used to be asked for.
fn wants_of(object: &Json<'_>, lines: &[&Json<'_>]) -> Wants {
    let own = [
        object
            .get("parent")
            .get("subscription_details")
            .get("metadata"),
        object.get("subscription_details").get("metadata"),
        object.get("metadata"),
    ];
    let of_lines = lines
        .iter()
        .filter(|l| l.get("amount").int().is_some_and(|a| a >= 0))
        .map(|l| l.get("metadata"));
    own.into_iter()
        .chain(of_lines)
        .map(wants::read)
        .find(|w| !w.is_empty())
        .unwrap_or_default()
}
