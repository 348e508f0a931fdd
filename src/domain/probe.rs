//! What a license service turned out to be able to do, learned on a throw-away license.

use minicbor::{Decode, Encode};

use super::id::AppId;
use super::time::Timestamp;

/// How a license service is asked for another number of devices.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "lowercase")]
pub enum DeviceForm {
    /// By an action of its own: `"action": "update"` beside the fields.
    #[default]
    #[n(0)]
    Update,
    /// By the fields alone, without an action.
    #[n(1)]
    Plain,
}

impl DeviceForm {
    /// Every form, in the order in which they are tried.
    pub const ALL: [Self; 2] = [Self::Update, Self::Plain];
}

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
    /// The instant.
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
    /// How devices are changed; `None`: no form was taken, or the probe is of a version that tried one alone.
    #[n(9)]
    #[serde(default)]
    pub device_form: Option<DeviceForm>,
    /// Devices can be taken away; `None`: not learned.
    #[n(10)]
    #[serde(default)]
    pub fewer_devices: Option<bool>,
    /// The limit of devices can be taken away; `None`: not learned.
    #[n(11)]
    #[serde(default)]
    pub unlimited_devices: Option<bool>,
    /// A license that has expired can be extended; `None`: not learned, for none could be made to expire.
    #[n(12)]
    #[serde(default)]
    pub extends_expired: Option<bool>,
    /// What the service says of an action that does not exist: it may name those that do.
    #[n(13)]
    #[serde(default)]
    pub unknown_action: Option<String>,
    /// An end that stands for none is taken where none can be taken away; `None`: not tried.
    #[n(14)]
    #[serde(default)]
    pub far_end: Option<bool>,
    /// A revoked license may be revoked again; `None`: not learned.
    #[n(15)]
    #[serde(default)]
    pub revokes_again: Option<bool>,
    /// An end can be set while it is revoked; `None`: not learned.
    #[n(16)]
    #[serde(default)]
    pub extends_revoked: Option<bool>,
    /// An active license may be made active again; `None`: not learned.
    #[n(17)]
    #[serde(default)]
    pub activates_again: Option<bool>,
    /// The list can be asked for one label; `None`: not learned.
    #[n(18)]
    #[serde(default)]
    pub finds_by_label: Option<bool>,
    /// The fields that the list shows of a license; `None`: not learned.
    #[n(19)]
    #[serde(default)]
    pub list_fields: Option<Vec<String>>,
    /// The fields that a single read shows of it; `None`: not learned.
    #[n(20)]
    #[serde(default)]
    pub read_fields: Option<Vec<String>>,
}

impl ServiceProbe {
    /// Whether a license for life that was stopped by its end comes back for life: without an end, or with one that stands
    /// for none. `None`: a probe of an earlier version did not try the latter.
    #[must_use]
    pub const fn gives_life_back(&self) -> Option<bool> {
        if self.can_be_for_life {
            Some(true)
        } else {
            self.far_end
        }
    }
}
