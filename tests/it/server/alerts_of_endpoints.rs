//! Alerts of what goes on at Stripe's end: an endpoint that is deleted, and events that only Stripe's list tells of.

use keyward::domain::time::{Span, Timestamp};
use keyward::engine::record::endpoints;
use keyward::store::Create;
use serde_json::{Value, json};

use super::alerts::Receiver;
use crate::support::purchase::{machine, one_time};
use crate::support::shop::Shop;
use crate::support::stripe_events_api::EventsApi;
use crate::support::wait::{PATIENCE, until};

const URL: &str = "https://buy.example.com/webhooks/stripe";

async fn shop() -> (Receiver, EventsApi, Shop) {
    let (receiver, base) = Receiver::start().await;
    let (stripe, stripe_base) = EventsApi::start().await;
    stripe.endpoints(vec![endpoint(URL)]);
    let more = format!("[alert]\nurl = \"{base}/alerts\"\n");
    let shop = Shop::open_beside(stripe_base, more.leak()).await;
    (receiver, stripe, shop)
}

fn endpoint(url: &str) -> Value {
    json!({ "id": "we_1", "url": url, "status": "enabled" })
}

/// Looks at each minute of the shop's time.
async fn until_reported(shop: &Shop, receiver: &Receiver, cause: &str, expected: &[&str]) {
    let look = async || {
        let is = receiver.of(cause) == *expected;
        if !is {
            shop.later(Span::from_minutes(1));
        }
        is.then_some(())
    };
    until(cause, PATIENCE, look).await;
}

/// An endpoint that was there and posts somewhere else now: an alert with its end, not again after a restart, and none where
/// no endpoint ever posted here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_gone_is_reported_with_its_end() {
    let (receiver, stripe, mut shop) = shop().await;
    let seen = async |shop: &Shop| {
        let seen = endpoints::seen(shop.running().handle.reader()).unwrap();
        (seen.len() == 1).then_some(())
    };
    until("it is seen", PATIENCE, async || seen(&shop).await).await;
    stripe.endpoints(vec![endpoint("https://elsewhere.example.com/hook")]);
    shop.later(Span::from_hours(1));
    let gone = "waits stripe";
    until_reported(&shop, &receiver, "endpoint", &[gone]).await;
    shop.stop().await;
    shop.start(Create::Never).await;
    stripe.endpoints(vec![endpoint(URL)]);
    shop.later(Span::from_minutes(1));
    let over = [gone, "recovered stripe"];
    until_reported(&shop, &receiver, "endpoint", &over).await;
    shop.stop().await;
}

/// What the list shows and nobody delivered: one such event is late, two of them an hour apart are missed, and one that arrives
/// by itself ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_only_the_list_tells_of_are_reported_with_their_end() {
    let (receiver, stripe, mut shop) = shop().await;
    let sold = |name: &str, at: Timestamp| {
        let sale = one_time(name, at.s());
        stripe.add([sale.clone()]);
        sale
    };
    shop.post(&sold("Delivered", shop.clock.now())).await;
    let fetched = async |shop: &Shop, name: &str| {
        let at = shop.clock.now();
        let look = async || {
            shop.later(Span::from_minutes(5));
            shop.machine(&machine(name))
        };
        sold(name, at);
        until(name, PATIENCE, look).await;
    };
    fetched(&shop, "Late").await;
    let noted = async || {
        let kept = endpoints::deliveries(shop.running().handle.reader()).unwrap();
        let any = !kept.is_empty() && kept[0].deliveries != Default::default();
        any.then_some(())
    };
    until("it is noted", PATIENCE, noted).await;
    assert_eq!(receiver.of("missed_deliveries"), [""; 0], "one is late");
    shop.later(Span::from_hours(1));
    fetched(&shop, "Missed").await;
    let missed = "waits stripe";
    receiver.until("missed_deliveries", &[missed]).await;
    // A restart is no delivery.
    shop.stop().await;
    shop.start(Create::Never).await;
    shop.later(Span::from_minutes(10));
    shop.post(&sold("Mended", shop.clock.now())).await;
    let over = [missed, "recovered stripe"];
    until_reported(&shop, &receiver, "missed_deliveries", &over).await;
    shop.stop().await;
}
