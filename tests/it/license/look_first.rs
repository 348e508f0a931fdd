//! A store that begins beside licenses which others made (rule 52): theirs are adopted, none is made again, nobody
//! is written to about them, and whoever buys meanwhile does not wait.

use std::sync::Arc;

use keyward::domain::id::{AppId, LicenseKey};
use keyward::domain::plan::Devices;
use keyward::effects::license::{Client, ClientConfig, NewLicense};
use keyward::secret::Secret;
use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{API_KEY, Fake, Faults};
use crate::support::purchase::{label, machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

/// Licenses of other sales, whose labels have to be read too.
const OTHERS: usize = 200;
/// How long the service takes for an answer: four at a time, all labels take this 65 times.
const LATENCY_MS: u64 = 50;
pub(crate) const DAY_S: i64 = 86_400;

/// What the guide's handler would have made.
pub(crate) async fn made_before(fake: &Fake, labels: impl IntoIterator<Item = String>) {
    let client = Client::new(ClientConfig::new(fake.base(), Secret::new(API_KEY))).unwrap();
    for label in labels {
        let (app_id, devices) = (AppId::new("app_test"), Devices::Count(2));
        let new = NewLicense {
            app_id,
            label,
            expires_at: None,
            devices,
        };
        client.create(&new).await.done().unwrap();
    }
}

pub(crate) fn names(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{what}{n:03}")).collect()
}

fn page(app: &TestApp, name: &str) -> Value {
    app.ask(&["show", &machine(name)])
}

/// Each holds the license that others made, and nobody was written to.
fn adopted(app: &TestApp, fake: &Fake, held: &[String]) {
    let keys: std::collections::BTreeMap<_, _> = fake
        .licenses()
        .into_iter()
        .map(|l| (l.label.unwrap_or_default(), l.license_key))
        .collect();
    for name in held {
        let page = page(app, name);
        assert_eq!(
            page["licenses"][0]["key"],
            keys[&label(name)].as_str(),
            "{page:#}"
        );
        assert_eq!(
            (&page["licenses_created"], &page["notices"]),
            (&json!(0), &json!([])),
            "{page:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn licenses_made_before_are_adopted_and_new_purchases_do_not_wait() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (held, unmet, new) = (names("Held", 60), names("Unmet", 6), names("New", 10));
    made_before(&fake, names("Other", OTHERS)).await;
    made_before(&fake, held.iter().map(|name| label(name))).await;
    let before = fake.counter("POST");
    fake.switch(|faults| faults.latency_ms = LATENCY_MS);
    let mail = "transport = \"folder\"\npath = \"./mail\"\n".to_owned();
    let app = TestApp::start(Setup {
        mail,
        ..Setup::with(&fake)
    })
    .await;
    for name in held.iter().chain(&unmet) {
        app.door().event(&one_time(name, next_s() - DAY_S)).await;
    }
    for name in &new {
        app.door().event(&one_time(name, next_s())).await;
    }
    let all_of = |names: &[String]| {
        names
            .iter()
            .all(|name| fake.by_label().contains_key(&label(name)))
    };
    until("licenses of new purchases", PATIENCE, async || {
        all_of(&new).then_some(())
    })
    .await;
    assert_eq!(
        page(&app, &held[0])["licenses"],
        json!([]),
        "the look was still under way"
    );
    until("licenses of all", PATIENCE, async || {
        let idle = all_of(&unmet) && app.ask(&["actions"]) == json!([]);
        idle.then_some(())
    })
    .await;
    assert_eq!(
        fake.counter("POST") - before,
        (unmet.len() + new.len()) as u64,
        "made by us"
    );
    adopted(&app, &fake, &held);
    let mailed = async || {
        let folder = std::fs::read_dir(app.dir().join("mail")).ok()?;
        let mails = folder
            .filter(|f| {
                f.as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_some_and(|e| e == "eml")
            })
            .count();
        (mails == unmet.len() + new.len()).then_some(())
    };
    until(
        "a mail for each key that we made, and no other",
        PATIENCE,
        mailed,
    )
    .await;
    let read = fake.counter("GET one");
    assert!(
        read <= 2 * (OTHERS + held.len()) as u64,
        "each label is read about once: {read}"
    );
}

/// More than the looks that are under way at a time: what comes behind them must not need a list of its own.
const WAITING: usize = 2_200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_over_a_restart_is_looked_for_in_one_list_however_much_it_is() {
    let refusing = Faults {
        refuse: Some(401),
        ..Faults::default()
    };
    let fake = Arc::new(Fake::start(refusing).await);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    let bought: Vec<String> = (0..WAITING).map(|n| format!("Waits{n:04}")).collect();
    for some in bought.chunks(50) {
        let one = |name: &String| {
            let (door, event) = (app.door().clone(), one_time(name, next_s()));
            async move { door.event(&event).await }
        };
        let told: tokio::task::JoinSet<()> = some.iter().map(one).collect();
        told.join_all().await;
    }
    fake.switch(|faults| faults.refuse = None);
    let before = fake.counter("GET list begun");
    app.kill9();
    app.restart().await;
    let made = async |count: usize| {
        let made = || (fake.licenses().len() >= count).then_some(());
        until("licenses of what waited", PATIENCE, async || made()).await;
    };
    // A few were refused before the service was known to refuse, and are tried again in ten minutes.
    made(WAITING - 100).await;
    // However many pages it has by then: what is made meanwhile stands in it, too.
    let lists = fake.counter("GET list begun") - before;
    assert!(lists <= 2, "the list was gone through {lists} times");
    app.ask(&["retry", "--all"]);
    made(WAITING).await;
    assert_eq!(fake.by_label().len(), WAITING, "one for each, and no more");
}

/// The guide's handler sells twice when Stripe tells twice: of two licenses the live one is taken, and of the other a person
/// is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_licenses_the_live_one_is_taken_and_the_other_told() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    made_before(&fake, [label("Twice"), label("Twice")]).await;
    let keys: Vec<String> = fake.licenses().into_iter().map(|l| l.license_key).collect();
    let client = Client::new(ClientConfig::new(fake.base(), Secret::new(API_KEY))).unwrap();
    client
        .revoke(&LicenseKey::new(&keys[0]))
        .await
        .done()
        .unwrap();
    // The law of one license a label holds for what we make: these two were there.
    let app = TestApp::start(Setup {
        fake: None,
        ..Setup::with(&fake)
    })
    .await;
    app.door().event(&one_time("Twice", next_s() - DAY_S)).await;
    let adopted = async || {
        let page = page(&app, "Twice");
        page["licenses"][0].is_object().then_some(page)
    };
    let page = until("the purchase's license", PATIENCE, adopted).await;
    assert_eq!(page["licenses"].as_array().unwrap().len(), 1, "{page:#}");
    assert_eq!(
        (&page["licenses"][0]["key"], &page["licenses_created"]),
        (&json!(keys[1]), &json!(0)),
        "{page:#}"
    );
    assert_eq!(page["actions"][0]["adopted"], true, "{page:#}");
    let reports = page["reports"].to_string();
    let tail = &keys[0][keys[0].len() - 4..];
    assert!(
        reports.contains("left alone") && reports.contains(&format!("…{tail}")),
        "{page:#}"
    );
    assert_eq!(fake.counter("POST"), 2, "those made before");
}
