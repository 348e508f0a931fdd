//! `probe`: what a license service can is learned on a throw-away license, kept, and gone by.

use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

fn probe(app: &TestApp) -> Value {
    app.ask(&["probe", "--app", "app_probe", "--yes"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_learned_is_kept_and_gone_by() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    let learned = probe(&app);
    assert_eq!(learned["can_shorten"], true, "{learned:#}");
    assert_eq!(learned["revoke_reversible"], true, "{learned:#}");
    assert_eq!(learned["list_shows_label"], false, "{learned:#}");
    let thrown: Vec<String> = fake.licenses().into_iter().map(|l| l.status).collect();
    assert_eq!(thrown, ["revoked"]);
    fake.switch(|faults| {
        (faults.shorten, faults.refuse_activate) = ("refuse".to_owned(), true);
        faults.list_shows_label = true;
    });
    let learned = probe(&app);
    assert_eq!(
        (
            &learned["can_shorten"],
            &learned["revoke_reversible"],
            &learned["list_shows_label"]
        ),
        (&json!(false), &json!(false), &json!(true)),
        "{learned:#}"
    );
    // From the next start on nothing is asked of it that it does not do.
    app.kill9();
    app.restart().await;
    app.door().event(&one_time("Ada", next_s())).await;
    until("a license", PATIENCE, async || {
        let page = app.ask(&["show", &machine("Ada")]);
        (page["licenses"][0]["status"] == "live").then_some(())
    })
    .await;
}

/// What costs something is asked for, and no application that sells is touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_spent_without_a_yes_and_nothing_where_licenses_are_sold() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup::with(&fake)).await;
    for args in [
        &["probe", "--app", "app_probe"][..],
        &["probe", "--app", "app_test", "--yes"][..],
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_keyward"))
            .args(args)
            .arg("--config")
            .arg(app.config())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
        assert!(
            said.contains("credit") || said.contains("sells licenses"),
            "{said}"
        );
    }
    assert_eq!(fake.counter("POST"), 0);
}
