//! What a license service turned out to be able to do, learned on a throw-away license.

use minicbor::{Decode, Encode};

use super::id::AppId;
use super::time::Timestamp;

/// What a probe learned. What was not learned is as it was declared.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent answers of a foreign service"
)]
pub struct ServiceProbe {
    /// The service, as in `authforge`.
    #[n(0)]
    pub service: String,
    /// The application in which the throw-away license was made.
    #[n(1)]
    pub app: AppId,
    /// When.
    #[n(2)]
    pub at: Timestamp,
    /// An end can be moved to an earlier instant.
    #[n(3)]
    pub can_shorten: bool,
    /// An end can be taken away: for life.
    #[n(4)]
    pub can_be_for_life: bool,
    /// A revocation can be undone.
    #[n(5)]
    pub revoke_reversible: bool,
    /// The number of devices can be changed.
    #[n(6)]
    pub set_devices: bool,
    /// The list shows labels.
    #[n(7)]
    pub list_shows_label: bool,
    /// How many seconds it took until the new license stood in the list; `None`: it did not come.
    #[n(8)]
    pub listed_after_s: Option<i64>,
}
