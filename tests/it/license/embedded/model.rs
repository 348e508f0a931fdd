//! The one model of a service beside the embedded one: both do the same with any acts.

use keyward::domain::action::{Act, GrantStatus};
use keyward::domain::id::{EventId, LicenseKey};
use keyward::domain::plan::Devices;
use keyward::domain::time::{Span, Timestamp};
use keyward::domain::{action, service};
use keyward::effects::license::stop::StoppedBy;
use keyward::effects::license::{Answer, Client, License, Status};
use keyward::embedded::DEVICES_MAX;
use proptest::prelude::*;

use super::{Disk, NOW, Service, made};

/// What is asked of one license, without its key.
#[derive(Clone, Copy, Debug)]
enum Ask {
    SetExpiry(Option<Timestamp>),
    Suspend,
    Reinstate(Option<Timestamp>),
    Revoke,
    SetDevices(Devices),
    ResetDevices,
    Read,
}

fn ask() -> impl Strategy<Value = Ask> {
    let end = || prop::option::of((1..400_i64).prop_map(|days| NOW + Span::from_days(days)));
    let devices = prop_oneof![
        (0..=DEVICES_MAX + 1).prop_map(Devices::Count),
        Just(Devices::Unlimited)
    ];
    prop_oneof![
        3 => end().prop_map(Ask::SetExpiry),
        2 => Just(Ask::Suspend),
        2 => end().prop_map(Ask::Reinstate),
        1 => Just(Ask::Revoke),
        2 => devices.prop_map(Ask::SetDevices),
        1 => Just(Ask::ResetDevices),
        1 => Just(Ask::Read),
    ]
}

impl Ask {
    fn act(self, key: LicenseKey) -> Act {
        match self {
            Self::SetExpiry(until) => Act::SetExpiry { key, until },
            Self::Suspend => Act::Suspend { key },
            Self::Reinstate(until) => Act::Reinstate { key, until },
            Self::Revoke => Act::Revoke { key },
            Self::SetDevices(devices) => Act::SetDevices { key, devices },
            Self::ResetDevices => Act::ResetDevices {
                key,
                decision: EventId::from("dec_1"),
                device: None,
            },
            Self::Read => Act::Read { key },
        }
    }

    /// The same of the service, through the client; `None`: refused.
    async fn of(self, client: &Client, key: &LicenseKey) -> Option<License> {
        let answer = match self {
            Self::SetExpiry(until) => {
                let is = client.get(key).await.done()?.expires_at.known()?;
                match until.filter(|to| is.is_none_or(|is| is > *to)) {
                    Some(earlier) => client.shorten(key, earlier).await,
                    None => client.set_expiry(key, until).await,
                }
            }
            Self::Suspend => client.suspend(key, NOW).await,
            Self::Reinstate(until) => client.reinstate(key, until, StoppedBy::Suspension).await,
            Self::Revoke => client.revoke(key).await,
            Self::SetDevices(devices) => client.set_devices(key, devices).await,
            Self::ResetDevices => {
                client.reset_devices(key).await.done()?;
                client.get(key).await
            }
            Self::Read => client.get(key).await,
        };
        assert!(
            matches!(answer, Answer::Done(_) | Answer::Refused(_)),
            "{self:?}: {answer:?}"
        );
        answer.done()
    }
}

/// Status, end and devices, as the service shows them.
fn shown(license: &License) -> (GrantStatus, Option<Timestamp>, Devices) {
    let status = match &license.status {
        Status::Active => GrantStatus::Live,
        Status::Suspended => GrantStatus::Suspended,
        Status::Revoked => GrantStatus::Revoked,
        Status::Other(word) => panic!("{word}"),
    };
    (
        status,
        license.expires_at.known().unwrap(),
        license.devices.unwrap(),
    )
}

/// The model that stands in for a service everywhere else does what this service does, refusals included.
async fn side_by_side(asks: Vec<Ask>) {
    let service = Service::start(&Disk::default()).await;
    let client = service.client();
    let made = made(&client, "Stripe sub sub_1").await;
    let (status, expires_at, devices) = shown(&made);
    let mut model = service::License {
        key: made.key.clone(),
        label: None,
        status,
        expires_at,
        devices,
    };
    let abilities = action::Abilities {
        devices_max: DEVICES_MAX,
        ..action::Abilities::simulated()
    };
    for ask in asks {
        let here = service::apply(&mut model, &ask.act(made.key.clone()), &abilities).ok();
        let there = ask.of(&client, &made.key).await;
        let here = here.map(|c| (c.status, c.expires_at, c.devices.unwrap()));
        assert_eq!(here, there.as_ref().map(shown), "{ask:?}");
        let kept = client.get(&made.key).await.done().unwrap();
        assert_eq!(
            (model.status, model.expires_at, model.devices),
            shown(&kept),
            "after {ask:?}"
        );
    }
    service.end().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_model_and_the_service_do_the_same(asks in prop::collection::vec(ask(), 1..15)) {
        tokio::runtime::Runtime::new().unwrap().block_on(side_by_side(asks));
    }
}
