//! Whether ids fit into keys. They come from outside, and a key that the store refuses would end the process.

use crate::engine::input::EventPayload;

/// Stripe's ids have at most 255 characters (<https://docs.stripe.com/upgrades>). The longest key holds two of them twice, with
/// the source and the account, and stays below `store::MAX_KEY`.
const ID_LEN_MAX: usize = 255;

/// Whether every id that may become part of a key can. A slash would end the object's name within a machine's.
pub(in crate::engine) fn fits(heard: &EventPayload) -> bool {
    let id = |id: &str| id.len() <= ID_LEN_MAX && !id.contains('\0');
    let object = |name: &str| id(name) && !name.contains('/');
    match heard {
        EventPayload::Fact(fact) => {
            fact.names().iter().all(|n| object(n.as_str()))
                && fact.customer().is_none_or(|c| id(c.as_str()))
                && id(fact.id.as_str())
        }
        EventPayload::Customer(customer) => id(customer.id.as_str()),
        EventPayload::Ignored(_) | EventPayload::Unreadable(_) => true,
    }
}
