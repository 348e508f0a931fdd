//! Killed in the middle of every step, with the server or without it: the next run ends where an unkilled one ends.

use std::collections::BTreeMap;

use keyward::clock::Clock;
use serde_json::Value;

use super::apply::{command, nothing_else, renewal, report, run, to_do};
use super::shop::{Customer, Life, Shop};
use crate::support::app::TestApp;
use crate::support::stripe_lists::Faults;
use crate::support::wait::{PATIENCE, until, within};

/// Kills while it is read, spread over all calls.
const READS_KILLED: usize = 6;
/// Renewals that are told while the server is killed.
const RENEWALS: usize = 60;

/// Each purchase's class in an audit, with its key.
fn audited(app: &TestApp) -> BTreeMap<String, (String, String)> {
    let found = app.ask(&["audit", "--reads-per-s", "0"]);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let rows = found["rows"].as_array().unwrap();
    let row = |r: &Value| (text(&r["machine"]), (text(&r["class"]), text(&r["key"])));
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
    let (calm, shop) = (Shop::of(300).await, Shop::of(300).await);
    let (unkilled, mut app) = (calm.server().await, shop.server().await);
    let licenses = shop.fake.licenses().len();
    let n = to_do(&unkilled).to_string();
    report(&run(&unkilled, &["--apply", "--expect", &n]));
    killed_reading(&shop, &app).await;
    let kills = killed_applying(&mut app).await;
    println!("{READS_KILLED} kills while it was read, {kills} while it was applied");
    nothing_else(&shop, &app, licenses);
    assert_eq!(audited(&app), audited(&unkilled));
    killed_renewing(&shop, &mut app).await;
    assert_eq!(shop.fake.licenses().len(), licenses);
}
