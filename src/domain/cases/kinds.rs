//! Kinds of fault that real histories showed, each with its kin: what a fault of one place would be in another.

mod items;

use super::*;
use crate::domain::policy::{OnPartialRefund, OnPause};

fn proration(price: &str, amount: i64, from: f64, to: f64) -> InvoiceLine {
    InvoiceLine {
        proration: true,
        ..line("si_1", price, amount, from, to)
    }
}

fn reason(body: FactBody, reason: BillingReason) -> FactBody {
    with(body, |i| i.reason = reason)
}

fn paid(id: &str, lines: Vec<InvoiceLine>) -> FactBody {
    invoice(id, InvoiceEvent::Paid, lines)
}

/// A month that cost 29 was paid.
fn month(case: &mut Case) {
    case.told(
        0.0,
        "invoice.paid",
        paid("in_1", vec![line("si_1", "price_pro", 29, 0.0, 30.0)]),
    );
}

fn charge_of(id: &str, invoice: &str, amount: i64, refunded: i64) -> FactBody {
    FactBody::Charge(Charge {
        id: id.into(),
        payment_intent: Some(format!("pi_{id}").as_str().into()),
        invoice: Some(invoice.into()),
        customer: None,
        amount,
        amount_refunded: refunded,
        refunded: refunded >= amount,
        refunds: Vec::new(),
        released: None,
        email: None,
    })
}

fn dispute(id: &str, charge: &str, status: DisputeStatus) -> FactBody {
    FactBody::Dispute(Dispute {
        id: id.into(),
        charge: Some(charge.into()),
        payment_intent: None,
        status,
        amount: 29,
        currency: "usd".to_owned(),
    })
}

/// Rule 25, roles: whatever Stripe calls an invoice that changes a running period, its failure starts no grace, at whichever
/// try.
#[test]
fn a_side_invoice_of_any_reason_starts_no_grace_at_any_try() {
    for what in [
        BillingReason::Update,
        BillingReason::Manual,
        BillingReason::Other,
    ] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0);
        let failed = || {
            reason(
                invoice(
                    "in_9",
                    InvoiceEvent::PaymentFailed,
                    vec![proration("price_pro", 9, 10.0, 30.0)],
                ),
                what,
            )
        };
        case.told(10.0, "invoice.payment_failed", failed());
        case.paid(30.0, "in_2", 30.0, 60.0)
            .told(33.0, "invoice.payment_failed", failed())
            .is("active: live 63");
        // After the next turn, which nobody has paid yet, a further try revives nothing either.
        case.told(61.0, "invoice.payment_failed", failed())
            .on(64.0)
            .is("active: expired");
        case.mails("license_issued 0, payment_failed 10.01");
    }
}

/// Rule 25, roles: a renewal is a renewal, whatever Stripe calls it, where it bills the next period.
#[test]
fn a_renewal_of_any_reason_starts_a_grace() {
    for what in [
        BillingReason::Cycle,
        BillingReason::Update,
        BillingReason::Manual,
        BillingReason::Other,
    ] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0);
        let failed = invoice(
            "in_2",
            InvoiceEvent::PaymentFailed,
            vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
        );
        case.told(30.0, "invoice.payment_failed", reason(failed, what))
            .is("grace: live 46");
    }
}

/// Rules 20 and 25: a first invoice of any reason that fails hands out nothing and alarms nobody.
#[test]
fn a_first_invoice_of_any_reason_starts_nothing() {
    for what in [
        BillingReason::Create,
        BillingReason::Update,
        BillingReason::Manual,
        BillingReason::Other,
    ] {
        let mut case = Case::subscription(|_| {});
        let failed = invoice(
            "in_1",
            InvoiceEvent::PaymentFailed,
            vec![line("si_1", "price_pro", 29, 0.0, 30.0)],
        );
        case.told(0.0, "invoice.payment_failed", reason(failed, what))
            .on(3.0)
            .is("incomplete:")
            .mails("");
    }
}

/// Rule 36: money back is counted per invoice over all its payments; a dispute on one of them is a dispute.
#[test]
fn one_of_two_payments_is_a_part() {
    let two = |case: &mut Case| {
        month(case);
        case.told(0.0, "charge.succeeded", charge_of("ch_a", "in_1", 15, 0));
        case.told(0.0, "charge.succeeded", charge_of("ch_b", "in_1", 14, 0));
    };
    let mut part = Case::subscription(|_| {});
    two(&mut part);
    part.told(5.0, "charge.refunded", charge_of("ch_a", "in_1", 15, 15))
        .is("active: live 33");
    part.told(6.0, "charge.refunded", charge_of("ch_b", "in_1", 14, 14))
        .is("active: revoked");
    let mut share = Case::subscription(|p| p.on_partial_refund = OnPartialRefund::Share(50));
    two(&mut share);
    share
        .told(5.0, "charge.refunded", charge_of("ch_a", "in_1", 15, 15))
        .is("active: revoked");
    let mut disputed = Case::subscription(|_| {});
    two(&mut disputed);
    disputed
        .told(
            5.0,
            "charge.dispute.created",
            dispute("dp_1", "ch_b", DisputeStatus::Open),
        )
        .is("active: suspended");
    // A share that was paid outside Stripe went back to nobody.
    let mut shared = Case::subscription(|_| {});
    shared.told(
        0.0,
        "invoice.paid",
        with(
            paid("in_1", vec![line("si_1", "price_pro", 29, 0.0, 30.0)]),
            |i| {
                i.amount_paid = Some(29);
            },
        ),
    );
    shared.told(0.0, "charge.succeeded", charge_of("ch_a", "in_1", 10, 0));
    shared
        .told(5.0, "charge.refunded", charge_of("ch_a", "in_1", 10, 10))
        .is("active: live 33");
}

/// Rule 39: a loss stands, whatever other disputes open or close; only a period that is paid after it gives a license again.
#[test]
fn a_loss_stands_beside_other_disputes() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.told(
        5.0,
        "charge.dispute.closed",
        dispute("dp_1", "ch_1", DisputeStatus::Lost),
    )
    .is("active: revoked");
    case.told(
        6.0,
        "charge.dispute.created",
        dispute("dp_2", "ch_2", DisputeStatus::Open),
    )
    .is("active: revoked");
    case.told(
        7.0,
        "charge.dispute.closed",
        dispute("dp_2", "ch_2", DisputeStatus::Won),
    )
    .is("active: revoked");
    case.paid(30.0, "in_2", 30.0, 60.0).is("active: live 63");
    // A dispute that is open then still stops it.
    case.told(
        31.0,
        "charge.dispute.created",
        dispute("dp_3", "ch_3", DisputeStatus::Open),
    )
    .is("active: suspended");
}

/// Rule 29: the newest renewal is written off: the running period is granted, though an older one be still open.
#[test]
fn the_newest_renewal_written_off_grants_though_an_older_one_is_open() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.failed(30.0, "in_2", 30.0, 60.0)
        .failed(60.0, "in_3", 60.0, 90.0)
        .is("lapsed: suspended");
    let written_off = invoice(
        "in_3",
        InvoiceEvent::Voided,
        vec![line("si_1", "price_pro", 29, 60.0, 90.0)],
    );
    case.told(61.0, "invoice.voided", written_off);
    case.shown(61.0, 60.0, 90.0, |s| {
        s.previous_status = Some(SubscriptionStatus::Unpaid)
    })
    .is("active: live 93");
}

/// Rules 15 and 29: what is written off of a price that no plan names revives no license.
#[test]
fn a_debt_without_a_plan_written_off_revives_nothing() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    let other = |s: &mut Subscription| s.items = vec![item("si_1", "price_other", 1, 30.0, 60.0)];
    case.shown(29.0, 0.0, 30.0, |s| {
        s.items = vec![item("si_1", "price_other", 1, 0.0, 30.0)]
    });
    let line = || vec![line("si_1", "price_other", 29, 30.0, 60.0)];
    case.told(
        30.0,
        "invoice.payment_failed",
        invoice("in_2", InvoiceEvent::PaymentFailed, line()),
    );
    case.shown(30.0, 30.0, 60.0, |s| {
        other(s);
        s.status = SubscriptionStatus::PastDue;
    });
    case.on(35.0).is("active: expired").told(
        36.0,
        "invoice.voided",
        invoice("in_2", InvoiceEvent::Voided, line()),
    );
    case.shown(36.0, 30.0, 60.0, |s| {
        other(s);
        s.previous_status = Some(SubscriptionStatus::PastDue);
    });
    case.is("active: expired");
}

/// Rule 17: a credit takes back time that was granted, and leaves what was paid beyond it.
#[test]
fn a_credit_takes_back_what_it_covers_and_no_more() {
    let mut case = Case::subscription(|p| p.on_pause = OnPause::Keep);
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.shown(20.0, 0.0, 30.0, |s| s.collection_paused = true);
    case.shown(30.0, 30.0, 60.0, |s| s.collection_paused = true)
        .is("active: live 63");
    let back = paid("in_5", vec![proration("price_pro", -20, 40.0, 60.0)]);
    case.told(40.0, "invoice.paid", reason(back, BillingReason::Update))
        .is("active: live 43");
    let mut beyond = Case::subscription(|_| {});
    beyond
        .paid(0.0, "in_1", 0.0, 30.0)
        .paid(30.0, "in_2", 30.0, 395.0);
    let back = paid("in_5", vec![proration("price_pro", -20, 10.0, 30.0)]);
    beyond
        .told(31.0, "invoice.paid", reason(back, BillingReason::Update))
        .is("active: live 398");
}

/// Rules 17 and 14: what cannot count by itself, and what gives nothing, is reported.
#[test]
fn what_gives_nothing_is_reported() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    let nameless = InvoiceLine {
        price: Priced::default(),
        item: None,
        ..line("si_1", "price_pro", 29, 30.0, 60.0)
    };
    case.told(30.0, "invoice.paid", paid("in_2", vec![nameless]))
        .is("active: live 33");
    case.tells(30.0, "keyward extend");
    let mut none = Case::subscription(|_| {});
    none.paid(0.0, "in_1", 0.0, 30.0)
        .shown(1.0, 0.0, 30.0, |s| s.items[0].quantity = Some(0));
    none.is("active: revoked").tells(0.0, "quantity 0");
}

/// Rule 34: a subscription that is ended with money back for the rest ends at once.
#[test]
fn an_end_with_money_back_for_the_rest_is_an_end_at_once() {
    for refunded_first in [true, false] {
        let mut case = Case::subscription(|_| {});
        month(&mut case);
        case.told(0.0, "charge.succeeded", charge_of("ch_a", "in_1", 29, 0));
        let refund = || charge_of("ch_a", "in_1", 29, 10);
        if refunded_first {
            case.told(10.0, "charge.refunded", refund())
                .is("active: live 33");
            case.deleted(11.0, 0.0, 30.0, EndReason::Requested)
                .is("ended: expired");
        } else {
            case.deleted(10.0, 0.0, 30.0, EndReason::Requested)
                .is("ended: live 30");
            case.told(11.0, "charge.refunded", refund())
                .is("ended: expired");
        }
    }
}

/// Rule 37: an earlier period's refund changes nothing, though a grace runs after a gift.
#[test]
fn an_earlier_period_s_refund_changes_nothing_in_a_grace() {
    let mut case = Case::subscription(|_| {});
    month(&mut case);
    case.told(0.0, "charge.succeeded", charge_of("ch_a", "in_1", 29, 0));
    case.decide(20.0, Verb::Extend { until: day(40.0) });
    case.failed(41.0, "in_2", 30.0, 60.0).is("grace: live 57");
    case.told(42.0, "charge.refunded", charge_of("ch_a", "in_1", 29, 29))
        .is("grace: live 57");
}

/// Rules 12 and 49: a product or a lookup key that moves takes nobody along, and back to a former price is back to its plan.
#[test]
fn what_names_a_price_may_move() {
    let keyed = |price: &str, key: &str| Priced {
        lookup_key: Some(key.to_owned()),
        ..priced(price)
    };
    let mut case = Case::subscription(|_| {});
    case.revisions[0].plans[0].prices.clear();
    case.revisions[0].plans[0].lookup_keys = vec!["monthly".to_owned()];
    let shows = |price: Priced| move |s: &mut Subscription| s.items[0].price = price;
    case.shown(0.0, 0.0, 30.0, shows(keyed("price_a", "monthly")));
    let lines = |price: &str, from: f64, to: f64| vec![line("si_1", price, 29, from, to)];
    case.told(
        0.1,
        "invoice.paid",
        paid("in_1", lines("price_a", 0.0, 30.0)),
    )
    .is("active: live 33");
    case.shown(10.0, 0.0, 30.0, shows(priced("price_a")))
        .is("active: live 33");
    case.told(
        30.0,
        "invoice.paid",
        paid("in_2", lines("price_a", 30.0, 60.0)),
    )
    .is("active: live 63");
    case.shown(31.0, 30.0, 60.0, shows(priced("price_b")))
        .is("active: live 60");
    case.shown(32.0, 30.0, 60.0, shows(priced("price_a")))
        .is("active: live 63");
}
