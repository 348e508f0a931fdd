//! A license service that remembers what each license was, and that can lie for a while.

use std::collections::BTreeMap;

use keyward::domain::action::{
    Abilities, Act, Action, Confirmed, CreatePhase, GrantStatus, Outcome, RefusalScope,
};
use keyward::domain::id::LicenseKey;
use keyward::domain::service::{License, apply};
use keyward::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a service that is out of order says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lie {
    /// 404: there is no such license.
    Gone,
    /// All is well and the license works; nothing was done.
    Active,
    /// It was revoked; nothing was done.
    Revoked,
    /// Nothing that can be read; nothing was done.
    Garbage,
    /// No answer, though it was done.
    LostAnswer,
}

/// What a license was from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: Timestamp,
    pub(crate) status: GrantStatus,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Step {
    fn of(license: &License, at: Timestamp) -> Self {
        Self {
            at,
            status: license.status,
            expires_at: license.expires_at,
        }
    }
}

/// A license with all that it was, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) license: License,
    pub(crate) steps: Vec<Step>,
}

impl Kept {
    /// What it was at an instant; `None`: it was not made yet.
    pub(crate) fn at(&self, at: Timestamp) -> Option<Step> {
        self.steps.iter().rev().find(|s| s.at <= at).copied()
    }

    /// Whether it worked.
    pub(crate) fn works(&self, at: Timestamp) -> bool {
        self.at(at).is_some_and(|s| {
            s.status == GrantStatus::Live && s.expires_at.is_none_or(|end| end > at)
        })
    }

    /// When it was last stopped, revoked or shortened by a request, if that is why it does not work.
    pub(crate) fn taken(&self, at: Timestamp) -> Option<Timestamp> {
        let until = self.steps.iter().rposition(|s| s.at <= at)?;
        let now = self.steps[until];
        if now.status != GrantStatus::Live {
            let first = self.steps[..=until]
                .iter()
                .rposition(|s| s.status == GrantStatus::Live);
            return Some(self.steps[first.map_or(0, |n| n + 1)].at);
        }
        let longer = |s: &&Step| match (s.expires_at, now.expires_at) {
            (None, Some(_)) => true,
            (Some(was), Some(is)) => was > is && was > at,
            (_, None) => false,
        };
        self.steps[..until]
            .iter()
            .any(|s| longer(&s))
            .then_some(now.at)
    }
}

/// The service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Licenses {
    pub(crate) all: BTreeMap<LicenseKey, Kept>,
    /// What it says instead of the truth at present.
    pub(crate) lie: Option<Lie>,
    /// How often it lied.
    pub(crate) lies: u32,
}

impl Licenses {
    /// Puts a license in that was made by others.
    pub(crate) fn put_in(&mut self, license: License, at: Timestamp) {
        let steps = vec![Step::of(&license, at)];
        self.all
            .insert(license.key.clone(), Kept { license, steps });
    }

    /// Carries an action out, or looks for what it may have done: `found` are the licenses that it may take, the best first.
    pub(crate) fn carry_out(
        &mut self,
        action: &Action,
        found: &[LicenseKey],
        at: Timestamp,
    ) -> Outcome {
        let looks = matches!(action.act, Act::Create(_) | Act::Recover(_))
            && matches!(action.phase, CreatePhase::Recover { .. });
        match self.lie {
            Some(lie) => {
                self.lies += 1;
                self.lie_about(lie, looks, action, at)
            }
            None if looks => self.look(action, found, at),
            None => self.act(action, at),
        }
    }

    fn lie_about(&mut self, lie: Lie, looks: bool, action: &Action, at: Timestamp) -> Outcome {
        let unknown = || Outcome::Unknown {
            why: "made up".to_owned(),
        };
        if looks {
            return Outcome::Again {
                after: None,
                why: "made up".to_owned(),
            };
        }
        if lie == Lie::LostAnswer {
            let _ = self.act(action, at);
            return unknown();
        }
        let known = action.act.key().and_then(|key| self.all.get(key));
        let Some(known) = known else {
            return unknown();
        };
        let told = |status| Confirmed {
            status,
            ..known.license.confirmed()
        };
        match lie {
            Lie::Gone => Outcome::Gone,
            Lie::Active => Outcome::Done(told(GrantStatus::Live)),
            Lie::Revoked => Outcome::Done(told(GrantStatus::Revoked)),
            Lie::Garbage | Lie::LostAnswer => unknown(),
        }
    }

    fn look(&self, action: &Action, found: &[LicenseKey], at: Timestamp) -> Outcome {
        let any_age = matches!(action.phase, CreatePhase::Recover { any_age: true, .. });
        match found.first().and_then(|key| self.all.get(key)) {
            Some(kept) => Outcome::Done(Confirmed {
                adopted: any_age,
                ..kept.license.confirmed()
            }),
            None => Outcome::Absent { began: at },
        }
    }

    fn act(&mut self, action: &Action, at: Timestamp) -> Outcome {
        if let Act::Create(new) = &action.act {
            let key = LicenseKey::new(format!("KEY-{:06}", self.all.len() + 1));
            let license = License::made(key.clone(), action.label.clone(), new);
            let confirmed = license.confirmed();
            let steps = vec![Step::of(&license, at)];
            self.all.insert(key, Kept { license, steps });
            return Outcome::Done(confirmed);
        }
        let Some(kept) = action.act.key().and_then(|key| self.all.get_mut(key)) else {
            return Outcome::Gone;
        };
        match apply(&mut kept.license, &action.act, &Abilities::simulated()) {
            Ok(confirmed) => {
                kept.steps.push(Step::of(&kept.license, at));
                Outcome::Done(confirmed)
            }
            Err(cannot) => Outcome::Refused {
                why: cannot.to_string(),
                scope: RefusalScope::Action,
            },
        }
    }
}
