//! Purchases of connected accounts: found by each of their ids, and told apart from others of the same id.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp, binary};
use crate::support::purchase::{next_s, one_time, refund};
use crate::support::wait::{PATIENCE, until};

async fn connected() -> TestApp {
    TestApp::start(Setup {
        source: "livemode = \"live\"\nconnect = \"accept\"\n",
        ..Setup::embedded()
    })
    .await
}

/// Something happens at a connected account.
async fn happens(app: &TestApp, mut event: Value, account: &str) {
    event["account"] = json!(account);
    app.door().event(&event).await;
}

fn run(app: &TestApp, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(args).arg("--config").arg(app.config());
    command.output().unwrap()
}

/// The purchases that a text leads to.
fn found(app: &TestApp, text: &str) -> Vec<String> {
    let rows = app.ask(&["find", text]);
    let ids = rows.as_array().unwrap().iter();
    let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
    ids.map(id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_connected_account_sold_is_found_by_each_of_its_ids() {
    let app = connected().await;
    happens(&app, one_time("Nine", next_s()), "acct_9").await;
    happens(&app, refund("Nine", next_s()), "acct_9").await;
    let machine = "stripe/acct_9/cs_live_Nine";
    for text in [
        machine,
        "cs_live_Nine",
        "pi_Nine",
        "ch_Nine",
        "evt_Nine",
        "acct_9",
        "stripe/acct_9",
        "nine@customer.example",
    ] {
        assert_eq!(found(&app, text), [machine], "{text}");
    }
    let page = app.ask(&["show", "cs_live_Nine"]);
    assert_eq!(
        page["machine"]["id"].as_str().or(page["id"].as_str()),
        Some(machine),
        "{page:#}"
    );
    app.ask(&["why", "pi_Nine"]);
    let changed = app.ask(&["keep", "pi_Nine", "--reason", "they may"]);
    assert_eq!(changed["machines"], json!([machine]), "{changed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_several_accounts_have_is_refused_by_orders() {
    let app = connected().await;
    let sold = |customer: &str| {
        let mut event = one_time("Same", next_s());
        event["data"]["object"]["customer"] = json!("cus_same");
        event["data"]["object"]["customer_details"]["email"] = json!(customer);
        event
    };
    app.door().event(&sold("ada@customer.example")).await;
    happens(&app, sold("ben@customer.example"), "acct_8").await;
    happens(&app, sold("cleo@customer.example"), "acct_9").await;
    let all = ["cs_live_Same", "acct_8/cs_live_Same", "acct_9/cs_live_Same"];
    let mut all = all.map(|id| format!("stripe/{id}"));
    all.sort();
    for text in ["cs_live_Same", "pi_Same", "evt_Same", "cus_same"] {
        let mut is = found(&app, text);
        is.sort();
        assert_eq!(is, all, "{text}");
        for order in [
            vec!["show", text],
            vec!["revoke", text, "--reason", "r"],
            vec!["erase", text],
        ] {
            let out = run(&app, &order);
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(1), "{order:?}: {said}");
            for id in &all {
                assert!(said.contains(id), "{order:?}: {said}");
            }
        }
    }
    assert_eq!(found(&app, "cleo@customer.example"), [all[1].clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_other_program_was_seen_no_key_is_said_to_be_made_again() {
    let app = connected().await;
    let resume = ["resume", "--source", "stripe", "--reason", "to be sure"];
    // Its door may open a moment before it answers commands.
    let answered = async || Some(run(&app, &resume)).filter(|out| out.status.success());
    let out = until("an answer", PATIENCE, answered).await;
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("nothing was held"), "{said}");
    assert!(!said.contains("made again"), "{said}");
}

/// Of two sources, or accounts, that heard of one event neither hides the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_several_accounts_have_is_asked_for_by_name() {
    let app = connected().await;
    app.door().event(&one_time("Same", next_s())).await;
    happens(&app, one_time("Same", next_s()), "acct_8").await;
    let refused = run(&app, &["show", "--event", "evt_Same"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for name in ["\n  stripe/evt_Same", "\n  stripe/acct_8/evt_Same"] {
        assert!(said.contains(name), "{said}");
    }
    let body = |name| {
        let shown = run(&app, &["show", "--event", name]);
        serde_json::from_slice::<Value>(&shown.stdout).unwrap()
    };
    assert_eq!(body("stripe/evt_Same")["account"], Value::Null);
    assert_eq!(body("stripe/acct_8/evt_Same")["account"], "acct_8");
    let unknown = run(&app, &["show", "--event", "stripe/acct_9/evt_Same"]);
    assert_eq!(unknown.status.code(), Some(1));
}
