//! Sessions and invoices whose lines are cut, or say nothing.

use super::*;

/// A purchase whose session carries a cut list of what it sold: what is not shown is asked for, else reported.
#[test]
fn a_cut_session_is_asked_for_its_lines() {
    let bought = |n: u32| Bought {
        line: Some(format!("li_{n}")),
        price: priced(&format!("price_{n}")),
        quantity: 1,
    };
    let mut case = Case::purchase(|_| {});
    case.revisions[0].plans = (1..=14)
        .map(|n| plan(&format!("plan_{n}"), &format!("price_{n}")))
        .collect();
    case.told(
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, |s| {
            s.wants = Wants::default();
            (s.line_items, s.line_items_cut) = ((1..=10).map(bought).collect(), true);
        }),
    );
    case.counts("10 live")
        .tells(0.0, "sold more lines than its events show");
    let all = FactBody::LineItems(LineItems {
        session: "cs_1".into(),
        lines: (1..=14).map(bought).collect(),
    });
    case.told(1.0, "lookup.line_items", all).counts("14 live");
}

/// Rule 17: a paid invoice whose lines name no price pays for nothing by itself and is reported with what would count it.
#[test]
fn an_invoice_that_names_no_price_is_reported() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0).is("active: live 33");
    let bare = InvoiceLine {
        item: None,
        price: Priced::default(),
        ..line("", "", 29, 30.0, 60.0)
    };
    case.told(
        30.0,
        "invoice.paid",
        invoice("in_2", InvoiceEvent::Paid, vec![bare]),
    );
    case.is("active: live 33")
        .tells(30.0, "in_2 names no price");
    case.tells(30.0, &format!("--until {}", day(60.0)));
}

/// Rule 14: a planned item with the quantity 0 gives none and is reported; one that is billed by use has none and is not.
#[test]
fn a_quantity_of_nothing_is_reported() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .shown(1.0, 0.0, 30.0, |s| s.items[0].quantity = Some(0));
    case.is("active: revoked")
        .tells(0.0, "price_pro has the quantity 0");
    let mut metered = Case::subscription(|_| {});
    metered.shown(0.0, 0.0, 30.0, |s| {
        s.items.push(Item {
            quantity: None,
            metered: true,
            ..item("si_2", "price_team", 0, 0.0, 30.0)
        });
    });
    metered.paid(0.0, "in_1", 0.0, 30.0).tells(0.0, "");
}
