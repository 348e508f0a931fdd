//! How many devices fit on one key is the license service's own word, on every page and in every list.

use serde_json::json;

use crate::support::app::{Setup, TestApp};
use crate::support::purchase::{next_s, one_time, session_id};
use crate::support::wait::{PATIENCE, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_devices_at_the_embedded_service_are_one_key_everywhere() {
    let app = TestApp::start(Setup::embedded()).await;
    let mut purchase = one_time("TwentyDevices", next_s());
    purchase["data"]["object"]["metadata"]["max_hwid_slots"] = json!("20");
    app.door().event(&purchase).await;
    let session = session_id("TwentyDevices");
    let made = || {
        Some(app.ask(&["show", &session]))
            .filter(|page| page["licenses"].as_array().is_some_and(|l| !l.is_empty()))
    };
    let page = until("the license", PATIENCE, async || made()).await;
    let licenses = page["licenses"].as_array().unwrap();
    assert_eq!(licenses.len(), 1, "{page}");
    assert_eq!(licenses[0]["devices"], 20, "{page}");
    let answer = app
        .door()
        .get(&format!("/success?session_id={session}"))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body.matches("up to 20 devices").count(),
        1,
        "{}",
        answer.body
    );
    assert!(
        !answer.body.contains("http-equiv=\"refresh\""),
        "nothing is waited for: {}",
        answer.body
    );
}
