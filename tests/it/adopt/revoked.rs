//! Keys that another hand revoked before anything was taken in: each row says what is so, and nothing is done about it.

use std::process::{Command, Output};

use keyward::clock::Clock;
use serde_json::Value;

use super::apply::{nothing_else, report, run};
use super::repair::{adopted, class_of, ordinary, repair};
use super::shop::{Customer, DAY_S, Labelled, Life, Shop};
use crate::support::app::{TestApp, binary};
use crate::support::fake_stripe::KEY;
use crate::support::wait::{PATIENCE, until};

/// The row of a customer's purchase.
pub(super) fn row(report: &Value, of: &Customer) -> Value {
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["machine"] == of.machine());
    row.cloned().unwrap_or_default()
}

/// An audit of a shop where nothing is installed.
pub(super) fn alone(shop: &Shop) -> Value {
    report(&audit_alone(shop, crate::support::fake_licenses::API_KEY))
}

/// The same with a key of the license service's.
pub(super) fn audit_alone(shop: &Shop, authforge_key: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary());
    command
        .args(["audit", "--json", "--app", "app_test", "--reads-per-s", "0"])
        .args(["--stripe-api", &shop.base])
        .args(["--authforge-api", &shop.fake.base()])
        .args(["--authforge-reads-per-s", "0"])
        .env("STRIPE_API_KEY", KEY)
        .env("AUTHFORGE_API_KEY", authforge_key)
        .current_dir(dir.path());
    command.output().unwrap()
}

fn dry(app: &TestApp) -> Value {
    report(&run(app, &[]))
}

fn of(shop: &Shop, is: impl Fn(&Customer) -> bool) -> Customer {
    shop.customers.iter().find(|c| is(c)).unwrap().clone()
}

/// A paid purchase whose only key is revoked: the row says that, before the adoption, by it, and after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_purchase_whose_only_key_is_revoked_is_called_that() {
    let shop = Shop::of(50).await;
    let paid = of(&shop, |c| {
        c.life == Life::Runs && c.label().is_some_and(|l| !l.starts_with("order"))
    });
    shop.fake.third_hand(paid.key.as_deref().unwrap(), |l| {
        l.status = "revoked".into();
    });
    let before = row(&alone(&shop), &paid);
    assert_eq!(before["class"], "revoked_elsewhere");
    let would = before["would"].as_str().unwrap();
    assert!(
        would.contains("its key was revoked") && would.contains("give the customer a working key"),
        "{would}"
    );
    let app = shop.server().await;
    let licenses = shop.fake.licenses().len();
    let looked = dry(&app);
    assert_eq!(looked["classes"]["revoked_elsewhere"], 1, "{looked:#}");
    let looked_at = row(&looked, &paid);
    assert_eq!(looked_at["class"], "revoked_elsewhere");
    let would = looked_at["would"].as_str().unwrap();
    assert!(would.contains("the key stays revoked"), "{would}");
    let n = looked["to_do"].to_string();
    report(&run(&app, &["--apply", "--expect", &n]));
    nothing_else(&shop, &app, licenses);
    let after = row(&app.ask(&["audit", "--reads-per-s", "0"]), &paid);
    assert_eq!(after["class"], "revoked_elsewhere");
    let page = app.ask(&["show", &paid.machine()]);
    let open = page["actions"].as_array().unwrap();
    assert!(open.is_empty(), "nothing waits for it: {page:#}");
}

/// One of two keys is revoked: whoever made the other one replaced it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_beside_a_working_one_is_of_no_account() {
    let shop = Shop::of(150).await;
    let twice = of(&shop, |c| c.labelled == Labelled::Twice);
    let other = of(&shop, |c| c.labelled == Labelled::Twice && c.n != twice.n);
    shop.fake.third_hand(twice.key.as_deref().unwrap(), |l| {
        l.status = "revoked".into();
    });
    let app = shop.server().await;
    let looked = dry(&app);
    for report in [&looked, &alone(&shop)] {
        assert_eq!(row(report, &twice)["class"], "linked");
        assert_eq!(row(report, &other)["class"], "two_keys", "both work");
    }
    let n = looked["to_do"].to_string();
    report(&run(&app, &["--apply", "--expect", &n]));
    let page = app.ask(&["show", &twice.machine()]);
    let licenses = page["licenses"].as_array().unwrap();
    assert_eq!(licenses.len(), 1, "{page:#}");
    assert_eq!(licenses[0]["status"], "live");
    let after = row(&app.ask(&["audit", "--reads-per-s", "0"]), &twice);
    assert_eq!(after["class"], "known");
    let waits = app.ask(&["attention"]).to_string();
    assert!(!waits.contains(&twice.machine()), "{waits}");
}

/// What a look before anything is installed is for: a key that works though its payment failed long ago is money that is lost,
/// and not a grace that begins today. Taken in, it gets the grace all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_works_long_after_a_payment_failed_is_lost_money() {
    let shop = Shop::of(50).await;
    let now_s = Clock::Wall.now().s();
    let failed = |n: usize, days: i64| {
        let mut customer = Customer::buys(n, now_s);
        customer.life = Life::Fails;
        let then_s = now_s - days * DAY_S;
        let invoices = (0..=customer.renewals()).map(|back| customer.invoice(then_s, back));
        shop.stripe
            .add("/v1/invoices", invoices.collect::<Vec<_>>());
        shop.stripe
            .add("/v1/subscriptions", [customer.subscription(then_s)]);
        let label = format!("Stripe sub {}", customer.object());
        shop.fake.made_elsewhere("app_test", Some(&label), None, 2);
        customer
    };
    let (long_ago, lately) = (failed(9_005, 40), failed(9_055, 1));
    let alone = alone(&shop);
    assert_eq!(row(&alone, &long_ago)["class"], "key_without_payment");
    assert_eq!(row(&alone, &lately)["class"], "linked");
    let app = shop.server().await;
    let looked = dry(&app);
    assert_eq!(row(&looked, &long_ago)["class"], "linked");
}

/// A key that was revoked when it was taken in, and that the vendor let work again since: nothing waits for a yes, and the
/// repair gives it what it lacks all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_works_again_gets_what_it_lacks() {
    let shop = Shop::of(50).await;
    let some = shop.customers.iter().find(ordinary).unwrap();
    let key = some.key.as_deref().unwrap();
    let soon = chrono::DateTime::from_timestamp(Clock::Wall.now().s() + DAY_S / 2, 0);
    shop.fake.third_hand(key, |l| {
        (l.status, l.expires_at) = ("revoked".into(), soon);
    });
    let app = shop.server().await;
    adopted(&app);
    assert_eq!(class_of(&app, some), "revoked_elsewhere");
    shop.fake.third_hand(key, |l| l.status = "active".into());
    assert_eq!(class_of(&app, some), "linked_ends_too_early");
    assert!(repair(&app, "linked_ends_too_early") >= 1);
    until("the end is set", PATIENCE, async || {
        let all = shop.fake.licenses();
        let license = all.into_iter().find(|l| l.license_key == key).unwrap();
        (license.expires_at > soon).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("POST"), 0);
}
