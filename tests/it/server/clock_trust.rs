//! After an outage time is not trusted at once (rule 54): until a delivery has confirmed the clock and there was time to
//! catch up.

use keyward::domain::adoption::Gap;
use keyward::domain::time::Span;
use keyward::engine::input::Input;
use keyward::engine::record::gaps;
use keyward::engine::write::working::Committed;
use keyward::store::Create;

use crate::support::shop::{NOW, Shop, bought};
use crate::support::wait::{PATIENCE, until};

/// Rule 52: what the clock jumped over, and the time before a start, are kept for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_of_which_nothing_is_known_are_kept() {
    let mut shop = Shop::open().await;
    let kept = |shop: &Shop| gaps::read(&Committed(shop.running().handle.reader())).unwrap();
    assert_eq!(kept(&shop), [], "a first start knows everything");
    let jump = Gap::between(NOW - Span::from_minutes(1), NOW);
    shop.running().handle.note_gap(jump).await.unwrap();
    shop.running()
        .handle
        .submit(Input::Heartbeat)
        .await
        .unwrap();
    shop.stop().await;
    shop.later_while_down(Span::from_minutes(5));
    shop.start(Create::Never).await;
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
    shop.running()
        .handle
        .submit(Input::Heartbeat)
        .await
        .unwrap();
    shop.stop().await;
    shop.later_while_down(Span::from_minutes(9));
    shop.start(Create::Never).await;
    assert!(
        shop.running().handle.stops_held().is_none(),
        "nine minutes are none either"
    );
    shop.running()
        .handle
        .submit(Input::Heartbeat)
        .await
        .unwrap();
    shop.stop().await;
    shop.later_while_down(Span::from_hours(5));
    shop.start(Create::Never).await;
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
