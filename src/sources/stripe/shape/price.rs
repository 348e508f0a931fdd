//! What names a price, in prices and in the plans before them.

use crate::domain::fact::Priced;

use super::super::json::Json;
use super::{owned, reference};

/// Of an item or a line item: `price` → `plan`.
pub(super) fn of_item(item: &Json<'_>) -> Priced {
    let (price, plan) = (item.get("price"), item.get("plan"));
    Priced {
        id: reference(price).or_else(|| reference(plan)),
        lookup_key: owned(price.get("lookup_key")),
        product: reference(price.get("product")).or_else(|| reference(plan.get("product"))),
    }
}

/// Of an invoice line: `pricing.price_details` (basil) → `price` → `plan`.
pub(super) fn of_line(line: &Json<'_>) -> Priced {
    let details = line.get("pricing").get("price_details");
    let (newer, older) = (details.get("price"), of_item(line));
    Priced {
        id: reference(newer).or(older.id),
        lookup_key: owned(newer.get("lookup_key")).or(older.lookup_key),
        product: reference(details.get("product"))
            .or_else(|| reference(newer.get("product")))
            .or(older.product),
    }
}
