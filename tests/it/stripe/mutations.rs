//! Whatever arrives, reading it never fails in another way than by saying so.

use keyward::domain::time::{Span, Timestamp};
use keyward::secret::Secret;
use keyward::sources::stripe::event::{EVENT_TYPES, EventContent, read};
use keyward::sources::stripe::signature::verify;
use proptest::prelude::*;
use serde_json::Value;

use super::build::{RECEIVED_S, event, heard};

/// Something of every shape, with every field that any reader looks for.
const EVERYTHING: &str = r#"{
    "id": "x_1", "status": "active", "mode": "payment", "payment_status": "paid", "customer": {"id": "cus_1"},
    "customer_details": {"email": "a@example.com", "name": "A"}, "locale": "de", "amount": 100, "amount_total": 100,
    "amount_due": 100, "total": 100, "currency": "usd", "payment_intent": "pi_1", "subscription": "sub_1",
    "invoice": "in_1", "charge": "ch_1", "latest_charge": "ch_1", "latest_invoice": "in_1", "created": 1700000000,
    "charges": {"data": [{"id": "ch_1", "status": "succeeded"}]}, "amount_refunded": 7, "refunded": false,
    "refunds": {"data": [{"id": "re_1", "amount": 7, "created": 5}]}, "trial_end": 1700000000,
    "cancel_at": 1700000000, "cancel_at_period_end": true, "ended_at": null, "pause_collection": {"behavior": "void"},
    "status_details": {"paused": {"subscription": {"type": "pause_requested"}}}, "billing_reason": "manual",
    "cancellation_details": {"reason": "payment_failed"}, "preferred_locales": ["de"], "email": "a@example.com",
    "metadata": {"authforge_app_id": "a", "license_duration": "30", "max_hwid_slots": "1", "keyward_deliver_to": "b@example.com"},
    "items": {"data": [{"id": "si_1", "quantity": 1, "price": {"id": "p", "recurring": {"usage_type": "metered"}},
        "current_period_start": 1700000000, "current_period_end": 1700000000}]},
    "line_items": {"data": [{"id": "li_1", "price": {"id": "p"}, "quantity": 1}]},
    "lines": {"data": [{"id": "il_1", "amount": 5, "quantity": 1, "period": {"start": 1, "end": 2},
        "pricing": {"price_details": {"price": "p", "product": "prod"}},
        "parent": {"subscription_item_details": {"subscription": "sub_1", "subscription_item": "si_1", "proration": false}}}]},
    "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"plan": "pro"}}},
    "payment": {"payment_intent": "pi_1"}, "status_transitions": {"paid_at": 1700000000},
    "next_payment_attempt": 1700000000, "hosted_invoice_url": "https://invoice.stripe.com/x"
}"#;

fn everything() -> Value {
    serde_json::from_str(EVERYTHING).unwrap()
}

/// Values that nobody expects anywhere.
const ODD: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e300",
    "-1e300",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999999",
    "\"\"",
    "\"x\"",
    "\"-99999999999\"",
    "\"99999999999999999999\"",
    "\"9e9\"",
    "\"\\u0000\\n\"",
    "[]",
    "[[]]",
    "{}",
    "{\"id\": null}",
    "{\"data\": [null, 1, {}]}",
];

/// Puts a value somewhere into the tree: the path's steps choose among the children, and it ends early at a leaf.
fn put(json: &mut Value, path: &[usize], odd: &Value) {
    let (step, rest) = path
        .split_first()
        .map_or((0, path), |(step, rest)| (*step, rest));
    let len = json.as_object().map_or(0, |o| o.len()) + json.as_array().map_or(0, Vec::len);
    let child = if path.is_empty() || len == 0 {
        None
    } else if let Value::Object(fields) = json {
        fields.values_mut().nth(step % len)
    } else {
        json.get_mut(step % len)
    };
    match child {
        Some(child) => put(child, rest, odd),
        None => *json = odd.clone(),
    }
}

fn at() -> Timestamp {
    Timestamp::from_s(RECEIVED_S)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_events(
        kind in 0..EVENT_TYPES.len(),
        changes in prop::collection::vec((prop::collection::vec(any::<usize>(), 0..7), 0..ODD.len()), 0..5),
        previous in any::<bool>(),
    ) {
        let mut e = event(EVENT_TYPES[kind].0, everything());
        if previous {
            e["data"]["previous_attributes"] = everything();
        }
        for (path, odd) in changes {
            put(&mut e["data"], &path, &serde_json::from_str(ODD[odd]).unwrap());
        }
        // The envelope is whole, so it ends as something, and what is ignored has its reason.
        if let EventContent::Ignored(reason) = read(e.to_string().as_bytes(), at()).unwrap().content {
            prop_assert!(!reason.to_string().is_empty());
        }
    }

    #[test]
    fn changed_envelopes(path in prop::collection::vec(any::<usize>(), 0..4), odd in 0..ODD.len()) {
        let mut e = event("invoice.paid", everything());
        put(&mut e, &path, &serde_json::from_str(ODD[odd]).unwrap());
        let _ = read(e.to_string().as_bytes(), at());
    }

    #[test]
    fn cut_bodies(cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut body = event("invoice.paid", everything()).to_string().into_bytes();
        let at_byte = flip.index(body.len());
        body[at_byte] ^= 1 << bit;
        let _ = read(&body, at());
        body.truncate(cut.index(body.len()));
        prop_assert!(read(&body, at()).is_err());
    }

    #[test]
    fn any_bytes(body in prop::collection::vec(any::<u8>(), 0..200), header in ".{0,120}") {
        let _ = read(&body, at());
        let secrets = [Secret::new("whsec_x")];
        prop_assert!(verify(&body, Some(&header), &secrets, Span::from_s(300), at()).is_err());
    }
}

#[test]
fn everything_is_read_by_every_reader() {
    for (kind, _) in EVENT_TYPES {
        let content = read(event(kind, everything()).to_string().as_bytes(), at())
            .unwrap()
            .content;
        assert!(
            !matches!(content, EventContent::Ignored(_)),
            "{kind}: {content:?}"
        );
    }
}

#[test]
fn instants_beyond_the_calendar_are_clamped() {
    for odd in ODD {
        let mut object = everything();
        object["trial_end"] = serde_json::from_str(odd).unwrap();
        let content = read(
            event("customer.subscription.updated", object)
                .to_string()
                .as_bytes(),
            at(),
        )
        .unwrap()
        .content;
        let fact = match content {
            EventContent::Fact(fact) => fact,
            // It is there, and no instant.
            EventContent::Ignored(why) if why.is_unreadable() => continue,
            content @ (EventContent::Customer(_) | EventContent::Ignored(_)) => {
                panic!("{odd}: {content:?}")
            }
        };
        let keyward::domain::fact::FactBody::Subscription(s) = fact.body else {
            panic!()
        };
        let _ = s
            .trial_end
            .map(|t| (t + Span::from_days(i64::MAX)).to_string());
    }
}

/// What decides is not read as absent where it is there in a form that cannot be read: it would be another fact.
#[test]
fn what_decides_and_has_the_wrong_type_is_unreadable() {
    let wrong = [
        ("invoice.paid", "lines", "5"),
        ("invoice.paid", "lines", r#"{"data": 5}"#),
        ("invoice.paid", "lines", "[5]"),
        ("invoice.paid", "status", "[]"),
        ("invoice.paid", "subscription", "5"),
        ("invoice.paid", "billing_reason", "5"),
        ("invoice.paid", "amount_paid", "[]"),
        ("invoice.paid", "due_date", "{}"),
        ("checkout.session.completed", "payment_status", "5"),
        ("checkout.session.completed", "mode", "[]"),
        ("checkout.session.completed", "subscription", "7"),
        ("checkout.session.completed", "payment_intent", "{}"),
        ("checkout.session.completed", "line_items", "\"x\""),
        ("customer.subscription.updated", "items", "5"),
        ("customer.subscription.updated", "pause_collection", "5"),
        ("customer.subscription.updated", "cancel_at", "[]"),
        ("customer.subscription.updated", "cancel_at_period_end", "5"),
        ("customer.subscription.updated", "trial_end", "\"soon\""),
        ("customer.subscription.deleted", "ended_at", "\"x\""),
        ("charge.refunded", "refunded", "5"),
        ("charge.refunded", "amount_refunded", "\"x\""),
        ("charge.refunded", "status", "5"),
        ("refund.updated", "status", "[]"),
    ];
    for (kind, field, value) in wrong {
        let mut object = everything();
        // A place that is asked before it would hide it.
        if field == "subscription" {
            object["parent"] = Value::Null;
        }
        let read = |object: &Value| heard(kind, object.clone());
        assert!(
            !matches!(read(&object), EventContent::Ignored(ref why) if why.is_unreadable()),
            "{kind}"
        );
        object[field] = serde_json::from_str(value).unwrap();
        let said = read(&object);
        assert!(
            matches!(said, EventContent::Ignored(ref why) if why.is_unreadable()),
            "{kind}: {field} = {value}: {said:?}"
        );
    }
    // The invoice of which nothing that is needed can be read.
    let mut object = everything();
    (object["lines"], object["status"]) = (5.into(), Value::Array(Vec::new()));
    (object["parent"], object["subscription"]) = (Value::Null, Value::Null);
    let said = heard("invoice.paid", object);
    assert!(matches!(said, EventContent::Ignored(ref why) if why.is_unreadable()));
}
