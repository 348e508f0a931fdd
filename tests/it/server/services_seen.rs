//! A license service or a mail server that is gone is seen: in `/readyz`, in `/metrics`, and by one line in the log when it
//! goes and one when it comes back. Deliveries are taken all the while.

mod mail;
mod refused_mails;
mod restarted;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{label, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

/// The line of a service in `/readyz`, which is 200 whatever the services do.
async fn line(app: &TestApp, service: &str) -> Value {
    let answered = app.door().get("/readyz").await.unwrap();
    assert_eq!(answered.status, 200, "{}", answered.body);
    let body: Value = serde_json::from_str(&answered.body).unwrap();
    let lines = body["services"].as_array().unwrap();
    lines
        .iter()
        .find(|line| line["service"] == service)
        .unwrap_or_else(|| panic!("{body:#}"))
        .clone()
}

/// Waits until a service's line is in a state, with at least so much waiting.
async fn until_state(app: &TestApp, service: &str, state: &str, waiting: u64) -> Value {
    let look = async || {
        let line = line(app, service).await;
        (line["state"] == state && line["waiting"].as_u64().is_some_and(|n| n >= waiting))
            .then_some(line)
    };
    until(&format!("{service} is {state}"), PATIENCE, look).await
}

/// The samples of `/metrics`: name and labels as they stand there, and the value.
async fn samples(app: &TestApp) -> BTreeMap<String, f64> {
    let text = app.door().get("/metrics").await.unwrap().body;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, n)| (name.to_owned(), n.parse().unwrap()))
        .collect()
}

fn sample(samples: &BTreeMap<String, f64>, name: &str, labels: &[&str]) -> f64 {
    let of = |(sample, _): &(&String, &f64)| {
        sample.split('{').next() == Some(name) && labels.iter().all(|label| sample.contains(label))
    };
    samples
        .iter()
        .find(of)
        .map(|(_, n)| *n)
        .unwrap_or_else(|| panic!("no {name} {labels:?} in {samples:#?}"))
}

/// How often the server's log has a text.
fn said(app: &TestApp, text: &str) -> usize {
    app.said().matches(text).count()
}

/// The log says it, once.
async fn until_said(app: &TestApp, text: &str) {
    until("the log says so", PATIENCE, async || {
        (said(app, text) == 1).then_some(())
    })
    .await;
}

/// A license service that fails so, and a server that sells through it.
async fn failing(faults: Faults) -> (Arc<Fake>, TestApp) {
    let fake = Arc::new(Fake::start(faults).await);
    let app = TestApp::start(Setup::with(&fake)).await;
    (fake, app)
}

/// Purchases that are acknowledged, one after the other.
async fn buy(app: &TestApp, names: &[String]) {
    for name in names {
        let answered = app
            .door()
            .try_event(&one_time(name, next_s()))
            .await
            .unwrap();
        assert_eq!(answered.status, 200, "{}", answered.body);
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n:02}")).collect()
}

async fn until_licenses(fake: &Fake, names: &[String]) {
    let all = || {
        names
            .iter()
            .all(|name| fake.by_label().contains_key(&label(name)))
    };
    until("every license", PATIENCE, async || all().then_some(())).await;
}

/// The metrics of a service that refuses, with three purchases waiting.
fn refusing_is_measured(seen: &BTreeMap<String, f64>, of: [&str; 2]) {
    assert_eq!(
        sample(
            seen,
            "keyward_service_state",
            &[of[0], of[1], "state=\"refusing\""]
        ),
        1.0
    );
    assert_eq!(
        sample(
            seen,
            "keyward_service_state",
            &[of[0], of[1], "state=\"up\""]
        ),
        0.0
    );
    assert_eq!(sample(seen, "keyward_waiting", &of), 3.0);
    let outcomes = ["kind=\"create_license\"", "outcome=\"service_refuses\""];
    assert!(sample(seen, "keyward_actions_total", &outcomes) >= 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_license_service_that_refuses_is_seen_until_a_person_has_mended_it() {
    let faults = Faults {
        refuse: Some(401),
        ..Faults::default()
    };
    let (fake, app) = failing(faults).await;
    assert_eq!(
        line(&app, "authforge").await["state"],
        "up",
        "nothing was asked yet"
    );
    let names = names("Refused", 3);
    buy(&app, &names).await;
    let line = until_state(&app, "authforge", "refusing", 3).await;
    assert!(
        line["since"].is_string() && line["oldest_waiting_s"].is_u64(),
        "{line}"
    );
    assert!(
        line["why"].as_str().unwrap().contains("invalid_api_key"),
        "{line}"
    );
    assert_eq!(line["sources"], serde_json::json!(["stripe"]));
    let of = ["service=\"authforge\"", "source=\"stripe\""];
    refusing_is_measured(&samples(&app).await, of);
    until_said(&app, "the license service refuses us").await;
    fake.switch(|faults| faults.refuse = None);
    app.ask(&["retry", "--service", "authforge"]);
    until_licenses(&fake, &names).await;
    until_state(&app, "authforge", "up", 0).await;
    until_said(&app, "the license service is back").await;
    until("nothing waits", PATIENCE, async || {
        (sample(&samples(&app).await, "keyward_waiting", &of) == 0.0).then_some(())
    })
    .await;
    assert_eq!(
        said(&app, "the license service refuses us"),
        1,
        "{}",
        app.tail()
    );
    until("the licenses are counted", PATIENCE, async || {
        let seen = samples(&app).await;
        let live = seen
            .keys()
            .any(|name| name.starts_with("keyward_licenses{") && name.contains("\"live\""));
        (live && sample(&seen, "keyward_licenses", &["status=\"live\""]) >= 0.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_license_service_that_does_not_answer_is_seen_and_comes_back_by_itself() {
    let faults = Faults {
        hang_pct: 100,
        ..Faults::default()
    };
    let (fake, app) = failing(faults).await;
    let names = names("Silent", 12);
    buy(&app, &names).await;
    until_state(&app, "authforge", "down", 12).await;
    until_said(&app, "the license service does not answer").await;
    let more = vec!["SilentToo".to_owned()];
    buy(&app, &more).await;
    until_state(&app, "authforge", "down", 13).await;
    fake.switch(|faults| faults.hang_pct = 0);
    until_licenses(&fake, &names).await;
    until_licenses(&fake, &more).await;
    until_state(&app, "authforge", "up", 0).await;
    until_said(&app, "the license service is back").await;
    assert_eq!(
        said(&app, "the license service does not answer"),
        1,
        "{}",
        app.tail()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_stripe_is_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut setup = Setup::embedded();
    setup.more = format!(
        "[[source]]\nname = \"asks\"\nsigning_secrets = [\"whsec_1\"]\napi_key = \"rk_live_1\"\napi_base = \"{base}\"\n"
    );
    let app = TestApp::start(setup).await;
    for name in names("Asks", 10) {
        let mut event = one_time(&name, next_s());
        // It does not say what it sells: Stripe is asked.
        event["data"]["object"]["metadata"] = serde_json::json!({});
        assert_eq!(
            app.door()
                .deliver_to("asks", "whsec_1", &event)
                .await
                .unwrap()
                .status,
            200
        );
    }
    let line = until_state(&app, "stripe", "down", 10).await;
    assert_eq!(
        line["sources"],
        serde_json::json!(["asks"]),
        "the other source has no key"
    );
    until_said(&app, "Stripe's API does not answer").await;
    let seen = samples(&app).await;
    let tried = [
        "service=\"stripe\"",
        "source=\"asks\"",
        "kind=\"look_up\"",
        "outcome=\"retry\"",
    ];
    assert!(
        sample(&seen, "keyward_actions_total", &tried) >= 8.0,
        "{seen:#?}"
    );
}

/// Every metric that the program knows is exported once its occasion has come, with the labels that it is said to have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_is_what_the_table_says() {
    use keyward::measure::{ALL, MetricKind};
    let mut setup = Setup::embedded();
    setup.mail =
        "transport = \"folder\"\npath = \"./mail\"\nfrom = \"Example <keys@example.com>\"\n"
            .to_owned();
    let app = TestApp::start(setup).await;
    buy(&app, &names("Table", 1)).await;
    assert_eq!(
        app.door()
            .post(b"{}".to_vec(), "t=1,v1=00")
            .await
            .unwrap()
            .status,
        400
    );
    app.door().get("/success").await.unwrap();
    let backup = app.dir().join("copy.backup");
    app.ask(&["backup", backup.to_str().unwrap()]);
    let program = format!("{}/licenses/v1/validate", app.door().base());
    let asked = reqwest::Client::new().post(program).body("{}").send().await;
    assert_eq!(asked.unwrap().status(), 400);
    let exported = async || {
        let seen: std::collections::BTreeSet<String> = samples(&app).await.into_keys().collect();
        let complete = |name: &str| seen.iter().any(|sample| sample.starts_with(name));
        ALL.iter()
            .all(|metric| complete(metric.name))
            .then_some(seen)
    };
    let seen = until("every metric", PATIENCE, exported).await;
    for sample in &seen {
        let name = sample.split('{').next().unwrap();
        let plain = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        let metric = ALL
            .iter()
            .find(|m| m.name == name || m.kind == MetricKind::Histogram && m.name == plain);
        let metric =
            metric.unwrap_or_else(|| panic!("{sample} is not in the table of src/measure.rs"));
        let labels: Vec<&str> = sample
            .split(['{', ','])
            .skip(1)
            .filter_map(|l| l.split('=').next())
            .collect();
        let mut known = metric.labels.to_vec();
        known.push("le");
        assert!(labels.iter().all(|label| known.contains(label)), "{sample}");
        assert!(
            metric.labels.iter().all(|label| labels.contains(label)),
            "{sample}"
        );
    }
}

/// Seconds after a start nothing was counted yet: that is not "nothing waits".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_counted_yet_is_unknown() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mut setup = Setup::with(&fake);
    // So that it stays so while the test looks.
    setup.more = "[scheduler]\nmetrics = \"0 0 0 29 2 *\"\n".to_owned();
    let app = TestApp::start(setup).await;
    let line = line(&app, "authforge").await;
    assert_eq!(
        (&line["state"], &line["waiting"]),
        (&"up".into(), &Value::Null)
    );
    let seen = samples(&app).await;
    assert!(
        seen.keys()
            .any(|name| name.starts_with("keyward_service_state"))
    );
    assert!(
        !seen.keys().any(|name| name.contains("waiting")),
        "{seen:#?}"
    );
}

/// A pause is our own order: the service's state says how it answers, and a gauge of its own that nothing is sent to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_service_is_measured_as_paused() {
    let (_fake, app) = failing(Faults::default()).await;
    let of = ["service=\"authforge\"", "source=\"stripe\""];
    let paused = async || sample(&samples(&app).await, "keyward_service_paused", &of);
    assert_eq!(paused().await, 0.0);
    app.ask(&["pause", "--service", "authforge", "--reason", "moving"]);
    assert_eq!(paused().await, 1.0);
    let up = [of[0], of[1], "state=\"up\""];
    let seen = samples(&app).await;
    assert_eq!(sample(&seen, "keyward_service_state", &up), 1.0);
    app.ask(&["resume", "--service", "authforge", "--reason", "moved"]);
    assert_eq!(paused().await, 0.0);
}
