//! An object as Stripe lists it, to the events that would have told of it: dated when it was so, in the form in which a
//! webhook brings them, so that one reader makes facts of both. Pure.
//!
//! Their ids follow from the object and what it shows, so that a second run tells nothing new.

use serde_json::{Value, json};

use crate::domain::adoption::ADOPTED_PREFIX;
use crate::domain::time::Timestamp;

/// A list at Stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Checkout sessions that were completed.
    Sessions,
    /// Invoices of every status.
    Invoices,
    /// Subscriptions of every status.
    Subscriptions,
    /// Charges, the failed tries among them.
    Charges,
    /// Refunds.
    Refunds,
    /// Disputes.
    Disputes,
    /// Events, as they were delivered: what changed while everything else was read.
    Events,
}

impl List {
    /// Those of objects, in the order in which they are read: what pays comes before what takes it back, so that no charge
    /// tells of a refund that its list, read before, did not show yet.
    pub const ALL: [Self; 6] = [
        Self::Sessions,
        Self::Invoices,
        Self::Subscriptions,
        Self::Charges,
        Self::Refunds,
        Self::Disputes,
    ];

    /// Its number in what was read so far, which an older version may have kept: none is used again.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Sessions => 0,
            Self::Invoices => 1,
            Self::Subscriptions => 2,
            Self::Refunds => 3,
            Self::Disputes => 4,
            Self::Charges => 5,
            Self::Events => 6,
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "checkout sessions",
            Self::Invoices => "invoices",
            Self::Subscriptions => "subscriptions",
            Self::Charges => "charges",
            Self::Refunds => "refunds",
            Self::Disputes => "disputes",
            Self::Events => "events",
        }
    }

    /// What a key must be allowed to read.
    #[must_use]
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Sessions => "Checkout Sessions",
            Self::Invoices => "Invoices",
            Self::Subscriptions => "Subscriptions",
            Self::Charges | Self::Refunds => "Charges and Refunds",
            Self::Disputes => "Disputes",
            Self::Events => "Events",
        }
    }
}

/// The events that tell of an object, oldest first. `now` is the instant of the reading: what runs at present, a failure or
/// a subscription's status, is dated then (a grace that began before adoption counts from adoption).
#[must_use]
pub fn events(list: List, object: &Value, now: Timestamp) -> Vec<Value> {
    match list {
        List::Sessions => session(object),
        List::Invoices => invoice(object, now),
        List::Subscriptions => subscription(object, now),
        List::Charges => charge(object),
        List::Refunds => refund(object),
        List::Disputes => dispute(object),
        List::Events => Vec::new(),
    }
}

fn event(id: &str, kind: &str, created: i64, object: &Value) -> Value {
    json!({
        "id": format!("{ADOPTED_PREFIX}{id}"),
        "object": "event",
        "type": kind,
        "created": created,
        "livemode": object["livemode"],
        "data": { "object": object },
    })
}

fn id_of(object: &Value) -> &str {
    object["id"].as_str().unwrap_or_default()
}

fn created(object: &Value) -> i64 {
    object["created"].as_i64().unwrap_or_default()
}

/// A digest of what an object shows, for the id of a snapshot: the same snapshot is the same event.
fn digest(object: &Value) -> String {
    format!("{:08x}", crc32fast::hash(object.to_string().as_bytes()))
}

/// When it was paid is not told; it was begun less than a day before.
fn session(object: &Value) -> Vec<Value> {
    let complete = object["status"].as_str().is_none_or(|s| s == "complete");
    if !complete || object["mode"] == "setup" {
        return Vec::new();
    }
    let id = format!("{}_completed", id_of(object));
    vec![event(
        &id,
        "checkout.session.completed",
        created(object),
        object,
    )]
}

fn invoice(object: &Value, now: Timestamp) -> Vec<Value> {
    let id = id_of(object);
    let turned = |name: &str| {
        object["status_transitions"][name]
            .as_i64()
            .unwrap_or_else(|| created(object))
    };
    match object["status"].as_str().unwrap_or_default() {
        "paid" => {
            let paid = event(
                &format!("{id}_paid"),
                "invoice.paid",
                turned("paid_at"),
                object,
            );
            let mut all = vec![paid];
            all.extend(further_payments(object));
            all
        }
        "open" => {
            let finalized = event(
                &format!("{id}_finalized"),
                "invoice.finalized",
                turned("finalized_at"),
                object,
            );
            let mut all = vec![finalized];
            all.extend(unpaid(object, now));
            all
        }
        "void" => vec![event(
            &format!("{id}_voided"),
            "invoice.voided",
            turned("voided_at"),
            object,
        )],
        "uncollectible" => vec![event(
            &format!("{id}_uncollectible"),
            "invoice.marked_uncollectible",
            turned("marked_uncollectible_at"),
            object,
        )],
        _ => Vec::new(),
    }
}

/// A failure that runs.
fn unpaid(object: &Value, now: Timestamp) -> Option<Value> {
    let id = id_of(object);
    let attempted = object["attempt_count"].as_i64().unwrap_or(0) > 0
        || object["attempted"].as_bool() == Some(true);
    if object["collection_method"] == "send_invoice" {
        let due = object["due_date"].as_i64()?;
        return (due <= now.s())
            .then(|| event(&format!("{id}_overdue"), "invoice.overdue", now.s(), object));
    }
    attempted.then(|| {
        event(
            &format!("{id}_failed"),
            "invoice.payment_failed",
            now.s(),
            object,
        )
    })
}

/// An invoice names its first paid payment itself. Money that goes back of another one must find its way, too.
fn further_payments(object: &Value) -> Vec<Value> {
    let payments = object["payments"]["data"].as_array();
    let paid = payments
        .into_iter()
        .flatten()
        .filter(|p| p["status"] == "paid");
    paid.skip(1)
        .map(|payment| {
            event(
                &format!("{}_paid", id_of(payment)),
                "invoice_payment.paid",
                created(payment),
                payment,
            )
        })
        .collect()
}

fn subscription(object: &Value, now: Timestamp) -> Vec<Value> {
    let id = format!("{}_{}", id_of(object), digest(object));
    let ended = object["ended_at"].as_i64();
    let (kind, at) = match object["status"].as_str() {
        Some("canceled") => ("customer.subscription.deleted", ended.unwrap_or(now.s())),
        Some("incomplete_expired") => ("customer.subscription.updated", ended.unwrap_or(now.s())),
        _ => ("customer.subscription.updated", now.s()),
    };
    vec![event(&id, kind, at, object)]
}

/// Which payment it belongs to, and nothing that pays or takes back. One without a payment or an invoice is known by whatever
/// names it.
fn charge(object: &Value) -> Vec<Value> {
    let charge = id_of(object);
    let (invoice, livemode) = (&object["invoice"], &object["livemode"]);
    let (kind, link) = match (object["payment_intent"].as_str(), invoice.as_str()) {
        (Some(intent), _) => (
            "payment_intent.succeeded",
            json!({"id": intent, "object": "payment_intent", "latest_charge": charge, "invoice": invoice, "livemode": livemode}),
        ),
        (None, Some(_)) => (
            "invoice_payment.paid",
            json!({"object": "invoice_payment", "invoice": invoice, "payment": {"type": "charge", "charge": charge}, "livemode": livemode}),
        ),
        (None, None) => return Vec::new(),
    };
    let id = format!("{charge}_succeeded");
    vec![event(&id, kind, created(object), &link)]
}

fn refund(object: &Value) -> Vec<Value> {
    let status = object["status"].as_str().unwrap_or("made");
    let id = format!("{}_{status}", id_of(object));
    vec![event(&id, "refund.created", created(object), object)]
}

/// When a dispute was closed is not told. It is dated at its beginning: what was paid since gives a license again.
fn dispute(object: &Value) -> Vec<Value> {
    let status = object["status"].as_str().unwrap_or_default();
    let kind = if matches!(status, "won" | "lost" | "warning_closed" | "prevented") {
        "charge.dispute.closed"
    } else {
        "charge.dispute.created"
    };
    let id = format!("{}_{status}", id_of(object));
    vec![event(&id, kind, created(object), object)]
}

/// Until when another try to collect an invoice is announced.
#[must_use]
pub fn retry_at(list: List, object: &Value) -> Option<Timestamp> {
    let runs = list == List::Invoices
        && object["status"] == "open"
        && object["attempt_count"].as_i64().unwrap_or(0) > 0;
    let at = object["next_payment_attempt"].as_i64().filter(|_| runs)?;
    Some(Timestamp::from_s(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_000);

    /// Type and instant of each event.
    fn told(list: List, object: &Value) -> Vec<(String, i64)> {
        let of = |e: &Value| (e["type"].as_str().unwrap().to_owned(), created(e));
        events(list, object, NOW).iter().map(of).collect()
    }

    #[test]
    fn what_was_is_dated_then_and_what_runs_is_dated_now() {
        let paid = json!({"id": "in_1", "status": "paid", "created": 10, "status_transitions": {"paid_at": 20},
            "payments": {"data": [{"id": "p_1", "status": "paid"}, {"id": "p_2", "status": "paid", "created": 19}]}});
        let open = json!({"id": "in_2", "status": "open", "created": 30, "attempt_count": 2});
        let sent = json!({"id": "in_3", "status": "open", "created": 30, "collection_method": "send_invoice", "due_date": 40});
        let draft = json!({"id": "in_4", "status": "draft", "created": 30});
        let charged =
            json!({"id": "ch_1", "payment_intent": "pi_1", "invoice": "in_1", "created": 60});
        let billed =
            json!({"id": "ch_2", "payment_intent": null, "invoice": "in_1", "created": 61});
        let alone = json!({"id": "ch_3", "payment_intent": null, "created": 62});
        let ended = json!({"id": "sub_1", "status": "canceled", "created": 1, "ended_at": 50});
        let runs = json!({"id": "sub_2", "status": "past_due", "created": 1});
        for (list, object, expected) in [
            (
                List::Invoices,
                &paid,
                vec![("invoice.paid", 20), ("invoice_payment.paid", 19)],
            ),
            (
                List::Invoices,
                &open,
                vec![("invoice.finalized", 30), ("invoice.payment_failed", 1_000)],
            ),
            (
                List::Invoices,
                &sent,
                vec![("invoice.finalized", 30), ("invoice.overdue", 1_000)],
            ),
            (List::Invoices, &draft, vec![]),
            (
                List::Charges,
                &charged,
                vec![("payment_intent.succeeded", 60)],
            ),
            (List::Charges, &billed, vec![("invoice_payment.paid", 61)]),
            (List::Charges, &alone, vec![]),
            (
                List::Subscriptions,
                &ended,
                vec![("customer.subscription.deleted", 50)],
            ),
            (
                List::Subscriptions,
                &runs,
                vec![("customer.subscription.updated", 1_000)],
            ),
        ] {
            let expected: Vec<(String, i64)> = expected
                .into_iter()
                .map(|(kind, at)| (kind.to_owned(), at))
                .collect();
            assert_eq!(told(list, object), expected, "{object}");
        }
    }

    #[test]
    fn the_same_object_is_the_same_event_and_a_changed_one_another() {
        let id = |object: &Value, now: i64| {
            events(List::Subscriptions, object, Timestamp::from_s(now))[0]["id"].clone()
        };
        let one = json!({"id": "sub_1", "status": "active"});
        let other = json!({"id": "sub_1", "status": "past_due"});
        assert_eq!(id(&one, 1), id(&one, 2));
        assert_ne!(id(&one, 1), id(&other, 1));
    }
}
