//! Keys that were noted for purchases whose renewal is near: they are theirs, whoever else looks.

use super::apply::{report, run};
use super::shop::{DAY_S, Life, Shop};
use crate::support::purchase::{label, machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

/// A key of the vendor's table carries the name of another purchase. It is noted for the one that the table names, and no look for
/// the other takes it, whether the server was started anew or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_purchase_takes_a_key_that_is_noted() {
    for starts_anew in [false, true] {
        let shop = Shop::of(50).await;
        let mut app = shop.server().await;
        let waits = shop.customers.iter().find(|c| c.life == Life::Renews);
        let waits = waits.unwrap();
        let key = waits.key.as_deref().unwrap();
        let other = "Other1";
        shop.fake.third_hand(key, |l| l.label = Some(label(other)));
        let table = app.dir().join("table.csv");
        let lines = format!("stripe_id,license_key\n{},{key}\n", waits.object());
        std::fs::write(&table, lines).unwrap();
        let csv = ["--csv", table.to_str().unwrap()];
        let n = report(&run(&app, &csv))["to_do"].to_string();
        let applied = run(&app, &[&csv[..], &["--apply", "--expect", &n]].concat());
        assert_eq!(report(&applied)["applied"], true);
        if starts_anew {
            app.kill9();
            app.restart().await;
        }
        app.door().event(&one_time(other, next_s() - DAY_S)).await;
        let own = until("a key of its own", PATIENCE, async || {
            let page = app.ask(&["show", &machine(other)]);
            page["licenses"][0]["key"].as_str().map(str::to_owned)
        })
        .await;
        assert_ne!(own, key, "started anew: {starts_anew}");
        assert_eq!(shop.fake.counter("POST"), 1);
    }
}
