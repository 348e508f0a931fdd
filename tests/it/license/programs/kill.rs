//! SIGKILL while devices are activated: every place that was acknowledged is kept, and there are never more than allowed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::harness::{NONCE, payload};
use crate::support::app::{Door, Setup, TestApp};
use crate::support::purchase::{next_s, one_time, session_id};
use crate::support::wait::{PATIENCE, until, within};

const LICENSES: usize = 8;
const PLACES: usize = 12;
/// Devices that try, for each license.
const DEVICES: usize = 20;
const KILLS: usize = 3;

/// Buys a license with places, and gives its key.
pub(crate) async fn buy(app: &TestApp, name: &str, metadata: &[(&str, &str)]) -> String {
    let mut purchase = one_time(name, next_s());
    for (key, value) in metadata {
        purchase["data"]["object"]["metadata"][key] = json!(value);
    }
    app.door().event(&purchase).await;
    let made = || {
        let page = app.ask(&["show", &session_id(name)]);
        page["licenses"][0]["key"].as_str().map(str::to_owned)
    };
    until("the key", PATIENCE, async || made()).await
}

/// Asks once; nothing where no answer came.
async fn ask(
    http: &reqwest::Client,
    door: &Door,
    call: &str,
    key: &str,
    device: &str,
) -> Option<Value> {
    let visitor = format!("10.1.{}.{}", device.len(), crc(device) % 250);
    let question = json!({ "key": key, "app": "app_test", "device": device, "nonce": NONCE });
    let sent = http
        .post(format!("{}/licenses/v1/{call}", door.base()))
        .header("x-forwarded-for", visitor)
        .body(question.to_string())
        .send()
        .await;
    let answer = sent.ok().filter(|a| a.status() == 200)?;
    let signed: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
    Some(payload(&signed))
}

fn crc(text: &str) -> u32 {
    text.bytes().fold(7, |sum: u32, b| {
        sum.wrapping_mul(31).wrapping_add(u32::from(b))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_place_survives_and_no_license_has_too_many() {
    let mut setup = Setup::embedded();
    setup.more = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n".to_owned();
    let mut app = TestApp::start(setup).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut keys = Vec::new();
    for n in 0..LICENSES {
        let places = PLACES.to_string();
        let bought = [("max_hwid_slots", places.as_str())];
        keys.push(buy(&app, &format!("Places{n}"), &bought).await);
    }
    let kept: Arc<Mutex<BTreeSet<(String, String)>>> = Arc::default();
    let next = Arc::new(AtomicUsize::new(0));
    for round in 0..=KILLS {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (http, door, keys) = (http.clone(), app.door().clone(), keys.clone());
            let (kept, next) = (Arc::clone(&kept), Arc::clone(&next));
            tasks.spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= LICENSES * DEVICES {
                        break;
                    }
                    let (key, device) = (&keys[n % LICENSES], format!("device {n}"));
                    let Some(answer) = ask(&http, &door, "activate", key, &device).await else {
                        break; // it was killed
                    };
                    if answer["live"] == true {
                        kept.lock().unwrap().insert((key.clone(), device));
                    }
                }
            });
        }
        if round < KILLS {
            let share = LICENSES * PLACES * (round + 1) / (KILLS + 1);
            let reached = async || (kept.lock().unwrap().len() >= share).then_some(());
            within(PATIENCE, reached).await.expect("places are given");
            app.kill9();
        }
        while tasks.join_next().await.is_some() {}
        if round < KILLS {
            app.restart().await;
        }
    }
    let kept = kept.lock().unwrap().clone();
    for (key, device) in &kept {
        let answer = ask(&http, app.door(), "validate", key, device)
            .await
            .unwrap();
        assert_eq!(answer["live"], true, "{device} had its place: {answer}");
        let used = answer["devices"]["used"].as_u64().unwrap();
        assert!(used <= PLACES as u64, "{answer}");
    }
    println!("{} places kept over {KILLS} kills", kept.len());
}
