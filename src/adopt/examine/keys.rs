//! Rows of keys that are looked at without a purchase that Stripe's lists show.

use super::Shop;
use crate::adopt::gather::Gathered;
use crate::adopt::report::{ReportRow, last_four};
use crate::domain::adoption::{Class, FoundLicense, Judged, Remark};
use crate::domain::id::{MachineId, ObjectId, ObjectKind};

/// A key that works and whose label names a purchase that Stripe does not list, or that was never paid.
#[must_use]
pub fn stray(
    shop: &Shop<'_>,
    gathered: &Gathered,
    object: &str,
    license: &FoundLicense,
) -> ReportRow {
    let is_checkout = ObjectId::from(object).kind() == ObjectKind::Session;
    let no_checkout = is_checkout.then_some(Remark::NoCheckout);
    let is_unpaid = gathered.unpaid.contains(object);
    let remark = is_unpaid.then_some(Remark::Unpaid).or(no_checkout);
    of_key(&shop.id(object), Class::KeyWithoutPayment, remark, license)
}

/// The key of a connected account's purchase that the store knows.
#[must_use]
pub fn of_account(holder: &MachineId, license: &FoundLicense) -> ReportRow {
    of_key(holder, Class::Known, Some(Remark::OfAccount), license)
}

fn of_key(
    machine: &MachineId,
    class: Class,
    remark: Option<Remark>,
    license: &FoundLicense,
) -> ReportRow {
    let judged = Judged {
        class,
        waits: None,
        unread: false,
        keys: (1, 0),
        remark,
        repair: None,
        meant: None,
    };
    ReportRow {
        machine: Some(machine.to_string()),
        class: judged.class,
        customer: None,
        plan: None,
        key: Some(last_four(&license.key)),
        paid_until: None,
        amount: None,
        currency: None,
        would: judged.to_string(),
        repair: None,
        licenses: Vec::new(),
        judged: Some(judged),
    }
}
