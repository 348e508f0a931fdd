//! Invoices and their lines, in the shapes of 2012 to 2026.

mod lines;

use keyward::domain::fact::{BillingReason, Invoice, InvoiceEvent};
use keyward::domain::no_use::NoUse;
use keyward::domain::time::Timestamp;
use keyward::sources::stripe::event::Reason;
use serde_json::{Value, json};

use super::build::{CREATED_S, ignored, invoice, with};

const START: i64 = 1_700_000_000;
const END: i64 = 1_702_592_000;

fn line() -> Value {
    json!({
        "id": "il_1", "object": "line_item", "amount": 1900, "quantity": 1, "metadata": {},
        "period": {"start": START, "end": END},
        "pricing": {"type": "price_details", "price_details": {"price": "price_1", "product": "prod_1"}},
        "parent": {"type": "subscription_item_details", "invoice_item_details": null, "subscription_item_details":
            {"subscription": "sub_1", "subscription_item": "si_1", "proration": false}}
    })
}

/// As since basil.
fn paid() -> Value {
    json!({
        "id": "in_1", "object": "invoice", "status": "paid", "customer": "cus_1", "customer_email": "b@example.com",
        "customer_name": "B. Uyer", "billing_reason": "subscription_cycle", "total": 1900, "amount_due": 1900,
        "currency": "EUR", "collection_method": "charge_automatically", "created": START + 5, "due_date": null,
        "next_payment_attempt": null, "hosted_invoice_url": "https://invoice.stripe.com/i/x", "metadata": {},
        "status_transitions": {"paid_at": START + 9},
        "parent": {"type": "subscription_details", "subscription_details":
            {"subscription": "sub_1", "metadata": {"authforge_app_id": "app_1"}}},
        "lines": {"object": "list", "has_more": false, "data": [line()]}
    })
}

fn read(fields: Value) -> Invoice {
    invoice("invoice.paid", with(paid(), fields))
}

/// The invoice with one line, changed.
fn read_line(fields: Value) -> keyward::domain::fact::InvoiceLine {
    let lines = json!({"lines": {"data": [with(line(), fields)]}});
    read(lines).lines.remove(0)
}

/// Old lines know neither `pricing` nor `parent`.
fn old(mut fields: Value) -> Value {
    fields["pricing"] = Value::Null;
    fields["parent"] = Value::Null;
    fields
}

#[test]
fn an_invoice_as_it_comes_today() {
    let i = read(json!({}));
    assert_eq!(
        (i.id.as_str(), i.event, i.paid),
        ("in_1", InvoiceEvent::Paid, true)
    );
    assert_eq!(i.subscription.unwrap().as_str(), "sub_1");
    assert_eq!(
        (i.email.as_deref(), i.name.as_deref()),
        (Some("b@example.com"), Some("B. Uyer"))
    );
    assert_eq!(i.paid_at, Some(Timestamp::from_s(START + 9)));
    assert_eq!(
        (i.reason, i.total, i.amount_due, i.currency.as_str()),
        (BillingReason::Cycle, 1900, 1900, "eur")
    );
    assert_eq!(
        i.hosted_url.as_deref(),
        Some("https://invoice.stripe.com/i/x")
    );
    assert_eq!(i.wants.app_id.as_deref(), Some("app_1"));
    assert!(i.payment_intent.is_none() && i.charge.is_none() && !i.draft && !i.send_invoice);
    let l = &i.lines[0];
    assert_eq!(
        (
            l.item.as_ref().unwrap().as_str(),
            l.price.id.as_ref().unwrap().as_str()
        ),
        ("si_1", "price_1")
    );
    assert_eq!(l.price.product.as_ref().unwrap().as_str(), "prod_1");
    assert_eq!(
        (l.start, l.end),
        (Timestamp::from_s(START), Timestamp::from_s(END))
    );
    assert_eq!(
        (l.amount, l.proration, l.quantity, l.of_subscription),
        (1900, false, Some(1), true)
    );
}

#[test]
fn which_event_is_which() {
    for (kind, event) in [
        ("invoice.paid", InvoiceEvent::Paid),
        ("invoice.payment_succeeded", InvoiceEvent::Paid),
        ("invoice.payment_failed", InvoiceEvent::PaymentFailed),
        (
            "invoice.payment_action_required",
            InvoiceEvent::ActionRequired,
        ),
        ("invoice.finalized", InvoiceEvent::Finalized),
        (
            "invoice.finalization_failed",
            InvoiceEvent::FinalizationFailed,
        ),
        ("invoice.voided", InvoiceEvent::Voided),
        ("invoice.marked_uncollectible", InvoiceEvent::Uncollectible),
        ("invoice.overdue", InvoiceEvent::Overdue),
        ("invoice.created", InvoiceEvent::Updated),
        ("invoice.updated", InvoiceEvent::Updated),
        ("invoice.sent", InvoiceEvent::Updated),
    ] {
        assert_eq!(invoice(kind, paid()).event, event, "{kind}");
    }
}

#[test]
fn where_the_subscription_is() {
    let own = json!({"parent": null});
    let line_parent = json!({"lines": {"data": [line()]}});
    let item_line = with(
        line(),
        json!({"parent": {"invoice_item_details": {"subscription": "sub_1"}}}),
    );
    for (name, fields) in [
        ("basil", json!({})),
        (
            "basil, expanded",
            json!({"parent": {"subscription_details": {"subscription": {"id": "sub_1"}}}}),
        ),
        (
            "before basil",
            with(own.clone(), json!({"subscription": "sub_1", "lines": []})),
        ),
        (
            "null beside a filled parent",
            json!({"subscription": Value::Null}),
        ),
        ("only its line's parent", with(own.clone(), line_parent)),
        (
            "an invoice item's parent",
            with(own.clone(), json!({"lines": {"data": [item_line]}})),
        ),
        (
            "its line's field",
            with(
                own.clone(),
                json!({"lines": {"data": [with(line(), old(json!({"subscription": "sub_1"})))]}}),
            ),
        ),
        (
            "before 2018-05: its line's id",
            with(
                own,
                json!({"lines": {"data": [with(line(), old(json!({"id": "sub_1"})))]}}),
            ),
        ),
    ] {
        let object = with(paid(), fields.clone());
        // `with` takes nulls out, and an explicit null must read the same.
        let mut nulled = object.clone();
        nulled["charge"] = Value::Null;
        assert_eq!(
            invoice("invoice.paid", nulled)
                .subscription
                .unwrap()
                .as_str(),
            "sub_1",
            "{name}"
        );
    }
}

#[test]
fn whether_and_when_it_was_paid() {
    for (fields, paid, paid_at) in [
        (json!({}), true, Some(START + 9)),
        (json!({"status": "open"}), false, Some(START + 9)),
        (
            json!({"status": "open", "paid": true, "status_transitions": null}),
            false,
            None,
        ),
        (
            json!({"status": null, "paid": true, "status_transitions": null}),
            true,
            Some(CREATED_S),
        ),
        (
            json!({"status": null, "paid": false, "status_transitions": null}),
            false,
            None,
        ),
        (
            json!({"status": "paid", "status_transitions": {"paid_at": null}}),
            true,
            Some(CREATED_S),
        ),
    ] {
        let i = read(fields.clone());
        assert_eq!(
            (i.paid, i.paid_at.map(Timestamp::s)),
            (paid, paid_at),
            "{fields}"
        );
    }
    let failed = invoice(
        "invoice.updated",
        with(paid(), json!({"status_transitions": null})),
    );
    assert_eq!(failed.paid_at, None, "an update does not tell when");
}

#[test]
fn why_it_was_made() {
    for (text, reason) in [
        (json!("subscription_create"), BillingReason::Create),
        (json!("quote_accept"), BillingReason::Create),
        (json!("subscription_cycle"), BillingReason::Cycle),
        (json!("subscription_update"), BillingReason::Update),
        (json!("subscription_threshold"), BillingReason::Update),
        (json!("manual"), BillingReason::Manual),
        (
            json!("automatic_pending_invoice_item_invoice"),
            BillingReason::Manual,
        ),
        (json!("subscription"), BillingReason::Other),
        (json!("whim"), BillingReason::Other),
        (Value::Null, BillingReason::Other),
    ] {
        assert_eq!(
            read(json!({"billing_reason": text})).reason,
            reason,
            "{text}"
        );
    }
}

#[test]
fn what_paid_it() {
    let names = |fields| {
        let i = read(fields);
        (
            i.payment_intent.map(|p| p.as_str().to_owned()),
            i.charge.map(|c| c.as_str().to_owned()),
        )
    };
    let (pi, ch) = (Some("pi_1".to_owned()), Some("ch_1".to_owned()));
    assert_eq!(names(json!({})), (None, None));
    assert_eq!(
        names(json!({"payment_intent": "pi_1", "charge": {"id": "ch_1"}})),
        (pi.clone(), ch)
    );
    let expanded = json!({"payments": {"data": [
        {"status": "canceled", "payment": {"type": "payment_intent", "payment_intent": "pi_0"}},
        {"status": "paid", "payment": {"type": "payment_intent", "payment_intent": {"id": "pi_1"}}}]}});
    assert_eq!(names(expanded), (pi, None));
}

#[test]
fn whose_metadata_counts() {
    let app = |name: &str| json!({"authforge_app_id": name});
    let line_metadata = |m: Value, amount: i64| json!({"data": [with(line(), json!({"metadata": m, "amount": amount}))]});
    let bare = json!({"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}});
    for (fields, expected) in [
        (
            json!({"subscription_details": {"metadata": app("b")}, "metadata": app("c")}),
            Some("app_1"),
        ),
        (
            json!({"parent": bare, "subscription_details": {"metadata": app("b")}, "metadata": app("c")}),
            Some("b"),
        ),
        (
            json!({"parent": bare, "metadata": app("c"), "lines": line_metadata(app("d"), 5)}),
            Some("c"),
        ),
        (
            json!({"parent": bare, "metadata": {"unrelated": "x"}, "lines": line_metadata(app("d"), 0)}),
            Some("d"),
        ),
        (
            json!({"parent": bare, "lines": line_metadata(app("d"), -5)}),
            None,
        ),
    ] {
        assert_eq!(
            read(fields.clone()).wants.app_id.as_deref(),
            expected,
            "{fields}"
        );
    }
}

#[test]
fn three_lists_of_lines_before_2013() {
    let lines = json!({"lines": {"invoiceitems": [{"id": "ii_1", "amount": 100, "date": 7}], "prorations": [],
        "subscriptions": [{"plan": {"id": "gold"}, "amount": 1000, "period": {"start": START, "end": END}}]}});
    let i = read(with(lines, json!({"subscription": "sub_1"})));
    assert_eq!(
        i.lines
            .iter()
            .map(|l| (l.amount, l.end.s()))
            .collect::<Vec<_>>(),
        [(1000, END), (100, 7)]
    );
}

#[test]
fn what_else_is_shown() {
    let i = read(
        json!({"collection_method": null, "billing": "send_invoice", "due_date": END, "created": null,
        "date": 7, "next_payment_attempt": START.to_string(), "hosted_invoice_url": "javascript:alert(1)",
        "customer_email": null, "customer": {"id": "cus_2", "email": "x@example.com"}, "total": null}),
    );
    assert!(i.send_invoice);
    assert_eq!(
        (
            i.due.unwrap().s(),
            i.created.unwrap().s(),
            i.next_attempt.unwrap().s()
        ),
        (END, 7, START)
    );
    assert_eq!(
        (i.hosted_url, i.email.as_deref()),
        (None, Some("x@example.com"))
    );
    assert_eq!((i.customer.unwrap().as_str(), i.total), ("cus_2", 1900));
    assert!(invoice("invoice.created", with(paid(), json!({"status": "draft"}))).draft);
}

#[test]
fn forecasts_and_idle_changes_are_ignored() {
    assert_eq!(
        ignored("invoice.upcoming", with(paid(), json!({"id": null}))),
        Reason::NoUse(NoUse::Upcoming)
    );
    let forecast = with(
        paid(),
        json!({"billing_reason": "upcoming", "id": "upcoming_in_1"}),
    );
    assert_eq!(
        ignored("invoice.updated", forecast),
        Reason::NoUse(NoUse::Upcoming)
    );
    let alone = json!({"parent": null, "lines": null});
    assert_eq!(
        ignored("invoice.updated", with(paid(), alone.clone())),
        Reason::NoUse(NoUse::InvoiceChange)
    );
    let linked = with(alone, json!({"payment_intent": "pi_1"}));
    assert_eq!(
        invoice("invoice.updated", with(paid(), linked))
            .payment_intent
            .unwrap()
            .as_str(),
        "pi_1"
    );
    assert!(ignored("invoice.paid", with(paid(), json!({"id": null}))).is_unreadable());
}
