//! What the readers of single objects are given of an event.

use crate::domain::id::EventId;
use crate::domain::time::Timestamp;
use crate::sources::stripe::json::Json;

/// What the readers of single objects are given.
pub(super) struct Envelope<'e, 'a> {
    pub(super) id: EventId,
    pub(super) kind: &'e str,
    pub(super) created: Timestamp,
    pub(super) received: Timestamp,
    pub(super) object: &'e Json<'a>,
    pub(super) previous: &'e Json<'a>,
}
