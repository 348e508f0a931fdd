//! Observe mode, the guard and a paused service at a running server: what is held, and a person's word on it (rule 53).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp, binary};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{label, machine, next_s, one_time, refund};
use crate::support::wait::{PATIENCE, until};

async fn held(app: &TestApp, count: usize) -> Value {
    until("held actions", PATIENCE, async || {
        let held = app.ask(&["held"]);
        let rows = held["rows"].as_array().map_or(0, Vec::len);
        (rows == count).then_some(held)
    })
    .await
}

async fn quiet(app: &TestApp) {
    until("a quiet server", PATIENCE, async || {
        (app.ask(&["actions"]) == json!([])).then_some(())
    })
    .await;
}

fn status(app: &TestApp, name: &str) -> String {
    let page = app.ask(&["show", &machine(name)]);
    page["licenses"][0]["status"]
        .as_str()
        .unwrap_or("none")
        .to_owned()
}

/// A shop that is only observed sends nothing, whatever happens and however often it is restarted; live, it makes what nobody
/// made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_until_it_goes_live() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let setup = Setup {
        top: "mode = \"observe\"\n",
        mail: "transport = \"folder\"\npath = \"./mail\"\n".to_owned(),
        ..Setup::with(&fake)
    };
    let mut app = TestApp::start(setup).await;
    let names = ["Ada", "Ben", "Cleo"];
    for name in names {
        app.door().event(&one_time(name, next_s())).await;
    }
    let seen = held(&app, 3).await;
    assert_eq!(seen["holding"]["observing"], true, "{seen:#}");
    assert_eq!(seen["rows"][0]["kind"], "create_license", "{seen:#}");
    app.kill9();
    app.restart().await;
    held(&app, 3).await;
    assert_eq!(fake.counter("POST"), 0);
    app.ask(&["go-live", "--reason", "the old handler is off"]);
    until("licenses of all", PATIENCE, async || {
        names
            .iter()
            .all(|n| fake.by_label().contains_key(&label(n)))
            .then_some(())
    })
    .await;
    quiet(&app).await;
    assert_eq!(fake.counter("POST"), 3);
    // The line in the config is old; the order counts, also after a restart.
    app.kill9();
    app.restart().await;
    app.door().event(&one_time("Dan", next_s())).await;
    until("a license", PATIENCE, async || {
        fake.by_label().contains_key(&label("Dan")).then_some(())
    })
    .await;
    app.ask(&["observe", "--reason", "something is odd"]);
    app.door().event(&one_time("Eve", next_s())).await;
    held(&app, 1).await;
    assert_eq!(fake.counter("POST"), 4);
}

fn compared(app: &TestApp) -> [u64; 3] {
    let compared = app.ask(&["held"])["holding"]["compared"].clone();
    ["would_have_done", "service_has", "differ"].map(|n| compared[n].as_u64().unwrap())
}

async fn compares(app: &TestApp, expected: [u64; 3]) {
    let what = format!("{expected:?}, not {:?}", compared(app));
    until(&what, PATIENCE, async || {
        (compared(app) == expected).then_some(())
    })
    .await;
}

/// What the handler of before does meanwhile is seen by the comparison, and so is what it does not do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_observed_is_compared_with_what_the_service_has() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup {
        top: "mode = \"observe\"\n",
        more: "[scheduler]\ncompare = \"* * * * * *\"\n".to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    for name in ["Ada", "Ben", "Cleo", "Dan"] {
        app.door().event(&one_time(name, next_s())).await;
    }
    compares(&app, [4, 0, 4]).await;
    let makes = |name: &str| fake.made_elsewhere("app_test", Some(&label(name)), None, 2);
    let key = makes("Ada");
    makes("Ben");
    makes("Cleo");
    compares(&app, [4, 3, 1]).await;
    makes("Dan");
    compares(&app, [4, 4, 0]).await;
    // Of a refund it knows nothing until somebody does it by hand.
    app.door().event(&refund("Ada", next_s())).await;
    compares(&app, [5, 4, 1]).await;
    fake.third_hand(&key, |kept| "revoked".clone_into(&mut kept.status));
    compares(&app, [5, 5, 0]).await;
    held(&app, 0).await;
    let sent = fake.counters();
    let sent: Vec<_> = sent.keys().filter(|n| !n.starts_with("GET")).collect();
    assert!(sent.is_empty(), "{sent:?}");
}

/// A key waits that somebody holds for a reason of his own.
async fn somebody_holds(app: &TestApp, fake: &Fake, name: &str) {
    fake.switch(|faults| faults.refuse = Some(503));
    app.door().event(&one_time(name, next_s())).await;
    let waits = until("what waits", PATIENCE, async || {
        let rows = app.ask(&["actions"]);
        let mut rows = rows.as_array()?.iter();
        let of_it = rows.find(|r| r["machine"] == machine(name))?;
        Some(of_it["id"].as_str()?.to_owned())
    })
    .await;
    app.ask(&["hold", &waits, "--reason", "wait for Ada"]);
    fake.switch(|faults| faults.refuse = None);
    let rows = app.ask(&["held"])["rows"].to_string();
    assert!(rows.contains("held by a person: wait for Ada"), "{rows}");
}

/// The reason is kept with the action, and found again wherever a person looks.
fn who_dropped_it_and_why_is_shown(app: &TestApp) {
    let pages = ["Ada", "Ben", "Cleo", "Dan", "Eve"].map(|name| app.ask(&["show", &machine(name)]));
    let dropped = |page: &&Value| page.to_string().contains("\"dropped\"");
    let kept: Vec<&Value> = pages.iter().filter(dropped).collect();
    assert_eq!(kept.len(), 2, "{pages:#?}");
    let id = kept[0]["id"].as_str().unwrap();
    let actions = kept[0]["actions"].as_array().unwrap();
    let word = &actions
        .iter()
        .find(|a| a["outcome"] == "abandoned")
        .unwrap()["word"];
    assert_eq!(word["reason"], "refunded by mistake", "{word}");
    assert!(word["by"].is_string(), "{word}");
    let text = |args: &[&str]| {
        let said = std::process::Command::new(binary())
            .arg("--config")
            .arg(app.config())
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    let shown = text(&["show", id]);
    let times = shown.matches(": refunded by mistake").count();
    assert_eq!(times, 2, "in the timeline and with the action: {shown}");
    assert!(word["at"].is_string(), "{word}");
    for export in [&["export", "-", "--machine", id][..], &["export", "-"]] {
        let lines = text(export);
        let of_it = |l: &&str| l.contains("held drop ") && l.contains(id);
        let line: Value = serde_json::from_str(lines.lines().find(of_it).unwrap()).unwrap();
        let note = &line["decision"];
        assert_eq!(
            (&note["kind"], &note["author"]),
            (&json!("note"), &word["by"])
        );
        assert_eq!(line["received_at"], word["at"], "{line}");
        let reason = note["reason"].as_str().unwrap();
        assert!(reason.ends_with(": refunded by mistake"), "{line}");
    }
}

/// What somebody holds does not go with what the guard holds.
async fn only_the_guard_s_are_dropped(app: &TestApp) {
    let dropped = app.ask(&["held", "drop", "--all", "--reason", "refunded by mistake"]);
    assert_eq!(dropped["actions"], 2, "{dropped}");
    assert_eq!(dropped["still_held"], json!({ "person": 1 }), "{dropped}");
    who_dropped_it_and_why_is_shown(app);
    let seen = held(app, 1).await;
    assert!(seen["holding"]["guard_tripped"].is_null(), "{seen:#}");
    let all = [
        "held",
        "approve",
        "--all",
        "--held-by",
        "person",
        "--reason",
        "r",
    ];
    assert_eq!(app.ask(&all)["actions"], 1);
    held(app, 0).await;
}

/// Beyond the limit every further stop is held until a person says; what a person orders himself is not counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guard_holds_what_is_beyond_its_limit() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let guard = "[guard]\nmax_hurtful = 2\nmax_share = \"0%\"\n".to_owned();
    let mut app = TestApp::start(Setup {
        more: guard,
        ..Setup::with(&fake)
    })
    .await;
    let names = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Fay"];
    for name in names {
        app.door().event(&one_time(name, next_s())).await;
    }
    until("licenses of all", PATIENCE, async || {
        (fake.by_label().len() == names.len()).then_some(())
    })
    .await;
    quiet(&app).await;
    app.ask(&["revoke", &machine("Fay"), "--reason", "fraud"]);
    for name in &names[..5] {
        app.door().event(&refund(name, next_s())).await;
    }
    let seen = held(&app, 3).await;
    assert!(seen["holding"]["guard_tripped"].is_string(), "{seen:#}");
    until("two stops", PATIENCE, async || {
        let revoked = names[..5]
            .iter()
            .filter(|n| status(&app, n) == "revoked")
            .count();
        (revoked == 2).then_some(())
    })
    .await;
    until("the one that a person ordered", PATIENCE, async || {
        (status(&app, "Fay") == "revoked").then_some(())
    })
    .await;
    app.kill9();
    app.restart().await;
    let seen = held(&app, 3).await;
    // A list of retries does not open it.
    let tried = app.ask(&["retry", "--all"]);
    assert_eq!(tried["actions"], 0, "{tried:#}");
    held(&app, 3).await;
    let first = seen["rows"][0]["id"].as_str().unwrap();
    let refused = std::process::Command::new(binary())
        .args(["retry", first, "--config"])
        .arg(app.config())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    let approves = format!("`keyward held approve {first} --reason …` lets it go");
    assert!(
        !refused.status.success() && said.contains(&approves),
        "{said}"
    );
    assert_eq!(seen["rows"][0]["held_by"], "guard");
    app.ask(&["held", "approve", first, "--reason", "looked at"]);
    held(&app, 2).await;
    somebody_holds(&app, &fake, "Gil").await;
    only_the_guard_s_are_dropped(&app).await;
    quiet(&app).await;
    let revoked = names
        .iter()
        .filter(|n| status(&app, n) == "revoked")
        .count();
    assert_eq!(revoked, 4);
}

/// Going live with one plan tells exactly how many actions of that plan it lets go; the other plan's stay held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_live_with_a_plan_counts_that_plan_s_actions() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup {
        more: "[[plan]]\nname = \"pro\"\nprices = [\"price_pro\"]\n[[plan]]\nname = \"solo\"\nprices = [\"price_solo\"]\n"
            .to_owned(),
        top: "mode = \"observe\"\n",
        ..Setup::with(&fake)
    })
    .await;
    for (name, plan) in [
        ("Ada", "pro"),
        ("Ben", "solo"),
        ("Cleo", "pro"),
        ("Dan", "solo"),
        ("Eve", "solo"),
    ] {
        let mut bought = one_time(name, next_s());
        bought["data"]["object"]["metadata"] = json!({ "plan": plan });
        app.door().event(&bought).await;
    }
    held(&app, 5).await;
    let live = app.ask(&["go-live", "--plan", "pro", "--reason", "watched"]);
    assert_eq!(live["actions"], 2, "{live}");
    assert_eq!(live["machines"], json!([machine("Ada"), machine("Cleo")]));
    held(&app, 3).await;
    let back = app.ask(&["observe", "--plan", "solo", "--reason", "not yet"]);
    assert_eq!(back["actions"], 0, "it was observed already: {back}");
    let rest = app.ask(&["go-live", "--reason", "all of it"]);
    assert_eq!(rest["actions"], 3, "the newest order counts: {rest}");
}
