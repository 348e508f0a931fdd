//! What is held stands aside: the purchase goes on, and a person's order passes what waits for a yes.

use keyward::clock::Clock;
use serde_json::{Value, json};

use super::apply::{renewal, report, run};
use super::second::buys;
use super::shop::{Customer, Labelled, Life, Shop};
use crate::support::app::TestApp;
use crate::support::wait::{PATIENCE, until};

fn ordinary(c: &&Customer) -> bool {
    c.life == Life::Runs && matches!(c.labelled, Labelled::ById(_)) && !c.is_once()
}

fn adopted(app: &TestApp) {
    let n = report(&run(app, &[]))["to_do"].to_string();
    run(app, &["--apply", "--expect", &n]);
}

fn held(app: &TestApp, machine: &str) -> Vec<(String, String)> {
    let held = app.ask(&["held"]);
    let rows = held["rows"].as_array().unwrap().iter();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let own = rows.filter(|r| r["machine"] == machine);
    own.map(|r| (text(&r["kind"]), text(&r["held_by"])))
        .collect()
}

/// A customer whose key has fewer devices than the plan pays the next period.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_is_sent_beside_devices_that_wait_for_a_yes() {
    let shop = Shop::of(60).await;
    let customer = shop.customers.iter().find(ordinary).unwrap();
    let key = customer.key.as_deref().unwrap();
    shop.fake.third_hand(key, |l| l.max_hwid_slots = 1);
    let app = shop.server().await;
    adopted(&app);
    let devices = [("update_license".to_owned(), "adoption".to_owned())];
    assert_eq!(held(&app, &customer.machine()), devices);
    let now_s = Clock::Wall.now().s();
    app.door().event(&renewal(customer, now_s)).await;
    let paid_s = customer.paid_until_s(now_s) + 29 * super::shop::DAY_S;
    until("the paid time is there", PATIENCE, async || {
        let all = shop.fake.licenses();
        let own = all.into_iter().find(|l| l.license_key == key)?;
        let ends = own.expires_at?;
        (ends.timestamp() > paid_s).then_some(())
    })
    .await;
    assert_eq!(held(&app, &customer.machine()), devices);
}

/// A sale that a pause holds is taken in by an adoption, and gets its key when the pause ends. What was ordered meanwhile was
/// said to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_pause_holds_of_a_purchase_that_is_adopted_goes_on_when_it_ends() {
    let shop = Shop::of(20).await;
    let app = shop.server().await;
    adopted(&app);
    app.ask(&["pause", "--service", "authforge", "--reason", "moving"]);
    let new = buys(&app, 9_001).await;
    let now_s = Clock::Wall.now().s();
    shop.stripe
        .add("/v1/subscriptions", [new.subscription(now_s)]);
    shop.stripe.add("/v1/invoices", [new.invoice(now_s, 0)]);
    let by_pause = [("create_license".to_owned(), "pause".to_owned())];
    until("its key is held", PATIENCE, async || {
        (held(&app, &new.machine()) == by_pause).then_some(())
    })
    .await;
    let looked = report(&run(&app, &[]));
    let rows = looked["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["machine"] == new.machine()).unwrap();
    let would = row["would"].as_str().unwrap();
    assert!(would.starts_with("nothing more: "), "{row:#}");
    adopted(&app);
    assert_eq!(held(&app, &new.machine()), by_pause);
    let ordered = app.ask(&["rekey", &new.machine(), "--reason", "asked"]);
    let waits = json!([{
        "by": "pause", "actions": 1, "released_by": "keyward resume --service authforge --reason …"
    }]);
    assert_eq!(ordered["held"], waits, "{ordered:#}");
    let resumed = app.ask(&["resume", "--service", "authforge", "--reason", "moved"]);
    assert!(resumed["actions"].as_u64() >= Some(1), "{resumed:#}");
    until("it has its key", PATIENCE, async || {
        let page = app.ask(&["show", &new.machine()]);
        (page["licenses"][0]["status"] == "live").then_some(())
    })
    .await;
    assert_eq!(held(&app, &new.machine()), []);
}

/// Who grants a license, or wants a new key, has said yes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_for_an_adopted_purchase_without_a_key_makes_it() {
    let shop = Shop::of(150).await;
    let app = shop.server().await;
    adopted(&app);
    let creates = app.ask(&["held"])["rows"].clone();
    let creates = creates.as_array().unwrap().iter();
    let mut keyless = creates.filter(|r| r["kind"] == "create_license");
    let mut machine = || {
        keyless.next().unwrap()["machine"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (granted, rekeyed, left) = (machine(), machine(), machine());
    let said = app.ask(&["grant", &granted, "--until", "60d", "--reason", "promised"]);
    assert!(said["held"].is_null(), "{said:#}");
    app.ask(&["rekey", &rekeyed, "--reason", "asked"]);
    app.ask(&["note", &left, "--reason", "called"]);
    for machine in [&granted, &rekeyed] {
        until("its key is made", PATIENCE, async || {
            let page = app.ask(&["show", machine]);
            (page["licenses"][0]["status"] == "live").then_some(())
        })
        .await;
    }
    let waits = [("create_license".to_owned(), "adoption".to_owned())];
    assert_eq!(held(&app, &left), waits);
    assert_eq!(shop.fake.counter("POST"), 2);
}
