//! Existing customers are taken in: with their keys and their history, and nothing else happens; killed at any moment, the
//! next run goes on.

use std::process::{Command, Output, Stdio};

use keyward::clock::Clock;
use serde_json::{Value, json};

use super::shop::{Customer, DAY_S, Life, Shop};
use crate::support::app::{TestApp, binary};
use crate::support::purchase::{next_s, one_time};
use crate::support::stripe_lists::Faults;
use crate::support::wait::{PATIENCE, until, within};

/// How many customers the shop has.
pub(super) fn size() -> usize {
    size_or(400)
}

/// The same where fewer do: `KEYWARD_FULL=1` takes the 5,000 of the proof.
pub(super) fn size_or(few: usize) -> usize {
    full_or(5_000, few)
}

/// One size for the full campaign, and one for every day.
pub(super) fn full_or(full: usize, few: usize) -> usize {
    let is_full = std::env::var("KEYWARD_FULL").is_ok_and(|is| is == "1");
    if is_full { full } else { few }
}

pub(super) fn command(app: &TestApp, args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["adopt", "--json", "--reads-per-s", "0"])
        .args(args)
        .arg("--config")
        .arg(app.config())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(super) fn run(app: &TestApp, args: &[&str]) -> Output {
    command(app, args).output().unwrap()
}

pub(super) fn report(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(super) fn to_do(app: &TestApp) -> usize {
    let report = report(&run(app, &[]));
    usize::try_from(report["to_do"].as_u64().unwrap()).unwrap()
}

/// What must not have happened: nothing was made or changed at the license service, and nobody got a mail.
pub(super) fn nothing_else(shop: &Shop, app: &TestApp, licenses: usize) {
    assert_eq!(shop.fake.licenses().len(), licenses);
    let counters = shop.fake.counters();
    let changed: Vec<_> = counters
        .iter()
        .filter(|(name, _)| !name.starts_with("GET"))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    let mails = std::fs::read_dir(app.dir().join("mail")).map_or(0, Iterator::count);
    assert_eq!(mails, 0);
}

/// The next renewal of a subscription, paid now.
pub(super) fn renewal(customer: &Customer, now_s: i64) -> Value {
    let (n, start) = (customer.n, customer.paid_until_s(now_s));
    let sub = customer.object();
    let at_s = Clock::Wall.now().s() + 1;
    json!({
        "id": format!("evt_renewal_{n}"), "object": "event", "type": "invoice.paid", "created": at_s, "livemode": true,
        "data": {"object": {
            "id": format!("in_{n}_next"), "object": "invoice", "status": "paid", "customer": format!("cus_{n}"),
            "currency": "usd", "total": 2900, "amount_due": 2900, "billing_reason": "subscription_cycle", "created": at_s,
            "livemode": true, "status_transitions": {"paid_at": at_s},
            "parent": {"type": "subscription_details", "subscription_details": {"subscription": sub, "metadata": {}}},
            "lines": {"data": [{
                "id": format!("il_{n}_next"), "amount": 2900, "quantity": 1,
                "period": {"start": start, "end": start + 30 * DAY_S},
                "parent": {"type": "subscription_item_details", "subscription_item_details": {
                    "subscription": sub, "subscription_item": format!("si_{n}"), "proration": false}},
                "pricing": {"type": "price_details", "price_details": {"price": "price_tool", "product": "prod_1"}},
            }]},
        }},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_are_taken_in_with_their_keys_and_nobody_gets_a_second_one() {
    let shop = Shop::of(size()).await;
    let app = shop.server().await;
    let licenses = shop.fake.licenses().len();
    let n = to_do(&app);
    assert!(n > size() * 3 / 4, "{n}");
    let wrong = run(&app, &["--apply", "--expect", &(n + 1).to_string()]);
    assert_eq!(wrong.status.code(), Some(1));
    assert_eq!(app.events().len(), 0, "a wrong number changes nothing");
    let applied = report(&run(&app, &["--apply", "--expect", &n.to_string()]));
    assert_eq!(applied["applied"], true);
    assert_eq!(to_do(&app), 0, "a second run has nothing to do");
    nothing_else(&shop, &app, licenses);
    asks_only_for_what_is_missing(&shop, &app);
    let undone = app.ask(&["adopt", "--undo"]);
    assert_eq!(undone["machines"].as_array().unwrap().len(), n);
    assert_eq!(
        undone["noted"],
        noted(&shop),
        "keys that were noted for later"
    );
    let nothing = app.ask(&["adopt", "--undo"]);
    assert_eq!(
        (&nothing["machines"], &nothing["noted"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(
        (to_do(&app), app.events().len()),
        (n, 0),
        "as if it had never been"
    );
    let again = report(&run(&app, &["--apply", "--expect", &n.to_string()]));
    assert_eq!(again["classes"], applied["classes"]);
    nothing_else(&shop, &app, licenses);
    renewals(&shop, &app, licenses).await;
}

/// A key that lasts as long as what was paid waits for nobody's yes: the margin comes with its next renewal.
fn asks_only_for_what_is_missing(shop: &Shop, app: &TestApp) {
    let expected = shop.expected(false);
    let held = app.ask(&["held", "--limit", "10000"]);
    let rows = held["rows"].as_array().unwrap();
    let extends = rows.iter().filter(|r| r["kind"] == "extend_license");
    let of: Vec<&str> = extends.map(|r| r["machine"].as_str().unwrap()).collect();
    for machine in &of {
        assert_eq!(expected[*machine], "linked_ends_too_early", "{machine}");
    }
    // Whose payment is tried again is left to the next run.
    let is_asked = |c: &&Customer| !matches!(c.life, Life::Retries | Life::Renews);
    for customer in shop.customers.iter().filter(is_asked) {
        let machine = customer.machine();
        let short = expected.get(&machine) == Some(&"linked_ends_too_early");
        assert_eq!(of.contains(&machine.as_str()), short, "{machine}");
    }
}

/// How many purchases are left to the next run, with keys.
fn noted(shop: &Shop) -> usize {
    let expected = shop.expected(false);
    let waits = |c: &&Customer| matches!(c.life, Life::Renews | Life::Retries);
    let has_key = |c: &&Customer| expected[&c.machine()] != "paid_without_key";
    shop.customers.iter().filter(waits).filter(has_key).count()
}

/// Renewals play: each key goes on, and none is made.
async fn renewals(shop: &Shop, app: &TestApp, licenses: usize) {
    let now_s = Clock::Wall.now().s();
    let expected = shop.expected(false);
    let renews = |c: &&Customer| c.life == Life::Runs && expected.contains_key(&c.machine());
    let renewed: Vec<&Customer> = shop.customers.iter().filter(renews).take(100).collect();
    for customer in &renewed {
        let body = renewal(customer, now_s).to_string().into_bytes();
        let answered = app.door().deliver(body).await.unwrap();
        assert_eq!(answered.status, 200, "{answered:?}");
    }
    let linked = renewed
        .iter()
        .filter(|c| expected[&c.machine()] != "paid_without_key")
        .count();
    until("every key that was linked goes on", PATIENCE, async || {
        (shop.fake.counter("PUT extend") >= linked as u64).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("POST"), 0, "nobody gets a second key");
    assert_eq!(shop.fake.licenses().len(), licenses);
    assert_eq!(shop.fake.counter("PUT revoke"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_reads_it_goes_on_where_it_was() {
    let shop = Shop::of(size_or(300)).await;
    let app = shop.server().await;
    let whole = report(&run(&app, &[]));
    let faults = |hangs_at| Faults {
        hangs_at,
        ..Faults::default()
    };
    shop.stripe.faults(faults(None));
    let _ = report(&run(&app, &[]));
    let calls = shop.stripe.calls();
    shop.stripe.faults(faults(Some(calls / 2)));
    let mut child = command(&app, &[]).spawn().unwrap();
    until("it hangs in the middle", PATIENCE, async || {
        (shop.stripe.calls() >= calls / 2).then_some(())
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    shop.stripe.faults(faults(None));
    let again = report(&run(&app, &[]));
    assert_eq!(again["classes"], whole["classes"]);
    assert!(
        shop.stripe.calls() <= calls - calls / 2 + 1,
        "{} of {calls} calls again",
        shop.stripe.calls()
    );
    let left = std::fs::read_dir(app.dir().join("data")).unwrap();
    let left = left
        .flatten()
        .filter(|f| f.file_name().to_string_lossy().contains("progress"));
    assert_eq!(left.count(), 0, "nothing is left of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_applies_nothing_is_half_done() {
    let shop = Shop::of(size()).await;
    let mut app = shop.server().await;
    let licenses = shop.fake.licenses().len();
    let n = to_do(&app);
    let mut child = command(&app, &["--apply", "--expect", &n.to_string()])
        .spawn()
        .unwrap();
    let begun = within(PATIENCE, async || {
        let over = child.try_wait().unwrap().is_some();
        (over || !app.events().is_empty()).then_some(())
    });
    begun.await.expect("it begins");
    // The server dies with its client.
    let _ = child.kill();
    app.kill9();
    child.wait().unwrap();
    app.restart().await;
    let rest = to_do(&app);
    assert!(rest < n, "something was taken in: {rest} of {n}");
    let applied = report(&run(&app, &["--apply", "--expect", &rest.to_string()]));
    assert_eq!(applied["applied"], true);
    assert_eq!(to_do(&app), 0);
    nothing_else(&shop, &app, licenses);
}

/// Rule 55: a key that was made before Keyward came is known by itself once it was adopted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adopted_key_is_bought_again_by_its_name() {
    let shop = Shop::of(100).await;
    let app = shop.server().await;
    let n = to_do(&app);
    report(&run(&app, &["--apply", "--expect", &n.to_string()]));
    let licenses = shop.fake.licenses().len();
    let expected = shop.expected(false);
    let linked = |c: &&Customer| expected.get(&c.machine()) == Some(&"linked");
    let mut runs = shop.customers.iter().filter(|c| c.life == Life::Runs);
    let key = runs.find(linked).unwrap().key.clone().unwrap();
    let bought_s = next_s();
    let mut bought = one_time("AnotherYear1", bought_s);
    let metadata = json!({ "plan": "once", "license_duration": "365", "keyward_license": key });
    bought["data"]["object"]["metadata"] = metadata;
    app.door().event(&bought).await;
    let extended = async || {
        let licenses = shop.fake.licenses();
        let license = licenses.iter().find(|l| l.license_key == key).unwrap();
        let ends_s = license.expires_at.unwrap().timestamp();
        (ends_s > bought_s + 365 * DAY_S).then_some(())
    };
    until("the old key goes on", PATIENCE, extended).await;
    assert_eq!(shop.fake.licenses().len(), licenses, "none was made");
    let page = app.ask(&["show", "stripe/cs_live_AnotherYear1"]);
    assert_eq!(page["licenses"], json!([]), "{page:#}");
}
