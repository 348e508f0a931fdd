//! Pauses and cancellations (rules 33 and 34).

mod pauses;

use super::*;
use crate::domain::policy::OnCancel;

fn paid_once(change: impl FnOnce(&mut Policy)) -> Case {
    let mut case = Case::subscription(change);
    case.paid(0.0, "in_1", 0.0, 30.0);
    case
}

/// Rule 34: what is asked for is not when it ends, and a renewal meanwhile is an ordinary one.
#[test]
fn a_grace_goes_on_under_a_scheduled_end_that_does_not_count_yet() {
    let mut case = paid_once(|_| {});
    case.failed(30.0, "in_2", 30.0, 60.0);
    case.shown(31.0, 30.0, 60.0, |s| {
        (s.status, s.cancel_at_period_end) = (SubscriptionStatus::PastDue, true);
    });
    case.is("grace: live 46")
        .paid(40.0, "in_2", 30.0, 60.0)
        .is("active: live 60");
}

/// Rule 34: a scheduled end takes the margin away while it counts, and gives it back when it is taken back.
#[test]
fn a_scheduled_end_takes_the_margin_away() {
    let mut case = paid_once(|_| {});
    case.shown(10.0, 0.0, 30.0, |s| s.cancel_at_period_end = true)
        .is("active: live 30");
    case.shown(20.0, 0.0, 30.0, |_| {}).is("active: live 33");
    // An end beyond the paid end does not count yet.
    case.shown(21.0, 0.0, 30.0, |s| s.cancel_at = Some(day(45.0)))
        .is("active: live 33");
    case.paid(30.1, "in_2", 30.0, 60.0)
        .shown(30.1, 30.0, 60.0, |s| s.cancel_at = Some(day(45.0)));
    case.is("active: live 60")
        .deleted(45.0, 30.0, 60.0, EndReason::Requested)
        .is("ended: live 60");
    case.on(60.0)
        .is("ended: expired")
        .mails("license_issued 0, ended 60");
}

/// Rule 34: `now`, `keep`, and mid-period deletions.
#[test]
fn a_cancellation_ends_at_the_paid_end_at_once_or_never() {
    let ended = |on_cancel| {
        let mut case = paid_once(|p| p.on_cancel = on_cancel);
        case.deleted(10.0, 0.0, 30.0, EndReason::Requested);
        case
    };
    ended(OnCancel::PeriodEnd).is("ended: live 30");
    ended(OnCancel::Now).is("ended: expired");
    ended(OnCancel::Keep).is("ended: live for life");
}

/// Rule 15: to a price that no plan names, the license lives to what was paid, and later payments do not extend it.
#[test]
fn an_unlicensed_price_ends_it_at_the_paid_end() {
    let mut case = paid_once(|_| {});
    case.shown(10.0, 0.0, 30.0, |s| {
        s.items = vec![item("si_1", "price_other", 1, 0.0, 30.0)]
    })
    .is("active: live 30");
    let other = invoice(
        "in_2",
        InvoiceEvent::Paid,
        vec![line("si_1", "price_other", 29, 30.0, 60.0)],
    );
    case.told(30.1, "invoice.paid", other)
        .on(31.0)
        .is("active: expired");
}

/// Rule 14: a unit given up or an item taken out loses its own license, the others keep theirs.
#[test]
fn units_come_and_go() {
    let mut case = Case::subscription(|_| {});
    case.load(-1.0, |r| r.plans[0].seats = Seats::Keys);
    let shown = |n: u32| move |s: &mut Subscription| s.items[0].quantity = Some(n);
    case.paid(0.0, "in_1", 0.0, 30.0)
        .shown(0.0, 0.0, 30.0, shown(2))
        .is("active: live 33, live 33");
    case.shown(5.0, 0.0, 30.0, shown(1))
        .is("active: live 33, revoked");
    case.shown(6.0, 0.0, 30.0, shown(2))
        .is("active: live 33, live 33");
}

fn on_trial(s: &mut Subscription) {
    (s.status, s.trial_end) = (SubscriptionStatus::Trialing, Some(day(14.0)));
}

/// A trial until day 14, and its end as it is then told.
fn trial_ended(
    on_cancel: OnCancel,
    at: f64,
    before: impl FnOnce(&mut Case),
    change: impl FnOnce(&mut Subscription),
) -> Case {
    let mut case = Case::subscription(|p| p.on_cancel = on_cancel);
    case.shown(0.0, 0.0, 14.0, on_trial).is("trialing: live 17");
    before(&mut case);
    let over = snapshot(0.0, 14.0, |s| {
        on_trial(s);
        (s.event, s.status) = (SubscriptionEvent::Deleted, SubscriptionStatus::Canceled);
        s.ended_at = Some(day(at));
        change(s);
    });
    case.told(at, "customer.subscription.deleted", over);
    case
}

/// Rule 24: a trial that Stripe ends for want of a payment method is over, also where a cancelled one lives on: with the reason that
/// older bodies give, without any, and after it was paused for that.
#[test]
fn a_trial_without_a_payment_method_is_not_kept() {
    for on_cancel in [OnCancel::PeriodEnd, OnCancel::Now, OnCancel::Keep] {
        for reason in [Some(EndReason::PaymentFailed), None] {
            trial_ended(on_cancel, 14.0, |_| {}, |s| s.end_reason = reason).is("ended: expired");
        }
        let pauses = |case: &mut Case| {
            case.shown(14.0, 0.0, 14.0, |s| {
                on_trial(s);
                s.status = SubscriptionStatus::Paused;
            })
            .is("trialing: expired");
        };
        let asks = |s: &mut Subscription| s.end_reason = Some(EndReason::Requested);
        trial_ended(on_cancel, 40.0, pauses, asks).is("ended: expired");
    }
}

/// Rules 23 and 34: a trial that somebody cancelled is what `on_cancel` makes of it, also before bodies said why it ended.
#[test]
fn a_cancelled_trial_is_kept_where_the_policy_says_so() {
    let asks = |s: &mut Subscription| s.end_reason = Some(EndReason::Requested);
    trial_ended(OnCancel::Keep, 6.0, |_| {}, asks).is("ended: live for life");
    let schedules = |case: &mut Case| {
        case.shown(5.0, 0.0, 14.0, |s| {
            on_trial(s);
            s.cancel_at_period_end = true;
        });
    };
    trial_ended(OnCancel::Keep, 14.0, schedules, |_| {}).is("ended: live for life");
    trial_ended(OnCancel::PeriodEnd, 6.0, |_| {}, asks).is("ended: live 14");
}

/// Rules 30 and 34: Stripe gives up for an upgrade that was never paid. Nobody cancelled: what was paid lives to its end, and is kept
/// no longer.
#[test]
fn what_stripe_gave_up_is_not_kept() {
    let mut case = paid_once(|p| p.on_cancel = OnCancel::Keep);
    let upgrade = |event| {
        let lines = vec![InvoiceLine {
            proration: true,
            ..line("si_1", "price_pro", 9, 12.0, 30.0)
        }];
        with(invoice("in_2", event, lines), |i| {
            i.reason = BillingReason::Update;
        })
    };
    case.told(12.0, "failed", upgrade(InvoiceEvent::PaymentFailed))
        .deleted(24.0, 0.0, 30.0, EndReason::PaymentFailed)
        .is("ended: live 30")
        .on(30.0)
        .is("ended: expired");
    // Paid after all, it is still not for ever.
    case.told(31.0, "paid", upgrade(InvoiceEvent::Paid))
        .is("ended: expired");
}

/// A license that was revoked for a refund, at a service that does not bring it back: it refuses that, or says that it did.
fn not_brought_back(without_effect: bool) -> Case {
    let mut case = Case::subscription(|_| {});
    let refunded = refund("re_1", "in_1", 1);
    case.paid(0.0, "in_1", 0.0, 30.0)
        .told(5.0, "refund.created", refunded)
        .is("active: revoked");
    if without_effect {
        case.garbles = Some(|license| license.status = GrantStatus::Revoked);
    } else {
        case.keeps_revoked = true;
    }
    case.renewed(30.1, "in_2", 30.0, 60.0)
        .on(30.12)
        .is("active: revoked");
    case
}

/// Rule 37, rule 14: a service that a probe has seen undo a revocation refuses it for the license of whoever pays again: once it
/// has done so twice, an hour apart, a new key takes its place. One that was wrong for an hour gives the old one back.
#[test]
fn a_revoked_license_that_its_service_does_not_bring_back_is_replaced() {
    for without_effect in [false, true] {
        let mut case = not_brought_back(without_effect);
        case.on(30.2)
            .is("active: revoked, live 63")
            .mails("license_issued 0, refunded 5.01, license_issued 30.14");
        assert_eq!(case.machine.licenses_created(), 2);
        let refused = |a: &&Action| a.outcome == ActionOutcome::Refused;
        let refused = case.machine.actions.iter().filter(refused).count();
        assert_eq!(refused, 0, "nobody has to do anything");
        case.keeps_revoked = false;
        case.garbles = None;
        case.renewed(60.1, "in_3", 60.0, 90.0)
            .is("active: revoked, live 93");

        let mut wrong_for_an_hour = not_brought_back(without_effect);
        wrong_for_an_hour.keeps_revoked = false;
        wrong_for_an_hour.garbles = None;
        wrong_for_an_hour.on(30.2).is("active: live 63");
        assert_eq!(wrong_for_an_hour.machine.licenses_created(), 1);
    }
}

/// Rules 16, 41: a license that had lapsed, or was cancelled in its grace, and is paid for after Stripe's end works again, and ends
/// with what was paid: both are told, whichever came first, the lapse or the end.
#[test]
fn what_is_paid_after_the_end_is_told_like_any_return() {
    let failing = || {
        let mut case = Case::subscription(|p| p.grace = Span::from_days(7));
        case.paid(0.0, "in_1", 0.0, 30.0)
            .failed(30.0, "in_2", 30.0, 60.0);
        case
    };
    let mut lapsed = failing();
    lapsed
        .deleted(40.0, 30.0, 60.0, EndReason::PaymentFailed)
        .paid(45.0, "in_2", 30.0, 60.0)
        .is("ended: live 60")
        .on(70.0)
        .mails("license_issued 0, payment_failed 30.01, suspended 37.01, restored 45, ended 60");
    let mut outlived = failing();
    outlived
        .deleted(33.0, 30.0, 60.0, EndReason::PaymentFailed)
        .paid(45.0, "in_2", 30.0, 60.0)
        .on(70.0)
        .mails("license_issued 0, payment_failed 30.01, ended 37.01, restored 45, ended 60");
    let mut cancelled = failing();
    cancelled
        .deleted(33.0, 30.0, 60.0, EndReason::Requested)
        .is("ended: expired")
        .paid(35.0, "in_2", 30.0, 60.0)
        .is("ended: live 60")
        .on(70.0)
        .mails("license_issued 0, payment_failed 30.01, ended 33, restored 35, ended 60");
    // What is not paid after all ends once.
    let mut over = failing();
    over.deleted(40.0, 30.0, 60.0, EndReason::PaymentFailed)
        .on(70.0)
        .mails("license_issued 0, payment_failed 30.01, suspended 37.01");
}

/// Rule 34: an item that was paid all the while ends by itself, and that is told, whatever became of the one that lapsed.
#[test]
fn the_end_of_what_did_not_lapse_is_told() {
    let items = |s: &mut Subscription| {
        s.items = vec![
            item("si_1", "price_pro", 1, 30.0, 60.0),
            item("si_2", "price_team", 1, 0.0, 90.0),
        ];
    };
    let month = |from, to| line("si_1", "price_pro", 29, from, to);
    let both = vec![month(0.0, 30.0), line("si_2", "price_team", 99, 0.0, 90.0)];
    let failed = invoice("in_2", InvoiceEvent::PaymentFailed, vec![month(30.0, 60.0)]);
    let mut case = Case::subscription(|_| {});
    case.told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, both),
    )
    .shown(0.1, 0.0, 30.0, items)
    .told(30.0, "invoice.payment_failed", failed)
    .on(50.0)
    .is("lapsed: suspended, live 93")
    .shown(50.0, 30.0, 60.0, |s| {
        items(s);
        (s.event, s.status) = (SubscriptionEvent::Deleted, SubscriptionStatus::Canceled);
        (s.end_reason, s.ended_at) = (Some(EndReason::PaymentFailed), Some(day(50.0)));
    });
    let before =
        "license_issued 0, payment_failed 30.01, grace_ending 37, grace_ending 44, suspended 46.01";
    case.on(80.0).mails(before);
    case.on(95.0).mails(&format!("{before}, ended 90"));
}

/// Rule 34: of two items one is kept for ever, by its plan's policy: the other one's end is told once and stands.
#[test]
fn an_end_beside_what_is_kept_is_told_once() {
    let mut case = Case::subscription(|_| {});
    case.load(-1.0, |r| {
        let keeps = Policy {
            name: "keeps".into(),
            on_cancel: OnCancel::Keep,
            ..Policy::default()
        };
        r.plans[0].policy = Some(keeps.name.clone());
        r.policies.push(keeps);
    });
    let items = |s: &mut Subscription| {
        s.items = vec![
            item("si_1", "price_pro", 1, 0.0, 30.0),
            item("si_2", "price_team", 1, 0.0, 30.0),
        ];
    };
    let both = vec![
        line("si_1", "price_pro", 29, 0.0, 30.0),
        line("si_2", "price_team", 99, 0.0, 30.0),
    ];
    case.told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, both),
    )
    .shown(0.1, 0.0, 30.0, items)
    .shown(20.0, 0.0, 30.0, |s| {
        items(s);
        (s.event, s.status) = (SubscriptionEvent::Deleted, SubscriptionStatus::Canceled);
        (s.end_reason, s.ended_at) = (Some(EndReason::Requested), Some(day(20.0)));
    })
    .on(40.0)
    .is("ended: live for life, expired")
    .mails("license_issued 0, ended 30");
}
