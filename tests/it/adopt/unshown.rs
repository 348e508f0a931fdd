//! What the license service's list does not show is unknown, not gone, and what it shows may be wrong.

use serde_json::Value;

use super::repair::{adopted, ask, ordinary, repair};
use super::revoked::row;
use super::shop::{Customer, Shop};
use crate::support::app::TestApp;
use crate::support::wait::{PATIENCE, until};

/// Three ordinary customers of a shop that is taken in, with their keys.
fn three(shop: &Shop, app: &TestApp) -> (Vec<Customer>, Vec<String>) {
    adopted(app);
    let some = shop.customers.iter().filter(ordinary).take(3);
    let some: Vec<Customer> = some.cloned().collect();
    let keys = some.iter().map(|c| c.key.clone().unwrap()).collect();
    (some, keys)
}

fn classes(report: &Value, of: &[Customer]) -> Vec<String> {
    let class = |c| row(report, c)["class"].as_str().unwrap().to_owned();
    of.iter().map(class).collect()
}

/// A key that the list leaves out works: it is read by itself, and nothing is repaired. One that another hand revoked besides
/// is found out, and is made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_list_leaves_out_is_read_by_itself() {
    let shop = Shop::of(60).await;
    let app = shop.server().await;
    let (some, keys) = three(&shop, &app);
    shop.fake.switch(|f| f.list_hides = keys.clone());
    let report = ask(&app, &[]);
    assert_eq!(classes(&report, &some), ["known"; 3]);
    assert_eq!(report["not_shown"], Value::Null, "all of them were read");
    shop.fake
        .third_hand(&keys[1], |l| l.status = "revoked".into());
    let classes = classes(&ask(&app, &[]), &some);
    assert_eq!(classes, ["known", "revoked_elsewhere", "known"]);
    let made = shop.fake.licenses().len();
    assert_eq!(repair(&app, "revoked_elsewhere"), 1);
    until("a new key is made", PATIENCE, async || {
        (shop.fake.licenses().len() > made).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("POST"), 1);
    assert_eq!(shop.fake.counter("PUT revoke"), 0);
}

/// Where the service does not show a key by itself either, nobody calls it revoked: its row says that nothing is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_nobody_can_read_is_not_known_to_be_revoked() {
    let shop = Shop::of(60).await;
    let app = shop.server().await;
    let (some, keys) = three(&shop, &app);
    shop.fake.switch(|f| {
        f.list_hides = keys.clone();
        f.refuse_hidden = true;
    });
    let report = ask(&app, &[]);
    assert_eq!(classes(&report, &some), ["known"; 3]);
    assert_eq!(report["not_shown"], 3);
    let would = row(&report, &some[0])["would"].clone();
    assert!(
        would
            .as_str()
            .unwrap()
            .contains("whether its key works is not"),
        "{would}"
    );
    let dry = ask(&app, &["--repair", "revoked_elsewhere"]);
    assert_eq!(dry["to_do"], 0);
}

/// The keys are another application's than the one that the config names: that one's list is read, too, and not each key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_another_application_are_judged_by_its_own_list() {
    let shop = Shop::of(60).await;
    let app = shop.server().await;
    let (some, keys) = three(&shop, &app);
    let before = ask(&app, &[]);
    for license in shop.fake.licenses() {
        shop.fake
            .third_hand(&license.license_key, |l| l.app_id = "app_old".into());
    }
    shop.fake
        .third_hand(&keys[2], |l| l.status = "revoked".into());
    let lists = shop.fake.counter("GET list");
    let report = ask(&app, &[]);
    let shown = classes(&report, &some);
    assert_eq!(shown, ["known", "known", "revoked_elsewhere"]);
    assert_eq!(
        report["classes"]["revoked_elsewhere"], 1,
        "{before:#} {report:#}"
    );
    assert_eq!(report["not_shown"], Value::Null);
    assert!(shop.fake.counter("GET list") >= lists + 2);
}

/// What the list alone calls revoked is read by itself before that is said, also before anything is taken in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_list_calls_revoked_is_read_by_itself() {
    let shop = Shop::of(60).await;
    let keys = shop.customers.iter().filter(ordinary).take(3);
    let keys: Vec<String> = keys.map(|c| c.key.clone().unwrap()).collect();
    shop.fake.switch(|f| f.list_revokes = keys.clone());
    let alone = super::revoked::alone(&shop);
    assert_eq!(alone["classes"]["revoked_elsewhere"], Value::Null);
    let app = shop.server().await;
    let (some, _) = three(&shop, &app);
    assert_eq!(classes(&ask(&app, &[]), &some), ["known"; 3]);
}

/// The vendor's table names a key that the list leaves out: it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_may_name_a_key_that_the_list_leaves_out() {
    let shop = Shop::of(60).await;
    let customer = shop.customers.iter().find(ordinary).unwrap();
    let key = customer.key.clone().unwrap();
    shop.fake.switch(|f| f.list_hides = vec![key.clone()]);
    let app = shop.server().await;
    let hidden = app.ask(&["adopt", "--reads-per-s", "0"]);
    assert_eq!(row(&hidden, customer)["class"], "paid_without_key");
    let table = app.dir().join("keys.csv");
    let lines = format!("stripe_id,license_key\n{},{key}\n", customer.object());
    std::fs::write(&table, lines).unwrap();
    let path = table.to_str().unwrap();
    let named = app.ask(&["adopt", "--reads-per-s", "0", "--csv", path]);
    assert_eq!(row(&named, customer)["class"], "linked");
}
