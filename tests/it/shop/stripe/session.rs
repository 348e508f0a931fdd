//! Checkout sessions: what is bought once, and how subscriptions are bought.

use serde_json::{Value, json};

use super::ledger::{Payment, Session};
use super::{Lookup, Stripe, Task};
use crate::shop::calendar::DAY;
use crate::shop::catalog::{plan_of, price_of};
use crate::shop::script::{Told, What};

impl Stripe {
    fn open_session(
        &mut self,
        n: usize,
        price: &'static str,
        quantity: u64,
        told: Told,
        free: bool,
    ) -> usize {
        let session = Session {
            id: self.id("cs_live"),
            customer: format!("cus_Shop{n:04}"),
            created: self.now,
            price,
            quantity,
            told,
            free,
            completed: None,
            paid: None,
            failed: None,
            expired: None,
            payment: None,
        };
        self.sessions.push(session);
        self.sessions.len() - 1
    }

    pub(super) fn sell(&mut self, n: usize, what: &What) -> usize {
        let What::Once {
            price,
            quantity,
            told,
            waits,
            free,
        } = what
        else {
            unreachable!("only sales are sold")
        };
        let x = self.open_session(n, price_of(price).id, *quantity, *told, *free);
        self.now += 95;
        self.sessions[x].completed = Some(self.now);
        if waits.is_none() {
            self.session_is_paid(x);
        }
        let body = self.session_body(x);
        self.emit("checkout.session.completed", body);
        if *told == Told::Lines {
            self.tell_lines(x);
        }
        if let Some((days, comes)) = waits {
            let at = self.now + i64::from(*days) * DAY;
            self.plan(at, Task::SessionDecides(x, *comes));
        }
        x
    }

    fn session_is_paid(&mut self, x: usize) {
        self.sessions[x].paid = Some(self.now);
        if !self.sessions[x].free {
            let price = price_of(self.sessions[x].price);
            let amount = price.amount * i64::try_from(self.sessions[x].quantity).unwrap();
            let payment = Payment {
                intent: self.id("pi"),
                charge: self.id("ch"),
                amount,
                at: self.now,
            };
            self.sessions[x].payment = Some(payment);
        }
    }

    fn tell_lines(&mut self, x: usize) {
        let session = &self.sessions[x];
        let price = price_of(session.price);
        let (id, quantity) = (session.id.clone(), session.quantity);
        let line = json!({
            "id": format!("li_{}", session.id), "object": "item", "quantity": quantity,
            "price": { "id": price.id, "object": "price", "lookup_key": price.lookup, "product": price.product },
        });
        let object = json!({ "object": "checkout.session.line_items", "session": id, "data": [line], "has_more": false });
        self.lookups.push(Lookup {
            at: self.now + 30,
            object,
        });
    }

    pub(super) fn session_decides(&mut self, x: usize, comes: bool) {
        if comes {
            self.session_is_paid(x);
        } else {
            self.sessions[x].failed = Some(self.now);
        }
        let body = self.session_body(x);
        let kind = if comes {
            "checkout.session.async_payment_succeeded"
        } else {
            "checkout.session.async_payment_failed"
        };
        self.emit(kind, body);
    }

    pub(super) fn abandon(&mut self, n: usize) -> usize {
        let x = self.open_session(n, "price_tool", 1, Told::Plan, false);
        let at = self.now + DAY;
        self.plan(at, Task::SessionExpires(x));
        x
    }

    pub(super) fn session_expires(&mut self, x: usize) {
        self.sessions[x].expired = Some(self.now);
        let body = self.session_body(x);
        self.emit("checkout.session.expired", body);
    }

    fn session_body(&self, x: usize) -> Value {
        let session = &self.sessions[x];
        let metadata = match session.told {
            Told::Plan => json!({ "plan": plan_of(session.price).unwrap().name }),
            Told::Guide { days: 0, devices } => {
                json!({ "authforge_app_id": "app_shop", "max_hwid_slots": devices.to_string() })
            }
            Told::Guide { days, devices } => json!({
                "authforge_app_id": "app_shop", "max_hwid_slots": devices.to_string(), "license_duration": days.to_string(),
            }),
            Told::Lines | Told::Nothing => json!({}),
        };
        let price = price_of(session.price);
        let amount = if session.free {
            0
        } else {
            price.amount * i64::try_from(session.quantity).unwrap()
        };
        let status = match session {
            Session {
                expired: Some(_), ..
            } => "expired",
            Session {
                completed: Some(_), ..
            } => "complete",
            _ => "open",
        };
        let payment_status = match session {
            Session {
                paid: Some(_),
                free: true,
                ..
            } => "no_payment_required",
            Session { paid: Some(_), .. } => "paid",
            _ => "unpaid",
        };
        let intent = session.payment.as_ref().map(|p| p.intent.clone());
        json!({
            "id": session.id, "object": "checkout.session", "mode": "payment", "status": status,
            "payment_status": payment_status, "amount_subtotal": amount, "amount_total": amount, "currency": "usd",
            "customer": if session.free { Value::Null } else { session.customer.clone().into() },
            "customer_email": null, "created": session.created, "livemode": true, "locale": null,
            "customer_details": session.completed.map(|_| json!({ "email": format!("{}@example.com", session.customer) })),
            "payment_intent": intent, "subscription": null, "invoice": null, "payment_link": null,
            "client_reference_id": null, "metadata": metadata,
        })
    }

    /// The session by which a subscription was bought.
    pub(super) fn complete_subscription_session(&mut self, s: usize, i: usize) {
        let id = self.id("cs_live");
        let (sub, invoice) = (&self.subs[s], &self.invoices[i]);
        let amount = invoice.due_amount();
        let body = json!({
            "id": id, "object": "checkout.session", "mode": "subscription", "status": "complete",
            "payment_status": if amount == 0 { "no_payment_required" } else { "paid" },
            "amount_subtotal": amount, "amount_total": amount, "currency": "usd", "customer": sub.customer,
            "customer_email": null, "created": sub.created - 80, "livemode": true, "locale": null,
            "customer_details": { "email": format!("{}@example.com", sub.customer) },
            "payment_intent": null, "subscription": sub.id, "invoice": invoice.id, "payment_link": null,
            "client_reference_id": null, "metadata": {},
        });
        self.now += 1;
        self.emit("checkout.session.completed", body);
    }
}
