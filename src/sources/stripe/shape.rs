//! Where each API version keeps its fields: one file per object, newest place first, then the older ones.
//!
//! The places are those of Stripe's changelog (<https://docs.stripe.com/changelog>) and of recorded events. A reference
//! may be an id or the object itself. A value of a form that we do not know is taken as absent where nothing is decided by it.
//! The event is given up as unreadable where the fact would mean nothing without it, and where something that decides (what
//! it belongs to, whether it was paid, what it lists, when it ends) is there in a form that cannot be read: read as absent it
//! would be another fact.

pub(super) mod customer;
pub(super) mod invoice;
pub(super) mod money;
pub(super) mod session;
pub(super) mod subscription;

mod given;
mod line;
mod price;
mod wants;

use super::json::Json;
use super::reason::Reason;

/// A reference's id as one of the domain's ids.
fn reference<T: for<'t> From<&'t str>>(json: &Json<'_>) -> Option<T> {
    json.id().map(T::from)
}

/// The first of several places that holds a readable reference.
fn first_reference<T: for<'t> From<&'t str>>(places: &[&Json<'_>]) -> Option<T> {
    places.iter().find_map(|json| reference(json))
}

/// The object's own id, without which nothing about it can be said.
fn own_id<T: for<'t> From<&'t str>>(object: &Json<'_>) -> Result<T, Reason> {
    object
        .get("id")
        .text()
        .map(T::from)
        .ok_or_else(|| Reason::unreadable("data.object.id", object.get("id")))
}

fn owned(json: &Json<'_>) -> Option<String> {
    json.text().map(str::to_owned)
}

/// A currency in lower case.
fn currency(object: &Json<'_>) -> Option<String> {
    object.get("currency").text().map(str::to_ascii_lowercase)
}

/// Who pays: a customer, or since 2025-12-15 an account that stands in for one.
fn payer<T: for<'t> From<&'t str>>(object: &Json<'_>) -> Option<T> {
    first_reference(&[object.get("customer"), object.get("customer_account")])
}

/// Whether it is collected by sent invoices (`billing` before 2019-10-17).
fn is_sent(object: &Json<'_>) -> bool {
    object
        .get("collection_method")
        .or(object.get("billing"))
        .text()
        == Some("send_invoice")
}

/// A quantity: `quantity`, or since 2026-03-25 perhaps only `quantity_decimal`.
fn quantity(object: &Json<'_>) -> Option<u32> {
    let whole = |key| object.get(key).int().and_then(|n| u32::try_from(n).ok());
    whole("quantity").or_else(|| whole("quantity_decimal"))
}
