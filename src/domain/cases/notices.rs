//! Mails (rules 40 to 43) and acts (47).

use super::*;
use crate::domain::entitlement::entitlement;
use crate::domain::notice::{About, Skipped, grace_keeps};
use crate::domain::policy::{AtGraceEnd, DunningMail};

fn failing(change: impl FnOnce(&mut Policy)) -> Case {
    let mut case = Case::subscription(change);
    case.paid(0.0, "in_1", 0.0, 30.0)
        .failed(30.0, "in_2", 30.0, 60.0);
    case
}

/// Rule 41: each reminder once, one word for the stop, one for the return, none after it is resolved.
#[test]
fn an_episode_says_each_thing_once() {
    let mut case = failing(|_| {});
    case.on(60.0).mails(
        "license_issued 0, payment_failed 30.01, grace_ending 37, grace_ending 44, suspended 46.01",
    );
    case.deleted(61.0, 30.0, 60.0, EndReason::PaymentFailed)
        .on(70.0);
    case.mails(
        "license_issued 0, payment_failed 30.01, grace_ending 37, grace_ending 44, suspended 46.01",
    );
    let mut paid = failing(|_| {});
    paid.paid(40.0, "in_2", 30.0, 60.0)
        .on(59.0)
        .mails("license_issued 0, payment_failed 30.01, grace_ending 37");
    let mut back = failing(|_| {});
    back.on(50.0).paid(51.0, "in_2", 30.0, 60.0).on(59.0);
    back.mails(
        "license_issued 0, payment_failed 30.01, grace_ending 37, grace_ending 44, suspended 46.01, restored 51",
    );
}

/// Rule 42: what was over before it was known sends nothing; one learned late says first that the payment failed.
#[test]
fn what_is_over_or_late_is_not_told_as_news() {
    let mut quick = failing(|_| {});
    quick
        .paid(30.005, "in_2", 30.0, 60.0)
        .on(40.0)
        .mails("license_issued 0");
    let mut late = Case::subscription(|_| {});
    late.paid(0.0, "in_1", 0.0, 30.0);
    let failed = invoice(
        "in_2",
        InvoiceEvent::PaymentFailed,
        vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
    );
    late.told_late(38.0, 30.0, "invoice.payment_failed", failed)
        .on(45.0);
    late.mails("license_issued 0, payment_failed 38.01, grace_ending 44");
}

/// Section K: where Stripe warns, only the stop and the return are told.
#[test]
fn where_stripe_warns_we_do_not() {
    let mut case = failing(|p| p.dunning_mail = DunningMail::Stripe);
    case.on(50.0)
        .paid(51.0, "in_2", 30.0, 60.0)
        .mails("license_issued 0, suspended 46.01, restored 51");
}

/// Rule 40: nothing is sent again for the same license.
#[test]
fn the_same_key_is_mailed_once() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .paid(30.1, "in_2", 30.0, 60.0);
    case.shown(40.0, 30.0, 60.0, |s| {
        s.items = vec![item("si_1", "price_team", 1, 30.0, 60.0)]
    });
    case.on(50.0).mails("license_issued 0");
}

/// Rule 47: where nothing changes nothing is done.
#[test]
fn edits_that_change_nothing_do_nothing() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    for n in 1..40 {
        case.shown(f64::from(n) / 10.0, 0.0, 30.0, |s| {
            s.latest_invoice = Some(format!("in_{n}").as_str().into())
        });
    }
    case.acts("create").is("active: live 33");
}

/// Rule 40: keys of one purchase that are ready within two minutes share a mail; a later one has its own.
#[test]
fn keys_that_are_ready_together_share_a_mail() {
    let keys = |second: f64| {
        let mut case = Case::subscription(|_| {});
        case.load(-1.0, |r| r.plans[0].seats = Seats::Keys);
        case.ready = vec![day(0.0), day(second)];
        case.shown(0.0, 0.0, 30.0, |s| {
            (s.items[0].quantity, s.status) = (Some(2), SubscriptionStatus::Incomplete);
        });
        case.paid(0.0, "in_1", 0.0, 30.0)
            .on(1.0)
            .is("active: live 33, live 33");
        case.machine
            .notices
            .iter()
            .map(|n| n.seats.clone())
            .collect::<Vec<_>>()
    };
    let second = 1.0 / 86_400.0;
    assert_eq!(keys(0.0), [[1, 2]]);
    assert_eq!(keys(119.0 * second), [[1, 2]]);
    assert_eq!(keys(180.0 * second), [[1], [2]]);
}

/// Rule 40: a key that is paid for and over half an hour late is told of, once.
#[test]
fn a_late_key_is_told_of_once() {
    let late = |minutes: f64| {
        let mut case = Case::subscription(|_| {});
        case.ready = vec![day(minutes / 1440.0)];
        case.paid(0.0, "in_1", 0.0, 30.0);
        case.on(5.0);
        case
    };
    late(29.0).mails("license_issued 0.02");
    late(300.0).mails("license_delayed 0.02, license_issued 0.21");
}

/// Rule 42: reminders that came due before the failure was known are recorded as skipped, and say why.
#[test]
fn what_is_skipped_says_why() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    let failed = invoice(
        "in_2",
        InvoiceEvent::PaymentFailed,
        vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
    );
    case.told_late(45.0, 30.0, "invoice.payment_failed", failed)
        .on(45.5);
    case.mails("license_issued 0, payment_failed 45.01");
    let skipped = case
        .machine
        .notices
        .iter()
        .filter(|n| n.status == NoticeStatus::Skipped);
    let why: Vec<_> = skipped
        .map(|n| (n.part.to_string(), n.skipped.unwrap()))
        .collect();
    assert_eq!(
        why,
        ["7d", "14d"].map(|part| (part.to_owned(), Skipped::DueBeforeKnown))
    );
}

/// Rule 43: the address that the customer typed goes before the invoice's, that before the one beside the card.
#[test]
fn the_charge_s_address_is_the_last_resort() {
    let guest = |with_invoice: bool| {
        let mut case = Case::purchase(|_| {});
        case.told(0.0, "charge.succeeded", charge(0));
        if with_invoice {
            case.told(0.0, "invoice.paid", bill("il_1", "price_tool"));
        }
        case.told(
            0.0,
            "checkout.session.completed",
            session_with(PaymentStatus::Paid, |s| s.email = None),
        );
        case
    };
    guest(false).mailed_to(&["card@example.com"]);
    guest(true).mailed_to(&["ada@example.com"]);
    let mut typed = Case::purchase(|_| {});
    typed.told(0.0, "charge.succeeded", charge(0));
    typed
        .told(
            0.0,
            "checkout.session.completed",
            session(PaymentStatus::Paid),
        )
        .mailed_to(&["grace@example.com"]);
}

/// Whether a mail about the failed renewal may promise that a license works until the grace's end.
fn keeps(case: &Case) -> bool {
    let revisions = case.rules();
    let folded = case.machine.folded(&revisions, case.now);
    let added = &case.machine.extensions;
    let due = entitlement(&folded, added, &revisions, case.now, u32::MAX);
    grace_keeps(&About::Invoice("in_2".into()), (&folded, &due), case.now)
}

/// Rule 42: no mail says of a license that works for longer than the grace that it stops with it; when it does stop, that is
/// told. Where no payment changes what a person said, nothing is.
#[test]
fn a_failed_payment_stops_no_license_that_was_granted_for_longer() {
    let mut longer = failing(|_| {});
    longer.on(31.0);
    assert!(keeps(&longer));
    let until = Some(day(70.0));
    longer.decide(32.0, Verb::Grant { until });
    assert!(!keeps(&longer));
    longer
        .on(69.0)
        .is("lapsed: live 70")
        .mails("license_issued 0, payment_failed 30.01");
    longer
        .on(72.0)
        .is("lapsed: suspended")
        .mails("license_issued 0, payment_failed 30.01, suspended 70.01");
    longer.paid(75.0, "in_2", 30.0, 60.0);
    longer
        .paid(75.0, "in_3", 60.0, 90.0)
        .mails("license_issued 0, payment_failed 30.01, suspended 70.01, restored 75");
    // A grant that the grace outlives changes none of its mails.
    let mut shorter = failing(|_| {});
    let until = Some(day(40.0));
    shorter.decide(32.0, Verb::Grant { until }).on(50.0).mails(
        "license_issued 0, payment_failed 30.01, grace_ending 37, grace_ending 44, suspended 46.01",
    );
    for said in [Verb::Grant { until: None }, Verb::Revoke] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0)
            .decide(10.0, said)
            .failed(30.0, "in_2", 30.0, 60.0)
            .on(60.0)
            .mails("license_issued 0");
    }
}

/// Rule 42: a license that a refund or a dispute stopped works until no grace's end, and does not stop with it again. That the
/// payment failed is told all the same: once it is paid, there is a live license.
#[test]
fn what_had_stopped_before_a_failure_is_not_told_to_stop() {
    let mut refunded = Case::subscription(|_| {});
    refunded
        .paid(0.0, "in_1", 0.0, 30.0)
        .told(10.0, "refund.created", refund("re_1", "in_1", 29))
        .failed(30.0, "in_2", 30.0, 60.0)
        .on(31.0);
    assert!(!keeps(&refunded));
    refunded
        .on(50.0)
        .mails("license_issued 0, refunded 10.01, payment_failed 30.01");
    refunded
        .paid(51.0, "in_2", 30.0, 60.0)
        .is("active: live 63")
        .mails("license_issued 0, refunded 10.01, payment_failed 30.01, restored 51");
    let mut for_good = Case::subscription(|p| p.at_grace_end = AtGraceEnd::Revoke);
    for_good
        .paid(0.0, "in_1", 0.0, 30.0)
        .told(10.0, "refund.created", refund("re_1", "in_1", 29))
        .failed(30.0, "in_2", 30.0, 60.0)
        .on(50.0)
        .mails("license_issued 0, refunded 10.01, payment_failed 30.01");
    let disputed = |verdict| {
        let mut case = Case::subscription(|_| {});
        let dispute = |status| dispute("dp_1", "in_1", status);
        case.paid(0.0, "in_1", 0.0, 30.0)
            .told(10.0, "charge.dispute.created", dispute(DisputeStatus::Open))
            .failed(30.0, "in_2", 30.0, 60.0)
            .on(50.0)
            .mails("license_issued 0, disputed 10.01, payment_failed 30.01");
        case.told(52.0, "charge.dispute.closed", dispute(verdict))
            .on(60.0);
        case
    };
    disputed(DisputeStatus::Lost).mails("license_issued 0, disputed 10.01, payment_failed 30.01");
    // What lapsed meanwhile is stopped by that from then on.
    disputed(DisputeStatus::Won)
        .is("lapsed: suspended")
        .mails("license_issued 0, disputed 10.01, payment_failed 30.01, suspended 52");
}
