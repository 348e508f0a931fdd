//! The real binary: a backup of a running shop, and another shop made of it.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::app::{Setup, TestApp};
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

/// Runs a command of the binary in a folder.
fn run(dir: &std::path::Path, args: &[&str]) -> (Option<i32>, Value, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    let json = serde_json::from_slice(&out.stdout).unwrap_or_default();
    (out.status.code(), json, err)
}

/// Sells, and waits until every purchase has its key.
async fn sell(app: &TestApp, names: &[String]) {
    let at = next_s();
    for name in names {
        app.door().event(&one_time(name, at)).await;
    }
    for name in names {
        until("the key is made", PATIENCE, async || {
            let shown = app.ask(&["show", &machine(name)]);
            (shown["licenses"][0]["status"] == "live").then_some(())
        })
        .await;
    }
}

fn names(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{what}{n}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_shop_becomes_another_shop() {
    let mut app = TestApp::start(Setup::embedded()).await;
    let (before, after) = (names("before", 8), names("after", 5));
    sell(&app, &before).await;
    let target = app.dir().join("shop.backup");
    let made = app.ask(&["backup", target.to_str().unwrap()]);
    assert_eq!(made["machines"], 8, "{made}");
    assert_eq!(made["path"], target.to_str().unwrap());
    assert_eq!(made["bytes"], fs::metadata(&target).unwrap().len());
    let ready: Value =
        serde_json::from_str(&app.door().get("/readyz").await.unwrap().body).unwrap();
    assert_eq!(ready["backup"]["proven_at"], made["at"]);
    let metrics = app.door().get("/metrics").await.unwrap().body;
    assert!(metrics.contains("keyward_backup_age_seconds "), "{metrics}");
    let again = run(app.dir(), &["backup", "shop.backup"]);
    assert_eq!(again.0, Some(1), "it never overwrites: {}", again.2);
    sell(&app, &after).await;
    app.kill9();

    // Nothing runs now: a second backup is made from the store itself, of everything.
    let (code, made, err) = run(app.dir(), &["backup", "later.backup", "--json"]);
    assert_eq!(
        (code, &made["machines"]),
        (Some(0), &Value::from(13)),
        "{err}"
    );

    let other = tempfile::tempdir().unwrap();
    fs::copy(app.config(), other.path().join("keyward.toml")).unwrap();
    let source = target.to_str().unwrap();
    let (code, done, err) = run(other.path(), &["restore", source, "--json"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(
        (&done["machines"], &done["licenses"]),
        (&Value::from(8), &Value::from(true))
    );
    let (code, _, err) = run(other.path(), &["restore", source]);
    assert!(code == Some(1) && err.contains("is not empty"), "{err}");
    for name in &before {
        let shown = run(other.path(), &["show", &machine(name), "--json"]).1;
        let theirs = run(app.dir(), &["show", &machine(name), "--json"]).1;
        assert_eq!(shown, theirs);
    }
    let (code, verified, err) = run(other.path(), &["verify", "--json"]);
    assert_eq!(code, Some(0), "{verified} {err}");
    assert_eq!(verified["seen"]["machines"], 8);
    let (code, ..) = run(other.path(), &["show", &machine(&after[0])]);
    assert_eq!(code, Some(1), "what came later is not in it");

    // A damaged one is refused before anything is put anywhere.
    let mut bytes = fs::read(&target).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(other.path().join("bad.backup"), bytes).unwrap();
    fs::rename(other.path().join("data"), other.path().join("kept")).unwrap();
    let (code, _, err) = run(other.path(), &["restore", "bad.backup"]);
    assert!(
        code == Some(1) && err.contains("bad.backup is damaged at byte"),
        "{err}"
    );
    assert!(!other.path().join("data").exists());

    // The killed shop itself goes on as if nothing had been.
    app.restart().await;
    sell(&app, &names("again", 1)).await;
    let verified = app.ask(&["verify"]);
    assert_eq!(
        verified["wrong"].as_array().map(Vec::len),
        Some(0),
        "{verified}"
    );
}
