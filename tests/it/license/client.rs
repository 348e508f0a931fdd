//! The license client against a service that fails in every way that we know of.

mod devices;
mod for_life;
mod refusals;
mod unknown;

use keyward::domain::id::{AppId, LicenseKey};
use keyward::domain::plan::Devices;
use keyward::domain::time::{Span, Timestamp};
use keyward::effects::license::stop::{StoppedBy, SuspendBy};
use keyward::effects::license::{
    Abilities, Answer, Client, ClientConfig, ClientError, Expiry, License, NewLicense, Refusal,
    RefusalKind, Status,
};
use keyward::secret::Secret;

use crate::support::fake_licenses::{API_KEY, Fake, Faults};

/// 1 May 2026.
const MAY: Timestamp = Timestamp::from_s(1_777_593_600);
const APP: &str = "0b6c1c7e-1111-4222-8333-944445555666";

fn app() -> AppId {
    AppId::new(APP)
}

fn new(label: &str) -> NewLicense {
    NewLicense {
        app_id: app(),
        label: label.into(),
        expires_at: Some(MAY),
        devices: Devices::Count(2),
    }
}

fn config(fake: &Fake) -> ClientConfig {
    ClientConfig::new(fake.base(), Secret::new(API_KEY))
}

/// A time-out that a hanging service reaches soon.
fn impatient(fake: &Fake) -> Client {
    Client::new(ClientConfig {
        request_timeout: Span::from_ms(50),
        ..config(fake)
    })
    .unwrap()
}

async fn fake_and_client(faults: Faults) -> (Fake, Client) {
    let fake = Fake::start(faults).await;
    let client = Client::new(config(&fake)).unwrap();
    (fake, client)
}

async fn made(client: &Client, label: &str) -> License {
    client.create(&new(label)).await.done().unwrap()
}

fn refusal<T: std::fmt::Debug>(answer: Answer<T>) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other @ (Answer::Done(_)
        | Answer::Again { .. }
        | Answer::NotSent { .. }
        | Answer::Unknown { .. }) => {
            panic!("not refused: {other:?}")
        }
    }
}

/// The kind of an answer as one word, and what it says.
fn sort<T>(answer: Answer<T>) -> (&'static str, Option<Span>, String) {
    match answer {
        Answer::Done(_) => ("done", None, String::new()),
        Answer::Again { after, why } => ("again", after, why),
        Answer::NotSent { why } => ("not sent", None, why),
        Answer::Unknown { after, why } => ("unknown", after, why),
        Answer::Refused(refusal) => ("refused", None, refusal.to_string()),
    }
}

#[tokio::test]
async fn a_license_lives_from_create_to_revoke() {
    let (fake, client) = fake_and_client(Faults::default()).await;
    let license = made(&client, "Stripe sub sub_1").await;
    assert_eq!(
        (license.label, license.expires_at),
        (None, Expiry::At(MAY)),
        "the create's answer shows no label"
    );
    let key = license.key;
    let read = client.get(&key).await.done().unwrap();
    assert_eq!(
        (read.label.as_deref(), read.bound),
        (Some("Stripe sub sub_1"), Some(0))
    );
    assert_eq!(
        (read.devices, &read.status, read.app_id),
        (Some(Devices::Count(2)), &Status::Active, Some(app()))
    );
    let later = MAY + Span::from_days(30);
    let extended = client.set_expiry(&key, Some(later)).await.done().unwrap();
    assert_eq!(
        (extended.expires_at, extended.is_live(MAY)),
        (Expiry::At(later), Some(true))
    );
    assert_eq!(
        client
            .set_expiry(&key, None)
            .await
            .done()
            .unwrap()
            .expires_at,
        Expiry::Never
    );
    assert_eq!(client.reset_devices(&key).await, Answer::Done(()));
    let page = client.list(&app(), None).await.done().unwrap();
    assert_eq!((page.licenses.len(), page.cursor), (1, None));
    let revoked = client.revoke(&key).await.done().unwrap();
    assert_eq!(
        (revoked.status.clone(), revoked.is_live(MAY)),
        (Status::Revoked, Some(false))
    );
    assert_eq!(
        client.revoke(&key).await.done().unwrap().status,
        Status::Revoked,
        "twice is as good as once"
    );
    assert_eq!(
        fake.counter("GET one"),
        1,
        "a full answer to an update spares the read"
    );
}

#[tokio::test]
async fn what_an_update_does_not_show_is_read() {
    let faults = Faults {
        silent_updates: true,
        refuse_repeats: true,
        ..Faults::default()
    };
    let (fake, client) = fake_and_client(faults).await;
    let key = made(&client, "Stripe sub sub_1").await.key;
    assert_eq!(
        client
            .set_expiry(&key, None)
            .await
            .done()
            .unwrap()
            .expires_at,
        Expiry::Never
    );
    client.revoke(&key).await.done().unwrap();
    // Refused with 400 because it is so already: done.
    assert_eq!(
        client.revoke(&key).await.done().unwrap().status,
        Status::Revoked
    );
    assert_eq!(fake.counter("GET one"), 3);
}

#[tokio::test]
async fn shortening_counts_only_when_a_read_shows_it() {
    let (fake, client) = fake_and_client(Faults::default()).await;
    let key = made(&client, "Stripe sub sub_1").await.key;
    let now = MAY - Span::from_days(9);
    assert_eq!(
        client.suspend(&key, now).await.done().unwrap().is_live(now),
        Some(false)
    );
    let back = client
        .reinstate(&key, Some(MAY), StoppedBy::Suspension)
        .await
        .done()
        .unwrap();
    assert_eq!(back.is_live(now), Some(true));
    for (shorten, kind) in [
        ("ignore", RefusalKind::NoEffect),
        ("refuse", RefusalKind::BadRequest),
    ] {
        fake.switch(|f| f.shorten = shorten.into());
        assert_eq!(
            refusal(client.suspend(&key, now).await).kind,
            kind,
            "{shorten}"
        );
        assert_eq!(
            fake.licenses()[0].expires_at.unwrap().timestamp(),
            MAY.s(),
            "nothing changed"
        );
    }
}

#[tokio::test]
async fn a_license_that_somebody_else_revoked_is_not_reinstated() {
    let (fake, client) = fake_and_client(Faults::default()).await;
    let key = made(&client, "Stripe sub sub_1").await.key;
    fake.third_hand(key.reveal(), |l| l.status = "revoked".into());
    assert_eq!(
        refusal(
            client
                .reinstate(&key, Some(MAY), StoppedBy::Suspension)
                .await
        )
        .kind,
        RefusalKind::NoEffect
    );
    assert_eq!(
        refusal(client.activate(&key).await).kind,
        RefusalKind::CannotDo,
        "not without a probe"
    );
    assert_eq!(fake.licenses()[0].status, "revoked");
    let abilities = Abilities {
        revoke_reversible: true,
        ..Abilities::authforge()
    };
    let able = Client::new(ClientConfig {
        abilities,
        suspend: SuspendBy::Revoke,
        ..config(&fake)
    })
    .unwrap();
    let back = able
        .reinstate(&key, Some(MAY + Span::from_days(1)), StoppedBy::Suspension)
        .await
        .done()
        .unwrap();
    assert_eq!(
        (back.status, back.expires_at),
        (Status::Active, Expiry::At(MAY + Span::from_days(1)))
    );
    able.suspend(&key, MAY).await.done().unwrap();
    assert_eq!(fake.licenses()[0].status, "revoked");
    fake.switch(|f| f.refuse_activate = true);
    assert_eq!(
        refusal(able.reinstate(&key, None, StoppedBy::Suspension).await).kind,
        RefusalKind::BadRequest
    );
}

#[tokio::test]
async fn what_the_service_cannot_do_is_not_sent() {
    let (fake, client) = fake_and_client(Faults::default()).await;
    let key = LicenseKey::new("ABCD-EFGH-JKLM-NPQR");
    assert_eq!(
        refusal(client.activate(&key).await).kind,
        RefusalKind::CannotDo
    );
    for devices in [Devices::Count(0), Devices::Count(17)] {
        let refused = refusal(
            client
                .create(&NewLicense {
                    devices,
                    ..new("x")
                })
                .await,
        );
        assert_eq!((refused.kind, refused.status), (RefusalKind::BadRequest, 0));
    }
    for nonsense in ["", ".", ".."] {
        assert_eq!(
            refusal(client.get(&LicenseKey::new(nonsense)).await).status,
            0
        );
    }
    assert!(fake.counters().is_empty());
}

#[tokio::test]
async fn devices_that_the_service_does_not_change_count_when_a_read_shows_them() {
    let (fake, client) = fake_and_client(Faults::default()).await;
    let key = made(&client, "Stripe sub sub_1").await.key;
    assert_eq!(
        refusal(client.set_devices(&key, Devices::Count(9)).await).kind,
        RefusalKind::CannotDo
    );
    fake.third_hand(key.reveal(), |l| l.max_hwid_slots = 9);
    let read = client
        .set_devices(&key, Devices::Count(9))
        .await
        .done()
        .unwrap();
    assert_eq!(
        (read.devices, fake.counter("GET one")),
        (Some(Devices::Count(9)), 2)
    );
}

#[tokio::test]
async fn an_unconfirmed_change_may_be_repeated() {
    let (fake, client) = fake_and_client(Faults {
        silent_updates: true,
        ..Faults::default()
    })
    .await;
    let key = made(&client, "Stripe sub sub_1").await.key;
    // The update is accepted, and the read that should confirm it is the one that fails.
    let seed = (0..)
        .find(|seed| fake.first_failure(*seed, 30) == Some(2))
        .unwrap();
    fake.switch(|f| (f.seed, f.error_pct) = (seed, 30));
    let (sorted, _, why) = sort(client.set_expiry(&key, None).await);
    assert_eq!(sorted, "unknown");
    assert!(why.contains("not confirmed"), "{why}");
}

#[tokio::test]
async fn keys_and_secrets_stay_out_of_what_is_shown() {
    let (fake, client) = fake_and_client(Faults::default()).await;
    let odd = LicenseKey::new("odd/key?with#all %2F+&=ü");
    let said = refusal(client.get(&odd).await);
    assert_eq!(
        said.message,
        format!("no license {odd:?}"),
        "it reached the service whole, and is hidden"
    );
    let shown = format!("{client:?} {:?} {said:?}", config(&fake));
    assert!(
        !shown.contains(API_KEY) && !shown.contains(odd.reveal()),
        "{shown}"
    );
    let unreachable = ClientConfig::new("http://127.0.0.1:1/v1", Secret::new(API_KEY));
    let (_, _, why) = sort(
        Client::new(unreachable)
            .unwrap()
            .get(&LicenseKey::new("ABCD-EFGH"))
            .await,
    );
    assert!(!why.contains("ABCD-EFGH"), "{why}");
}

#[test]
fn a_client_that_cannot_work_is_not_made() {
    let error =
        |base: &str, key: &str| Client::new(ClientConfig::new(base, Secret::new(key))).unwrap_err();
    for base in [
        "",
        "api.authforge.cc",
        "ftp://x/v1",
        "http://",
        "https://u:secret@x/v1",
    ] {
        assert!(matches!(error(base, "k"), ClientError::Base(_)), "{base}");
    }
    let told = error("https://api.authforge.cc/v1", "af_live_\n");
    assert!(matches!(told, ClientError::Key) && !told.to_string().contains("af_live"));
}
