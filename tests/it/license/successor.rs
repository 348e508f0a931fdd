//! A new key that has to wait leaves the old one working.

use std::sync::Arc;

use serde_json::json;

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{label, machine, next_s, one_time, refund};
use crate::support::wait::{PATIENCE, until};

/// The statuses of a purchase's licenses at the service, in the order in which they were made.
fn statuses(fake: &Fake, name: &str) -> Vec<String> {
    let own = label(name);
    let is_its = |l: &str| l == own || l.starts_with(&format!("{own} #"));
    let all = fake.licenses().into_iter();
    let all = all.filter(|l| l.label.as_deref().is_some_and(is_its));
    all.map(|l| l.status).collect()
}

async fn come_to(fake: &Fake, name: &str, wanted: &[&str]) {
    until("the licenses", PATIENCE, async || {
        (statuses(fake, name) == wanted).then_some(())
    })
    .await;
}

/// Without credits nobody loses a key: it ends when the new one is there, with its purchase, or by a word that says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credits_the_old_key_works_on() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    let names = ["Ada", "Ben", "Cleo"];
    for name in names {
        app.door().event(&one_time(name, next_s())).await;
        come_to(&fake, name, &["active"]).await;
    }
    fake.switch(|f| f.refuse = Some(402));
    let [ada, ben, cleo] = names.map(machine);
    app.ask(&["rekey", &ada, "--reason", "lost"]);
    app.ask(&["rekey", &ben, "--reason", "lost"]);
    let at_once = ["rekey", &cleo, "--at-once", "--reason", "leaked"];
    app.ask(&at_once);
    come_to(&fake, "Cleo", &["revoked"]).await;
    until("a refusal", PATIENCE, async || {
        let page = app.ask(&["show", &ada]);
        let actions = page["actions"].as_array()?;
        let refused = actions.iter().any(|a| a["error"].is_string());
        refused.then_some(())
    })
    .await;
    app.kill9();
    app.restart().await;
    app.door().event(&refund("Ben", next_s())).await;
    come_to(&fake, "Ben", &["revoked"]).await;
    assert_eq!(statuses(&fake, "Ada"), ["active"]);
    fake.switch(|f| f.refuse = None);
    app.ask(&["retry", "--all"]);
    come_to(&fake, "Ada", &["revoked", "active"]).await;
    come_to(&fake, "Cleo", &["revoked", "active"]).await;
    until("a quiet server", PATIENCE, async || {
        (app.ask(&["actions"]) == json!([])).then_some(())
    })
    .await;
    assert_eq!(statuses(&fake, "Ben"), ["revoked"], "and no new one");
    app.check_laws();
}
