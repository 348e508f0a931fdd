//! Buying: from a link or a page of the vendor's to Stripe, at a running server, against a Stripe that refuses what Stripe
//! refuses.

use std::sync::Arc;

use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, LOCATION, ORIGIN, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::fake_checkout::{Checkout, Erring};
use crate::support::fake_licenses::{Fake, Faults};

const PLANS: &str = "[[plan]]\nname = \"pro\"\nprices = [\"price_month\", \"price_year\"]\nbuy = { trial = \"14d\" }\n\n\
    [[plan]]\nname = \"team\"\nlookup_keys = [\"key_price_once\"]\nbuy = { quantity_max = 5 }\n\n\
    [[plan]]\nname = \"rest\"\nprices = [\"*\"]\n\n\
    [checkout]\norigins = [\"https://shop.example\"]\npromotion_codes = true\nautomatic_tax = true\n";

struct Shop {
    stripe: Checkout,
    app: TestApp,
    http: Client,
}

impl Shop {
    async fn open() -> Self {
        Self::with(Setup::embedded()).await
    }

    /// Of a vendor who has his licenses at AuthForge.
    async fn at_authforge(fake: &Arc<Fake>) -> Self {
        Self::with(Setup::with(fake)).await
    }

    async fn with(setup: Setup) -> Self {
        let (stripe, base) = Checkout::start().await;
        stripe.sells("price_month", "usd", "month");
        stripe.sells("price_year", "eur", "year");
        stripe.sells("price_once", "usd", "");
        let source =
            format!("livemode = \"live\"\napi_key = \"rk_live_hush\"\napi_base = \"{base}\"\n");
        let setup = Setup {
            source: source.leak(),
            more: format!("{PLANS}{}", setup.more),
            ..setup
        };
        let app = TestApp::start(setup).await;
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { stripe, app, http }
    }

    async fn get(&self, path: &str) -> Response {
        self.http
            .get(format!("{}{path}", self.app.base()))
            .send()
            .await
            .unwrap()
    }

    async fn order(&self, order: &Value) -> Response {
        let request = self
            .http
            .post(format!("{}/checkout", self.app.base()))
            .json(order);
        request
            .header(ORIGIN, "https://shop.example")
            .send()
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leads_to_stripe_with_what_was_wanted() {
    let shop = Shop::open().await;
    let first = shop.get("/buy/pro?email=ada%40example.com&locale=de").await;
    assert_eq!(first.status(), 303);
    let to = first.headers()[LOCATION].to_str().unwrap();
    assert!(
        to.starts_with("https://checkout.stripe.example/") && to.ends_with("#frag"),
        "{to}"
    );
    let made = shop.stripe.sessions().pop().unwrap();
    for (key, value) in [
        ("mode", "subscription"),
        ("line_items[0][price]", "price_month"),
        ("subscription_data[trial_period_days]", "14"),
        ("customer_email", "ada@example.com"),
        ("locale", "de"),
        ("allow_promotion_codes", "true"),
        ("automatic_tax[enabled]", "true"),
        ("metadata[keyward_checkout]", "pro"),
        ("subscription_data[metadata][keyward_checkout]", "pro"),
    ] {
        assert_eq!(
            made.get(key).map(String::as_str),
            Some(value),
            "{key} of {made:?}"
        );
    }
    let yearly = shop
        .order(&json!({ "plan": "pro", "interval": "year" }))
        .await;
    assert_eq!(
        yearly.headers()[ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://shop.example"
    );
    let url: Value = yearly.json().await.unwrap();
    assert!(
        url["url"].as_str().unwrap().starts_with("https://"),
        "{url}"
    );
    let team = shop
        .order(&json!({ "plan": "team", "quantity": 3, "client_reference_id": "u-7" }))
        .await;
    assert_eq!(team.status(), 200);
    let made = shop.stripe.sessions();
    assert!(
        made.iter()
            .any(|m| m["line_items[0][price]"] == "price_year")
    );
    assert!(
        made.iter()
            .any(|m| m["mode"] == "payment" && m["line_items[0][quantity]"] == "3")
    );
}

/// Stripe's page is in the nearest language that it has, and an order in another one is no reason not to sell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_that_stripe_does_not_write_stops_nobody() {
    let shop = Shop::open().await;
    for (asked, written) in [
        ("pt_br", "400"),
        ("pt-br", "pt-BR"),
        ("de-CH", "de"),
        ("uk", "auto"),
        ("auto", "auto"),
    ] {
        let (before, answer) = (
            shop.stripe.sessions().len(),
            shop.get(&format!("/buy/pro?locale={asked}")).await,
        );
        if written == "400" {
            assert_eq!(answer.status(), 400, "{asked}");
            continue;
        }
        assert_eq!(answer.status(), 303, "{asked}");
        let made = shop.stripe.sessions();
        assert_eq!(made.len(), before + 1);
        assert!(
            made.iter().any(|m| m["locale"] == written),
            "{asked}: {made:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_bought_is_said_and_nobody_is_led_astray() {
    let shop = Shop::open().await;
    for (path, status) in [
        ("/buy/nothing", 404),
        ("/buy/%ff%fe", 404),
        ("/buy/rest", 503),
        ("/buy/pro?quantity=2", 400),
        ("/buy/pro?quantity=many", 400),
        ("/buy/pro?email=nobody", 400),
        ("/buy/pro?currency=chf", 400),
        ("/buy/pro?locale=%3Cscript%3E", 400),
    ] {
        let answer = shop.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.unwrap();
        assert!(
            text.contains("<h1") && !text.contains("<script>"),
            "{path}: {text}"
        );
    }
    // Whoever only looks makes no session.
    for (path, status) in [("/buy/pro", 204), ("/buy/nothing", 404)] {
        let url = format!("{}{path}", shop.app.base());
        assert_eq!(shop.http.head(url).send().await.unwrap().status(), status);
    }
    assert_eq!(shop.stripe.sessions().len(), 0);
    for order in [
        json!({ "plan": "pro", "extra": 1 }),
        json!({ "plan": 7 }),
        json!({ "plan": "team", "quantity": 6 }),
        json!({ "plan": "pro", "client_reference_id": "x".repeat(201) }),
    ] {
        let answer = shop.order(&order).await;
        assert_eq!(answer.status(), 400, "{order}");
        let said: Value = answer.json().await.unwrap();
        assert!(said["message"].is_string(), "{said}");
    }
    let stranger = shop
        .http
        .post(format!("{}/checkout", shop.app.base()))
        .json(&json!({ "plan": "pro" }));
    let stranger = stranger
        .header(ORIGIN, "https://evil.example")
        .send()
        .await
        .unwrap();
    assert!(!stranger.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_makes_no_second_session_and_a_dead_stripe_is_a_page() {
    let shop = Shop::open().await;
    shop.stripe.err(Erring {
        lost: 2,
        refuse: None,
    });
    assert_eq!(shop.get("/buy/pro").await.status(), 303);
    assert_eq!(shop.stripe.sessions().len(), 1);
    for refuse in [403, 500] {
        shop.stripe.err(Erring {
            lost: 0,
            refuse: Some(refuse),
        });
        let down = shop.get("/buy/pro").await;
        assert_eq!(down.status(), 503);
        assert!(down.headers().contains_key(RETRY_AFTER));
        assert!(
            down.text()
                .await
                .unwrap()
                .contains("charged. Please come back")
        );
    }
    shop.stripe.err(Erring::default());
    shop.stripe.archive("price_month");
    shop.stripe.archive("price_year");
    assert_eq!(shop.get("/buy/pro").await.status(), 503);
    assert!(
        shop.app.said().contains("archived"),
        "the operator is told why"
    );
    assert!(!shop.app.said().contains("rk_live_hush"));
}

/// What the guide has a seller write stands on the session and on what it makes: whoever is in charge of the plan can fulfill it.
/// Where the guide's words cannot say what is sold, or its service does not make the licenses, they are left away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_says_what_is_sold_in_the_guide_s_words_too() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let shop = Shop::at_authforge(&fake).await;
    assert_eq!(shop.get("/buy/pro").await.status(), 303);
    let subscribed = shop.stripe.sessions().pop().unwrap();
    for place in ["metadata", "subscription_data[metadata]"] {
        for (key, value) in [
            ("keyward_checkout", "pro"),
            ("authforge_app_id", "app_test"),
            ("max_hwid_slots", "1"),
            ("keyward_devices", "1"),
        ] {
            let is = subscribed
                .get(&format!("{place}[{key}]"))
                .map(String::as_str);
            assert_eq!(is, Some(value), "{place}[{key}] of {subscribed:?}");
        }
    }
    let guide_s = |made: &std::collections::BTreeMap<String, String>| {
        made.keys().any(|k| k.contains("authforge_app_id"))
    };
    assert_eq!(shop.get("/buy/team").await.status(), 303);
    let up_to_five = shop.stripe.sessions().pop().unwrap();
    assert!(!guide_s(&up_to_five), "{up_to_five:?}");

    let embedded = Shop::open().await;
    assert_eq!(embedded.get("/buy/pro").await.status(), 303);
    let other_service = embedded.stripe.sessions().pop().unwrap();
    assert!(!guide_s(&other_service), "{other_service:?}");
}

/// Rule 55: the link of a mail names the session that bought the license; Stripe's customer buys again, and Stripe is told
/// what is extended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_license_is_bought_again_by_the_session_that_bought_it() {
    let shop = Shop::open().await;
    let session = "cs_live_a1B2c3D4e5F6g7H8i9J0k1";
    let bought = json!({ "id": session, "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "customer": "cus_1", "customer_details": { "email": "ada@example.com" },
        "amount_total": 4900, "currency": "usd", "livemode": true, "metadata": { "plan": "team", "license_duration": "365" } });
    let now_s = keyward::clock::Clock::Wall.now().s();
    let event = json!({ "id": "evt_1", "object": "event", "type": "checkout.session.completed", "livemode": true,
        "created": now_s, "data": { "object": bought } });
    shop.app.door().event(&event).await;
    let again = shop.get(&format!("/buy/team?extends={session}")).await;
    assert_eq!(again.status(), 303);
    let made = shop.stripe.sessions().pop().unwrap();
    for (key, value) in [
        ("customer", "cus_1"),
        ("automatic_tax[enabled]", "true"),
        ("customer_update[address]", "auto"),
        ("metadata[keyward_license]", session),
        ("payment_intent_data[metadata][keyward_license]", session),
    ] {
        let is = made.get(key).map(String::as_str);
        assert_eq!(is, Some(value), "{key} of {made:?}");
    }
    for nothing in [
        "cs_live_nobody00000000000000",
        "sub_1",
        "KEYW-AAAA-BBBB-CCCC",
        "",
        "a%00b",
    ] {
        let path = format!("/buy/team?extends={nothing}");
        assert_eq!(shop.get(&path).await.status(), 400, "{path}");
    }
    let order = json!({ "plan": "team", "extends": "KEYW-AAAA-BBBB-CCCC" });
    assert_eq!(shop.order(&order).await.status(), 400, "no such key");
    assert_eq!(shop.stripe.sessions().len(), 1);
}
