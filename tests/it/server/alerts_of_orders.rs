//! Alerts of what the seller ordered and may have forgotten.

use keyward::domain::standing::{Author, Standing, StandingOrder};
use keyward::domain::time::Span;

use super::alerts::Receiver;
use crate::support::purchase::one_time;
use crate::support::shop::{NOW, Shop};
use crate::support::stripe_events_api::EventsApi;
use crate::support::wait::{PATIENCE, until};

/// A pause that somebody forgets: an alert once it has stood for a while, a field of `/readyz`, and the end of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_is_forgotten_is_reported_with_its_end() {
    let (receiver, base) = Receiver::start().await;
    let (_, stripe) = EventsApi::start().await;
    let more = format!("[alert]\nurl = \"{base}/alerts\"\n");
    let mut shop = Shop::open_beside(stripe, more.leak()).await;
    let service = || "authforge".to_owned();
    let order = |what, at| StandingOrder {
        what,
        by: Author::Person("ada".to_owned()),
        reason: "moving".to_owned(),
        at,
    };
    let pause = order(Standing::Pause { service: service() }, NOW);
    shop.running().handle.order(pause).await.unwrap();
    shop.later(Span::from_minutes(5));
    let ready = shop.get("/readyz").await;
    assert_eq!(ready.status, 200);
    let held = &ready.json()["held_back"][0];
    assert_eq!(held["about"], "authforge", "{held}");
    assert_eq!(held["since"], "2026-01-05T08:00:00Z", "{held}");
    assert_eq!(
        held["ended_by"], "keyward resume --service authforge --reason …",
        "{held}"
    );
    assert_eq!(receiver.of("held_back"), [""; 0], "a pause of some minutes");
    shop.later(Span::from_minutes(10));
    receiver.until("held_back", &["waits authforge"]).await;
    let resume = order(Standing::Resume { service: service() }, shop.clock.now());
    shop.running().handle.order(resume).await.unwrap();
    let look = async || {
        shop.later(Span::from_minutes(1));
        (receiver.of("held_back") == ["waits authforge", "recovered authforge"]).then_some(())
    };
    until("its end", PATIENCE, look).await;
    assert!(shop.get("/readyz").await.json()["held_back"].is_null());
    shop.stop().await;
}

/// A shop that was live and is only observed: somebody did it for a while, and forgot. What waits behind it is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_was_live_and_is_only_observed_is_reported_with_its_end() {
    let (receiver, base) = Receiver::start().await;
    let (_, stripe) = EventsApi::start().await;
    let more = format!("[alert]\nurl = \"{base}/alerts\"\n");
    let mut shop = Shop::open_beside(stripe, more.leak()).await;
    shop.later(Span::from_hours(2));
    let order = |what, at| StandingOrder {
        what,
        by: Author::Person("ada".to_owned()),
        reason: "something is odd".to_owned(),
        at,
    };
    let observe = order(Standing::Observe { plan: None }, shop.clock.now());
    shop.running().handle.order(observe).await.unwrap();
    shop.post(&one_time("Waits", shop.clock.now().s())).await;
    shop.later(Span::from_minutes(16));
    receiver.until("held_back", &["waits shop"]).await;
    let held = &shop.get("/readyz").await.json()["held_back"][0];
    assert_eq!(held["about"], "shop", "{held}");
    assert_eq!(held["ended_by"], "keyward go-live --reason …", "{held}");
    let why = held["why"].as_str().unwrap();
    assert!(why.contains("by ada (something is odd)"), "{why}");
    let live = order(Standing::Live { plan: None }, shop.clock.now());
    shop.running().handle.order(live).await.unwrap();
    let look = async || {
        shop.later(Span::from_minutes(1));
        (receiver.of("held_back") == ["waits shop", "recovered shop"]).then_some(())
    };
    until("its end", PATIENCE, look).await;
    shop.stop().await;
}
