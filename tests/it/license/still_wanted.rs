//! What takes a license is judged once more when its turn has come: it may have waited until time could not be trusted.

use keyward::domain::hold::{Distrust, DistrustCause};
use keyward::domain::time::Span;
use serde_json::Value;

use crate::support::shop::{NOW, Shop, bought, refunded};
use crate::support::wait::{PATIENCE, until};

const PURCHASE: &str = "stripe/cs_1";

fn paid() -> Value {
    let mut event = bought("cs_1", Some("ada@example.com"));
    event["data"]["object"]["metadata"] = serde_json::json!({ "authforge_app_id": "app_test" });
    event
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_waited_is_not_sent_once_the_clock_is_in_doubt() {
    let mut shop = Shop::open().await;
    shop.later(Span::from_minutes(1));
    shop.post(&paid()).await;
    shop.until_work(PURCHASE, "create_license done").await;
    // The service is busy, so the revocation waits.
    shop.fake.switch(|faults| faults.limited_pct = 100);
    shop.post(&refunded(Some("pi_cs_1"), "ch_1")).await;
    let waits = "create_license done, revoke_license pending";
    shop.until_work(PURCHASE, waits).await;
    let tried = || shop.machine(PURCHASE).unwrap().actions[1].attempts;
    until("it was tried", PATIENCE, async || {
        (tried() > 0).then_some(())
    })
    .await;
    let jumped = Distrust {
        cause: DistrustCause::Jumped(Span::from_hours(5)),
        until: NOW + Span::from_days(2),
    };
    shop.running().handle.hold_stops(jumped);
    shop.fake.switch(|faults| faults.limited_pct = 0);
    let sent = shop.fake.counter("PUT revoke");
    shop.later(Span::from_hours(1));
    let held = "create_license done, revoke_license held";
    shop.until_work(PURCHASE, held).await;
    assert_eq!(shop.fake.counter("PUT revoke"), sent, "nothing was sent");
    assert_eq!(shop.fake.licenses()[0].status, "active");
    // Trust is back: it goes ahead.
    assert!(shop.running().handle.release_stops());
    let wake = keyward::engine::input::Input::WakeUp {
        machine: PURCHASE.parse().unwrap(),
    };
    shop.running().handle.submit(wake).await.unwrap();
    let done = "create_license done, revoke_license done";
    shop.until_work(PURCHASE, done).await;
    assert_eq!(shop.fake.licenses()[0].status, "revoked");
    shop.stop().await;
}
