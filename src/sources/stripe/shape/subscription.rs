//! Subscriptions. Since basil (2025-03-31) the running period is each item's own; in 2015 and 2016 there were no items.

use crate::domain::fact::{
    EndReason, Item, PauseReason, Subscription, SubscriptionEvent as Happened,
    SubscriptionStatus as Status,
};
use crate::domain::time::Timestamp;

use super::super::json::Json;
use super::super::reason::Reason;
use super::given::Given;
use super::{is_sent, own_id, payer, price, quantity, reference, wants};

pub(in super::super) fn read(
    object: &Json<'_>,
    previous: &Json<'_>,
    event: Happened,
) -> Result<Subscription, Reason> {
    let status = match (object.get("status").text(), event) {
        // It has ended, whatever its status says (samples of Stripe's dashboard say `active`).
        (_, Happened::Deleted) => Status::Canceled,
        (Some(text), Happened::Created | Happened::Updated | Happened::TrialWillEnd) => {
            status_of(text)
        }
        (None, Happened::Created | Happened::Updated | Happened::TrialWillEnd) => {
            return Err(Reason::unreadable(
                "data.object.status",
                object.get("status"),
            ));
        }
    };
    let given = Given::of(object);
    given.list("items")?;
    let ended_at = given.time("ended_at")?;
    let over = ended_at.is_some() || matches!(status, Status::Canceled | Status::IncompleteExpired);
    Ok(Subscription {
        id: own_id(object)?,
        event,
        status,
        customer: payer(object),
        items: items(object),
        wants: wants::read(object.get("metadata")),
        trial_end: given.time("trial_end")?,
        cancel_at_period_end: given.bool("cancel_at_period_end")?.unwrap_or(false),
        cancel_at: given.time("cancel_at")?,
        ended_at,
        end_reason: over.then(|| end_reason(object)).flatten(),
        collection_paused: given.is_map("pause_collection")?,
        pause_reason: (status == Status::Paused)
            .then(|| pause_reason(object))
            .flatten(),
        send_invoice: is_sent(object),
        latest_invoice: reference(object.get("latest_invoice")),
        // `start` is that of the present plan, so it comes last.
        began: ["start_date", "created", "start"]
            .iter()
            .find_map(|key| object.get(key).time()),
        previous_status: previous.get("status").text().map(status_of),
        items_whole: !object.get("items").get("has_more").bool().unwrap_or(false),
        created: object.get("created").time(),
    })
}

fn status_of(text: &str) -> Status {
    match text {
        "incomplete" => Status::Incomplete,
        "incomplete_expired" => Status::IncompleteExpired,
        "trialing" => Status::Trialing,
        "active" => Status::Active,
        "past_due" => Status::PastDue,
        "unpaid" => Status::Unpaid,
        "paused" => Status::Paused,
        "canceled" => Status::Canceled,
        _ => Status::Unknown,
    }
}

/// `items`, or where there are none the one that the subscription's own `plan` and `quantity` make.
fn items(object: &Json<'_>) -> Vec<Item> {
    let (start, end) = (
        object.get("current_period_start").time(),
        object.get("current_period_end").time(),
    );
    let shown = object.get("items").data();
    if !shown.is_empty() {
        return shown.iter().map(|i| item(i, start, end)).collect();
    }
    let one = Item {
        id: None,
        ..item(object, start, end)
    };
    if one.price.id.is_some() {
        vec![one]
    } else {
        Vec::new()
    }
}

/// An item, with the subscription's period where it has none of its own. (A subscription without items reads as one.)
pub(in super::super) fn item(
    item: &Json<'_>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) -> Item {
    let usage = item
        .get("price")
        .get("recurring")
        .get("usage_type")
        .or(item.get("plan").get("usage_type"));
    Item {
        id: reference(item.get("id")),
        price: price::of_item(item),
        quantity: quantity(item),
        period_start: item.get("current_period_start").time().or(start),
        period_end: item.get("current_period_end").time().or(end),
        metered: usage.text() == Some("metered"),
    }
}

/// `canceled_by_retention_policy` and what we do not know tell neither that somebody asked nor that a payment failed.
fn end_reason(object: &Json<'_>) -> Option<EndReason> {
    match object.get("cancellation_details").get("reason").text()? {
        "cancellation_requested" => Some(EndReason::Requested),
        "payment_failed" => Some(EndReason::PaymentFailed),
        "payment_disputed" => Some(EndReason::PaymentDisputed),
        _ => None,
    }
}

/// `status_details` since 2026-09-30; before, only a trial's end without a payment method could pause.
fn pause_reason(object: &Json<'_>) -> Option<PauseReason> {
    let paused = object.get("status_details").get("paused");
    match paused
        .get("subscription")
        .get("type")
        .or(paused.get("type"))
        .text()
    {
        None => Some(PauseReason::TrialEnd),
        Some("pause_requested") => Some(PauseReason::Requested),
        Some("trial_end_without_payment_method") => Some(PauseReason::TrialEnd),
        Some("first_payment_failure" | "final_payment_failure") => Some(PauseReason::PaymentFailed),
        Some(_) => None,
    }
}
