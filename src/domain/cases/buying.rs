//! What was bought (rules 1, 5, 8, 10, 11 and 13).

use super::*;

/// A purchase whose session names nothing: what it sold is told by its lines.
fn by_lines() -> Case {
    let mut case = Case::purchase(|_| {});
    case.revisions[0].plans = vec![plan("tool", "price_tool"), plan("addon", "price_addon")];
    case.revisions[0].plans[1].license.devices = Some(Devices::Count(1));
    case
}

fn says_nothing(s: &mut Session) {
    s.wants = Wants::default();
}

/// Rule 1: an invoice that was served by its line, whose session then tells the same price under a line id of its own.
#[test]
fn a_line_that_was_served_keeps_its_license_under_another_name() {
    let mut case = by_lines();
    case.told(0.0, "invoice.paid", bill("il_1", "price_tool"))
        .is("paid: live for life");
    case.told(
        0.1,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, says_nothing),
    );
    case.is("paid: live for life").told(
        0.2,
        "lookup.line_items",
        sold(&[("li_1", "price_tool", 1)]),
    );
    case.on(5.0)
        .is("paid: live for life")
        .acts("create")
        .mails("license_issued 0");
    // The other way round, and with the invoice once more at the end.
    let mut turned = by_lines();
    turned.told(
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, says_nothing),
    );
    turned
        .told(0.1, "lookup.line_items", sold(&[("li_1", "price_tool", 1)]))
        .is("paid: live for life");
    turned
        .told(0.2, "invoice.paid", bill("il_1", "price_tool"))
        .on(5.0)
        .is("paid: live for life")
        .acts("create");
}

/// Rule 5: what is over, disputed or given back when it would be made is not made, and nobody is written to.
#[test]
fn what_is_over_before_it_is_made_is_not_made() {
    let paid = || {
        invoice(
            "in_1",
            InvoiceEvent::Paid,
            vec![line("si_1", "price_pro", 29, 0.0, 30.0)],
        )
    };
    let late = |mut case: Case, state: &str| {
        case.told_late(40.0, 0.0, "invoice.paid", paid())
            .on(80.0)
            .is(state)
            .acts("")
            .mails("");
    };
    late(Case::subscription(|_| {}), "active:");
    let mut refunded = Case::subscription(|_| {});
    refunded.told(1.0, "refund.created", refund("re_1", "in_1", 29));
    refunded
        .told_late(2.0, 0.0, "invoice.paid", paid())
        .on(20.0)
        .is("active:")
        .acts("")
        .mails("");
    let mut disputed = Case::subscription(|_| {});
    disputed.told(
        1.0,
        "charge.dispute.created",
        dispute("dp_1", "in_1", DisputeStatus::Open),
    );
    disputed
        .told_late(2.0, 0.0, "invoice.paid", paid())
        .is("active:")
        .acts("")
        .mails("");
    // It is created when it becomes due.
    disputed
        .told(
            9.0,
            "charge.dispute.closed",
            dispute("dp_1", "in_1", DisputeStatus::Won),
        )
        .is("active: live 33");
    let mut ended = Case::subscription(|_| {});
    ended.deleted(35.0, 30.0, 60.0, EndReason::Requested);
    late(ended, "ended:");
}

/// Rule 8: paid, and nothing named: the operator is told, and it is fulfilled when a config learns the price.
#[test]
fn what_names_nothing_is_told_and_fulfilled_when_its_price_is_learned() {
    let mut case = by_lines();
    case.told(
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, says_nothing),
    )
    .tells(0.0, "");
    case.told(
        0.001,
        "lookup.line_items",
        sold(&[("li_1", "price_new", 1)]),
    )
    .on(1.0)
    .is("paid:")
    .acts("")
    .mails("");
    case.tells(0.0, "paid, but nothing to hand out");
    case.load(2.0, |r| r.plans.push(plan("new", "price_new")));
    case.told(2.0, "charge.succeeded", charge(0))
        .is("paid: live for life");
}

/// Rule 10: metadata goes before the plan of a price, and a plan that nobody knows is told.
#[test]
fn metadata_wins() {
    let mut wins = by_lines();
    let wants = |s: &mut Session| {
        s.wants = Wants {
            plan: Some("addon".to_owned()),
            ..Wants::default()
        }
    };
    wins.told(
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, wants),
    )
    .devices(&[1]);
    wins.told(0.1, "lookup.line_items", sold(&[("li_1", "price_tool", 1)]))
        .on(1.0);
    wins.is("paid: live for life").devices(&[1]).acts("create");
    let mut at_once = by_lines();
    let both = |s: &mut Session| {
        wants(s);
        s.line_items = vec![Bought {
            line: Some("li_1".to_owned()),
            price: priced("price_tool"),
            quantity: 1,
        }];
    };
    at_once
        .told(
            0.0,
            "checkout.session.completed",
            session_with(PaymentStatus::Paid, both),
        )
        .devices(&[1]);
    let mut unknown = by_lines();
    let wants = |s: &mut Session| {
        s.wants = Wants {
            plan: Some("platinum".to_owned()),
            devices: Some(4),
            ..s.wants.clone()
        };
    };
    unknown.told(
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, wants),
    );
    unknown
        .is("paid: live for life")
        .devices(&[4])
        .tells(0.0, "names the plan `platinum`");
}

/// Rule 10: days of 86,400 s from the payment, whenever that is learned.
#[test]
fn a_duration_counts_from_the_payment() {
    let mut case = Case::purchase(|_| {});
    let wants = |s: &mut Session| s.wants.duration = Some(Span::from_days(30));
    case.told_late(
        5.0,
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, wants),
    );
    case.is("paid: live 30").on(30.0).is("paid: expired");
}

/// Rule 11: only what is paid, or free, gives something.
#[test]
fn only_paid_or_free_gives_something() {
    let told = |paid, event| {
        let mut case = Case::purchase(|_| {});
        case.told(
            0.0,
            "checkout.session",
            session_with(paid, |s| s.event = event),
        )
        .on(40.0);
        case
    };
    told(PaymentStatus::Paid, SessionEvent::Completed).is("paid: live for life");
    told(PaymentStatus::NoPaymentRequired, SessionEvent::Completed).is("paid: live for life");
    told(PaymentStatus::Unpaid, SessionEvent::AsyncSucceeded).is("paid: live for life");
    told(PaymentStatus::Unpaid, SessionEvent::AsyncFailed).is("failed:");
    told(PaymentStatus::Unpaid, SessionEvent::Expired).is("expired:");
    let mut debit = told(PaymentStatus::Unpaid, SessionEvent::Completed);
    debit.is("awaiting_payment:").acts("").mails("");
    let came = session_with(PaymentStatus::Paid, |s| {
        s.event = SessionEvent::AsyncSucceeded
    });
    debit
        .told(41.0, "checkout.session.async_payment_succeeded", came)
        .is("paid: live for life");
}

/// Rule 13: one license per line that a plan names, and per unit where seats are keys.
#[test]
fn a_bundle_has_a_license_per_line_and_unit() {
    let mut case = by_lines();
    case.revisions[0].plans[1].seats = Seats::Keys;
    case.told(
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, says_nothing),
    );
    let lines = [
        ("li_1", "price_tool", 1),
        ("li_2", "price_addon", 2),
        ("li_3", "price_sticker", 5),
    ];
    case.told(0.001, "lookup.line_items", sold(&lines))
        .devices(&[3, 1, 1]);
    case.is("paid: live for life, live for life, live for life");
}
