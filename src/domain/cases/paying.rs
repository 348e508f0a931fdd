//! What pays, and until when (rules 14 to 24).

use super::*;
use crate::domain::policy::Trial;

/// Rule 17: negative lines take credited time back before positive ones count.
#[test]
fn credited_time_is_taken_back_before_what_is_paid_counts() {
    // From a year to a month on day 60: the year ends there, the month begins.
    let change = vec![
        line("si_1", "price_pro", -300, 60.0, 365.0),
        line("si_1", "price_pro", 30, 60.0, 90.0),
    ];
    let mut year = Case::subscription(|_| {});
    year.paid(0.0, "in_1", 0.0, 365.0).is("active: live 368");
    year.told(
        60.0,
        "invoice.paid",
        invoice("in_2", InvoiceEvent::Paid, change),
    )
    .is("active: live 93");
    // A credit alone leaves what was used.
    let mut credit = Case::subscription(|_| {});
    credit.paid(0.0, "in_1", 0.0, 30.0);
    let back = invoice(
        "in_2",
        InvoiceEvent::Paid,
        vec![line("si_1", "price_pro", -20, 10.0, 30.0)],
    );
    credit
        .told(10.0, "invoice.paid", back)
        .is("active: live 13");
    // The order of the lines within the invoice does not matter.
    let change = vec![
        line("si_1", "price_pro", 30, 60.0, 90.0),
        line("si_1", "price_pro", -300, 60.0, 365.0),
    ];
    let mut turned = Case::subscription(|_| {});
    turned.paid(0.0, "in_1", 0.0, 365.0);
    turned
        .told(
            60.0,
            "invoice.paid",
            invoice("in_2", InvoiceEvent::Paid, change),
        )
        .is("active: live 93");
}

/// Rule 17: not the first line, and not another item's.
#[test]
fn only_the_licensed_item_s_own_line_counts() {
    let lines = vec![
        line("si_2", "price_metered", 5, -30.0, 0.0),
        line("si_1", "price_pro", 29, 0.0, 30.0),
    ];
    let mut case = Case::subscription(|_| {});
    case.told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, lines),
    )
    .is("active: live 33");
    let addon = invoice(
        "in_9",
        InvoiceEvent::Paid,
        vec![line("si_2", "price_metered", 5, 0.0, 365.0)],
    );
    case.told(5.0, "invoice.paid", addon)
        .is("active: live 33")
        .acts("create");
}

/// Rule 18: where no paid invoice was ever heard of, the latest snapshot speaks; after one was, none does.
#[test]
fn a_snapshot_pays_only_where_invoices_are_never_heard_of() {
    let mut alone = Case::subscription(|_| {});
    alone
        .shown(0.0, 0.0, 30.0, |_| {})
        .is("active:")
        .on(0.01)
        .is("active: live 33");
    alone.shown(30.0, 30.0, 60.0, |_| {}).is("active: live 63");
    alone
        .failed(30.1, "in_2", 30.0, 60.0)
        .is("grace: live 46.1");
    alone.shown(35.0, 30.0, 60.0, |_| {}).is("active: live 63");
    // `past_due` by itself takes the running period back and begins the grace.
    alone.shown(60.0, 60.0, 90.0, |_| {});
    alone
        .shown(60.2, 60.0, 90.0, |s| s.status = SubscriptionStatus::PastDue)
        .is("grace: live 76.2");
    let mut told = Case::subscription(|_| {});
    told.paid(0.0, "in_1", 0.0, 30.0)
        .shown(30.0, 30.0, 60.0, |_| {})
        .is("active: live 33");
    told.on(40.0).is("active: expired");
}

/// Rule 18: what was paid by a snapshot is taken back when an invoice is heard of at last, and nothing is made twice.
#[test]
fn the_first_invoice_heard_of_silences_the_snapshots() {
    let mut case = Case::subscription(|_| {});
    case.shown(0.0, 0.0, 30.0, |_| {})
        .shown(30.0, 30.0, 60.0, |_| {})
        .is("active: live 63");
    case.paid(30.1, "in_2", 30.0, 60.0)
        .is("active: live 63")
        .acts("create extend");
}

/// An invoice for something else, paid.
fn by_hand(id: &str) -> FactBody {
    let sold = InvoiceLine {
        item: None,
        of_subscription: false,
        ..line("", "price_service", 5, 40.0, 40.0)
    };
    with(invoice(id, InvoiceEvent::Paid, vec![sold]), |i| {
        i.reason = BillingReason::Manual;
    })
}

/// Rule 18: an endpoint hears of invoices from now on. The first one that is paid is for something else, and takes back nothing of
/// what was told before; what turns after it waits for its own.
#[test]
fn what_snapshots_told_before_the_first_paid_invoice_stays() {
    let mut case = Case::subscription(|_| {});
    case.shown(0.0, 0.0, 30.0, |_| {})
        .shown(30.0, 30.0, 60.0, |_| {})
        .is("active: live 63");
    case.told(40.0, "invoice.paid", by_hand("in_7"))
        .is("active: live 63")
        .acts("create extend");
    case.shown(60.0, 60.0, 90.0, |_| {}).is("active: live 63");
    case.paid(60.1, "in_8", 60.0, 90.0)
        .is("active: live 93")
        .acts("create extend extend");
    // What fails then starts a grace as ever.
    let mut fails = Case::subscription(|_| {});
    fails
        .shown(30.0, 30.0, 60.0, |s| s.created = Some(day(30.0)))
        .told(40.0, "invoice.paid", by_hand("in_7"))
        .shown(60.0, 60.0, 90.0, |s| s.created = Some(day(30.0)))
        .failed(60.1, "in_8", 60.0, 90.0)
        .is("grace: live 76.1");
}

/// Rules 18 and 21: the month's renewal is the first invoice that is heard of. It says nothing of the year beside it.
#[test]
fn one_item_s_invoice_takes_back_nothing_of_another_s() {
    let both = |from: f64, to: f64| {
        move |s: &mut Subscription| {
            s.created = Some(day(0.0));
            s.items.push(item("si_2", "price_team", 1, from, to));
        }
    };
    let mut case = Case::subscription(|_| {});
    case.shown(0.0, 0.0, 365.0, both(0.0, 30.0))
        .on(0.1)
        .is("active: live 368, live 33");
    let month = vec![line("si_2", "price_team", 9, 30.0, 60.0)];
    case.shown(30.0, 0.0, 365.0, both(30.0, 60.0))
        .told(
            30.05,
            "invoice.paid",
            invoice("in_2", InvoiceEvent::Paid, month),
        )
        .is("active: live 368, live 63")
        .acts("create create extend");
}

/// Rules 18 and 20: sent invoices never get that benefit, nor does a first invoice that is known and open.
#[test]
fn active_alone_gives_nothing_where_the_first_invoice_is_open() {
    let mut sent = Case::subscription(|_| {});
    sent.shown(0.0, 0.0, 30.0, |s| s.send_invoice = true)
        .on(5.0)
        .is("active:");
    let mut debit = Case::subscription(|_| {});
    let lines = || vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
    debit.told(
        0.0,
        "customer.subscription.created",
        snapshot(0.0, 30.0, |s| s.event = SubscriptionEvent::Created),
    );
    debit.told(
        0.001,
        "invoice.finalized",
        invoice("in_1", InvoiceEvent::Finalized, lines()),
    );
    debit.on(4.0).is("active:").mails("");
    debit
        .paid(5.0, "in_1", 0.0, 30.0)
        .is("active: live 33")
        .mails("license_issued 5");
}

/// Rules 18 and 20: a bank debit for the first invoice fails, and it is given up, while Stripe calls the subscription active. Whatever
/// turns, no key is made until something is paid, and what fails meanwhile endangers nothing.
#[test]
fn a_first_invoice_that_came_to_nothing_gives_nothing_at_the_turn() {
    let debit = |event| {
        invoice(
            "in_1",
            event,
            vec![line("si_1", "price_pro", 29, 0.0, 30.0)],
        )
    };
    let mut case = Case::subscription(|_| {});
    case.told(
        0.0,
        "customer.subscription.created",
        snapshot(0.0, 30.0, |s| s.event = SubscriptionEvent::Created),
    );
    case.told(0.001, "finalized", debit(InvoiceEvent::Finalized))
        .told(8.0, "failed", debit(InvoiceEvent::PaymentFailed))
        .told(8.1, "voided", debit(InvoiceEvent::Voided))
        .shown(30.0, 30.0, 60.0, |_| {})
        .on(31.0)
        .is("active:");
    case.failed(37.0, "in_2", 30.0, 60.0)
        .shown(37.0, 30.0, 60.0, |s| s.status = SubscriptionStatus::PastDue)
        .on(58.0)
        .is("active:")
        .mails("");
    case.paid(59.0, "in_2", 30.0, 60.0)
        .is("active: live 63")
        .mails("license_issued 59");
    case.failed(60.1, "in_3", 60.0, 90.0).is("grace: live 76.1");
}

/// A first snapshot that is active waits ten minutes for the invoice, then speaks.
#[test]
fn a_new_subscription_s_first_snapshot_speaks_after_ten_minutes() {
    let mut case = Case::subscription(|_| {});
    case.told(
        0.0,
        "customer.subscription.created",
        snapshot(0.0, 30.0, |s| s.event = SubscriptionEvent::Created),
    );
    case.on(0.006).is("active:");
    assert!(!case.unheard());
    case.on(0.007).is("active: live 33");
    assert!(case.unheard(), "its source may hear of no invoices");
    case.paid(0.01, "in_1", 0.0, 30.0);
    assert!(!case.unheard());
    let mut older = Case::subscription(|_| {});
    older
        .told(
            0.0,
            "customer.subscription.updated",
            snapshot(0.0, 30.0, |_| {}),
        )
        .on(0.007)
        .is("active: live 33");
    assert!(
        !older.unheard(),
        "its first invoice may be older than the store"
    );
}

/// Rule 19: a renewal that is finalized and open is looked at when the license would run out.
#[test]
fn an_open_renewal_keeps_the_license_alive_when_it_would_run_out() {
    let open = || {
        invoice(
            "in_2",
            InvoiceEvent::Finalized,
            vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
        )
    };
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .told(30.0, "invoice.finalized", open())
        .is("active: live 33");
    case.on(33.0)
        .is("active: live 44")
        .on(43.9)
        .is("active: live 44")
        .on(44.0)
        .is("active: expired");
    let mut paid = Case::subscription(|_| {});
    paid.paid(0.0, "in_1", 0.0, 30.0)
        .told(30.0, "invoice.finalized", open());
    paid.paid(30.1, "in_2", 30.0, 60.0)
        .is("active: live 63")
        .acts("create extend");
    let failed = invoice(
        "in_2",
        InvoiceEvent::FinalizationFailed,
        vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
    );
    let mut stuck = Case::subscription(|_| {});
    stuck
        .paid(0.0, "in_1", 0.0, 30.0)
        .told(30.0, "invoice.finalization_failed", failed);
    stuck
        .tells(30.0, "could not be finalized")
        .on(40.0)
        .is("active: live 44")
        .mails("license_issued 0");
}

/// Rule 21: each item has its own end, and another one's failure does not touch it.
#[test]
fn items_of_several_intervals_end_each_on_its_own() {
    let mut case = Case::subscription(|_| {});
    let both = vec![
        line("si_1", "price_pro", 290, 0.0, 365.0),
        line("si_2", "price_team", 29, 0.0, 30.0),
    ];
    case.told(
        0.0,
        "customer.subscription.updated",
        snapshot(0.0, 365.0, |s| {
            s.items.push(item("si_2", "price_team", 1, 0.0, 30.0));
            s.status = SubscriptionStatus::Incomplete;
        }),
    );
    case.told(
        0.001,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, both),
    )
    .is("active: live 368, live 33");
    let failed = invoice(
        "in_2",
        InvoiceEvent::PaymentFailed,
        vec![line("si_2", "price_team", 29, 30.0, 60.0)],
    );
    case.told(30.0, "invoice.payment_failed", failed)
        .is("grace: live 368, live 46");
    case.on(46.1).is("lapsed: live 368, suspended").mails(
        "license_issued 0, payment_failed 30.01, grace_ending 37, \
        grace_ending 44, suspended 46.01",
    );
    // A scheduled end of the whole counts for an item only when it is not later than that item's paid end (34).
    let mut ends = Case::subscription(|_| {});
    let both = vec![
        line("si_1", "price_pro", 290, 0.0, 365.0),
        line("si_2", "price_team", 29, 0.0, 30.0),
    ];
    ends.told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, both),
    );
    ends.shown(1.0, 0.0, 365.0, |s| {
        s.items.push(item("si_2", "price_team", 1, 0.0, 30.0));
        s.cancel_at = Some(day(365.0));
    });
    ends.is("active: live 365, live 33");
}

/// Rules 22 and 25: a trial's zero invoice pays for nothing, and what follows depends on whether it gave a license.
#[test]
fn a_trial_gives_a_license_or_nothing() {
    let trial = |s: &mut Subscription| {
        (s.status, s.trial_end) = (SubscriptionStatus::Trialing, Some(day(14.0)))
    };
    let zero = || {
        invoice(
            "in_1",
            InvoiceEvent::Paid,
            vec![line("si_1", "price_pro", 0, 0.0, 14.0)],
        )
    };
    let mut gives = Case::subscription(|_| {});
    gives
        .shown(0.0, 0.0, 14.0, trial)
        .told(0.001, "invoice.paid", zero())
        .is("trialing: live 17");
    gives
        .shown(14.0, 14.0, 44.0, |s| s.trial_end = Some(day(14.0)))
        .is("active: live 17");
    gives
        .failed(14.1, "in_2", 14.0, 44.0)
        .is("grace: live 30.1");
    let mut none = Case::subscription(|p| p.trial = Trial::None);
    none.shown(0.0, 0.0, 14.0, trial)
        .told(0.001, "invoice.paid", zero())
        .is("trialing:");
    none.shown(14.0, 14.0, 44.0, |s| s.trial_end = Some(day(14.0)))
        .is("active:");
    none.failed(14.1, "in_2", 14.0, 44.0)
        .is("active:")
        .mails("");
    none.paid(15.0, "in_2", 14.0, 44.0).is("active: live 47");
}
