//! What becomes of an event.

use minicbor::{Decode, Encode};

use crate::domain::id::MachineId;
use crate::domain::no_use::Unreadable;
pub use crate::domain::routing::Reason;

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Disposition {
    /// It belongs to this machine; `None`: it is a record of its own.
    #[n(0)]
    Applied(#[n(0)] Option<MachineId>),
    /// It waits for one of these names.
    #[n(1)]
    Parked(#[n(0)] Vec<String>),
    /// It changes nothing.
    #[n(2)]
    Ignored(#[n(0)] Reason),
    /// It could not be read, as its source says: a newer binary reads it again. For people it is one of the ignored.
    #[n(3)]
    Unreadable(#[n(0)] Unreadable),
}

impl Disposition {
    /// Why it changes nothing, in words.
    #[must_use]
    pub fn why_ignored(&self) -> Option<String> {
        match self {
            Self::Applied(_) | Self::Parked(_) => None,
            Self::Ignored(reason) => Some(reason.to_string()),
            Self::Unreadable(why) => Some(why.to_string()),
        }
    }
}
