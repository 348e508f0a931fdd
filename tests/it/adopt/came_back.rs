//! A customer who came back, and whom the old handler served with the key of before: it carries the ended subscription's id, and
//! the newer one has none. Rule 35 brings it over, once a person has said yes.

use std::process::Command;

use chrono::{DateTime, Utc};
use keyward::clock::Clock;

use super::apply::{report, run};
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
    let held = app.ask(&["held"]);
    let mut rows = held["rows"].as_array().unwrap().iter();
    let row = rows.find(|r| r["machine"] == machine)?;
    Some(row["id"].as_str().unwrap().to_owned())
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
            let works = license["key"] == key.as_str() && license["status"] == "live";
            let all = shop.fake.licenses();
            let there = all.into_iter().find(|l| l.license_key == key).unwrap();
            (works && there.expires_at.is_some_and(|end| Some(end) > in_days(15))).then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_license_that_a_newer_purchase_waits_for_is_not_ended_first() {
    let (shop, app, old) = taken_in().await;
    let made = shop.fake.licenses().len();
    let end = held(&app, &old.machine()).unwrap();
    let refused = Command::new(binary())
        .args([
            "held",
            "approve",
            &end,
            "--reason",
            "all in its order",
            "--config",
        ])
        .arg(app.config())
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success(), "{said}");
    assert!(
        said.contains("stripe/sub_newer of the same customer has no key yet"),
        "{said}"
    );
    let create = held(&app, "stripe/sub_newer").unwrap();
    assert!(
        said.contains(&format!("`keyward held approve {create} --reason")),
        "{said}"
    );
    app.ask(&["held", "approve", &create, "--reason", "all in its order"]);
    goes_on(&shop, &app, &old).await;
    assert_eq!(held(&app, &old.machine()), None);
    assert_eq!(shop.fake.licenses().len(), made, "no second key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_yes_to_everything_leaves_the_customer_a_working_key() {
    let (shop, app, old) = taken_in().await;
    app.ask(&[
        "held",
        "approve",
        "--all",
        "--held-by",
        "adoption",
        "--reason",
        "all",
    ]);
    goes_on(&shop, &app, &old).await;
}
