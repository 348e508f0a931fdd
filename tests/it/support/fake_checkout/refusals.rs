//! What Stripe refuses of a Checkout session: unknown parameters, those of the other mode, empty values, archived prices,
//! values that it does not know, and what excludes something else.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use serde_json::Value;

/// What it takes; a key's indexes are written as `0`.
const PARAMETERS: [&str; 35] = [
    "mode",
    "line_items[0][price]",
    "line_items[0][quantity]",
    "line_items[0][adjustable_quantity][enabled]",
    "line_items[0][adjustable_quantity][minimum]",
    "line_items[0][adjustable_quantity][maximum]",
    "success_url",
    "cancel_url",
    "customer_email",
    "client_reference_id",
    "locale",
    "metadata[keyward_checkout]",
    "subscription_data[metadata][keyward_checkout]",
    "subscription_data[trial_period_days]",
    "payment_intent_data[metadata][keyward_checkout]",
    "customer_creation",
    "customer",
    "customer_update[address]",
    "metadata[authforge_app_id]",
    "metadata[license_duration]",
    "metadata[max_hwid_slots]",
    "metadata[keyward_devices]",
    "subscription_data[metadata][authforge_app_id]",
    "subscription_data[metadata][license_duration]",
    "subscription_data[metadata][max_hwid_slots]",
    "subscription_data[metadata][keyward_devices]",
    "payment_intent_data[metadata][authforge_app_id]",
    "payment_intent_data[metadata][license_duration]",
    "payment_intent_data[metadata][max_hwid_slots]",
    "payment_intent_data[metadata][keyward_devices]",
    "metadata[keyward_license]",
    "subscription_data[metadata][keyward_license]",
    "payment_intent_data[metadata][keyward_license]",
    "allow_promotion_codes",
    "automatic_tax[enabled]",
];

/// The languages of its page.
const LOCALES: &str = "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl pl pt pt-BR ro \
    ru sk sl sv th tr vi zh zh-HK zh-TW";
/// The longest word of the seller's own, and the longest value of metadata.
const REFERENCE_CHARS_MAX: usize = 200;
const METADATA_CHARS_MAX: usize = 500;

/// Whether a request names the version of the API that it was written for.
pub(super) fn is_pinned(headers: &HeaderMap) -> bool {
    let version = headers.get("stripe-version");
    version.is_some_and(|v| {
        v.to_str()
            .is_ok_and(|v| v.starts_with("20") && v.contains('.'))
    })
}

/// What of a form Stripe would refuse.
pub(super) fn wrong(
    form: &BTreeMap<String, String>,
    prices: &BTreeMap<String, Value>,
) -> Option<String> {
    if let Some(unknown) = form.keys().find(|k| !PARAMETERS.contains(&k.as_str())) {
        return Some(format!("unknown parameter {unknown}"));
    }
    if let Some((empty, _)) = form.iter().find(|(_, v)| v.is_empty()) {
        return Some(format!("{empty} is empty"));
    }
    let Some(price) = form
        .get("line_items[0][price]")
        .and_then(|id| prices.get(id))
    else {
        return Some("no such price".to_owned());
    };
    let (recurring, mode) = (!price["recurring"].is_null(), form["mode"].as_str());
    let of_other_mode = match mode {
        "subscription" if !recurring => {
            return Some("a subscription needs a recurring price".to_owned());
        }
        "payment" if recurring => return Some("a recurring price in payment mode".to_owned()),
        "subscription" => ["payment_intent_data", "customer_creation"],
        _ => ["subscription_data", "subscription_data"],
    };
    let other = form
        .keys()
        .find(|k| of_other_mode.iter().any(|o| k.starts_with(o)));
    if let Some(other) = other {
        return Some(format!("{other} in mode {mode}"));
    }
    if price["active"] != true {
        return Some("the price is inactive".to_owned());
    }
    let both = |a: &str, b: &str| form.contains_key(a) && form.contains_key(b);
    if both("customer", "customer_email") || both("customer", "customer_creation") {
        return Some("a customer who is there and one who is not".to_owned());
    }
    if let Some(why) = of_values(form) {
        return Some(why);
    }
    let success = form["success_url"].as_str();
    (!success.ends_with("{CHECKOUT_SESSION_ID}")).then(|| format!("success_url {success}"))
}

/// Values that it does not know, and what asks for something else.
fn of_values(form: &BTreeMap<String, String>) -> Option<String> {
    let text = |key: &str| form.get(key).map(String::as_str);
    let number = |key: &str| text(key).map(|n| n.parse::<u32>().unwrap_or(0));
    let chars = |key: &str| text(key).map_or(0, |t| t.chars().count());
    let locale = text("locale").unwrap_or("auto");
    if !LOCALES.split_whitespace().any(|known| known == locale) {
        return Some(format!("locale {locale}"));
    }
    if chars("client_reference_id") > REFERENCE_CHARS_MAX {
        return Some("client_reference_id is too long".to_owned());
    }
    let metadata = form.keys().filter(|k| k.contains("metadata"));
    if let Some(long) = metadata.into_iter().find(|k| chars(k) > METADATA_CHARS_MAX) {
        return Some(format!("{long} is too long"));
    }
    let quantity = number("line_items[0][quantity]");
    let maximum = number("line_items[0][adjustable_quantity][maximum]");
    if quantity == Some(0) || maximum.is_some_and(|max| quantity.is_none_or(|n| n > max)) {
        return Some("the quantity is none, or above its maximum".to_owned());
    }
    if number("subscription_data[trial_period_days]") == Some(0) {
        return Some("a trial has a day at least".to_owned());
    }
    let (customer, writes) = (text("customer"), text("customer_update[address]"));
    if customer.is_none() && writes.is_some() {
        return Some("customer_update without a customer".to_owned());
    }
    // customer_tax_location_invalid: that customer has no address yet.
    let taxed = text("automatic_tax[enabled]") == Some("true");
    (taxed && customer.is_some() && writes != Some("auto"))
        .then(|| "a customer without an address cannot be taxed".to_owned())
}
