//! The simulated services: a license service that can do everything, and errs on purpose when a seed says so (rule 44).

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::domain::action::{
    Abilities, Act, Action, Confirmed, CreatePhase, GrantStatus, Outcome, RefusalScope,
};
use crate::domain::id::{Label, LicenseKey};
use crate::domain::service::{License, apply};
use crate::domain::time::{Span, Timestamp};

/// What a license was from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// From when.
    pub at: Timestamp,
    pub status: GrantStatus,
    pub expires_at: Option<Timestamp>,
}

/// The simulated license service.
#[derive(Debug, Default)]
pub struct SimulatedLicenses {
    /// Every license that was ever made, by key.
    pub all: BTreeMap<LicenseKey, License>,
    /// What became of each, oldest first.
    pub steps: BTreeMap<LicenseKey, Vec<StatusChange>>,
    made: u64,
    /// The seed of what goes wrong; `None`: nothing.
    faults: Option<u64>,
}

/// How often the service errs with a seed, in percent.
const ERRS_PERCENT: u32 = 20;
/// How often a request hangs until it times out, in percent.
const HANGS_PERCENT: u32 = 2;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It answers as it should.
    None,
    /// It says that it is busy; nothing happened.
    Busy,
    /// The work is done, the answer is lost.
    LostAnswer,
    /// It fails before doing anything, without saying so.
    LostRequest,
}

impl SimulatedLicenses {
    /// A service that never errs, or errs as the seed says.
    #[must_use]
    pub fn new(seed: Option<u64>) -> Self {
        Self {
            faults: seed,
            ..Self::default()
        }
    }

    /// What goes wrong with an attempt. It depends on the attempt alone, so that purchases may be played in any order.
    fn fault(&self, action: &Action) -> Fault {
        let Some(seed) = self.faults else {
            return Fault::None;
        };
        let license = action.act.key().and_then(|key| self.all.get(key));
        let label = action
            .label
            .as_ref()
            .or_else(|| license?.label.as_ref())
            .map(Label::as_str);
        let attempt = (seed, label, action.id, action.attempts);
        let mut dice = SmallRng::seed_from_u64(FixedState::default().hash_one(attempt));
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
        if let (Act::Create(_) | Act::Recover(_), CreatePhase::Recover { .. }) =
            (&action.act, action.phase)
        {
            return self.recover(action, now);
        }
        match self.fault(action) {
            Fault::None => self.act(action, now),
            Fault::Busy => Outcome::Again {
                after: Some(Span::from_s(5)),
                why: "429 rate_limited (simulated)".to_owned(),
            },
            Fault::LostAnswer => {
                let _ = self.act(action, now);
                Outcome::Unknown {
                    why: "the answer was lost (simulated)".to_owned(),
                }
            }
            Fault::LostRequest => Outcome::Unknown {
                why: "500 before anything was done (simulated)".to_owned(),
            },
        }
    }

    fn recover(&self, action: &Action, now: Timestamp) -> Outcome {
        match self
            .all
            .values()
            .find(|l| l.label.is_some() && l.label == action.label)
        {
            Some(license) => {
                // What our own lost attempt made is ours; only what others made before us is adopted.
                let made_by_others =
                    matches!(action.phase, CreatePhase::Recover { any_age: true, .. });
                Outcome::Done(Confirmed {
                    adopted: made_by_others,
                    ..license.confirmed()
                })
            }
            None => Outcome::Absent { began: now },
        }
    }

    fn act(&mut self, action: &Action, now: Timestamp) -> Outcome {
        if let Act::Create(new) = &action.act {
            let license = License::made(self.next_key(), action.label.clone(), new);
            let confirmed = license.confirmed();
            self.steps
                .insert(license.key.clone(), vec![step(&license, now)]);
            self.all.insert(license.key.clone(), license);
            return Outcome::Done(confirmed);
        }
        let Some(license) = action.act.key().and_then(|key| self.all.get_mut(key)) else {
            return Outcome::Gone;
        };
        let confirmed = match apply(license, &action.act, &Abilities::simulated()) {
            Ok(confirmed) => confirmed,
            Err(cannot) => {
                return Outcome::Refused {
                    why: cannot.to_string(),
                    scope: RefusalScope::Action,
                };
            }
        };
        let now = step(license, now);
        let steps = self.steps.entry(license.key.clone()).or_default();
        if steps
            .last()
            .is_none_or(|last| (last.status, last.expires_at) != (now.status, now.expires_at))
        {
            steps.push(now);
        }
        Outcome::Done(confirmed)
    }

    fn next_key(&mut self) -> LicenseKey {
        self.made += 1;
        let n = self.made;
        LicenseKey::new(format!(
            "SIML-{:04}-{:04}-{:04}",
            n / 100_000_000,
            n / 10_000 % 10_000,
            n % 10_000
        ))
    }
}

fn step(license: &License, at: Timestamp) -> StatusChange {
    StatusChange {
        at,
        status: license.status,
        expires_at: license.expires_at,
    }
}
