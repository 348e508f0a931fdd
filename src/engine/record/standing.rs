//! What holds for the whole shop: the orders in force, and what the guard remembers.

use super::key;
use super::{RecordError, View};
use crate::domain::guard::GuardRecord;
use crate::domain::id::{CustomerId, Scope};
use crate::domain::standing::{StandingOrder, StandingOrders};
use crate::engine::input::Receipt;
use crate::engine::record;
use crate::engine::write::working::Working;

fn orders_key() -> Vec<u8> {
    key::general("standing")
}

fn guard_key() -> Vec<u8> {
    key::general("guard")
}

/// The shop's orders.
///
/// # Errors
/// The store's.
pub fn orders(view: &dyn View) -> Result<StandingOrders, RecordError> {
    Ok(record::get(view, &orders_key())?.unwrap_or_default())
}

/// Keeps one more.
///
/// # Errors
/// The store's.
pub fn order(working: &mut Working<'_>, order: &StandingOrder) -> Result<Receipt, RecordError> {
    let mut kept = orders(working)?;
    kept.add(order.clone());
    record::put(working, orders_key(), &kept)?;
    Ok(Receipt::Done)
}

/// Takes a customer who is erased out of the orders.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn forget_customer(
    working: &mut Working<'_>,
    scope: &Scope,
    customer: &CustomerId,
) -> Result<Receipt, RecordError> {
    let before = orders(working)?;
    let mut kept = before.clone();
    kept.forget_customer(scope, customer);
    if kept != before {
        record::put(working, orders_key(), &kept)?;
    }
    Ok(Receipt::Done)
}

/// What the guard remembers.
///
/// # Errors
/// The store's.
pub fn guard(view: &dyn View) -> Result<GuardRecord, RecordError> {
    Ok(record::get(view, &guard_key())?.unwrap_or_default())
}

/// Keeps what the guard remembers.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn put_guard(
    working: &mut Working<'_>,
    guard: &GuardRecord,
) -> Result<(), RecordError> {
    Ok(record::put(working, guard_key(), guard)?)
}

/// The guard's counting begins anew.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn reset_guard(working: &mut Working<'_>) -> Result<Receipt, RecordError> {
    put_guard(working, &GuardRecord::default())?;
    Ok(Receipt::Done)
}
