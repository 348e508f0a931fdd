//! Snapshots of one second are put in order by what they say of before, whatever their ids.

use keyward::domain::fact::Fact;
use keyward::domain::fact::order::canonical;
use serde_json::{Value, json};

use super::build::{event, fact_of, with};

fn fact(id: &str, kind: &str, object: Value, previous: Value) -> Fact {
    let mut e = event(kind, object);
    e["id"] = json!(id);
    e["data"]["previous_attributes"] = previous;
    fact_of(&e)
}

/// Checks that the first comes before the second, also with their ids swapped.
fn in_order(first: (&str, Value, Value), second: (&str, Value, Value)) {
    for (a, b) in [("evt_a", "evt_b"), ("evt_b", "evt_a")] {
        let facts = [
            fact(b, second.0, second.1.clone(), second.2.clone()),
            fact(a, first.0, first.1.clone(), first.2.clone()),
        ];
        let order: Vec<_> = canonical(&facts)
            .iter()
            .map(|f| f.id.as_str().to_owned())
            .collect();
        assert_eq!(order, [a, b], "{} then {}", first.1, second.1);
    }
}

fn subscription(fields: Value) -> Value {
    let object = json!({"id": "sub_1", "object": "subscription", "status": "active", "cancel_at": null,
        "latest_invoice": "in_1", "metadata": {"plan": "pro", "note": "x"}, "pause_collection": null,
        "items": {"data": [{"id": "si_1", "quantity": 1, "price": {"id": "p", "object": "price"}, "current_period_end": 9}]}});
    with(object, fields)
}

#[test]
fn subscriptions() {
    let updated = "customer.subscription.updated";
    let items = |quantity: i64| json!({"data": [{"price": {"id": "p", "active": true}, "id": "si_1", "current_period_end": 9, "quantity": quantity}]});
    for (before, after, previous) in [
        (
            json!({"status": "incomplete"}),
            json!({"status": "active"}),
            json!({"status": "incomplete"}),
        ),
        (
            json!({}),
            json!({"cancel_at": 77}),
            json!({"cancel_at": null}),
        ),
        (
            json!({}),
            json!({"latest_invoice": {"id": "in_2"}}),
            json!({"latest_invoice": "in_1"}),
        ),
        (
            json!({}),
            json!({"items": items(5)}),
            json!({"items": items(1), "quantity": 1}),
        ),
        // Of metadata only what changed is told, a key that is new with null.
        (
            json!({}),
            json!({"metadata": {"plan": "max", "note": "x"}}),
            json!({"metadata": {"plan": "pro"}}),
        ),
        (
            json!({}),
            json!({"metadata": {"plan": "pro", "note": "x", "n": "1"}}),
            json!({"metadata": {"n": null}}),
        ),
        (
            json!({}),
            json!({"metadata": {"plan": "pro"}}),
            json!({"metadata": {"note": "x"}}),
        ),
        (
            json!({}),
            json!({"pause_collection": {"behavior": "void"}}),
            json!({"pause_collection": null}),
        ),
        (
            json!({"pause_collection": {"behavior": "void", "resumes_at": 5}}),
            json!({"pause_collection": {"behavior": "void", "resumes_at": 8}}),
            json!({"pause_collection": {"resumes_at": 5}}),
        ),
    ] {
        in_order(
            (updated, subscription(before), json!({"x": 1})),
            (updated, subscription(after), previous),
        );
    }
}

#[test]
fn subscriptions_without_items() {
    let old = |quantity: i64| {
        subscription(json!({"items": null, "plan": {"id": "gold"}, "quantity": quantity}))
    };
    let updated = "customer.subscription.updated";
    in_order(
        (updated, old(1), json!({})),
        (updated, old(2), json!({"quantity": 1})),
    );
}

#[test]
fn invoices() {
    let invoice = |fields| {
        with(
            json!({"id": "in_1", "object": "invoice", "subscription": "sub_1", "status": "open"}),
            fields,
        )
    };
    in_order(
        (
            "invoice.finalized",
            invoice(json!({"attempt_count": 0})),
            json!({}),
        ),
        (
            "invoice.updated",
            invoice(json!({"attempt_count": 1})),
            json!({"attempt_count": 0}),
        ),
    );
}

#[test]
fn charges_refunds_and_disputes() {
    let charge = |refunded: i64| json!({"id": "ch_1", "object": "charge", "amount": 9, "amount_refunded": refunded});
    in_order(
        ("charge.refunded", charge(4), json!({"amount_refunded": 0})),
        ("charge.refunded", charge(9), json!({"amount_refunded": 4})),
    );
    let refund = |status: &str| json!({"id": "re_1", "object": "refund", "amount": 9, "charge": "ch_1", "status": status});
    in_order(
        ("refund.created", refund("pending"), json!({})),
        ("refund.updated", refund("succeeded"), json!({})),
    );
    in_order(
        ("refund.updated", refund("pending"), json!({})),
        ("refund.failed", refund("failed"), json!({})),
    );
    let dispute = |status: &str| json!({"id": "dp_1", "object": "dispute", "amount": 9, "charge": "ch_1", "status": status});
    // One that cannot be contested is created and closed at once.
    in_order(
        (
            "charge.dispute.created",
            dispute("needs_response"),
            json!({}),
        ),
        ("charge.dispute.closed", dispute("lost"), json!({})),
    );
    in_order(
        ("charge.dispute.updated", dispute("under_review"), json!({})),
        ("charge.dispute.closed", dispute("won"), json!({})),
    );
}

#[test]
fn other_facts_need_none() {
    let paid = json!({"id": "in_1", "object": "invoice", "status": "paid"});
    assert_eq!(fact("evt_1", "invoice.paid", paid, json!({})).chain, None);
}
