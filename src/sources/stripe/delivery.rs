//! From a read event to the engine's input.

use super::event::{Event, EventContent};
use super::reason::Reason;
use crate::domain::id::SourceName;
use crate::domain::time::Timestamp;
use crate::engine::input;

/// Hands an event forward.
#[must_use]
pub fn delivery(
    event: Event,
    source: &SourceName,
    raw: Vec<u8>,
    received: Timestamp,
) -> input::Delivery {
    input::Delivery {
        source: source.clone(),
        id: event.id,
        kind: event.kind,
        created: event.created,
        livemode: event.livemode,
        account: event.account,
        payload: match event.content {
            EventContent::Fact(fact) => input::EventPayload::Fact(Box::new(fact)),
            EventContent::Customer(customer) => input::EventPayload::Customer(customer),
            EventContent::Ignored(Reason::Unreadable(why)) => input::EventPayload::Unreadable(why),
            EventContent::Ignored(Reason::NoUse(why)) => input::EventPayload::Ignored(why),
        },
        raw,
        received,
    }
}
