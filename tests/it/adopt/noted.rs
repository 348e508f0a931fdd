//! Keys that were noted for purchases whose renewal is near: they are theirs, whoever else looks.

use chrono::DateTime;
use keyward::clock::Clock;
use serde_json::{Value, json};

use super::apply::{renewal, report, run};
use super::shop::{Customer, DAY_S, Life, Shop};
use crate::support::purchase::{label, machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

/// A key of the vendor's table carries the name of another purchase. It is noted for the one that the table names, and no look for
/// the other takes it, whether the server was started anew or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_purchase_takes_a_key_that_is_noted() {
    for starts_anew in [false, true] {
        let shop = Shop::of(50).await;
        let mut app = shop.server().await;
        let waits = shop.customers.iter().find(|c| c.life == Life::Renews);
        let waits = waits.unwrap();
        let key = waits.key.as_deref().unwrap();
        let other = "Other1";
        shop.fake.third_hand(key, |l| l.label = Some(label(other)));
        let table = app.dir().join("table.csv");
        let lines = format!("stripe_id,license_key\n{},{key}\n", waits.object());
        std::fs::write(&table, lines).unwrap();
        let csv = ["--csv", table.to_str().unwrap()];
        let n = report(&run(&app, &csv))["to_do"].to_string();
        let applied = run(&app, &[&csv[..], &["--apply", "--expect", &n]].concat());
        assert_eq!(report(&applied)["applied"], true);
        if starts_anew {
            app.kill9();
            app.restart().await;
        }
        app.door().event(&one_time(other, next_s() - DAY_S)).await;
        let own = until("a key of its own", PATIENCE, async || {
            let page = app.ask(&["show", &machine(other)]);
            page["licenses"][0]["key"].as_str().map(str::to_owned)
        })
        .await;
        assert_ne!(own, key, "started anew: {starts_anew}");
        assert_eq!(shop.fake.counter("POST"), 1);
    }
}

const YEAR_S: i64 = 365 * DAY_S;

/// A customer of a monthly and a yearly item, and the yearly one as Stripe shows it.
fn subscribed(life: Life, now_s: i64) -> (Customer, Value) {
    let mut customer = Customer::buys(9_006, 0);
    customer.life = life;
    let mut shown = customer.subscription(now_s);
    let began = shown["created"].as_i64().unwrap();
    let mut yearly = shown["items"]["data"][0].clone();
    yearly["id"] = json!("si_year");
    yearly["current_period_start"] = json!(began);
    yearly["current_period_end"] = json!(began + YEAR_S);
    yearly["price"] =
        json!({"id": "price_year", "product": "prod_2", "recurring": {"usage_type": "licensed"}});
    let items = shown["items"]["data"].as_array_mut().unwrap();
    items.push(yearly);
    (customer, shown)
}

/// An invoice's line, of the yearly item's year.
fn of_year(line: &Value, start_s: i64) -> Value {
    let mut line = line.clone();
    line["id"] = json!(format!("il_year_{start_s}"));
    line["period"] = json!({"start": start_s, "end": start_s + YEAR_S});
    line["parent"]["subscription_item_details"]["subscription_item"] = json!("si_year");
    line["pricing"]["price_details"] = json!({"price": "price_year", "product": "prod_2"});
    line
}

/// The plan of the yearly item.
pub(super) const ANNUAL: &str =
    "[[plan]]\nname = \"annual\"\nprices = [\"price_year\"]\nlicense = { devices = 2 }\n";

/// A customer of two items in a shop, when their subscription began, and its keys: the yearly one, which is the older, and
/// the monthly one.
pub(super) fn of_two_items(shop: &Shop, life: Life, now_s: i64) -> (Customer, i64, [String; 2]) {
    let (customer, shown) = subscribed(life, now_s);
    let began = shown["created"].as_i64().unwrap();
    let mut first = customer.invoice(now_s, 2);
    let line = of_year(&first["lines"]["data"][0], began);
    let lines = first["lines"]["data"].as_array_mut().unwrap();
    lines.push(line);
    let later = (0..2).map(|back| customer.invoice(now_s, back));
    shop.stripe.add("/v1/invoices", later.chain([first]));
    shop.stripe.add("/v1/subscriptions", [shown]);
    let key = |ends: i64| {
        let (label, ends) = (customer.label(), DateTime::from_timestamp(ends, 0));
        shop.fake
            .made_elsewhere("app_test", label.as_deref(), ends, 2)
    };
    let keys = [key(began + YEAR_S), key(customer.paid_until_s(now_s))];
    shop.fake
        .third_hand(&keys[0], |l| l.created_at -= chrono::TimeDelta::days(9));
    (customer, began, keys)
}

/// A monthly item renews within a day, beside a yearly one: both keys are noted, and each renewal extends its own, though
/// the event of a renewal shows one item alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_noted_key_stays_with_its_item() {
    let shop = Shop::of(2).await;
    let now_s = Clock::Wall.now().s();
    let (customer, began, keys) = of_two_items(&shop, Life::Renews, now_s);
    let app = shop.server_with(ANNUAL).await;
    let n = report(&run(&app, &[]))["to_do"].to_string();
    let applied = report(&run(&app, &["--apply", "--expect", &n]));
    assert_eq!(applied["applied"], true);
    let ends = |n: usize| {
        let all = shop.fake.licenses();
        let own = all.iter().find(|l| l.license_key == keys[n]).unwrap();
        own.expires_at.unwrap().timestamp()
    };
    let renewed = renewal(&customer, now_s);
    app.door().event(&renewed).await;
    let month = customer.paid_until_s(now_s) + 30 * DAY_S;
    until("the month's key is extended", PATIENCE, async || {
        (ends(1) >= month).then_some(())
    })
    .await;
    assert_eq!(ends(0), began + YEAR_S, "the year's key is left alone");
    let mut next = renewed.clone();
    next["id"] = json!("evt_next_year");
    let invoice = &mut next["data"]["object"];
    invoice["id"] = json!("in_next_year");
    invoice["lines"]["data"][0] = of_year(&invoice["lines"]["data"][0], began + YEAR_S);
    app.door().event(&next).await;
    until("the year's key is extended", PATIENCE, async || {
        (ends(0) >= began + 2 * YEAR_S).then_some(())
    })
    .await;
    assert!(ends(1) < began + YEAR_S, "the month's key is left alone");
    assert_eq!(shop.fake.counter("POST"), 0, "nobody gets a second key");
}

/// What waited for its renewal comes here by that; the next run reads what was before, and does nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_run_reads_what_was_paid_before_a_noted_purchase_renewed() {
    let shop = Shop::of(50).await;
    let now_s = Clock::Wall.now().s();
    let app = shop.server().await;
    let n = report(&run(&app, &[]))["to_do"].to_string();
    assert_eq!(
        report(&run(&app, &["--apply", "--expect", &n]))["applied"],
        true
    );
    let waits = shop.customers.iter().find(|c| c.life == Life::Renews);
    let customer = waits.unwrap();
    app.door().event(&renewal(customer, now_s)).await;
    let id = format!("stripe/{}", customer.object());
    let month = customer.paid_until_s(now_s) + 30 * DAY_S;
    let ends = || {
        let all = shop.fake.licenses();
        let own = all
            .iter()
            .find(|l| Some(&l.license_key) == customer.key.as_ref());
        own.unwrap().expires_at.unwrap().timestamp()
    };
    until("its key is extended", PATIENCE, async || {
        (ends() >= month).then_some(())
    })
    .await;
    let heard = until("nothing on its way", PATIENCE, async || {
        let page = app.ask(&["show", &id]);
        let sent = page["notices"]
            .as_array()
            .unwrap()
            .iter()
            .all(|n| n["status"] != "pending");
        let done = page["actions"]
            .as_array()
            .unwrap()
            .iter()
            .all(|a| a["outcome"] == "done");
        (sent && done).then_some(page)
    })
    .await;

    let dry = report(&run(&app, &[]));
    assert_eq!(dry["to_do"], 1, "{dry:#}");
    let rows = dry["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["machine"] == id.as_str()).unwrap();
    assert_eq!(row["class"], "linked");
    let would = row["would"].as_str().unwrap();
    assert!(would.starts_with("take in what it paid before"), "{would}");
    assert_eq!(
        report(&run(&app, &["--apply", "--expect", "1"]))["applied"],
        true
    );
    let read = app.ask(&["show", &id]);
    let count = |page: &Value, of: &str| page[of].as_array().unwrap().len();
    assert!(count(&read, "facts") > count(&heard, "facts"), "{read:#}");
    for of in ["actions", "notices", "licenses"] {
        assert_eq!(
            count(&read, of),
            count(&heard, of),
            "nothing is done besides: {read:#}"
        );
    }
    assert_eq!(report(&run(&app, &[]))["to_do"], 0);
    assert!(ends() >= month);
}

/// No plan names the price when the shop is taken in: the key of the table is noted all the same. Whoever names the price once
/// the first renewal was heard of has no second key made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_price_that_no_plan_names_is_noted_until_one_does() {
    let shop = Shop::of(50).await;
    let mut app = shop.server().await;
    let foreign = shop.customers.iter().find(|c| c.life == Life::Foreign);
    let foreign = foreign.unwrap();
    let key = shop.fake.made_elsewhere("app_test", None, None, 2);
    let table = app.dir().join("table.csv");
    let lines = format!("stripe_id,license_key\n{},{key}\n", foreign.object());
    std::fs::write(&table, lines).unwrap();
    let csv = ["--csv", table.to_str().unwrap()];
    let looked = report(&run(&app, &csv));
    let rows = looked["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["machine"] == foreign.machine());
    let would = row.unwrap()["would"].as_str().unwrap();
    assert!(would.contains("its key is noted"), "{would}");
    let n = looked["to_do"].to_string();
    report(&run(
        &app,
        &[&csv[..], &["--apply", "--expect", &n]].concat(),
    ));
    let told = renewal(foreign, Clock::Wall.now().s());
    app.door().event(&told).await;
    app.kill9();
    let config = std::fs::read_to_string(app.config()).unwrap();
    let plan =
        "[[plan]]\nname = \"other\"\nprices = [\"price_other\"]\nlicense = { devices = 2 }\n";
    std::fs::write(app.config(), format!("{config}\n{plan}")).unwrap();
    app.restart().await;

    until(
        "it goes on with the key of the table",
        PATIENCE,
        async || {
            let page = app.ask(&["show", &foreign.machine()]);
            (page["licenses"][0]["key"] == key.as_str()).then_some(())
        },
    )
    .await;
    assert_eq!(shop.fake.counter("POST"), 0, "no second key");
}
