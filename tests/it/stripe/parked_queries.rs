//! The search for the purchase of what is parked.

use keyward::domain::id::Scope;
use keyward::domain::time::Span;
use keyward::engine::route::parked_query;
use serde_json::{Value, json};

use crate::support::fake_stripe::{good, list};
use crate::support::shop::{NOW, Shop, event, line, refunded, session};
use crate::support::wait::{PATIENCE, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_refund_finds_its_session_and_gives_nothing_for_money_that_went_back() {
    let mut shop = Shop::open().await;
    // The charge alone is named, so its payment is asked for first.
    let charge =
        json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_cs_1", "livemode": true });
    shop.stripe.says("/v1/charges/ch_1", vec![good(charge)]);
    let sessions = "/v1/checkout/sessions payment_intent=pi_cs_1";
    shop.stripe.says(
        sessions,
        vec![good(list(json!([session(
            "cs_1",
            Some("ada@example.com")
        )])))],
    );
    shop.stripe.says(
        "/v1/checkout/sessions/cs_1/line_items",
        vec![good(list(json!([line("li_1", "price_tool")])))],
    );
    shop.post(&refunded(None, "ch_1")).await;
    assert!(shop.machine("stripe/cs_1").is_none());
    assert_eq!(
        shop.stripe.asked("/v1/charges/ch_1"),
        0,
        "most links come by themselves"
    );
    shop.later(Span::from_s(11));
    shop.until_work("stripe/cs_1", "look_up done").await;
    let machine = shop.machine("stripe/cs_1").unwrap();
    assert_eq!(machine.state().map(|s| s.as_str()), Some("refunded"));
    assert!(
        shop.fake.licenses().is_empty(),
        "refunded before it was made"
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_refund_of_a_renewal_is_linked_by_its_invoice_and_revokes() {
    let mut shop = Shop::open().await;
    let paid = json!({
        "id": "in_1", "object": "invoice", "status": "paid", "customer": "cus_1", "customer_email": "ada@example.com",
        "billing_reason": "subscription_create", "total": 4900, "amount_due": 4900, "currency": "usd",
        "parent": { "type": "subscription_details", "subscription_details": { "subscription": "sub_1", "metadata": {} } },
        "lines": { "object": "list", "data": [{
            "id": "il_1", "object": "line_item", "amount": 4900, "quantity": 1,
            "period": { "start": NOW.s(), "end": NOW.s() + 2_592_000 },
            "pricing": { "type": "price_details", "price_details": { "price": "price_tool", "product": "prod_1" } },
            "parent": { "type": "subscription_item_details", "subscription_item_details": {
                "subscription": "sub_1", "subscription_item": "si_1", "proration": false } },
        }] },
        "status_transitions": { "paid_at": NOW.s() }, "created": NOW.s(), "livemode": true,
    });
    shop.post(&event("evt_paid", "invoice.paid", NOW, paid))
        .await;
    shop.until_work("stripe/sub_1", "create_license done").await;
    shop.post(&refunded(Some("pi_1"), "ch_1")).await;
    let by_payment =
        "/v1/invoice_payments payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=pi_1";
    let link = json!({
        "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "paid", "livemode": true,
        "payment": { "type": "payment_intent", "payment_intent": "pi_1" },
    });
    shop.stripe.says(
        "/v1/checkout/sessions payment_intent=pi_1",
        vec![good(list(json!([])))],
    );
    // Nothing at first: the search goes on, and says how often it looked.
    shop.stripe.says(
        by_payment,
        vec![good(list(json!([]))), good(list(json!([link])))],
    );
    shop.later(Span::from_s(11));
    let search = until("an answer without a link", PATIENCE, async || {
        shop.running().due.notify_one();
        let search = shop.search("pi_1")?;
        (search.answered == 1).then_some(search)
    })
    .await;
    assert!(search.due.is_some() && search.error.is_none(), "{search:?}");
    shop.later(Span::from_minutes(2));
    shop.until_work("stripe/sub_1", "create_license done, revoke_license done")
        .await;
    assert_eq!(shop.search("pi_1"), None, "it ended");
    assert_eq!(shop.fake.licenses()[0].status, "revoked");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_stripe_does_not_know_is_given_up_after_five_answers() {
    let mut shop = Shop::open().await;
    let none = || vec![good(list(json!([])))];
    shop.stripe
        .says("/v1/checkout/sessions payment_intent=pi_1", none());
    shop.stripe.says(
        "/v1/invoice_payments payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=pi_1",
        none(),
    );
    shop.post(&refunded(Some("pi_1"), "ch_1")).await;
    for answered in 1..=5 {
        shop.later(Span::from_days(2));
        until("an answer", PATIENCE, async || {
            shop.running().due.notify_one();
            let search = shop.search("pi_1")?;
            (search.answered == answered).then_some(search)
        })
        .await;
    }
    let search = shop.search("pi_1").unwrap();
    assert_eq!(search.due, None);
    assert!(
        parked_query::waiting(shop.running().handle.reader(), &Scope::of("stripe"), "pi_1")
            .unwrap()
            .is_some(),
        "still parked"
    );
    shop.stop().await;
}

#[test]
fn a_replay_takes_links_from_its_lines_and_says_where_one_makes_no_sense() {
    let charge = json!({
        "id": "ch_1", "object": "charge", "amount": 4900, "amount_refunded": 4900, "refunded": true, "status": "succeeded",
    });
    let refund = event(
        "evt_refund",
        "charge.refunded",
        NOW + Span::from_s(60),
        charge,
    );
    let found = json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_cs_1" });
    let looked = |object: Value| json!({ "received_at": NOW.s() + 90, "lookup": object });
    let sold = json!({ "object": "checkout.session", "id": "cs_1", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_cs_1", "created": NOW.s(), "amount_total": 4900,
        "currency": "usd", "metadata": { "authforge_app_id": "app" } });
    let text = |lines: &[Value]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    let rules = || crate::http::support::rules(&crate::http::support::config());
    let play = |lines: &[Value]| {
        crate::support::replay::answered("test", &text(lines), rules(), None, None).1
    };
    let parked = play(&[refund.clone(), looked(found.clone())]);
    assert_eq!((parked.parked.len(), parked.machines.len()), (1, 0));
    let told = play(&[refund.clone(), looked(found), looked(sold)]);
    assert_eq!(
        (told.parked.len(), told.machines[0].state),
        (0, Some("refunded"))
    );
    assert_eq!(told.machines[0].licenses_created, 0);
    let wrong = keyward::sim::history::read(
        "test",
        &text(&[refund, looked(json!({ "object": "payout", "id": "po_1" }))]),
    );
    let why = wrong.unwrap_err().to_string();
    assert!(why.starts_with("test:2: a look-up of `payout`"), "{why}");
}
