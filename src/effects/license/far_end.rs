//! The date that stands for no end.

use crate::domain::service::same_end;
use crate::domain::time::Timestamp;

/// The end that stands for none: 31 December 2099, 12:00 UTC. It is that day in nearly every time zone, so whoever meets it
/// at the service reads one date; and no hand writes noon.
pub(super) const FAR_END: Timestamp = Timestamp::from_s(4_102_401_600);

/// Whether an end stands for none.
pub(super) fn is_far_end(end: Timestamp) -> bool {
    same_end(Some(end), Some(FAR_END))
}
