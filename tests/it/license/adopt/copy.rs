//! A copy of the data directory that is put back makes nothing twice, however short the time of which it knows nothing.

use std::path::Path;
use std::sync::Arc;

use keyward::clock::Clock;
use keyward::domain::id::AppId;
use keyward::domain::plan::Devices;
use keyward::effects::license::{Client, ClientConfig, NewLicense};
use keyward::secret::Secret;
use serde_json::{Value, json};

use super::story::Old;
use super::{FOLDER, idle, mailed_keys};
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{API_KEY, Fake, Faults};
use crate::support::purchase::{label, machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

/// A key for each unit.
const PLAN: &str = "[[plan]]\nname = \"tool\"\nprices = [\"price_tool\"]\nseats = \"keys\"\nlicense = { devices = 2 }\n";

async fn stop(app: &mut TestApp) {
    app.terminate();
    assert_eq!(app.ended(PATIENCE).await.code(), Some(0), "{}", app.tail());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn put_back(app: &TestApp) {
    let data = app.dir().join("data");
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(app.dir().join("copy"), &data).unwrap();
}

async fn sold(app: &TestApp, fake: &Fake, names: &[&str]) {
    let all = async || {
        names
            .iter()
            .all(|name| fake.by_label().contains_key(&label(name)))
            .then_some(())
    };
    until("licenses of all", PATIENCE, all).await;
    idle(app).await;
}

/// What happened, or was told, after the copy was made.
fn told_after_the_copy(team: &Old) -> [Value; 3] {
    [
        one_time("After", Clock::Wall.now().s()),
        // Stripe told late of it: it happened before the copy was made.
        one_time("Late", Clock::Wall.now().s() - 3_600),
        Old {
            quantity: 3,
            turned_s: Clock::Wall.now().s() - 60,
            ..team.clone()
        }
        .updated("active"),
    ]
}

/// Who buys now does not wait for a look.
async fn a_new_purchase_waits_for_no_look(app: &TestApp, fake: &Fake) {
    let lists = fake.counter("GET list");
    app.door().event(&one_time("New", next_s())).await;
    sold(app, fake, &["New"]).await;
    assert_eq!(fake.counter("GET list"), lists);
    assert_eq!(
        app.ask(&["show", &machine("New")])["licenses_created"],
        json!(1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_put_back_makes_nothing_twice() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let setup = Setup {
        mail: FOLDER.to_owned(),
        more: PLAN.to_owned(),
        ..Setup::with(&fake)
    };
    let mut app = TestApp::start(setup).await;
    let team = Old {
        quantity: 2,
        ..Old::new("Team")
    };
    let bought = [team.checked_out(), team.renewed()];
    for event in [one_time("Before", next_s())].iter().chain(&bought) {
        app.door().event(event).await;
    }
    sold(&app, &fake, &["Before"]).await;
    // What waits when the copy is made goes through in the other life.
    fake.switch(|f| f.refuse = Some(402));
    app.door().event(&one_time("Waiting", next_s())).await;
    until("a refusal", PATIENCE, async || {
        app.ask(&["actions"])[0]["error"].is_string().then_some(())
    })
    .await;
    stop(&mut app).await;
    copy(&app.dir().join("data"), &app.dir().join("copy"));
    app.restart().await;
    fake.switch(|f| f.refuse = None);
    app.ask(&["retry", "--all"]);
    let lost = told_after_the_copy(&team);
    for event in &lost {
        app.door().event(event).await;
    }
    sold(&app, &fake, &["Before", "Waiting", "After", "Late"]).await;
    until("the third key", PATIENCE, async || {
        (fake.licenses().len() == 7).then_some(())
    })
    .await;
    idle(&app).await;
    let made = fake.counter("POST");
    stop(&mut app).await;
    put_back(&app);
    app.restart().await;
    let mails = mailed_keys(&app, &fake).len();
    app.ask(&["retry", "--all"]);
    for event in &lost {
        app.door().event(event).await;
    }
    let found = async || {
        let of = |id: &str| {
            app.ask(&["show", id])["licenses"]
                .as_array()
                .map_or(0, Vec::len)
        };
        let all = ["Before", "Waiting", "After", "Late"].map(|name| of(&machine(name)));
        (all == [1; 4] && of(&team.machine()) == 3).then_some(())
    };
    until("every license", PATIENCE, found).await;
    idle(&app).await;
    assert_eq!(
        (fake.counter("POST"), fake.licenses().len()),
        (made, 7),
        "none was made twice: {:?}",
        fake.by_label()
    );
    assert_eq!(mailed_keys(&app, &fake).len(), mails, "nor mailed");
    a_new_purchase_waits_for_no_look(&app, &fake).await;
    assert_eq!(app.ask(&["actions"]), Value::Array(vec![]));
}

/// A crawl that the end of the process broke off goes on where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crawl_goes_on_where_the_last_process_left_it() {
    const OTHERS: usize = 1_000;
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let client = Client::new(ClientConfig::new(fake.base(), Secret::new(API_KEY))).unwrap();
    for n in 0..OTHERS {
        let (app_id, label) = (AppId::new("app_test"), format!("other {n}"));
        let new = NewLicense {
            app_id,
            label,
            expires_at: None,
            devices: Devices::Count(1),
        };
        client.create(&new).await.done().unwrap();
    }
    fake.switch(|f| f.latency_ms = 10);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    let old = one_time("Old", Clock::Wall.now().s() - 3_600);
    app.door().event(&old).await;
    let far = async || (fake.counter("GET one") > OTHERS as u64 * 3 / 4).then_some(());
    until("most of the crawl", PATIENCE, far).await;
    app.kill9();
    let before = fake.counter("GET one");
    assert!(before < OTHERS as u64, "it broke off: {before}");
    app.restart().await;
    sold(&app, &fake, &["Old"]).await;
    let again = fake.counter("GET one") - OTHERS as u64;
    // Nothing kept would mean that all were; what was read last had not been written yet.
    assert!(again + 100 < before, "{again} of {before} were read twice");
}
