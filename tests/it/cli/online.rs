//! `check --online` against a small stand-in for Stripe.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Json;
use axum::routing::get;
use serde_json::{Value, json};

use super::support::{CONFIG, Place, Said};
use crate::support::fake_checkout::{Checkout, Erring};

/// An account at Stripe.
#[derive(Clone, Default)]
struct Account {
    endpoints: Vec<Value>,
    subscriptions: Vec<Value>,
    asked: Arc<Mutex<Vec<String>>>,
    checkout: Checkout,
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

fn list(
    account: &Account,
    headers: &HeaderMap,
    what: &str,
    rows: &[Value],
    after: Option<&String>,
) -> Answer {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("none")
            .to_owned()
    };
    account
        .asked
        .lock()
        .unwrap()
        .push(format!("{what} {} {after:?}", text("stripe-version")));
    if !["Bearer rk_live_hush", "Bearer rk_test_hush"].contains(&text("authorization").as_str()) {
        let error = json!({"error": {"type": "invalid_request_error", "message": "Invalid API Key provided: rk_***"}});
        return Err((StatusCode::UNAUTHORIZED, Json(error)));
    }
    // Two to a page, so that paging is met.
    let begin = after.map_or(0, |id| {
        rows.iter()
            .position(|r| r["id"] == **id)
            .map_or(rows.len(), |i| i + 1)
    });
    let page: Vec<_> = rows[begin..].iter().take(2).cloned().collect();
    let has_more = begin + page.len() < rows.len();
    Ok(Json(
        json!({"object": "list", "has_more": has_more, "data": page}),
    ))
}

type Params = Query<std::collections::BTreeMap<String, String>>;

async fn endpoints(State(a): State<Account>, headers: HeaderMap, Query(q): Params) -> Answer {
    list(
        &a,
        &headers,
        "endpoints",
        &a.endpoints,
        q.get("starting_after"),
    )
}

async fn subscriptions(State(a): State<Account>, headers: HeaderMap, Query(q): Params) -> Answer {
    list(
        &a,
        &headers,
        "subscriptions",
        &a.subscriptions,
        q.get("starting_after"),
    )
}

/// Runs `check --online` with a source whose account this is.
fn check(account: &Account, key: &str, livemode: &str, plan: &str) -> Said {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .route("/v1/webhook_endpoints", get(endpoints))
        .route("/v1/subscriptions", get(subscriptions))
        .with_state(account.clone())
        .merge(account.checkout.routes());
    runtime.spawn(async move { axum::serve(listener, app).await });
    let own = format!(
        "livemode = \"{livemode}\"\napi_key = \"{key}\"\napi_base = \"{base}\"\n[licenses]"
    );
    let place = Place::with(
        &CONFIG
            .replacen("[licenses]", &own, 1)
            .replace("[\"*\"]", plan),
    );
    let mut said = place.run_with_secret(&["check", "--online"]);
    said.out = said.out.replace(&base, "http://stripe");
    assert!(!said.to_string().contains("hush"), "{said}");
    said
}

fn endpoint(id: &str, url: &str, events: &[&str]) -> Value {
    json!({"id": id, "object": "webhook_endpoint", "url": url, "status": "enabled", "livemode": true,
        "api_version": "2024-06-20", "enabled_events": events})
}

fn subscription(id: &str, status: &str, price: &str, metadata: &Value) -> Value {
    json!({"id": id, "status": status, "metadata": metadata,
        "items": {"data": [{"price": {"id": price, "product": format!("prod_{price}"), "lookup_key": null}}]}})
}

const OURS: &str = "http://localhost:8080/webhooks/stripe";

#[test]
fn an_account_in_order_is_said_to_be() {
    let account = Account {
        endpoints: vec![
            endpoint("we_1", "https://elsewhere.example.com/", &["*"]),
            endpoint("we_2", "https://elsewhere.example.com/2", &["*"]),
            endpoint("we_3", OURS, &["*"]),
        ],
        subscriptions: (0..5)
            .map(|n| subscription(&format!("sub_{n}"), "active", "price_1", &json!({})))
            .collect(),
        ..Account::default()
    };
    account.checkout.sells("price_1", "usd", "month");
    insta::assert_snapshot!(check(&account, "rk_live_hush", "live", "[\"price_1\"]"));
    insta::assert_snapshot!("pages_asked_for", account.asked.lock().unwrap().join("\n"));
}

#[test]
fn what_is_wrong_with_an_account_is_told() {
    let mut disabled = endpoint(
        "we_1",
        OURS,
        &["checkout.session.completed", "invoice.paid"],
    );
    disabled["status"] = json!("disabled");
    let account = Account {
        endpoints: vec![disabled],
        subscriptions: vec![
            subscription("sub_1", "active", "price_1", &json!({})),
            subscription("sub_2", "past_due", "price_bare", &json!({})),
            subscription("sub_3", "trialing", "price_bare", &json!({})),
            subscription("sub_4", "canceled", "price_gone", &json!({})),
            subscription(
                "sub_5",
                "active",
                "price_told",
                &json!({"authforge_app_id": "app"}),
            ),
        ],
        ..Account::default()
    };
    account.checkout.sells("price_1", "usd", "month");
    insta::assert_snapshot!(
        "an_account_in_disorder",
        check(&account, "rk_test_hush", "test", "[\"price_1\"]")
    );
    let some: Vec<&str> = keyward::sources::stripe::event::EVENT_TYPES
        .iter()
        .map(|(kind, _)| *kind)
        .filter(|k| !k.contains("dispute"))
        .collect();
    let account = Account {
        endpoints: vec![
            endpoint("we_1", OURS, &some),
            endpoint("we_2", &format!("{OURS}/"), &["*"]),
        ],
        ..Account::default()
    };
    insta::assert_snapshot!(
        "an_account_that_lacks_little",
        check(&account, "rk_live_hush", "live", "[\"*\"]")
    );
    insta::assert_snapshot!(
        "an_account_without_our_endpoint",
        check(&Account::default(), "rk_live_hush", "live", "[\"*\"]")
    );
    insta::assert_snapshot!(
        "a_wrong_api_key",
        check(&account, "rk_live_wrong_hush", "live", "[\"*\"]")
    );
}

/// Whether plans can be bought: in test mode a session is made and expired, in live mode only the price is read.
#[test]
fn buying_is_tried_in_test_mode_only() {
    let mut account = Account {
        endpoints: vec![endpoint("we_1", OURS, &["*"])],
        ..Account::default()
    };
    account.endpoints[0]["livemode"] = json!(false);
    account.checkout.sells("price_1", "usd", "month");
    let said = check(&account, "rk_test_hush", "test", "[\"price_1\"]");
    assert_eq!(said.code, Some(0), "{said}");
    insta::assert_snapshot!("bought_in_test_mode", said);
    assert_eq!(account.checkout.sessions().len(), 1);
    assert_eq!(account.checkout.expired(), [format!("cs_live_{:024}", 1)]);

    account.endpoints[0]["livemode"] = json!(true);
    let said = check(&account, "rk_live_hush", "live", "[\"price_1\"]");
    insta::assert_snapshot!("not_bought_in_live_mode", said);
    assert_eq!(
        account.checkout.sessions().len(),
        1,
        "a live session was made"
    );
}

/// What cannot be bought is a note, since nothing but the links needs it.
#[test]
fn what_cannot_be_bought_is_told_with_the_way_out() {
    let account = Account {
        endpoints: vec![endpoint("we_1", OURS, &["*"])],
        ..Account::default()
    };
    let look = || check(&account, "rk_live_hush", "live", "[\"price_1\"]");
    insta::assert_snapshot!("no_such_price", look());
    account.checkout.sells("price_1", "usd", "");
    account.checkout.archive("price_1");
    insta::assert_snapshot!("an_archived_price", look());
    account.checkout.err(Erring {
        refuse: Some(403),
        ..Erring::default()
    });
    let said = look();
    assert_eq!(said.code, Some(0), "{said}");
    insta::assert_snapshot!("a_key_that_may_not_sell", said);
}

#[test]
fn services_that_do_not_answer_are_told() {
    let dead = "transport = \"smtp\"\nurl = \"smtp://127.0.0.1:1\"";
    let authforge = "service = \"authforge\"\napi_base = \"http://127.0.0.1:1\"\napi_key = \"hush\"\napp_id = \"app-1\"";
    let config = CONFIG
        .replace("service = \"embedded\"", authforge)
        .replace("transport = \"folder\"\npath = \"./mail\"", dead);
    let place = Place::with(&config);
    let said = place.run_with_secret(&["check", "--online"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.out.contains("fails  mail of stripe: "), "{said}");
    assert!(
        said.out
            .contains("fails  licenses of stripe: http://127.0.0.1:1: "),
        "{said}"
    );
    assert!(!said.to_string().contains("hush"), "{said}");
}

#[test]
fn a_source_that_may_not_ask_is_told_what_that_costs() {
    let of_account = |config: &str| {
        let said = Place::with(config).run_with_secret(&["check", "--online"]);
        let line = said.out.lines().find(|l| l.contains("Stripe account of"));
        line.map(str::to_owned).unwrap_or_else(|| panic!("{said}"))
    };
    let by_price = of_account(CONFIG);
    assert!(
        by_price.starts_with("note") && by_price.contains("names its price"),
        "{by_price}"
    );
    let by_name = of_account(&CONFIG.replace("[\"*\"]", "[]"));
    assert!(
        by_name.starts_with("ok") && !by_name.contains("names its price"),
        "{by_name}"
    );
}
