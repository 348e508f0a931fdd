//! The folder of the embedded license service is gone while the purchases' store is there: no server begins an empty one, for
//! it would tell every customer that the key is unknown.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::app::{Setup, TestApp, binary};
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

fn run(app: &TestApp, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(args).arg("--config").arg(app.config());
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The key of a purchase, once it is made.
async fn key(app: &TestApp, name: &str, not: Option<&str>) -> String {
    until("a key", PATIENCE, async || {
        let shown = app.ask(&["show", &machine(name)]);
        let licenses = shown["licenses"].as_array()?.clone();
        let keys = licenses.iter().filter_map(|l: &Value| l["key"].as_str());
        keys.map(str::to_owned)
            .find(|key| Some(key.as_str()) != not)
    })
    .await
}

/// A start that must fail, and what it said.
async fn refused(app: &mut TestApp) -> String {
    app.begin();
    let status = app.ended(PATIENCE).await;
    assert_eq!(status.code(), Some(1), "{}", app.tail());
    app.said()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_store_of_licenses_keeps_the_server_from_starting() {
    let mut app = TestApp::start(Setup::embedded()).await;
    app.door().event(&one_time("Lost", next_s())).await;
    let made = key(&app, "Lost", None).await;
    app.terminate();
    app.ended(PATIENCE).await;
    let (licenses, aside) = (app.dir().join("data/licenses"), app.dir().join("aside"));
    fs::rename(&licenses, &aside).unwrap();

    let why = refused(&mut app).await;
    for words in [
        "data/licenses is not there, and 1 license is known that it made",
        "keyward restore",
        "keyward init",
    ] {
        assert!(why.contains(words), "{words}: {why}");
    }
    // A backup without them would count as a whole one.
    let target = app.dir().join("b.backup");
    let backup = run(&app, &["backup", target.to_str().unwrap()]);
    assert_eq!(backup.status.code(), Some(1), "{}", said(&backup));
    assert!(!target.exists() && !licenses.exists());

    fs::rename(&aside, &licenses).unwrap();
    app.restart().await;
    assert_eq!(key(&app, "Lost", None).await, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_begin_an_empty_one_and_make_the_keys_anew() {
    let mut app = TestApp::start(Setup::embedded()).await;
    app.door().event(&one_time("Anew", next_s())).await;
    let lost = key(&app, "Anew", None).await;
    app.terminate();
    app.ended(PATIENCE).await;
    fs::remove_dir_all(app.dir().join("data/licenses")).unwrap();
    refused(&mut app).await;
    let init = run(&app, &["init"]);
    let warned = said(&init);
    assert!(
        init.status.success() && warned.contains("keyward rekey"),
        "{warned}"
    );
    app.restart().await;
    app.ask(&[
        "rekey",
        &machine("Anew"),
        "--reason",
        "its license was lost",
    ]);
    key(&app, "Anew", Some(&lost)).await;
}

/// Programs may have been given the public half of the key pair before anything was sold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_only_served_is_missed_too() {
    let mut app = TestApp::start(Setup::embedded()).await;
    app.terminate();
    app.ended(PATIENCE).await;
    fs::remove_dir_all(app.dir().join("data/licenses")).unwrap();
    let why = refused(&mut app).await;
    assert!(why.contains("it was in use at the last start"), "{why}");
}
