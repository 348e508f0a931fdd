//! A record that cannot be read keeps nobody else waiting.

use keyward::domain::action::ActionOutcome;
use keyward::domain::time::Span;
use keyward::engine::record::key;
use keyward::scheduler::jobs::{self, Sweeps};
use keyward::store::Create;
use tokio::sync::Notify;

use crate::support::shop::{Shop, sold};
use crate::support::wait::{PATIENCE, until};

/// Two purchases whose creates the service put off, one of which cannot be read any more.
async fn spoilt() -> Shop {
    let mut shop = Shop::open().await;
    shop.fake.switch(|f| {
        (f.limited_pct, f.retry_after) = (100, Some("600".to_owned()));
    });
    shop.post(&sold("cs_1")).await;
    until("the create is put off", PATIENCE, async || {
        shop.create("cs_1").filter(|a| a.attempts > 0)
    })
    .await;
    shop.post(&sold("cs_2")).await;
    shop.stop().await;
    let spoilt = "stripe/cs_1".parse().unwrap();
    shop.write(|batch| {
        batch.put(key::machine(&spoilt), b"no record".to_vec());
    });
    shop.fake.switch(|f| f.limited_pct = 0);
    shop.start(Create::Never).await;
    shop
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_that_cannot_be_read_keeps_no_other_from_its_key() {
    let mut shop = spoilt().await;
    shop.post(&sold("cs_3")).await;
    shop.later(Span::from_hours(1));
    for id in ["cs_2", "cs_3"] {
        until("the key is made", PATIENCE, async || {
            shop.create(id).filter(|a| a.outcome == ActionOutcome::Done)
        })
        .await;
    }
    assert_eq!(shop.fake.licenses().len(), 2);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_on_behind_a_purchase_that_cannot_be_read() {
    let mut shop = spoilt().await;
    shop.later(Span::from_hours(1));
    let (handle, bell) = (&shop.running().handle, Notify::new());
    let mut sweeps = Sweeps::default();
    let ran = jobs::repair(handle, &bell, &mut sweeps).await.unwrap();
    assert_eq!(ran.woken, 1, "the other one is looked at");
    jobs::wake_concerned(handle).await.unwrap();
    let counts = Default::default();
    jobs::count(handle, &counts).await.unwrap();
    assert!(counts.backlog().is_some());
    shop.stop().await;
}
