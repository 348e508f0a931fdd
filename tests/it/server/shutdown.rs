//! SIGTERM, and a second process: an end loses nothing, and one data directory has one server.

use std::sync::Arc;
use std::time::Duration;

use keyward::clock::Stopwatch;

use crate::license::look_first::{DAY_S, made_before, names};
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{label, next_s, one_time};
use crate::support::wait::{PATIENCE, until, within};

/// Ten seconds for actions under way, and time to close on a loaded machine.
const END_WITHIN: Duration = Duration::from_secs(14);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_in_the_middle_of_load_loses_nothing() {
    let fake = Arc::new(
        Fake::start(Faults {
            latency_ms: 20,
            ..Faults::default()
        })
        .await,
    );
    let mut app = TestApp::start(Setup::with(&fake)).await;
    let names: Vec<String> = (0..400).map(|n| format!("Drain{n:04}")).collect();
    let load: Vec<_> = names
        .chunks(13)
        .map(|share| {
            let (door, share) = (app.door().clone(), share.to_vec());
            tokio::spawn(async move {
                for name in share {
                    door.event(&one_time(&name, next_s())).await;
                }
            })
        })
        .collect();
    let door = app.door().clone();
    until("half of the load", PATIENCE, async || {
        (door.acknowledged().len() >= 150).then_some(())
    })
    .await;
    app.terminate();
    let status = app.ended(END_WITHIN).await;
    assert_eq!(status.code(), Some(0), "{}", app.tail());
    let acknowledged = door.acknowledged();
    assert!(acknowledged.len() < names.len(), "it ended in the middle");
    // Nobody runs: this reads what is on disk.
    let listed = app.events();
    assert!(acknowledged.iter().all(|id| listed.contains_key(id)));
    app.restart().await;
    for connection in load {
        connection.await.unwrap();
    }
    until("every license", PATIENCE, async || {
        (fake.by_label().len() == names.len()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_license_service_that_hangs_does_not_keep_it_from_ending() {
    let fake = Arc::new(
        Fake::start(Faults {
            hang_pct: 100,
            ..Faults::default()
        })
        .await,
    );
    let mut setup = Setup::with(&fake);
    setup.licenses = setup
        .licenses
        .replace("request_timeout = \"1s\"", "request_timeout = \"35s\"");
    let mut app = TestApp::start(setup).await;
    let names: Vec<String> = (0..20).map(|n| format!("Hang{n:02}")).collect();
    for name in &names {
        app.door().event(&one_time(name, next_s())).await;
    }
    until("requests that hang", PATIENCE, async || {
        (fake.counter("POST") >= 8).then_some(())
    })
    .await;
    let watch = Stopwatch::start();
    app.terminate();
    let status = app.ended(END_WITHIN).await;
    assert_eq!(
        status.code(),
        Some(0),
        "after {:?}\n{}",
        watch.elapsed(),
        app.tail()
    );
    fake.switch(|faults| faults.hang_pct = 0);
    app.restart().await;
    let all = || {
        names
            .iter()
            .all(|n| fake.by_label().contains_key(&label(n)))
    };
    until("every license", PATIENCE, async || all().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_data_says_so_and_ends() {
    let app = TestApp::start(Setup::embedded()).await;
    let config = std::fs::read_to_string(app.config()).unwrap();
    let port = app.door().base().rsplit(':').next().unwrap();
    let same = |config: String, said: &'static str, words: &'static [&'static str]| {
        let app = &app;
        async move {
            std::fs::write(app.config(), config).unwrap();
            let mut second = app.spawn(said);
            let status = within(PATIENCE, async || second.try_wait().unwrap()).await;
            let _ = second.kill();
            let said = std::fs::read_to_string(app.dir().join(said)).unwrap();
            let code = status.and_then(|s| s.code());
            assert!(matches!(code, Some(1 | 2)), "{code:?}\n{said}");
            assert!(
                words.iter().all(|w| said.contains(w)) && !said.contains("panicked"),
                "{said}"
            );
        }
    };
    let elsewhere = config.replace(
        &format!("listen = \"127.0.0.1:{port}\""),
        "listen = \"127.0.0.1:0\"",
    );
    same(elsewhere, "second-data", &["data", "hint"]).await;
    same(config, "second-port", &["cannot listen", "hint"]).await;
    assert_eq!(
        app.door().get("/readyz").await.unwrap().status,
        200,
        "the first one lives on"
    );
}

/// Licenses of other sales: so many labels cannot be read within the ten seconds that actions have.
const OTHERS: usize = 100;
/// How long each takes, less than a request may; four are read at a time.
const READ_MS: u64 = 800;
/// The pages of the list, and the read that a purchase's own license takes.
const UNDER_WAY: u64 = 4;

/// The list is long, and to look through it changes nothing: nobody waits for its end, and what was read is not read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_through_the_licenses_is_given_up_and_goes_on_after_the_restart() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    made_before(&fake, names("Other", OTHERS)).await;
    let mut app = TestApp::start(Setup::with(&fake)).await;
    fake.switch(|faults| faults.latency_ms = READ_MS);
    let old = one_time("Old", next_s() - DAY_S);
    app.door().event(&old).await;
    until("labels", PATIENCE, async || {
        (fake.counter("GET one") >= 3 * UNDER_WAY).then_some(())
    })
    .await;
    app.terminate();
    let status = app.ended(END_WITHIN).await;
    assert_eq!(status.code(), Some(0), "{}", app.tail());
    assert!(!app.said().contains("still under way"), "{}", app.tail());
    fake.switch(|faults| faults.latency_ms = 0);
    app.restart().await;
    until("its license", PATIENCE, async || {
        fake.by_label().get(&label("Old")).map(drop)
    })
    .await;
    let read = fake.counter("GET one");
    assert!(
        read <= OTHERS as u64 + UNDER_WAY,
        "{read} reads of {OTHERS} licenses: what was read is kept"
    );
}
