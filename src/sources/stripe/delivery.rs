//! From a read event to the engine's input.

use super::event::{Event, Heard};
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
        heard: match event.says {
            Heard::Fact(fact) => input::Heard::Fact(Box::new(fact)),
            Heard::Customer(customer) => input::Heard::Customer(customer),
            Heard::Ignored(Reason::Unreadable(why)) => input::Heard::Unreadable(why),
            Heard::Ignored(Reason::NoUse(why)) => input::Heard::Ignored(why),
        },
        raw,
        received,
    }
}
