//! Items that come, change and go in mid period (rules 14 and 15).

use super::*;

fn running() -> Case {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .shown(1.0, 0.0, 30.0, |_| {});
    case
}

fn two(from: f64, to: f64) -> impl Fn(&mut Subscription) {
    move |s| s.items.push(item("si_2", "price_team", 1, from, to))
}

/// Rules 8 and 13: an invoice of a subscription also sells something once. Where a plan names it, the vendor is told so, and not that no
/// plan names anything; a fee that nothing names is none of it.
#[test]
fn what_a_subscription_s_invoice_sells_once_is_told() {
    let sells = |base: &str, once: &str| {
        let mut case = Case::subscription(|_| {});
        let beside = InvoiceLine {
            item: None,
            of_subscription: false,
            ..line("", once, 99, 0.0, 0.0)
        };
        let lines = vec![line("si_1", base, 29, 0.0, 30.0), beside];
        let first = invoice("in_1", InvoiceEvent::Paid, lines);
        case.shown(0.0, 0.0, 30.0, |s| {
            s.items = vec![item("si_1", base, 1, 0.0, 30.0)];
        })
        .told(0.0, "invoice.paid", first)
        .on(1.0);
        case
    };
    sells("price_pro", "price_team")
        .is("active: live 33")
        .tells(0.0, "in_1 also sold something of the plan `team` once");
    sells("price_pro", "price_fee")
        .is("active: live 33")
        .tells(0.0, "");
    let mut unplanned = sells("price_other", "price_team");
    unplanned.is("active:").tells(0.0, "the plan `team`");
    let mut told = unplanned.machine.told.iter();
    assert!(!told.any(|r| r.finding == Finding::NothingToHandOut));
}

/// Rule 14: an item that is added while the renewal is still on its way gets its license when that is paid.
#[test]
fn an_item_added_before_the_renewal_is_paid_waits_for_it() {
    let mut case = running();
    case.shown(30.0, 30.0, 60.0, |_| {})
        .shown(30.01, 30.0, 60.0, two(30.0, 60.0))
        .is("active: live 33");
    case.paid(30.05, "in_2", 30.0, 60.0)
        .is("active: live 63, live 63")
        .acts("create extend create");
}

/// Rule 14: one that is added while the running period is paid in part has that part, and the rest with the others.
#[test]
fn an_item_added_in_a_period_that_is_paid_in_part_goes_on_with_it() {
    let mut case = running();
    case.shown(20.0, 20.0, 50.0, |_| {})
        .shown(21.0, 20.0, 50.0, two(20.0, 50.0))
        .is("active: live 33, live 33");
    case.paid(22.0, "in_2", 20.0, 50.0)
        .is("active: live 53, live 53");
}

/// Rule 14: a proration names its price and no item. One that was billed before an item came is none of its own.
#[test]
fn what_was_billed_before_an_item_came_is_not_its_own() {
    let mut case = running();
    case.shown(2.0, 0.0, 30.0, two(0.0, 30.0))
        .shown(5.0, 0.0, 30.0, |_| {});
    let credit = InvoiceLine {
        item: None,
        proration: true,
        ..line("si_2", "price_team", 0, 5.0, 30.0)
    };
    let credited = invoice("in_2", InvoiceEvent::Paid, vec![credit]);
    case.told(5.0, "invoice.paid", credited)
        .shown(30.0, 30.0, 60.0, |_| {});
    case.shown(30.01, 30.0, 60.0, |s| {
        s.items.push(item("si_3", "price_team", 1, 30.0, 60.0));
    })
    .is("active: live 33, revoked");
    case.paid(30.05, "in_3", 30.0, 60.0)
        .is("active: live 63, revoked, live 63");
}

/// Rules 14 and 20: what was there from the beginning has a first invoice of its own, and waits for that.
#[test]
fn an_item_of_the_beginning_waits_for_its_own_invoice() {
    let mut case = Case::subscription(|_| {});
    let yearly = |s: &mut Subscription| {
        s.send_invoice = true;
        s.items.push(item("si_2", "price_team", 1, 0.0, 365.0));
    };
    case.shown(0.0, 0.0, 30.0, yearly);
    case.shown(30.0, 30.0, 60.0, yearly)
        .paid(30.0, "in_2", 30.0, 60.0)
        .is("active: live 63");
    // The same, taken in late.
    let mut late = Case::subscription(|_| {});
    let lines = vec![
        line("si_1", "price_pro", 19, 0.0, 30.0),
        line("si_2", "price_team", 190, 0.0, 365.0),
    ];
    let open = invoice("in_1", InvoiceEvent::Finalized, lines);
    late.told(0.0, "invoice.finalized", open);
    late.paid(30.0, "in_2", 30.0, 60.0)
        .shown(31.0, 30.0, 60.0, yearly)
        .is("active: live 63");
}

/// Rule 14: of a subscription that is taken in late, an item that the paid invoice does not name came after that: it has what
/// the others have, and its grace with them.
#[test]
fn an_item_that_was_there_when_a_subscription_was_taken_in_goes_on_with_the_others() {
    let mut case = Case::subscription(|_| {});
    case.paid(30.0, "in_2", 30.0, 60.0)
        .shown(40.0, 30.0, 60.0, two(30.0, 60.0))
        .is("active: live 63, live 63");
    case.failed(60.0, "in_3", 60.0, 90.0)
        .shown(60.0, 60.0, 90.0, |s| {
            s.status = SubscriptionStatus::PastDue;
            two(60.0, 90.0)(s);
        })
        .is("grace: live 76, live 76");
}

/// Rule 14: one that is added while a renewal is owed waits until that is paid, or written off.
#[test]
fn an_item_added_in_a_grace_waits_for_its_end() {
    let mut case = running();
    case.failed(30.0, "in_2", 30.0, 60.0);
    case.shown(31.0, 30.0, 60.0, |s| {
        s.status = SubscriptionStatus::PastDue;
        two(30.0, 60.0)(s);
    });
    case.is("grace: live 46")
        .paid(35.0, "in_2", 30.0, 60.0)
        .shown(35.0, 30.0, 60.0, two(30.0, 60.0))
        .is("active: live 63, live 63");
}

/// Rule 14: no unit is left of the first item, and its time is paid for: what is added takes effect at once.
#[test]
fn an_item_added_beside_one_without_units_takes_effect_at_once() {
    let mut case = running();
    let none_of = |s: &mut Subscription| s.items[0].quantity = Some(0);
    case.shown(10.0, 0.0, 30.0, none_of).is("active: revoked");
    case.shown(12.0, 0.0, 30.0, |s| {
        none_of(s);
        two(0.0, 30.0)(s);
    });
    case.is("active: revoked, live 33");
    // A credit has taken that time back: nothing is paid for.
    let mut credited = running();
    credited.shown(10.0, 0.0, 30.0, none_of);
    let credit = line("si_1", "price_pro", -19, 10.0, 30.0);
    credited.told(
        10.0,
        "invoice.paid",
        with(invoice("in_9", InvoiceEvent::Paid, vec![credit]), |i| {
            i.reason = BillingReason::Update;
        }),
    );
    credited.shown(12.0, 0.0, 30.0, |s| {
        none_of(s);
        two(0.0, 30.0)(s);
    });
    credited.is("active: revoked");
}

/// Rule 15: what no plan names any more keeps the devices and units that it had until it ends.
#[test]
fn what_is_no_longer_sold_keeps_its_units() {
    let teams = |seats| {
        let mut case = Case::subscription(|_| {});
        (
            case.revisions[0].plans[1].seats,
            case.revisions[0].plans[1].license,
        ) = (
            seats,
            Template {
                devices: Some(Devices::Count(1)),
                devices_per_unit: (seats == Seats::Devices).then_some(2),
                ..Template::default()
            },
        );
        let bought =
            |s: &mut Subscription| s.items = vec![item("si_1", "price_team", 2, 0.0, 30.0)];
        let lines = vec![line("si_1", "price_team", 58, 0.0, 30.0)];
        case.told(
            0.0,
            "invoice.paid",
            invoice("in_1", InvoiceEvent::Paid, lines),
        )
        .shown(0.0, 0.0, 30.0, bought);
        case.shown(10.0, 0.0, 30.0, |s| {
            s.items = vec![Item {
                quantity: None,
                metered: true,
                ..item("si_1", "price_usage", 1, 0.0, 30.0)
            }];
        });
        case
    };
    teams(Seats::Devices)
        .is("active: live 30")
        .devices(&[5])
        .on(30.0)
        .is("active: expired");
    teams(Seats::Keys)
        .is("active: live 30, live 30")
        .on(30.0)
        .is("active: expired, expired");
}

/// Rule 10: what was paid in advance keeps the metadata's license alive, though its item is billed by use by now.
#[test]
fn metadata_lives_by_what_was_paid_in_advance() {
    let asks = |s: &mut Subscription| {
        s.wants = Wants {
            app_id: Some("app".to_owned()),
            ..Wants::default()
        };
        s.items = vec![item("si_1", "price_base", 1, 0.0, 30.0)];
    };
    let mut case = Case::subscription(|_| {});
    case.shown(0.0, 0.0, 30.0, asks);
    let lines = vec![line("si_1", "price_base", 11, 0.0, 30.0)];
    case.told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, lines),
    );
    case.is("active: live 33").shown(10.0, 0.0, 30.0, |s| {
        asks(s);
        s.items[0].price = priced("price_usage");
        (s.items[0].metered, s.items[0].quantity) = (true, None);
    });
    case.is("active: live 33");
    // What is billed by use pays for nothing in advance.
    let used = vec![line("si_1", "price_usage", 7, 30.0, 60.0)];
    case.told(
        30.0,
        "invoice.paid",
        invoice("in_2", InvoiceEvent::Paid, used),
    );
    case.on(40.0).is("active: expired");
}

/// Rules 14 and 22: an item that comes when the trial is over has none, and the period after it is not paid yet.
#[test]
fn an_item_that_comes_after_the_trial_has_none() {
    let mut case = Case::subscription(|_| {});
    case.shown(0.0, 0.0, 14.0, |s| {
        (s.status, s.trial_end) = (SubscriptionStatus::Trialing, Some(day(14.0)));
    });
    let over = |s: &mut Subscription| {
        (s.send_invoice, s.trial_end) = (true, Some(day(14.0)));
    };
    case.shown(14.0, 14.0, 44.0, over);
    case.shown(14.01, 14.0, 44.0, |s| {
        over(s);
        two(14.0, 44.0)(s);
    });
    case.is("active: live 17")
        .paid(14.04, "in_2", 14.0, 44.0)
        .is("active: live 47, live 47");
}
