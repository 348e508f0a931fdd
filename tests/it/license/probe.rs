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
    // What it says of an action that does not exist is kept too, and what could not be learned is left open.
    assert!(
        learned["unknown_action"]
            .as_str()
            .unwrap()
            .starts_with("400 "),
        "{learned:#}"
    );
    assert_eq!(learned["extends_expired"], Value::Null, "{learned:#}");
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

/// Learns these parts of what a service of these faults can.
async fn learned<const N: usize>(faults: Faults, parts: [&str; N]) -> Value {
    let fake = Arc::new(Fake::start(faults).await);
    let app = TestApp::start(Setup::with(&fake)).await;
    let learned = probe(&app);
    parts
        .map(|part| learned[part].clone())
        .into_iter()
        .collect()
}

/// Each form of changing devices is tried until a read shows them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_tried_in_every_form_and_a_read_tells() {
    let takes = |devices: &str| Faults {
        devices: devices.to_owned(),
        ..Faults::default()
    };
    let cases = [
        (takes("refuse"), json!([null, null, null, true])),
        (takes("ignore"), json!([null, null, null, true])),
        (takes("update"), json!(["update", true, true, true])),
        (
            Faults {
                silent_updates: true,
                no_fewer_devices: true,
                ..takes("plain")
            },
            json!(["plain", false, true, true]),
        ),
        (
            Faults {
                no_unlimited_devices: true,
                dead_when_expired: true,
                ..takes("plain")
            },
            json!(["plain", true, false, false]),
        ),
    ];
    let parts = [
        "device_form",
        "fewer_devices",
        "unlimited_devices",
        "extends_expired",
    ];
    for (faults, expected) in cases {
        let which = format!("{faults:?}");
        assert_eq!(learned(faults, parts).await, expected, "{which}");
    }
}

/// What is so already, what is revoked, an end that is none, and what the list can be asked: the service answers both ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_tried_twice_or_while_revoked_is_learned() {
    let parts = [
        "revokes_again",
        "extends_revoked",
        "activates_again",
        "finds_by_label",
        "can_be_for_life",
        "far_end",
    ];
    let willing = learned(
        Faults {
            finds_by_label: true,
            ..Faults::default()
        },
        parts,
    );
    assert_eq!(willing.await, json!([true, true, true, true, true, null]));
    let strict = Faults {
        refuse_repeats: true,
        no_extend_revoked: true,
        for_life: "refuse".to_owned(),
        ..Faults::default()
    };
    let told = learned(strict.clone(), parts).await;
    assert_eq!(told, json!([false, false, false, false, false, true]));
    let dead = Faults {
        refuse_activate: true,
        for_life: "ignore".to_owned(),
        end_max_days: 3_650,
        ..strict
    };
    let told = learned(dead, parts).await;
    assert_eq!(told, json!([false, false, null, false, false, false]));
    let fields = learned(Faults::default(), ["list_fields", "read_fields"]).await;
    let shows = |at: usize, field: &str| fields[at].as_array().unwrap().contains(&json!(field));
    assert!(!shows(0, "label") && shows(1, "label"), "{fields:#}");
    assert!(shows(0, "expiresAt") && shows(1, "hwidList"), "{fields:#}");
}
