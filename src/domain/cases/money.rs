//! Money back (rules 36 to 39).

mod mails;

use super::*;
use crate::domain::policy::{OnDispute, OnPartialRefund};

fn bought(change: impl FnOnce(&mut Policy)) -> Case {
    let mut case = Case::purchase(change);
    case.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    )
    .is("paid: live for life");
    case
}

/// Rule 36: once, however many tell of it; parts add up; one that fails is none.
#[test]
fn refunds_add_up_and_can_fail() {
    let mut parts = bought(|_| {});
    parts
        .told(1.0, "refund.created", refund("re_1", "cs_1", 40))
        .is("partly_refunded: live for life");
    parts
        .told(2.0, "refund.created", refund("re_2", "cs_1", 60))
        .is("refunded: revoked");
    parts
        .told(2.0, "refund.updated", refund("re_2", "cs_1", 60))
        .acts("create revoke");
    parts
        .told(5.0, "refund.failed", failed_refund("re_2", "cs_1", 60))
        .is("partly_refunded: live for life");
    let mut half = bought(|p| p.on_partial_refund = OnPartialRefund::Share(50));
    half.told(1.0, "refund.created", refund("re_1", "cs_1", 49))
        .is("partly_refunded: live for life");
    half.told(2.0, "refund.created", refund("re_2", "cs_1", 1))
        .is("partly_refunded: revoked");
}

/// Rule 36: a refund that failed is none, and one that follows it is one, also where only the charge tells of it.
#[test]
fn what_goes_back_after_a_refund_that_failed_counts() {
    let mut case = bought(|p| p.on_partial_refund = OnPartialRefund::Revoke);
    case.told(1.0, "charge.refunded", charge(100))
        .is("refunded: revoked")
        .told(
            5.0,
            "charge.refund.updated",
            failed_refund("re_1", "cs_1", 100),
        )
        .is("paid: live for life")
        // The charge may count what failed: it tells of no other refund by itself.
        .told(6.0, "charge.updated", charge(100))
        .is("paid: live for life");
    case.told(9.0, "charge.refunded", charge(40))
        .is("partly_refunded: revoked")
        .told(10.0, "refund.created", refund("re_2", "cs_1", 40))
        .is("partly_refunded: revoked")
        .told(11.0, "charge.refunded", charge(100))
        .is("refunded: revoked")
        .told(12.0, "refund.failed", failed_refund("re_2", "cs_1", 40))
        .is("partly_refunded: revoked");
    let mut case = bought(|_| {});
    case.told(1.0, "charge.refunded", charge(100))
        .told(
            5.0,
            "charge.refund.updated",
            failed_refund("re_1", "cs_1", 100),
        )
        .told(9.0, "charge.refunded", charge(100))
        .is("refunded: revoked");
}

/// Rule 36: what was never captured did not go back; what was captured is all that can.
#[test]
fn what_was_never_captured_did_not_go_back() {
    let captured = |back: i64| {
        let FactBody::Charge(charge) = charge(back) else {
            panic!("no charge")
        };
        FactBody::Charge(Charge {
            released: Some(30),
            ..charge
        })
    };
    let mut case = Case::purchase(|p| p.on_partial_refund = OnPartialRefund::Revoke);
    case.told(0.0, "charge.captured", captured(30)).told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    case.is("paid: live for life");
    let mut case = bought(|_| {});
    case.told(0.0, "charge.captured", captured(30))
        .is("paid: live for life")
        .told(1.0, "charge.refunded", captured(60))
        .is("partly_refunded: live for life")
        .told(2.0, "refund.created", refund("re_1", "cs_1", 70))
        .told(2.0, "charge.refunded", captured(100))
        .is("refunded: revoked");
}

/// Rule 37: a refund counts for the period that its invoice paid.
#[test]
fn a_refund_counts_for_its_own_period() {
    let mut case = Case::subscription(|_| {});
    let second = invoice(
        "in_2",
        InvoiceEvent::Paid,
        vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
    );
    case.paid(0.0, "in_1", 0.0, 30.0)
        .told(30.1, "invoice.paid", second)
        .is("active: live 63");
    case.told(35.0, "refund.created", refund("re_1", "in_1", 29))
        .is("active: live 63");
    case.told(36.0, "refund.created", refund("re_2", "in_2", 9))
        .is("active: live 63");
    case.told(37.0, "refund.created", refund("re_3", "in_2", 20))
        .is("active: revoked");
    case.paid(60.1, "in_3", 60.0, 90.0).is("active: live 93");
}

/// Rules 17, 37: a year that was credited for months carries no month, and its own money counts no more when it goes back.
#[test]
fn what_was_credited_for_good_carries_nothing() {
    let year = |amount, from| line("si_1", "price_pro", amount, from, 365.0);
    let credited = InvoiceLine {
        proration: true,
        ..year(-290, 1.0)
    };
    let mut case = Case::subscription(|_| {});
    case.told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, vec![year(290, 0.0)]),
    )
    .is("active: live 368");
    let months = invoice(
        "in_2",
        InvoiceEvent::Paid,
        vec![credited, line("si_1", "price_pro", 29, 1.0, 31.0)],
    );
    case.told(1.0, "invoice.paid", months).is("active: live 34");
    case.told(2.0, "refund.created", refund("re_1", "in_1", 290))
        .is("active: live 34");
    case.paid(31.0, "in_3", 31.0, 61.0)
        .told(40.0, "refund.created", refund("re_3", "in_3", 29))
        .is("active: revoked");
}

/// Rule 39: open suspends, won reinstates, lost ends, and lost can still become won.
#[test]
fn disputes_stop_end_and_give_back() {
    let told = |case: &mut Case, at, status| {
        case.told(
            at,
            "charge.dispute.updated",
            dispute("dp_1", "cs_1", status),
        );
    };
    let mut case = bought(|_| {});
    told(&mut case, 1.0, DisputeStatus::Inquiry);
    case.is("paid: live for life");
    told(&mut case, 2.0, DisputeStatus::Open);
    case.is("paid: suspended");
    told(&mut case, 9.0, DisputeStatus::Lost);
    case.is("paid: revoked");
    told(&mut case, 20.0, DisputeStatus::Won);
    case.is("paid: live for life");
    let mut keeps = bought(|p| p.on_dispute = OnDispute::Keep);
    told(&mut keeps, 2.0, DisputeStatus::Open);
    keeps.is("paid: live for life");
}

/// Rule 39: on a subscription a dispute stops all, renewals notwithstanding, and a period paid after a loss lives again.
#[test]
fn a_dispute_stops_a_subscription_until_it_is_closed() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0).told(
        20.0,
        "charge.dispute.created",
        dispute("dp_1", "in_1", DisputeStatus::Open),
    );
    case.is("active: suspended")
        .paid(30.1, "in_2", 30.0, 60.0)
        .is("active: suspended");
    case.told(
        40.0,
        "charge.dispute.closed",
        dispute("dp_1", "in_1", DisputeStatus::Lost),
    )
    .is("active: revoked");
    case.paid(60.1, "in_3", 60.0, 90.0).is("active: live 93");
    // A grace that ends meanwhile still counts when the dispute is won.
    let mut ends = Case::subscription(|_| {});
    ends.paid(0.0, "in_1", 0.0, 30.0).told(
        20.0,
        "charge.dispute.created",
        dispute("dp_1", "in_1", DisputeStatus::Open),
    );
    ends.failed(30.0, "in_2", 30.0, 60.0)
        .on(47.0)
        .is("lapsed: suspended");
    ends.told(
        50.0,
        "charge.dispute.closed",
        dispute("dp_1", "in_1", DisputeStatus::Won),
    )
    .is("lapsed: suspended");
}

/// Rule 5: what is not due is not done.
#[test]
fn a_purchase_that_is_refunded_already_gets_nothing() {
    let mut case = Case::purchase(|_| {});
    case.told(0.5, "refund.created", refund("re_1", "cs_1", 100));
    case.told_late(
        1.0,
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    case.on(2.0).is("refunded:").acts("").mails("");
}

/// Rule 38: a warning is told once and changes nothing, whatever comes of it.
#[test]
fn a_fraud_warning_is_told_and_changes_nothing() {
    let warning = || {
        let payment_intent = Some("pi_cs_1".into());
        FactBody::FraudWarning(FraudWarning {
            charge: None,
            payment_intent,
        })
    };
    let mut case = bought(|_| {});
    case.told(3.0, "radar.early_fraud_warning.created", warning())
        .tells(3.0, "early fraud warning");
    case.told(4.0, "radar.early_fraud_warning.updated", warning())
        .on(9.0)
        .is("paid: live for life")
        .acts("create");
    assert_eq!(case.machine.told.len(), 1);
}

/// A charge's list of refunds shows the newest ten of more: what went back is what the charge counts, and one that failed
/// is no refund, whether it is shown or not.
#[test]
fn a_cut_list_of_refunds_gives_back_what_the_charge_counts() {
    let shown = |amount_refunded: i64, failed: &[u32], shown: std::ops::RangeInclusive<u32>| {
        let FactBody::Charge(mut charge) = charge(amount_refunded) else {
            panic!("no charge")
        };
        let refund = |n: u32| Refund {
            id: format!("re_{n}").as_str().into(),
            charge: Some("ch_1".into()),
            payment_intent: None,
            amount: 5,
            stands: !failed.contains(&n),
            created: None,
        };
        charge.refunds = shown.map(refund).collect();
        FactBody::Charge(charge)
    };
    let partly =
        |p: &mut Policy| p.on_partial_refund = crate::domain::policy::OnPartialRefund::Share(60);
    let mut case = Case::purchase(partly);
    case.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    // Eleven of five stand; ten are shown.
    case.told(1.0, "charge.refunded", shown(55, &[], 2..=11))
        .is("partly_refunded: live for life");
    case.told(2.0, "charge.refunded", shown(60, &[], 3..=12))
        .is("partly_refunded: revoked");
    // One beyond the list fails: its own event says so, and it counts no more.
    let mut fails = Case::purchase(partly);
    fails.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    let failed = Refund {
        id: "re_1".into(),
        charge: Some("ch_1".into()),
        payment_intent: Some("pi_cs_1".into()),
        amount: 5,
        stands: false,
        created: None,
    };
    fails
        .told(1.0, "charge.refunded", shown(60, &[], 3..=12))
        .is("partly_refunded: revoked");
    fails.told(
        2.0,
        "charge.refund.updated",
        FactBody::Refund(failed.clone()),
    );
    fails.on(3.0).is("partly_refunded: live for life");
    // The same the other way round.
    let mut before = Case::purchase(partly);
    before.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    before.told(1.0, "charge.refund.updated", FactBody::Refund(failed));
    before
        .told(2.0, "charge.refunded", shown(60, &[], 3..=12))
        .is("partly_refunded: live for life");
}
