//! Which key is whose, where more than one purchase or more than one key comes into question.

use keyward::clock::Clock;
use serde_json::{Value, json};

use super::apply::{report, run};
use super::look::{classes, dry_run};
use super::shop::{Customer, DAY_S, Shop};
use crate::support::app::TestApp;

/// A vendor's own label may hold what two purchases have in common: then it says nothing of whose the key is. The table does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_fits_two_purchases_names_neither() {
    let shop = Shop::of(2).await;
    let now_s = Clock::Wall.now().s();
    let both = [9_001, 9_002].map(|n| Customer::buys(n, now_s - 5 * DAY_S));
    let mut keys = Vec::new();
    for customer in &both {
        let mut shown = customer.subscription(now_s);
        shown["metadata"]["order"] = json!("A1");
        shop.stripe.add("/v1/subscriptions", [shown]);
        shop.stripe
            .add("/v1/invoices", [customer.invoice(now_s, 0)]);
        let ends = chrono::DateTime::from_timestamp(customer.paid_until_s(now_s), 0);
        let made = shop
            .fake
            .made_elsewhere("app_test", Some("order A1"), ends, 2);
        keys.push(made);
    }
    let app = shop.server().await;
    let found = dry_run(&app, &[]);
    for customer in &both {
        let mut rows = found["rows"].as_array().unwrap().iter();
        let row = rows.find(|r| r["machine"] == customer.machine()).unwrap();
        assert_eq!(row["class"], "suggested");
        let (key, would) = (row["key"].as_str().unwrap(), row["would"].as_str().unwrap());
        assert!(keys.iter().any(|k| last_four(k) == key), "{row}");
        let said = format!("the label of the key {key} fits other purchases");
        assert!(would.contains(&said), "{would}");
    }
    let table = app.dir().join("table.csv");
    let line = |n: usize| format!("{},{}\n", both[n].object(), keys[n]);
    std::fs::write(&table, format!("stripe_id,license_key\n{}", line(1))).unwrap();
    let found = classes(&dry_run(&app, &["--csv", table.to_str().unwrap()]));
    assert_eq!(found[&both[1].machine()], "linked");
    // One of the two is spoken for: the label still does not say that the other key is the other's.
    assert_eq!(found[&both[0].machine()], "suggested");
}

/// A shop with one customer of a running subscription, whose order this was.
async fn with_one(order: &str) -> (Shop, Customer, Option<chrono::DateTime<chrono::Utc>>) {
    let shop = Shop::of(0).await;
    let now_s = Clock::Wall.now().s();
    let customer = Customer::buys(9_001, now_s - 5 * DAY_S);
    let mut shown = customer.subscription(now_s);
    shown["metadata"]["order"] = json!(order);
    shop.stripe.add("/v1/subscriptions", [shown]);
    shop.stripe
        .add("/v1/invoices", [customer.invoice(now_s, 0)]);
    let ends = chrono::DateTime::from_timestamp(customer.paid_until_s(now_s), 0);
    (shop, customer, ends)
}

fn last_four(key: &str) -> String {
    format!("…{}", &key[key.len() - 4..])
}

fn key_of(report: &Value, customer: &Customer) -> String {
    let mut rows = report["rows"].as_array().unwrap().iter();
    let row = rows.find(|r| r["machine"] == customer.machine()).unwrap();
    row["key"].as_str().unwrap().to_owned()
}

fn taken_in(app: &TestApp, more: &[&str]) {
    let n = report(&run(app, more))["to_do"].to_string();
    report(&run(app, &[more, &["--apply", "--expect", &n]].concat()));
}

/// Which of two keys is in use, the list does not show: each look reads it, also when the labels are known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_keys_the_one_in_use_is_linked_by_every_look() {
    let (shop, customer, ends) = with_one("A1").await;
    let make = |devices: &[&str]| {
        let label = customer.label();
        let key = shop
            .fake
            .made_elsewhere("app_test", label.as_deref(), ends, 2);
        let bound: Vec<String> = devices.iter().map(|d| (*d).to_owned()).collect();
        shop.fake.third_hand(&key, |l| l.hwid_list = bound);
        key
    };
    let (idle, used) = (make(&[]), make(&["a laptop"]));
    shop.fake
        .third_hand(&idle, |l| l.created_at -= chrono::TimeDelta::days(9));
    let app = shop.server().await;
    for look in 1..=3 {
        let found = dry_run(&app, &[]);
        assert_eq!(classes(&found)[&customer.machine()], "two_keys");
        assert_eq!(key_of(&found, &customer), last_four(&used), "look {look}");
    }
    taken_in(&app, &[]);
    let page = app.ask(&["show", &customer.machine()]);
    assert_eq!(page["licenses"][0]["key"], used.as_str());
    let after = dry_run(&app, &[]);
    assert_eq!(key_of(&after, &customer), last_four(&used));
}

/// A label never changes, and a key may serve another purchase by now: the table says whose it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_knows_better_than_a_label() {
    let (shop, old, ends) = with_one("A1").await;
    let now_s = Clock::Wall.now().s();
    let new = Customer::buys(9_002, now_s - 2 * DAY_S);
    shop.stripe
        .add("/v1/subscriptions", [new.subscription(now_s)]);
    shop.stripe.add("/v1/invoices", [new.invoice(now_s, 0)]);
    let label = old.label();
    let key = shop
        .fake
        .made_elsewhere("app_test", label.as_deref(), ends, 2);
    let app = shop.server().await;
    let table = app.dir().join("table.csv");
    let line = format!("stripe_id,license_key\n{},{key}\n", new.object());
    std::fs::write(&table, line).unwrap();
    let csv = ["--csv", table.to_str().unwrap()];
    let found = classes(&dry_run(&app, &csv));
    assert_eq!(found[&new.machine()], "linked");
    assert_eq!(found[&old.machine()], "paid_without_key");
    taken_in(&app, &csv);
    let page = app.ask(&["show", &new.machine()]);
    assert_eq!(page["licenses"][0]["key"], key.as_str());
}

/// Of two purchases that share a name, one of which is over, the other one has the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_fits_one_purchase_that_is_over_names_the_other() {
    let (shop, customer, ends) = with_one("A7").await;
    let now_s = Clock::Wall.now().s();
    let mut over = Customer::buys(9_000, now_s - 90 * DAY_S);
    over.life = super::shop::Life::Over;
    let mut shown = over.subscription(now_s);
    shown["metadata"]["order"] = json!("A7");
    shop.stripe.add("/v1/subscriptions", [shown]);
    shop.stripe.add("/v1/invoices", [over.invoice(now_s, 0)]);
    shop.fake
        .made_elsewhere("app_test", Some("order A7"), ends, 2);
    let app = shop.server().await;
    let found = classes(&dry_run(&app, &[]));
    assert_eq!(found[&customer.machine()], "linked");
    assert_eq!(found.get(&over.machine()), None);
}

/// Two subscriptions of one customer, with one label on both keys: whichever goes where, each has a key of that customer's, the
/// one that ends with what it paid for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_customer_s_keys_go_to_that_customer_s_purchases() {
    let (shop, first, _) = with_one("A9").await;
    let now_s = Clock::Wall.now().s();
    let second = Customer::buys(9_002, now_s - 9 * DAY_S);
    let mut shown = second.subscription(now_s);
    shown["metadata"]["order"] = json!("A9");
    let mut paid = second.invoice(now_s, 0);
    for object in [&mut shown, &mut paid] {
        object["customer"] = json!(format!("cus_{}", first.n));
    }
    shop.stripe.add("/v1/subscriptions", [shown]);
    shop.stripe.add("/v1/invoices", [paid]);
    let key = |of: &Customer| {
        let ends = chrono::DateTime::from_timestamp(of.paid_until_s(now_s), 0);
        shop.fake
            .made_elsewhere("app_test", Some("order A9"), ends, 2)
    };
    let keys = [key(&second), key(&first)];
    let app = shop.server().await;
    let found = dry_run(&app, &[]);
    for (of, key) in [(&second, &keys[0]), (&first, &keys[1])] {
        assert_eq!(classes(&found)[&of.machine()], "linked");
        assert_eq!(key_of(&found, of), last_four(key));
    }
}
