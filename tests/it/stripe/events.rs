//! The envelope, what is ignored and why, and what is no event.

use keyward::domain::id::AccountId;
use keyward::domain::no_use::NoEvent;
use keyward::domain::time::Timestamp;
use keyward::sources::stripe::event::{EVENT_TYPES, EventContent, Reason, parse, read};
use keyward::sources::stripe::signature::{sign, verify};
use serde_json::{Value, json};

use super::build::{CREATED_S, RECEIVED_S, event, fact_of, ignored, read_event, with};

fn refund() -> Value {
    json!({"id": "re_1", "object": "refund", "amount": 5, "charge": "ch_1"})
}

#[test]
fn the_envelope() {
    let mut raw = event("refund.created", refund());
    let e = read_event(&raw);
    assert_eq!(
        (e.id.as_str(), e.kind.as_str(), e.created.s()),
        ("evt_1", "refund.created", CREATED_S)
    );
    assert_eq!((e.livemode, e.account), (Some(true), None));
    let f = fact_of(&raw);
    assert_eq!(
        (f.id.as_str(), f.kind.as_str()),
        ("evt_1", "refund.created")
    );
    assert_eq!((f.at.s(), f.received.s()), (CREATED_S, RECEIVED_S));
    // Connect: `account`, and before 2017-05-25 `user_id`.
    raw["user_id"] = json!("acct_1");
    assert_eq!(read_event(&raw).account, Some(AccountId::from("acct_1")));
    raw["account"] = json!("acct_2");
    raw["livemode"] = json!(false);
    let e = read_event(&raw);
    assert_eq!(
        (e.livemode, e.account),
        (Some(false), Some(AccountId::from("acct_2")))
    );
}

#[test]
fn an_event_without_its_instant_says_nothing() {
    let mut raw = event("refund.created", refund());
    raw["created"] = json!("yesterday");
    let e = read_event(&raw);
    assert_eq!(e.created.s(), RECEIVED_S);
    let EventContent::Ignored(reason) = e.content else {
        panic!()
    };
    assert_eq!(
        reason.to_string(),
        "unreadable: `created` is the text `yesterday`"
    );
    raw["created"] = json!(CREATED_S.to_string());
    assert_eq!(read_event(&raw).created.s(), CREATED_S);
}

#[test]
fn every_family_has_its_reason() {
    let kinds = [
        "charge.failed",
        "payment_intent.payment_failed",
        "payment_method.attached",
        "customer.discount.created",
        "customer.tax_id.created",
        "product.created",
        "invoiceitem.created",
        "invoice.deleted",
        "credit_note.created",
        "subscription_schedule.updated",
        "payment_link.created",
        "quote.accepted",
        "review.opened",
        "payout.paid",
        "account.updated",
        "billing.meter.created",
        "issuing_card.created",
        "customer.subscription.enchanted",
        "something.new",
    ];
    let told: Vec<String> = kinds
        .iter()
        .map(|k| format!("{k}: {}", ignored(k, json!({}))))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    charge.failed: one attempt to pay: whether it succeeded is told by the invoice or the Checkout session
    payment_intent.payment_failed: one attempt to pay: whether it succeeded is told by the invoice or the Checkout session
    payment_method.attached: a payment method: whether it pays is told by the invoice or the Checkout session
    customer.discount.created: a discount: what was paid with it is told by the invoice or the Checkout session
    customer.tax_id.created: taxes change what an invoice costs, not what it pays for
    product.created: prices and products are read from purchases
    invoiceitem.created: an item that waits for its invoice: it counts when an invoice with it is paid
    invoice.deleted: a draft was thrown away before it was due
    credit_note.created: a credit note changes nothing by itself: money that goes back is told by refund events
    subscription_schedule.updated: a plan for later: its effects are told by the subscription's own events
    payment_link.created: a template for Checkout sessions: purchases through it are told by their sessions
    quote.accepted: a quote: what comes of it is told by its invoice and subscription
    review.opened: a review by Stripe Radar: a refund that follows is told by its own events
    payout.paid: your own balance, payouts and transfers: no purchase changes by them
    account.updated: your own Stripe account and its settings: no purchase changes by them
    billing.meter.created: meters, credits and alerts: what is paid with them is told by the invoice
    issuing_card.created: another Stripe product: it sells no license
    customer.subscription.enchanted: an event type that this version of Keyward does not know
    something.new: an event type that this version of Keyward does not know
    ");
}

#[test]
fn every_type_that_we_ask_for_is_read() {
    for (kind, why) in EVENT_TYPES {
        let reason = ignored(kind, json!({}));
        assert!(reason.is_unreadable(), "{kind} ({why}): {reason}");
    }
    assert!(
        !EVENT_TYPES
            .iter()
            .any(|(kind, _)| *kind == "invoice.created"),
        "it is a brake"
    );
}

#[test]
fn an_object_that_is_not_there_is_unreadable() {
    for (data, found) in [
        (json!({}), "missing"),
        (json!({"object": "sub_1"}), "the text `sub_1`"),
        (json!([]), "missing"),
    ] {
        let raw = with(event("invoice.paid", json!({})), json!({"data": data}));
        let expected = EventContent::Ignored(Reason::field("data.object", found.to_owned()));
        assert_eq!(read_event(&raw).content, expected);
    }
}

#[test]
fn what_is_no_event() {
    let at = Timestamp::from_s(RECEIVED_S);
    let malformed = |body: &str| read(body.as_bytes(), at).unwrap_err();
    for body in ["", "hello", "{\"id\": ", "\u{feff}{}"] {
        assert!(matches!(malformed(body), NoEvent::NotJson { .. }), "{body}");
    }
    assert!(matches!(
        read(b"{\"id\": \"\xff\"}", at),
        Err(NoEvent::NotJson { .. })
    ));
    assert!(
        matches!(malformed(&"[".repeat(100_000)), NoEvent::NotJson { .. }),
        "nested too deeply"
    );
    for (body, missing) in [
        ("[]", "type"),
        ("7", "type"),
        ("{}", "type"),
        (r#"{"id": "evt_1"}"#, "type"),
        (r#"{"type": "invoice.paid"}"#, "id"),
        (r#"{"type": "invoice.paid", "id": 7}"#, "id"),
        (r#"{"type": "invoice.paid", "id": ""}"#, "id"),
    ] {
        assert_eq!(malformed(body), NoEvent::lacks(missing), "{body}");
    }
    for thin in [
        json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.invoice.paid", "created": "2026-10-01T00:00:00Z"}),
        json!({"id": "evt_1", "type": "v2.core.account.updated"}),
    ] {
        let refusal = malformed(&thin.to_string());
        assert!(matches!(refusal, NoEvent::Thin { .. }));
        assert!(refusal.to_string().contains("snapshot"), "{refusal}");
    }
}

#[test]
fn a_delivery_is_verified_before_it_is_parsed() {
    let secret = keyward::secret::Secret::new("whsec_x");
    let at = Timestamp::from_s(RECEIVED_S);
    let body = event("refund.created", refund()).to_string();
    let header = sign(body.as_bytes(), &secret, at);
    let verified = verify(
        body.as_bytes(),
        Some(&header),
        &[secret],
        keyward::domain::time::Span::ZERO,
        at,
    )
    .unwrap();
    assert_eq!(
        parse(&verified, at).unwrap(),
        read(body.as_bytes(), at).unwrap()
    );
}

#[test]
fn what_moves_often_is_small() {
    assert!(
        size_of::<EventContent>() <= 512,
        "{}",
        size_of::<EventContent>()
    );
}
