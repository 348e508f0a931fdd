//! Pauses, of the collection or of the whole subscription (rules 28, 33).

use super::*;
use crate::domain::policy::OnPause;

/// Rule 33: `keep` grants the periods that turn while paused, and the one running at the resume too.
#[test]
fn a_pause_keeps_or_suspends() {
    let mut keeps = paid_once(|_| {});
    keeps
        .shown(10.0, 0.0, 30.0, |s| s.collection_paused = true)
        .is("active: live 33");
    keeps
        .shown(30.0, 30.0, 60.0, |s| s.collection_paused = true)
        .is("active: live 63");
    keeps.shown(40.0, 30.0, 60.0, |_| {}).is("active: live 63");
    // The next period is paid as usual: it is not granted any more.
    keeps
        .shown(60.0, 60.0, 90.0, |_| {})
        .is("active: live 63")
        .mails("license_issued 0");
    let mut suspends = paid_once(|p| p.on_pause = OnPause::Suspend);
    suspends
        .shown(10.0, 0.0, 30.0, |s| s.collection_paused = true)
        .is("active: suspended");
    suspends
        .shown(20.0, 0.0, 30.0, |_| {})
        .is("active: live 33")
        .acts("create suspend reinstate");
}

/// Rule 33: a pause of the whole subscription that was asked for, and its end: the running period is granted. Where Stripe bills it,
/// the failure of that invoice is a renewal's.
#[test]
fn what_a_pause_resumes_with_is_paid_for_where_it_is_billed() {
    let resumed = |on_pause: OnPause, first: InvoiceEvent| {
        let mut case = paid_once(|p| p.on_pause = on_pause);
        case.shown(12.0, 0.0, 12.0, |s| {
            (s.status, s.pause_reason) = (SubscriptionStatus::Paused, Some(PauseReason::Requested));
        });
        let lines = vec![line("si_1", "price_pro", 29, 50.0, 80.0)];
        let bill = with(invoice("in_2", first, lines), |i| {
            i.reason = BillingReason::Update;
        });
        case.told(50.0, "invoice", bill)
            .shown(50.001, 50.0, 80.0, |_| {});
        case
    };
    for on_pause in [OnPause::Keep, OnPause::Suspend] {
        let mut fails = resumed(on_pause, InvoiceEvent::Finalized);
        fails
            .is("active: live 83")
            .failed(50.01, "in_2", 50.0, 80.0)
            .is("grace: live 66.01")
            .on(67.0)
            .is("lapsed: suspended");
        resumed(on_pause, InvoiceEvent::Paid).is("active: live 83");
    }
    let mut free = paid_once(|_| {});
    free.shown(12.0, 0.0, 12.0, |s| {
        (s.status, s.pause_reason) = (SubscriptionStatus::Paused, Some(PauseReason::Requested));
    });
    free.shown(50.0, 40.0, 70.0, |_| {}).is("active: live 73");
}

/// Rule 33: what fails while the collection is paused starts no grace and is not mailed; what fails after it does both.
#[test]
fn a_pause_knows_neither_grace_nor_mail() {
    let mut case = paid_once(|_| {});
    case.shown(10.0, 0.0, 30.0, |s| s.collection_paused = true);
    case.shown(30.0, 30.0, 60.0, |s| s.collection_paused = true)
        .failed(30.1, "in_2", 30.0, 60.0)
        .is("active: live 63");
    case.on(59.0)
        .is("active: live 63")
        .mails("license_issued 0");
    case.shown(59.5, 30.0, 60.0, |_| {})
        .failed(60.1, "in_3", 60.0, 90.0)
        .is("grace: live 76.1")
        .on(61.0);
    case.mails("license_issued 0, payment_failed 60.11");
}

/// Rules 28, 33: a period that turns in a pause is granted, also after a failure: the grace, or the lapse, is over with it, and
/// that the license works again is told then.
#[test]
fn a_period_granted_in_a_pause_settles_a_failure() {
    let failing = |change: fn(&mut Policy)| {
        let mut case = paid_once(change);
        let late = |s: &mut Subscription| s.status = SubscriptionStatus::PastDue;
        case.failed(30.0, "in_2", 30.0, 60.0)
            .shown(30.0, 30.0, 60.0, late)
            .shown(35.0, 30.0, 60.0, |s| {
                (s.status, s.collection_paused) = (SubscriptionStatus::PastDue, true);
            });
        case
    };
    let before =
        "license_issued 0, payment_failed 30.01, grace_ending 37, grace_ending 44, suspended 46.01";
    let mut lapsed = failing(|_| {});
    lapsed
        .on(59.0)
        .is("lapsed: suspended")
        .shown(60.0, 60.0, 90.0, |s| {
            (s.status, s.collection_paused) = (SubscriptionStatus::PastDue, true);
        })
        .is("active: live 93")
        .shown(75.0, 60.0, 90.0, |_| {})
        .on(80.0)
        .mails(&format!("{before}, restored 60"));
    // In the grace none of its mails follow.
    let mut graced = failing(|p| p.grace = Span::from_days(40));
    graced
        .shown(40.0, 40.0, 70.0, |s| {
            (s.status, s.collection_paused) = (SubscriptionStatus::PastDue, true);
        })
        .is("active: live 73")
        .on(60.0)
        .mails("license_issued 0, payment_failed 30.01, grace_ending 37");
    // At the end of a pause that had stopped it the period that then runs is granted.
    let mut stopped = failing(|p| p.on_pause = OnPause::Suspend);
    stopped
        .is("grace: suspended")
        .on(59.0)
        .shown(75.0, 60.0, 90.0, |_| {})
        .is("active: live 93")
        .on(80.0)
        .mails("license_issued 0, payment_failed 30.01, suspended 46.01, restored 75");
}
