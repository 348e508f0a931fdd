//! Events that never arrived are fetched from Stripe's event list, and taken as if they had been delivered.

use std::collections::BTreeSet;

use keyward::domain::time::{Span, Timestamp};
use keyward::store::Create;
use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::fake_stripe::KEY;
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::shop::{NOW, Shop, event};
use crate::support::stripe_events_api::EventsApi;
use crate::support::wait::{PATIENCE, until};

/// What the shop sells, and what happens beside it, a purchase each so many minutes.
fn sold(from: Timestamp, count: usize, every: Span) -> Vec<Value> {
    let mut events = Vec::new();
    for n in 0..count {
        let at = from + Span::from_ms(every.ms() * n as i64);
        events.push(one_time(&format!("Missed{n:04}"), at.s()));
        let noise = json!({ "id": format!("price_{n}"), "object": "price" });
        events.push(event(&format!("evt_noise{n}"), "price.created", at, noise));
    }
    events
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("Missed{n:04}")).collect()
}

async fn until_sold(shop: &Shop, names: &[String]) {
    let sold = |name: &String| {
        let machine = shop.machine(&machine(name));
        machine.is_some_and(|m| !m.grants.is_empty())
    };
    until_passing(shop, "every purchase has its key", || {
        names.iter().all(sold)
    })
    .await;
}

/// The clock goes on by a minute at each look, as long as something is awaited.
async fn until_passing(shop: &Shop, what: &str, is: impl Fn() -> bool) {
    let look = async || {
        if !is() {
            shop.later(Span::from_minutes(1));
        }
        is().then_some(())
    };
    until(what, PATIENCE, look).await;
}

/// The endpoint was down for five days, and so was the server: what happened meanwhile is fetched, each event once, in pages
/// and through a few 429s, and what Stripe shows late comes with a later round. Stops by time go again once the list was read
/// to its end and a delivery has confirmed the clock, long before `catch_up` has passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_was_down_for_five_days_is_made_whole() {
    let (stripe, base) = EventsApi::start().await;
    let mut shop = Shop::open_beside(base, "[time]\ncatch_up = \"7d\"\n").await;
    let known = one_time("Known", NOW.s());
    shop.post(&known).await;
    stripe.add([known]);
    until_sold(&shop, &["Known".to_owned()]).await;
    shop.stop_after_heartbeat().await;
    stripe.add(sold(NOW + Span::from_hours(1), 230, Span::from_minutes(30)));
    stripe.limit(2);
    shop.later_while_down(Span::from_days(5));
    shop.start(Create::Never).await;
    let held = || shop.running().handle.stops_held().is_some();
    until("stops are held", PATIENCE, async || held().then_some(())).await;
    let everything = || {
        names(230)
            .iter()
            .all(|name| shop.machine(&machine(name)).is_some())
    };
    until_passing(&shop, "every event is fetched", everything).await;
    until_sold(&shop, &names(230)).await;
    let counts = shop.fake.by_label();
    assert_eq!(counts.len(), 231);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    // An event that Stripe shows late.
    let late_at = shop.clock.now() - Span::from_minutes(2);
    stripe.add([one_time("Late", late_at.s())]);
    let late = || shop.machine(&machine("Late")).is_some();
    until_passing(&shop, "the late event is fetched", late).await;
    assert!(held(), "no delivery has confirmed the clock yet");
    shop.post(&one_time("Delivered", shop.clock.now().s()))
        .await;
    until_passing(&shop, "time is trusted", || !held()).await;
    let catch_up = NOW + Span::from_days(5) + Span::from_days(7);
    assert!(shop.clock.now() < catch_up, "{}", shop.clock.now());
    let reads = stripe.reads();
    assert!(reads < 60, "{reads} requests for 460 events");
    shop.stop().await;
}

/// Nobody is asked more often than each hour while all is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_all_is_well_a_round_is_one_request() {
    let (stripe, base) = EventsApi::start().await;
    let mut shop = Shop::open_beside(base, "").await;
    shop.later(Span::from_minutes(61));
    until("a round", PATIENCE, async || {
        (stripe.reads() == 1).then_some(())
    })
    .await;
    shop.later(Span::from_minutes(61));
    until("another", PATIENCE, async || {
        (stripe.reads() == 2).then_some(())
    })
    .await;
    shop.stop().await;
}

/// Connected accounts have lists of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_of_connected_accounts_are_fetched_too() {
    let (stripe, base) = EventsApi::start().await;
    let mut shop = Shop::open_beside(base, "").await;
    let mut first = one_time("First", NOW.s());
    first["account"] = json!("acct_1");
    shop.post(&first).await;
    stripe.add_of("acct_1", [one_time("Second", NOW.s() + 60)]);
    shop.later(Span::from_minutes(61));
    let id = "stripe/acct_1/cs_live_Second";
    until("its purchase", PATIENCE, async || shop.machine(id)).await;
    shop.stop().await;
}

fn asking(base: &str) -> Setup {
    let mut setup = Setup::embedded();
    setup.source = "livemode = \"live\"\n";
    setup.more = format!(
        "[backfill]\nevery = \"0s\"\n[[source]]\nname = \"asks\"\nsigning_secrets = [\"whsec_1\"]\napi_key = \"{KEY}\"\n\
         api_base = \"{base}\"\n"
    );
    setup
}

/// What a backfill by hand ends with and says, where it cannot read the list.
fn by_hand(app: &TestApp) -> (Option<i32>, String) {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(["backfill", "--since", "1d", "--config"])
        .arg(app.config())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    (out.status.code(), said)
}

/// By hand, with the server and without it: how many were missing, by type; a second time none is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_hand_it_says_how_many_were_missing() {
    let (stripe, base) = EventsApi::start().await;
    let mut app = TestApp::start(asking(&base)).await;
    let from = next_s() - 86_400;
    stripe.add(sold(Timestamp::from_s(from), 120, Span::from_s(1)));
    // Asked for patience it waits, and goes on.
    stripe.limit(1);
    let said = app.ask(&["backfill", "--since", "7d"]);
    assert_eq!(
        said["missing"],
        json!({ "checkout.session.completed": 120 })
    );
    assert_eq!(said["seen"], 240, "{said}");
    let said = app.ask(&["backfill", "--since", "7d"]);
    assert_eq!(said["missing"], json!({}));
    let listed: BTreeSet<String> = app.events().into_keys().collect();
    assert_eq!(listed.len(), 120, "what is of no use is left with Stripe");
    stripe.add([one_time("Alone", from + 500)]);
    app.terminate();
    app.ended(PATIENCE).await;
    let said = app.ask(&["backfill", "--since", "7d"]);
    assert_eq!(said["missing"], json!({ "checkout.session.completed": 1 }));
    assert!(stripe.reads() < 60);
    app.restart().await;
    let further = std::process::Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(["backfill", "--since", "90d", "--config"])
        .arg(app.config())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&further.stderr);
    assert!(said.contains("Stripe keeps events for 30d"), "{said}");
}

/// A key that may not read events is somebody's task, and it is over when it may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_cannot_be_read_waits_for_a_person() {
    let (stripe, base) = EventsApi::start().await;
    stripe.forbid(true);
    let mut setup = asking(&base);
    setup.more = setup.more.replace("0s", "5m");
    let app = TestApp::start(setup).await;
    // The store is younger than what the list is read for, so a first round asks nothing: the hand does.
    let (status, said) = by_hand(&app);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("rak_event_read"), "{said}");
    stripe.forbid(false);
    app.ask(&["backfill", "--since", "1d"]);
}

/// A key that Stripe does not know is no key that may do too little.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_called_one() {
    let (_, base) = EventsApi::start().await;
    let mut setup = asking(&base);
    setup.more = setup.more.replace(KEY, "rk_live_other");
    let app = TestApp::start(setup).await;
    let (_, said) = by_hand(&app);
    assert!(said.contains("is not known at Stripe"), "{said}");
    assert!(!said.contains("permission"), "{said}");
}
