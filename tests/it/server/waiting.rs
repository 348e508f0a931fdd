//! Who waits for a key has waited since the purchase, whatever happened meanwhile, and is served in that order.

use keyward::domain::action::{ActionOutcome, CreatePhase};
use keyward::domain::time::Span;

use crate::support::shop::{Shop, sold};
use crate::support::wait::{PATIENCE, until};

/// The look after a restart finds that it was not made: that is no new decision.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_an_outage_makes_nobodys_wait_begin_anew() {
    let mut shop = Shop::open().await;
    shop.fake.switch(|f| f.refuse = Some(402));
    shop.post(&sold("cs_1")).await;
    let tried = until("the create is refused", PATIENCE, async || {
        shop.create("cs_1").filter(|a| a.attempts > 0)
    })
    .await;
    shop.restart_after(Span::from_minutes(20)).await;
    let looked = until("it is looked for", PATIENCE, async || {
        shop.later(Span::from_s(30));
        shop.create("cs_1").filter(|a| a.missed_at.is_some())
    })
    .await;
    assert_eq!(looked.at, tried.at);
    shop.fake.switch(|f| f.refuse = None);
    until("the key is made", PATIENCE, async || {
        shop.later(Span::from_minutes(10));
        (shop.fake.licenses().len() == 1).then_some(())
    })
    .await;
    let made = shop.create("cs_1").unwrap();
    assert_eq!(made.missed_at, None, "nothing asks any more");
    shop.stop().await;
}

/// More creates than have slots were sold before it; its look begins all the same, and takes none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_been_made_is_looked_for_though_every_slot_is_taken() {
    const SOLD: usize = 100;
    let mut shop = Shop::open().await;
    shop.fake.switch(|f| f.garbage_pct = 100);
    shop.post(&sold("cs_1")).await;
    until("nobody knows whether it was made", PATIENCE, async || {
        shop.create("cs_1")
            .filter(|a| matches!(a.phase, CreatePhase::Recover { .. }))
    })
    .await;
    shop.fake
        .switch(|f| (f.garbage_pct, f.hold_creates) = (0, true));
    for n in 0..SOLD {
        shop.post(&sold(&format!("cs_more_{n}"))).await;
    }
    shop.later(Span::from_minutes(1));
    shop.fake.switch(|f| f.hold_creates = false);
    until("every key is made", PATIENCE, async || {
        (shop.fake.licenses().len() == 1 + SOLD).then_some(())
    })
    .await;
    until("it is found", PATIENCE, async || {
        shop.create("cs_1")
            .filter(|a| a.outcome == ActionOutcome::Done)
    })
    .await;
    let made_before = shop.fake.first_listed().unwrap();
    assert!(
        made_before < SOLD / 2,
        "{made_before} were made before it was looked for"
    );
    shop.stop().await;
}
