//! Lists that Stripe cuts, on a running server: with an API key their rest is read page by page, without one it stays as it
//! was.

use keyward::domain::finding::Finding;
use keyward::domain::machine::{LicenseStatus, Machine};
use keyward::domain::time::Span;
use keyward::store::Create;
use serde_json::{Value, json};

use crate::support::fake_stripe::good;
use crate::support::shop::{NOW, Shop, event};
use crate::support::wait::{PATIENCE, until};

/// Where the answers of one API version keep their fields.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Basil and later.
    New,
    /// Before basil.
    Old,
}

const ITEMS: &str = "/v1/subscription_items subscription=sub_1";
const END: Span = Span::from_days(30);

pub(crate) fn item(n: u32, shape: Shape) -> Value {
    let price = json!({ "id": format!("price_{n}"), "product": "prod_many" });
    let mut item = json!({ "id": format!("si_{n}"), "object": "subscription_item", "quantity": 1, "subscription": "sub_1" });
    match shape {
        Shape::New => {
            item["price"] = price;
            item["current_period_start"] = NOW.s().into();
            item["current_period_end"] = (NOW + END).s().into();
        }
        Shape::Old => item["plan"] = price,
    }
    item
}

pub(crate) fn line(n: u32, shape: Shape) -> Value {
    let period = json!({ "start": NOW.s(), "end": (NOW + END).s() });
    let (item, price) = (format!("si_{n}"), format!("price_{n}"));
    let mut line = json!({ "id": format!("il_{n}"), "object": "line_item", "amount": 900, "quantity": 1, "period": period });
    match shape {
        Shape::New => {
            let details =
                json!({ "subscription_item": item, "subscription": "sub_1", "proration": false });
            line["parent"] = json!({ "type": "subscription_item_details", "subscription_item_details": details });
            line["pricing"] =
                json!({ "price_details": { "price": price, "product": "prod_many" } });
        }
        Shape::Old => {
            (
                line["type"],
                line["subscription"],
                line["subscription_item"],
            ) = ("subscription".into(), "sub_1".into(), item.into());
            line["plan"] = json!({ "id": price, "product": "prod_many" });
        }
    }
    line
}

/// The first ten of a list.
fn cut(rows: impl IntoIterator<Item = Value>) -> Value {
    let rows: Vec<Value> = rows.into_iter().collect();
    json!({ "object": "list", "has_more": rows.len() > 10, "data": rows.iter().take(10).collect::<Vec<_>>() })
}

pub(crate) fn subscription(items: impl IntoIterator<Item = u32>, shape: Shape) -> Value {
    let mut object = json!({
        "id": "sub_1", "object": "subscription", "status": "active", "customer": "cus_1", "metadata": {},
        "created": NOW.s(), "start_date": NOW.s(), "latest_invoice": "in_1",
        "items": cut(items.into_iter().map(|n| item(n, shape))),
    });
    if matches!(shape, Shape::Old) {
        (object["current_period_start"], object["current_period_end"]) =
            (NOW.s().into(), (NOW + END).s().into());
    }
    object
}

pub(crate) fn invoice(lines: impl IntoIterator<Item = u32>, shape: Shape) -> Value {
    let mut object = json!({
        "id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "subscription_create", "customer": "cus_1",
        "customer_email": "ada@example.com", "created": NOW.s(), "total": 900, "amount_due": 900, "amount_paid": 900,
        "currency": "usd", "status_transitions": { "paid_at": NOW.s() },
        "lines": cut(lines.into_iter().map(|n| line(n, shape))),
    });
    match shape {
        Shape::New => {
            let details = json!({ "subscription": "sub_1" });
            object["parent"] =
                json!({ "type": "subscription_details", "subscription_details": details });
        }
        Shape::Old => (object["subscription"], object["paid"]) = ("sub_1".into(), true.into()),
    }
    object
}

/// What Stripe's API answers, always in the newest shape.
fn answers(shop: &Shop, items: impl IntoIterator<Item = u32>) {
    shop.stripe.lists(
        ITEMS,
        items.into_iter().map(|n| item(n, Shape::New)).collect(),
    );
    shop.stripe
        .says("/v1/invoices/in_1", vec![good(invoice(1..=14, Shape::New))]);
    shop.stripe.lists(
        "/v1/invoices/in_1/lines",
        (1..=14).map(|n| line(n, Shape::New)).collect(),
    );
}

async fn begin(shop: &Shop, shape: Shape) {
    let created = event(
        "evt_1",
        "customer.subscription.created",
        NOW,
        subscription(1..=14, shape),
    );
    shop.post(&created).await;
    shop.post(&event("evt_2", "invoice.paid", NOW, invoice(1..=14, shape)))
        .await;
}

/// So many licenses work, and no work is open.
async fn until_live(shop: &Shop, live: usize) -> Machine {
    until(&format!("{live} licenses"), PATIENCE, async || {
        shop.running().due.notify_one();
        let machine = shop.machine("stripe/sub_1")?;
        let now = shop.clock.now();
        let works = machine
            .grants
            .iter()
            .filter(|g| g.status_at(now) == LicenseStatus::Live)
            .count();
        (works == live && machine.open_actions().count() == 0).then_some(machine)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_key_every_item_has_its_license_and_loses_it_when_it_is_taken_out() {
    for shape in [Shape::New, Shape::Old] {
        let mut shop = Shop::open().await;
        answers(&shop, 1..=14);
        begin(&shop, shape).await;
        let machine = until_live(&shop, 14).await;
        assert!(machine.told.is_empty(), "{:?}", machine.told);
        assert!(
            machine
                .grants
                .iter()
                .all(|g| g.expires_at == Some(NOW + END + Span::from_days(3)))
        );
        assert_eq!(shop.stripe.asked(ITEMS), 1);
        assert_eq!(
            shop.stripe.asked(&format!("{ITEMS}&starting_after=si_10")),
            1
        );
        // Beyond the ten that are shown, one is taken out, then another is replaced.
        shop.later(Span::from_days(1));
        answers(&shop, (1..=11).chain(13..=14));
        let now = shop.clock.now();
        let updated = |id, items: Vec<u32>, at| {
            event(
                id,
                "customer.subscription.updated",
                at,
                subscription(items, shape),
            )
        };
        shop.post(&updated("evt_3", (1..=13).collect(), now)).await;
        let machine = until_live(&shop, 13).await;
        let gone: Vec<&str> = machine
            .grants
            .iter()
            .filter(|g| g.status_at(now) != LicenseStatus::Live)
            .map(|g| g.seat.item.as_str())
            .collect();
        assert_eq!(gone, ["si_12"]);
        shop.later(Span::from_days(1));
        answers(&shop, [15].into_iter().chain(1..=11).chain([14]));
        let swapped = [15].into_iter().chain(1..=11).chain([14]).collect();
        shop.post(&updated("evt_4", swapped, shop.clock.now()))
            .await;
        let asked = shop.machine("stripe/sub_1").unwrap().actions.len();
        let machine = until_live(&shop, 13).await;
        assert!(machine.actions.len() >= asked);
        assert_eq!(
            shop.fake.licenses().len(),
            14,
            "none was made anew: {:#?}",
            machine.actions
        );
        assert!(machine.told.is_empty(), "{:?}", machine.told);
        shop.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_what_is_not_shown_stays_and_is_reported() {
    for shape in [Shape::New, Shape::Old] {
        let mut shop = Shop::open().await;
        shop.stop().await;
        shop.has_key = false;
        shop.start(Create::Never).await;
        begin(&shop, shape).await;
        let machine = until_live(&shop, 10).await;
        assert_eq!(
            machine.told.iter().map(|r| &r.finding).collect::<Vec<_>>(),
            [&Finding::ItemsCut]
        );
        shop.later(Span::from_days(1));
        let others = subscription(3..=14, shape);
        shop.post(&event(
            "evt_3",
            "customer.subscription.updated",
            shop.clock.now(),
            others,
        ))
        .await;
        until_live(&shop, 12).await;
        shop.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stripe_does_not_know_is_reported_and_kept() {
    let mut shop = Shop::open().await;
    shop.stripe
        .says("/v1/invoices/in_1", vec![good(invoice(1..=14, Shape::New))]);
    shop.stripe.lists(
        "/v1/invoices/in_1/lines",
        (1..=14).map(|n| line(n, Shape::New)).collect(),
    );
    begin(&shop, Shape::New).await;
    let machine = until("the report", PATIENCE, async || {
        shop.running().due.notify_one();
        shop.machine("stripe/sub_1").filter(|m| !m.told.is_empty())
    })
    .await;
    assert_eq!(
        machine.told.iter().map(|r| &r.finding).collect::<Vec<_>>(),
        [&Finding::ItemsCut]
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_subscription_s_first_invoice_is_asked_for_at_once() {
    let mut shop = Shop::open().await;
    shop.stripe
        .says("/v1/invoices/in_1", vec![good(invoice([1], Shape::New))]);
    shop.post(&event(
        "evt_1",
        "customer.subscription.created",
        NOW,
        subscription([1], Shape::New),
    ))
    .await;
    until_live(&shop, 1).await;
    assert_eq!(shop.stripe.asked("/v1/invoices/in_1"), 1);
    shop.stop().await;
}
