//! Purchases as Stripe tells of them: only the fields that matter, for tests that need many.

use keyward::clock::Clock;
use serde_json::{Value, json};

/// The second that begins next: a purchase made in it is younger than a store that began a moment ago, which would look
/// for older licenses first.
pub(crate) fn next_s() -> i64 {
    Clock::Wall.now().s() + 1
}

/// The session id of a purchase by its name.
pub(crate) fn session_id(name: &str) -> String {
    format!("cs_live_{name}")
}

/// The label that a purchase's license gets (AuthForge's guide).
pub(crate) fn label(name: &str) -> String {
    format!("Stripe session {}", session_id(name))
}

/// The machine of a purchase.
pub(crate) fn machine(name: &str) -> String {
    format!("stripe/{}", session_id(name))
}

/// A paid one-time purchase, made at an instant.
pub(crate) fn one_time(name: &str, created_s: i64) -> Value {
    json!({
        "id": format!("evt_{name}"),
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": created_s,
        "livemode": true,
        "type": "checkout.session.completed",
        "data": { "object": {
            "id": session_id(name),
            "object": "checkout.session",
            "created": created_s - 60,
            "amount_total": 4900,
            "currency": "usd",
            "customer": null,
            "customer_details": { "email": format!("{}@customer.example", name.to_lowercase()), "name": "Ada Example" },
            "livemode": true,
            "metadata": { "authforge_app_id": "app_test", "max_hwid_slots": "2" },
            "mode": "payment",
            "payment_intent": format!("pi_{name}"),
            "payment_status": "paid",
            "status": "complete",
        }},
    })
}

/// The money of a one-time purchase goes back.
pub(crate) fn refund(name: &str, created_s: i64) -> Value {
    json!({
        "id": format!("evt_refund_{name}"),
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": created_s,
        "livemode": true,
        "type": "charge.refunded",
        "data": { "object": {
            "id": format!("ch_{name}"),
            "object": "charge",
            "amount": 4900,
            "amount_refunded": 4900,
            "currency": "usd",
            "livemode": true,
            "payment_intent": format!("pi_{name}"),
            "refunded": true,
            "status": "succeeded",
        }},
    })
}
