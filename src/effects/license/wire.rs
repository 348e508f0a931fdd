//! The license API's JSON: what we send, strictly; what we read, tolerantly.
//!
//! Field names and envelopes are those of AuthForge's Developer API (`docs.authforge.cc/api/licenses`), as far as it is
//! documented. Unknown fields are ignored; a known one in a form that we cannot read counts as not told. Only a license
//! without a key, or a page that may not be whole, is unreadable.

use serde::{Deserialize, Deserializer, Serialize};

use super::far_end::is_far_end;
use super::{Expiry, License, NewLicense, Status};
use crate::domain::id::{AppId, LicenseKey};
use crate::domain::plan::Devices;
use crate::domain::probe::DeviceForm;
use crate::domain::time::Timestamp;
use crate::effects::far_words;

/// The most licenses on one page of the list, as AuthForge documents it.
pub const PAGE_MAX: usize = 200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody<'a> {
    app_id: &'a str,
    quantity: u32,
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hwid_slots: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unlimited_hwid_slots: Option<bool>,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_key: Option<&'a str>,
}

/// The body that makes one license, with a key of our choice where the service takes one.
///
/// # Errors
/// Never for these values; the error is serde's.
pub fn create(new: &NewLicense, key: Option<&LicenseKey>) -> serde_json::Result<Vec<u8>> {
    let (max_hwid_slots, unlimited_hwid_slots) = slots(new.devices);
    serde_json::to_vec(&CreateBody {
        app_id: new.app_id.as_str(),
        quantity: 1,
        expires_at: new.expires_at,
        max_hwid_slots,
        unlimited_hwid_slots,
        label: &new.label,
        license_key: key.map(LicenseKey::reveal),
    })
}

/// What an update asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicenseUpdate<'a> {
    /// Set the end; `None` is for life.
    Extend(Option<Timestamp>),
    /// End it.
    Revoke,
    /// Undo a stop or a revocation.
    Activate,
    /// Stop it reversibly; only the embedded service.
    Suspend,
    /// Change the number of devices; only the embedded service, until a probe has told AuthForge's form.
    Devices(Devices, DeviceForm),
    /// What no service knows, for a probe.
    Nonsense,
    /// Unbind all devices.
    ResetDevices,
    /// Unbind one device; only the embedded service, AuthForge would unbind all.
    ForgetDevice(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Update<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hwid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hwid_slots: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unlimited_hwid_slots: Option<bool>,
}

/// The body of an update.
///
/// # Errors
/// Never for these values; the error is serde's.
pub fn update(act: LicenseUpdate<'_>) -> serde_json::Result<Vec<u8>> {
    let plain = |action| Update {
        action: Some(action),
        hwid: None,
        expires_at: None,
        max_hwid_slots: None,
        unlimited_hwid_slots: None,
    };
    serde_json::to_vec(&match act {
        LicenseUpdate::Extend(to) => Update {
            expires_at: Some(to),
            ..plain("extend")
        },
        LicenseUpdate::Revoke => plain("revoke"),
        LicenseUpdate::Activate => plain("activate"),
        LicenseUpdate::Suspend => plain("suspend"),
        LicenseUpdate::ResetDevices => plain("reset-hwid"),
        LicenseUpdate::ForgetDevice(device) => Update {
            hwid: Some(device),
            ..plain("reset-hwid")
        },
        LicenseUpdate::Nonsense => plain("keyward-probe"),
        LicenseUpdate::Devices(devices, form) => {
            let (max_hwid_slots, unlimited) = slots(devices);
            Update {
                action: match form {
                    DeviceForm::Update => Some("update"),
                    DeviceForm::Plain => None,
                },
                max_hwid_slots,
                unlimited_hwid_slots: Some(unlimited == Some(true)),
                ..plain("update")
            }
        }
    })
}

const fn slots(devices: Devices) -> (Option<u32>, Option<bool>) {
    match devices {
        Devices::Count(n) => (Some(n), None),
        Devices::Unlimited => (None, Some(true)),
    }
}

/// One page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicensePage {
    /// Its licenses, mostly without label and devices.
    pub licenses: Vec<License>,
    /// Where the next page begins; `None`: this was the last.
    pub cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LicenseIn {
    license_key: String,
    #[serde(default, deserialize_with = "lenient")]
    app_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "expiry")]
    expires_at: Expiry,
    #[serde(default, deserialize_with = "lenient")]
    max_hwid_slots: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    unlimited_hwid_slots: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    hwid_list: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default, deserialize_with = "lenient")]
    label: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created_at: Option<Timestamp>,
}

/// A value of the expected form, or nothing.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Lenient<T> {
        Fits(T),
        Not(serde::de::IgnoredAny),
    }
    Ok(match Option::<Lenient<T>>::deserialize(deserializer)? {
        Some(Lenient::Fits(t)) => Some(t),
        Some(Lenient::Not(_)) | None => None,
    })
}

/// Called only when the field is there: `null` says "for life", and so does the end that stands for none; a missing field says nothing.
fn expiry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Expiry, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        At(Timestamp),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        None => Expiry::Never,
        Some(Either::At(at)) if is_far_end(at) => Expiry::Never,
        Some(Either::At(at)) => Expiry::At(at),
        Some(Either::Other(_)) => Expiry::Untold,
    })
}

impl From<LicenseIn> for License {
    fn from(read: LicenseIn) -> Self {
        Self {
            key: LicenseKey::new(read.license_key),
            app_id: read.app_id.map(AppId::new),
            status: match read.status.as_deref() {
                Some("active") => Status::Active,
                Some("revoked") => Status::Revoked,
                Some("suspended") => Status::Suspended,
                other => Status::Other(far_words::told(other.unwrap_or_default(), 40)),
            },
            expires_at: read.expires_at,
            devices: match (read.unlimited_hwid_slots, read.max_hwid_slots) {
                (Some(true), _) => Some(Devices::Unlimited),
                (_, n) => n.map(Devices::Count),
            },
            bound: read
                .hwid_list
                .map(|list| u32::try_from(list.len()).unwrap_or(u32::MAX)),
            label: read.label,
            created_at: read.created_at,
        }
    }
}

/// Reads one license, bare or in a `license` envelope.
#[must_use]
pub fn license(body: &[u8]) -> Option<License> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum LicenseEnvelope {
        Wrapped { license: LicenseIn },
        Bare(LicenseIn),
    }
    let read = match serde_json::from_slice::<LicenseEnvelope>(body).ok()? {
        LicenseEnvelope::Wrapped { license } | LicenseEnvelope::Bare(license) => license,
    };
    (!read.license_key.is_empty()).then(|| read.into())
}

/// Reads the answer to a create: exactly one license, for we ask for one. Any other number is unreadable, so that a
/// recovery finds them all and tells the operator.
#[must_use]
pub fn created(body: &[u8]) -> Option<License> {
    #[derive(Deserialize)]
    struct Created {
        licenses: Vec<LicenseIn>,
    }
    let mut licenses = serde_json::from_slice::<Created>(body).ok()?.licenses;
    let one = licenses.pop()?;
    (licenses.is_empty() && !one.license_key.is_empty()).then(|| one.into())
}

/// Reads a page of the list, asked for with `limit`. A full page that does not say whether there is another is unreadable: taking it for the
/// last would let a recovery say "absent" too early.
#[must_use]
pub fn page(body: &[u8], limit: usize) -> Option<LicensePage> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum CursorIn {
        Text(String),
        Number(u64),
    }
    #[derive(Deserialize)]
    struct PageIn {
        licenses: Vec<LicenseIn>,
        #[serde(default, deserialize_with = "present")]
        cursor: Option<Option<CursorIn>>,
    }
    fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        T::deserialize(deserializer).map(Some)
    }
    let read: PageIn = serde_json::from_slice(body).ok()?;
    let cursor = match read.cursor {
        Some(Some(CursorIn::Text(text))) => Some(text).filter(|t| !t.is_empty()),
        Some(Some(CursorIn::Number(n))) => Some(n.to_string()),
        Some(None) => None,
        None if read.licenses.len() < limit => None,
        None => return None,
    };
    let licenses = read
        .licenses
        .into_iter()
        .map(|l| (!l.license_key.is_empty()).then(|| l.into()));
    Some(LicensePage {
        licenses: licenses.collect::<Option<Vec<License>>>()?,
        cursor,
    })
}

/// The names of the fields that an answer shows of its license, or of the first one of its list, in the order of the alphabet.
#[must_use]
pub fn fields(body: &[u8]) -> Option<Vec<String>> {
    let read: serde_json::Value = serde_json::from_slice(body).ok()?;
    let listed = read.get("licenses").and_then(|l| l.get(0));
    let shown = listed.or_else(|| read.get("license")).unwrap_or(&read);
    let mut names: Vec<String> = shown.as_object()?.keys().cloned().collect();
    names.sort_unstable();
    Some(names)
}

#[cfg(test)]
mod tests;
