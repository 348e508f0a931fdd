//! Checkout sessions, in the shapes of 2019 to 2026.

use keyward::domain::fact::{PaymentStatus, SessionEvent, SessionMode};
use keyward::domain::no_use::NoUse;
use keyward::domain::time::Span;
use keyward::sources::stripe::event::Reason;
use serde_json::{Value, json};

use super::build::{ignored, session, with};

fn paid() -> Value {
    json!({
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_status": "paid", "status": "complete",
        "customer": null, "customer_details": {"email": "buyer@example.com", "name": "B. Uyer"},
        "customer_email": null, "payment_intent": "pi_1", "subscription": null, "invoice": null,
        "amount_total": 1900, "currency": "USD", "locale": "auto",
        "metadata": {"authforge_app_id": "app_1", "license_duration": "30", "max_hwid_slots": "2"}
    })
}

#[test]
fn a_paid_session_as_it_comes_today() {
    let s = session("checkout.session.completed", paid());
    assert_eq!(s.id.as_str(), "cs_1");
    assert_eq!(
        (s.event, s.mode, s.payment_status),
        (
            SessionEvent::Completed,
            SessionMode::Payment,
            PaymentStatus::Paid
        )
    );
    assert_eq!(
        (s.email.as_deref(), s.name.as_deref()),
        (Some("buyer@example.com"), Some("B. Uyer"))
    );
    assert_eq!(s.payment_intent.unwrap().as_str(), "pi_1");
    assert_eq!(
        (s.amount, s.currency.as_deref(), s.locale),
        (Some(1900), Some("usd"), None)
    );
    assert_eq!(
        (s.wants.duration, s.wants.devices),
        (Some(Span::from_days(30)), Some(2))
    );
    assert!(s.customer.is_none() && s.invoice.is_none() && s.line_items.is_empty());
}

#[test]
fn which_event_is_which() {
    for (kind, event) in [
        ("checkout.session.completed", SessionEvent::Completed),
        (
            "checkout.session.async_payment_succeeded",
            SessionEvent::AsyncSucceeded,
        ),
        (
            "checkout.session.async_payment_failed",
            SessionEvent::AsyncFailed,
        ),
        ("checkout.session.expired", SessionEvent::Expired),
    ] {
        assert_eq!(session(kind, paid()).event, event);
    }
}

#[test]
fn whether_it_is_paid() {
    use PaymentStatus::{NoPaymentRequired, Paid, Unpaid};
    let completed = "checkout.session.completed";
    for (kind, fields, expected) in [
        (completed, json!({}), Paid),
        (completed, json!({"payment_status": "unpaid"}), Unpaid),
        (
            completed,
            json!({"payment_status": "no_payment_required", "payment_intent": null}),
            NoPaymentRequired,
        ),
        (
            completed,
            json!({"payment_status": "something_new"}),
            Unpaid,
        ),
        // Before 2020-09 there was no payment_status.
        (completed, json!({"payment_status": null}), Paid),
        (
            completed,
            json!({"payment_status": null, "payment_intent": null, "subscription": "sub_1"}),
            Paid,
        ),
        (
            completed,
            json!({"payment_status": null, "payment_intent": null}),
            Unpaid,
        ),
        (
            "checkout.session.expired",
            json!({"payment_status": null}),
            Unpaid,
        ),
        (
            "checkout.session.async_payment_succeeded",
            json!({"payment_status": null}),
            Paid,
        ),
        (
            "checkout.session.async_payment_failed",
            json!({"payment_status": null}),
            Unpaid,
        ),
    ] {
        assert_eq!(
            session(kind, with(paid(), fields.clone())).payment_status,
            expected,
            "{kind} {fields}"
        );
    }
}

#[test]
fn what_it_is_for() {
    for (fields, mode) in [
        (json!({}), Some(SessionMode::Payment)),
        (
            json!({"mode": "subscription"}),
            Some(SessionMode::Subscription),
        ),
        (json!({"mode": "setup"}), None),
        // There was no mode in 2019.
        (json!({"mode": null}), Some(SessionMode::Payment)),
        (
            json!({"mode": null, "subscription": "sub_1", "payment_intent": null}),
            Some(SessionMode::Subscription),
        ),
        (
            json!({"mode": null, "setup_intent": "seti_1", "payment_intent": null}),
            None,
        ),
    ] {
        let object = with(paid(), fields.clone());
        match mode {
            Some(mode) => assert_eq!(
                session("checkout.session.completed", object).mode,
                mode,
                "{fields}"
            ),
            None => assert_eq!(
                ignored("checkout.session.completed", object),
                Reason::NoUse(NoUse::Setup),
                "{fields}"
            ),
        }
    }
    let unknown = ignored(
        "checkout.session.completed",
        with(paid(), json!({"mode": "barter"})),
    );
    assert_eq!(
        unknown.to_string(),
        "unreadable: `data.object.mode` is the text `barter`"
    );
}

#[test]
fn where_the_address_is() {
    let address = |fields| session("checkout.session.completed", with(paid(), fields)).email;
    assert_eq!(
        address(json!({"customer_email": "pre@example.com"})).as_deref(),
        Some("buyer@example.com")
    );
    let prefilled =
        json!({"customer_details": {"email": null}, "customer_email": "pre@example.com"});
    assert_eq!(address(prefilled).as_deref(), Some("pre@example.com"));
    let expanded = json!({"customer_details": null, "customer": {"id": "cus_1", "email": "known@example.com"}});
    assert_eq!(address(expanded).as_deref(), Some("known@example.com"));
    assert_eq!(address(json!({"customer_details": null})), None);
    assert_eq!(address(json!({"customer_details": {"email": 7}})), None);
}

#[test]
fn references_are_ids_or_objects() {
    let s = session(
        "checkout.session.completed",
        with(
            paid(),
            json!({"customer": null, "customer_account": "acct_9", "payment_intent": {"id": "pi_2", "object": "payment_intent"},
                   "invoice": {"id": "in_2"}, "subscription": {"id": "sub_2"}, "locale": "de"}),
        ),
    );
    assert_eq!(s.customer.unwrap().as_str(), "acct_9");
    assert_eq!(s.payment_intent.unwrap().as_str(), "pi_2");
    assert_eq!(s.invoice.unwrap().as_str(), "in_2");
    assert_eq!(s.subscription.unwrap().as_str(), "sub_2");
    assert_eq!(s.locale.as_deref(), Some("de"));
}

#[test]
fn expanded_line_items_are_read() {
    let lines = json!({"line_items": {"object": "list", "data": [
        {"id": "li_1", "quantity": 3, "price": {"id": "price_1", "lookup_key": "pro", "product": {"id": "prod_1"}}},
        {"id": "li_2", "price": "price_2"}]}});
    let s = session("checkout.session.completed", with(paid(), lines));
    let read: Vec<_> = s
        .line_items
        .iter()
        .map(|l| (l.price.id.as_ref().unwrap().as_str(), l.quantity))
        .collect();
    assert_eq!(read, [("price_1", 3), ("price_2", 1)]);
    assert_eq!(s.line_items[0].price.lookup_key.as_deref(), Some("pro"));
    assert_eq!(
        s.line_items[0].price.product.as_ref().unwrap().as_str(),
        "prod_1"
    );
}
