//! Failing, recovering, giving up (rules 25 to 32).

use super::*;
use crate::domain::policy::AtGraceEnd;

fn paid_once(change: impl FnOnce(&mut Policy)) -> Case {
    let mut case = Case::subscription(change);
    case.paid(0.0, "in_1", 0.0, 30.0);
    case
}

/// Rule 25: from the first failure, exactly as long as promised, whenever that is learned; later ones prolong nothing.
#[test]
fn grace_runs_from_the_first_failure() {
    let mut case = paid_once(|_| {});
    case.failed(30.0, "in_2", 30.0, 60.0)
        .is("grace: live 46")
        .failed(40.0, "in_2", 30.0, 60.0)
        .is("grace: live 46");
    case.on(45.9)
        .is("grace: live 46")
        .on(46.0)
        .is("lapsed: suspended");
    case.failed(60.0, "in_3", 60.0, 90.0)
        .on(100.0)
        .is("lapsed: suspended");
    // Learned on day 44: it ends on day 46 all the same.
    let mut late = paid_once(|_| {});
    let lines = vec![line("si_1", "price_pro", 29, 30.0, 60.0)];
    late.told_late(
        44.0,
        30.0,
        "invoice.payment_failed",
        invoice("in_2", InvoiceEvent::PaymentFailed, lines),
    );
    late.is("grace: live 46").on(46.0).is("lapsed: suspended");
}

/// Rule 18's reason: a first invoice that is heard of as open, beside a later one's failure, stops nothing in the first minutes;
/// that it was paid may be what is told next.
#[test]
fn a_license_is_not_stopped_a_moment_after_it_was_made_for_want_of_a_payment() {
    let heard = || {
        let mut case = Case::subscription(|_| {});
        case.failed(30.0, "in_2", 30.0, 60.0).is("grace: live 46");
        let first = with(
            invoice(
                "in_1",
                InvoiceEvent::Finalized,
                vec![line("si_1", "price_pro", 29, 0.0, 30.0)],
            ),
            |i| i.reason = BillingReason::Create,
        );
        case.told_late(30.001, 0.0, "invoice.finalized", first);
        case.on(30.006).is("grace: live 46");
        case
    };
    heard().on(30.007).is("grace: suspended");
    let mut paid = heard();
    paid.paid(30.0065, "in_1", 0.0, 30.0).is("grace: live 46");
    paid.on(30.1).is("grace: live 46");
}

/// Rules 26 and 42: a failure in mid period for something else starts no grace.
#[test]
fn a_side_invoice_starts_no_grace() {
    let mut case = paid_once(|_| {});
    let mut change = line("si_1", "price_pro", 9, 10.0, 30.0);
    change.proration = true;
    let failed = with(
        invoice("in_9", InvoiceEvent::PaymentFailed, vec![change]),
        |i| i.reason = BillingReason::Update,
    );
    case.told(10.0, "invoice.payment_failed", failed);
    case.shown(10.0, 0.0, 30.0, |s| s.status = SubscriptionStatus::PastDue)
        .on(20.0)
        .is("active: live 33");
    case.mails("license_issued 0, payment_failed 10.01");
}

/// Rule 27: suspend, revoke or keep, at the instant; a payment dated before the end that is told later undoes the lapse.
#[test]
fn what_happens_at_the_end_of_grace() {
    let at_end = |at_grace_end| {
        let mut case = paid_once(|p| p.at_grace_end = at_grace_end);
        case.failed(30.0, "in_2", 30.0, 60.0).on(46.0);
        case
    };
    at_end(AtGraceEnd::Suspend)
        .is("lapsed: suspended")
        .acts("create extend suspend");
    at_end(AtGraceEnd::Revoke)
        .is("lapsed: revoked")
        .paid(50.0, "in_2", 30.0, 60.0)
        .is("active: live 63");
    let mut keeps = at_end(AtGraceEnd::Keep);
    keeps.is("lapsed: live 106").on(80.0).is("lapsed: live 136");
    keeps
        .deleted(90.0, 60.0, 90.0, EndReason::PaymentFailed)
        .is("ended: expired");
    let mut told_late = at_end(AtGraceEnd::Suspend);
    let lines = vec![line("si_1", "price_pro", 29, 30.0, 60.0)];
    told_late.told_late(
        47.0,
        45.0,
        "invoice.paid",
        invoice("in_2", InvoiceEvent::Paid, lines),
    );
    told_late
        .is("active: live 63")
        .acts("create extend suspend reinstate");
}

/// Rule 28: with several open invoices what counts is whether now is paid for.
#[test]
fn paying_an_old_debt_restores_nothing() {
    let mut case = paid_once(|_| {});
    case.failed(30.0, "in_2", 30.0, 60.0)
        .failed(60.0, "in_3", 60.0, 90.0);
    case.paid(70.0, "in_2", 30.0, 60.0)
        .is("lapsed: suspended")
        .paid(71.0, "in_3", 60.0, 90.0)
        .is("active: live 93");
}

/// Rule 29: written off means that the running period is granted.
#[test]
fn a_debt_that_is_written_off_grants_the_running_period() {
    let written_off = || {
        invoice(
            "in_2",
            InvoiceEvent::Uncollectible,
            vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
        )
    };
    let mut case = paid_once(|_| {});
    case.failed(30.0, "in_2", 30.0, 60.0)
        .shown(30.0, 30.0, 60.0, |s| s.status = SubscriptionStatus::PastDue);
    case.told(35.0, "invoice.marked_uncollectible", written_off())
        .is("grace: live 46");
    case.shown(35.0, 30.0, 60.0, |s| {
        s.previous_status = Some(SubscriptionStatus::PastDue)
    })
    .is("active: live 63");
}

/// Rule 29: a debt beside another one that is still owed writes nothing off, and one without a turn to `active` neither.
#[test]
fn what_is_still_owed_is_not_written_off() {
    let voided = |id| {
        invoice(
            id,
            InvoiceEvent::Voided,
            vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
        )
    };
    let mut owes = paid_once(|_| {});
    owes.failed(30.0, "in_2", 30.0, 60.0)
        .failed(60.0, "in_3", 60.0, 90.0);
    owes.told(61.0, "invoice.voided", voided("in_2"));
    owes.shown(61.0, 60.0, 90.0, |s| {
        s.previous_status = Some(SubscriptionStatus::PastDue)
    })
    .is("lapsed: suspended");
    let mut one = paid_once(|_| {});
    one.failed(30.0, "in_2", 30.0, 60.0)
        .told(35.0, "invoice.voided", voided("in_2"));
    one.is("grace: live 46").on(46.0).is("lapsed: suspended");
}

/// Rule 30: Stripe giving up shortens nothing, the customer's own word ends it, and a failure after the end is none.
#[test]
fn giving_up_does_not_shorten_a_grace_but_a_cancellation_does() {
    let mut gave_up = paid_once(|_| {});
    gave_up
        .failed(30.0, "in_2", 30.0, 60.0)
        .deleted(40.0, 30.0, 60.0, EndReason::PaymentFailed);
    gave_up.is("grace: live 46").on(46.0).is("ended: suspended");
    // Rule 16: paid all the same, it lives to what was paid, without the margin.
    gave_up
        .paid(50.0, "in_2", 30.0, 60.0)
        .is("ended: live 60")
        .tells(50.0, "was paid after the subscription had ended");
    gave_up.on(60.0).is("ended: expired");
    let mut cancelled = paid_once(|_| {});
    cancelled
        .failed(30.0, "in_2", 30.0, 60.0)
        .deleted(40.0, 30.0, 60.0, EndReason::Requested)
        .is("ended: expired");
    cancelled
        .failed(41.0, "in_3", 60.0, 90.0)
        .is("ended: expired");
}

/// Rule 31: a pause because a renewal failed is a failed payment; one that needs the customer has a mail of its own.
#[test]
fn pauses_and_confirmations_can_be_failures() {
    let mut paused = paid_once(|_| {});
    paused.shown(30.0, 0.0, 30.0, |s| {
        (s.status, s.pause_reason) = (SubscriptionStatus::Paused, Some(PauseReason::PaymentFailed));
    });
    paused.is("grace: live 46").on(46.0).is("lapsed: suspended");
    let mut confirm = paid_once(|_| {});
    let lines = vec![line("si_1", "price_pro", 29, 30.0, 60.0)];
    confirm.told(
        30.0,
        "invoice.payment_action_required",
        invoice("in_2", InvoiceEvent::ActionRequired, lines),
    );
    confirm
        .on(31.0)
        .is("grace: live 46")
        .mails("license_issued 0, action_required 30.01");
}

/// The second month's invoice, sent and due on day 44.
fn sent(event: InvoiceEvent) -> FactBody {
    let lines = vec![line("si_1", "price_pro", 29, 30.0, 60.0)];
    with(invoice("in_2", event, lines), |i| {
        (i.send_invoice, i.due, i.next_attempt) = (true, Some(day(44.0)), None);
    })
}

/// Rule 32: a sent invoice carries the license to its due date, and what is overdue starts the grace.
#[test]
fn a_sent_invoice_carries_to_its_due_date() {
    let mut case = paid_once(|_| {});
    case.told(30.0, "invoice.finalized", sent(InvoiceEvent::Finalized))
        .is("active: live 44");
    case.told(44.0, "invoice.overdue", sent(InvoiceEvent::Overdue))
        .is("grace: live 60")
        .on(60.0)
        .is("lapsed: suspended");
}

/// Rule 32: a sent renewal that falls due while an older debt has made the subscription past_due already: its status changes
/// no more, and the grace starts at the due date all the same.
#[test]
fn a_sent_renewal_falls_due_beside_an_older_debt() {
    let late = |case: &mut Case| {
        case.told(30.0, "invoice.finalized", sent(InvoiceEvent::Finalized))
            .shown(35.0, 30.0, 60.0, |s| {
                (s.status, s.send_invoice) = (SubscriptionStatus::PastDue, true);
                s.latest_invoice = Some("in_2".into());
            })
            .is("active: live 44");
    };
    let mut case = paid_once(|_| {});
    late(&mut case);
    case.on(43.9)
        .is("active: live 44")
        .on(44.0)
        .is("grace: live 60");
    case.on(61.0).is("lapsed: suspended").mails(
        "license_issued 0, payment_failed 44.01, grace_ending 51, grace_ending 58, suspended 60.01",
    );
    case.told(62.0, "invoice.paid", sent(InvoiceEvent::Paid));
    case.is("lapsed: suspended");
    // Paid, or written off, before it is due: nothing starts then.
    for event in [InvoiceEvent::Paid, InvoiceEvent::Voided] {
        let mut done = paid_once(|_| {});
        late(&mut done);
        done.told(40.0, "invoice", sent(event)).on(50.0);
        let live = if event == InvoiceEvent::Paid {
            "live 63"
        } else {
            "expired"
        };
        done.is(&format!("active: {live}"))
            .mails("license_issued 0");
    }
}

/// Rule 32: a sent renewal has longer to be paid than its month is: the next one is not due yet when it is overdue.
#[test]
fn a_sent_renewal_is_overdue_beside_a_newer_one() {
    let newer = with(
        invoice(
            "in_3",
            InvoiceEvent::Finalized,
            vec![line("si_1", "price_pro", 29, 40.0, 70.0)],
        ),
        |i| (i.send_invoice, i.due, i.next_attempt) = (true, Some(day(74.0)), None),
    );
    let mut case = paid_once(|_| {});
    case.told(30.0, "invoice.finalized", sent(InvoiceEvent::Finalized))
        .told(40.0, "invoice.finalized", newer)
        .is("active: live 44");
    case.shown(44.0, 40.0, 70.0, |s| {
        (s.status, s.send_invoice) = (SubscriptionStatus::PastDue, true);
        s.latest_invoice = Some("in_3".into());
    });
    case.is("grace: live 60");
    // What has been late for long is no news when a later period, which was paid, is over.
    let mut old = paid_once(|_| {});
    let late =
        |s: &mut Subscription| (s.status, s.send_invoice) = (SubscriptionStatus::PastDue, true);
    old.told(30.0, "invoice.finalized", sent(InvoiceEvent::Finalized))
        .paid(40.0, "in_3", 40.0, 70.0)
        .shown(44.0, 40.0, 70.0, late)
        .shown(70.0, 70.0, 100.0, late)
        .is("active: live 73");
}

/// Rule 25: a first invoice falls due between a turn and the moment at which the renewal is final: what is late is older.
#[test]
fn an_older_debt_falls_due_while_the_renewal_is_a_draft() {
    let mut case = paid_once(|_| {});
    let paid = || line("si_1", "price_pro", 29, 0.0, 30.0);
    case.told(
        0.0,
        "invoice.finalized",
        invoice("in_1", InvoiceEvent::Finalized, vec![paid()]),
    );
    case.shown(30.0, 30.0, 60.0, |s| s.send_invoice = true)
        .shown(30.02, 30.0, 60.0, |s| {
            (s.status, s.send_invoice) = (SubscriptionStatus::PastDue, true);
            s.latest_invoice = Some("in_2".into());
        });
    case.is("active: live 33")
        .told(30.04, "invoice.finalized", sent(InvoiceEvent::Finalized))
        .on(40.0)
        .is("active: live 44")
        .mails("license_issued 0");
}
