//! How many devices a license allows, and which are bound to it.
//!
//! AuthForge's documentation does not say how the number is changed; what a probe learned is in [`Abilities`](super::Abilities).

use super::send::cannot;
use super::send::unsent;
use super::wire::LicenseUpdate;
use super::{Answer, Client, License, Refusal, RefusalKind};
use crate::domain::id::LicenseKey;
use crate::domain::plan::Devices;
use crate::domain::probe::DeviceForm;

impl Client {
    /// Changes how many devices a license allows, where the service can; elsewhere it counts only that a read shows them.
    pub async fn set_devices(&self, key: &LicenseKey, devices: Devices) -> Answer<License> {
        if let Some(what) = self.abilities().unable_to_set(devices) {
            // A person may have done it at the service meanwhile.
            return match self.get(key).await {
                Answer::Done(license) if license.devices != Some(devices) => cannot(what),
                other @ (Answer::Done(_)
                | Answer::Again { .. }
                | Answer::NotSent { .. }
                | Answer::Unknown { .. }
                | Answer::Refused(_)) => other,
            };
        }
        if let Some(refusal) = self.too_many(devices) {
            return Answer::Refused(refusal);
        }
        if !self.abilities().fewer_devices {
            match self.get(key).await {
                Answer::Done(license) if license.devices > Some(devices) => {
                    return cannot("take devices away");
                }
                Answer::Done(_) => {}
                other @ (Answer::Again { .. }
                | Answer::NotSent { .. }
                | Answer::Unknown { .. }
                | Answer::Refused(_)) => return other,
            }
        }
        self.set_devices_in(key, devices, self.abilities().device_form)
            .await
    }

    /// The same in one form, whatever is declared: what a probe tries.
    pub(super) async fn set_devices_in(
        &self,
        key: &LicenseKey,
        devices: Devices,
        form: DeviceForm,
    ) -> Answer<License> {
        self.update(key, LicenseUpdate::Devices(devices, form), |l| {
            l.devices == Some(devices)
        })
        .await
    }

    /// Unbinds all devices. Only the acceptance is confirmed: by the time of a read, the customer may have bound anew.
    pub async fn reset_devices(&self, key: &LicenseKey) -> Answer<()> {
        self.put(key, LicenseUpdate::ResetDevices, |_| Some(()))
            .await
    }

    /// Unbinds one device. A service that knows no such request unbinds all.
    pub async fn forget_device(&self, key: &LicenseKey, device: &str) -> Answer<()> {
        self.put(key, LicenseUpdate::ForgetDevice(device), |_| Some(()))
            .await
    }

    pub(super) fn too_many(&self, devices: Devices) -> Option<Refusal> {
        let max = self.abilities().devices_max;
        match devices {
            Devices::Count(n) if n == 0 || n > max => {
                let message = format!("{n} devices on one license: the service takes 1 to {max}");
                Some(unsent(RefusalKind::BadRequest, message))
            }
            Devices::Count(_) | Devices::Unlimited => None,
        }
    }
}
