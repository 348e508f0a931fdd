//! Several sources on one application, and connected accounts: whose a key is, is said once every list was read.

use keyward::clock::Clock;
use serde_json::{Value, json};

use super::apply::run;
use super::shop::{Customer, Shop};
use crate::support::fake_stripe::KEY;
use crate::support::purchase::{next_s, one_time};
use crate::support::stripe_lists::StripeLists;
use crate::support::wait::{PATIENCE, until};

/// The rows of a purchase, by its object.
fn rows(report: &Value, object: &str) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let rows = report["rows"].as_array().unwrap().iter();
    let rows = rows.map(|r| (text(&r["machine"]), text(&r["class"])));
    rows.filter(|(machine, _)| machine.ends_with(object))
        .collect()
}

/// Another source's lists: one subscription, and a checkout that was never paid.
async fn second(shop: &Shop, customer: &Customer) -> String {
    let (stripe, base) = StripeLists::start().await;
    let now_s = Clock::Wall.now().s();
    stripe.add("/v1/subscriptions", [customer.subscription(now_s)]);
    let invoices = (0..=customer.renewals()).map(|back| customer.invoice(now_s, back));
    stripe.add("/v1/invoices", invoices);
    let unpaid = json!({"id": "cs_live_late", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "unpaid", "created": 1, "livemode": true, "metadata": {}});
    stripe.add("/v1/checkout/sessions", [unpaid]);
    stripe.add("/v1/charges", []);
    stripe.add("/v1/refunds", []);
    stripe.add("/v1/disputes", []);
    let label = format!("Stripe sub {}", customer.object());
    for label in [label.as_str(), "Stripe session cs_live_late"] {
        shop.fake.made_elsewhere("app_test", Some(label), None, 2);
    }
    format!(
        "[[source]]\nname = \"second\"\nsigning_secrets = [\"whsec_2\"]\nlivemode = \"live\"\napi_key = \"{KEY}\"\n\
         api_base = \"{base}\"\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_another_source_sold_is_not_without_payment() {
    let shop = Shop::of(5).await;
    let customer = Customer::buys(9_001, Clock::Wall.now().s());
    let tables = second(&shop, &customer).await;
    let app = shop
        .server_with(&format!("{tables}[scheduler]\naudit = \"* * * * * *\"\n"))
        .await;
    let none = "key_without_payment".to_owned();
    for command in ["adopt", "audit"] {
        let report = app.ask(&[command, "--reads-per-s", "0"]);
        let sold = rows(&report, &customer.object());
        assert_eq!(sold.len(), 1, "{sold:?}");
        assert!(
            sold[0].0.starts_with("second/") && sold[0].1 != none,
            "{sold:?}"
        );
        let gone = rows(&report, "sub_gone");
        assert_eq!(gone, [("stripe/sub_gone".to_owned(), none.clone())], "once");
        let late = rows(&report, "cs_live_late");
        assert_eq!(late, [("second/cs_live_late".to_owned(), none.clone())]);
        assert_eq!(report["classes"]["key_without_payment"], 2, "{report:#}");
        assert_eq!(report["connected_not_read"], Value::Null);
    }
    let audited = async || {
        let listed = app.ask(&["attention"]);
        let rows = listed.as_array().unwrap().iter();
        let rows = rows.filter(|r| r["cause"] == "audit" && r["about"] == "stripe");
        rows.filter_map(|r| r["reason"].as_str().map(str::to_owned))
            .next()
    };
    let said = until("what the nightly audit found", PATIENCE, audited).await;
    assert!(said.ends_with(" 1 key_without_payment"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_younger_than_stripe_s_lists_is_judged_by_the_next_look() {
    let shop = Shop::of(2).await;
    let label = Some("Stripe sub sub_soon");
    let key = shop.fake.made_elsewhere("app_test", label, None, 1);
    let app = shop.server().await;
    let looks = || {
        ["adopt", "audit"].map(|command| {
            let report = app.ask(&[command, "--reads-per-s", "0"]);
            assert_eq!(rows(&report, "sub_gone").len(), 1, "{report:#}");
            rows(&report, "sub_soon")
        })
    };
    let sold = |hours| {
        let hours = chrono::TimeDelta::hours(hours);
        shop.fake.third_hand(&key, |kept| kept.created_at += hours);
    };
    sold(1);
    assert_eq!(looks(), [vec![], vec![]]);
    sold(-1);
    let told = [(
        "stripe/sub_soon".to_owned(),
        "key_without_payment".to_owned(),
    )];
    assert_eq!(looks(), [told.to_vec(), told.to_vec()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_a_connected_account_s_purchase_is_known() {
    let shop = Shop::of(5).await;
    let app = shop.server_as("connect = \"accept\"\n", "").await;
    // Nothing is sent: the store knows the purchase, and holds no key of it.
    app.ask(&["observe", "--reason", "a look"]);
    let label = Some("Stripe session cs_live_Nine");
    shop.fake.made_elsewhere("app_test", label, None, 2);
    let mut event = one_time("Nine", next_s());
    event["account"] = json!("acct_9");
    app.door().event(&event).await;
    for command in ["adopt", "audit"] {
        let report = app.ask(&[command, "--reads-per-s", "0"]);
        let is = rows(&report, "cs_live_Nine");
        let machine = "stripe/acct_9/cs_live_Nine".to_owned();
        assert_eq!(is, [(machine, "known".to_owned())]);
        // What else they sold is missing, and nobody is to think that there is nothing.
        assert_eq!(report["connected_not_read"], json!(["stripe"]));
    }
    let said = run(&app, &[]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.contains("connected accounts of `stripe` were not read"),
        "{said}"
    );
}
