//! How objects look in events: the shape of 2022-11-15, and that of 2025-09-30.clover. Nested lists are cut at ten entries.

use serde_json::{Value, json};

use super::Stripe;
use super::ledger::{Item, Line, Paid};
use crate::shop::catalog::{Price, price_of};

/// Nested lists show no more.
pub(crate) const SHOWN: usize = 10;

fn list(entries: Vec<Value>, url: String) -> Value {
    let (total, mut data) = (entries.len(), entries);
    data.truncate(SHOWN);
    json!({ "object": "list", "data": data, "has_more": total > SHOWN, "total_count": total, "url": url })
}

impl Stripe {
    fn price_body(&self, price: &Price) -> Value {
        let lookup = price.lookup.filter(|_| self.lookups_moved.is_none());
        let recurring = (price.months > 0).then(|| {
            let interval = if price.months == 12 { "year" } else { "month" };
            let usage = if price.metered { "metered" } else { "licensed" };
            json!({ "interval": interval, "interval_count": 1, "usage_type": usage })
        });
        json!({
            "id": price.id, "object": "price", "active": true, "billing_scheme": "per_unit", "currency": "usd",
            "livemode": true, "lookup_key": lookup, "metadata": {}, "nickname": null, "product": price.product,
            "recurring": recurring, "type": if price.months > 0 { "recurring" } else { "one_time" },
            "unit_amount": price.amount, "unit_amount_decimal": price.amount.to_string(),
        })
    }

    fn plan_body(price: &Price) -> Value {
        let usage = if price.metered { "metered" } else { "licensed" };
        json!({
            "id": price.id, "object": "plan", "active": true, "amount": price.amount, "currency": "usd",
            "interval": if price.months == 12 { "year" } else { "month" }, "interval_count": 1, "livemode": true,
            "metadata": {}, "product": price.product, "usage_type": usage,
        })
    }

    fn item_body(&self, sub: &str, item: &Item) -> Value {
        let price = price_of(item.price);
        let mut body = json!({
            "id": item.id, "object": "subscription_item", "metadata": {}, "plan": Self::plan_body(price),
            "price": self.price_body(price), "subscription": sub,
        });
        if !price.metered {
            body["quantity"] = item.quantity.into();
        }
        if self.new_shape {
            body["current_period_start"] = item.start.into();
            body["current_period_end"] = item.end.into();
        }
        body
    }

    fn metadata_body(&self, s: usize) -> Value {
        let (sub, state) = (&self.subs[s], self.subs[s].now());
        let mut metadata = json!({});
        if let Some(devices) = sub.metadata {
            metadata =
                json!({ "authforge_app_id": "app_shop", "max_hwid_slots": devices.to_string() });
        }
        if state.edits > 0 {
            metadata["note"] = state.edits.to_string().into();
        }
        metadata
    }

    /// All items.
    pub(super) fn item_bodies(&self, s: usize) -> Vec<Value> {
        let sub = &self.subs[s];
        let items = sub.now().items.iter();
        items.map(|i| self.item_body(&sub.id, i)).collect()
    }

    /// All lines.
    pub(super) fn line_bodies(&self, i: usize) -> Vec<Value> {
        let lines = self.invoices[i].lines.iter();
        lines.map(|l| self.line_body(i, l)).collect()
    }

    pub(super) fn subscription_body(&self, s: usize) -> Value {
        let (sub, state) = (&self.subs[s], self.subs[s].now());
        let metadata = self.metadata_body(s);
        let items = self.item_bodies(s);
        let one = (state.items.len() == 1).then(|| price_of(state.items[0].price));
        let mut body = json!({
            "id": sub.id, "object": "subscription", "billing_cycle_anchor": state.items.first().map(|i| i.anchor),
            "cancel_at": state.cancel_at, "cancel_at_period_end": state.cancel_at_end, "canceled_at": state.canceled_at,
            "collection_method": if sub.sent_days.is_some() { "send_invoice" } else { "charge_automatically" },
            "created": sub.created, "currency": "usd", "customer": sub.customer, "days_until_due": sub.sent_days,
            "ended_at": state.ended_at, "items": list(items, format!("/v1/subscription_items?subscription={}", sub.id)),
            "latest_invoice": state.latest.map(|i| self.invoices[i].id.clone()), "livemode": true, "metadata": metadata,
            "pause_collection": state.paused.then(|| json!({ "behavior": "void", "resumes_at": null })),
            "pending_update": null, "schedule": null, "start_date": sub.began, "status": state.status.word(),
            "trial_start": state.trial.map(|t| t.0), "trial_end": state.trial.map(|t| t.1),
            "plan": one.map(Self::plan_body),
            "quantity": one.filter(|p| !p.metered).map(|_| state.items[0].quantity),
        });
        if self.new_shape {
            body["cancellation_details"] =
                json!({ "comment": null, "feedback": null, "reason": state.reason });
            body["billing_mode"] = json!({ "type": "flexible" });
        } else {
            body["current_period_start"] = state.items.first().map(|i| i.start).into();
            body["current_period_end"] = state.items.first().map(|i| i.end).into();
        }
        body
    }

    fn line_body(&self, i: usize, line: &Line) -> Value {
        let invoice = &self.invoices[i];
        let sub = &self.subs[invoice.sub].id;
        let billed_item = line.item.is_some() && !line.proration;
        let mut body = json!({
            "id": line.id, "object": "line_item", "amount": line.amount, "currency": "usd", "livemode": true,
            "description": if line.trial { "Trial period" } else { "Example" }, "metadata": {}, "invoice": invoice.id,
            "period": { "start": line.start, "end": line.end }, "quantity": line.quantity, "discounts": [],
        });
        let discount = json!({ "amount": line.amount, "discount": format!("di_{}", invoice.id) });
        body["discount_amounts"] = if invoice.free {
            vec![discount]
        } else {
            Vec::new()
        }
        .into();
        if self.new_shape {
            let details = json!({ "subscription": sub, "proration": line.proration, "proration_details": null });
            let (kind, mut details) = if billed_item {
                ("subscription_item_details", details)
            } else {
                ("invoice_item_details", details)
            };
            if billed_item {
                details["subscription_item"] = line.item.clone().into();
                details["invoice_item"] = Value::Null;
            } else {
                details["invoice_item"] = format!("ii_{}", line.id).into();
            }
            let mut parent = json!({ "type": kind, "subscription_item_details": null, "invoice_item_details": null });
            parent[kind] = details;
            body["parent"] = parent;
            body["pricing"] = line.price.map_or(
                Value::Null,
                |p| json!({ "type": "price_details", "price_details": { "price": p.id, "product": p.product }, "unit_amount_decimal": p.amount.to_string() }),
            );
        } else {
            body["type"] = if billed_item {
                "subscription"
            } else {
                "invoiceitem"
            }
            .into();
            body["proration"] = line.proration.into();
            body["subscription"] = sub.as_str().into();
            if let Some(item) = &line.item {
                body["subscription_item"] = item.as_str().into();
            }
            body["price"] = line.price.map_or(Value::Null, |p| self.price_body(p));
            body["plan"] = line
                .price
                .filter(|p| p.months > 0)
                .map_or(Value::Null, Self::plan_body);
        }
        body
    }

    pub(super) fn invoice_body(&self, i: usize) -> Value {
        let invoice = &self.invoices[i];
        let (sub, due) = (&self.subs[invoice.sub], invoice.due_amount());
        let paid = if invoice.paid.is_some() { due } else { 0 };
        let lines = self.line_bodies(i);
        let open_url = invoice
            .finalized
            .map(|_| format!("https://invoice.stripe.com/i/acct_example/{}", invoice.id));
        let mut body = json!({
            "id": invoice.id, "object": "invoice", "amount_due": due, "amount_paid": paid,
            "amount_remaining": due - paid, "attempt_count": invoice.failed.len(), "attempted": !invoice.failed.is_empty(),
            "auto_advance": invoice.next_try.is_some(), "billing_reason": invoice.reason,
            "collection_method": if sub.sent_days.is_some() { "send_invoice" } else { "charge_automatically" },
            "created": invoice.created, "currency": "usd", "customer": sub.customer,
            "customer_email": format!("{}@example.com", sub.customer), "due_date": invoice.due,
            "hosted_invoice_url": open_url, "livemode": true, "metadata": {},
            "lines": list(lines, format!("/v1/invoices/{}/lines", invoice.id)),
            "next_payment_attempt": invoice.next_try, "number": invoice.id,
            "period_start": invoice.created, "period_end": invoice.created, "status": invoice.word(),
            "status_transitions": {
                "finalized_at": invoice.finalized, "paid_at": invoice.paid, "voided_at": invoice.voided,
                "marked_uncollectible_at": invoice.uncollectible,
            },
            "subtotal": invoice.lines.iter().map(|l| l.amount).sum::<i64>(), "total": invoice.total(),
        });
        if self.new_shape {
            body["parent"] = json!({
                "type": "subscription_details", "quote_details": null,
                "subscription_details": { "metadata": self.metadata_body(invoice.sub), "subscription": sub.id },
            });
        } else {
            let payment = invoice.payments.last();
            body["subscription"] = sub.id.as_str().into();
            body["charge"] = payment.map(|p| p.charge.clone()).into();
            body["payment_intent"] = payment.map(|p| p.intent.clone()).into();
            body["paid"] = invoice.paid.is_some().into();
            body["paid_out_of_band"] = invoice.out_of_band.into();
        }
        body
    }

    pub(super) fn invoice_payment_body(&self, i: usize, p: usize) -> Value {
        let (invoice, payment) = (&self.invoices[i], &self.invoices[i].payments[p]);
        json!({
            "id": format!("inpay_{}", payment.intent), "object": "invoice_payment", "amount_paid": payment.amount,
            "amount_requested": payment.amount, "created": payment.at, "currency": "usd", "invoice": invoice.id,
            "is_default": p == 0, "livemode": true, "status": "paid",
            "payment": { "type": "payment_intent", "payment_intent": payment.intent },
            "status_transitions": { "canceled_at": null, "paid_at": payment.at },
        })
    }

    pub(super) fn charge_body(&self, of: Paid) -> Value {
        let (payment, back) = (self.payment(of), self.went_back(of));
        let (customer, invoice) = match of {
            Paid::Invoice(i, _) => (
                &self.subs[self.invoices[i].sub].customer,
                Some(self.invoices[i].id.as_str()),
            ),
            Paid::Session(s) => (&self.sessions[s].customer, None),
        };
        let mut body = json!({
            "id": payment.charge, "object": "charge", "amount": payment.amount, "amount_captured": payment.amount,
            "amount_refunded": back, "captured": true, "created": payment.at, "currency": "usd", "customer": customer,
            "disputed": false, "livemode": true, "metadata": {}, "paid": true, "payment_intent": payment.intent,
            "refunded": back >= payment.amount, "status": "succeeded",
        });
        if !self.new_shape {
            body["invoice"] = invoice.into();
        }
        body
    }

    pub(super) fn refund_body(&self, r: usize) -> Value {
        let refund = &self.refunds[r];
        let payment = self.payment(refund.of);
        let word = refund.steps.last().unwrap().1;
        json!({
            "id": refund.id, "object": "refund", "amount": refund.amount, "charge": payment.charge,
            "created": refund.at, "currency": "usd", "metadata": {}, "payment_intent": payment.intent,
            "reason": "requested_by_customer", "status": word,
            "failure_reason": (word == "failed").then_some("lost_or_stolen_card"),
        })
    }

    pub(super) fn dispute_body(&self, d: usize) -> Value {
        let dispute = &self.disputes[d];
        let payment = self.payment(dispute.of);
        let word = dispute.steps.last().unwrap().1;
        json!({
            "id": dispute.id, "object": "dispute", "amount": payment.amount, "balance_transactions": [],
            "charge": payment.charge, "created": dispute.at, "currency": "usd", "evidence_details": { "due_by": null },
            "is_charge_refundable": word.starts_with("warning"), "livemode": true, "metadata": {},
            "payment_intent": payment.intent, "reason": "general", "status": word,
        })
    }
}
