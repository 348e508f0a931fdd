//! Killed in the middle of every step, with the server or without it: the next run ends where an unkilled one ends.

use std::collections::BTreeMap;

use keyward::clock::Clock;
use serde_json::Value;

use super::apply::{command, nothing_else, renewal, report, run, size_or, to_do};
use super::shop::{Customer, Labelled, Life, Shop};
use crate::support::app::TestApp;
use crate::support::stripe_lists::Faults;
use crate::support::wait::{PATIENCE as OF_A_STEP, until, within};

/// A look at a shop of 5,000, with every kill begun anew, may take longer than a step elsewhere.
const PATIENCE: std::time::Duration = OF_A_STEP.saturating_mul(10);
/// Kills while it is read, spread over all calls.
const READS_KILLED: usize = 6;
/// Kills while each license is read for its label.
const CRAWLS_KILLED: u64 = 4;
/// Labels that are kept together, and those under way beside them.
const LABELS_LOST: u64 = 50 + 4;
/// How long the license service takes for an answer meanwhile.
const CRAWL_LATENCY_MS: u64 = 20;
/// Renewals that are told while the server is killed.
const RENEWALS: usize = 60;

/// Each purchase's class in an audit, with its key.
fn audited(app: &TestApp) -> BTreeMap<String, (String, String)> {
    let found = app.ask(&["audit", "--reads-per-s", "0"]);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let rows = found["rows"].as_array().unwrap();
    // Of two keys for one purchase that were made in the same second either is the first.
    let key = |r: &Value| match &r["class"] {
        class if class == "two_keys" => String::new(),
        _ => text(&r["key"]),
    };
    let row = |r: &Value| (text(&r["machine"]), (text(&r["class"]), key(r)));
    rows.iter().map(row).collect()
}

/// Kills a dry run again and again, each time a little further on.
async fn killed_reading(shop: &Shop, app: &TestApp) {
    let faults = |hangs_at| Faults {
        hangs_at,
        ..Faults::default()
    };
    shop.stripe.faults(faults(None));
    to_do(app);
    let calls = shop.stripe.calls();
    let mut done = 0;
    for _ in 0..READS_KILLED {
        let at = (calls / (READS_KILLED + 1)).max(1);
        shop.stripe.faults(faults(Some(at)));
        let mut child = command(app, &[]).spawn().unwrap();
        until("it hangs", PATIENCE, async || {
            let over = child.try_wait().unwrap().is_some();
            (over || shop.stripe.calls() >= at).then_some(())
        })
        .await;
        let _ = child.kill();
        child.wait().unwrap();
        done += shop.stripe.calls();
    }
    shop.stripe.faults(faults(None));
    to_do(app);
    done += shop.stripe.calls();
    assert!(
        done <= calls + READS_KILLED * 2,
        "{done} calls with {READS_KILLED} kills, {calls} without"
    );
}

/// Kills the first dry run again and again while it reads the licenses.
async fn killed_crawling(shop: &Shop, app: &TestApp) {
    let licenses = shop.fake.licenses().len() as u64;
    shop.fake.switch(|f| f.latency_ms = CRAWL_LATENCY_MS);
    for _ in 0..CRAWLS_KILLED {
        let at = shop.fake.counter("GET one") + licenses / (CRAWLS_KILLED + 1);
        let mut child = command(app, &[]).spawn().unwrap();
        until("it reads licenses", PATIENCE, async || {
            let over = child.try_wait().unwrap().is_some();
            (over || shop.fake.counter("GET one") >= at).then_some(())
        })
        .await;
        assert!(child.try_wait().unwrap().is_none(), "it was over already");
        let _ = child.kill();
        child.wait().unwrap();
    }
    shop.fake.switch(|f| f.latency_ms = 0);
    to_do(app);
    let reads = shop.fake.counter("GET one");
    // Both keys of whoever has two are read by each look.
    let doubled = shop.customers.iter();
    let doubled = doubled.filter(|c| c.labelled == Labelled::Twice).count() as u64 * 2;
    assert!(
        reads <= licenses + CRAWLS_KILLED * LABELS_LOST + doubled,
        "{reads} reads of {licenses} licenses"
    );
}

/// Kills `--apply`, and with it by turns the server, until nothing is to do.
async fn killed_applying(app: &mut TestApp) -> usize {
    let mut kills = 0;
    loop {
        let n = to_do(app);
        if n == 0 {
            return kills;
        }
        let known = app.events().len();
        let mut child = command(app, &["--apply", "--expect", &n.to_string()])
            .spawn()
            .unwrap();
        let begun = within(PATIENCE, async || {
            let over = child.try_wait().unwrap().is_some();
            (over || app.events().len() > known).then_some(())
        });
        begun.await.expect("it begins");
        let was_running = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        child.wait().unwrap();
        if kills % 2 == 0 {
            app.kill9();
            app.restart().await;
        }
        kills += usize::from(was_running);
    }
}

/// Kills `--undo` together with the server until nothing is left of the adoption.
async fn killed_undoing(app: &mut TestApp) -> usize {
    let mut kills = 0;
    loop {
        let known = app.events().len();
        let mut child = command(app, &["--undo"]).spawn().unwrap();
        let begun = within(PATIENCE, async || {
            let over = child.try_wait().unwrap().is_some();
            (over || app.events().len() < known).then_some(())
        });
        begun.await.expect("it begins");
        let was_running = child.try_wait().unwrap().is_none();
        app.kill9();
        let _ = child.kill();
        child.wait().unwrap();
        app.restart().await;
        if !was_running {
            return kills;
        }
        kills += 1;
    }
}

/// Renewals are told while the server is killed, and what was not acknowledged is told again.
async fn killed_renewing(shop: &Shop, app: &mut TestApp) {
    let now_s = Clock::Wall.now().s();
    let expected = shop.expected(false);
    let is_linked = |c: &&Customer| {
        let class = expected.get(&c.machine()).copied();
        c.life == Life::Runs && class.is_some_and(|class| class != "paid_without_key")
    };
    let renewed: Vec<&Customer> = shop
        .customers
        .iter()
        .filter(is_linked)
        .take(RENEWALS)
        .collect();
    let events: Vec<Value> = renewed.iter().map(|c| renewal(c, now_s)).collect();
    for some in events.chunks(RENEWALS / 4) {
        for event in some {
            app.door().event(event).await;
        }
        app.kill9();
        app.restart().await;
    }
    // Stripe may tell them twice.
    for event in &events {
        app.door().event(event).await;
    }
    let ends = |customer: &Customer| {
        let until = customer.paid_until_s(now_s) + 30 * super::shop::DAY_S;
        let all = shop.fake.licenses();
        let mut own = all.iter().filter(|l| {
            l.label == customer.label() && l.label.is_some()
                || customer.key.as_deref() == Some(&l.license_key)
        });
        own.any(|l| l.expires_at.is_some_and(|at| at.timestamp() >= until))
    };
    until("every key goes on", PATIENCE, async || {
        renewed.iter().all(|c| ends(c)).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("POST"), 0, "nobody gets a second key");
    assert_eq!(shop.fake.counter("PUT revoke"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_every_step_it_ends_as_it_would_have_ended() {
    let size = size_or(300);
    let (calm, shop) = (Shop::of(size).await, Shop::of(size).await);
    let (unkilled, mut app) = (calm.server().await, shop.server().await);
    let licenses = shop.fake.licenses().len();
    let n = to_do(&unkilled).to_string();
    report(&run(&unkilled, &["--apply", "--expect", &n]));
    killed_crawling(&shop, &app).await;
    killed_reading(&shop, &app).await;
    let kills = killed_applying(&mut app).await;
    println!(
        "{CRAWLS_KILLED} and {READS_KILLED} kills while it was read, {kills} while it was applied"
    );
    nothing_else(&shop, &app, licenses);
    let kills = killed_undoing(&mut app).await;
    assert_eq!(app.events().len(), 0, "nothing is left of it");
    assert_eq!(to_do(&app).to_string(), n, "as if it had never been");
    let again = killed_applying(&mut app).await;
    println!("{kills} kills while it was undone, {again} while it was applied again");
    nothing_else(&shop, &app, licenses);
    assert_eq!(audited(&app), audited(&unkilled));
    killed_renewing(&shop, &mut app).await;
    assert_eq!(shop.fake.licenses().len(), licenses);
}

/// Renewals that come while purchases are taken in, and of which no webhook tells.
fn renewed_meanwhile(shop: &Shop) -> Vec<&Customer> {
    let now_s = Clock::Wall.now().s();
    let expected = shop.expected(false);
    let linked = |c: &&Customer| expected.get(&c.machine()) == Some(&"linked");
    let runs = shop.customers.iter().filter(|c| c.life == Life::Runs);
    let renewed: Vec<&Customer> = runs.filter(linked).collect();
    let events = renewed.iter().map(|c| renewal(c, now_s));
    shop.stripe.add("/v1/events", events);
    renewed
}

/// The first page is read, purchases are taken in, and the run is killed before it has asked what changed meanwhile.
async fn killed_before_events(shop: &Shop, app: &TestApp) {
    let faults = |hangs_at| Faults {
        hangs_at,
        ..Faults::default()
    };
    shop.stripe.faults(faults(None));
    let n = to_do(app).to_string();
    shop.stripe.faults(faults(Some(shop.stripe.calls())));
    let mut child = command(app, &["--apply", "--expect", &n]).spawn().unwrap();
    until("it asks for events", PATIENCE, async || {
        (shop.stripe.hanging() > 0).then_some(())
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    shop.stripe.faults(faults(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_second_pass_nothing_that_changed_meanwhile_is_left_out() {
    let shop = Shop::of(size_or(300)).await;
    let mut app = shop.server().await;
    let licenses = shop.fake.licenses().len();
    let renewed = renewed_meanwhile(&shop);
    killed_before_events(&shop, &app).await;
    let known = app.events().len();
    assert!(
        known > 0 && renewed.len() > 60,
        "{known}, {}",
        renewed.len()
    );
    let dry = run(&app, &[]);
    assert_eq!(report(&dry)["to_do"], 0, "all of them are taken in");
    let left_over = "ended before it had looked at what changed meanwhile";
    let said = String::from_utf8_lossy(&dry.stderr).into_owned();
    assert!(said.contains(left_over), "{said}");
    // And in the middle of handing them in, with the server.
    let mut child = command(&app, &["--apply", "--expect", "0"])
        .spawn()
        .unwrap();
    let begun = within(PATIENCE, async || {
        let over = child.try_wait().unwrap().is_some();
        (over || app.events().len() > known).then_some(())
    });
    begun.await.expect("it hands them in");
    let _ = child.kill();
    child.wait().unwrap();
    app.kill9();
    app.restart().await;
    report(&run(&app, &["--apply", "--expect", "0"]));
    assert_eq!(app.events().len(), known + renewed.len());
    let dry = run(&app, &[]);
    let said = String::from_utf8_lossy(&dry.stderr).into_owned();
    assert!(!said.contains(left_over), "{said}");
    until("every key goes on", PATIENCE, async || {
        (shop.fake.counter("PUT extend") >= renewed.len() as u64).then_some(())
    })
    .await;
    assert_eq!(shop.fake.counter("POST"), 0, "nobody gets a second key");
    assert_eq!(shop.fake.licenses().len(), licenses);
}
