//! The embedded license service, through the same client as any other.

mod model;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use keyward::clock::Clock;
use keyward::domain::id::{AppId, LicenseKey};
use keyward::domain::plan::Devices;
use keyward::domain::time::{Span, Timestamp};
use keyward::effects::license::recover::{Patience, Recoverer};
use keyward::effects::license::stop::StoppedBy;
use keyward::effects::license::sweep::Wanted;
use keyward::effects::license::{
    Abilities, Answer, Client, ClientConfig, Expiry, License, NewLicense, RefusalKind, Status,
};
use keyward::effects::throttle::Throttle;
use keyward::embedded::{
    DEVICES_MAX, Ledger, LedgerError, PREFIX, ServeError, StoreLedger, new_token, serve,
};
use keyward::secret::Secret;
use keyward::store::{Create, Options};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const NOW: Timestamp = Timestamp::from_s(1_777_593_600);

/// A disk that outlives the service, and can fail.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Default)]
struct Platter {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    fails_with: Option<LedgerError>,
}

impl Ledger for Disk {
    fn load(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.0
            .lock()
            .unwrap()
            .values
            .iter()
            .filter(|(key, _)| key.starts_with(PREFIX))
            .try_for_each(|(_, value)| each(value))
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.0.lock().unwrap().values.get(key).cloned())
    }

    fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError> {
        let mut disk = self.0.lock().unwrap();
        match disk.fails_with.clone() {
            Some(error) => return Err(error),
            None => disk.values.extend(writes),
        }
        Ok(())
    }
}

struct Service {
    base: String,
    token: Secret,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl Service {
    async fn start(disk: &Disk) -> Self {
        Self::over(disk.clone()).await
    }

    async fn over(ledger: impl Ledger) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1/", listener.local_addr().unwrap());
        let (token, stop) = (new_token(), CancellationToken::new());
        let serving = serve(
            listener,
            ledger,
            token.clone(),
            Clock::virtual_at(NOW),
            stop.clone(),
        );
        Self {
            base,
            token,
            stop,
            served: tokio::spawn(serving),
        }
    }

    fn client(&self) -> Client {
        Client::new(ClientConfig::embedded(&self.base, self.token.clone())).unwrap()
    }

    async fn end(self) -> Result<(), ServeError> {
        self.stop.cancel();
        self.served.await.unwrap()
    }
}

fn app() -> AppId {
    AppId::new("demo")
}

fn new(label: &str) -> NewLicense {
    let expires_at = Some(NOW + Span::from_days(30));
    NewLicense {
        app_id: app(),
        label: label.into(),
        expires_at,
        devices: Devices::Count(2),
    }
}

async fn made(client: &Client, label: &str) -> License {
    client.create(&new(label)).await.done().unwrap()
}

fn kind<T>(answer: &Answer<T>) -> Option<RefusalKind> {
    match answer {
        Answer::Refused(refusal) => Some(refusal.kind),
        Answer::Done(_)
        | Answer::Again { .. }
        | Answer::NotSent { .. }
        | Answer::Unknown { .. } => None,
    }
}

#[tokio::test]
async fn a_license_goes_through_all_that_the_service_can_do() {
    let service = Service::start(&Disk::default()).await;
    let client = service.client();
    let license = made(&client, "Stripe sub sub_1").await;
    assert_eq!(license.key.reveal().len(), "XXXX-XXXX-XXXX-XXXX-XXXX".len());
    assert_eq!(
        (license.created_at, license.is_live(NOW)),
        (Some(NOW), Some(true))
    );
    let key = license.key;
    assert_eq!(
        client.suspend(&key, NOW).await.done().unwrap().status,
        Status::Suspended
    );
    let back = client
        .reinstate(&key, None, StoppedBy::Suspension)
        .await
        .done()
        .unwrap();
    assert_eq!(
        (back.status, back.expires_at),
        (Status::Active, Expiry::Never)
    );
    assert_eq!(client.abilities().devices_max, DEVICES_MAX);
    for devices in [
        Devices::Count(DEVICES_MAX),
        Devices::Unlimited,
        Devices::Count(1),
    ] {
        assert_eq!(
            client
                .set_devices(&key, devices)
                .await
                .done()
                .unwrap()
                .devices,
            Some(devices)
        );
    }
    assert_eq!(client.reset_devices(&key).await, Answer::Done(()));
    assert_eq!(
        client.revoke(&key).await.done().unwrap().status,
        Status::Revoked
    );
    assert_eq!(
        kind(&client.suspend(&key, NOW).await),
        Some(RefusalKind::BadRequest)
    );
    assert_eq!(
        client.activate(&key).await.done().unwrap().status,
        Status::Active
    );
    assert_eq!(
        client.get(&key).await.done().unwrap().label.as_deref(),
        Some("Stripe sub sub_1")
    );
    service.end().await.unwrap();
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let disk = Disk::default();
    let service = Service::start(&disk).await;
    let client = service.client();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..300 {
        let client = client.clone();
        tasks.spawn(async move { made(&client, &format!("label {n}")).await });
    }
    let mut ours: Vec<LicenseKey> = tasks.join_all().await.into_iter().map(|l| l.key).collect();
    service.end().await.unwrap();

    let service = Service::start(&disk).await;
    let client = service.client();
    made(&client, "one more").await;
    let (mut theirs, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.list(&app(), cursor.as_deref()).await.done().unwrap();
        assert!(
            page.licenses
                .iter()
                .all(|l| l.label.is_none() && l.bound.is_none())
        );
        theirs.extend(page.licenses.into_iter().map(|l| l.key));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(theirs.len(), 301);
    theirs.truncate(300);
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs, "the new one comes last");
}

#[tokio::test]
async fn licenses_are_found_by_label_with_and_without_the_filter() {
    let service = Service::start(&Disk::default()).await;
    let client = service.client();
    for n in 0..210 {
        made(&client, &format!("Stripe sub sub_{}", n % 205)).await;
    }
    let plain = Abilities {
        finds_by_label: false,
        ..Abilities::embedded()
    };
    let config = ClientConfig::embedded(&service.base, service.token.clone());
    let plain = Client::new(ClientConfig {
        abilities: plain,
        ..config
    })
    .unwrap();
    let wanted = [
        "Stripe sub sub_0",
        "Stripe sub sub_204",
        "Stripe sub sub_205",
    ];
    let wanted = wanted.map(|label| Wanted {
        label: label.into(),
        sent_at: None,
    });
    for client in [client, plain] {
        let recoverer = Recoverer::new(client, Throttle::new(0, 8), Patience::default());
        let found = recoverer.find(&app(), &wanted, |_| false).await.unwrap();
        let count = |label| found.get(label).map_or(0, Vec::len);
        let counts = [
            count("Stripe sub sub_0"),
            count("Stripe sub sub_204"),
            count("Stripe sub sub_205"),
        ];
        assert_eq!(counts, [2, 1, 0]);
    }
}

#[tokio::test]
async fn nonsense_is_refused_in_the_documented_form() {
    let service = Service::start(&Disk::default()).await;
    let client = service.client();
    let stranger = ClientConfig {
        api_key: Secret::new("wrong"),
        ..ClientConfig::embedded(&service.base, service.token.clone())
    };
    let stranger = Client::new(stranger).unwrap();
    assert_eq!(
        kind(&stranger.create(&new("x")).await),
        Some(RefusalKind::BadKey)
    );
    assert_eq!(
        kind(&client.get(&LicenseKey::new("a/b")).await),
        Some(RefusalKind::NotFound)
    );
    assert_eq!(
        kind(&client.revoke(&LicenseKey::new("none")).await),
        Some(RefusalKind::NotFound)
    );
    assert_eq!(
        kind(&client.create(&new(&"x".repeat(129))).await),
        Some(RefusalKind::BadRequest)
    );
    assert_eq!(
        kind(&client.create(&new(&"x".repeat(99_999))).await),
        Some(RefusalKind::Other),
        "413"
    );
    assert_eq!(
        kind(&client.list(&app(), Some("x")).await),
        Some(RefusalKind::BadRequest)
    );
    let elsewhere = Client::new(ClientConfig::embedded(
        format!("{}v2", service.base),
        service.token.clone(),
    ))
    .unwrap();
    assert_eq!(
        kind(&elsewhere.reachable(&app()).await),
        Some(RefusalKind::NotFound)
    );
    assert_eq!(client.reachable(&app()).await, Answer::Done(()));
}

#[tokio::test]
async fn a_store_that_fails_ends_the_service_and_answers_nobody() {
    let disk = Disk::default();
    let service = Service::start(&disk).await;
    let client = service.client();
    made(&client, "one").await;
    let fail_with = |error| disk.0.lock().unwrap().fails_with = error;
    fail_with(Some(LedgerError::Full("no room".into())));
    assert!(matches!(
        client.create(&new("two")).await,
        Answer::Unknown { .. }
    ));
    fail_with(None);
    made(&client, "three").await;
    assert_eq!(
        client
            .list(&app(), None)
            .await
            .done()
            .unwrap()
            .licenses
            .len(),
        2
    );
    fail_with(Some(LedgerError::Broken("the disk failed".into())));
    assert!(matches!(
        client.create(&new("four")).await,
        Answer::Unknown { .. }
    ));
    let served = service.served.await.unwrap();
    assert!(matches!(served, Err(ServeError::Ledger(_))), "{served:?}");
    // Its port may be another service's by now, which knows neither the key nor the application.
    let five = client.create(&new("five")).await;
    assert!(!matches!(five, Answer::Done(_)), "{five:?}");
    disk.0
        .lock()
        .unwrap()
        .values
        .insert(b"license/x".to_vec(), b"\x09".to_vec());
    let refused = Service::start(&disk).await.served.await.unwrap();
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("made by a newer version")
    );
}

#[tokio::test]
async fn the_durable_store_keeps_what_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut keys = Vec::new();
    for round in 0..2 {
        let create = if round == 0 {
            Create::IfMissing
        } else {
            Create::Never
        };
        let options = Options {
            create,
            ..Options::default()
        };
        let (writer, reader) = keyward::store::sled::Store::open(dir.path(), options).unwrap();
        let service = Service::over(StoreLedger::new(reader, writer)).await;
        let client = service.client();
        for key in &keys {
            assert_eq!(client.get(key).await.done().unwrap().status, Status::Active);
        }
        keys.push(made(&client, &format!("round {round}")).await.key);
        service.end().await.unwrap();
    }
}
