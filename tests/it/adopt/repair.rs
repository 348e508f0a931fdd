//! `audit --repair`: each class is repaired as its rows say, through the guard, or left to a person with a sentence.

use keyward::clock::Clock;
use serde_json::{Value, json};

use super::apply::renewal;
use super::noted::{ANNUAL, of_two_items};
use super::shop::{Customer, DAY_S, Labelled, Life, Shop};
use crate::support::app::TestApp;
use crate::support::wait::{PATIENCE, until};

pub(super) fn ask(app: &TestApp, more: &[&str]) -> Value {
    app.ask(&[&["audit", "--reads-per-s", "0"], more].concat())
}

pub(super) fn adopted(app: &TestApp) {
    let dry = app.ask(&["adopt", "--reads-per-s", "0"]);
    let n = dry["to_do"].to_string();
    app.ask(&["adopt", "--reads-per-s", "0", "--apply", "--expect", &n]);
}

/// Repairs a class; the number that the dry run named.
pub(super) fn repair(app: &TestApp, class: &str) -> u64 {
    let n = ask(app, &["--repair", class])["to_do"].as_u64().unwrap();
    let expect = n.to_string();
    let apply = [
        "--repair", class, "--apply", "--expect", &expect, "--reason", "audited",
    ];
    assert_eq!(ask(app, &apply)["applied"], true);
    n
}

pub(super) fn class_of(app: &TestApp, customer: &Customer) -> String {
    let report = ask(app, &[]);
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["machine"] == customer.machine());
    row.map_or("none", |r| r["class"].as_str().unwrap())
        .to_owned()
}

/// The statuses of a purchase's licenses, sorted.
fn statuses(app: &TestApp, customer: &Customer) -> Vec<String> {
    let page = app.ask(&["show", &customer.machine()]);
    let licenses = page["licenses"].as_array().unwrap().iter();
    let mut all: Vec<String> = licenses
        .map(|l| l["status"].as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

pub(super) fn ordinary(c: &&Customer) -> bool {
    c.life == Life::Runs && matches!(c.labelled, Labelled::ById(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_hands_did_is_repaired_class_by_class() {
    let shop = Shop::of(150).await;
    let app = shop.server().await;
    adopted(&app);
    let some: Vec<&Customer> = shop.customers.iter().filter(ordinary).take(5).collect();
    let key = |n: usize| some[n].key.as_deref().unwrap();
    let end = |n: usize| {
        let all = shop.fake.licenses();
        let license = all.into_iter().find(|l| l.license_key == key(n)).unwrap();
        license.expires_at.unwrap()
    };
    let was = end(0);
    shop.fake.third_hand(key(0), |l| {
        let earlier = chrono::TimeDelta::seconds(DAY_S / 4);
        l.expires_at = l.expires_at.map(|at| at - earlier);
    });
    shop.fake
        .third_hand(key(1), |l| l.status = "revoked".into());
    let told = renewal(some[2], Clock::Wall.now().s());
    let invoice = told["data"]["object"].clone();
    shop.stripe.add("/v1/invoices", [invoice]);
    // A customer whose key was shortened bought the same anew: nothing is done beside the newer subscription.
    shop.fake.third_hand(key(3), |l| {
        let earlier = chrono::TimeDelta::seconds(DAY_S / 4);
        l.expires_at = l.expires_at.map(|at| at - earlier);
    });
    let (subscription, paid) = again(some[3], some[4], Clock::Wall.now().s());
    shop.stripe.add("/v1/subscriptions", [subscription]);
    shop.stripe.add("/v1/invoices", [paid]);

    refused_or_listed(&shop, &app, some[3]);
    assert_eq!(repair(&app, "shortened_elsewhere"), 1);
    until("the end is set again", PATIENCE, async || {
        (end(0) >= was).then_some(())
    })
    .await;
    assert_eq!(repair(&app, "missed_events"), 1);
    until("what was missed is known", PATIENCE, async || {
        (class_of(&app, some[2]) == "known").then_some(())
    })
    .await;
    let keys = shop.fake.licenses().len();
    assert_eq!(repair(&app, "revoked_elsewhere"), 1);
    until("a new key is made", PATIENCE, async || {
        (shop.fake.licenses().len() > keys).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("POST"), 1);
    until("the old key is known to be revoked", PATIENCE, async || {
        let statuses = statuses(&app, some[1]);
        (statuses == ["live", "revoked"]).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("PUT revoke"), 0, "it was revoked already");
    let others = shop.fake.licenses();
    let revoked = others.iter().filter(|l| l.status == "revoked");
    let revoked: Vec<_> = revoked.map(|l| l.license_key.as_str()).collect();
    assert_eq!(revoked, [key(1)]);
    let doubled = ask(&app, &["--repair", "two_keys"]);
    assert_eq!(doubled["to_do"], 0);
    let rows = doubled["rows"].as_array().unwrap();
    assert!(
        !rows.is_empty()
            && rows
                .iter()
                .all(|r| r["would"].as_str().unwrap().contains("only you"))
    );
}

/// Another hand revoked one of a purchase's keys, and did so before it was taken in or after: that one gets a new key, and the
/// other one goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_revoked_one_of_several_keys_is_made_anew() {
    for before in [true, false] {
        let shop = Shop::of(2).await;
        let (customer, _, keys) = of_two_items(&shop, Life::Runs, Clock::Wall.now().s());
        let app = shop.server_with(ANNUAL).await;
        let revoke = || {
            shop.fake
                .third_hand(&keys[0], |l| l.status = "revoked".into());
        };
        if before {
            revoke();
        }
        adopted(&app);
        if !before {
            revoke();
        }
        assert_eq!(class_of(&app, &customer), "revoked_elsewhere", "{before}");
        let dry = ask(&app, &["--repair", "revoked_elsewhere"]);
        let shown = dry["rows"][0]["key"].as_str().unwrap();
        assert!(keys[0].ends_with(&shown[shown.len() - 4..]), "{dry:#}");
        assert_eq!(repair(&app, "revoked_elsewhere"), 1);
        until("a new key is made", PATIENCE, async || {
            let statuses = statuses(&app, &customer);
            (statuses == ["live", "live", "revoked"]).then_some(())
        })
        .await;
        assert_eq!(shop.fake.counter("POST"), 1);
        assert_eq!(
            shop.fake.counter("PUT revoke"),
            0,
            "the other one is left alone"
        );
    }
}

/// A purchase of two items, one whose key is missing since it was taken in, and one whose key another hand shortened: the repair
/// of the second makes no key for the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_lets_go_nothing_that_its_row_does_not_speak_of() {
    let shop = Shop::of(2).await;
    let (customer, _, keys) = of_two_items(&shop, Life::Runs, Clock::Wall.now().s());
    shop.fake.third_hand(&keys[0], |l| l.label = None);
    let app = shop.server_with(ANNUAL).await;
    adopted(&app);
    let end = || {
        let all = shop.fake.licenses();
        let monthly = all.into_iter().find(|l| l.license_key == keys[1]).unwrap();
        monthly.expires_at.unwrap()
    };
    let was = end();
    shop.fake.third_hand(&keys[1], |l| {
        let earlier = chrono::TimeDelta::seconds(DAY_S / 4);
        l.expires_at = l.expires_at.map(|at| at - earlier);
    });
    assert_eq!(class_of(&app, &customer), "shortened_elsewhere");
    let held = || -> Vec<Value> {
        let held = app.ask(&["held"])["rows"].clone();
        let rows = held.as_array().unwrap().iter();
        let own = rows.filter(|r| r["machine"] == customer.machine());
        own.map(|r| r["kind"].clone()).collect()
    };
    assert_eq!(held(), ["create_license"]);
    assert_eq!(repair(&app, "shortened_elsewhere"), 1);
    until("the end is set again", PATIENCE, async || {
        (end() >= was).then_some(())
    })
    .await;
    assert_eq!(held(), ["create_license"], "it waits for a yes of its own");
    assert_eq!(shop.fake.counter("POST"), 0);
    assert_eq!(class_of(&app, &customer), "paid_without_key");
    assert_eq!(repair(&app, "paid_without_key"), 1);
    until("the missing key is made", PATIENCE, async || {
        (shop.fake.counter("POST") == 1).then_some(())
    })
    .await;
}

/// Whose key waits since the purchase was taken in gets it with this yes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_wait_since_the_adoption_are_made_by_a_repair() {
    let shop = Shop::of(150).await;
    let app = shop.server().await;
    adopted(&app);
    let dry = ask(&app, &["--repair", "paid_without_key"]);
    let rows = dry["rows"].as_array().unwrap().iter();
    let words = rows.map(|r| r["would"].as_str().unwrap());
    let tried = words.filter(|would| would.contains("waits for your yes or was refused"));
    let tried = tried.count() as u64;
    assert!(tried > 0, "{dry:#}");
    assert_eq!(repair(&app, "paid_without_key"), tried);
    until("the missing keys are made", PATIENCE, async || {
        (shop.fake.counter("POST") >= tried).then_some(())
    })
    .await;
}

/// A dry run changes nothing, and neither does a wrong number.
fn refused_or_listed(shop: &Shop, app: &TestApp, newer: &Customer) {
    let dry = ask(app, &["--repair", "shortened_elsewhere"]);
    assert_eq!(
        (dry["to_do"].as_u64(), dry["applied"].as_bool()),
        (Some(1), Some(false))
    );
    let left = dry["rows"].as_array().unwrap().iter();
    let left: Vec<_> = left.filter(|r| r["machine"] == newer.machine()).collect();
    let would = left[0]["would"].as_str().unwrap();
    assert!(would.contains("newer live subscription"), "{would}");
    assert_eq!(
        shop.fake.counter("PUT extend"),
        0,
        "a dry run changes nothing"
    );
    let wrong = std::process::Command::new(crate::support::app::binary())
        .args([
            "audit",
            "--json",
            "--reads-per-s",
            "0",
            "--repair",
            "shortened_elsewhere",
        ])
        .args(["--apply", "--expect", "2", "--reason", "x", "--config"])
        .arg(app.config())
        .output();
    assert_eq!(wrong.unwrap().status.code(), Some(1));
}

/// A newer subscription of a customer's, as a copy of somebody else's, with its paid invoice.
pub(super) fn again(of: &Customer, like: &Customer, now_s: i64) -> (Value, Value) {
    let mut subscription = like.subscription(now_s);
    subscription["id"] = json!("sub_newer");
    subscription["customer"] = json!(format!("cus_{}", of.n));
    subscription["created"] = json!(now_s - 60);
    subscription["start_date"] = json!(now_s - 60);
    subscription["metadata"] = json!({});
    let mut invoice = like.invoice(now_s, 0);
    invoice["id"] = json!("in_newer");
    invoice["customer"] = json!(format!("cus_{}", of.n));
    invoice["created"] = json!(now_s - 60);
    invoice["status_transitions"] = json!({"finalized_at": now_s - 60, "paid_at": now_s - 50});
    invoice["parent"]["subscription_details"]["subscription"] = json!("sub_newer");
    invoice["payments"] = json!({"data": []});
    let item = &mut invoice["lines"]["data"][0]["parent"]["subscription_item_details"];
    item["subscription"] = json!("sub_newer");
    (subscription, invoice)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_keys_that_were_refunded_counts_with_the_guard() {
    let shop = Shop::of(400).await;
    let app = shop.server().await;
    adopted(&app);
    let n = repair(&app, "alive_after_refund");
    assert_eq!(n, 8);
    // `max_hurtful = 5`, and 2 % of the shop are more than that.
    until(
        "as many as the guard lets through are ended",
        PATIENCE,
        async || (shop.fake.counter("PUT revoke") >= 5).then_some(()),
    )
    .await;
    let held = app.ask(&["held"]);
    let by_guard = held["rows"].as_array().map_or(0, |rows| {
        let guarded = |r: &&Value| {
            r["error"]
                .as_str()
                .is_some_and(|e| e.starts_with("the guard"))
        };
        rows.iter().filter(guarded).count()
    });
    assert_eq!(
        by_guard as u64 + shop.fake.counter("PUT revoke"),
        n,
        "{held}"
    );
}

/// Whoever dropped the ending of a key has decided: it is no difference any more, and no repair reaches it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_ending_a_person_dropped_is_no_difference() {
    let shop = Shop::of(400).await;
    let app = shop.server().await;
    adopted(&app);
    let found = ask(&app, &["--repair", "alive_after_refund"]);
    let differ = found["to_do"].as_u64().unwrap();
    let row = &found["rows"].as_array().unwrap()[0];
    let machine = row["machine"].as_str().unwrap();
    let held = app.ask(&["held"])["rows"].clone();
    let own = |r: &&Value| r["machine"] == machine && r["held_by"] == "adoption";
    let id = held.as_array().unwrap().iter().find(own).unwrap()["id"].clone();
    let id = id.as_str().unwrap();
    app.ask(&["held", "drop", id, "--reason", "a friend of the house"]);
    let report = ask(&app, &[]);
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["machine"] == machine).unwrap();
    assert_eq!(row["class"], "known", "{row:#}");
    assert!(row["repair"].is_null(), "{row:#}");
    let would = row["would"].as_str().unwrap();
    assert!(would.contains("a person gave its ending up"), "{would}");
    let left = ask(&app, &["--repair", "alive_after_refund"]);
    assert_eq!(left["to_do"].as_u64(), Some(differ - 1), "{left:#}");
    assert_eq!(shop.fake.counter("PUT revoke"), 0);
}

/// AuthForge takes no change of devices from us: the repair reads the key, says whose task it is, and sees when it was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_another_hand_took_become_a_task_and_are_seen_when_they_are_back() {
    let shop = Shop::of(60).await;
    let app = shop.server().await;
    adopted(&app);
    let mut ordinary = shop.customers.iter().filter(ordinary);
    let (less, more) = (ordinary.next().unwrap(), ordinary.next().unwrap());
    let set = |customer: &Customer, devices| {
        let key = customer.key.as_deref().unwrap();
        shop.fake.third_hand(key, |l| l.max_hwid_slots = devices);
    };
    set(less, 1);
    set(more, 7);
    for customer in [less, more] {
        assert_eq!(class_of(&app, customer), "devices_differ");
    }
    assert_eq!(repair(&app, "devices_differ"), 2);
    let tasks = || -> Vec<Value> {
        let rows = app.ask(&["attention"]);
        let rows = rows.as_array().unwrap().clone();
        let is_task = |r: &Value| r["cause"] == "refused_action";
        rows.into_iter().filter(is_task).collect()
    };
    let task = until("somebody has a task", PATIENCE, async || tasks().pop()).await;
    assert_eq!(task["machine"], less.machine(), "{task:#}");
    let said = task.to_string();
    assert!(said.contains("set 2 devices on the license"), "{said}");
    // What another hand gave is left until a person says otherwise, and differs from nothing that is known; a task is open.
    until("both keys were read", PATIENCE, async || {
        (class_of(&app, more) == "known").then_some(())
    })
    .await;
    assert_eq!(class_of(&app, less), "devices_differ", "until it is done");
    set(less, 2);
    app.ask(&["retry", &less.machine()]);
    until("it is seen", PATIENCE, async || {
        tasks().is_empty().then_some(())
    })
    .await;
    assert_eq!(class_of(&app, less), "known");
    let devices = |c: &Customer| {
        let all = shop.fake.licenses();
        let own = all.iter().find(|l| Some(&l.license_key) == c.key.as_ref());
        own.unwrap().max_hwid_slots
    };
    assert_eq!((devices(less), devices(more)), (2, 7));
    assert_eq!(shop.fake.counter("POST"), 0);
}
