//! The lines of an invoice.

use keyward::domain::time::Timestamp;
use serde_json::{Value, json};

use super::{END, START, line, old, paid, read_line};
use crate::stripe::build::{ignored, with};

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn where_a_line_keeps_price_item_and_proration() {
    let basil_item = json!({"parent": {"type": "invoice_item_details", "subscription_item_details": null,
        "invoice_item_details": {"subscription": "sub_1", "invoice_item": "ii_1", "proration": true}}});
    let basil_one_off = json!({"parent": {"type": "invoice_item_details",
        "invoice_item_details": {"subscription": null, "proration": false}}});
    let manual_beside = json!({"parent": {"type": "invoice_item_details",
        "invoice_item_details": {"subscription": "sub_1", "proration": false}}});
    let both_filled = json!({"parent": {"type": "invoice_item_details", "invoice_item_details": {"subscription": "sub_1"},
        "subscription_item_details": {"subscription": "sub_2", "subscription_item": "si_2", "proration": true}}});
    let item =
        json!({"type": "subscription", "subscription": "sub_1", "subscription_item": "si_1"});
    for (name, fields, price, item, proration, of_subscription) in [
        ("basil", json!({}), "price_1", Some("si_1"), false, true),
        ("basil, proration", basil_item, "price_1", None, true, true),
        (
            "basil, one-off",
            basil_one_off,
            "price_1",
            None,
            false,
            false,
        ),
        (
            "basil, its type says which part counts",
            both_filled,
            "price_1",
            None,
            false,
            false,
        ),
        (
            "basil, by hand on a subscription's invoice",
            manual_beside,
            "price_1",
            None,
            false,
            false,
        ),
        (
            "price",
            old(with(
                item.clone(),
                json!({"price": {"id": "p"}, "plan": {"id": "q"}}),
            )),
            "p",
            Some("si_1"),
            false,
            true,
        ),
        (
            "plan",
            old(with(item, json!({"plan": {"id": "q"}, "proration": false}))),
            "q",
            Some("si_1"),
            false,
            true,
        ),
        (
            "2016",
            old(json!({"id": "sub_1", "type": "subscription", "plan": {"id": "q"}})),
            "q",
            None,
            false,
            true,
        ),
        (
            "before basil, proration",
            old(
                json!({"type": "invoiceitem", "subscription": "sub_1", "proration": true, "price": "p"}),
            ),
            "p",
            None,
            true,
            true,
        ),
        (
            "old, no flag",
            old(json!({"type": "invoiceitem", "subscription": "sub_1", "plan": "q"})),
            "q",
            None,
            true,
            true,
        ),
        (
            "old, one-off",
            old(json!({"type": "invoiceitem", "price": "p"})),
            "p",
            None,
            false,
            false,
        ),
        (
            "price and pricing together",
            json!({"price": {"id": "price_1", "lookup_key": "pro", "product": "prod_1"}}),
            "price_1",
            Some("si_1"),
            false,
            true,
        ),
        (
            "2025-12-15: an expanded price",
            json!({"pricing": {"price_details": {"price": {"id": "price_1", "product": "prod_1"}}}}),
            "price_1",
            Some("si_1"),
            false,
            true,
        ),
    ] {
        let l = read_line(fields);
        assert_eq!(
            l.price.id.as_ref().map(|p| p.as_str()),
            Some(price),
            "{name}"
        );
        assert_eq!(l.item.as_ref().map(|i| i.as_str()), item, "{name}");
        assert_eq!(
            (l.proration, l.of_subscription),
            (proration, of_subscription),
            "{name}"
        );
    }
}

#[test]
fn a_line_that_is_billed_by_time_needs_its_period_and_every_line_its_amount() {
    let reason = |fields: Value| {
        let lines = json!({"lines": {"data": [line(), with(line(), fields)]}});
        ignored("invoice.paid", with(paid(), lines)).to_string()
    };
    assert_eq!(
        reason(json!({"period": null})),
        "unreadable: `lines.data[].period` is missing"
    );
    assert_eq!(
        reason(json!({"period": {"start": START}})),
        "unreadable: `lines.data[].period.end` is missing"
    );
    assert_eq!(
        reason(json!({"period": {"start": [], "end": END}})),
        "unreadable: `lines.data[].period.start` is a list"
    );
    assert_eq!(
        reason(json!({"amount": "much"})),
        "unreadable: `lines.data[].amount` is the text `much`"
    );
    let one_off = read_line(old(
        json!({"type": "invoiceitem", "price": "p", "period": null}),
    ));
    assert_eq!(
        (one_off.start, one_off.end),
        (Timestamp::from_s(START + 5), Timestamp::from_s(START + 5))
    );
    assert_eq!(read_line(json!({"amount": "-5.00"})).amount, -5);
}
