//! Carries one action out at the license service, and says what came of it in the domain's words.

mod breakers;
mod create;
mod recover;
mod still_wanted;

use tokio_util::sync::CancellationToken;

pub(super) use breakers::CallKind;

use super::license::stop::StoppedBy;
use super::license::{Answer, License, NewLicense, Refusal, RefusalKind, Status};
use super::services::{LicenseService, Services};
use super::throttle::Share;
use crate::domain::action::{
    Act, Action, Confirmed, CreatePhase, GrantStatus, Outcome, RefusalScope,
};
use crate::domain::by_hand::ByHand;
use crate::domain::id::AppId;
use crate::domain::machine::{Grant, Machine};
use crate::domain::time::Timestamp;
use crate::engine::Handle;

/// What the carrier of one action works with.
pub(super) struct ActionExecutor<'a> {
    pub(super) handle: &'a Handle,
    pub(super) services: &'a Services,
    pub(super) service: &'a LicenseService,
    /// The order to stop: what changes nothing at the service is given up then.
    pub(super) stop: &'a CancellationToken,
}

impl ActionExecutor<'_> {
    /// Carries an action out. The attempt of a create is on disk already. `None`: it is not to be sent any more.
    pub(super) async fn execute(&self, machine: &Machine, action: &Action) -> Option<Outcome> {
        if self.is_elsewhere(machine, action).await {
            return None;
        }
        if let (Act::Create(_) | Act::Recover(_), CreatePhase::Recover { since, any_age, .. }) =
            (&action.act, action.phase)
        {
            // The place that the gate counted is given back at once, for a recovery may be long; what came of it is reported at its end.
            self.service.not_sent(CallKind::of(action), self.now());
            let since = (!any_age).then_some(since);
            return self.recover(machine, action, since).await;
        }
        let grant = machine.grants.iter().find(|g| g.number == action.license);
        if let Some(stopped) = grant.and_then(|g| self.stopped_by_itself(action, g)) {
            self.service.not_sent(CallKind::of(action), self.now());
            return Some(stopped);
        }
        let Some(_pass) = self.service.turn(action, self.handle.clock()).await else {
            return Some(Outcome::Again {
                after: None,
                why: "not sent: the license service does not answer".to_owned(),
            });
        };
        if !self.is_still_wanted(machine, action).await {
            return None;
        }
        let answer = self.call(action, grant).await;
        self.service
            .record(CallKind::of(action), &answer, self.now());
        Some(self.outcome(action, grant, answer).await)
    }

    fn now(&self) -> Timestamp {
        self.handle.clock().now()
    }

    /// A stop at the grace's end needs no call where a stop is an expiry: it came by itself.
    fn stopped_by_itself(&self, action: &Action, grant: &Grant) -> Option<Outcome> {
        let native = self.service.client.abilities().native_suspend;
        let over =
            grant.status == GrantStatus::Live && grant.expires_at.is_some_and(|t| t <= self.now());
        (matches!(action.act, Act::Suspend { .. }) && !native && over).then(|| {
            Outcome::Done(Confirmed {
                key: grant.key.clone(),
                status: GrantStatus::Suspended,
                expires_at: grant.expires_at,
                devices: Some(grant.devices),
                adopted: false,
                others: Vec::new(),
            })
        })
    }

    async fn call(&self, action: &Action, grant: Option<&Grant>) -> Answer<License> {
        let client = &self.service.client;
        let earlier =
            |to: &Timestamp| grant.is_some_and(|g| g.expires_at.is_none_or(|is| is > *to));
        match &action.act {
            Act::Create(new) => {
                let Some(label) = &action.label else {
                    return Answer::Refused(unsent());
                };
                let license = NewLicense {
                    app_id: self.app_of(action, None),
                    label: label.to_string(),
                    expires_at: new.expires_at,
                    devices: new.devices,
                };
                self.create(&license, new.keeps.as_ref()).await
            }
            Act::SetExpiry { key, until } => match until.filter(earlier) {
                Some(to) => client.shorten(key, to).await,
                None => client.set_expiry(key, *until).await,
            },
            Act::Suspend { key } => client.suspend(key, self.now().whole_s()).await,
            Act::Reinstate { key, until } => {
                let stopped = StoppedBy::of(grant.map(|g| g.status));
                client.reinstate(key, *until, stopped).await
            }
            Act::Revoke { key } => client.revoke(key).await,
            Act::SetDevices { key, devices } => client.set_devices(key, *devices).await,
            Act::ResetDevices { key, device, .. } => {
                let forgotten = match device {
                    Some(device) => client.forget_device(key, device).await,
                    None => client.reset_devices(key).await,
                };
                match forgotten.confirmed() {
                    Ok(()) => client.get(key).await,
                    Err(other) => other,
                }
            }
            Act::Read { key } => client.get(key).await,
            Act::Recover(_) | Act::Query(_) => Answer::Refused(unsent()),
        }
    }

    /// The application that an action's license belongs to.
    fn app_of(&self, action: &Action, grant: Option<&Grant>) -> AppId {
        let named = match action.act.new_license() {
            Some(new) => new.app_id.as_ref(),
            None => grant.and_then(|g| g.app_id.as_ref()),
        };
        named.unwrap_or(&self.service.app_id).clone()
    }

    async fn outcome(
        &self,
        action: &Action,
        grant: Option<&Grant>,
        answer: Answer<License>,
    ) -> Outcome {
        match answer {
            Answer::Done(license) => {
                self.services.hold(&license.key);
                confirmed(action, grant, &license, self.now())
            }
            Answer::Again { after, why } => Outcome::Again { after, why },
            Answer::NotSent { why } => Outcome::Again { after: None, why },
            Answer::Unknown { why, .. } => Outcome::Unknown { why },
            Answer::Refused(refusal) => self.refused(action, grant, refusal).await,
        }
    }

    /// What a person can do about a refusal, where that is known.
    fn by_hand(&self, action: &Action, kind: RefusalKind) -> Option<ByHand> {
        match &action.act {
            Act::ResetDevices { .. } => Some(ByHand::ResetDevices),
            Act::SetDevices { .. } if kind == RefusalKind::CannotDo => Some(ByHand::SetDevices),
            Act::Create(_)
            | Act::SetExpiry { .. }
            | Act::Suspend { .. }
            | Act::Reinstate { .. }
            | Act::Revoke { .. }
            | Act::SetDevices { .. }
            | Act::Read { .. }
            | Act::Recover(_)
            | Act::Query(_) => None,
        }
    }

    async fn refused(&self, action: &Action, grant: Option<&Grant>, refusal: Refusal) -> Outcome {
        let why = refusal.to_string();
        let refused = |why, scope| Outcome::Refused { why, scope };
        match refusal.kind {
            RefusalKind::BadKey | RefusalKind::NoCredits => refused(why, RefusalScope::Service),
            RefusalKind::Forbidden => refused(why, RefusalScope::Access),
            RefusalKind::NotFound if !action.act.creates() => {
                // One missing license and a wrong address look alike: whether the application answers tells them apart.
                let app = self.app_of(action, grant);
                let _pass = self.service.throttle.pass(Share::Actions).await;
                match self.service.client.reachable(&app).await {
                    Answer::Done(()) => Outcome::Gone,
                    Answer::Again { .. } | Answer::NotSent { .. } | Answer::Unknown { .. } => {
                        Outcome::Again { after: None, why }
                    }
                    Answer::Refused(_) => refused(why, RefusalScope::Service),
                }
            }
            RefusalKind::NotFound
            | RefusalKind::BadRequest
            | RefusalKind::NoEffect
            | RefusalKind::CannotDo
            | RefusalKind::Other => match self.by_hand(action, refusal.kind) {
                Some(by_hand) => {
                    // Of what it cannot do at all the service says nothing: it was not asked.
                    let asked = refusal.kind != RefusalKind::CannotDo;
                    let why = asked.then_some(why);
                    Outcome::ByHand { why, by_hand }
                }
                None if refusal.kind == RefusalKind::NoEffect => Outcome::NoEffect { why },
                None => refused(why, RefusalScope::Action),
            },
        }
    }
}

/// A refusal of ours before anything was sent: it tells a breaker nothing.
fn unsent() -> Refusal {
    Refusal {
        kind: RefusalKind::CannotDo,
        status: 0,
        code: String::new(),
        message: "nothing was sent".to_owned(),
    }
}

/// What the service confirmed, as the domain sees it: whether a stopped license counts as suspended is known only to us
/// where the service has no word for it.
fn confirmed(action: &Action, grant: Option<&Grant>, license: &License, now: Timestamp) -> Outcome {
    let known = action
        .act
        .sets_end()
        .or(grant.map(|g| g.expires_at))
        .unwrap_or_default();
    let expires_at = license.expires_at.known().unwrap_or(known);
    let over = expires_at.is_some_and(|t| t <= now);
    let was_suspended = grant.is_some_and(|g| g.status == GrantStatus::Suspended);
    let status = match (&license.status, &action.act) {
        (Status::Active | Status::Revoked | Status::Suspended, Act::Suspend { .. }) => {
            GrantStatus::Suspended
        }
        (Status::Active, Act::Read { .. } | Act::ResetDevices { .. }) if was_suspended && over => {
            GrantStatus::Suspended
        }
        (Status::Active, _) => GrantStatus::Live,
        (Status::Suspended, _) => GrantStatus::Suspended,
        (Status::Revoked, _) => GrantStatus::Revoked,
        (Status::Other(word), Act::Create(_) | Act::Recover(_)) if word.is_empty() => {
            GrantStatus::Live
        }
        (Status::Other(word), _) => {
            let why =
                format!("the service shows the license in a state that is not known: `{word}`");
            return Outcome::Refused {
                why,
                scope: RefusalScope::Action,
            };
        }
    };
    Outcome::Done(Confirmed {
        key: license.key.clone(),
        status,
        expires_at,
        devices: license.devices,
        adopted: false,
        others: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::clock::Clock;
    use crate::config::{Config, Env};
    use crate::domain::action::{NewLicense, SeatId};
    use crate::domain::id::{ItemKey, Label};
    use crate::domain::plan::Devices;
    use crate::effects::services::EmbeddedAt;
    use crate::effects::throttle::Gate;
    use crate::secret::Secret;

    const NOW: Timestamp = Timestamp::from_s(1_767_225_600);

    /// Services that take one call at a time, at an address where nobody is.
    fn services() -> Services {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/histories/keyward.toml");
        let mut config = Config::load(&path, &Env::new(|_| None)).unwrap().0;
        config.licenses.in_flight = 1;
        let embedded = EmbeddedAt {
            address: ([127, 0, 0, 1], 9).into(),
            token: Secret::new("token"),
        };
        Services::new(&config, Some(&embedded)).unwrap()
    }

    fn create() -> Action {
        let seat = SeatId {
            item: ItemKey::from(""),
            unit: 0,
        };
        let new = NewLicense {
            seat,
            app_id: None,
            plan: None,
            expires_at: None,
            devices: Devices::Count(1),
            keeps: None,
        };
        Action {
            label: Some(Label::from("Stripe session cs_1")),
            ..Action::new(1, Act::Create(new), 1, NOW)
        }
    }

    #[tokio::test]
    async fn what_waited_for_its_turn_is_not_sent_once_the_service_is_known_to_be_down() {
        let bad_key = Refusal {
            kind: RefusalKind::BadKey,
            status: 401,
            ..unsent()
        };
        for is_down in [false, true] {
            let (services, create, clock) = (services(), create(), Clock::virtual_at(NOW));
            let (_, service) = services.license_services()[0];
            let before_it = service.throttle.pass(Share::Actions).await;
            assert_eq!(service.gate(CallKind::Create, NOW), Gate::Go);
            let mut turn = std::pin::pin!(service.turn(&create, &clock));
            let waits = tokio::select! { biased; _ = &mut turn => false, () = tokio::task::yield_now() => true };
            assert!(waits, "one call at a time");
            let answer: Answer<()> = if is_down {
                Answer::Refused(bad_key.clone())
            } else {
                Answer::Done(())
            };
            service.record(CallKind::Create, &answer, NOW);
            drop(before_it);
            assert_eq!(turn.await.is_none(), is_down);
        }
    }
}
