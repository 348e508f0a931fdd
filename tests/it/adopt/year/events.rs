//! What Stripe tells of a customer in the year after the shop was taken in, in the shape since basil.

use serde_json::{Value, json};

use crate::adopt::shop::{Customer, DAY_S};

/// A month of the tests' calendar.
pub(in crate::adopt) const MONTH_S: i64 = 30 * DAY_S;

/// A subscription at an instant.
#[derive(Clone, Copy, Debug)]
pub(in crate::adopt) struct Standing {
    pub(in crate::adopt) status: &'static str,
    pub(in crate::adopt) price: &'static str,
    /// First second of the running period.
    pub(in crate::adopt) turned_s: i64,
    pub(in crate::adopt) cancels: bool,
    pub(in crate::adopt) ended_s: Option<i64>,
    pub(in crate::adopt) reason: Option<&'static str>,
}

/// Events in the making.
#[derive(Debug, Default)]
pub(in crate::adopt) struct Told {
    /// Each with the instant of its `created`.
    pub(in crate::adopt) events: Vec<(i64, Value)>,
}

impl Told {
    fn event(&mut self, kind: &str, at_s: i64, object: &Value, previous: Option<Value>) {
        let n = self.events.len();
        let id = object["id"].as_str().unwrap();
        let mut data = json!({"object": object});
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        let event = json!({"id": format!("evt_{id}_{n}"), "object": "event", "type": kind, "created": at_s,
            "livemode": true, "data": data});
        self.events.push((at_s, event));
    }

    pub(in crate::adopt) fn subscription(
        &mut self,
        c: &Customer,
        kind: &str,
        at_s: i64,
        is: &Standing,
        previous: Option<Value>,
    ) {
        let (n, sub) = (c.n, c.object());
        let object = json!({
            "id": sub, "object": "subscription", "status": is.status, "customer": format!("cus_{n}"),
            "metadata": {"order": format!("A{n}")}, "created": c.began_s(), "start_date": c.began_s(), "livemode": true,
            "collection_method": "charge_automatically", "cancel_at_period_end": is.cancels, "ended_at": is.ended_s,
            "cancellation_details": {"reason": is.reason},
            "items": {"data": [{
                "id": format!("si_{n}"), "object": "subscription_item", "quantity": 1, "subscription": sub,
                "current_period_start": is.turned_s, "current_period_end": is.turned_s + MONTH_S,
                "price": {"id": is.price, "product": "prod_1", "recurring": {"usage_type": "licensed"}},
            }]},
        });
        self.event(
            &format!("customer.subscription.{kind}"),
            at_s,
            &object,
            previous,
        );
    }

    /// An invoice of a period; `tries`: how often it was tried in vain.
    pub(in crate::adopt) fn invoice(
        &mut self,
        c: &Customer,
        kind: &str,
        at_s: i64,
        bill: &Bill,
        tries: i64,
    ) {
        let (n, sub, id) = (c.n, c.object(), &bill.id);
        let paid = kind == "paid";
        let object = json!({
            "id": id, "object": "invoice", "status": if paid { "paid" } else { "open" }, "customer": format!("cus_{n}"),
            "customer_email": c.email(), "currency": "usd", "total": 2900, "amount_due": 2900,
            "amount_paid": if paid { 2900 } else { 0 }, "billing_reason": bill.reason, "created": bill.created_s,
            "livemode": true, "attempt_count": tries + i64::from(paid), "collection_method": "charge_automatically",
            "next_payment_attempt": (!paid && tries < 3).then_some(at_s + 2 * DAY_S), "metadata": {},
            "status_transitions": {"finalized_at": bill.created_s, "paid_at": paid.then_some(at_s)},
            "parent": {"type": "subscription_details", "subscription_details": {"subscription": sub, "metadata": {}}},
            "lines": {"has_more": false, "data": [{
                "id": format!("il_{id}"), "object": "line_item", "amount": 2900, "quantity": 1,
                "period": {"start": bill.period_s.0, "end": bill.period_s.1},
                "parent": {"type": "subscription_item_details", "subscription_item_details": {
                    "subscription": sub, "subscription_item": format!("si_{n}"), "proration": bill.reason == "subscription_update"}},
                "pricing": {"type": "price_details", "price_details": {"price": bill.price, "product": "prod_1"}},
            }]},
        });
        self.event(&format!("invoice.{kind}"), at_s, &object, None);
        if paid {
            let payment = json!({"id": format!("inpay_{id}"), "object": "invoice_payment", "status": "paid", "invoice": id,
                "created": at_s, "amount_paid": 2900, "currency": "usd", "livemode": true,
                "payment": {"type": "payment_intent", "payment_intent": format!("pi_{id}")}});
            self.event("invoice_payment.paid", at_s, &payment, None);
        }
    }

    /// The money of a payment goes back, all of it.
    pub(in crate::adopt) fn refund(&mut self, payment: &str, amount: i64, at_s: i64) {
        let charge = json!({"id": format!("ch_{payment}"), "object": "charge", "amount": amount, "amount_captured": amount,
            "amount_refunded": amount, "refunded": true, "currency": "usd", "payment_intent": payment, "livemode": true});
        let refund = json!({"id": format!("re_{payment}"), "object": "refund", "amount": amount, "currency": "usd",
            "status": "succeeded", "payment_intent": payment, "charge": format!("ch_{payment}"), "created": at_s});
        self.event("charge.refunded", at_s, &charge, None);
        self.event("refund.created", at_s, &refund, None);
    }

    /// A dispute of a payment's.
    pub(in crate::adopt) fn dispute(&mut self, payment: &str, kind: &str, status: &str, at_s: i64) {
        let dispute = json!({"id": format!("dp_{payment}"), "object": "dispute", "amount": 2900, "currency": "usd",
            "status": status, "payment_intent": payment, "charge": format!("ch_{payment}"), "created": at_s,
            "livemode": true});
        self.event(&format!("charge.dispute.{kind}"), at_s, &dispute, None);
    }

    /// A purchase of the year: a session, its subscription, its first invoice.
    pub(in crate::adopt) fn purchase(&mut self, c: &Customer, at_s: i64) {
        let n = c.n;
        let session = json!({
            "id": format!("cs_live_{n}"), "object": "checkout.session", "mode": "subscription", "status": "complete",
            "payment_status": "paid", "subscription": c.object(), "customer": format!("cus_{n}"),
            "customer_details": {"email": c.email()}, "created": at_s, "livemode": true, "metadata": {},
            "amount_total": 2900, "currency": "usd",
        });
        self.event("checkout.session.completed", at_s, &session, None);
    }
}

/// An invoice.
#[derive(Clone, Debug)]
pub(in crate::adopt) struct Bill {
    pub(in crate::adopt) id: String,
    pub(in crate::adopt) reason: &'static str,
    pub(in crate::adopt) created_s: i64,
    pub(in crate::adopt) period_s: (i64, i64),
    pub(in crate::adopt) price: &'static str,
}
