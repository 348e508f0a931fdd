//! Creates whose outcome is unknown, looked up by label: as many licenses as bought, whatever the service does.

mod just_over;

use std::collections::{BTreeMap, HashMap};

use keyward::clock::Clock;
use keyward::domain::id::{AppId, LicenseKey};
use keyward::domain::plan::Devices;
use keyward::domain::time::{Span, Timestamp};
use keyward::effects::license::recover::{
    Patience, RecoverError, RecoverRequest, Recovered, Recoverer,
};
use keyward::effects::license::sweep::Wanted;
use keyward::effects::license::{
    Abilities, Answer, Client, ClientConfig, License, NewLicense, RefusalKind,
};
use keyward::effects::throttle::Throttle;
use keyward::secret::Secret;

use crate::support::fake_licenses::{API_KEY, Fake, Faults};

fn app() -> AppId {
    AppId::new("app")
}

fn new(label: &str) -> NewLicense {
    NewLicense {
        app_id: app(),
        label: label.into(),
        expires_at: None,
        devices: Devices::Count(1),
    }
}

fn wanted(label: &str) -> Wanted {
    Wanted {
        label: label.into(),
        sent_at: None,
    }
}

fn client(fake: &Fake, abilities: Abilities) -> Client {
    let config = ClientConfig::new(fake.base(), Secret::new(API_KEY));
    Client::new(ClientConfig {
        request_timeout: Span::from_ms(80),
        abilities,
        ..config
    })
    .unwrap()
}

fn recoverer(client: &Client) -> Recoverer {
    let patience = Patience {
        tries: 20,
        first_wait: Span::ZERO,
    };
    Recoverer::new(client.clone(), Throttle::new(0, 8), patience)
}

async fn setup(faults: Faults) -> (Fake, Client, Recoverer) {
    let fake = Fake::start(faults).await;
    let client = client(&fake, Abilities::authforge());
    let recoverer = recoverer(&client);
    (fake, client, recoverer)
}

fn held_by_nobody(_: &LicenseKey) -> bool {
    false
}

async fn found(recoverer: &Recoverer, label: &str) -> Vec<License> {
    recoverer
        .find(&app(), &[wanted(label)], held_by_nobody)
        .await
        .unwrap()
        .remove(label)
        .unwrap_or_default()
}

/// Asks together with whoever asks meanwhile; only what a look shows that begins from now on is an answer.
async fn asked_anew(recoverer: &Recoverer, label: &str) -> Vec<License> {
    asked_since(recoverer, label, &Clock::Wall, Clock::Wall.now())
        .await
        .licenses
}

async fn asked_since(
    recoverer: &Recoverer,
    label: &str,
    clock: &Clock,
    since: Timestamp,
) -> Recovered {
    let asked = RecoverRequest {
        wanted: vec![wanted(label)],
        since,
        clock,
    };
    recoverer
        .recover(&app(), asked, held_by_nobody)
        .await
        .unwrap()
}

/// What the dispatcher does, without its store: send; when the outcome is unknown look twice; adopt, or send again.
async fn create_surely(client: &Client, recoverer: &Recoverer, label: &str) -> LicenseKey {
    for _ in 0..200 {
        match client.create(&new(label)).await {
            Answer::Done(license) => return license.key,
            Answer::Again { .. } | Answer::NotSent { .. } => {}
            Answer::Refused(refusal) => panic!("{refusal}"),
            Answer::Unknown { .. } => {
                for _ in 0..2 {
                    if let Some(license) = asked_anew(recoverer, label).await.pop() {
                        return license.key;
                    }
                }
            }
        }
    }
    panic!("{label}: no license after 200 tries");
}

#[tokio::test]
async fn exactly_as_many_as_bought_under_faults_of_every_kind() {
    let mut seeds = tokio::task::JoinSet::new();
    for seed in 1..=6 {
        seeds.spawn(exactly_as_many_as_bought(seed));
    }
    seeds.join_all().await;
}

async fn exactly_as_many_as_bought(seed: u64) {
    let faults = Faults {
        seed,
        error_pct: 12,
        hang_pct: 4,
        drop_pct: 12,
        garbage_pct: 8,
        limited_pct: 8,
        late_pct: 2,
        late_ms: 1,
        html: seed.is_multiple_of(2),
        ..Faults::default()
    };
    let (fake, client, recoverer) = setup(faults).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let (client, recoverer) = (client.clone(), recoverer.clone());
        let label = format!("Stripe sub sub_{n}");
        tasks.spawn(async move {
            (
                create_surely(&client, &recoverer, &label)
                    .await
                    .reveal()
                    .to_owned(),
                label,
            )
        });
    }
    let ours: BTreeMap<String, String> = tasks.join_all().await.into_iter().collect();
    let theirs = fake
        .licenses()
        .into_iter()
        .map(|l| (l.license_key, l.label.unwrap()));
    assert_eq!(ours, theirs.collect(), "seed {seed}: {:?}", fake.counters());
}

#[tokio::test]
async fn a_look_goes_through_all_pages_and_reads_each_license_once() {
    let (fake, client, recoverer) = setup(Faults::default()).await;
    for n in 0..450 {
        client
            .create(&new(&format!("Stripe sub sub_{n}")))
            .await
            .done()
            .unwrap();
    }
    assert_eq!(found(&recoverer, "Stripe sub sub_449").await.len(), 1);
    assert_eq!(
        (fake.counter("GET list"), fake.counter("GET one")),
        (3, 450)
    );
    assert_eq!(
        found(&recoverer, "Stripe sub sub_0").await[0]
            .label
            .as_deref(),
        Some("Stripe sub sub_0")
    );
    assert!(found(&recoverer, "Stripe sub sub_4490").await.is_empty());
    assert_eq!(
        (fake.counter("GET list"), fake.counter("GET one")),
        (9, 451)
    );
}

#[tokio::test]
async fn a_key_that_a_machine_holds_is_never_found() {
    let (_fake, client, recoverer) = setup(Faults::default()).await;
    let held = client.create(&new("one")).await.done().unwrap().key;
    let free = client.create(&new("one")).await.done().unwrap().key;
    let both = found(&recoverer, "one").await;
    assert_eq!(both.len(), 2);
    let of = recoverer
        .find(&app(), &[wanted("one"), wanted("two")], |k| *k == held)
        .await
        .unwrap();
    let keys: HashMap<&str, Vec<&LicenseKey>> = of
        .iter()
        .map(|(label, found)| (label.as_str(), found.iter().map(|l| &l.key).collect()))
        .collect();
    assert_eq!(keys, HashMap::from([("one", vec![&free])]));
}

#[tokio::test]
async fn a_cursor_that_is_refused_starts_over() {
    let (fake, client, recoverer) = setup(Faults {
        refuse_cursors: 2,
        ..Faults::default()
    })
    .await;
    for n in 0..250 {
        client.create(&new(&n.to_string())).await.done().unwrap();
    }
    assert_eq!(found(&recoverer, "249").await.len(), 1);
    fake.switch(|f| f.refuse_cursors = 1000);
    let failed = recoverer
        .find(&app(), &[wanted("249")], held_by_nobody)
        .await
        .unwrap_err();
    assert!(
        matches!(failed, RecoverError::Refused(refusal) if refusal.kind == RefusalKind::BadRequest)
    );
}

#[tokio::test]
async fn a_look_that_cannot_be_completed_concludes_nothing() {
    let (fake, _client, recoverer) = setup(Faults {
        error_pct: 100,
        ..Faults::default()
    })
    .await;
    let failed = recoverer
        .find(&app(), &[wanted("one")], held_by_nobody)
        .await
        .unwrap_err();
    assert!(matches!(failed, RecoverError::Unanswered(_)));
    assert_eq!(fake.counter("GET list"), 20);
    fake.switch(|f| (f.error_pct, f.refuse) = (0, Some(401)));
    let failed = recoverer
        .find(&app(), &[wanted("one")], held_by_nobody)
        .await
        .unwrap_err();
    assert!(
        matches!(failed, RecoverError::Refused(refusal) if refusal.kind == RefusalKind::BadKey)
    );
}

#[tokio::test]
async fn what_the_list_does_not_show_yet_is_found_by_the_second_look() {
    let (fake, client, recoverer) = setup(Faults::default()).await;
    fake.switch(|f| f.list_frozen = true);
    client.create(&new("one")).await.done().unwrap();
    assert!(found(&recoverer, "one").await.is_empty());
    fake.switch(|f| f.list_frozen = false);
    assert_eq!(found(&recoverer, "one").await.len(), 1);
}

#[tokio::test]
async fn better_lists_spare_reads() {
    let faults = Faults {
        list_shows_label: true,
        finds_by_label: true,
        ..Faults::default()
    };
    let (fake, plain, _) = setup(faults).await;
    for n in 0..30 {
        plain.create(&new(&n.to_string())).await.done().unwrap();
    }
    let shows = Abilities {
        list_shows_label: true,
        ..Abilities::authforge()
    };
    assert_eq!(found(&recoverer(&client(&fake, shows)), "7").await.len(), 1);
    assert_eq!((fake.counter("GET list"), fake.counter("GET one")), (1, 1));
    let finds = Abilities {
        finds_by_label: true,
        ..Abilities::authforge()
    };
    assert_eq!(found(&recoverer(&client(&fake, finds)), "7").await.len(), 1);
    assert_eq!((fake.counter("GET list"), fake.counter("GET one")), (2, 2));
}

#[tokio::test]
async fn a_crawl_knows_every_label_and_a_broken_one_is_resumed() {
    let (fake, client, recoverer) = setup(Faults::default()).await;
    for n in 0..30 {
        client
            .create(&new(&format!("Stripe sub sub_{}", n % 29)))
            .await
            .done()
            .unwrap();
    }
    fake.switch(|f| (f.seed, f.hang_pct) = (3, 40));
    let impatient = Recoverer::new(
        client.clone(),
        Throttle::new(0, 1),
        Patience {
            tries: 1,
            first_wait: Span::ZERO,
        },
    );
    let mut broken = 0;
    let index = loop {
        match impatient.crawl(&app(), held_by_nobody).await {
            Ok(index) => break index,
            Err(_) => broken += 1,
        }
        assert!(broken < 100);
    };
    assert!(broken > 0, "this seed breaks it off at least once");
    assert_eq!(
        (
            index.keys_of("Stripe sub sub_0").len(),
            index.keys_of("Stripe sub sub_1").len()
        ),
        (2, 1)
    );
    let kept: Vec<(u64, u64)> = impatient.with_memory(|memory| memory.pairs().collect());
    assert_eq!(kept.len(), 30);
    fake.switch(|f| f.hang_pct = 0);
    let reads = fake.counter("GET one");
    recoverer.with_memory(|memory| memory.learn(kept));
    recoverer.crawl(&app(), held_by_nobody).await.unwrap();
    assert_eq!(fake.counter("GET one"), reads);
}

#[tokio::test]
async fn all_who_ask_while_a_look_is_under_way_share_the_next() {
    let (fake, client, recoverer) = setup(Faults {
        latency_ms: 1,
        ..Faults::default()
    })
    .await;
    for n in 0..20 {
        client.create(&new(&n.to_string())).await.done().unwrap();
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let recoverer = recoverer.clone();
        tasks.spawn(async move { (n, asked_anew(&recoverer, &n.to_string()).await.len()) });
    }
    for (n, found) in tasks.join_all().await {
        assert_eq!(found, usize::from(n < 20), "{n}");
    }
    assert_eq!(
        fake.counter("GET list"),
        2,
        "the first asked alone, all others together"
    );
}

#[tokio::test]
async fn whoever_looks_for_others_may_be_dropped() {
    let (fake, client, recoverer) = setup(Faults::default()).await;
    client.create(&new("one")).await.done().unwrap();
    fake.switch(|f| f.hang_pct = 100);
    let ask = || {
        let recoverer = recoverer.clone();
        tokio::spawn(async move { asked_anew(&recoverer, "one").await })
    };
    let (first, second) = (ask(), ask());
    while fake.counter("GET list") == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    fake.switch(|f| f.hang_pct = 0);
    assert_eq!(second.await.unwrap().len(), 1);
}
