//! A change of devices that AuthForge does not take from us reaches a person, and is confirmed by the license itself.

use std::sync::Arc;

use keyward::domain::time::Span;
use keyward::store::Create;
use serde_json::{Value, json};

use super::made_before;
use super::story::{DAY_S, Old};
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults, Kept};
use crate::support::shop::{NOW, Shop, event};
use crate::support::wait::{PATIENCE, until};

const PLANS: &str = "[[plan]]\nname = \"team\"\nprices = [\"price_tool\"]\nlicense = { devices_per_unit = 1 }\n\
                     [[plan]]\nname = \"solo\"\nprices = [\"price_solo\"]\nlicense = { devices = 1 }\n\
                     [[plan]]\nname = \"studio\"\nprices = [\"price_studio\"]\nlicense = { devices = 5 }\n";

fn only(fake: &Fake) -> Kept {
    let [license] = <[Kept; 1]>::try_from(fake.licenses()).unwrap();
    license
}

/// The event of a change, of another price where one is named.
fn changed(old: &Old, id: &str, price: Option<&str>) -> Value {
    let mut event = old.updated("active");
    event["id"] = id.into();
    if let Some(price) = price {
        event["data"]["object"]["items"]["data"][0]["price"]["id"] = price.into();
    }
    event
}

async fn refused(app: &TestApp, devices: u32) -> Value {
    let said = format!("set {devices} devices on the license …");
    let row = async || {
        let Value::Array(rows) = app.ask(&["actions"]) else {
            panic!("no list")
        };
        rows.into_iter()
            .find(|r| r["error"].as_str().is_some_and(|e| e.starts_with(&said)))
    };
    until(&said, PATIENCE, row).await
}

fn is_a_task_at_the_dashboard(task: &Value, key: &str) {
    let tail = &key[key.len() - 4..];
    assert_eq!(
        (&task["kind"], &task["outcome"]),
        (&json!("update_license"), &json!("refused")),
        "{task:#}"
    );
    assert!(
        task["error"]
            .as_str()
            .unwrap()
            .contains(&format!("…{tail} in AuthForge's dashboard")),
        "{task:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_seats_are_a_task_until_the_license_shows_them() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup {
        more: PLANS.to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    let team = Old {
        quantity: 2,
        ..Old::new("Team")
    };
    app.door().event(&team.checked_out()).await;
    app.door().event(&team.renewed()).await;
    until("its license", PATIENCE, async || {
        (fake.licenses().len() == 1).then_some(())
    })
    .await;
    let larger = Old {
        quantity: 5,
        ..team.clone()
    };
    app.door().event(&changed(&larger, "evt_five", None)).await;
    let task = refused(&app, 5).await;
    let key = only(&fake).license_key;
    is_a_task_at_the_dashboard(&task, &key);
    assert!(
        app.ask(&["show", &team.machine()])
            .to_string()
            .contains("in AuthForge's dashboard")
    );
    // It keeps nothing else from going on: the next period is paid.
    let next = Old {
        name: "Team-2".to_owned(),
        turned_s: team.ends_s(),
        quantity: 5,
    };
    let mut renewed = next.renewed();
    renewed["data"]["object"]["subscription"] = team.sub().into();
    let line = &mut renewed["data"]["object"]["lines"]["data"][0];
    (line["subscription"], line["subscription_item"]) = (team.sub().into(), "si_Team".into());
    app.door().event(&renewed).await;
    let extended = async || {
        let ends = only(&fake).expires_at.map(|at| at.timestamp());
        (ends == Some(next.ends_s() + 3 * DAY_S)).then_some(())
    };
    until("the next period", PATIENCE, extended).await;
    // A retry before anybody did it leaves it as it is.
    let id = || refused(&app, 5);
    app.ask(&["retry", id().await["id"].as_str().unwrap()]);
    let id = id().await["id"].as_str().unwrap().to_owned();
    assert_eq!(only(&fake).max_hwid_slots, 2);
    fake.third_hand(&key, |kept| kept.max_hwid_slots = 5);
    app.ask(&["retry", &id]);
    until("nothing to do", PATIENCE, async || {
        (app.ask(&["actions"]) == json!([])).then_some(())
    })
    .await;
    let page = app.ask(&["show", &team.machine()]);
    assert_eq!(
        (&page["licenses"][0]["devices"], &page["licenses_created"]),
        (&json!(5), &json!(1)),
        "{page:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_larger_plan_is_a_task_and_going_back_ends_it() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup {
        more: PLANS.to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    let one = Old::new("Solo");
    app.door().event(&one.checked_out()).await;
    app.door()
        .event(&changed(&one, "evt_solo", Some("price_solo")))
        .await;
    until("its license", PATIENCE, async || {
        (fake.licenses().len() == 1).then_some(())
    })
    .await;
    app.door()
        .event(&changed(&one, "evt_studio", Some("price_studio")))
        .await;
    refused(&app, 5).await;
    let back = Old {
        turned_s: one.turned_s + 1,
        ..one.clone()
    };
    app.door()
        .event(&changed(&back, "evt_back", Some("price_solo")))
        .await;
    until("nothing to do", PATIENCE, async || {
        (app.ask(&["actions"]) == json!([])).then_some(())
    })
    .await;
    assert_eq!(only(&fake).max_hwid_slots, 1);
}

/// A shop that asks nobody for the customer's address.
async fn quiet() -> Shop {
    let mut shop = Shop::open().await;
    shop.stop().await;
    shop.has_key = false;
    shop.start(Create::Never).await;
    shop
}

/// What Stripe shows of a subscription that is older than the shop.
fn shown(id: &str, after: Span, devices: &str) -> Value {
    let snapshot = json!({
        "id": "sub_1", "object": "subscription", "status": "active", "customer": "cus_1", "livemode": true,
        "created": NOW.s() - DAY_S, "start_date": NOW.s() - DAY_S, "current_period_start": NOW.s() - DAY_S,
        "current_period_end": NOW.s() + 29 * DAY_S,
        "metadata": { "authforge_app_id": "app_test", "max_hwid_slots": devices },
        "items": { "data": [{ "id": "si_1", "price": { "id": "price_1" }, "quantity": 1 }] },
    });
    event(id, "customer.subscription.updated", NOW + after, snapshot)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_alone_takes_a_license_over_once_it_speaks_for_a_payment() {
    let mut shop = quiet().await;
    let key = made_before(&shop.fake, "Stripe sub sub_1", None).await;
    shop.post(&shown("evt_1", Span::ZERO, "2")).await;
    shop.later(Span::from_minutes(11));
    shop.until_work("stripe/sub_1", "create_license done").await;
    assert_eq!(
        only(&shop.fake).license_key,
        key,
        "it was found, and none was made"
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_did_is_noticed_by_itself() {
    let mut shop = quiet().await;
    let id = "stripe/sub_1";
    shop.post(&shown("evt_1", Span::ZERO, "2")).await;
    // Before that no snapshot speaks for a payment.
    shop.later(Span::from_minutes(11));
    shop.until_work(id, "create_license done").await;
    shop.post(&shown("evt_2", Span::from_s(1), "3")).await;
    shop.until_work(id, "create_license done, update_license refused")
        .await;
    // Nobody has done it: it stays.
    shop.later(Span::from_minutes(61));
    shop.until_work(
        id,
        "create_license done, update_license refused, check_license done",
    )
    .await;
    let key = only(&shop.fake).license_key;
    shop.fake.third_hand(&key, |kept| kept.max_hwid_slots = 3);
    shop.later(Span::from_minutes(62));
    shop.until_work(
        id,
        "create_license done, update_license done, check_license done, check_license done",
    )
    .await;
    shop.stop().await;
}
