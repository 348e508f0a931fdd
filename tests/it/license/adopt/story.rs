//! Subscriptions that are older than the store, as Stripe tells of them in a version before basil: only the fields that
//! matter.

use serde_json::{Value, json};

use crate::support::purchase::next_s;

pub(super) const DAY_S: i64 = 86_400;

/// One old subscription: its ids follow from its name, its instants from the present.
#[derive(Clone, Debug)]
pub(super) struct Old {
    pub(super) name: String,
    /// The first second of its running period.
    pub(super) turned_s: i64,
    /// How many of it were bought.
    pub(super) quantity: u32,
}

impl Old {
    /// Its period turned a minute ago, and what is told of it happens from the next second on.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            turned_s: next_s() - 60,
            quantity: 1,
        }
    }

    pub(super) fn sub(&self) -> String {
        format!("sub_{}", self.name)
    }

    pub(super) fn session(&self) -> String {
        format!("cs_live_{}", self.name)
    }

    pub(super) fn invoice(&self) -> String {
        format!("in_{}", self.name)
    }

    pub(super) fn machine(&self) -> String {
        format!("stripe/{}", self.sub())
    }

    /// The end of the running period.
    pub(super) fn ends_s(&self) -> i64 {
        self.turned_s + 30 * DAY_S
    }

    fn began_s(&self) -> i64 {
        self.turned_s - 360 * DAY_S
    }

    fn event(&self, kind: &str, at_s: i64, object: Value) -> Value {
        json!({
            "id": format!("evt_{}_{kind}", self.name), "object": "event", "api_version": "2024-06-20",
            "created": at_s, "livemode": true, "type": kind, "data": { "object": object },
        })
    }

    fn price() -> Value {
        json!({ "id": "price_tool", "product": "prod_tool", "recurring": { "usage_type": "licensed" } })
    }

    fn snapshot(&self, status: &str) -> Value {
        let (sub, name) = (self.sub(), &self.name);
        json!({
            "id": sub, "object": "subscription", "status": status, "customer": format!("cus_{name}"), "metadata": {},
            "created": self.began_s(), "start_date": self.began_s(), "livemode": true,
            "current_period_start": self.turned_s, "current_period_end": self.ends_s(), "latest_invoice": self.invoice(),
            "items": { "data": [{ "id": format!("si_{name}"), "price": Self::price(), "quantity": self.quantity }] },
        })
    }

    fn bill(&self, status: &str) -> Value {
        let (sub, name) = (self.sub(), &self.name);
        json!({
            "id": self.invoice(), "object": "invoice", "subscription": sub, "customer": format!("cus_{name}"),
            "customer_email": format!("{name}@customer.example"), "billing_reason": "subscription_cycle",
            "status": status, "paid": status == "paid", "total": 900, "amount_due": 900, "currency": "usd",
            "created": self.turned_s, "livemode": true, "charge": format!("ch_{name}"),
            "payment_intent": format!("pi_{name}"), "next_payment_attempt": self.turned_s + 3 * DAY_S,
            "lines": { "data": [{
                "id": format!("il_{name}"), "type": "subscription", "amount": 900, "proration": false, "quantity": self.quantity,
                "period": { "start": self.turned_s, "end": self.ends_s() }, "price": Self::price(),
                "subscription": sub, "subscription_item": format!("si_{name}"),
            }] },
        })
    }

    /// Its checkout, as it was told of when it began.
    pub(super) fn checked_out(&self) -> Value {
        let (at_s, name) = (self.began_s(), &self.name);
        let session = json!({
            "id": self.session(), "object": "checkout.session", "mode": "subscription", "status": "complete",
            "payment_status": "paid", "subscription": self.sub(), "customer": format!("cus_{name}"), "created": at_s,
            "customer_details": { "email": format!("{name}@customer.example") }, "livemode": true, "metadata": {},
        });
        self.event("checkout.session.completed", at_s, session)
    }

    pub(super) fn renewed(&self) -> Value {
        self.event("invoice.paid", self.turned_s + 60, self.bill("paid"))
    }

    pub(super) fn failed(&self) -> Value {
        self.event(
            "invoice.payment_failed",
            self.turned_s + 60,
            self.bill("open"),
        )
    }

    pub(super) fn updated(&self, status: &str) -> Value {
        self.event(
            "customer.subscription.updated",
            self.turned_s + 60,
            self.snapshot(status),
        )
    }

    /// The customer ended it in the middle of a period.
    pub(super) fn deleted(&self) -> Value {
        let mut ended = self.snapshot("canceled");
        ended["ended_at"] = (self.turned_s + 90).into();
        ended["cancellation_details"] = json!({ "reason": "cancellation_requested" });
        self.event("customer.subscription.deleted", self.turned_s + 90, ended)
    }

    /// It ran out, as the customer had asked.
    pub(super) fn ran_out(&self) -> Value {
        let mut event = self.deleted();
        let (start, end) = (self.turned_s - 30 * DAY_S, self.turned_s);
        let ended = &mut event["data"]["object"];
        ended["ended_at"] = end.into();
        (ended["current_period_start"], ended["current_period_end"]) = (start.into(), end.into());
        event
    }

    pub(super) fn refunded(&self) -> Value {
        let name = &self.name;
        let charge = json!({
            "id": format!("ch_{name}"), "object": "charge", "amount": 900, "amount_refunded": 900, "refunded": true,
            "invoice": self.invoice(), "payment_intent": format!("pi_{name}"), "status": "succeeded",
            "created": self.turned_s + 60, "livemode": true,
        });
        self.event("charge.refunded", self.turned_s + 120, charge)
    }

    pub(super) fn disputed(&self) -> Value {
        let name = &self.name;
        let dispute = json!({
            "id": format!("dp_{name}"), "object": "dispute", "amount": 900, "currency": "usd", "livemode": true,
            "charge": format!("ch_{name}"), "payment_intent": format!("pi_{name}"), "status": "needs_response",
            "created": self.turned_s + 120,
        });
        self.event("charge.dispute.created", self.turned_s + 120, dispute)
    }
}
