//! Whether ids fit into keys. They come from outside, and a key that the store refuses would end the process.

use crate::domain::id::{ID_LEN_MAX, fits_into_key};
use crate::engine::input::EventPayload;

/// Whether every id that may become part of a key can. A slash would end the object's name within a machine's. The longest key
/// holds two ids twice, with the source and the account, and stays below `store::MAX_KEY`.
pub(in crate::engine) fn fits(payload: &EventPayload) -> bool {
    let id = |id: &str| fits_into_key(id, ID_LEN_MAX);
    let object = |name: &str| id(name) && !name.contains('/');
    match payload {
        EventPayload::Fact(fact) => {
            fact.names().iter().all(|n| object(n.as_str()))
                && fact.customer().is_none_or(|c| id(c.as_str()))
                && id(fact.id.as_str())
        }
        EventPayload::Customer(customer) => id(customer.id.as_str()),
        EventPayload::Ignored(_) | EventPayload::Unreadable(_) => true,
    }
}
