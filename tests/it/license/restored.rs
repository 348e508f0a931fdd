//! The embedded service's licenses of the time since a backup are not in it: each comes back with its key.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp, binary};
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

fn run(app: &TestApp, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    let command = command.args(args).arg("--config").arg(app.config());
    command.output().unwrap()
}

async fn key(app: &TestApp, name: &str) -> String {
    until("a key", PATIENCE, async || {
        let page: Value = app.ask(&["show", &machine(name)]);
        page["licenses"][0]["key"].as_str().map(str::to_owned)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_sold_since_the_backup_comes_back() {
    let mut app = TestApp::start(Setup::embedded()).await;
    app.door().event(&one_time("Before", next_s())).await;
    let before = key(&app, "Before").await;
    let backup = app.dir().join("one.backup");
    let backup = backup.to_str().unwrap();
    assert!(run(&app, &["backup", backup]).status.success());
    let sale = one_time("Since", next_s());
    app.door().event(&sale).await;
    let since = key(&app, "Since").await;

    app.kill9();
    fs::remove_dir_all(app.dir().join("data")).unwrap();
    let restored = run(&app, &["restore", backup]);
    let said = String::from_utf8_lossy(&restored.stderr).into_owned();
    assert!(
        restored.status.success() && said.contains("`unknown_key`"),
        "{said}"
    );
    app.restart().await;
    let waits = app.ask(&["attention"]);
    let told = &waits.as_array().unwrap()[0];
    assert_eq!(told["cause"], json!("restored"), "{waits}");
    assert!(
        told["details"].to_string().contains("`unknown_key`"),
        "{waits}"
    );
    app.door().event(&sale).await;
    app.ask(&["go-live", "--reason", "all is told again"]);
    assert_eq!(key(&app, "Since").await, since);
    assert_eq!(key(&app, "Before").await, before);
}
