//! The simulated services: a license service that can do everything, and errs on purpose when a seed says so.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::domain::action::{Act, Action, Confirmed, GrantStatus, Outcome, Phase};
use crate::domain::id::{Label, LicenseKey};
use crate::domain::plan::Devices;
use crate::domain::time::{Span, Timestamp};

/// A license at the simulated service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// Its label.
    pub label: Label,
    /// Its status.
    pub status: GrantStatus,
    /// Its expiry.
    pub expires_at: Option<Timestamp>,
    /// Its devices.
    pub devices: Devices,
}

/// What a license was from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// From when.
    pub at: Timestamp,
    /// Its status.
    pub status: GrantStatus,
    /// Its expiry.
    pub expires_at: Option<Timestamp>,
}

/// The simulated license service.
#[derive(Debug, Default)]
pub struct Licenses {
    /// Every license that was ever made, by key.
    pub all: BTreeMap<LicenseKey, License>,
    /// What became of each, oldest first.
    pub steps: BTreeMap<LicenseKey, Vec<Step>>,
    made: u64,
    faults: Option<SmallRng>,
}

/// How often the service errs with a seed, in percent.
const ERRS_PERCENT: u32 = 20;
/// How often a request hangs until it times out, in percent.
const HANGS_PERCENT: u32 = 2;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// It says that it is busy; nothing happened.
    Busy,
    /// The work is done, the answer is lost.
    LostAnswer,
    /// It fails before doing anything, without saying so.
    LostRequest,
}

impl Licenses {
    /// A service that never errs, or errs as the seed's dice fall.
    #[must_use]
    pub fn new(seed: Option<u64>) -> Self {
        Self { faults: seed.map(SmallRng::seed_from_u64), ..Self::default() }
    }

    fn fault(&mut self) -> Fault {
        let Some(dice) = &mut self.faults else { return Fault::None };
        let throw = dice.random_range(0..100);
        if throw >= ERRS_PERCENT + HANGS_PERCENT {
            return Fault::None;
        }
        match dice.random_range(0..3) {
            0 => Fault::Busy,
            1 => Fault::LostAnswer,
            _ => Fault::LostRequest,
        }
    }

    /// Carries an action out, or looks for what it may have done.
    pub fn carry_out(&mut self, action: &Action, now: Timestamp) -> Outcome {
        if let (Act::Create(_) | Act::Recover(_), Phase::Look { .. }) = (&action.act, action.phase) {
            return self.look(action, now);
        }
        match self.fault() {
            Fault::None => self.act(action, now),
            Fault::Busy => {
                Outcome::Again { after: Some(Span::from_s(5)), why: "429 rate_limited (simulated)".to_owned() }
            }
            Fault::LostAnswer => {
                let _ = self.act(action, now);
                Outcome::Unknown { why: "the answer was lost (simulated)".to_owned() }
            }
            Fault::LostRequest => Outcome::Unknown { why: "500 before anything was done (simulated)".to_owned() },
        }
    }

    fn look(&self, action: &Action, now: Timestamp) -> Outcome {
        match self.all.iter().find(|(_, l)| Some(&l.label) == action.label.as_ref()) {
            Some((key, license)) => {
                // What our own lost attempt made is ours; only what others made before us is adopted.
                let made_by_others = matches!(action.phase, Phase::Look { any_age: true, .. });
                Outcome::Done(confirmed(key, license, made_by_others))
            }
            None => Outcome::Absent { began: now },
        }
    }

    fn act(&mut self, action: &Action, now: Timestamp) -> Outcome {
        if let (Act::Create(new), Some(label)) = (&action.act, &action.label) {
            self.made += 1;
            let key = LicenseKey::new(format!(
                "SIML-{:04}-{:04}-{:04}",
                self.made / 100_000_000,
                self.made / 10_000 % 10_000,
                self.made % 10_000
            ));
            let license = License {
                label: label.clone(),
                status: GrantStatus::Live,
                expires_at: new.expires_at,
                devices: new.devices,
            };
            self.all.insert(key.clone(), license.clone());
            self.steps.insert(key.clone(), vec![step(&license, now)]);
            return Outcome::Done(confirmed(&key, &license, false));
        }
        let Some((key, license)) = action.act.key().and_then(|key| self.all.get_mut(key).map(|l| (key, l))) else {
            return Outcome::Gone;
        };
        match &action.act {
            Act::SetExpiry { until, .. } => license.expires_at = *until,
            Act::Suspend { .. } => license.status = GrantStatus::Suspended,
            Act::Reinstate { .. } => license.status = GrantStatus::Live,
            Act::Revoke { .. } => license.status = GrantStatus::Revoked,
            Act::SetDevices { devices, .. } => license.devices = *devices,
            Act::Read { .. } | Act::ResetDevices { .. } | Act::Create(_) | Act::Recover(_) | Act::Query(_) => {}
        }
        let now = step(license, now);
        let steps = self.steps.entry(key.clone()).or_default();
        if steps.last().is_none_or(|last| (last.status, last.expires_at) != (now.status, now.expires_at)) {
            steps.push(now);
        }
        Outcome::Done(confirmed(key, license, false))
    }
}

fn confirmed(key: &LicenseKey, license: &License, adopted: bool) -> Confirmed {
    Confirmed {
        key: key.clone(),
        status: license.status,
        expires_at: license.expires_at,
        devices: Some(license.devices),
        adopted,
        others: 0,
    }
}

fn step(license: &License, at: Timestamp) -> Step {
    Step { at, status: license.status, expires_at: license.expires_at }
}
