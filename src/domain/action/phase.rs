//! How far a create is.

use minicbor::{Decode, Encode};

use crate::domain::time::Timestamp;

/// Where a create stands between "never sent" and "known to exist or not".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum CreatePhase {
    /// It may be sent.
    #[n(0)]
    Ready,
    /// It may have acted: look for its label first. `absent` counts complete sweeps that did not find it.
    #[n(1)]
    Recover {
        /// When the attempt ended; a sweep counts only if it began later.
        #[n(0)]
        since: Timestamp,
        /// Complete sweeps without it.
        #[n(1)]
        absent: u32,
        /// Whether licenses of any age count (the purchase is older than this store).
        #[n(2)]
        any_age: bool,
    },
}

impl CreatePhase {
    /// A recovery of what others may have made, at any time before: the one complete sweep that begins after `since` tells.
    #[must_use]
    pub const fn recover_any_age(since: Timestamp) -> Self {
        Self::Recover {
            since,
            absent: 1,
            any_age: true,
        }
    }
}
