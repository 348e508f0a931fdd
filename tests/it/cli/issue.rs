//! `issue`: a license for somebody who did not buy, from the order to the mail, and in a replay.

use std::process::Command;
use std::sync::Arc;

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::wait::{PATIENCE, until};

const PLANS: &str = "[[plan]]\nname = \"pro\"\nprices = [\"price_1\"]\nlicense = { devices = 3, duration = \"365d\" }\n";

fn mails(app: &TestApp) -> Vec<String> {
    let folder = std::fs::read_dir(app.dir().join("mail"))
        .into_iter()
        .flatten();
    // One that is being written has another name.
    let mails = folder
        .map(|f| f.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "eml"));
    mails
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// What a command prints that may not take `--json`.
fn output(app: &TestApp, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    let out = command
        .args(args)
        .arg("--config")
        .arg(app.config())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn refused_when_over(app: &TestApp, order: &[&str]) {
    let over = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args([order, &["--until", "2020-01-01"]].concat())
        .arg("--config")
        .arg(app.config())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&over.stderr);
    assert_eq!(over.status.code(), Some(1), "{said}");
    assert!(said.contains("over already"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_license_is_issued_mailed_and_replayed() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mail = "transport = \"folder\"\npath = \"./mail\"\n".to_owned();
    let setup = Setup {
        mail,
        more: PLANS.to_owned(),
        ..Setup::with(&fake)
    };
    let mut app = TestApp::start(setup).await;
    let order = [
        "issue",
        "--plan",
        "pro",
        "--to",
        "ada@example.com",
        "--reason",
        "a reviewer",
    ];
    refused_when_over(&app, &order);
    let changed = app.ask(&[&order[..], &["--until", "30d"]].concat());
    let machine = changed["machines"][0].as_str().unwrap().to_owned();
    let made = until("a license", PATIENCE, async || {
        fake.licenses().into_iter().next()
    })
    .await;
    let object = machine.trim_start_matches("stripe/");
    assert_eq!(
        made.label.as_deref(),
        Some(format!("Keyward {object}").as_str())
    );
    assert_eq!(made.max_hwid_slots, 3);
    let mail = until("a mail", PATIENCE, async || mails(&app).pop()).await;
    assert!(
        mail.contains("ada@example.com") && mail.contains(&made.license_key),
        "{mail}"
    );
    app.kill9();
    app.restart().await;
    let page = app.ask(&["show", &machine]);
    assert_eq!(page["licenses_created"], 1, "{page:#}");
    assert_eq!(page["licenses"][0]["plan"], "pro", "{page:#}");
    let ends = made.expires_at.unwrap().timestamp();
    let days = (ends - keyward::clock::Clock::Wall.now().s()) / 86_400;
    assert!((29..=30).contains(&days), "{days}");
    // It stands in the history, so a replay gives it too.
    let file = app.dir().join("history.jsonl");
    output(&app, &["export", file.to_str().unwrap()]);
    let replayed = output(
        &app,
        &["replay", file.to_str().unwrap(), "--format", "json"],
    );
    let replayed: serde_json::Value = serde_json::from_str(&replayed).unwrap();
    let text = replayed.to_string();
    assert!(
        text.contains(&machine) && text.contains("\"licenses_created\":1"),
        "{replayed:#}"
    );
    // Its own decisions work on it like on any other.
    app.ask(&["revoke", &machine, "--reason", "the review is out"]);
    until("a revoked license", PATIENCE, async || {
        fake.licenses()
            .into_iter()
            .next()
            .filter(|l| l.status == "revoked")
    })
    .await;
}
