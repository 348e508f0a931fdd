//! What the license service and Stripe answer, at once.

use super::*;
use crate::domain::action::RefusalScope;

impl Case {
    pub(super) fn came_of(&mut self, action: &Action) -> Outcome {
        if let Some(question) = action.act.question() {
            return self.asked(question);
        }
        if matches!(action.phase, CreatePhase::Recover { .. }) {
            return self.recovered(action);
        }
        let ready = self
            .ready
            .get(self.made as usize)
            .filter(|at| **at > self.now && action.act.creates());
        match ready {
            Some(at) => Outcome::Again {
                after: Some(*at - self.now),
                why: "busy".to_owned(),
            },
            None if self.refuses_to(&action.act) => Outcome::Refused {
                why: "400 bad_request: revoked".to_owned(),
                scope: RefusalScope::Action,
            },
            None => Outcome::Done(self.carried_out(action)),
        }
    }

    fn refuses_to(&self, act: &Act) -> bool {
        let reinstates = matches!(act, Act::Reinstate { .. });
        self.takes_no_end && act.sets_end().is_some() || self.keeps_revoked && reinstates
    }

    fn recovered(&self, action: &Action) -> Outcome {
        let Some((status, expires_at, devices)) = self.there else {
            return Outcome::Absent { began: self.now };
        };
        let key = LicenseKey::new(format!("OLD-{}", action.label.as_ref().unwrap()));
        let is_revoked = self.revoked_there.contains(&key.reveal());
        Outcome::Done(Confirmed {
            status: if is_revoked {
                GrantStatus::Revoked
            } else {
                status
            },
            key,
            expires_at,
            devices: Some(devices),
            adopted: true,
            others: Vec::new(),
        })
    }

    /// Another hand changes the license at the service, and something makes us read it.
    pub(in crate::domain) fn changed_there(
        &mut self,
        at: f64,
        until: Option<f64>,
        devices: u32,
    ) -> &mut Self {
        self.on(at);
        self.shows = Some((until.map(day), Devices::Count(devices)));
        let license = &self.machine.grants[0];
        let read = Act::Read {
            key: license.key.clone(),
        };
        self.machine.actions.push(Action::new(
            self.machine.next_action(),
            read,
            license.number,
            self.now,
        ));
        self.reconcile();
        self
    }

    fn carried_out(&mut self, action: &Action) -> Confirmed {
        if let Act::Create(new) = &action.act {
            self.made += 1;
            let kept = new.keeps.as_ref().filter(|_| self.takes_keys);
            let made = || LicenseKey::new(format!("KEY-{}", self.made));
            let key = kept.map_or_else(made, |kept| kept.key.clone());
            return License::made(key, action.label.clone(), new).confirmed();
        }
        let grant = self
            .machine
            .grants
            .iter()
            .find(|g| Some(&g.key) == action.act.key());
        let mut license = License::of(grant.unwrap());
        if let (Act::Read { .. }, Some(shows)) = (&action.act, self.shows) {
            (license.expires_at, license.devices) = shows;
        }
        if matches!(action.act, Act::Read { .. }) && self.works_there {
            license.status = GrantStatus::Live;
        }
        if matches!(action.act, Act::Read { .. })
            && self.revoked_there.contains(&license.key.reveal())
        {
            license.status = GrantStatus::Revoked;
        }
        let confirmed = apply(&mut license, &action.act, &Abilities::simulated()).unwrap();
        let Some(garbles) = self.garbles else {
            return confirmed;
        };
        garbles(&mut license);
        license.confirmed()
    }
}
