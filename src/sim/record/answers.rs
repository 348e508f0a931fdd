//! What queries answered, written from the facts that they became: in the newest API version's shape, as Stripe would answer.

use serde_json::{Map, Value, json};

use crate::domain::fact::{
    BillingReason, Bought, Fact, FactBody, Invoice, InvoiceLine, Item, LineItems, Payment, Priced,
    SubscriptionItems, Wants,
};
use crate::domain::time::{Span, Timestamp};

/// The answer that became a fact; `None` where the fact was no answer.
pub(super) fn of(fact: &Fact) -> Option<Value> {
    if !fact.kind.starts_with("lookup.") {
        return None;
    }
    match &fact.body {
        FactBody::LineItems(items) => Some(line_items(items)),
        FactBody::Items(items) => Some(subscription_items(items, fact)),
        FactBody::Invoice(invoice) => Some(self::invoice(invoice)),
        FactBody::Payment(payment) => Some(self::payment(&fact.kind, payment)),
        // A session that was looked up is told by its own event too, or its purchase began with it.
        FactBody::Session(_)
        | FactBody::Subscription(_)
        | FactBody::Charge(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_)
        | FactBody::Decision(_) => None,
    }
}

fn s(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::s)
}

fn price(price: &Priced) -> Value {
    json!({ "id": price.id, "lookup_key": price.lookup_key, "product": price.product })
}

fn line_items(items: &LineItems) -> Value {
    let bought = |line: &Bought| json!({ "id": line.line, "quantity": line.quantity, "price": price(&line.price) });
    let data: Vec<Value> = items.lines.iter().map(bought).collect();
    json!({ "session": items.session, "data": data })
}

fn subscription_items(items: &SubscriptionItems, fact: &Fact) -> Value {
    let item = |item: &Item| {
        let mut price = price(&item.price);
        let usage = if item.metered { "metered" } else { "licensed" };
        price["recurring"] = json!({ "usage_type": usage });
        json!({
            "object": "subscription_item",
            "id": item.id,
            "price": price,
            "quantity": item.quantity,
            "current_period_start": s(item.period_start),
            "current_period_end": s(item.period_end),
        })
    };
    let data: Vec<Value> = items.items.iter().map(item).collect();
    json!({
        "object": "list",
        "url": "/v1/subscription_items",
        "subscription": items.subscription,
        "shown_at": s(Some(fact.at).filter(|at| *at > fact.received)),
        "has_more": false,
        "data": data,
    })
}

fn payment(kind: &str, payment: &Payment) -> Value {
    if kind == "lookup.charge" {
        return json!({
            "object": "charge",
            "id": payment.charge,
            "invoice": payment.invoice,
            "payment_intent": payment.payment_intent,
        });
    }
    json!({
        "object": "invoice_payment",
        "id": payment.id,
        "invoice": payment.invoice,
        "payment": { "payment_intent": payment.payment_intent, "charge": payment.charge },
    })
}

fn invoice(invoice: &Invoice) -> Value {
    let status = match (invoice.paid, invoice.draft) {
        (true, _) => "paid",
        (false, true) => "draft",
        (false, false) => "open",
    };
    let reason = match invoice.reason {
        BillingReason::Create => Some("subscription_create"),
        BillingReason::Cycle => Some("subscription_cycle"),
        BillingReason::Update => Some("subscription_update"),
        BillingReason::Manual => Some("manual"),
        BillingReason::Other => None,
    };
    let collected = if invoice.send_invoice {
        "send_invoice"
    } else {
        "charge_automatically"
    };
    let lines: Vec<Value> = invoice.lines.iter().map(|l| line(l, invoice)).collect();
    let parent = invoice.subscription.as_ref().map(|subscription| {
        json!({ "type": "subscription_details", "subscription_details": { "subscription": subscription } })
    });
    json!({
        "object": "invoice",
        "id": invoice.id,
        "status": status,
        "created": s(invoice.created),
        "billing_reason": reason,
        "customer": invoice.customer,
        "customer_email": invoice.email,
        "customer_name": invoice.name,
        "status_transitions": { "paid_at": s(invoice.paid_at) },
        "total": invoice.total,
        "amount_due": invoice.amount_due,
        "amount_paid": invoice.amount_paid,
        "currency": invoice.currency,
        "next_payment_attempt": s(invoice.next_attempt),
        "hosted_invoice_url": invoice.hosted_url,
        "due_date": s(invoice.due),
        "collection_method": collected,
        "payment_intent": invoice.payment_intent,
        "charge": invoice.charge,
        "metadata": metadata(&invoice.wants),
        "parent": parent,
        "lines": { "has_more": !invoice.lines_whole, "data": lines },
    })
}

fn line(line: &InvoiceLine, invoice: &Invoice) -> Value {
    let (kind, details) = if line.of_subscription {
        ("subscription_item_details", invoice.subscription.as_ref())
    } else {
        ("invoice_item_details", None)
    };
    let parent = json!({
        "type": kind,
        kind: { "subscription_item": line.item, "subscription": details, "proration": line.proration },
    });
    // Of a trial's line only this is left that its units would cost something.
    let unit = if line.trial { "1" } else { "0" };
    json!({
        "id": line.id,
        "object": "line_item",
        "type": if line.of_subscription { "subscription" } else { "invoiceitem" },
        "amount": line.amount,
        "quantity": line.quantity,
        "period": { "start": line.start.s(), "end": line.end.s() },
        "parent": parent,
        "pricing": {
            "price_details": { "price": price(&line.price), "product": line.price.product },
            "unit_amount_decimal": unit,
        },
    })
}

fn metadata(wants: &Wants) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Option<String>| {
        out.extend(value.map(|v| (key.to_owned(), v.into())));
    };
    let days = |span: Span| (span.ms() / Span::from_days(1).ms()).to_string();
    put("authforge_app_id", wants.app_id.clone());
    put("license_duration", wants.duration.map(days));
    put("max_hwid_slots", wants.devices.map(|n| n.to_string()));
    put("plan", wants.plan.clone());
    put("keyward_deliver_to", wants.deliver_to.clone());
    // What could not be read cannot be read again.
    out.extend(wants.unreadable.iter().map(|k| (k.clone(), json!({}))));
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Scope;
    use crate::engine::input::EventPayload;
    use crate::sources::stripe::query_answer;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    fn read(answer: &Value) -> Fact {
        let text = answer.to_string();
        let read = query_answer::delivery(text.as_bytes(), &Scope::of("stripe"), NOW, Vec::new());
        match read.unwrap().payload {
            EventPayload::Fact(fact) => *fact,
            payload @ (EventPayload::Customer(_)
            | EventPayload::Ignored(_)
            | EventPayload::Unreadable(_)) => {
                panic!("{payload:?}")
            }
        }
    }

    /// Each answer is written as it was read: read again it is the same fact, but for its id, which is made of its text.
    #[test]
    fn an_answer_is_written_as_it_was_read() {
        let period = json!({ "start": NOW.s(), "end": NOW.s() + 86_400 });
        let price = json!({ "id": "price_1", "lookup_key": "pro", "product": "prod_1" });
        let of_item = json!({
            "id": "il_1", "amount": 900, "quantity": 2, "period": period,
            "parent": { "type": "subscription_item_details", "subscription_item_details": {
                "subscription": "sub_1", "subscription_item": "si_1", "proration": false } },
            "pricing": { "price_details": { "price": price, "product": "prod_1" } },
        });
        let mut trial = of_item.clone();
        (trial["amount"], trial["pricing"]["unit_amount_decimal"]) = (0.into(), "900".into());
        let by_hand = json!({
            "id": "il_2", "amount": -100, "quantity": 1, "period": period,
            "parent": { "type": "invoice_item_details", "invoice_item_details": { "proration": true } },
        });
        let metered = json!({
            "id": "si_2", "object": "subscription_item",
            "price": { "id": "price_2", "recurring": { "usage_type": "metered" } },
        });
        let item = json!({
            "id": "si_1", "object": "subscription_item", "price": price, "quantity": 3,
            "current_period_start": NOW.s(), "current_period_end": NOW.s() + 86_400,
        });
        let answers = [
            json!({ "session": "cs_1", "data": [{ "id": "li_1", "quantity": 2, "price": price }] }),
            json!({ "object": "list", "subscription": "sub_1", "shown_at": NOW.s() + 5, "data": [item, metered] }),
            json!({ "object": "list", "subscription": "sub_1", "data": [item] }),
            json!({ "object": "charge", "id": "ch_1", "payment_intent": "pi_1" }),
            json!({ "object": "invoice_payment", "id": "inpay_1", "invoice": "in_1", "payment": { "payment_intent": "pi_1" } }),
            json!({
                "object": "invoice", "id": "in_1", "status": "paid", "billing_reason": "subscription_cycle",
                "created": NOW.s() - 60, "customer": "cus_1", "customer_email": "ada@example.com",
                "status_transitions": { "paid_at": NOW.s() - 30 }, "total": 800, "amount_due": 800,
                "amount_paid": 800, "currency": "usd", "collection_method": "charge_automatically",
                "parent": { "type": "subscription_details", "subscription_details": { "subscription": "sub_1",
                    "metadata": { "authforge_app_id": "app_1", "license_duration": "30", "max_hwid_slots": "many" } } },
                "lines": { "has_more": false, "data": [of_item, trial, by_hand] },
            }),
            json!({
                "object": "invoice", "id": "in_2", "status": "draft", "created": NOW.s(), "total": 5,
                "collection_method": "send_invoice", "due_date": NOW.s() + 86_400, "payment_intent": "pi_1",
                "lines": { "has_more": false, "data": [by_hand] },
            }),
        ];
        for answer in answers {
            let fact = read(&answer);
            let again = read(&of(&fact).unwrap());
            let id = fact.id.clone();
            assert_eq!(Fact { id, ..again }, fact, "{answer:#}");
        }
    }
}
