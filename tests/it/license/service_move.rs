//! `keyward move-licenses`: from the embedded service to AuthForge and back with the real binary, killed in the middle.

mod held;
mod killed;
mod left;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::programs::harness::{NONCE, payload};
use super::programs::kill::buy;
use crate::support::app::{Setup, TestApp, binary};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{next_s, refund, session_id};
use crate::support::wait::{PATIENCE, until};

const LICENSES: usize = 12;
const EMBEDDED: &str = "service = \"embedded\"\n";

struct Shop {
    app: TestApp,
    fake: Arc<Fake>,
    /// The body of `[licenses]` for the stand-in of AuthForge.
    authforge: String,
}

fn name(n: usize) -> String {
    format!("Move{n}")
}

impl Shop {
    async fn start() -> Self {
        let fake = Arc::new(Fake::start(Faults::default()).await);
        let authforge = Setup::with(&fake).licenses;
        let setup = Setup {
            fake: Some(Arc::clone(&fake)),
            ..Setup::embedded()
        };
        let app = TestApp::start(setup).await;
        for n in 0..LICENSES {
            // One of them is for a time.
            let year = [("license_duration", "365")];
            let metadata = if n == 1 { &year[..] } else { &[] };
            buy(&app, &name(n), metadata).await;
        }
        Self {
            app,
            fake,
            authforge,
        }
    }

    fn page(&self, n: usize) -> Value {
        self.app.ask(&["show", &session_id(&name(n))])
    }

    /// The key of each purchase that is not left anywhere, and whether it works.
    fn keys(&self) -> BTreeMap<usize, (String, String)> {
        let current = |n: usize| {
            let page = self.page(n);
            let all = page["licenses"].as_array().unwrap();
            let here = all.iter().rfind(|l| l["left_at"].is_null())?;
            let text = |field: &str| here[field].as_str().unwrap().to_owned();
            Some((n, (text("key"), text("status"))))
        };
        (0..LICENSES).filter_map(current).collect()
    }

    /// How many mails with keys were due, sent or not.
    fn key_mails(&self) -> usize {
        let mails = |n: usize| {
            let page = self.page(n);
            let all = page["notices"].as_array().unwrap();
            all.iter().filter(|m| m["kind"] == "license_issued").count()
        };
        (0..LICENSES).map(mails).sum()
    }

    fn dry(&self, from: &str) -> Value {
        self.app.ask(&["move-licenses", "--from", from])
    }

    fn apply(&self, from: &str, expect: usize) -> Value {
        let expect = expect.to_string();
        let args = [
            "move-licenses",
            "--from",
            from,
            "--apply",
            "--expect",
            &expect,
        ];
        self.app
            .ask(&[&args[..], &["--reason", "we move"]].concat())
    }

    /// Starts the server and kills it while licenses are made, twice.
    async fn killed_while_they_are_made(&mut self) {
        self.fake.switch(|f| f.latency_ms = 40);
        for made in [2, 6] {
            self.app.begin();
            until("some are made", PATIENCE, async || {
                (self.fake.licenses().len() >= made).then_some(())
            })
            .await;
            self.app.kill9();
        }
        self.app.restart().await;
    }

    /// Every purchase but the revoked has a license that works, and the keys are these.
    async fn all_live(&self, but: &[usize]) -> BTreeMap<usize, (String, String)> {
        until("all licenses are there", PATIENCE, async || {
            let keys = self.keys();
            let live = |n: usize| keys.get(&n).is_some_and(|(_, status)| status == "live");
            let all = (0..LICENSES).filter(|n| !but.contains(n)).all(live);
            all.then_some(keys)
        })
        .await
    }

    /// What the embedded service says to a program.
    async fn validates(&self, key: &str) -> Value {
        let question =
            json!({ "key": key, "app": "app_test", "device": "a".repeat(64), "nonce": NONCE });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let sent = http
            .post(format!("{}/licenses/v1/activate", self.app.base()))
            .body(question.to_string());
        let text = sent.send().await.unwrap().text().await.unwrap();
        let signed: Value = serde_json::from_str(&text).unwrap();
        assert!(signed["payload"].is_string(), "{text}");
        payload(&signed)
    }
}

fn only_keys(keys: &BTreeMap<usize, (String, String)>) -> BTreeMap<usize, String> {
    keys.iter().map(|(n, (key, _))| (*n, key.clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_license_is_there_once_after_a_move_and_back() {
    let mut shop = Shop::start().await;
    shop.app.door().event(&refund(&name(0), next_s())).await;
    until("the refund", PATIENCE, async || {
        (shop.keys()[&0].1 == "revoked").then_some(())
    })
    .await;
    let (first, mails) = (only_keys(&shop.keys()), shop.key_mails());

    // To AuthForge: it makes its own keys.
    let authforge = shop.authforge.clone();
    shop.app.configure_licenses(&authforge).await;
    let dry = shop.dry("embedded");
    assert_eq!(
        dry["classes"],
        json!({ "new_key": LICENSES - 1, "ended": 1 })
    );
    assert_eq!(dry["to_do"], LICENSES - 1);
    let shown = dry["rows"][1]["key"].as_str().unwrap();
    assert_eq!(shown.chars().count(), 5, "the last four alone: {shown}");
    let refused = Command::new(binary())
        .args(["move-licenses", "--from", "embedded", "--apply"])
        .args(["--expect", "5", "--reason", "r", "--config"])
        .arg(shop.app.config())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(shop.dry("embedded"), dry, "nothing was changed");
    shop.apply("embedded", LICENSES - 1);
    assert_eq!(
        shop.dry("embedded")["to_do"],
        0,
        "what was ordered is not ordered twice"
    );

    shop.killed_while_they_are_made().await;
    let second = shop.all_live(&[0]).await;
    assert_eq!(shop.fake.licenses().len(), LICENSES - 1);
    let of_fake: Vec<String> = shop
        .fake
        .licenses()
        .into_iter()
        .map(|l| l.license_key)
        .collect();
    for n in 1..LICENSES {
        assert!(of_fake.contains(&second[&n].0));
        let page = shop.page(n);
        assert_eq!(page["licenses"][0]["left_at"], "embedded", "{page}");
        assert_eq!(page["licenses"][0]["key"], json!(first[&n]));
        assert_eq!(
            page["licenses"][1]["devices"],
            page["licenses"][0]["devices"]
        );
        assert_eq!(
            page["licenses"][1]["expires_at"],
            page["licenses"][0]["expires_at"]
        );
    }
    assert_eq!(shop.key_mails(), mails, "nobody was told");
    assert_eq!(shop.dry("embedded")["to_do"], 0);
    shop.app.door().event(&refund(&name(1), next_s())).await;
    until("the refund at the new service", PATIENCE, async || {
        (shop.fake.counter("PUT revoke") == 1).then_some(())
    })
    .await;

    back_and_there_again(shop, mails).await;
}

/// Back to the embedded service, which takes the keys; and to AuthForge again, which has them.
async fn back_and_there_again(mut shop: Shop, mails: usize) {
    let second = only_keys(&shop.all_live(&[0, 1]).await);
    shop.app.configure_licenses(EMBEDDED).await;
    let dry = shop.dry("authforge");
    assert_eq!(
        dry["classes"],
        json!({ "keeps_key": LICENSES - 2, "ended": 1 })
    );
    shop.apply("authforge", LICENSES - 2);
    shop.app.begin();
    until("it answers", Duration::from_secs(20), async || {
        shop.app.door().get("/healthz").await.ok()
    })
    .await;
    shop.app.kill9();
    shop.app.restart().await;
    let third = only_keys(&shop.all_live(&[0, 1]).await);
    assert_eq!(third, second, "the keys are kept");
    for n in 2..LICENSES {
        let told = shop.validates(&third[&n]).await;
        assert_eq!(
            (&told["live"], &told["devices"]["max"]),
            (&json!(true), &json!(2)),
            "{told}"
        );
    }

    let (authforge, posts) = (shop.authforge.clone(), shop.fake.counter("POST"));
    shop.app.configure_licenses(&authforge).await;
    shop.apply("embedded", LICENSES - 2);
    shop.app.restart().await;
    let fourth = only_keys(&shop.all_live(&[0, 1]).await);
    assert_eq!(fourth, second, "AuthForge has them still");
    assert_eq!(shop.fake.counter("POST"), posts);
    assert_eq!(shop.key_mails(), mails, "nobody was told");
}
