//! A customer who came back, and whom the old handler served with the key of before: it carries the ended subscription's id, and
//! the newer one has none. Rule 35 brings it over, once a person has said yes.

use std::process::Command;

use chrono::{DateTime, Utc};
use keyward::clock::Clock;
use serde_json::{Value, json};

use super::apply::{renewal, report, run};
use super::repair::again;
use super::shop::{Customer, DAY_S, Labelled, Life, Shop};
use crate::support::app::{TestApp, binary};
use crate::support::wait::{PATIENCE, until};

fn in_days(days: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(Clock::Wall.now().s() + days * DAY_S, 0)
}

/// The shop, taken in, with the ended purchase.
async fn taken_in() -> (Shop, TestApp, Customer) {
    let shop = Shop::of(150).await;
    let of = |life: Life| {
        let all = shop.customers.iter();
        let mut all = all.filter(|c| c.life == life && matches!(c.labelled, Labelled::ById(_)));
        all.next().unwrap().clone()
    };
    let (old, like) = (of(Life::Over), of(Life::Runs));
    shop.fake.third_hand(old.key.as_deref().unwrap(), |l| {
        l.expires_at = in_days(20);
    });
    let (subscription, invoice) = again(&old, &like, Clock::Wall.now().s());
    shop.stripe.add("/v1/subscriptions", [subscription]);
    shop.stripe.add("/v1/invoices", [invoice]);
    let app = shop.server().await;
    let n = report(&run(&app, &[]))["to_do"].to_string();
    report(&run(&app, &["--apply", "--expect", &n]));
    (shop, app, old)
}

/// What is held of a purchase.
fn held(app: &TestApp, machine: &str) -> Option<String> {
    let row = row_of(app, "held", machine)?;
    Some(row["id"].as_str().unwrap().to_owned())
}

/// The first row about a purchase.
fn row_of(app: &TestApp, list: &str, machine: &str) -> Option<Value> {
    let list = app.ask(&[list]);
    let rows = list.as_array().or(list["rows"].as_array());
    let mut rows = rows.unwrap().iter();
    rows.find(|r| r["machine"] == machine).cloned()
}

/// What is said of the end of the ended purchase's license: who waits for it, and what goes first.
fn awaited(create: &str) -> String {
    format!(
        "stripe/sub_newer of the same customer has no key yet, and goes on with this license: \
         `keyward held approve {create} --reason …` first"
    )
}

/// What a command says that is refused.
fn refused(app: &TestApp, args: &[&str]) -> String {
    let mut command = Command::new(binary());
    let out = command
        .args(args)
        .arg("--config")
        .arg(app.config())
        .output();
    let out = out.unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(!out.status.success(), "{said}");
    said
}

/// Whether the key works at the service for some time.
fn works(shop: &Shop, key: &str) -> bool {
    let all = shop.fake.licenses();
    let there = all.into_iter().find(|l| l.license_key == key).unwrap();
    there.status == "active" && there.expires_at.is_some_and(|end| Some(end) > in_days(15))
}

/// The newer purchase has the key of before, and it works.
async fn goes_on(shop: &Shop, app: &TestApp, old: &Customer) {
    let key = old.key.clone().unwrap();
    until(
        "the newer purchase goes on with the key",
        PATIENCE,
        async || {
            let page = app.ask(&["show", "stripe/sub_newer"]);
            let license = &page["licenses"][0];
            let is = license["key"] == key.as_str() && license["status"] == "live";
            (is && works(shop, &key)).then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_license_that_a_newer_purchase_waits_for_is_not_ended_first() {
    let (shop, app, old) = taken_in().await;
    let made = shop.fake.licenses().len();
    let end = held(&app, &old.machine()).unwrap();
    let create = held(&app, "stripe/sub_newer").unwrap();
    let before = row_of(&app, "held", &old.machine());
    let said = refused(
        &app,
        &["held", "approve", &end, "--reason", "all in its order"],
    );
    assert!(said.contains(&awaited(&create)), "{said}");
    let revoke = format!("`keyward revoke {} --reason …`", old.machine());
    assert!(said.contains(&revoke), "{said}");
    assert_eq!(row_of(&app, "held", &old.machine()), before);
    app.ask(&["held", "approve", &create, "--reason", "all in its order"]);
    goes_on(&shop, &app, &old).await;
    assert_eq!(held(&app, &old.machine()), None);
    assert_eq!(shop.fake.licenses().len(), made, "no second key");
    // The yes was carried out: no undo forgets either of the two.
    let undone = app.ask(&["adopt", "--undo"]);
    let stay = undone["stay"].as_array().unwrap();
    for machine in [&old.machine(), "stripe/sub_newer"] {
        assert!(stay.contains(&json!(machine)), "{machine}: {undone}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_at_an_end_reads_which_purchase_waits_for_the_license() {
    let (_shop, app, old) = taken_in().await;
    let create = held(&app, "stripe/sub_newer").unwrap();
    let said = awaited(&create);
    let row = row_of(&app, "held", &old.machine()).unwrap();
    assert_eq!(row["error"], said.as_str());
    let row = row_of(&app, "attention", &old.machine()).unwrap();
    assert!(row["reason"].as_str().unwrap().ends_with(&said), "{row}");
    let settles = format!("keyward held approve {create} --reason …");
    assert_eq!(row["settle"], settles.as_str());
    let why = app.ask(&["why", &old.machine()]);
    let actions = why[0]["licenses"][0]["actions"].as_array().unwrap();
    assert_eq!(actions.last().unwrap()["answer"], said.as_str(), "{why}");
    // Whoever gave the other purchase's key up has decided: the end waits for a yes like any other.
    app.ask(&["held", "drop", &create, "--reason", "they have another"]);
    let row = row_of(&app, "held", &old.machine()).unwrap();
    let adoption = "found when the purchase was adopted: a person decides";
    assert_eq!(row["error"], adoption);
    let row = row_of(&app, "attention", &old.machine()).unwrap();
    let id = row["about"].as_str().unwrap();
    let settles = format!("keyward held approve {id} --reason …");
    assert_eq!(row["settle"], settles.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_word_on_the_end_alone_takes_the_license_that_a_newer_purchase_waits_for() {
    let (shop, app, old) = taken_in().await;
    let (key, end) = (
        old.key.clone().unwrap(),
        held(&app, &old.machine()).unwrap(),
    );
    let is_left = || {
        let row = row_of(&app, "held", &old.machine()).unwrap();
        assert_eq!(
            (&row["id"], &row["held_by"]),
            (&json!(end), &json!("adoption"))
        );
    };
    app.ask(&["hold", &end, "--reason", "not today"]);
    let all = ["held", "approve", "--all", "--held-by", "person"];
    let answer = app.ask(&[&all[..], &["--reason", "all"]].concat());
    assert_eq!(answer["actions"], 0, "{answer}");
    assert!(
        answer["still_held"]["adoption"].as_u64() >= Some(1),
        "{answer}"
    );
    is_left();
    app.ask(&["hold", &end, "--reason", "not today"]);
    let said = refused(&app, &["retry", &end]);
    assert!(said.contains("the end stays held"), "{said}");
    is_left();
    // A yes to everything says yes to the newer purchase, too.
    let all = ["held", "approve", "--all", "--held-by", "adoption"];
    app.ask(&[&all[..], &["--reason", "all"]].concat());
    goes_on(&shop, &app, &old).await;
    assert!(works(&shop, &key));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_s_own_order_ends_a_license_whoever_waits_for_it() {
    let (shop, app, old) = taken_in().await;
    app.ask(&["revoke", &old.machine(), "--reason", "fraud"]);
    let key = old.key.unwrap();
    until("the key is ended", PATIENCE, async || {
        (!works(&shop, &key)).then_some(())
    })
    .await;
}

/// The newer purchase renews before anybody said yes: it goes on with the key that the customer has, and none is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_brings_the_license_over_without_a_yes() {
    let (shop, app, old) = taken_in().await;
    let made = shop.fake.licenses().len();
    let like = shop.customers.iter();
    let mut like = like.filter(|c| c.life == Life::Runs);
    let mut renewed = renewal(like.next().unwrap(), Clock::Wall.now().s());
    renewed["id"] = json!("evt_newer_renewed");
    let invoice = &mut renewed["data"]["object"];
    invoice["id"] = json!("in_newer_next");
    invoice["customer"] = json!(format!("cus_{}", old.n));
    invoice["parent"]["subscription_details"]["subscription"] = json!("sub_newer");
    let line = &mut invoice["lines"]["data"][0]["parent"]["subscription_item_details"];
    line["subscription"] = json!("sub_newer");
    app.door().event(&renewed).await;
    goes_on(&shop, &app, &old).await;
    assert_eq!(held(&app, &old.machine()), None);
    assert_eq!(held(&app, "stripe/sub_newer"), None);
    assert_eq!(shop.fake.licenses().len(), made, "no second key");
}
