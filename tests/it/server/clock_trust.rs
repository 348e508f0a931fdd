//! After an outage time is not trusted at once (rule 54): until a delivery has confirmed the clock and there was time to
//! catch up.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use keyward::clock::Clock;
use keyward::domain::action::{Action, ActionOutcome};
use keyward::domain::adoption::Gap;
use keyward::domain::time::Span;
use keyward::engine::record::gaps;
use keyward::engine::write::working::Committed;
use keyward::store::Create;
use serde_json::json;

use super::alerts::Receiver;
use crate::support::shop::{NOW, Shop, bought, event, session};
use crate::support::wait::{PATIENCE, until};

/// Rule 52: what the clock jumped over, and the time before a start, are kept for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_of_which_nothing_is_known_are_kept() {
    let mut shop = Shop::open().await;
    let kept = |shop: &Shop| gaps::read(&Committed(shop.running().handle.reader())).unwrap();
    assert_eq!(kept(&shop), [], "a first start knows everything");
    let jump = Gap::between(NOW - Span::from_minutes(1), NOW);
    shop.running().handle.note_gap(jump).await.unwrap();
    shop.restart_after(Span::from_minutes(5)).await;
    assert_eq!(
        kept(&shop),
        [jump, Gap::between(NOW, NOW + Span::from_minutes(5))]
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_stops_wait_for_a_delivery_and_for_catching_up() {
    let mut shop = Shop::open().await;
    assert!(
        shop.running().handle.stops_held().is_none(),
        "a first start is no outage"
    );
    shop.restart_after(Span::from_minutes(9)).await;
    assert!(
        shop.running().handle.stops_held().is_none(),
        "nine minutes are none either"
    );
    shop.restart_after(Span::from_hours(5)).await;
    let held = || {
        shop.running()
            .handle
            .stops_held()
            .map(|why| why.to_string())
    };
    // Nothing is decided before it.
    assert!(
        held().unwrap().starts_with("the server was away for 5h"),
        "{:?}",
        held()
    );
    // Time alone ends it as little as a delivery alone.
    shop.later(Span::from_hours(3));
    keyward::clock::pause(Span::from_s(6)).await;
    assert!(held().is_some(), "nobody has confirmed the clock");
    shop.post(&bought("cs_1", None)).await;
    until("trust", PATIENCE, async || held().is_none().then_some(())).await;
    shop.stop().await;
}

const DAYS_MS: i64 = 3 * 86_400_000;

/// A shop whose clock is three days ahead, with a sale whose create the service put off.
async fn put_off_ahead(set: &Arc<AtomicI64>) -> Shop {
    set.store(DAYS_MS, Ordering::SeqCst);
    let shop = Shop::open_by(Clock::Skewed(Arc::clone(set))).await;
    shop.fake.switch(|f| {
        (f.limited_pct, f.retry_after) = (100, Some("600".to_owned()));
    });
    // Behind the store's beginning: what began before it is looked for first.
    let now = shop.clock.now() + Span::from_s(1);
    let mut session = session("cs_1", Some("buyer@example.com"));
    session["created"] = now.s().into();
    session["metadata"] = json!({"authforge_app_id": "app_test"});
    shop.post(&event("evt_1", "checkout.session.completed", now, session))
        .await;
    until("the create is put off", PATIENCE, async || {
        create(&shop).filter(|a| a.attempts > 0 && a.due > now)
    })
    .await;
    shop.fake.switch(|f| f.limited_pct = 0);
    assert!(shop.fake.licenses().is_empty());
    shop
}

fn create(shop: &Shop) -> Option<Action> {
    let machine = shop.machine("stripe/cs_1")?;
    machine.actions.into_iter().find(|a| a.act.creates())
}

async fn is_made(shop: &Shop) {
    until("the create is carried out", PATIENCE, async || {
        create(shop).filter(|a| a.outcome == ActionOutcome::Done)
    })
    .await;
    assert_eq!(shop.fake.licenses().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_that_a_wrong_clock_dated_ahead_is_made_once_the_clock_is_right() {
    let set = Arc::default();
    let mut shop = put_off_ahead(&set).await;
    set.store(0, Ordering::SeqCst);
    is_made(&shop).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_where_the_clock_was_set_right_while_nothing_ran() {
    let set = Arc::default();
    let mut shop = put_off_ahead(&set).await;
    shop.stop_after_heartbeat().await;
    set.store(0, Ordering::SeqCst);
    shop.start(Create::Never).await;
    is_made(&shop).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_is_alerted_to() {
    let (receiver, base) = Receiver::start().await;
    let set = Arc::<AtomicI64>::default();
    let more = format!("[alert]\nurl = \"{base}/alerts\"\n");
    let mut shop = Shop::open_with(Clock::Skewed(Arc::clone(&set)), more.leak()).await;
    set.store(DAYS_MS, Ordering::SeqCst);
    receiver.until("clock", &["waits clock"]).await;
    shop.stop().await;
}
