//! What a license allows a device, and what a device's program can change. Pure.

use super::record::{OfflineUntil, Record, Status};
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;

/// Whether a license works on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeviceStanding {
    Live,
    Revoked,
    Suspended,
    Expired,
    /// A device may be activated; this one is not.
    NotActivated,
    /// Others have all the places.
    TooManyDevices,
}

impl DeviceStanding {
    /// The word that programs get; none for a license that works.
    pub(super) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Live => None,
            Self::Revoked => Some("revoked"),
            Self::Suspended => Some("suspended"),
            Self::Expired => Some("expired"),
            Self::NotActivated => Some("not_activated"),
            Self::TooManyDevices => Some("too_many_devices"),
        }
    }
}

/// What a program changes for its device. Each can be repeated without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeviceChange {
    /// Takes a place.
    Activate,
    /// Gives it back.
    Deactivate,
    /// Notes that a file was handed out which lasts so long.
    HandOut(Timestamp),
}

/// Whether a license works on a device at an instant. The places are those of the devices that were activated first, so
/// that fewer devices leave the oldest.
pub(super) fn standing(record: &Record, device: &str, now: Timestamp) -> DeviceStanding {
    match record.status {
        Status::Revoked => return DeviceStanding::Revoked,
        Status::Suspended => return DeviceStanding::Suspended,
        Status::Active => {}
    }
    if record.expires_at.is_some_and(|at| at <= now) {
        return DeviceStanding::Expired;
    }
    let Some(places) = places(record.devices) else {
        return DeviceStanding::Live;
    };
    match record.hwids.iter().position(|d| d == device) {
        Some(at) if at < places => DeviceStanding::Live,
        None if record.hwids.len() < places => DeviceStanding::NotActivated,
        Some(_) | None => DeviceStanding::TooManyDevices,
    }
}

/// How many devices a license has room for; none: any number, and none is kept.
fn places(devices: Devices) -> Option<usize> {
    match devices {
        Devices::Count(n) => Some(usize::try_from(n).unwrap_or(usize::MAX)),
        Devices::Unlimited => None,
    }
}

/// How many devices a license has and allows, as programs are told; no limit: `None`.
pub(super) fn device_count(record: &Record) -> (u32, Option<u32>) {
    let used = u32::try_from(record.hwids.len()).unwrap_or(u32::MAX);
    match record.devices {
        Devices::Count(max) => (used, Some(max)),
        Devices::Unlimited => (0, None),
    }
}

/// Until when a device works by a file that was handed out, if it still does.
pub(super) fn offline_until(record: &Record, device: &str, now: Timestamp) -> Option<Timestamp> {
    let files = record.offline.iter().flatten();
    let own = files.filter(|file| file.device == device && file.until > now);
    own.map(|file| file.until).max()
}

/// The license after a change, if that changes it. Where the license does not work, or a file is still out, it does not:
/// the standing afterwards says so.
pub(super) fn device_changed(
    record: &Record,
    device: &str,
    act: DeviceChange,
    now: Timestamp,
) -> Option<Record> {
    let before = standing(record, device, now);
    match act {
        DeviceChange::Activate if before == DeviceStanding::NotActivated => {
            let mut changed = record.clone();
            changed.hwids.push(device.to_owned());
            Some(changed)
        }
        DeviceChange::Deactivate if offline_until(record, device, now).is_none() => {
            let mut changed = record.clone();
            changed.hwids.retain(|d| d != device);
            (changed.hwids.len() < record.hwids.len()).then_some(changed)
        }
        // Where any number of devices may work, there is no place to keep.
        DeviceChange::HandOut(until)
            if before == DeviceStanding::Live && places(record.devices).is_some() =>
        {
            let until = offline_until(record, device, now).map_or(until, |out| out.max(until));
            let mut files = record.offline.clone().unwrap_or_default();
            files.retain(|file| file.device != device && file.until > now);
            files.push(OfflineUntil {
                device: device.to_owned(),
                until,
            });
            Some(Record {
                offline: Some(files),
                ..record.clone()
            })
        }
        DeviceChange::Activate | DeviceChange::Deactivate | DeviceChange::HandOut(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::LicenseKey;

    const NOW: Timestamp = Timestamp::from_s(100);

    fn license(devices: Devices, hwids: &[&str]) -> Record {
        Record {
            seq: 1,
            key: LicenseKey::new("K"),
            app_id: "app".into(),
            status: Status::Active,
            expires_at: Some(Timestamp::from_s(200)),
            devices,
            hwids: hwids.iter().map(|h| (*h).to_owned()).collect(),
            label: None,
            created_at: Timestamp::from_s(0),
            offline: None,
        }
    }

    #[test]
    fn the_places_are_those_of_the_first() {
        use DeviceStanding::{Live, NotActivated, TooManyDevices};
        for (max, hwids, device, expected) in [
            (1, vec![], "a", NotActivated),
            (1, vec!["a"], "a", Live),
            (1, vec!["a"], "b", TooManyDevices),
            (1, vec!["a", "b"], "b", TooManyDevices),
            (2, vec!["a", "b", "c"], "b", Live),
        ] {
            let license = license(Devices::Count(max), &hwids);
            assert_eq!(standing(&license, device, NOW), expected, "{max} {hwids:?}");
        }
        let unlimited = license(Devices::Unlimited, &[]);
        assert_eq!(standing(&unlimited, "any", NOW), Live);
        assert_eq!(device_count(&unlimited), (0, None));
        let activate = device_changed(&unlimited, "any", DeviceChange::Activate, NOW);
        assert_eq!(activate, None, "nothing is kept");
    }

    #[test]
    fn what_ended_the_license_comes_before_its_devices() {
        let full = license(Devices::Count(1), &["a"]);
        for (status, now, expected) in [
            (Status::Revoked, 300, DeviceStanding::Revoked),
            (Status::Suspended, 300, DeviceStanding::Suspended),
            (Status::Active, 200, DeviceStanding::Expired),
            (Status::Active, 199, DeviceStanding::TooManyDevices),
        ] {
            let license = Record {
                status,
                ..full.clone()
            };
            let now = Timestamp::from_s(now);
            assert_eq!(standing(&license, "b", now), expected);
            for act in [DeviceChange::Activate, DeviceChange::HandOut(now)] {
                assert_eq!(device_changed(&license, "b", act, now), None);
            }
        }
    }

    #[test]
    fn a_device_with_a_file_keeps_its_place_until_the_file_ends() {
        let (one, act) = (license(Devices::Count(1), &["a"]), DeviceChange::Deactivate);
        let until = Timestamp::from_s(150);
        let out = device_changed(&one, "a", DeviceChange::HandOut(until), NOW).unwrap();
        assert_eq!(device_changed(&out, "a", act, NOW), None);
        assert_eq!(offline_until(&out, "a", NOW), Some(until));
        let shorter = DeviceChange::HandOut(Timestamp::from_s(120));
        let again = device_changed(&out, "a", shorter, NOW).unwrap();
        assert_eq!(again, out, "the longest counts");
        let free = device_changed(&out, "a", act, until).unwrap();
        assert!(free.hwids.is_empty());
        assert_eq!(device_changed(&free, "a", act, until), None);
    }
}
