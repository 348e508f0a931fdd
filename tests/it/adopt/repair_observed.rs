//! `audit --repair` while the shop is only observed.

use serde_json::json;

use super::repair::{adopted, ask, ordinary};
use super::shop::{DAY_S, Shop};
use crate::support::wait::{PATIENCE, until};

/// What is only observed is not repaired yet, whatever the repair is made of: who ordered it is told, with the way out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_that_observe_mode_holds_says_so() {
    let shop = Shop::of(150).await;
    let app = shop.server().await;
    adopted(&app);
    let shortened = shop.customers.iter().find(ordinary).unwrap();
    let key = shortened.key.as_deref().unwrap();
    shop.fake.third_hand(key, |l| {
        let earlier = chrono::TimeDelta::seconds(DAY_S / 4);
        l.expires_at = l.expires_at.map(|at| at - earlier);
    });
    app.ask(&["observe", "--reason", "not yet"]);
    for class in ["paid_without_key", "shortened_elsewhere"] {
        let n = ask(&app, &["--repair", class])["to_do"].as_u64().unwrap();
        assert!(n > 0, "{class}");
        let expect = n.to_string();
        let apply = [
            "--repair", class, "--apply", "--expect", &expect, "--reason", "audited",
        ];
        let applied = ask(&app, &apply);
        let way_out = "keyward go-live --reason …";
        let held = json!([{ "by": "observe", "actions": n, "released_by": way_out }]);
        assert_eq!(applied["held"], held, "{class}: {applied:#}");
    }
    assert_eq!(shop.fake.counter("POST"), 0);
    app.ask(&["go-live", "--reason", "now"]);
    until("what was ordered goes ahead", PATIENCE, async || {
        let sent = |request| shop.fake.counter(request) > 0;
        (sent("POST") && sent("PUT extend")).then_some(())
    })
    .await;
}
