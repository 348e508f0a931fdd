//! The one model of what a license service does with an act. Every stand-in for a real service is made of it: the cases, the
//! simulation, the fakes of the tests; a test drives it beside the embedded service.

use super::action::{Abilities, Act, Confirmed, GrantStatus, NewLicense};
use super::id::{Label, LicenseKey};
use super::machine::Grant;
use super::plan::Devices;
use super::time::{Span, Timestamp};

/// The end that a service shows may be so far from the one that was asked for: services round.
pub const SAME_INSTANT: Span = Span::from_s(1);

/// Why a change is refused that was accepted and did not come about.
pub const NOT_SHOWN: &str = "accepted, but the license does not show it";

/// A license as a service keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// Its key.
    pub key: LicenseKey,
    /// Its label, where it has one.
    pub label: Option<Label>,
    /// Its status.
    pub status: GrantStatus,
    /// Its end; `None`: for life.
    pub expires_at: Option<Timestamp>,
    /// How many devices it allows.
    pub devices: Devices,
}

/// Why a service refuses an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cannot {
    /// It moves no end to an earlier instant.
    #[error("the service cannot shorten a license")]
    Shorten,
    /// It brings no revoked license back.
    #[error("the service cannot undo a revocation")]
    UndoRevocation,
    /// A revoked license is not suspended.
    #[error("a revoked license cannot be suspended")]
    SuspendRevoked,
    /// It changes no devices.
    #[error("the service cannot change the number of devices")]
    SetDevices,
    /// It takes no such number of devices.
    #[error("the service takes 1 to {max} devices on one license")]
    Devices {
        /// The most that it takes.
        max: u32,
    },
}

impl License {
    /// A license that was just made.
    #[must_use]
    pub fn made(key: LicenseKey, label: Option<Label>, new: &NewLicense) -> Self {
        Self {
            key,
            label,
            status: GrantStatus::Live,
            expires_at: new.expires_at,
            devices: new.devices,
        }
    }

    /// The license behind a grant, as it was last confirmed.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        Self {
            key: grant.key.clone(),
            label: None,
            status: grant.status,
            expires_at: grant.expires_at,
            devices: grant.devices,
        }
    }

    /// What the service says of one that an action of ours made or changed.
    #[must_use]
    pub fn confirmed(&self) -> Confirmed {
        Confirmed {
            key: self.key.clone(),
            status: self.status,
            expires_at: self.expires_at,
            devices: Some(self.devices),
            adopted: false,
            others: Vec::new(),
        }
    }
}

/// Does to a license what an act asks, and says what it is then. Acts that are about no license that is there (a create, a
/// look) change nothing. A refusal leaves it as it was.
///
/// # Errors
/// What the service cannot do.
pub fn apply(license: &mut License, act: &Act, abilities: &Abilities) -> Result<Confirmed, Cannot> {
    match act {
        Act::SetExpiry { until, .. } => set_end(license, *until, abilities)?,
        Act::Suspend { .. } if license.status == GrantStatus::Revoked => {
            return Err(Cannot::SuspendRevoked);
        }
        Act::Suspend { .. } => license.status = GrantStatus::Suspended,
        Act::Reinstate { until, .. } => {
            if license.status == GrantStatus::Revoked && !abilities.revoke_reversible {
                return Err(Cannot::UndoRevocation);
            }
            // Both at once: what comes back has the end that it should have.
            set_end(license, *until, abilities)?;
            license.status = GrantStatus::Live;
        }
        Act::Revoke { .. } => license.status = GrantStatus::Revoked,
        Act::SetDevices { devices, .. } => {
            if !abilities.set_devices {
                return Err(Cannot::SetDevices);
            }
            let max = abilities.devices_max;
            if matches!(devices, Devices::Count(n) if *n == 0 || *n > max) {
                return Err(Cannot::Devices { max });
            }
            license.devices = *devices;
        }
        Act::ResetDevices { .. }
        | Act::Read { .. }
        | Act::Create(_)
        | Act::Recover(_)
        | Act::Query(_) => {}
    }
    Ok(license.confirmed())
}

fn set_end(
    license: &mut License,
    until: Option<Timestamp>,
    abilities: &Abilities,
) -> Result<(), Cannot> {
    let earlier = until.is_some_and(|to| license.expires_at.is_none_or(|is| to < is));
    if earlier && !abilities.can_shorten {
        return Err(Cannot::Shorten);
    }
    license.expires_at = until;
    Ok(())
}

/// Whether two ends are the same (`None`: for life), to within [`SAME_INSTANT`].
#[must_use]
pub fn same_end(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a - b <= SAME_INSTANT && b - a <= SAME_INSTANT,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// The end that a service shows, but for its rounding: one that is the same as what was `known` is that.
#[must_use]
pub fn unrounded(shown: Option<Timestamp>, known: Option<Timestamp>) -> Option<Timestamp> {
    if same_end(shown, known) { known } else { shown }
}

/// Whether what a service confirmed shows what an act asked for. Of what it does not tell it is believed.
#[must_use]
pub fn shows(act: &Act, confirmed: &Confirmed) -> bool {
    let ends = |until| same_end(confirmed.expires_at, until);
    match act {
        Act::SetExpiry { until, .. } => ends(*until),
        Act::Reinstate { until, .. } => confirmed.status == GrantStatus::Live && ends(*until),
        Act::Suspend { .. } => confirmed.status != GrantStatus::Live,
        Act::Revoke { .. } => confirmed.status == GrantStatus::Revoked,
        Act::SetDevices { devices, .. } => confirmed.devices.is_none_or(|is| is == *devices),
        Act::ResetDevices { .. }
        | Act::Read { .. }
        | Act::Create(_)
        | Act::Recover(_)
        | Act::Query(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::from_s(1_000);

    fn license(status: GrantStatus) -> License {
        let (key, expires_at) = (LicenseKey::new("KEY-1"), Some(END));
        License {
            key,
            label: None,
            status,
            expires_at,
            devices: Devices::Count(2),
        }
    }

    #[test]
    fn what_comes_back_has_the_end_that_it_should_have() {
        for status in [GrantStatus::Suspended, GrantStatus::Revoked] {
            let mut license = license(status);
            let reinstate = Act::Reinstate {
                key: license.key.clone(),
                until: None,
            };
            let confirmed = apply(&mut license, &reinstate, &Abilities::simulated()).unwrap();
            assert_eq!(
                (confirmed.status, confirmed.expires_at),
                (GrantStatus::Live, None)
            );
        }
    }

    #[test]
    fn a_refusal_changes_nothing() {
        let weak = Abilities {
            can_shorten: false,
            revoke_reversible: false,
            set_devices: false,
            ..Abilities::simulated()
        };
        let earlier = Some(Timestamp::from_s(999));
        for (status, act, why) in [
            (
                GrantStatus::Live,
                |key| Act::SetExpiry {
                    key,
                    until: Some(Timestamp::from_s(999)),
                },
                Cannot::Shorten,
            ),
            (
                GrantStatus::Revoked,
                |key| Act::Suspend { key },
                Cannot::SuspendRevoked,
            ),
            (
                GrantStatus::Revoked,
                |key| Act::Reinstate { key, until: None },
                Cannot::UndoRevocation,
            ),
            (
                GrantStatus::Live,
                |key| Act::SetDevices {
                    key,
                    devices: Devices::Unlimited,
                },
                Cannot::SetDevices,
            ),
        ] as [(GrantStatus, fn(LicenseKey) -> Act, Cannot); 4]
        {
            let mut license = license(status);
            let before = license.clone();
            assert_eq!(
                apply(&mut license, &act(before.key.clone()), &weak),
                Err(why)
            );
            assert_eq!(license, before);
        }
        let mut license = license(GrantStatus::Live);
        let shorten = Act::SetExpiry {
            key: license.key.clone(),
            until: earlier,
        };
        assert_eq!(
            apply(&mut license, &shorten, &Abilities::simulated())
                .unwrap()
                .expires_at,
            earlier
        );
        let many = Act::SetDevices {
            key: license.key.clone(),
            devices: Devices::Count(17),
        };
        assert_eq!(
            apply(&mut license, &many, &Abilities::simulated()),
            Err(Cannot::Devices { max: 16 })
        );
    }
}
