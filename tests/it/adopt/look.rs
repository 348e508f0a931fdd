//! Dry runs and audits: what they find, that they change nothing, and that what was read is kept.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::apply::{full_or, renewal};
use super::revoked::{alone, audit_alone};
use super::shop::{Customer, DAY_S, Labelled, Life, Shop};
use crate::support::app::{TestApp, binary};
use crate::support::fake_licenses::API_KEY;
use crate::support::fake_stripe::KEY;
use crate::support::stripe_lists::Faults;

/// Class of each purchase.
pub(super) fn classes(report: &Value) -> BTreeMap<String, String> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let rows = report["rows"].as_array().unwrap();
    rows.iter()
        .map(|r| (text(&r["machine"]), text(&r["class"])))
        .collect()
}

fn expected(shop: &Shop, with_table: bool) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = shop
        .expected(with_table)
        .into_iter()
        .map(|(machine, class)| (machine, class.to_owned()))
        .collect();
    let stray = "key_without_payment".to_owned();
    all.insert("stripe/sub_gone".to_owned(), stray);
    all
}

fn differing(is: &BTreeMap<String, String>, should: &BTreeMap<String, String>) -> Vec<String> {
    let keys: std::collections::BTreeSet<_> = is.keys().chain(should.keys()).collect();
    let apart = keys.into_iter().filter(|k| is.get(*k) != should.get(*k));
    apart
        .map(|k| format!("{k}: is {:?}, should be {:?}", is.get(k), should.get(k)))
        .collect()
}

pub(super) fn dry_run(app: &TestApp, more: &[&str]) -> Value {
    app.ask(&[&["adopt", "--reads-per-s", "0"], more].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_purchase_comes_to_its_class_and_nothing_is_changed() {
    let shop = Shop::of(300).await;
    let app = shop.server().await;
    let before = shop.fake.licenses().len();
    let report = dry_run(&app, &[]);
    let should = expected(&shop, false);
    assert_eq!(differing(&classes(&report), &should), [""; 0]);
    assert_eq!(report["applied"], false);
    let waits = |c: &Customer| matches!(c.life, Life::Renews | Life::Retries);
    let movable = shop.expected(false);
    let to_do = shop
        .customers
        .iter()
        .filter(|c| {
            !waits(c)
                && movable
                    .get(&c.machine())
                    .is_some_and(|class| *class != "foreign")
        })
        .count();
    assert_eq!(report["to_do"], to_do);
    for row in report["rows"].as_array().unwrap() {
        let key = row["key"].as_str().unwrap_or("…xxxx");
        assert_eq!(key.chars().count(), 5, "a key by its last four: {key}");
    }
    let table = app.dir().join("table.csv");
    std::fs::write(&table, shop.table()).unwrap();
    let report = dry_run(&app, &["--csv", table.to_str().unwrap()]);
    let should = expected(&shop, true);
    assert_eq!(differing(&classes(&report), &should), [""; 0]);
    assert_eq!(app.events().len(), 0);
    assert_eq!(shop.fake.licenses().len(), before);
    assert_eq!(shop.fake.counter("POST"), 0);
    // Each license is read by itself once: the second look knows its label by a digest, and reads the two that belong to no
    // purchase once more, for their words, and both keys of whoever has two: which one is in use may change each day. One line
    // of the table names a key that no list shows.
    let twice = |c: &&Customer| c.labelled == Labelled::Twice && c.key.is_some();
    let doubled = 2 * shop.customers.iter().filter(twice).count();
    assert!(doubled > 0);
    assert_eq!(
        shop.fake.counter("GET one"),
        (before + 2 + doubled + 1) as u64
    );
    assert_eq!(shop.stripe.seen().1, [""; 0], "nothing was refused");
}

/// Whoever answers with the same page again would be read for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_shows_a_page_again_is_given_up_at_once() {
    let shop = Shop::of(5).await;
    let app = shop.server().await;
    shop.stripe.faults(Faults {
        repeats_pages: true,
        ..Faults::default()
    });
    let refused = std::process::Command::new(binary())
        .args(["adopt", "--reads-per-s", "0", "--config"])
        .arg(app.config())
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("makes no sense"),
        "{said}"
    );
    assert!(shop.stripe.calls() < 10, "{}", shop.stripe.calls());
}

/// Labels are remembered by a digest, which says nothing to a person: the words of those that belong to nobody are read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_address_suggests_is_suggested_by_every_look() {
    let shop = Shop::of(150).await;
    let without = shop.expected(false);
    let mut customers = shop.customers.iter();
    let keyless = customers.find(|c| without.get(&c.machine()) == Some(&"paid_without_key"));
    let keyless = keyless.unwrap();
    let (label, ends) = (
        keyless.email(),
        keyward::clock::Clock::Wall.now().s() + DAY_S,
    );
    let ends = chrono::DateTime::from_timestamp(ends, 0);
    shop.fake.made_elsewhere("app_test", Some(&label), ends, 1);
    let app = shop.server().await;
    for look in 1..=3 {
        let class = classes(&dry_run(&app, &[]))[&keyless.machine()].clone();
        assert_eq!(class, "suggested", "look {look}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_lost_cursors_and_lists_that_cannot_be_expanded_change_nothing_of_it() {
    let shop = Shop::of(250).await;
    let app = shop.server().await;
    shop.stripe.faults(Faults {
        limited_every: 7,
        loses_cursor_at: Some(9),
        no_line_items: true,
        ..Faults::default()
    });
    let report = dry_run(&app, &[]);
    let differs = differing(&classes(&report), &expected(&shop, false));
    // The object whose going lost the cursor is gone.
    assert!(differs.len() <= 1, "{differs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_needs_neither_config_nor_store() {
    // In full 10,000 subscriptions.
    let size = full_or(16_667, 150);
    let shop = Shop::of(size).await;
    let dir = tempfile::tempdir().unwrap();
    let authforge = shop.fake.base();
    let mut command = std::process::Command::new(binary());
    command
        .args(["audit", "--json", "--app", "app_test", "--reads-per-s", "0"])
        .args(["--stripe-api", &shop.base, "--authforge-api", &authforge])
        .args(["--authforge-reads-per-s", "0"])
        .env("STRIPE_API_KEY", KEY)
        .env("AUTHFORGE_API_KEY", crate::support::fake_licenses::API_KEY)
        .current_dir(dir.path());
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    assert!(!said.contains(KEY), "{said}");
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    // Every price counts as sold here, and no template of the vendor's is known.
    let is = classes(&report);
    let count = |class: &str| is.values().filter(|c| *c == class).count();
    assert!(count("linked") > size / 2, "{:?}", report["classes"]);
    let refunded = (size + 42) / 50;
    assert_eq!(
        count("alive_after_refund"),
        refunded,
        "{:?}",
        report["classes"]
    );
    costs_a_call_for_each_page(&shop);
    assert_eq!(count("foreign"), 0);
    assert_eq!(report["applied"], false);
    // A key that Stripe does not know lacks no permission.
    let wrong = command.env("STRIPE_API_KEY", "rk_test_wrong").output();
    let said = String::from_utf8(wrong.unwrap().stderr).unwrap();
    assert!(said.contains("copy the key again"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// What an audit before anything is installed costs in calls.
fn costs_a_call_for_each_page(shop: &Shop) {
    let subscribed = || shop.customers.iter().filter(|c| !c.is_once());
    let (subscriptions, licenses) = (subscribed().count(), shop.fake.licenses().len());
    let invoices: i64 = subscribed().map(|c| c.renewals() + 1).sum();
    let pages = |objects: usize| objects.div_ceil(100).max(1);
    let invoices = usize::try_from(invoices).unwrap();
    let now_s = keyward::clock::Clock::Wall.now().s();
    let tried = shop.customers.iter().map(|c| c.charges(now_s).len());
    let all = [
        subscriptions,
        invoices,
        tried.sum(),
        shop.customers.len(),
        refunds(shop),
        0,
    ];
    let most: usize = all.into_iter().map(pages).sum();
    let (calls, counters) = (shop.stripe.calls(), shop.fake.counters());
    println!(
        "{subscriptions} subscriptions, {invoices} invoices: {calls} calls at Stripe; {licenses} licenses: {counters:?}"
    );
    assert!(
        calls <= most,
        "{calls} calls, not {most}: {:?}",
        shop.stripe.seen()
    );
    let read = shop.fake.counter("GET one");
    assert!(
        read <= licenses as u64,
        "{read} reads of {licenses} licenses"
    );
}

fn refunds(shop: &Shop) -> usize {
    let refunded = shop.customers.iter().filter(|c| c.life == Life::Refunded);
    refunded.count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_names_what_other_hands_did_and_what_was_missed() {
    let shop = Shop::of(200).await;
    let app = shop.server().await;
    let n = dry_run(&app, &[])["to_do"].to_string();
    dry_run(&app, &["--apply", "--expect", &n]);
    let ordinary = |c: &&Customer| c.life == Life::Runs && matches!(c.labelled, Labelled::ById(_));
    let some: Vec<&Customer> = shop.customers.iter().filter(ordinary).take(5).collect();
    let key = |n: usize| some[n].key.as_deref().unwrap();
    shop.fake
        .third_hand(key(0), |l| l.status = "revoked".into());
    shop.fake.third_hand(key(1), |l| {
        let earlier = chrono::TimeDelta::seconds(DAY_S / 4);
        l.expires_at = l.expires_at.map(|at| at - earlier);
    });
    shop.fake.third_hand(key(2), |l| l.max_hwid_slots = 1);
    let told = renewal(some[3], keyward::clock::Clock::Wall.now().s());
    shop.stripe
        .add("/v1/invoices", [told["data"]["object"].clone()]);
    let is = classes(&app.ask(&["audit", "--reads-per-s", "0"]));
    let should = [
        "revoked_elsewhere",
        "shortened_elsewhere",
        "devices_differ",
        "missed_events",
        "known",
    ];
    for (customer, class) in some.iter().zip(should) {
        assert_eq!(is[&customer.machine()], class, "{customer:?}");
    }
    let known = is.values().filter(|class| *class == "known").count();
    assert!(known > 100, "{known}");
}

/// A key whose checkout was completed and not paid, as with a transfer that never came: it is listed, and the row says so; so
/// does a line of the vendor's table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_an_unpaid_checkout_is_told_as_that() {
    let shop = Shop::of(5).await;
    shop.stripe.add(
        "/v1/checkout/sessions",
        [json!({"id": "cs_live_late", "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "unpaid", "created": 1, "livemode": true, "metadata": {}})],
    );
    let label = Some("Stripe session cs_live_late");
    shop.fake.made_elsewhere("app_test", label, None, 1);
    let never = Some("Stripe session cs_live_never");
    shop.fake.made_elsewhere("app_test", never, None, 1);
    let other = shop.fake.made_elsewhere("app_test", None, None, 1);
    let app = shop.server().await;
    let said = |report: &Value, machine: &str| {
        let rows = report["rows"].as_array().unwrap();
        let row = rows.iter().find(|r| r["machine"] == machine).unwrap();
        assert_eq!(row["class"], "key_without_payment");
        row["would"].as_str().unwrap().to_owned()
    };
    for report in [dry_run(&app, &[]), alone(&shop)] {
        let open = said(&report, "stripe/cs_live_late");
        assert!(open.contains("it is not paid"), "{open}");
        let never = said(&report, "stripe/cs_live_never");
        assert!(never.contains("no completed checkout"), "{never}");
        let gone = said(&report, "stripe/sub_gone");
        assert!(gone.contains("lists no such purchase"), "{gone}");
    }
    let table = app.dir().join("table.csv");
    std::fs::write(
        &table,
        format!("stripe_id,license_key\ncs_live_late,{other}\n"),
    )
    .unwrap();
    let looked = super::apply::run(&app, &["--csv", table.to_str().unwrap()]);
    let told = String::from_utf8(looked.stderr).unwrap();
    assert!(
        told.contains("line 2: Stripe lists the purchase, and it is not paid"),
        "{told}"
    );
    assert!(
        told.contains("table.csv: 1 line, 1 of them cannot be used"),
        "{told}"
    );
}

/// Who watches no bar is told that a service does not answer, and for how long it is tried again; a key that a service does not
/// take is no reason to start again what was never kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_still_is_said_and_so_is_what_helps() {
    let shop = Shop::of(5).await;
    shop.stripe.faults(Faults {
        broken_first: 2,
        ..Faults::default()
    });
    let looked = audit_alone(&shop, API_KEY);
    let said = String::from_utf8(looked.stderr).unwrap();
    assert!(looked.status.success(), "{said}");
    let told = said.matches("tried again for up to 3 minutes").count();
    assert_eq!(told, 1, "{said}");
    assert!(
        said.contains("Stripe answers nothing that can be used: 500"),
        "{said}"
    );
    let refused = audit_alone(&shop, "wrong");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(!said.contains("start it again"), "{said}");
    assert!(said.contains("is the API key whole"), "{said}");
}

/// A grace is owed: a key that works still, and ends before the grace does, ends too early, as the adoption then holds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_ends_within_a_grace_ends_too_early() {
    let shop = Shop::of(50).await;
    let fails = |c: &&Customer| c.life == Life::Fails && c.key.is_some();
    let failing = shop.customers.iter().find(fails).unwrap();
    let now = keyward::clock::Clock::Wall.now().s();
    let tomorrow = chrono::DateTime::from_timestamp(now + DAY_S, 0);
    shop.fake
        .third_hand(failing.key.as_deref().unwrap(), |l| l.expires_at = tomorrow);
    let app = shop.server().await;
    let found = dry_run(&app, &[]);
    let mut rows = found["rows"].as_array().unwrap().iter();
    let row = rows.find(|r| r["machine"] == failing.machine()).unwrap();
    assert_eq!(row["class"], "linked_ends_too_early");
    let would = row["would"].as_str().unwrap();
    assert!(would.contains("it ends before the grace does"), "{would}");
}
