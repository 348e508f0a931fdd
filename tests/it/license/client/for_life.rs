//! A license for life comes back, whatever the service says of taking an end away.

use super::*;

/// The end that stands for none, as the service keeps it.
const FAR: &str = "2099-12-31T12:00:00+00:00";

/// Stops a license for life and starts it again; what the client shows and the service keeps.
async fn there_and_back(faults: Faults, abilities: Abilities) -> (Fake, Client, LicenseKey) {
    let fake = Fake::start(faults).await;
    let client = Client::new(ClientConfig {
        abilities,
        ..config(&fake)
    })
    .unwrap();
    let new = NewLicense {
        expires_at: None,
        ..new("Stripe session cs_1")
    };
    let key = client.create(&new).await.done().unwrap().key;
    client.suspend(&key, MAY).await.done().unwrap();
    assert_eq!(
        client.get(&key).await.done().unwrap().is_live(MAY),
        Some(false)
    );
    (fake, client, key)
}

async fn comes_back(client: &Client, key: &LicenseKey) {
    let back = client.reinstate(key, None, StoppedBy::Suspension).await;
    assert_eq!(back.done().unwrap().expires_at, Expiry::Never);
    let read = client.get(key).await.done().unwrap();
    assert_eq!(
        (read.expires_at, read.status),
        (Expiry::Never, Status::Active)
    );
}

fn end(fake: &Fake) -> Option<String> {
    fake.licenses()[0].expires_at.map(|at| at.to_rfc3339())
}

#[tokio::test]
async fn a_refusal_to_take_the_end_away_leads_to_a_far_one() {
    for for_life in ["refuse", "ignore"] {
        let faults = Faults {
            for_life: for_life.to_owned(),
            ..Faults::default()
        };
        let (fake, client, key) = there_and_back(faults, Abilities::authforge()).await;
        comes_back(&client, &key).await;
        assert_eq!(end(&fake).as_deref(), Some(FAR), "{for_life}");
        // What it refused once is not asked again.
        let asked = fake.counter("PUT extend");
        client.suspend(&key, MAY).await.done().unwrap();
        comes_back(&client, &key).await;
        assert_eq!(fake.counter("PUT extend"), asked + 2, "{for_life}");
    }
}

#[tokio::test]
async fn what_a_probe_learned_leads_there_at_once() {
    let learned = Abilities {
        can_be_for_life: false,
        ..Abilities::authforge()
    };
    let (fake, client, key) = there_and_back(Faults::default(), learned).await;
    let asked = fake.counter("PUT extend");
    comes_back(&client, &key).await;
    assert_eq!(end(&fake).as_deref(), Some(FAR));
    assert_eq!(fake.counter("PUT extend"), asked + 1);
    // Where the service can, no date is set.
    let (fake, client, key) = there_and_back(Faults::default(), Abilities::authforge()).await;
    comes_back(&client, &key).await;
    assert_eq!(end(&fake), None);
}

#[tokio::test]
async fn where_no_far_end_is_taken_either_the_first_refusal_is_told() {
    let faults = Faults {
        for_life: "refuse".to_owned(),
        end_max_days: 3_650,
        ..Faults::default()
    };
    let (_fake, client, key) = there_and_back(faults, Abilities::authforge()).await;
    let refused = client.reinstate(&key, None, StoppedBy::Suspension).await;
    assert_eq!(refusal(refused).kind, RefusalKind::BadRequest);
    assert_eq!(
        client.get(&key).await.done().unwrap().is_live(MAY),
        Some(false)
    );
}

/// Undoing a revocation needs `activate`, whatever the way of stopping is.
#[tokio::test]
async fn a_revocation_is_undone_though_stops_are_ends() {
    let able = Abilities {
        revoke_reversible: true,
        ..Abilities::authforge()
    };
    let (fake, client, key) = there_and_back(Faults::default(), able).await;
    client.revoke(&key).await.done().unwrap();
    let back = client
        .reinstate(&key, Some(MAY), StoppedBy::Revocation)
        .await;
    let back = back.done().unwrap();
    assert_eq!(
        (back.status, back.expires_at),
        (Status::Active, Expiry::At(MAY))
    );
    assert_eq!(fake.counter("PUT activate"), 1);
}
