//! The old handler still runs: nobody gets a second key, one alert says so, and a person's word lets keys be made again.

use keyward::clock::Clock;
use serde_json::{Value, json};

use super::shop::{Customer, DAY_S, Shop};
use super::year::events::{Bill, MONTH_S, Standing, Told};
use crate::support::app::TestApp;
use crate::support::wait::{PATIENCE, until, within};

/// Somebody buys now.
pub(super) async fn buys(app: &TestApp, n: usize) -> Customer {
    let (customer, events) = bought(n);
    for event in &events {
        app.door().event(event).await;
    }
    customer
}

/// What Stripe tells of somebody who buys now.
pub(super) fn bought(n: usize) -> (Customer, Vec<Value>) {
    let now_s = Clock::Wall.now().s();
    let customer = Customer::buys(n, now_s);
    let mut told = Told::default();
    told.purchase(&customer, now_s);
    let is = Standing {
        status: "active",
        price: customer.price(),
        turned_s: now_s,
        cancels: false,
        ended_s: None,
        reason: None,
    };
    told.subscription(&customer, "created", now_s, &is, None);
    let bill = Bill {
        id: format!("in_{n}_first"),
        reason: "subscription_create",
        created_s: now_s,
        period_s: (now_s, now_s + MONTH_S),
        price: customer.price(),
    };
    told.invoice(&customer, "paid", now_s, &bill, 0);
    let events = told.events.into_iter().map(|(_, event)| event);
    (customer, events.collect())
}

/// The old handler serves a customer, too.
fn handled(shop: &Shop, customer: &Customer) {
    let label = format!("Stripe sub {}", customer.object());
    let ends = chrono::DateTime::from_timestamp(Clock::Wall.now().s() + 30 * DAY_S, 0);
    let key = shop.fake.made_elsewhere("app_test", Some(&label), ends, 2);
    // As if we had been here for a while.
    shop.fake
        .third_hand(&key, |l| l.created_at += chrono::TimeDelta::minutes(20));
}

fn seen(app: &TestApp) -> Vec<Value> {
    let listed = app.ask(&["attention"]);
    let rows = listed.as_array().cloned().unwrap_or_default();
    rows.into_iter()
        .filter(|r| r["cause"] == "other_handler")
        .collect()
}

fn held(app: &TestApp) -> usize {
    let held = app.ask(&["held"]);
    let mut rows = held["rows"].as_array().unwrap().clone();
    rows.retain(|r| r["machine"].as_str().unwrap().starts_with("stripe/sub_900"));
    rows.len()
}

/// A shop whose nightly audit comes every second.
async fn audited(size: usize) -> (Shop, TestApp) {
    let shop = Shop::of(size).await;
    let audits = "[scheduler]\naudit = \"* * * * * *\"\n";
    let app = shop.server_with(audits).await;
    (shop, app)
}

/// Stripe lists a customer's purchase, as it is in this second.
fn bought_at_stripe(shop: &Shop, customer: &Customer) -> i64 {
    let now_s = Clock::Wall.now().s();
    let (subscription, paid) = (customer.subscription(now_s), customer.invoice(now_s, 0));
    shop.stripe.add("/v1/subscriptions", [subscription]);
    shop.stripe.add("/v1/invoices", [paid]);
    now_s
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_old_handler_runs_nobody_gets_a_second_key() {
    let shop = Shop::of(60).await;
    let app = shop.server().await;
    let n = app.ask(&["adopt", "--reads-per-s", "0"])["to_do"].to_string();
    app.ask(&["adopt", "--reads-per-s", "0", "--apply", "--expect", &n]);
    let first = Customer::buys(9_001, 0);
    handled(&shop, &first);
    buys(&app, 9_001).await;
    until("the old handler is seen", PATIENCE, async || {
        (seen(&app).len() == 1).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("POST"), 0, "its key is taken over");
    let (second, third) = (buys(&app, 9_002).await, buys(&app, 9_003).await);
    let both = within(PATIENCE, async || (held(&app) >= 2).then_some(()));
    assert!(
        both.await.is_some(),
        "{} made, held: {}, {} and {}",
        shop.fake.counter("POST"),
        app.ask(&["held"]),
        app.ask(&["show", &second.machine()]),
        app.ask(&["show", &third.machine()])
    );
    assert_eq!(shop.fake.counter("POST"), 0);
    assert_eq!(seen(&app).len(), 1, "it is told of once");
    // The handler served one of the two before it was stopped.
    let before = shop.fake.licenses().len();
    handled(&shop, &second);
    let resume = [
        "resume",
        "--source",
        "stripe",
        "--reason",
        "it is switched off",
    ];
    app.ask(&resume);
    let label = format!("Stripe sub {}", third.object());
    until("the other one gets its key", PATIENCE, async || {
        let all = shop.fake.licenses();
        all.iter()
            .any(|l| l.label.as_deref() == Some(&label))
            .then_some(())
    })
    .await;
    until("nothing is held any more", PATIENCE, async || {
        (held(&app) == 0).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("POST"), 1, "one key, and no second one");
    assert_eq!(shop.fake.licenses().len(), before + 2);
}

/// Where the old handler makes its key after ours, no create of ours looks any more: the nightly audit sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_key_beside_ours_is_seen_by_the_nightly_audit() {
    let (shop, app) = audited(20).await;
    let first = buys(&app, 9_001).await;
    let label = format!("Stripe sub {}", first.object());
    let keys = || {
        let all = shop.fake.licenses();
        let own = all.iter().filter(|l| l.label.as_deref() == Some(&label));
        own.count()
    };
    until("a key is made here", PATIENCE, async || {
        (keys() == 1).then_some(())
    })
    .await;
    bought_at_stripe(&shop, &first);
    let audits = || app.said().matches("the nightly audit found").count();
    until("it was audited", PATIENCE, async || {
        (audits() >= 2).then_some(())
    })
    .await;
    assert_eq!(seen(&app), [Value::Null; 0], "nobody else makes keys");
    handled(&shop, &first);
    let row = until("the old handler is seen", PATIENCE, async || {
        seen(&app).pop()
    })
    .await;
    assert!(row.to_string().contains(&first.machine()), "{row}");
    assert_eq!(keys(), 2, "neither is touched");
    buys(&app, 9_002).await;
    until("no further key is made", PATIENCE, async || {
        (held(&app) == 1).then_some(())
    })
    .await;
    let after = audits();
    until("it was audited again", PATIENCE, async || {
        (audits() > after + 1).then_some(())
    })
    .await;
    assert_eq!(seen(&app).len(), 1, "it is told of once");
    assert_eq!(shop.fake.counter("POST"), 1);
}

/// A license that a create of ours has made, and whose answer is not heard yet, is no other program's: neither for the nightly
/// audit that reads it in the list, nor once its key is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_license_that_is_just_being_made_here_is_nobody_else_s() {
    let (shop, app) = audited(20).await;
    let first = buys(&app, 9_001).await;
    let label = format!("Stripe sub {}", first.object());
    let made = |label: &str| {
        let mut all = shop.fake.licenses().into_iter();
        all.find(|l| l.label.as_deref() == Some(label))
    };
    until("a key is made here", PATIENCE, async || made(&label)).await;
    let now_s = bought_at_stripe(&shop, &first);
    let mut told = Told::default();
    told.refund("pi_in_9001_first", 2_900, now_s);
    for (_, event) in &told.events {
        app.door().event(event).await;
    }
    let revoked = async || (made(&label)?.status == "revoked").then_some(());
    until("its license is revoked", PATIENCE, revoked).await;
    // The next period is paid. Its license is made and stands in the list, and nobody knows yet what came of the request.
    shop.fake.switch(|f| f.hold_creates = true);
    let mut told = Told::default();
    let bill = Bill {
        id: "in_9001_next".to_owned(),
        reason: "subscription_cycle",
        created_s: now_s,
        period_s: (now_s + MONTH_S, now_s + 2 * MONTH_S),
        price: first.price(),
    };
    told.invoice(&first, "paid", now_s, &bill, 0);
    for (_, event) in &told.events {
        app.door().event(event).await;
    }
    // Where the refund overtook the answer to the first create, a look for its license has taken a number.
    let second = format!("{label} #");
    let next = until("the next one is made", PATIENCE, async || {
        let mut all = shop.fake.licenses().into_iter();
        all.find(|l| l.label.as_ref().is_some_and(|l| l.starts_with(&second)))
    })
    .await;
    // As if we had been here for a while.
    shop.fake.third_hand(&next.license_key, |l| {
        l.created_at += chrono::TimeDelta::minutes(20);
    });
    let audits = || app.said().matches("the nightly audit found").count();
    let before = audits();
    until("it was audited", PATIENCE, async || {
        (audits() >= before + 3).then_some(())
    })
    .await;
    assert_eq!(seen(&app), [Value::Null; 0], "{}", app.tail());
    shop.fake.switch(|f| f.hold_creates = false);
    until("its key is known", PATIENCE, async || {
        let page = app.ask(&["show", &first.machine()]);
        (page["licenses"].as_array()?.len() == 2).then_some(())
    })
    .await;
    let before = audits();
    until("it was audited again", PATIENCE, async || {
        (audits() >= before + 3).then_some(())
    })
    .await;
    assert_eq!(seen(&app), [Value::Null; 0], "{}", app.tail());
}

/// What the nightly audit finds is listed, and reported, until an audit finds it no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_nightly_audit_finds_waits_for_a_person() {
    let (shop, mut app) = audited(4).await;
    let listed = |app: &TestApp| {
        let rows = app.ask(&["attention"]);
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter().find(|r| r["cause"] == "audit")
    };
    let said = until("it is listed", PATIENCE, async || listed(&app)).await;
    let reason = said["reason"].as_str().unwrap();
    assert!(reason.ends_with("differ: 1 key_without_payment"), "{said}");
    assert_eq!(
        (&said["about"], &said["settle"]),
        (
            &json!("stripe"),
            &json!("keyward note audit/stripe --reason …")
        )
    );
    let details = said["details"].to_string();
    assert!(
        details.contains("key_without_payment stripe/sub_gone, key …"),
        "{said}"
    );
    let alerted = async || {
        app.said()
            .contains("the nightly audit found differences: 1")
            .then_some(())
    };
    until("an alert", PATIENCE, alerted).await;
    app.terminate();
    app.ended(PATIENCE).await;
    assert!(listed(&app).is_some(), "also without a server");
    app.restart().await;
    let all = shop.fake.licenses();
    let stray = all
        .iter()
        .find(|l| l.label.as_deref() == Some("Stripe sub sub_gone"));
    let key = stray.unwrap().license_key.clone();
    shop.fake.third_hand(&key, |l| l.status = "revoked".into());
    until("it is over", PATIENCE, async || {
        listed(&app).is_none().then_some(())
    })
    .await;
}

/// Its line is settled by the command that it names, until an audit finds other differences.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_nightly_audit_found_is_noted() {
    let (shop, app) = audited(4).await;
    let listed = || {
        let rows = app.ask(&["attention"]);
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter().find(|r| r["cause"] == "audit")
    };
    let said = until("it is listed", PATIENCE, async || listed()).await;
    for named in ["sub_gone", "stripe/sub_gone"] {
        let mut note = std::process::Command::new(crate::support::app::binary());
        note.args(["note", named, "--reason", "a friend's", "--config"]);
        let out = note.arg(app.config()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        let way_out = "`keyward note audit/stripe --reason …` settles";
        assert!(!out.status.success() && said.contains(way_out), "{said}");
    }
    let settle = said["settle"].as_str().unwrap();
    let settle = settle.replace("--reason …", "--reason friends");
    let words: Vec<&str> = settle.split(' ').skip(1).collect();
    assert_eq!(app.ask(&words)["audit"], "stripe");
    let audited_again = async || {
        let audits = || app.said().matches("the nightly audit found").count();
        let before = audits();
        until("it was audited again", PATIENCE, async || {
            (audits() >= before + 2).then_some(())
        })
        .await;
    };
    audited_again().await;
    assert_eq!(listed(), None, "it finds the same");
    let other = shop
        .fake
        .made_elsewhere("app_test", Some("Stripe sub sub_lost"), None, 2);
    shop.fake
        .third_hand(&other, |l| l.created_at -= chrono::TimeDelta::hours(1));
    let said = until("the other is listed", PATIENCE, async || listed()).await;
    let details = said["details"].to_string();
    for part in ["sub_gone", "sub_lost", "looked at it (friends) at 20"] {
        assert!(details.contains(part), "{said}");
    }
    shop.fake
        .third_hand(&other, |l| l.status = "revoked".into());
    until("only what was noted differs", PATIENCE, async || {
        listed().is_none().then_some(())
    })
    .await;
}
