//! Bodies of events without the person: addresses, names and what stands beside them go; ids, states, prices, amounts and
//! instants stay, so that what is read from a body stays what it was.

mod names;

use serde_json::{Map, Value};

use crate::domain::fact::{APP_ID_KEY, CHECKOUT_KEY, DEVICES_KEY, DURATION_KEY, SOLD_DEVICES_KEY};
pub use names::Names;

use super::stripe_words::{is_id, is_list_path};

/// Fields that hold who somebody is, whole.
const PERSONAL: &[&str] = &[
    "account_holder_name",
    "account_name",
    "address",
    "billing_details",
    "business_name",
    "cardholder_name",
    "collected_information",
    "custom_fields",
    "customer_address",
    "customer_details",
    "customer_email",
    "customer_name",
    "customer_phone",
    "customer_shipping",
    "customer_tax_ids",
    "email",
    "evidence",
    "individual_name",
    "ip",
    "ip_address",
    "owner",
    "payer_email",
    "payer_name",
    "phone",
    "receipt_email",
    "shipping",
    "shipping_details",
    "tax_ids",
    "verified_email",
    "verified_name",
];
/// Further fields of a customer's own record.
const OF_CUSTOMER: &[&str] = &["description", "metadata", "name"];
/// Of a card that stands for itself, as before 2018.
const OF_CARD: &[&str] = &["name"];
/// A name that is the vendor's own.
const VENDOR: &str = "account_name";
/// Fields whose texts are Stripe's, or the vendor's prices: what a body is read by. No name is looked for in them.
const READ: &[&str] = &[
    "amount_decimal",
    "api_version",
    "billing_reason",
    "charge",
    "collection_method",
    "currency",
    "customer",
    "default_payment_method",
    "fraud_type",
    "hosted_invoice_url",
    "id",
    "invoice",
    "latest_charge",
    "latest_invoice",
    "locale",
    "lookup_key",
    "mode",
    "object",
    "payment_intent",
    "payment_method_types",
    "payment_status",
    "plan",
    "preferred_locales",
    "price",
    "product",
    "reason",
    "schedule",
    "setup_intent",
    "status",
    "subscription",
    "subscription_item",
    "type",
    "unit_amount_decimal",
    "usage_type",
];
/// Metadata that the rules read; `keyward_deliver_to` is a person's.
const READ_METADATA: &[&str] = &[
    APP_ID_KEY,
    CHECKOUT_KEY,
    DEVICES_KEY,
    DURATION_KEY,
    SOLD_DEVICES_KEY,
    "keyward_license",
    "plan",
];

/// The body without the person, whose names these are; `None`: nothing of it tells who that is, or it is no JSON.
#[must_use]
pub fn without_person(body: &[u8], names: &Names) -> Option<Vec<u8>> {
    let whole: Value = serde_json::from_slice(body).ok()?;
    let mut value = whole.clone();
    take_out(&mut value, names, Place::TOP);
    if value == whole {
        return None;
    }
    serde_json::to_vec(&value).ok()
}

/// Adds the names that stand in a body where a person's name stands.
pub fn collect_names(body: &[u8], names: &mut Names) {
    if let Ok(value) = serde_json::from_slice(body) {
        collect(&value, Place::TOP, names);
    }
}

/// What surrounds a value, as far as it decides what becomes of it.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The field's name; a list's elements have the list's.
    field: &'a str,
    /// Inside of `metadata`.
    metadata: bool,
    /// Inside of what holds who somebody is.
    personal: bool,
}

impl Place<'_> {
    const TOP: Self = Self {
        field: "",
        metadata: false,
        personal: false,
    };

    /// A field's place in an object of this one.
    fn inside<'f>(self, field: &'f str, object: Option<&str>) -> Place<'f> {
        let own = match object {
            Some("customer") => OF_CUSTOMER,
            Some("card" | "source" | "bank_account") => OF_CARD,
            Some(_) | None => &[],
        };
        Place {
            field,
            metadata: self.metadata || field == "metadata",
            personal: self.personal
                || PERSONAL.contains(&field)
                || (!self.metadata && own.contains(&field)),
        }
    }

    /// Whether a text here is one by which a body is read.
    fn is_read(self, text: &str) -> bool {
        if self.metadata {
            return READ_METADATA.contains(&self.field);
        }
        READ.contains(&self.field) || is_id(text) || is_list_path(text)
    }
}

fn object_of(fields: &Map<String, Value>) -> Option<String> {
    fields.get("object")?.as_str().map(str::to_owned)
}

fn collect(value: &Value, place: Place<'_>, names: &mut Names) {
    match value {
        Value::Object(fields) => {
            let object = object_of(fields);
            for (field, inside) in fields {
                collect(inside, place.inside(field, object.as_deref()), names);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| collect(item, place, names)),
        Value::String(name) => {
            let holds_name = place.field == "name" || place.field.ends_with("_name");
            if holds_name && place.personal && !place.metadata && place.field != VENDOR {
                names.add(name);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn take_out(value: &mut Value, names: &Names, place: Place<'_>) {
    match value {
        Value::Object(fields) => {
            let object = object_of(fields);
            let object = object.as_deref();
            fields.retain(|field, inside| {
                let place = place.inside(field, object);
                !place.personal && !tells(inside, names, place)
            });
            for (field, inside) in fields {
                take_out(inside, names, place.inside(field, object));
            }
        }
        Value::Array(list) => {
            list.retain(|item| !tells(item, names, place));
            list.iter_mut()
                .for_each(|item| take_out(item, names, place));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a text tells who somebody is.
fn tells(value: &Value, names: &Names, place: Place<'_>) -> bool {
    let Value::String(text) = value else {
        return false;
    };
    if place.is_read(text) {
        return false;
    }
    text.contains('@') || text.contains("%40") || names.are_in(text)
}

#[cfg(test)]
mod tests;
