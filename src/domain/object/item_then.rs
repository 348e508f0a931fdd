//! An item of a subscription at one time.

use crate::domain::id::ItemKey;
use crate::domain::time::Timestamp;

/// An item as it was in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemThen {
    /// Its name.
    pub key: ItemKey,
    /// How many units; one where it is not told.
    pub quantity: u32,
    /// Whether it is billed by use.
    pub metered: bool,
    /// Its running period.
    pub period: Option<(Timestamp, Timestamp)>,
}
