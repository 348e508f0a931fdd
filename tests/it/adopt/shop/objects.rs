//! A customer's objects as Stripe lists them, in the shape since basil.

use serde_json::{Value, json};

use super::{Customer, DAY_S, Life};

impl Customer {
    pub(in crate::adopt) fn subscription(&self, now_s: i64) -> Value {
        let (n, sub, turned) = (self.n, self.object(), self.turned_s(now_s));
        let status = match self.life {
            Life::Over => "canceled",
            Life::Retries | Life::Fails => "past_due",
            Life::Runs
            | Life::Renews
            | Life::Refunded
            | Life::Once
            | Life::Guided
            | Life::Foreign => "active",
        };
        let began = turned - self.renewals() * 30 * DAY_S;
        let ended = (self.life == Life::Over).then_some(turned + 30 * DAY_S);
        json!({
            "id": sub, "object": "subscription", "status": status, "customer": format!("cus_{n}"),
            "metadata": {"order": format!("A{n}")}, "created": began, "start_date": began, "livemode": true,
            "collection_method": "charge_automatically", "latest_invoice": self.invoice_id(0), "ended_at": ended,
            "cancellation_details": {"reason": ended.map(|_| "cancellation_requested")},
            "items": {"data": [{
                "id": format!("si_{n}"), "object": "subscription_item", "quantity": 1, "subscription": sub,
                "current_period_start": turned, "current_period_end": turned + 30 * DAY_S,
                "price": {"id": self.price(), "product": "prod_1", "recurring": {"usage_type": "licensed"}},
            }]},
        })
    }

    /// The invoice of the n-th period back.
    fn invoice_id(&self, back: i64) -> String {
        format!("in_{}_{back}", self.n)
    }

    pub(in crate::adopt) fn invoice(&self, now_s: i64, back: i64) -> Value {
        let (n, sub) = (self.n, self.object());
        let start = self.turned_s(now_s) - back * 30 * DAY_S;
        let open = back == 0 && matches!(self.life, Life::Retries | Life::Fails);
        let status = if open { "open" } else { "paid" };
        let first = back == self.renewals();
        let retry = (open && self.life == Life::Retries).then_some(now_s + 2 * DAY_S);
        let payments = json!({"data": [{
            "id": format!("inpay_{n}_{back}"), "object": "invoice_payment", "status": if open { "open" } else { "paid" },
            "invoice": self.invoice_id(back), "payment": {"type": "payment_intent", "payment_intent": format!("pi_{n}_{back}")},
        }]});
        json!({
            "id": self.invoice_id(back), "object": "invoice", "status": status, "livemode": true,
            "customer": format!("cus_{n}"), "customer_email": self.email(), "currency": "usd",
            "total": 2900, "amount_due": 2900, "amount_paid": if open { 0 } else { 2900 },
            "billing_reason": if first { "subscription_create" } else { "subscription_cycle" },
            "created": start, "attempt_count": 1, "collection_method": "charge_automatically",
            "next_payment_attempt": retry, "payments": payments, "metadata": {},
            "status_transitions": {"finalized_at": start + 60, "paid_at": (!open).then_some(start + 60)},
            "parent": {"type": "subscription_details", "subscription_details": {"subscription": sub, "metadata": {}}},
            "lines": {"data": [{
                "id": format!("il_{n}_{back}"), "object": "line_item", "amount": 2900, "quantity": 1,
                "period": {"start": start, "end": start + 30 * DAY_S},
                "parent": {"type": "subscription_item_details", "subscription_item_details": {
                    "subscription": sub, "subscription_item": format!("si_{n}"), "proration": false}},
                "pricing": {"type": "price_details", "price_details": {"price": self.price(), "product": "prod_1"}},
            }]},
        })
    }

    /// What its payments tried, since basil without a word on the invoice: one try of each that was paid, and one that failed of
    /// one that is not.
    pub(in crate::adopt) fn charges(&self, now_s: i64) -> Vec<Value> {
        let n = self.n;
        let turned = |back: i64| self.turned_s(now_s) - back * 30 * DAY_S;
        if self.is_once() {
            let at = turned(self.renewals()) + 30;
            return vec![self.charge(&n.to_string(), 4900, at, true)];
        }
        let fails = matches!(self.life, Life::Retries | Life::Fails);
        let tried = (0..=self.renewals()).map(|back| {
            let paid = !(back == 0 && fails);
            self.charge(&format!("{n}_{back}"), 2900, turned(back) + 60, paid)
        });
        tried.collect()
    }

    fn charge(&self, payment: &str, amount: i64, at: i64, paid: bool) -> Value {
        let returned = if self.life == Life::Refunded && payment.ends_with("_0") {
            amount
        } else {
            0
        };
        json!({
            "id": format!("ch_{payment}"), "object": "charge", "amount": amount, "currency": "usd", "created": at, "livemode": true,
            "amount_captured": if paid { amount } else { 0 }, "amount_refunded": returned, "refunded": returned > 0,
            "status": if paid { "succeeded" } else { "failed" }, "paid": paid, "captured": paid, "disputed": false,
            "payment_intent": format!("pi_{payment}"), "customer": format!("cus_{}", self.n), "metadata": {},
            "receipt_email": self.email(), "receipt_url": format!("https://pay.stripe.com/receipts/{payment}"),
            "billing_details": {"email": self.email(), "name": "Ada", "address": {"line1": "12 St James Square", "country": "GB"}},
            "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242", "fingerprint": "Xt5EWLLDS7FJjR1c"}},
        })
    }

    pub(super) fn session(&self, now_s: i64) -> Value {
        let n = self.n;
        let began = self.turned_s(now_s) - self.renewals() * 30 * DAY_S;
        let metadata = if self.life == Life::Guided {
            json!({"authforge_app_id": "app_test", "max_hwid_slots": "2"})
        } else {
            json!({})
        };
        let (mode, subscription, payment) = if self.is_once() {
            ("payment", Value::Null, json!(format!("pi_{n}")))
        } else {
            ("subscription", json!(self.object()), Value::Null)
        };
        json!({
            "id": format!("cs_live_{n}"), "object": "checkout.session", "mode": mode, "status": "complete",
            "payment_status": "paid", "subscription": subscription, "payment_intent": payment,
            "customer": format!("cus_{n}"), "customer_details": {"email": self.email()}, "created": began,
            "livemode": true, "metadata": metadata, "amount_total": 4900, "currency": "usd",
            "line_items": {"data": [{
                "id": format!("li_{n}"), "object": "item", "quantity": 1,
                "price": {"id": self.price(), "product": "prod_1"},
            }]},
        })
    }
}
