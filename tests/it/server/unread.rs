//! Signed events that cannot be read: each may be a payment, so a person is told, and can say that one is of no use.

use std::sync::Arc;

use serde_json::{Value, json};

use super::alerts::Receiver;
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{next_s, one_time, refund};
use crate::support::wait::PATIENCE;

/// A purchase in a mode that no version knows.
fn barter(name: &str) -> Value {
    let mut event = one_time(name, next_s());
    event["data"]["object"]["mode"] = json!("barter");
    event
}

/// The line of unreadable events, where there is one.
fn line(app: &TestApp) -> Option<Value> {
    let rows = app.ask(&["attention"]);
    let mut of_cause = rows.as_array().unwrap().iter();
    of_cause
        .find(|row| row["cause"] == "unreadable_events")
        .cloned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_waits_for_a_person_until_each_is_settled() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (receiver, base) = Receiver::start().await;
    let mut setup = Setup::with(&fake);
    setup.more = format!("[alert]\nurl = \"{base}/alerts\"\nevery = \"1s\"\n");
    let mut app = TestApp::start(setup).await;
    app.door().event(&barter("Odd1")).await;
    let told = line(&app).expect("it is listed at once");
    assert_eq!(told["about"], "stripe", "{told}");
    assert_eq!(told["settle"], "keyward reread --reason unreadable");
    let said = told["reason"].as_str().unwrap();
    for part in [
        "1 event could not be read",
        "stripe/evt_Odd1 (checkout.session.completed)",
        "unreadable: `data.object.mode` is the text `barter`",
    ] {
        assert!(said.contains(part), "{told}");
    }
    receiver.until("unreadable_events", &["waits stripe"]).await;
    // More of a type that was told of are counted; one of another is news.
    app.door().event(&barter("Odd2")).await;
    let mut other = refund("Odd1", next_s());
    other["data"]["object"]["amount"] = json!("a lot");
    app.door().event(&other).await;
    let told = line(&app).unwrap();
    assert!(
        told["reason"].as_str().unwrap().starts_with("3 events"),
        "{told}"
    );
    assert_eq!(told["details"].as_array().unwrap().len(), 3, "{told}");
    receiver
        .until("unreadable_events", &["waits stripe", "more stripe"])
        .await;
    // A restart neither reports them anew nor takes them for settled.
    app.terminate();
    app.ended(PATIENCE).await;
    app.restart().await;
    let reread = app.ask(&["reread", "--reason", "unreadable"]);
    assert_eq!(
        (&reread["rows"], &reread["unchanged"]),
        (&json!([]), &json!(3))
    );
    for event in ["evt_Odd1", "stripe/evt_Odd2", "evt_refund_Odd1"] {
        let noted = app.ask(&["note", event, "--reason", "a test of ours"]);
        let name = event.trim_start_matches("stripe/");
        assert_eq!(noted["events"][0], format!("stripe/{name}"), "{noted}");
    }
    assert_eq!(line(&app), None);
    receiver
        .until(
            "unreadable_events",
            &["waits stripe", "more stripe", "recovered stripe"],
        )
        .await;
    let kept = &app.events()["evt_Odd1"];
    let why = kept["reason"].as_str().unwrap();
    assert!(
        why.contains("looked at it (a test of ours)") && why.contains("`barter`"),
        "{kept}"
    );
    // It is among what can be read again by order, and no longer among the unread.
    let reread = |reason| app.ask(&["reread", "--reason", reason])["unchanged"].clone();
    assert_eq!(reread("unreadable"), 0);
    assert_eq!(reread("dismissed"), 3);
    assert_eq!(app.ask(&["verify"])["wrong"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_waits_is_noted_and_still_finds_its_purchase() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup::with(&fake)).await;
    app.door().event(&refund("Late1", next_s())).await;
    let parked = |app: &TestApp| app.events()["evt_refund_Late1"].clone();
    assert_eq!(parked(&app)["disposition"], "parked", "{}", parked(&app));
    let noted = app.ask(&["note", "evt_refund_Late1", "--reason", "another shop's"]);
    assert_eq!(noted["events"][0], "stripe/evt_refund_Late1", "{noted}");
    let kept = parked(&app);
    assert_eq!(kept["disposition"], "parked", "{kept}");
    assert!(
        kept["noted"].as_str().unwrap().contains("another shop's"),
        "{kept}"
    );
    app.door().event(&one_time("Late1", next_s())).await;
    let claimed = parked(&app);
    assert_eq!(claimed["disposition"], "applied", "{claimed}");
    assert_eq!(app.ask(&["verify"])["wrong"], json!([]));
}
