//! An order that was on disk when the process was killed holds from the next start on (rule 53).

use keyward::domain::standing::{Author, Standing, StandingOrder};
use keyward::domain::time::Span;
use keyward::store::Create;
use serde_json::json;

use crate::support::shop::{NOW, Shop, bought, refunded};

const MACHINE: &str = "stripe/cs_1";

/// The order is kept before each purchase is looked at by it. What the process did not come to, the next one does first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_when_the_order_came_is_held_after_a_kill() {
    let orders = [
        Standing::Observe { plan: None },
        Standing::Pause {
            service: "authforge".to_owned(),
        },
    ];
    for what in orders {
        let mut shop = Shop::open().await;
        let mut sold = bought("cs_1", Some("ada@example.com"));
        sold["data"]["object"]["metadata"] =
            json!({ "authforge_app_id": "app_test", "max_hwid_slots": "2" });
        shop.post(&sold).await;
        shop.until_work(MACHINE, "create_license done").await;
        // It must not be carried out before the order, and is due after the kill.
        shop.fake.switch(|f| f.refuse = Some(401));
        shop.later(Span::from_minutes(2));
        shop.post(&refunded(Some("pi_cs_1"), "ch_1")).await;
        shop.until_work(MACHINE, "create_license done, revoke_license pending")
            .await;
        let order = StandingOrder {
            what,
            by: Author::Person("ada".to_owned()),
            reason: "something is odd".to_owned(),
            at: NOW,
        };
        shop.running().handle.order(order).await.unwrap();
        shop.stop().await;
        shop.fake.switch(|f| f.refuse = None);
        let tried = shop.fake.counter("PUT revoke");
        shop.later_while_down(Span::from_hours(2));
        shop.start(Create::Never).await;
        assert_eq!(
            shop.work(MACHINE),
            "create_license done, revoke_license held"
        );
        shop.later(Span::from_hours(1));
        shop.stop().await;
        assert_eq!(shop.fake.counter("PUT revoke"), tried);
    }
}
