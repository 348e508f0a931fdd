//! Events that could not be read (rule 8): kept, told, and taken in by the first binary that can read them.

use keyward::domain::id::SourceName;
use keyward::domain::no_use::Unreadable;
use keyward::domain::time::Span;
use keyward::engine::input::{EventPayload, Input, Receipt};
use keyward::engine::record::body_codec;
use keyward::engine::record::key::{self, Table};
use keyward::sources::stripe::delivery::delivery;
use keyward::sources::stripe::event;
use keyward::store::{Create, Direction, KeyRange};
use serde_json::json;

use crate::support::shop::{NOW, Shop, bought};
use crate::support::wait::{PATIENCE, until};

/// What an older binary, which could not read this session, kept of it.
fn as_it_was_kept(event: &serde_json::Value) -> Input {
    let body = event.to_string();
    let received = NOW + Span::from_s(5);
    let read = event::read(body.as_bytes(), received).unwrap();
    let mut kept = delivery(
        read,
        &SourceName::from("stripe"),
        body_codec::pack(body.as_bytes()),
        received,
    );
    kept.payload = EventPayload::Unreadable(Unreadable::Field {
        field: "data.object.mode".to_owned(),
        found: "the text `other`".to_owned(),
    });
    Input::Delivery(Box::new(kept))
}

/// The events in the index of those that could not be read.
fn unread(shop: &Shop) -> Vec<String> {
    let all = KeyRange::prefix(&[Table::Unread as u8]);
    let reader = shop.running().handle.reader();
    let found = reader.range(&all, Direction::Forward, 10).unwrap();
    let ids = found.iter().filter_map(|(entry, _)| key::event_of(entry));
    ids.map(|id| id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_binary_takes_in_what_an_older_one_could_not_read() {
    let mut shop = Shop::open().await;
    // The binary of before, which read none of them.
    let handle = shop.running().handle.clone();
    let mut purchase = bought("cs_1", Some("ada@example.com"));
    purchase["data"]["object"]["metadata"] = json!({"authforge_app_id": "app_test"});
    assert!(matches!(
        handle.submit(as_it_was_kept(&purchase)).await,
        Ok(Receipt::Ignored(_))
    ));
    assert_eq!(unread(&shop), ["evt_cs_1"]);
    // Delivered once more to the same binary it is a duplicate, whatever the body says: the id alone decides.
    shop.post(&purchase).await;
    assert!(shop.machine("stripe/cs_1").is_none());
    handle
        .submit(Input::ReadBy("0.0.1".to_owned()))
        .await
        .unwrap();
    drop(handle);
    shop.stop().await;
    shop.start(Create::Never).await;
    until("its license", PATIENCE, async || {
        shop.machine("stripe/cs_1")
            .filter(|m| m.licenses_created() == 1)
            .map(drop)
    })
    .await;
    let machine = shop.machine("stripe/cs_1").unwrap();
    assert_eq!(
        machine.facts[0].received,
        NOW + Span::from_s(5),
        "it counts from when it came"
    );
    assert_eq!(unread(&shop), [""; 0]);
    // Once read, it is known.
    shop.stop().await;
    shop.start(Create::Never).await;
    shop.post(&purchase).await;
    assert_eq!(shop.machine("stripe/cs_1").unwrap().facts.len(), 1);
    shop.stop().await;
}

/// What no binary can read stays as it is, listed with its reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_read_stays_listed() {
    let mut shop = Shop::open().await;
    let mut purchase = bought("cs_2", None);
    purchase["data"]["object"]["mode"] = json!("barter");
    let answer = shop.post(&purchase).await;
    assert!(answer.text.contains("ignored"), "{}", answer.text);
    shop.running()
        .handle
        .submit(Input::ReadBy("0.0.1".to_owned()))
        .await
        .unwrap();
    shop.stop().await;
    shop.start(Create::Never).await;
    let mut why = Vec::new();
    keyward::engine::read::view::events(shop.running().handle.reader(), |e| {
        why.push(serde_json::to_value(&e).unwrap().to_string());
        true
    })
    .unwrap();
    assert!(
        why.len() == 1 && why[0].contains("unreadable: `data.object.mode`"),
        "{why:?}"
    );
    shop.stop().await;
}
