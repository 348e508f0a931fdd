//! Lines of an invoice. Basil (2025-03-31) moved price, item and proration below `pricing` and `parent`; before
//! 2018-05-21 a subscription's line had the subscription's own id.

use crate::domain::fact::InvoiceLine;
use crate::domain::time::Timestamp;

use super::super::json::Json;
use super::super::reason::Reason;
use super::{first_reference, owned, price, quantity};

/// The lines as they are shown; before 2013 they came in three lists.
pub(super) fn shown<'s, 'a>(invoice: &'s Json<'a>) -> Vec<&'s Json<'a>> {
    let lines = invoice.get("lines");
    match lines.data() {
        [] => ["subscriptions", "prorations", "invoiceitems"]
            .iter()
            .flat_map(|key| lines.get(key).data())
            .collect(),
        data => data.iter().collect(),
    }
}

/// The filled part of a line's `parent`: the one that its `type` names.
fn parent<'s, 'a>(line: &'s Json<'a>) -> &'s Json<'a> {
    let parent = line.get("parent");
    let named = parent
        .get("type")
        .text()
        .map_or(&Json::Null, |kind| parent.get(kind));
    named
        .or(parent.get("subscription_item_details"))
        .or(parent.get("invoice_item_details"))
}

/// The subscription that a line bills or stands beside.
pub(super) fn subscription<'s>(line: &'s Json<'_>) -> Option<&'s str> {
    let own_id = || line.get("id").text().filter(|id| id.starts_with("sub_"));
    parent(line)
        .get("subscription")
        .id()
        .or_else(|| line.get("subscription").id())
        .or_else(own_id)
}

/// Reads one line. `otherwise` is the instant of a one-off item that names no time.
pub(super) fn read(line: &Json<'_>, otherwise: Timestamp) -> Result<InvoiceLine, Reason> {
    let is_item = line.get("type").text() == Some("invoiceitem");
    let names_subscription = subscription(line).is_some();
    let proration = match parent(line)
        .get("proration")
        .bool()
        .or_else(|| line.get("proration").bool())
    {
        Some(proration) => proration,
        None => is_item && names_subscription,
    };
    let item = first_reference(&[
        parent(line).get("subscription_item"),
        line.get("subscription_item"),
    ]);
    let of_item = line.get("parent").get("subscription_item_details");
    let of_subscription = (of_item.is_map() && std::ptr::eq(of_item, parent(line)))
        || line.get("type").text() == Some("subscription")
        || (proration && names_subscription)
        || (item.is_some() && !is_item);
    let (start, end) = period(line, of_subscription, otherwise)?;
    Ok(InvoiceLine {
        item,
        price: price::of_line(line),
        start,
        end,
        amount: amount(line)?,
        proration,
        quantity: quantity(line),
        of_subscription,
        id: owned(line.get("id")),
        trial: of_subscription && is_trial(line),
    })
}

/// The time that a line covers. What is billed by time means nothing without it; a one-off item does.
fn period(
    line: &Json<'_>,
    needed: bool,
    otherwise: Timestamp,
) -> Result<(Timestamp, Timestamp), Reason> {
    let period = line.get("period");
    match (period.get("start").time(), period.get("end").time()) {
        (Some(start), Some(end)) => Ok((start, end)),
        (None, Some(_)) if needed => Err(Reason::unreadable(
            "lines.data[].period.start",
            period.get("start"),
        )),
        (Some(_), None) if needed => Err(Reason::unreadable(
            "lines.data[].period.end",
            period.get("end"),
        )),
        (None, None) if needed => Err(Reason::unreadable("lines.data[].period", period)),
        (start, end) => {
            let at = start
                .or(end)
                .or_else(|| line.get("date").time())
                .unwrap_or(otherwise);
            Ok((at, at))
        }
    }
}

/// Whether its units would cost something while it costs nothing. A line's amount is before discounts, so only a trial
/// makes that. (`unit_amount_decimal` may have a fraction: it is read up to it.)
fn is_trial(line: &Json<'_>) -> bool {
    let decimal = line.get("pricing").get("unit_amount_decimal").text();
    let unit = decimal.and_then(|d| d.split('.').next()?.parse::<i64>().ok());
    let unit = unit
        .or_else(|| line.get("price").get("unit_amount").int())
        .or_else(|| line.get("plan").get("amount").int());
    line.get("amount").int() == Some(0)
        && unit.is_some_and(|u| u > 0)
        && quantity(line).is_some_and(|q| q > 0)
}

/// Its sign tells what is bought from what is given back, so it must be there.
fn amount(line: &Json<'_>) -> Result<i64, Reason> {
    line.get("amount")
        .int()
        .ok_or_else(|| Reason::unreadable("lines.data[].amount", line.get("amount")))
}
