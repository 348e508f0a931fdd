//! Look-ups at Stripe by machines: what a session sold, and where a customer can be reached.

use keyward::domain::time::Span;
use keyward::store::Create;
use serde_json::json;

use crate::support::fake_stripe::{KEY, Script, good, list};
use crate::support::shop::{NOW, Shop, bought, line, refunded, session};
use crate::support::wait::{PATIENCE, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_by_price_only_is_looked_up_page_by_page_and_handed_out() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    let first =
        json!({ "object": "list", "has_more": true, "data": [line("li_1", "price_sticker")] });
    shop.stripe.says(lines, vec![good(first)]);
    let second = format!("{lines} starting_after=li_1");
    shop.stripe.says(
        &second,
        vec![good(list(json!([line("li_2", "price_tool")])))],
    );
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    shop.until_work("stripe/cs_1", "look_up done, create_license done")
        .await;
    assert_eq!(
        (shop.stripe.asked(lines), shop.stripe.asked(&second)),
        (1, 1)
    );
    let machine = shop.machine("stripe/cs_1").unwrap();
    assert_eq!(
        machine.grants[0]
            .plan
            .as_ref()
            .map(ToString::to_string)
            .as_deref(),
        Some("tool")
    );
    assert!(machine.told.is_empty(), "{:?}", machine.told);
    assert_eq!(shop.fake.licenses().len(), 1);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_stripe_is_asked_again_after_the_wait_that_it_named() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    let limited = json!({ "error": { "code": "rate_limit" } });
    let again: Script = vec![
        (429, &[("retry-after", "40")], limited),
        (404, &[("stripe-should-retry", "true")], json!({})),
        (500, &[], json!({})),
        good(list(json!([line("li_1", "price_tool")]))),
    ];
    shop.stripe.says(lines, again);
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    let tried = async |times: u32| {
        until("another try", PATIENCE, async || {
            shop.running().due.notify_one();
            let machine = shop.machine("stripe/cs_1")?;
            (machine.actions[0].attempts == times).then_some(machine.actions[0].due)
        })
        .await
    };
    assert!(tried(1).await >= NOW + Span::from_s(40));
    shop.later(Span::from_s(39));
    shop.later(Span::from_s(2));
    tried(2).await;
    shop.later(Span::from_minutes(5));
    tried(3).await;
    shop.later(Span::from_minutes(5));
    shop.until_work("stripe/cs_1", "look_up done, create_license done")
        .await;
    assert_eq!(shop.stripe.asked(lines), 4);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_looked_up_and_the_mail_goes_out_to_it_also_of_a_connected_account() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items acct_1";
    shop.stripe
        .says(lines, vec![good(list(json!([line("li_1", "price_tool")])))]);
    let customer = json!({ "id": "cus_1", "object": "customer", "email": "ada@example.com", "livemode": true });
    shop.stripe
        .says("/v1/customers/cus_1 acct_1", vec![good(customer)]);
    let mut event = bought("cs_1", None);
    event["account"] = json!("acct_1");
    shop.post(&event).await;
    shop.until_work(
        "stripe/acct_1/cs_1",
        "look_up done, create_license done, look_up done",
    )
    .await;
    let mail = until("the mail", PATIENCE, async || shop.mails().pop()).await;
    assert!(mail.contains("ada@example.com"), "{mail}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_customer_stays_without_an_address() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    shop.stripe
        .says(lines, vec![good(list(json!([line("li_1", "price_tool")])))]);
    let gone = json!({ "id": "cus_1", "object": "customer", "deleted": true });
    shop.stripe.says("/v1/customers/cus_1", vec![good(gone)]);
    shop.post(&bought("cs_1", None)).await;
    shop.until_work(
        "stripe/cs_1",
        "look_up done, create_license done, look_up done",
    )
    .await;
    let machine = shop.machine("stripe/cs_1").unwrap();
    assert_eq!(machine.notices[0].status.as_str(), "no_address");
    assert!(shop.mails().is_empty());
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_permission_is_told_of_and_tried_again_slowly() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    let may_not = json!({ "error": { "code": "more_permissions_required",
        "message": format!("The provided key '{KEY}' needs 'rak_checkout_session_read'.") } });
    shop.stripe.says(
        lines,
        vec![
            (403, &[], may_not),
            good(list(json!([line("li_1", "price_tool")]))),
        ],
    );
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    let action = until("the refusal", PATIENCE, async || {
        let action = shop.machine("stripe/cs_1")?.actions[0].clone();
        action.error.is_some().then_some(action)
    })
    .await;
    let error = action.error.unwrap();
    assert!(
        error.contains("403") && error.contains("rak_checkout_session_read"),
        "{error}"
    );
    assert!(!error.contains("hush"), "{error}");
    assert_eq!(action.outcome.as_str(), "pending");
    assert!(action.due >= NOW + Span::from_minutes(2), "{}", action.due);
    shop.later(Span::from_minutes(1));
    assert_eq!(shop.stripe.asked(lines), 1);
    shop.later(Span::from_minutes(4));
    shop.until_work("stripe/cs_1", "look_up done, create_license done")
        .await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_told_and_not_asked_for_again() {
    let mut shop = Shop::open().await;
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    shop.until_work("stripe/cs_1", "look_up refused").await;
    shop.later(Span::from_days(1));
    let told = until("the report", PATIENCE, async || {
        shop.running().due.notify_one();
        shop.machine("stripe/cs_1")?.told.first().cloned()
    })
    .await;
    assert_eq!(
        told.finding,
        keyward::domain::finding::Finding::NothingToHandOut
    );
    assert_eq!(
        shop.stripe.asked("/v1/checkout/sessions/cs_1/line_items"),
        1
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_middle_goes_on() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    shop.stripe.says(lines, vec![(503, &[], json!({}))]);
    shop.stripe.says(
        "/v1/checkout/sessions payment_intent=pi_cs_2",
        vec![(503, &[], json!({}))],
    );
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    shop.post(&refunded(Some("pi_cs_2"), "ch_2")).await;
    shop.later(Span::from_s(11));
    until("a try of each", PATIENCE, async || {
        shop.running().due.notify_one();
        let search = shop.search("pi_cs_2")?;
        (search.attempts > 0 && shop.machine("stripe/cs_1")?.actions[0].attempts > 0).then_some(())
    })
    .await;
    shop.stop().await;
    shop.stripe
        .says(lines, vec![good(list(json!([line("li_1", "price_tool")])))]);
    shop.stripe.says(
        "/v1/checkout/sessions/cs_2/line_items",
        vec![good(list(json!([line("li_1", "price_tool")])))],
    );
    let found = list(json!([session("cs_2", None)]));
    shop.stripe.says(
        "/v1/checkout/sessions payment_intent=pi_cs_2",
        vec![good(found)],
    );
    shop.start(Create::Never).await;
    shop.later(Span::from_minutes(5));
    shop.until_work("stripe/cs_1", "look_up done, create_license done")
        .await;
    // It was sold before the restart and is told of after it: had another copy made its license, that would end.
    shop.until_work("stripe/cs_2", "look_up done, find_license done")
        .await;
    assert_eq!(
        shop.machine("stripe/cs_2")
            .unwrap()
            .state()
            .map(|s| s.as_str()),
        Some("refunded")
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_lost_its_key_asks_nothing_more() {
    let mut shop = Shop::open().await;
    shop.stripe.says(
        "/v1/checkout/sessions/cs_1/line_items",
        vec![(503, &[], json!({}))],
    );
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    shop.post(&refunded(Some("pi_2"), "ch_2")).await;
    assert_eq!(shop.work("stripe/cs_1"), "look_up pending");
    assert!(shop.search("pi_2").unwrap().due.is_some());
    shop.stop().await;
    shop.has_key = false;
    shop.start(Create::Never).await;
    shop.later(Span::from_minutes(5));
    shop.until_work("stripe/cs_1", "look_up superseded").await;
    until("the end of the search", PATIENCE, async || {
        shop.running().due.notify_one();
        shop.search("pi_2")?.due.is_none().then_some(())
    })
    .await;
    shop.stop().await;
}
