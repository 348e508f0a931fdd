//! Who waits for a key has waited since the purchase, whatever happened meanwhile, and is served in that order.

use keyward::domain::action::Action;
use keyward::domain::time::Span;
use keyward::engine::input::Input;
use keyward::store::Create;
use serde_json::{Value, json};

use crate::support::shop::{Shop, bought};
use crate::support::wait::{PATIENCE, until};

fn sold(id: &str) -> Value {
    let mut sold = bought(id, Some("ada@example.com"));
    sold["data"]["object"]["metadata"] = json!({ "authforge_app_id": "app_test" });
    sold
}

fn create(shop: &Shop, id: &str) -> Option<Action> {
    let machine = shop.machine(&format!("stripe/{id}"))?;
    machine.actions.into_iter().find(|a| a.act.creates())
}

/// The look after a restart finds that it was not made: that is no new decision.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_an_outage_makes_nobodys_wait_begin_anew() {
    let mut shop = Shop::open().await;
    shop.fake.switch(|f| f.refuse = Some(402));
    shop.post(&sold("cs_1")).await;
    let tried = until("the create is refused", PATIENCE, async || {
        create(&shop, "cs_1").filter(|a| a.attempts > 0)
    })
    .await;
    let handle = &shop.running().handle;
    handle.submit(Input::Heartbeat).await.unwrap();
    shop.stop().await;
    shop.later_while_down(Span::from_minutes(20));
    shop.start(Create::Never).await;
    let looked = until("it is looked for", PATIENCE, async || {
        shop.later(Span::from_s(30));
        create(&shop, "cs_1").filter(|a| a.missed_at.is_some())
    })
    .await;
    assert_eq!(looked.at, tried.at);
    shop.fake.switch(|f| f.refuse = None);
    until("the key is made", PATIENCE, async || {
        shop.later(Span::from_minutes(10));
        (shop.fake.licenses().len() == 1).then_some(())
    })
    .await;
    shop.stop().await;
}
