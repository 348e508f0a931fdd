//! Events that changed nothing are read again, when the config has learnt what they are about.

use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use super::support::{CONFIG, Place, willing};
use crate::support::app::{Setup, TestApp, binary};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{label, next_s, one_time};
use crate::support::wait::{PATIENCE, until, within};

/// Purchases on connected accounts that are ignored at first.
const IGNORED: usize = 150;

#[test]
fn what_was_ignored_is_taken_in_when_the_config_says_so_and_not_before() {
    let place = Place::with(CONFIG);
    place.fill(&["connect-ignored"], willing);
    let dry = place
        .run(&["reread", "--reason", "connect", "--json"])
        .json();
    assert_eq!(dry["rows"], json!([]), "nothing has changed: {dry}");
    let ignored = dry["unchanged"].as_u64().unwrap();
    assert!(ignored > 0, "{dry}");

    let accepts = CONFIG.replace(
        "name = \"stripe\"",
        "name = \"stripe\"\nconnect = \"accept\"",
    );
    std::fs::write(place.path("keyward.toml"), accepts).unwrap();
    let dry = place
        .run(&["reread", "--reason", "connect", "--json"])
        .json();
    let rows = dry["rows"].as_array().unwrap().clone();
    assert_eq!(
        (&dry["applied"], rows.is_empty()),
        (&json!(false), false),
        "{dry}"
    );
    let again = place
        .run(&["reread", "--reason", "connect", "--json"])
        .json();
    assert_eq!(again, dry, "a dry run changes nothing");

    let one = rows[0]["event"].as_str().unwrap();
    let applied = place.run(&["reread", one, "--apply", "--json"]).json();
    assert_eq!(
        applied["rows"].as_array().map(Vec::len),
        Some(1),
        "{applied}"
    );
    let applied = place
        .run(&["reread", "--reason", "connect", "--apply", "--json"])
        .json();
    assert_eq!(
        applied["rows"].as_array().map(Vec::len),
        Some(rows.len() - 1),
        "{applied}"
    );
    let after = place
        .run(&["reread", "--reason", "connect", "--json"])
        .json();
    assert_eq!(after["rows"], json!([]), "each is taken in once: {after}");
    let event = place.run(&["show", "--event", one]);
    assert!(
        event.out.contains(one) && event.err.contains("applied"),
        "{event}"
    );
}

#[test]
fn what_it_cannot_do_it_says() {
    let place = Place::with(CONFIG);
    place.fill(&["connect-ignored"], willing);
    for (args, says) in [
        (&["reread"][..], "required"),
        (&["reread", "--reason", "weather"], "never_linked"),
        (&["reread", "evt_nobody"], "there is no event"),
        (&["show", "--event", "evt_nobody"], "there is no event"),
    ] {
        let said = place.run(args);
        assert_eq!(said.code, Some(1), "{args:?}: {said}");
        assert!(said.err.contains(says), "{args:?}: {said}");
    }
}

/// Events that are still ignored as those of connected accounts.
fn left(app: &TestApp) -> usize {
    let dry = app.ask(&["reread", "--reason", "connect"]);
    dry["rows"].as_array().unwrap().len()
}

fn reread(app: &TestApp) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["reread", "--reason", "connect", "--apply", "--config"])
        .arg(app.config())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_each_event_is_taken_in_once() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    let names: Vec<String> = (0..IGNORED).map(|n| format!("Connected{n}")).collect();
    for name in &names {
        let mut event: Value = one_time(name, next_s());
        event["account"] = json!("acct_1");
        app.door().event(&event).await;
    }
    assert_eq!(left(&app), 0, "nothing has changed");
    let accepts = std::fs::read_to_string(app.config()).unwrap().replace(
        "livemode = \"live\"",
        "livemode = \"live\"\nconnect = \"accept\"",
    );
    std::fs::write(app.config(), accepts).unwrap();
    app.kill9();
    app.restart().await;
    assert_eq!(left(&app), IGNORED);
    let mut kills = 0;
    loop {
        let before = left(&app);
        if before == 0 {
            break;
        }
        let mut child = reread(&app).spawn().unwrap();
        let begun = within(PATIENCE, async || {
            let over = child.try_wait().unwrap().is_some();
            (over || left(&app) < before).then_some(())
        });
        begun.await.expect("it begins");
        kills += usize::from(child.try_wait().unwrap().is_none());
        app.kill9();
        let _ = child.kill();
        child.wait().unwrap();
        app.restart().await;
    }
    println!("{kills} kills");
    until("each has its license", PATIENCE, async || {
        let made = fake.by_label();
        names
            .iter()
            .all(|name| made.get(&label(name)) == Some(&1))
            .then_some(())
    })
    .await;
    assert_eq!(fake.licenses().len(), IGNORED, "and only one");
}
