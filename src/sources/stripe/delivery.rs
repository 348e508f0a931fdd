//! From a read event to the engine's input.

use super::event::{Event, Heard};
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
            Heard::Ignored(reason) if reason.is_unreadable() => {
                input::Heard::Unreadable(reason.to_string())
            }
            Heard::Ignored(reason) => input::Heard::Ignored(reason.to_string()),
        },
        raw,
        received,
    }
}
