//! How many units were bought of a plan that the metadata names (rules 10, 13 and 14).

use super::*;

/// A purchase of the plan `seats`, a key for each unit, as its metadata says.
fn named() -> Case {
    let mut case = Case::purchase(|_| {});
    case.revisions[0].plans = vec![plan("seats", "price_seat"), plan("tool", "price_tool")];
    case.revisions[0].plans[0].seats = Seats::Keys;
    case
}

fn names(s: &mut Session) {
    s.wants = Wants {
        plan: Some("seats".to_owned()),
        ..Wants::default()
    };
}

fn pays(case: &mut Case) -> &mut Case {
    let session = session_with(PaymentStatus::Paid, names);
    case.told(0.0, "checkout.session.completed", session)
}

fn that_sold(sold: FactBody) -> Stripe {
    Stripe {
        manner: Manner::Answers,
        sold: Some(sold),
        ..Stripe::default()
    }
}

fn that_refuses() -> Stripe {
    Stripe {
        manner: Manner::Refuses,
        ..Stripe::default()
    }
}

const THREE_SEATS: &[(&str, &str, u32)] = &[
    ("li_1", "price_fee", 1),
    ("li_2", "price_seat", 2),
    ("li_3", "price_tool", 7),
    ("li_4", "price_seat", 1),
];

/// Rules 10 and 13: the metadata names the plan, and the plan's own lines say how many of it were bought, wherever they stand.
#[test]
fn the_named_plan_s_own_lines_count_its_units() {
    let live = "paid: live for life, live for life, live for life";
    let mut later = named();
    pays(&mut later)
        .is("paid: live for life")
        .told(0.001, "lookup.line_items", sold(THREE_SEATS))
        .is(live);
    // What the session itself lists counts as well.
    let mut at_once = named();
    let FactBody::LineItems(lines) = sold(THREE_SEATS) else {
        panic!("no lines")
    };
    let session = session_with(PaymentStatus::Paid, |s| {
        names(s);
        s.line_items = lines.lines;
    });
    at_once
        .told(0.0, "checkout.session.completed", session)
        .is(live)
        .on(1.0)
        .tells(0.0, "");
    // Where no line is the plan's, the first one counts.
    let mut none = named();
    pays(&mut none)
        .told(
            0.001,
            "lookup.line_items",
            sold(&[("li_1", "price_own", 2)]),
        )
        .is("paid: live for life, live for life");
}

/// Rule 14: a session's events never list what it sold. With an API key Stripe is asked first, and one mail has all the keys.
#[test]
fn the_units_of_a_named_plan_are_looked_up_before_keys_are_made() {
    let mut case = named();
    case.stripe = that_sold(sold(THREE_SEATS));
    pays(&mut case)
        .on(1.0)
        .is("paid: live for life, live for life, live for life")
        .acts("look_up create create create")
        .mails("license_issued 0")
        .tells(0.0, "");
    // Who gets no answer serves one, and says so.
    let mut refused = named();
    refused.stripe = that_refuses();
    pays(&mut refused)
        .is("paid: live for life")
        .on(1.0)
        .tells(0.0, "how many were bought was not told");
}

/// Without an API key nobody can be asked: one is served at once, and reported when no answer can come any more. A plan that counts
/// nothing has nothing to ask.
#[test]
fn units_that_nobody_told_are_reported() {
    let mut case = named();
    pays(&mut case)
        .is("paid: live for life")
        .tells(0.0, "")
        .on(1.0)
        .tells(0.0, "how many were bought was not told");
    let mut by_devices = named();
    let team = &mut by_devices.revisions[0].plans[0];
    (team.seats, team.license.devices_per_unit) = (Seats::Devices, Some(2));
    pays(&mut by_devices)
        .told(0.001, "lookup.line_items", sold(THREE_SEATS))
        .devices(&[9]);
    let mut one = named();
    one.revisions[0].plans[0].seats = Seats::Devices;
    one.stripe = that_refuses();
    pays(&mut one).on(1.0).acts("create").tells(0.0, "");
}
