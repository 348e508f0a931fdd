//! What somebody may try to get past observe mode and the guard at a running server (rule 53).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{label, machine, next_s, one_time, refund};
use crate::support::wait::{PATIENCE, until};

const FOLDER: &str = "transport = \"folder\"\npath = \"./mail\"\n";

/// Requests that changed something at the license service, or tried to.
fn changes(fake: &Fake) -> u64 {
    let counters = fake.counters().into_iter();
    let reads = |name: &str| name.starts_with("GET") || name.starts_with("fault");
    counters
        .filter(|(name, _)| !reads(name))
        .map(|(_, n)| n)
        .sum()
}

fn mails(app: &TestApp) -> usize {
    std::fs::read_dir(app.dir().join("mail")).map_or(0, Iterator::count)
}

async fn held(app: &TestApp, count: usize) -> Value {
    until("held actions", PATIENCE, async || {
        let held = app.ask(&["held"]);
        let rows = held["rows"].as_array().map_or(0, Vec::len);
        (rows == count).then_some(held)
    })
    .await
}

async fn keys_of(fake: &Fake, names: &[&str]) {
    until("licenses", PATIENCE, async || {
        let all = fake.by_label();
        names
            .iter()
            .all(|n| all.contains_key(&label(n)))
            .then_some(())
    })
    .await;
}

async fn quiet(app: &TestApp) {
    until("a quiet server", PATIENCE, async || {
        (app.ask(&["actions"]) == json!([])).then_some(())
    })
    .await;
}

/// Work that waited when it began, a service that comes back, purchases, refunds and decisions, lists of retries, a kill and
/// a start after each of them: nothing is sent. Live, everybody has exactly one key, and what was ordered is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_past_observe_mode() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mut app = TestApp::start(Setup {
        mail: FOLDER.to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    for name in ["Ada", "Ben", "Eve"] {
        app.door().event(&one_time(name, next_s())).await;
    }
    keys_of(&fake, &["Ada", "Ben", "Eve"]).await;
    quiet(&app).await;
    until("their mails", PATIENCE, async || {
        (mails(&app) >= 3).then_some(())
    })
    .await;
    fake.switch(|f| f.refuse = Some(402));
    app.door().event(&one_time("Cleo", next_s())).await;
    until("a refusal", PATIENCE, async || {
        app.ask(&["actions"])[0]["error"].is_string().then_some(())
    })
    .await;
    app.ask(&["observe", "--reason", "something is odd"]);
    held(&app, 1).await;
    fake.switch(|f| f.refuse = None);
    let before = (changes(&fake), mails(&app));
    let (ada, ben) = (machine("Ada"), machine("Ben"));
    let tries: [(&[&str], usize); 4] = [
        (&["retry", "--all"], 1),
        (&["revoke", &ada, "--reason", "fraud"], 2),
        // The old key works on while the new one waits.
        (&["rekey", &ben, "--reason", "leaked"], 3),
        (&["retry", "--all"], 3),
    ];
    for (command, holds) in tries {
        let answer = app.ask(command);
        if command[0] != "retry" {
            let waits = json!([{
                "by": "observe", "actions": 1, "released_by": "keyward go-live --reason …"
            }]);
            assert_eq!(answer["held"], waits, "{command:?}");
        }
        app.kill9();
        app.restart().await;
        held(&app, holds).await;
    }
    app.door().event(&one_time("Dan", next_s())).await;
    app.door().event(&refund("Eve", next_s())).await;
    held(&app, 5).await;
    app.kill9();
    app.restart().await;
    app.ask(&["retry", "--all"]);
    held(&app, 5).await;
    assert_eq!((changes(&fake), mails(&app)), before);
    app.ask(&["go-live", "--reason", "it was nothing"]);
    keys_of(&fake, &["Cleo", "Dan"]).await;
    quiet(&app).await;
    held(&app, 0).await;
    let status =
        |name: &str, n: usize| app.ask(&["show", &machine(name)])["licenses"][n]["status"].clone();
    assert_eq!(status("Ada", 0), "revoked");
    assert_eq!([status("Ben", 0), status("Ben", 1)], ["revoked", "live"]);
    assert_eq!(status("Eve", 0), "revoked");
    for name in ["Cleo", "Dan"] {
        assert_eq!(
            [status(name, 0), status(name, 1)],
            [json!("live"), Value::Null]
        );
    }
}

/// One-time purchases by their metadata belong to no plan: a plan that goes live leaves them held, and says by which order
/// they go ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_goes_live_says_what_belongs_to_none_and_stays_held() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup {
        more: "[[plan]]\nname = \"pro\"\nprices = [\"price_pro\"]\n".to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    app.ask(&["observe", "--reason", "a first look"]);
    app.door().event(&one_time("Ada", next_s())).await;
    held(&app, 1).await;
    let go_live = ["go-live", "--plan", "pro", "--reason", "looked at"];
    let said = app.say(&go_live);
    let stays = "1 action stays held by observe: `keyward go-live`, without `--plan` for what belongs to no plan";
    assert!(said.contains(stays), "{said}");
    let answer = app.ask(&go_live);
    assert_eq!(answer["still_held"], json!({ "observe": 1 }), "{answer}");
    held(&app, 1).await;
    let said = app.say(&["go-live", "--reason", "looked at"]);
    assert!(!said.contains("stays held"), "{said}");
    keys_of(&fake, &["Ada"]).await;
}

/// A person's word on something that the guard does not hold is no look at what it counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approving_something_else_lets_no_more_through_the_guard() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let guard = "[guard]\nmax_hurtful = 1\nmax_share = \"0%\"\n".to_owned();
    let app = TestApp::start(Setup {
        more: guard,
        ..Setup::with(&fake)
    })
    .await;
    for name in ["Ada", "Ben"] {
        app.door().event(&one_time(name, next_s())).await;
    }
    keys_of(&fake, &["Ada", "Ben"]).await;
    quiet(&app).await;
    app.door().event(&refund("Ada", next_s())).await;
    until("the one that is let through", PATIENCE, async || {
        let page = app.ask(&["show", &machine("Ada")]);
        (page["licenses"][0]["status"] == "revoked").then_some(())
    })
    .await;
    app.ask(&["pause", "--service", "authforge", "--reason", "moving"]);
    app.door().event(&one_time("Cleo", next_s())).await;
    let seen = held(&app, 1).await;
    let id = seen["rows"][0]["id"].as_str().unwrap();
    app.ask(&["held", "approve", id, "--reason", "she waits"]);
    app.ask(&["resume", "--service", "authforge", "--reason", "moved"]);
    keys_of(&fake, &["Cleo"]).await;
    app.door().event(&refund("Ben", next_s())).await;
    let seen = held(&app, 1).await;
    assert!(seen["holding"]["guard_tripped"].is_string(), "{seen:#}");
}

/// Whoever only looks at `/readyz` sees that nothing is sent, and why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readyz_says_that_nothing_is_sent() {
    let app = TestApp::start(Setup::embedded()).await;
    let observes = async || -> Value {
        let ready = app.door().get("/readyz").await.unwrap().body;
        serde_json::from_str::<Value>(&ready).unwrap()["observe"].clone()
    };
    assert_eq!(observes().await, Value::Null);
    app.ask(&["observe", "--reason", "something is odd"]);
    let said = observes().await;
    assert!(
        said.as_str()
            .is_some_and(|said| said.ends_with(": something is odd")),
        "{said}"
    );
    app.ask(&["go-live", "--reason", "it was nothing"]);
    assert_eq!(observes().await, Value::Null);
}

/// What the config says of the mode may have changed since the backup was made: a restored store is observed all the same,
/// until somebody has looked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_config_s_mode_is_no_go_live_of_a_restored_store() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    let config = std::fs::read_to_string(app.config()).unwrap();
    let with_mode = |mode: &str| format!("mode = \"{mode}\"\n{config}");
    app.kill9();
    std::fs::write(app.config(), with_mode("observe")).unwrap();
    app.restart().await;
    app.door().event(&one_time("Ada", next_s())).await;
    held(&app, 1).await;
    app.ask(&["go-live", "--reason", "the old handler is off"]);
    keys_of(&fake, &["Ada"]).await;
    quiet(&app).await;
    let target = app.dir().join("one.backup");
    let target = target.to_str().unwrap();
    app.ask(&["backup", target]);
    app.kill9();
    std::fs::write(app.config(), with_mode("live")).unwrap();
    let data = app.dir().join("data");
    std::fs::rename(&data, app.dir().join("before")).unwrap();
    app.ask(&["restore", target]);
    for _ in 0..2 {
        app.restart().await;
        let waits = app.ask(&["attention"]).to_string();
        assert!(waits.contains("\"restored\""), "{waits}");
        app.kill9();
    }
    app.restart().await;
    app.door().event(&one_time("Ben", next_s())).await;
    held(&app, 1).await;
    app.ask(&["go-live", "--reason", "looked at"]);
    keys_of(&fake, &["Ada", "Ben"]).await;
    app.kill9();
    app.restart().await;
    quiet(&app).await;
    held(&app, 0).await;
}
