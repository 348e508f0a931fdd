//! Charges, payments, refunds, disputes, fraud warnings and customers, in the shapes of 2012 to 2026.

use keyward::domain::fact::{DisputeStatus, FactBody};
use keyward::domain::no_use::NoUse;
use keyward::sources::stripe::event::EventContent;
use keyward::sources::stripe::event::Reason;
use serde_json::{Value, json};

use super::build::{
    CREATED_S, charge, dispute, event, fact_of, heard, ignored, payment, refund, with,
};

fn a_charge() -> Value {
    json!({"id": "ch_1", "object": "charge", "status": "succeeded", "amount": 1900, "amount_captured": 1900,
           "amount_refunded": 0, "refunded": false, "captured": true, "payment_intent": "pi_1", "customer": "cus_1"})
}

/// Stripe counts what was never captured among what was refunded.
#[test]
fn a_part_that_was_never_captured() {
    let part = json!({"amount_captured": 1500, "amount_refunded": 400});
    let part = charge("charge.captured", with(a_charge(), part));
    assert_eq!((part.amount, part.released), (1900, Some(400)));
    let open = json!({"amount_captured": 0, "captured": false});
    let open = charge("charge.succeeded", with(a_charge(), open));
    assert_eq!(open.released, None);
}

#[test]
fn charges() {
    let c = charge(
        "charge.succeeded",
        with(a_charge(), json!({"invoice": "in_1"})),
    );
    assert_eq!(
        (c.id.as_str(), c.amount, c.amount_refunded, c.refunded),
        ("ch_1", 1900, 0, false)
    );
    assert_eq!(c.payment_intent.unwrap().as_str(), "pi_1");
    assert_eq!(c.invoice.unwrap().as_str(), "in_1");
    assert_eq!(c.email, None);
    let typed =
        json!({"billing_details": {"email": "ada@example.com"}, "receipt_email": "bo@example.com"});
    assert_eq!(
        charge("charge.updated", with(a_charge(), typed))
            .email
            .as_deref(),
        Some("ada@example.com")
    );
    let receipt = json!({"billing_details": {"email": null}, "receipt_email": "bo@example.com"});
    assert_eq!(
        charge("charge.updated", with(a_charge(), receipt))
            .email
            .as_deref(),
        Some("bo@example.com")
    );
    let part = charge(
        "charge.refunded",
        with(a_charge(), json!({"amount_refunded": "500"})),
    );
    assert_eq!((part.amount_refunded, part.refunded), (500, false));
    let all = charge(
        "charge.refunded",
        with(
            a_charge(),
            json!({"amount_refunded": 1900, "refunded": null}),
        ),
    );
    assert!(all.refunded);
    let told = charge(
        "charge.refunded",
        with(
            a_charge(),
            json!({"amount_refunded": null, "refunded": true}),
        ),
    );
    assert_eq!(told.amount_refunded, 1900);
    for status in ["failed", "pending"] {
        assert_eq!(
            ignored(
                "charge.updated",
                with(a_charge(), json!({"status": status}))
            ),
            Reason::NoUse(NoUse::Charge)
        );
    }
    assert!(ignored("charge.refunded", with(a_charge(), json!({"amount": {}}))).is_unreadable());
}

#[test]
fn refunds_listed_in_a_charge() {
    let listed = json!([{"id": "re_1", "amount": 5, "status": "failed"}, {"id": "re_2", "amount": 6, "charge": "ch_1"}, 7]);
    // A list of Stripe's, and before 2014 a plain one.
    for refunds in [json!({"object": "list", "data": listed}), listed.clone()] {
        let c = charge(
            "charge.refunded",
            with(a_charge(), json!({"refunds": refunds})),
        );
        let read: Vec<_> = c
            .refunds
            .iter()
            .map(|r| (r.id.as_str(), r.charge.as_ref().unwrap().as_str(), r.stands))
            .collect();
        assert_eq!(read, [("re_1", "ch_1", false), ("re_2", "ch_1", true)]);
    }
}

#[test]
fn refunds() {
    let object = json!({"id": "re_1", "object": "refund", "amount": 500, "status": "pending", "charge": "ch_1",
                        "payment_intent": "pi_1", "created": CREATED_S});
    for (kind, status, stands) in [
        ("refund.created", json!("pending"), true),
        ("refund.created", json!("requires_action"), true),
        ("refund.updated", json!("succeeded"), true),
        ("refund.updated", json!("canceled"), false),
        ("charge.refund.updated", json!("failed"), false),
        ("refund.failed", json!("succeeded"), false),
        ("charge.refund.updated", Value::Null, true),
    ] {
        let r = refund(kind, with(object.clone(), json!({"status": status})));
        assert_eq!(
            (r.id.as_str(), r.amount, r.stands),
            ("re_1", 500, stands),
            "{kind} {status}"
        );
        assert_eq!(r.created.unwrap().s(), CREATED_S);
    }
    let nobody = with(
        object.clone(),
        json!({"charge": null, "payment_intent": null}),
    );
    assert_eq!(
        ignored("refund.created", nobody).to_string(),
        "unreadable: `data.object.charge` is missing"
    );
    assert!(ignored("refund.created", with(object, json!({"amount": null}))).is_unreadable());
}

#[test]
fn disputes() {
    use DisputeStatus::{Inquiry, InquiryClosed, Lost, Open, Prevented, Unknown, Won};
    let object = json!({"id": "dp_1", "object": "dispute", "amount": 1900, "currency": "usd", "status": "lost",
                        "charge": {"id": "ch_1", "object": "charge"}, "payment_intent": "pi_1"});
    for (text, status) in [
        ("warning_needs_response", Inquiry),
        ("warning_under_review", Inquiry),
        ("warning_closed", InquiryClosed),
        ("needs_response", Open),
        ("under_review", Open),
        ("won", Won),
        ("lost", Lost),
        ("prevented", Prevented),
        ("settled_by_duel", Unknown),
    ] {
        for kind in [
            "created",
            "updated",
            "closed",
            "funds_withdrawn",
            "funds_reinstated",
        ] {
            let d = dispute(
                &format!("charge.dispute.{kind}"),
                with(object.clone(), json!({"status": text})),
            );
            assert_eq!((d.id.as_str(), d.status, d.amount), ("dp_1", status, 1900));
            assert_eq!(d.charge.unwrap().as_str(), "ch_1");
        }
    }
    assert_eq!(
        dispute(
            "charge.dispute.closed",
            with(object.clone(), json!({"id": null}))
        )
        .id
        .as_str(),
        "ch_1"
    );
    let nobody = with(
        object.clone(),
        json!({"charge": null, "payment_intent": null}),
    );
    assert!(ignored("charge.dispute.created", nobody).is_unreadable());
    assert!(
        ignored(
            "charge.dispute.created",
            with(object, json!({"status": null}))
        )
        .is_unreadable()
    );
}

#[test]
fn links_between_payments_and_invoices() {
    let names = |kind, object| {
        let p = payment(kind, object);
        [
            p.invoice.map(|i| i.as_str().to_owned()),
            p.payment_intent.map(|i| i.as_str().to_owned()),
            p.charge.map(|i| i.as_str().to_owned()),
        ]
        .map(Option::unwrap_or_default)
    };
    let pi = json!({"id": "pi_1", "object": "payment_intent", "status": "succeeded"});
    let succeeded = "payment_intent.succeeded";
    assert_eq!(
        names(
            succeeded,
            with(pi.clone(), json!({"latest_charge": "ch_1"}))
        ),
        ["", "pi_1", "ch_1"]
    );
    let old = json!({"invoice": "in_1", "charges": {"data": [{"id": "ch_0", "status": "failed"}, {"id": "ch_1", "status": "succeeded"}]}});
    assert_eq!(
        names(succeeded, with(pi.clone(), old)),
        ["in_1", "pi_1", "ch_1"]
    );
    assert_eq!(ignored(succeeded, pi), Reason::NoUse(NoUse::LinksNothing));

    let paid = |p: Value| json!({"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "paid", "payment": p});
    let by = |p| names("invoice_payment.paid", paid(p));
    assert_eq!(
        by(json!({"type": "payment_intent", "payment_intent": {"id": "pi_1"}})),
        ["in_1", "pi_1", ""]
    );
    assert_eq!(
        by(json!({"type": "charge", "charge": "ch_1"})),
        ["in_1", "", "ch_1"]
    );
    let record = paid(json!({"type": "payment_record", "payment_record": "prec_1"}));
    assert_eq!(
        ignored("invoice_payment.paid", record),
        Reason::NoUse(NoUse::PaidElsewhere)
    );
}

#[test]
fn fraud_warnings() {
    let warning = json!({"id": "issfr_1", "object": "radar.early_fraud_warning", "charge": "ch_1", "actionable": true});
    let fact = fact_of(&event("radar.early_fraud_warning.created", warning));
    let FactBody::FraudWarning(w) = fact.body else {
        panic!()
    };
    assert_eq!(w.charge.unwrap().as_str(), "ch_1");
    assert!(
        ignored(
            "radar.early_fraud_warning.created",
            json!({"id": "issfr_1"})
        )
        .is_unreadable()
    );
}

#[test]
fn customers() {
    let customer = |kind: &str, object| {
        let content = heard(kind, object);
        let EventContent::Customer(c) = content else {
            panic!("{content:?}")
        };
        c
    };
    let object = json!({"id": "cus_1", "object": "customer", "email": " b@example.com ", "name": "B", "preferred_locales": ["de", "en"]});
    let c = customer("customer.updated", object);
    assert_eq!(
        (c.email.as_deref(), c.name.as_deref(), c.locale.as_deref()),
        (Some("b@example.com"), Some("B"), Some("de"))
    );
    assert_eq!((c.at.s(), c.deleted), (CREATED_S, false));
    let bare = customer(
        "customer.deleted",
        json!({"id": "cus_1", "object": "customer", "deleted": true}),
    );
    assert!(bare.deleted && bare.email.is_none() && bare.locale.is_none());
}
