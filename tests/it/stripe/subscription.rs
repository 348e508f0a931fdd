//! Subscriptions, in the shapes of 2015 to 2026.

use keyward::domain::fact::{
    EndReason, PauseReason, Subscription, SubscriptionEvent, SubscriptionStatus,
};
use keyward::domain::time::Timestamp;
use serde_json::{Value, json};

use super::build::{event, fact_of, ignored, subscription, with};

const START: i64 = 1_700_000_000;
const END: i64 = 1_702_592_000;

/// As since basil: the period is the item's.
fn running() -> Value {
    json!({
        "id": "sub_1", "object": "subscription", "status": "active", "customer": "cus_1",
        "items": {"object": "list", "has_more": false, "data": [{
            "id": "si_1", "quantity": 2, "current_period_start": START, "current_period_end": END,
            "price": {"id": "price_1", "lookup_key": "pro", "product": "prod_1",
                      "recurring": {"interval": "month", "usage_type": "licensed"}}}]},
        "cancel_at_period_end": false, "cancel_at": null, "canceled_at": null, "ended_at": null,
        "collection_method": "charge_automatically", "latest_invoice": "in_1", "metadata": {"plan": "pro"},
        "pause_collection": null, "start_date": 1_690_000_000, "created": 1_695_000_000, "trial_end": null
    })
}

fn updated(fields: Value) -> Subscription {
    subscription("customer.subscription.updated", with(running(), fields))
}

#[test]
fn a_subscription_as_it_comes_today() {
    let s = updated(json!({}));
    assert_eq!(
        (s.id.as_str(), s.event, s.status),
        (
            "sub_1",
            SubscriptionEvent::Updated,
            SubscriptionStatus::Active
        )
    );
    assert_eq!(s.customer.unwrap().as_str(), "cus_1");
    let item = &s.items[0];
    assert_eq!(item.id.as_ref().unwrap().as_str(), "si_1");
    assert_eq!(item.price.id.as_ref().unwrap().as_str(), "price_1");
    assert_eq!(item.price.lookup_key.as_deref(), Some("pro"));
    assert_eq!(item.price.product.as_ref().unwrap().as_str(), "prod_1");
    assert_eq!((item.quantity, item.metered), (Some(2), false));
    assert_eq!(item.period_start, Some(Timestamp::from_s(START)));
    assert_eq!(item.period_end, Some(Timestamp::from_s(END)));
    assert_eq!(s.wants.plan.as_deref(), Some("pro"));
    assert_eq!(s.latest_invoice.unwrap().as_str(), "in_1");
    assert_eq!(s.began, Some(Timestamp::from_s(1_690_000_000)));
    assert!(!s.cancel_at_period_end && !s.collection_paused && !s.send_invoice);
    assert!(
        s.cancel_at.is_none()
            && s.end_reason.is_none()
            && s.pause_reason.is_none()
            && s.previous_status.is_none()
    );
}

#[test]
fn where_period_price_and_quantity_are() {
    let top = json!({"current_period_start": START, "current_period_end": END});
    let plan = json!({"id": "gold", "product": "prod_9", "usage_type": "metered"});
    for (name, fields, id, quantity, metered) in [
        (
            "2020 to 2025: the period is the subscription's",
            with(
                top.clone(),
                json!({"items": {"data": [{"id": "si_1", "quantity": 1, "price": {"id": "p"}}]}}),
            ),
            "p",
            Some(1),
            false,
        ),
        (
            "2017 to 2020: a plan and no price; metered",
            with(
                top.clone(),
                json!({"items": {"data": [{"id": "si_1", "plan": plan}]}}),
            ),
            "gold",
            None,
            true,
        ),
        (
            "2015 and 2016: no items",
            with(
                top.clone(),
                json!({"items": [], "plan": {"id": "gold"}, "quantity": 4}),
            ),
            "gold",
            Some(4),
            false,
        ),
        (
            "both: the item's own period and price come first",
            json!({"current_period_start": 5, "current_period_end": 6, "items": {"data": [
                {"id": "si_1", "quantity": "3", "price": "p", "plan": {"id": "gold"},
                 "current_period_start": START, "current_period_end": END}]}}),
            "p",
            Some(3),
            false,
        ),
        (
            "2026-03-25: a quantity in decimals",
            with(
                top,
                json!({"items": {"data": [{"price": "p", "quantity_decimal": "3.0"}]}}),
            ),
            "p",
            Some(3),
            false,
        ),
    ] {
        let s = updated(fields);
        assert_eq!(s.items.len(), 1, "{name}");
        let item = &s.items[0];
        assert_eq!(
            item.price.id.as_ref().map(|p| p.as_str()),
            Some(id),
            "{name}"
        );
        assert_eq!((item.quantity, item.metered), (quantity, metered), "{name}");
        let period = (item.period_start, item.period_end);
        assert_eq!(
            period,
            (Some(Timestamp::from_s(START)), Some(Timestamp::from_s(END))),
            "{name}"
        );
    }
    assert!(updated(json!({"items": null})).items.is_empty());
}

#[test]
fn a_period_end_that_is_not_there_is_not_1970() {
    let s = updated(json!({"items": {"data": [{"price": "p", "current_period_end": null}]}}));
    assert_eq!(s.items[0].period_end, None);
}

#[test]
fn statuses() {
    use SubscriptionStatus::{
        Active, Canceled, Incomplete, IncompleteExpired, PastDue, Paused, Trialing, Unknown, Unpaid,
    };
    for (text, status) in [
        ("incomplete", Incomplete),
        ("incomplete_expired", IncompleteExpired),
        ("trialing", Trialing),
        ("active", Active),
        ("past_due", PastDue),
        ("unpaid", Unpaid),
        ("paused", Paused),
        ("canceled", Canceled),
        ("hibernating", Unknown),
    ] {
        assert_eq!(updated(json!({"status": text})).status, status);
        let ended = subscription(
            "customer.subscription.deleted",
            with(running(), json!({"status": text})),
        );
        assert_eq!(
            ended.status, Canceled,
            "deleted is final, whatever the status says"
        );
    }
}

#[test]
fn the_status_before() {
    let mut e = event("customer.subscription.updated", running());
    e["data"]["previous_attributes"] = json!({"status": "past_due"});
    let keyward::domain::fact::FactBody::Subscription(s) = fact_of(&e).body else {
        panic!()
    };
    assert_eq!(s.previous_status, Some(SubscriptionStatus::PastDue));
}

#[test]
fn ends_planned_and_real() {
    let at_end = updated(
        json!({"cancel_at_period_end": true, "cancel_at": END, "canceled_at": START,
                                "cancellation_details": {"reason": "cancellation_requested"}}),
    );
    assert!(at_end.cancel_at_period_end);
    assert_eq!(
        (at_end.cancel_at, at_end.ended_at),
        (Some(Timestamp::from_s(END)), None)
    );
    assert_eq!(at_end.end_reason, None, "it has not ended");
    let flexible = updated(json!({"cancel_at": END}));
    assert_eq!(
        (flexible.cancel_at_period_end, flexible.cancel_at.is_some()),
        (false, true)
    );
    for (reason, expected) in [
        ("cancellation_requested", Some(EndReason::Requested)),
        ("payment_failed", Some(EndReason::PaymentFailed)),
        ("payment_disputed", Some(EndReason::PaymentDisputed)),
        ("canceled_by_retention_policy", None),
    ] {
        let fields = json!({"status": "canceled", "ended_at": END, "cancellation_details": {"reason": reason}});
        let over = subscription("customer.subscription.deleted", with(running(), fields));
        assert_eq!(
            (over.end_reason, over.ended_at),
            (expected, Some(Timestamp::from_s(END))),
            "{reason}"
        );
    }
}

#[test]
fn pauses() {
    let paused = |kind: Value| {
        updated(json!({"status": "paused", "status_details": {"paused": {"subscription": {"type": kind}}}}))
            .pause_reason
    };
    assert_eq!(
        paused(json!("pause_requested")),
        Some(PauseReason::Requested)
    );
    assert_eq!(
        paused(json!("trial_end_without_payment_method")),
        Some(PauseReason::TrialEnd)
    );
    assert_eq!(
        paused(json!("first_payment_failure")),
        Some(PauseReason::PaymentFailed)
    );
    assert_eq!(
        paused(json!("final_payment_failure")),
        Some(PauseReason::PaymentFailed)
    );
    assert_eq!(paused(json!("system")), None);
    // Before 2026-09-30 only a trial's end could pause.
    assert_eq!(
        updated(json!({"status": "paused"})).pause_reason,
        Some(PauseReason::TrialEnd)
    );
    let collection = updated(json!({"pause_collection": {"behavior": "void", "resumes_at": null}}));
    assert_eq!(
        (collection.collection_paused, collection.pause_reason),
        (true, None)
    );
}

#[test]
fn how_it_is_collected_and_when_it_began() {
    assert!(updated(json!({"collection_method": "send_invoice"})).send_invoice);
    assert!(updated(json!({"collection_method": null, "billing": "send_invoice"})).send_invoice);
    let began = |fields| updated(fields).began.map(Timestamp::s);
    assert_eq!(
        began(json!({"start_date": null, "start": 7})),
        Some(1_695_000_000)
    );
    assert_eq!(
        began(json!({"start_date": null, "created": null, "start": 7})),
        Some(7)
    );
}

#[test]
fn what_it_means_nothing_without() {
    let reason =
        |fields| ignored("customer.subscription.updated", with(running(), fields)).to_string();
    assert_eq!(
        reason(json!({"status": null})),
        "unreadable: `data.object.status` is missing"
    );
    assert_eq!(
        reason(json!({"status": 5})),
        "unreadable: `data.object.status` is the number 5"
    );
    assert_eq!(
        reason(json!({"id": ["x"]})),
        "unreadable: `data.object.id` is a list"
    );
    assert_eq!(
        reason(json!({"object": "invoice"})),
        "unreadable: `data.object.object` is the text `invoice`, where this type shows a `subscription`"
    );
}
