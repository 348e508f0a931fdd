//! The license service, as the rest of Keyward sees it: licenses, abilities, and five kinds of answer. Nobody outside
//! this module sees HTTP.
//!
//! AuthForge and the embedded service speak the same API, so one [`Client`] serves both; what differs is declared as
//! [`Abilities`]. `wire` is the JSON, `answer` says what an answer means, `client` has the calls and `send` sends them, `create` makes licenses, `devices` says how many may use one, `for_life` stands in
//! for an end that cannot be taken away, `stop` knows the ways to stop
//! a license, `recover` finds licenses by label, and `sweep` is its
//! way through a list; `choice` takes one of several, `probe` learns what a service can. When a call may be made is the [`throttle`](super::throttle)'s.

pub(crate) mod answer;
pub(crate) mod choice;
mod client;
mod create;
mod devices;
mod far_end;
mod for_life;
pub mod probe;
pub mod recover;
mod send;
pub mod stop;
pub mod sweep;
mod wire;

pub use client::{Client, ClientConfig, ClientError};

use crate::domain::id::{AppId, LicenseKey};
use crate::domain::plan::Devices;
use crate::domain::probe::{DeviceForm, ServiceProbe};
use crate::domain::service::same_end;
use crate::domain::time::{Span, Timestamp};

/// A license as the service shows it. Only the key is always told; lists tell less than a single read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// The key, opaque.
    pub key: LicenseKey,
    /// The application that it belongs to.
    pub app_id: Option<AppId>,
    /// What the service says about it; a status that was not told is `Other("")`.
    pub status: Status,
    /// When it ends.
    pub expires_at: Expiry,
    /// How many devices it allows.
    pub devices: Option<Devices>,
    /// How many devices are bound to it.
    pub bound: Option<u32>,
    /// Our reference; lists leave it out.
    pub label: Option<String>,
    /// When the service made it, by the service's clock.
    pub created_at: Option<Timestamp>,
}

impl License {
    /// Whether it works for its customer at an instant; `None` when the service's words do not tell.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> Option<bool> {
        match &self.status {
            Status::Active => match self.expires_at {
                Expiry::Never => Some(true),
                Expiry::At(end) => Some(end > now),
                Expiry::Untold => None,
            },
            Status::Suspended | Status::Revoked => Some(false),
            Status::Other(_) => None,
        }
    }
}

/// When a license ends. That the service did not say is not the same as "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// The answer did not say, or not in a form that we read.
    #[default]
    Untold,
    /// For life.
    Never,
    /// At this instant.
    At(Timestamp),
}

impl Expiry {
    /// Whether the service shows what was asked for (`None`: for life), but for its rounding.
    #[must_use]
    pub fn shows(self, wanted: Option<Timestamp>) -> bool {
        // The end that stands for none is read as none, also where it was asked for by its date.
        let wanted = wanted.filter(|end| !far_end::is_far_end(*end));
        self.known().is_some_and(|is| same_end(is, wanted))
    }

    /// The end, when it was told: `Some(None)` is for life.
    #[must_use]
    pub const fn known(self) -> Option<Option<Timestamp>> {
        match self {
            Self::Untold => None,
            Self::Never => Some(None),
            Self::At(at) => Some(Some(at)),
        }
    }
}

/// What the service says about a license. There is no "expired": AuthForge's status stays `active` past the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It works until it expires.
    Active,
    /// It is stopped and can be started again. AuthForge has no such status (its Core Concepts page); the embedded
    /// service has.
    Suspended,
    /// It was ended.
    Revoked,
    /// A word that we do not know: nothing may be concluded, a person looks.
    Other(String),
}

/// A license to be made. The answer to making it counts only when it holds a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLicense {
    /// The application.
    pub app_id: AppId,
    /// Our reference: same create, same bytes, always; by it an unknown outcome is found again. At most 128 characters
    /// at AuthForge.
    pub label: String,
    /// When it ends; `None` is for life.
    pub expires_at: Option<Timestamp>,
    /// How many devices it allows.
    pub devices: Devices,
}

/// What a license service can do. Declared, never found out by trying on a customer's license.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "ten independent yes-or-no abilities of a foreign service"
)]
pub struct Abilities {
    /// A stop that is a status of its own and can be taken back.
    pub native_suspend: bool,
    /// An expiry can be moved to an earlier instant.
    pub can_shorten: bool,
    /// An end can be taken away; where not, a far one stands for none.
    pub can_be_for_life: bool,
    /// A revoked license can be made active again.
    pub revoke_reversible: bool,
    /// The number of devices can be changed.
    pub set_devices: bool,
    /// How it is asked for that.
    pub device_form: DeviceForm,
    /// Devices can be taken away too.
    pub fewer_devices: bool,
    /// The limit of devices can be taken away.
    pub unlimited_devices: bool,
    /// The list shows labels.
    pub list_shows_label: bool,
    /// The list can be asked for one label.
    pub finds_by_label: bool,
    /// The most devices that one license allows.
    pub devices_max: u32,
    /// Whoever makes a license may choose its key.
    pub chosen_keys: bool,
}

impl Abilities {
    /// AuthForge before a probe has told more: only what its documentation says, and shortening, which is verified each
    /// time it is used. `devices_max` from its page on unlimited seats (1 to 16).
    #[must_use]
    pub const fn authforge() -> Self {
        Self {
            native_suspend: false,
            can_shorten: true,
            can_be_for_life: true,
            revoke_reversible: false,
            set_devices: false,
            device_form: DeviceForm::Update,
            fewer_devices: true,
            unlimited_devices: true,
            list_shows_label: false,
            finds_by_label: false,
            devices_max: 16,
            chosen_keys: false,
        }
    }

    /// Everything, for a probe: what cannot be done shows when it is tried.
    #[must_use]
    pub const fn tried() -> Self {
        Self {
            revoke_reversible: true,
            set_devices: true,
            ..Self::authforge()
        }
    }

    /// With what a probe learned.
    #[must_use]
    pub fn learned(self, probe: &ServiceProbe) -> Self {
        Self {
            can_shorten: probe.can_shorten,
            can_be_for_life: probe.can_be_for_life,
            revoke_reversible: probe.revoke_reversible,
            set_devices: probe.set_devices,
            device_form: probe.device_form.unwrap_or_default(),
            // Where it was not tried, it is, and a read tells.
            fewer_devices: probe.fewer_devices.unwrap_or(true),
            unlimited_devices: probe.unlimited_devices.unwrap_or(true),
            list_shows_label: probe.list_shows_label,
            finds_by_label: probe.finds_by_label.unwrap_or(self.finds_by_label),
            ..self
        }
    }

    /// What of a change to a number of devices it cannot do, if anything is known without a look at the license.
    #[must_use]
    pub(super) const fn unable_to_set(&self, devices: Devices) -> Option<&'static str> {
        match devices {
            Devices::Count(_) | Devices::Unlimited if !self.set_devices => {
                Some("change the number of devices")
            }
            Devices::Unlimited if !self.unlimited_devices => Some("take the limit of devices away"),
            Devices::Count(_) | Devices::Unlimited => None,
        }
    }

    /// The service inside this binary.
    #[must_use]
    pub const fn embedded() -> Self {
        Self {
            native_suspend: true,
            can_shorten: true,
            can_be_for_life: true,
            revoke_reversible: true,
            set_devices: true,
            device_form: DeviceForm::Update,
            fewer_devices: true,
            unlimited_devices: true,
            list_shows_label: false,
            finds_by_label: true,
            devices_max: 10_000,
            chosen_keys: true,
        }
    }
}

/// What came of a call, by what is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answer<T> {
    /// It happened, and this is what the service confirmed.
    Done(T),
    /// Nothing happened, the service asks for patience (429): come again.
    Again {
        /// How long the service asked us to wait.
        after: Option<Span>,
        /// What it said.
        why: String,
    },
    /// No connection was made, so nothing was sent: come again, also with a create.
    NotSent {
        /// What went wrong.
        why: String,
    },
    /// It may have happened: look before a create is sent again; anything else may be repeated.
    Unknown {
        /// How long the service asked us to wait.
        after: Option<Span>,
        /// What went wrong.
        why: String,
    },
    /// It did not happen, and coming again will not mend it.
    Refused(Refusal),
}

impl<T> Answer<T> {
    /// What was confirmed; or the same answer as one about anything else.
    ///
    /// # Errors
    /// Every answer but [`Done`](Self::Done).
    pub fn confirmed<U>(self) -> Result<T, Answer<U>> {
        match self {
            Self::Done(t) => Ok(t),
            Self::Again { after, why } => Err(Answer::Again { after, why }),
            Self::NotSent { why } => Err(Answer::NotSent { why }),
            Self::Unknown { after, why } => Err(Answer::Unknown { after, why }),
            Self::Refused(refusal) => Err(Answer::Refused(refusal)),
        }
    }

    /// The same answer about something else.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        match self.confirmed() {
            Ok(t) => Answer::Done(f(t)),
            Err(other) => other,
        }
    }

    /// The same answer in other words.
    fn reworded(self, words: impl Fn(String) -> String) -> Self {
        match self {
            Self::Done(t) => Self::Done(t),
            Self::Again { after, why } => Self::Again {
                after,
                why: words(why),
            },
            Self::NotSent { why } => Self::NotSent { why: words(why) },
            Self::Unknown { after, why } => Self::Unknown {
                after,
                why: words(why),
            },
            Self::Refused(r) => Self::Refused(Refusal {
                message: words(r.message),
                ..r
            }),
        }
    }

    /// What was confirmed, if it happened.
    #[must_use]
    pub fn done(self) -> Option<T> {
        self.confirmed::<()>().ok()
    }
}

/// A refusal, for the person who must act on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct Refusal {
    /// What has to be mended.
    pub kind: RefusalKind,
    /// The HTTP status; 0 when we refused before sending.
    pub status: u16,
    /// The service's own word for it, such as `no_credits`; empty when the answer was not of the documented form.
    pub code: String,
    /// The beginning of what it said, without keys.
    pub message: String,
}

/// What has to be mended before a refused call can go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalKind {
    /// 401: our API key is missing, malformed or withdrawn. It holds for the whole service.
    BadKey,
    /// 402: the balance is too low. It holds for all creates.
    NoCredits,
    /// 403: the application or license belongs to another account, or the API key lacks a scope.
    Forbidden,
    /// 404: no such license, or a wrong base address; [`Client::reachable`] tells which.
    NotFound,
    /// 400: the service cannot do what was asked, with this license or with these values.
    BadRequest,
    /// The service accepted it, and yet a read does not show it.
    NoEffect,
    /// The service is declared not to be able to do it, so nothing was sent.
    CannotDo,
    /// Any other 3xx or 4xx.
    Other,
}
