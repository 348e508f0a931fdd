//! Keys that may be meant for a purchase: named to people, and never made a second time by a yes to all.

use keyward::clock::Clock;
use serde_json::{Value, json};

use super::look::dry_run;
use super::shop::{Customer, DAY_S, Shop};
use crate::support::app::TestApp;
use crate::support::wait::{PATIENCE, until};

/// Two customers without a key; a label names the first one's address among other words.
async fn two_keyless() -> (Shop, [Customer; 2], String) {
    let shop = Shop::of(0).await;
    let now_s = Clock::Wall.now().s();
    let both = [9_001, 9_004].map(|n| Customer::buys(n, now_s - 5 * DAY_S));
    for customer in &both {
        shop.stripe
            .add("/v1/subscriptions", [customer.subscription(now_s)]);
        shop.stripe
            .add("/v1/invoices", [customer.invoice(now_s, 0)]);
    }
    let label = format!("Pro ({})", both[0].email().to_uppercase());
    let ends = chrono::DateTime::from_timestamp(both[0].paid_until_s(now_s), 0);
    let key = shop.fake.made_elsewhere("app_test", Some(&label), ends, 2);
    (shop, both, format!("…{}", &key[key.len() - 4..]))
}

fn row(report: &Value, customer: &Customer) -> Value {
    let mut rows = report["rows"].as_array().unwrap().iter();
    let row = rows.find(|r| r["machine"] == customer.machine());
    row.unwrap().clone()
}

fn with_key(app: &TestApp, customer: &Customer) -> bool {
    let page = app.ask(&["show", &customer.machine()]);
    page["licenses"]
        .as_array()
        .is_some_and(|all| !all.is_empty())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_be_meant_is_named_and_none_is_made_beside_it_by_a_yes_to_all() {
    let (shop, [meant, plain], key) = two_keyless().await;
    let app = shop.server().await;
    for command in ["adopt", "audit"] {
        let found = app.ask(&[command, "--reads-per-s", "0"]);
        let row = row(&found, &meant);
        assert_eq!(
            (&row["class"], &row["key"]),
            (&json!("suggested"), &json!(key)),
            "{row}"
        );
    }
    let found = dry_run(&app, &[]);
    let would = row(&found, &meant)["would"].to_string();
    assert!(would.contains(&format!("the key {key} with")), "{would}");
    assert_eq!(row(&found, &plain)["class"], "paid_without_key");
    let n = found["to_do"].to_string();
    app.ask(&["adopt", "--reads-per-s", "0", "--apply", "--expect", &n]);

    let said = format!("the key {key} may be meant for it");
    let held = row(&app.ask(&["held"]), &meant);
    assert!(held["error"].to_string().contains(&said), "{held}");
    let waiting = app.ask(&["attention"]);
    let waits = row(&json!({ "rows": waiting }), &meant);
    assert!(waits["reason"].to_string().contains(&said), "{waits}");

    let all = ["held", "approve", "--all", "--held-by", "adoption"];
    let all = [&all[..], &["--reason", "yes"]].concat();
    let done = app.ask(&all);
    let id = held["id"].as_str().unwrap();
    assert_eq!(
        (&done["actions"], &done["suggested"]),
        (&json!(1), &json!([id])),
        "{done}"
    );
    until("the other has its key", PATIENCE, async || {
        with_key(&app, &plain).then_some(())
    })
    .await;
    assert!(!with_key(&app, &meant));
    let said = app.say(&all);
    let left_out = format!(
        "1 create stays held, for a key may be there already: name it in a table and `keyward adopt --csv` it, or approve each by its ID, like `keyward held approve {id} --reason …`"
    );
    assert!(said.contains(&left_out), "{said}");

    app.ask(&["held", "approve", id, "--reason", "it is another's"]);
    until("it has its key", PATIENCE, async || {
        with_key(&app, &meant).then_some(())
    })
    .await;
}
