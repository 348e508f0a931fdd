//! A customer who comes back while Keyward only watches the old handler: the key that it makes for the newer purchase is the
//! customer's (rule 52). Where it makes none, the key of before goes on (rule 35).

use keyward::clock::Clock;
use serde_json::Value;

use super::apply::{report, run};
use super::second::bought;
use super::shop::{Customer, DAY_S, Labelled, Life, Shop};
use crate::support::app::TestApp;
use crate::support::wait::{PATIENCE, until};

/// The newer purchase.
const NEWER: &str = "stripe/sub_9001";

/// A shop that is taken in and observed, whose ended customer has just come back.
async fn came_back() -> (Shop, TestApp, Customer, Customer) {
    let shop = Shop::of(60).await;
    let mut all = shop.customers.iter();
    let old = all.find(|c| c.life == Life::Over && matches!(c.labelled, Labelled::ById(_)));
    let old = old.unwrap().clone();
    let ends = chrono::DateTime::from_timestamp(Clock::Wall.now().s() + 20 * DAY_S, 0);
    let key = old.key.as_deref().unwrap();
    shop.fake.third_hand(key, |l| l.expires_at = ends);
    let app = shop.server().await;
    let n = report(&run(&app, &[]))["to_do"].to_string();
    report(&run(&app, &["--apply", "--expect", &n]));
    app.ask(&["observe", "--reason", "beside the old handler"]);
    let (newer, events) = bought(9_001);
    for event in events {
        let same = event.to_string();
        let same = same.replace("\"cus_9001\"", &format!("\"cus_{}\"", old.n));
        let told: Value = serde_json::from_str(&same).unwrap();
        app.door().event(&told).await;
    }
    until("its key is held", PATIENCE, async || {
        let held = app.ask(&["held"]);
        let mut rows = held["rows"].as_array().unwrap().iter();
        rows.any(|r| r["machine"] == NEWER).then_some(())
    })
    .await;
    (shop, app, old, newer)
}

/// The old handler makes a key for the newer purchase.
fn handled(shop: &Shop, newer: &Customer) -> String {
    let label = format!("Stripe sub {}", newer.object());
    let ends = chrono::DateTime::from_timestamp(Clock::Wall.now().s() + 30 * DAY_S, 0);
    let fake = &shop.fake;
    fake.made_elsewhere("app_test", Some(&label), ends, 2)
}

/// Waits until the newer purchase has a license, and nothing else, and that is extended to what was paid.
async fn goes_on_with(app: &TestApp, shop: &Shop, key: &str) {
    let made = shop.fake.licenses().len();
    app.ask(&["go-live", "--reason", "the old handler is off"]);
    until("the newer purchase has its key", PATIENCE, async || {
        let page = app.ask(&["show", NEWER]);
        let license = &page["licenses"][0];
        let is = license["key"] == key && license["status"] == "live";
        let open = app.ask(&["actions"]);
        let mut open = open.as_array().unwrap().iter();
        (is && !open.any(|a| a["machine"] == NEWER)).then_some(())
    })
    .await;
    let ends = |of: &str| {
        let all = shop.fake.licenses();
        all.into_iter()
            .find(|l| l.license_key == of)
            .unwrap()
            .expires_at
    };
    let paid = chrono::DateTime::from_timestamp(Clock::Wall.now().s() + 31 * DAY_S, 0);
    assert!(ends(key) > paid, "{:?}", ends(key));
    assert_eq!(app.ask(&["show", NEWER])["licenses"][1], Value::Null);
    assert_eq!(shop.fake.licenses().len(), made, "no second key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_that_the_old_handler_made_for_the_newer_purchase_is_the_customer_s() {
    let (shop, app, old, newer) = came_back().await;
    let key = handled(&shop, &newer);
    goes_on_with(&app, &shop, &key).await;
    // That of before is where it was, and ends by itself.
    let page = app.ask(&["show", &old.machine()]);
    assert_eq!(page["licenses"][0]["key"], old.key.as_deref().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_old_handler_made_none_the_key_of_before_goes_on() {
    let (shop, app, old, _) = came_back().await;
    goes_on_with(&app, &shop, old.key.as_deref().unwrap()).await;
}

/// Whoever asks for another key gets a new one: none that the customer had before comes over in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_takes_the_place_of_another_is_new() {
    let (shop, app, old, newer) = came_back().await;
    let key = handled(&shop, &newer);
    goes_on_with(&app, &shop, &key).await;
    let made = shop.fake.licenses().len();
    app.ask(&["rekey", NEWER, "--license", "1", "--reason", "it leaked"]);
    let new = until("another key", PATIENCE, async || {
        let page = app.ask(&["show", NEWER]);
        let (first, second) = (&page["licenses"][0], &page["licenses"][1]);
        let is = first["status"] == "revoked" && second["status"] == "live";
        is.then(|| second["key"].clone())
    })
    .await;
    assert_ne!(new, old.key.as_deref().unwrap());
    assert_eq!(shop.fake.licenses().len(), made + 1);
    let page = app.ask(&["show", &old.machine()]);
    assert_eq!(page["licenses"][0]["key"], old.key.as_deref().unwrap());
}
