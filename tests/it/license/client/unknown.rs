//! Outcomes that are not known.

use keyward::domain::id::LicenseKey;
use keyward::effects::license::{Client, ClientConfig};
use keyward::secret::Secret;

use super::{app, config, fake_and_client, impatient, made, new, sort};
use crate::support::fake_licenses::{API_KEY, Fake, Faults};

/// All that can come of it is "unknown", and half of the creates did happen.
async fn unknown_half_of_the_time(faults: Faults, said: &str) {
    let fake = Fake::start(faults).await;
    let client = impatient(&fake);
    for n in 0..40 {
        let (sorted, _, why) = sort(client.create(&new(&format!("Stripe sub sub_{n}"))).await);
        assert_eq!(sorted, "unknown", "{why}");
        assert!(why.contains(said), "{why}");
    }
    let happened = fake.licenses().len();
    assert!((5..=35).contains(&happened), "{happened} of 40 happened");
}

#[tokio::test]
async fn a_servers_error_leaves_the_outcome_unknown() {
    unknown_half_of_the_time(
        Faults {
            error_pct: 100,
            ..Faults::default()
        },
        "internal_error",
    )
    .await;
    unknown_half_of_the_time(
        Faults {
            error_pct: 100,
            html: true,
            ..Faults::default()
        },
        "from a gateway",
    )
    .await;
}

#[tokio::test]
async fn no_answer_in_time_leaves_the_outcome_unknown() {
    unknown_half_of_the_time(
        Faults {
            hang_pct: 100,
            ..Faults::default()
        },
        "no answer in time",
    )
    .await;
}

#[tokio::test]
async fn a_lost_connection_leaves_the_outcome_unknown() {
    unknown_half_of_the_time(
        Faults {
            drop_pct: 100,
            ..Faults::default()
        },
        "connection",
    )
    .await;
}

#[tokio::test]
async fn an_illegible_success_is_unknown_and_happened() {
    let (fake, client) = fake_and_client(Faults {
        garbage_pct: 100,
        ..Faults::default()
    })
    .await;
    assert_eq!(
        sort(client.create(&new("Stripe sub sub_1")).await).0,
        "unknown"
    );
    assert_eq!(sort(client.list(&app(), None).await).0, "unknown");
    assert_eq!(fake.licenses().len(), 1);
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let (_fake, client) = fake_and_client(Faults {
        pad_bytes: 700_000,
        ..Faults::default()
    })
    .await;
    made(&client, "Stripe sub sub_1").await;
    let (_fake, client) = fake_and_client(Faults {
        pad_bytes: 1_100_000,
        ..Faults::default()
    })
    .await;
    let (sorted, _, why) = sort(client.create(&new("Stripe sub sub_1")).await);
    assert_eq!(sorted, "unknown", "{why}");
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = Client::new(ClientConfig::new(
        format!("http://{free}/v1"),
        Secret::new(API_KEY),
    ))
    .unwrap();
    let (sorted, _, why) = sort(client.create(&new("Stripe sub sub_1")).await);
    assert_eq!(sorted, "not sent", "{why}");
    assert_eq!(sort(client.get(&LicenseKey::new("K")).await).0, "not sent");
    // Nor is anything sent before the service has shown who it is.
    let fake = Fake::start(Faults::default()).await;
    let tls = ClientConfig {
        api_base: fake.base().replace("http:", "https:"),
        ..config(&fake)
    };
    let (sorted, _, why) = sort(
        Client::new(tls)
            .unwrap()
            .create(&new("Stripe sub sub_1"))
            .await,
    );
    assert_eq!(sorted, "not sent", "{why}");
}
