//! Customers: the latest address, name and language.

use crate::domain::customer::Customer;

use super::super::reason::Reason;
use super::{own_id, owned};
use crate::sources::stripe::envelope::Envelope;

/// `customer.deleted` has the whole customer or only its id.
pub(in super::super) fn read(e: &Envelope<'_, '_>) -> Result<Customer, Reason> {
    let object = e.object;
    Ok(Customer {
        id: own_id(object)?,
        at: e.created,
        email: owned(object.get("email")),
        name: owned(object.get("name")),
        locale: object
            .get("preferred_locales")
            .list()
            .first()
            .and_then(owned),
        deleted: e.kind == "customer.deleted" || object.get("deleted").bool() == Some(true),
        livemode: object.get("livemode").bool(),
    })
}
