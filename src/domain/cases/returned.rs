//! Money of one period that went back beside others that are paid (rules 10, 14, 37).

use super::*;

fn billed(id: &str, lines: Vec<InvoiceLine>) -> FactBody {
    with(invoice(id, InvoiceEvent::Paid, lines), |i| {
        i.reason = BillingReason::Update;
    })
}

/// Paid by the month, and on day 5 for a year in its place: 290, of which 24 had been paid.
fn changed_to_a_year() -> Case {
    let mut case = Case::subscription(|_| {});
    let month = vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
    let credited = InvoiceLine {
        proration: true,
        ..line("si_1", "price_pro", -24, 5.0, 30.0)
    };
    let year = line("si_1", "price_pro", 290, 5.0, 370.0);
    case.told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, month),
    )
    .told(5.0, "invoice.paid", billed("in_2", vec![credited, year]))
    .is("active: live 373");
    case
}

/// Rule 37: a year that was given back is no paid time: months that are paid in its place bring a live license again, to
/// their own end, whichever comes first, and a month that fails then has its grace.
#[test]
fn months_paid_in_the_place_of_a_returned_year_live_to_their_own_end() {
    let month = || billed("in_3", vec![line("si_1", "price_pro", 29, 8.0, 38.0)]);
    let mut case = changed_to_a_year();
    case.told(8.0, "refund.created", refund("re_1", "in_2", 266))
        .is("active: revoked")
        .told(9.0, "invoice.paid", month())
        .is("active: live 41");
    case.paid(38.05, "in_4", 38.0, 68.0).is("active: live 71");
    case.failed(68.05, "in_5", 68.0, 98.0)
        .is("grace: live 84.05");
    let mut case = changed_to_a_year();
    case.told(8.0, "invoice.paid", month())
        .is("active: live 373")
        .told(9.0, "refund.created", refund("re_1", "in_2", 266))
        .is("active: live 41");
    // Its own money counts.
    case.told(10.0, "refund.created", refund("re_2", "in_3", 29))
        .is("active: revoked");
    case.told(11.0, "refund.failed", failed_refund("re_2", "in_3", 29))
        .is("active: live 41");
    // Nor is that year's money any for what ran when the subscription was ended (rule 34).
    case.deleted(12.0, 8.0, 38.0, EndReason::Requested)
        .is("ended: live 38");
}

/// Rules 10, 37: what metadata asks for lives on by a month that is paid beside a year that was given back.
#[test]
fn a_month_beside_a_returned_year_carries_what_metadata_asks_for() {
    let asks = |s: &mut Subscription| {
        s.wants.app_id = Some("app".to_owned());
        s.items[0].price = priced("price_month");
    };
    let both = |s: &mut Subscription| {
        asks(s);
        s.items.push(item("si_2", "price_year", 1, 4.0, 369.0));
    };
    let month = |id, from, to| {
        let lines = vec![line("si_1", "price_month", 10, from, to)];
        invoice(id, InvoiceEvent::Paid, lines)
    };
    let mut case = Case::subscription(|_| {});
    case.shown(0.0, 0.0, 30.0, asks)
        .told(0.0, "invoice.paid", month("in_1", 0.0, 30.0))
        .shown(4.0, 0.0, 30.0, both);
    let year = vec![line("si_2", "price_year", 290, 4.0, 369.0)];
    case.told(4.0, "invoice.paid", billed("in_2", year))
        .is("active: live 372");
    case.told(9.0, "refund.created", refund("re_1", "in_2", 290))
        .is("active: live 33")
        .shown(9.01, 0.0, 30.0, asks)
        .told(30.05, "invoice.paid", month("in_3", 30.0, 60.0))
        .is("active: live 63")
        .acts("create extend extend extend");
    let failing = vec![line("si_1", "price_month", 10, 60.0, 90.0)];
    let failing = invoice("in_4", InvoiceEvent::PaymentFailed, failing);
    case.told(60.05, "invoice.payment_failed", failing)
        .is("grace: live 76.05");
}

/// Rule 37: what was paid before and is over pays for nothing that was given back.
#[test]
fn a_month_that_is_over_carries_no_returned_year() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .paid(30.0, "in_2", 30.0, 395.0)
        .told(90.0, "refund.created", refund("re_1", "in_2", 1))
        .is("active: revoked");
}

/// A month of one item, and on day 3 another item that nothing was paid for itself.
fn joined_on_day_three(case: &mut Case) {
    case.shown(3.0, 0.0, 30.0, |s| {
        s.items.push(item("si_2", "price_team", 1, 0.0, 30.0));
    });
}

fn of_one_item() -> Case {
    let mut case = Case::subscription(|_| {});
    let month = vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
    case.shown(0.0, 0.0, 30.0, |_| {}).told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, month),
    );
    case
}

/// Rules 5, 14: an item that is added has the running period while that is paid, and nothing of one that was given back.
#[test]
fn an_added_item_shares_the_fate_of_the_period_that_it_came_into() {
    let back = || refund("re_1", "in_1", 29);
    let mut before = of_one_item();
    before.told(2.0, "refund.created", back());
    joined_on_day_three(&mut before);
    before.is("active: revoked").acts("create revoke");
    let both = vec![
        line("si_1", "price_pro", 29, 30.0, 60.0),
        line("si_2", "price_team", 29, 30.0, 60.0),
    ];
    let both = invoice("in_2", InvoiceEvent::Paid, both);
    before
        .told(30.05, "invoice.paid", both)
        .is("active: live 63, live 63");
    let mut after = of_one_item();
    joined_on_day_three(&mut after);
    after
        .is("active: live 33, live 33")
        .told(4.0, "refund.created", back())
        .is("active: revoked, revoked");
    after
        .told(5.0, "refund.failed", failed_refund("re_1", "in_1", 29))
        .is("active: live 33, live 33");
    // Its own proration pays for it.
    let mut paid = of_one_item();
    joined_on_day_three(&mut paid);
    let own = InvoiceLine {
        proration: true,
        ..line("si_2", "price_team", 26, 3.0, 30.0)
    };
    paid.told(3.0, "invoice.paid", billed("in_2", vec![own]))
        .told(4.0, "refund.created", back())
        .is("active: revoked, live 33");
}

/// Rule 50: who lets a customer keep it means what is paid by then, whatever becomes of that money; what is paid later is
/// another matter.
#[test]
fn what_a_person_lets_the_customer_keep_was_paid_by_then() {
    let mut later = Case::subscription(|_| {});
    later
        .paid(0.0, "in_1", 0.0, 30.0)
        .told(1.0, "refund.created", refund("re_1", "in_1", 1))
        .decide(2.0, Verb::Keep)
        .is("active: live 33");
    let open = |of| dispute("dp_1", of, DisputeStatus::Open);
    later
        .told(3.0, "charge.dispute.created", open("in_1"))
        .is("active: live 33")
        .paid(30.05, "in_2", 30.0, 60.0)
        .told(31.0, "refund.created", refund("re_2", "in_2", 1))
        .is("active: revoked")
        .decide(32.0, Verb::Keep)
        .is("active: live 63");
    let second = dispute("dp_2", "in_3", DisputeStatus::Open);
    later
        .paid(60.05, "in_3", 60.0, 90.0)
        .told(61.0, "charge.dispute.created", second)
        .is("active: suspended");
}
