//! The keys of purchases that `keyward adopt` found and did not take in yet, because a renewal or a retry was near: where the
//! next event comes before the next run, the purchase has its key all the same, and each of its items its own.

use minicbor::{Decode, Encode};

use super::{RecordError, View, key};
use crate::domain::action::GrantStatus;
use crate::domain::adoption::{FoundLicense, NotedSeat};
use crate::domain::id::{AppId, LicenseKey, MachineId};
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;
use crate::engine::record;
use crate::engine::write::working::Working;
use crate::store::KeyRange;

/// The beginning of a record's name; the purchase follows.
const NAME: &str = "keys of ";

fn of(machine: &MachineId) -> Vec<u8> {
    key::general(&format!("{NAME}{machine}"))
}

/// Where the records of all purchases stand.
pub(in crate::engine) fn range() -> KeyRange {
    KeyRange::prefix(&key::general(NAME))
}

/// The purchase of a record.
pub(in crate::engine) fn machine_of(key: &[u8]) -> Option<MachineId> {
    let name = key.strip_prefix(&key::general(NAME)[..])?;
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// The keys that were found for a purchase.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn read(
    view: &dyn View,
    machine: &MachineId,
) -> Result<Vec<FoundLicense>, RecordError> {
    let kept: Vec<AdoptedLicense> = record::get(view, &of(machine))?.unwrap_or_default();
    Ok(kept.into_iter().map(Into::into).collect())
}

/// Keeps the keys that were found for a purchase.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn keep(
    working: &mut Working<'_>,
    machine: &MachineId,
    licenses: &[FoundLicense],
) -> Result<(), RecordError> {
    let kept: Vec<AdoptedLicense> = licenses.iter().cloned().map(Into::into).collect();
    Ok(record::put(working, of(machine), &kept)?)
}

/// Forgets them. Says whether there were any.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn forget(
    working: &mut Working<'_>,
    machine: &MachineId,
) -> Result<bool, RecordError> {
    let key = of(machine);
    let noted = working.get(&key)?.is_some();
    if noted {
        record::delete(working, key)?;
    }
    Ok(noted)
}

/// A license that somebody else made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AdoptedLicense {
    /// The key.
    #[n(0)]
    pub key: LicenseKey,
    /// The application.
    #[n(1)]
    pub app_id: Option<AppId>,
    /// What the service says.
    #[n(2)]
    pub status: Option<GrantStatus>,
    /// Whether its end was told.
    #[n(3)]
    pub end_told: bool,
    /// Its end.
    #[n(4)]
    pub expires_at: Option<Timestamp>,
    /// Its devices.
    #[n(5)]
    pub devices: Option<Devices>,
    /// Its label.
    #[n(6)]
    pub label: Option<String>,
    /// The seat that it was noted for.
    #[n(7)]
    pub seat: Option<NotedSeat>,
}

impl From<FoundLicense> for AdoptedLicense {
    fn from(found: FoundLicense) -> Self {
        Self {
            key: found.key,
            app_id: found.app_id,
            status: found.status,
            end_told: found.expires_at.is_some(),
            expires_at: found.expires_at.flatten(),
            devices: found.devices,
            label: found.label,
            seat: found.seat,
        }
    }
}

impl From<AdoptedLicense> for FoundLicense {
    fn from(adopted: AdoptedLicense) -> Self {
        Self {
            key: adopted.key,
            app_id: adopted.app_id,
            status: adopted.status,
            expires_at: adopted.end_told.then_some(adopted.expires_at),
            devices: adopted.devices,
            label: adopted.label,
            made: None,
            seat: adopted.seat,
        }
    }
}
