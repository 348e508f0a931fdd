//! What the cases are told: facts with what matters in a case, and the rest as it usually is.

use super::*;

pub(super) fn priced(price: &str) -> Priced {
    Priced {
        id: Some(price.into()),
        ..Priced::default()
    }
}

pub(super) fn line(item: &str, price: &str, amount: i64, from: f64, to: f64) -> InvoiceLine {
    InvoiceLine {
        item: Some(item.into()),
        price: priced(price),
        start: day(from),
        end: day(to),
        amount,
        proration: false,
        quantity: Some(1),
        of_subscription: true,
        id: None,
        trial: false,
    }
}

/// An invoice; the first is `in_1`.
pub(super) fn invoice(id: &str, event: InvoiceEvent, lines: Vec<InvoiceLine>) -> FactBody {
    FactBody::Invoice(Box::new(Invoice {
        id: id.into(),
        event,
        subscription: Some("sub_1".into()),
        customer: Some("cus_1".into()),
        email: Some("ada@example.com".to_owned()),
        name: None,
        paid: event == InvoiceEvent::Paid,
        paid_at: None,
        reason: if id == "in_1" {
            BillingReason::Create
        } else {
            BillingReason::Cycle
        },
        total: lines.iter().map(|l| l.amount).sum(),
        lines,
        amount_due: 1,
        currency: "usd".to_owned(),
        next_attempt: None,
        hosted_url: None,
        due: None,
        send_invoice: false,
        payment_intent: Some(format!("pi_{id}").as_str().into()),
        charge: None,
        wants: Wants::default(),
        created: None,
        draft: false,
        lines_whole: true,
        amount_paid: None,
    }))
}

/// What an invoice says, changed.
pub(super) fn with(body: FactBody, change: impl FnOnce(&mut Invoice)) -> FactBody {
    let FactBody::Invoice(mut invoice) = body else {
        panic!("no invoice")
    };
    change(&mut invoice);
    FactBody::Invoice(invoice)
}

pub(super) fn item(id: &str, price: &str, quantity: u32, from: f64, to: f64) -> Item {
    Item {
        id: Some(id.into()),
        price: priced(price),
        quantity: Some(quantity),
        period_start: Some(day(from)),
        period_end: Some(day(to)),
        metered: false,
    }
}

pub(super) fn snapshot(from: f64, to: f64, change: impl FnOnce(&mut Subscription)) -> FactBody {
    let mut snapshot = Subscription {
        id: "sub_1".into(),
        event: SubscriptionEvent::Updated,
        status: SubscriptionStatus::Active,
        customer: Some("cus_1".into()),
        items: vec![item("si_1", "price_pro", 1, from, to)],
        wants: Wants::default(),
        trial_end: None,
        cancel_at_period_end: false,
        cancel_at: None,
        ended_at: None,
        end_reason: None,
        collection_paused: false,
        pause_reason: None,
        send_invoice: false,
        latest_invoice: None,
        began: Some(day(0.0)),
        previous_status: None,
        items_whole: true,
        created: None,
    };
    change(&mut snapshot);
    FactBody::Subscription(Box::new(snapshot))
}

/// A refund of a payment, that of an invoice or a session.
pub(super) fn refund(id: &str, of: &str, amount: i64) -> FactBody {
    FactBody::Refund(refunded(id, of, amount))
}

/// The same, when it has failed: the money stays.
pub(super) fn failed_refund(id: &str, of: &str, amount: i64) -> FactBody {
    FactBody::Refund(Refund {
        stands: false,
        ..refunded(id, of, amount)
    })
}

fn refunded(id: &str, of: &str, amount: i64) -> Refund {
    Refund {
        id: id.into(),
        charge: None,
        payment_intent: Some(format!("pi_{of}").as_str().into()),
        amount,
        stands: true,
        created: None,
    }
}

/// The purchase's charge, so much of it given back.
pub(super) fn charge(amount_refunded: i64) -> FactBody {
    FactBody::Charge(Charge {
        id: "ch_1".into(),
        payment_intent: Some("pi_cs_1".into()),
        invoice: None,
        customer: None,
        amount: 100,
        amount_refunded,
        refunded: amount_refunded == 100,
        refunds: Vec::new(),
        released: None,
        email: Some("card@example.com".to_owned()),
    })
}

pub(super) fn dispute(id: &str, of: &str, status: DisputeStatus) -> FactBody {
    FactBody::Dispute(Dispute {
        id: id.into(),
        charge: None,
        payment_intent: Some(format!("pi_{of}").as_str().into()),
        status,
        amount: 1,
        currency: "usd".to_owned(),
    })
}

/// A paid invoice that bills no subscription, with one line of a price.
pub(super) fn bill(line_id: &str, price: &str) -> FactBody {
    let sold = InvoiceLine {
        item: None,
        of_subscription: false,
        id: Some(line_id.to_owned()),
        ..line("", price, 29, 0.0, 0.0)
    };
    with(invoice("in_9", InvoiceEvent::Paid, vec![sold]), |i| {
        (i.subscription, i.reason) = (None, BillingReason::Manual);
    })
}

/// What a query said of the purchase's session: lines with id, price and quantity.
pub(super) fn sold(lines: &[(&str, &str, u32)]) -> FactBody {
    let bought = |(id, price, quantity): &(&str, &str, u32)| Bought {
        line: Some((*id).to_owned()),
        price: priced(price),
        quantity: *quantity,
    };
    FactBody::LineItems(LineItems {
        session: "cs_1".into(),
        lines: lines.iter().map(bought).collect(),
    })
}

/// What a session says, changed.
pub(super) fn session_with(paid: PaymentStatus, change: impl FnOnce(&mut Session)) -> FactBody {
    let FactBody::Session(mut session) = session(paid) else {
        panic!("no session")
    };
    change(&mut session);
    FactBody::Session(session)
}

/// The purchase's completed session.
pub(super) fn session(paid: PaymentStatus) -> FactBody {
    FactBody::Session(Box::new(Session {
        id: "cs_1".into(),
        event: SessionEvent::Completed,
        mode: SessionMode::Payment,
        payment_status: paid,
        customer: None,
        email: Some("grace@example.com".to_owned()),
        name: None,
        payment_intent: Some("pi_cs_1".into()),
        subscription: None,
        invoice: None,
        wants: Wants {
            app_id: Some("app".to_owned()),
            ..Wants::default()
        },
        locale: None,
        amount: Some(100),
        currency: Some("usd".to_owned()),
        line_items: Vec::new(),
        line_items_cut: false,
    }))
}
