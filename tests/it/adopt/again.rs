//! What was taken in before: a second look says so, and an undo leaves what a person spoke about.

use keyward::clock::Clock;
use serde_json::{Value, json};

use super::apply::{report, run};
use super::shop::{Customer, Shop};
use crate::support::app::{TestApp, binary};
use crate::support::fake_stripe::KEY;

fn taken_in(app: &TestApp) -> Value {
    let n = report(&run(app, &[]))["to_do"].to_string();
    report(&run(app, &["--apply", "--expect", &n]))
}

/// Purchases of a class, with what would be done.
fn of_class(report: &Value, class: &str) -> Vec<(String, String)> {
    let rows = report["rows"].as_array().unwrap().iter();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    rows.filter(|r| r["class"] == class)
        .map(|r| (text(&r["machine"]), text(&r["would"])))
        .collect()
}

/// A purchase without a key that was taken in is not taken in again, and its row says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_in_without_a_key_is_not_taken_in_again() {
    let shop = Shop::of(150).await;
    let app = shop.server().await;
    let first = of_class(&report(&run(&app, &[])), "paid_without_key");
    assert!(!first.is_empty());
    let moved = |would: &str| would.starts_with("take the purchase in");
    assert!(first.iter().all(|(_, would)| moved(would)), "{first:?}");
    taken_in(&app);
    let second = report(&run(&app, &[]));
    assert_eq!(second["to_do"], 0);
    let again = of_class(&second, "paid_without_key");
    assert_eq!(again.len(), first.len());
    for (machine, would) in again {
        assert!(
            would.starts_with("nothing more: it is taken in"),
            "{machine}: {would}"
        );
        assert!(!would.contains("next run"), "{machine}: {would}");
    }
    for (machine, would) in of_class(&second, "known") {
        assert!(!would.contains("next run"), "{machine}: {would}");
    }
}

/// Whoever dropped what an adoption holds has acted on it: the purchase stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_leaves_what_a_person_gave_up() {
    let shop = Shop::of(150).await;
    let app = shop.server().await;
    taken_in(&app);
    let held = app.ask(&["held"]);
    let rows = held["rows"].as_array().unwrap();
    let by_adoption = |r: &&Value| r["held_by"] == "adoption";
    let (dropped, other) = {
        let mut rows = rows.iter().filter(by_adoption);
        (rows.next().unwrap(), rows.next_back().unwrap())
    };
    let named = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let id = named(dropped, "id");
    app.ask(&["held", "drop", &id, "--reason", "a gift, it needs none"]);
    let undone = app.ask(&["adopt", "--undo"]);
    let forgotten = undone["machines"].as_array().unwrap();
    assert!(!forgotten.contains(&dropped["machine"]), "{undone}");
    assert!(forgotten.contains(&other["machine"]), "{undone}");
    assert_eq!(undone["stay"], json!([dropped["machine"]]), "{undone}");
    let page = app.ask(&["show", &named(dropped, "machine")]);
    assert_eq!(page["id"], dropped["machine"]);
    assert_eq!(dropped["held_at"], dropped["at"], "{dropped:#}");
}

/// Whoever renews in a live shop between an undo and the next run may get a second key: who gave the order reads so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_says_whom_it_may_hurt_while_the_shop_is_live() {
    let shop = Shop::of(0).await;
    one_customer(&shop);
    let app = shop.server().await;
    taken_in(&app);
    let warning = "whoever renews before `keyward adopt` takes the purchase in again is found by the label alone";
    let first = "`keyward observe` first, if the shop is live";
    let said = app.say(&["adopt", "--undo"]);
    assert!(said.contains("1 adopted purchase is forgotten"), "{said}");
    assert!(said.contains(warning) && said.contains(first), "{said}");
    let said = app.say(&["adopt", "--undo"]);
    assert!(said.contains("0 adopted purchases are forgotten"), "{said}");
    assert!(!said.contains(warning), "nobody is hurt: {said}");
}

/// Numbers that people read have their words in the right form.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_something_is_told_in_the_singular() {
    let shop = Shop::of(0).await;
    one_customer(&shop);
    let app = shop.server().await;
    let say = |args: &[&str]| {
        let out = std::process::Command::new(binary())
            .args(["adopt", "--reads-per-s", "0"])
            .args(args)
            .arg("--config")
            .arg(app.config())
            .output();
        let out = out.unwrap();
        String::from_utf8(out.stderr).unwrap()
    };
    let wrong = say(&["--apply", "--expect", "7"]);
    assert!(wrong.contains("1 purchase is to do, not 7"), "{wrong}");
    let applied = say(&["--apply", "--expect", "1"]);
    assert!(applied.contains("1 purchase was taken in"), "{applied}");
    let again = say(&[]);
    assert!(again.contains("1 purchase is known here"), "{again}");
}

/// A customer at a shop's Stripe alone.
fn one_customer(shop: &Shop) -> Customer {
    let customer = Customer::buys(9_001, Clock::Wall.now().s());
    let now_s = customer.began_s();
    let (subscription, paid) = (customer.subscription(now_s), customer.invoice(now_s, 0));
    shop.stripe.add("/v1/subscriptions", [subscription]);
    shop.stripe.add("/v1/invoices", [paid]);
    customer
}

/// One table serves all sources: what the first one does not list may be the second one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_the_table_may_be_of_any_source() {
    let (shop, second) = (Shop::of(5).await, Shop::of(0).await);
    let customer = one_customer(&second);
    let key = shop.fake.made_elsewhere("app_test", None, None, 2);
    let app = shop
        .server_with(&format!(
            "[[source]]\nname = \"eu\"\nkind = \"stripe\"\nsigning_secrets = [\"whsec_eu\"]\nlivemode = \"live\"\n\
             api_key = \"{KEY}\"\napi_base = \"{}\"\n",
            second.base
        ))
        .await;
    let table = app.dir().join("table.csv");
    let lines = format!(
        "stripe_id;license_key\n{};{key}\nsub_none;{key}\n",
        customer.object()
    );
    std::fs::write(&table, lines).unwrap();
    let looked = run(&app, &["--csv", table.to_str().unwrap()]);
    let said = String::from_utf8(looked.stderr.clone()).unwrap();
    assert!(said.contains("2 lines, 1 of them cannot be used"), "{said}");
    assert!(said.contains("line 3: line 2 gives the same key"), "{said}");
    let linked = of_class(&report(&looked), "linked");
    let name = format!("eu/{}", customer.object());
    assert!(
        linked.iter().any(|(machine, _)| *machine == name),
        "{linked:?}"
    );
}
