//! Devices in the form that a probe learned.

use keyward::domain::probe::{DeviceForm, ServiceProbe};

use super::*;

/// A client of a service that was probed.
fn probed(fake: &Fake, form: DeviceForm, fewer: bool, unlimited: bool) -> Client {
    let probe = ServiceProbe {
        service: "authforge".to_owned(),
        app: app(),
        at: MAY,
        can_shorten: true,
        can_be_for_life: true,
        revoke_reversible: true,
        set_devices: true,
        list_shows_label: false,
        listed_after_s: Some(0),
        device_form: Some(form),
        fewer_devices: Some(fewer),
        unlimited_devices: Some(unlimited),
        extends_expired: Some(true),
        unknown_action: None,
        far_end: None,
        revokes_again: None,
        extends_revoked: None,
        activates_again: None,
        finds_by_label: None,
        list_fields: None,
        read_fields: None,
    };
    Client::new(ClientConfig {
        abilities: Abilities::authforge().learned(&probe),
        ..config(fake)
    })
    .unwrap()
}

fn takes(devices: &str) -> Faults {
    Faults {
        devices: devices.to_owned(),
        ..Faults::default()
    }
}

#[tokio::test]
async fn devices_are_changed_in_the_form_that_was_learned() {
    for (form, word) in [(DeviceForm::Update, "update"), (DeviceForm::Plain, "plain")] {
        let fake = Fake::start(takes(word)).await;
        let client = probed(&fake, form, true, true);
        let key = made(&client, "Stripe sub sub_1").await.key;
        for devices in [Devices::Count(9), Devices::Unlimited, Devices::Count(1)] {
            let read = client.set_devices(&key, devices).await.done().unwrap();
            assert_eq!(read.devices, Some(devices), "{word}");
        }
        let kept = &fake.licenses()[0];
        assert_eq!((kept.max_hwid_slots, kept.unlimited_hwid_slots), (1, false));
    }
}

/// What it turned out not to take is not sent: it is somebody's task, done as soon as a read shows it.
#[tokio::test]
async fn what_a_probe_says_it_cannot_do_is_not_sent() {
    let fake = Fake::start(takes("plain")).await;
    let client = probed(&fake, DeviceForm::Plain, false, false);
    let key = made(&client, "Stripe sub sub_1").await.key;
    for devices in [Devices::Count(1), Devices::Unlimited] {
        let refused = refusal(client.set_devices(&key, devices).await);
        assert_eq!(refused.kind, RefusalKind::CannotDo, "{devices:?}");
    }
    assert_eq!(fake.counter("PUT ?"), 0);
    let more = client.set_devices(&key, Devices::Count(3)).await;
    assert_eq!(more.done().unwrap().devices, Some(Devices::Count(3)));
    fake.third_hand(key.reveal(), |l| l.max_hwid_slots = 1);
    let by_hand = client.set_devices(&key, Devices::Count(1)).await;
    assert_eq!(by_hand.done().unwrap().devices, Some(Devices::Count(1)));
}
