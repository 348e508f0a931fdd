//! A stand-in for Stripe's Checkout that refuses what Stripe refuses (`refusals`), and that keeps its answers by idempotency key.

mod payment_page;
mod refusals;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use refusals::{is_pinned, wrong};

/// What the billing portal takes.
const BILLING: [&str; 5] = [
    "customer",
    "return_url",
    "locale",
    "flow_data[type]",
    "flow_data[subscription_cancel][subscription]",
];

/// How it errs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Erring {
    /// So many more sessions are made and answered with 500.
    pub(crate) lost: u32,
    /// Everything is refused with this status.
    pub(crate) refuse: Option<u16>,
}

#[derive(Default)]
struct Kept {
    prices: BTreeMap<String, Value>,
    /// The form of each session that was made, by its idempotency key.
    sessions: BTreeMap<String, BTreeMap<String, String>>,
    /// Their idempotency keys, in the order in which they were made.
    order: Vec<String>,
    /// Where its own payment pages are, if it has any.
    pages: Option<String>,
    webhook: Option<payment_page::Webhook>,
    /// The form of each session of the billing portal.
    billing: Vec<BTreeMap<String, String>>,
    /// Those that were expired.
    expired: Vec<String>,
    erring: Erring,
}

/// The stand-in.
#[derive(Clone, Default)]
pub(crate) struct Checkout(Arc<Mutex<Kept>>);

impl Checkout {
    pub(crate) async fn start() -> (Self, String) {
        let stripe = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = stripe.routes();
        tokio::spawn(async move { axum::serve(listener, app).await });
        (stripe, base)
    }

    /// What it answers, for a stand-in that answers more.
    pub(crate) fn routes(&self) -> Router {
        Router::new()
            .route("/v1/prices/{id}", get(Self::price))
            .route("/v1/prices", get(Self::prices))
            .route("/v1/checkout/sessions", post(Self::create))
            .route("/v1/checkout/sessions/{id}/expire", post(Self::expire))
            .route("/v1/billing_portal/sessions", post(Self::bill))
            .with_state(self.clone())
    }

    /// A price; `interval` empty: paid once.
    pub(crate) fn sells(&self, id: &str, currency: &str, interval: &str) {
        let recurring = match interval {
            "" => Value::Null,
            interval => json!({ "interval": interval, "usage_type": "licensed" }),
        };
        let price = json!({
            "id": id, "object": "price", "active": true, "currency": currency,
            "recurring": recurring, "lookup_key": format!("key_{id}"),
        });
        self.0.lock().unwrap().prices.insert(id.to_owned(), price);
    }

    pub(crate) fn archive(&self, id: &str) {
        self.0.lock().unwrap().prices.get_mut(id).unwrap()["active"] = json!(false);
    }

    pub(crate) fn err(&self, erring: Erring) {
        self.0.lock().unwrap().erring = erring;
    }

    /// The forms of all sessions that were made.
    pub(crate) fn sessions(&self) -> Vec<BTreeMap<String, String>> {
        let made = self.0.lock().unwrap();
        let forms = made.order.iter().map(|key| made.sessions[key].clone());
        forms.collect()
    }

    /// The forms of all sessions of the billing portal.
    pub(crate) fn billing_visits(&self) -> Vec<BTreeMap<String, String>> {
        self.0.lock().unwrap().billing.clone()
    }

    async fn bill(State(stripe): State<Self>, body: Bytes) -> Response {
        let form = fields(&body);
        if let Some(unknown) = form.keys().find(|k| !BILLING.contains(&k.as_str())) {
            return error(400, "parameter_unknown", unknown);
        }
        if !form.get("customer").is_some_and(|c| c.starts_with("cus_")) {
            return error(400, "resource_missing", "No such customer");
        }
        let mut kept = stripe.0.lock().unwrap();
        kept.billing.push(form);
        let url = format!(
            "https://billing.stripe.com/p/session/{}",
            kept.billing.len()
        );
        Json(json!({ "id": "bps_1", "url": url })).into_response()
    }

    /// The sessions that were expired.
    pub(crate) fn expired(&self) -> Vec<String> {
        self.0.lock().unwrap().expired.clone()
    }

    async fn expire(State(stripe): State<Self>, Path(id): Path<String>, body: Bytes) -> Response {
        let mut kept = stripe.0.lock().unwrap();
        assert!(body.is_empty(), "expire takes no parameter");
        let number = id.strip_prefix("cs_live_").and_then(|n| n.parse().ok());
        let known = number.is_some_and(|n: usize| (1..=kept.sessions.len()).contains(&n));
        if !known || kept.expired.contains(&id) {
            return error(400, "resource_missing", "Only open sessions can be expired");
        }
        kept.expired.push(id.clone());
        Json(json!({ "id": id, "status": "expired" })).into_response()
    }

    async fn price(State(stripe): State<Self>, Path(id): Path<String>) -> Response {
        let kept = stripe.0.lock().unwrap();
        if let Some(status) = kept.erring.refuse {
            return error(status, "none", "no");
        }
        match kept.prices.get(&id) {
            Some(price) => Json(price.clone()).into_response(),
            None => error(404, "resource_missing", "No such price"),
        }
    }

    async fn prices(State(stripe): State<Self>, RawQuery(query): RawQuery) -> Response {
        let query = query.unwrap_or_default();
        let kept = stripe.0.lock().unwrap();
        let named = |p: &&Value| query.contains(p["lookup_key"].as_str().unwrap());
        let found: Vec<Value> = kept.prices.values().filter(named).cloned().collect();
        Json(json!({ "object": "list", "has_more": false, "data": found })).into_response()
    }

    async fn create(State(stripe): State<Self>, headers: HeaderMap, body: Bytes) -> Response {
        let mut kept = stripe.0.lock().unwrap();
        if let Some(status) = kept.erring.refuse {
            return error(
                status,
                "none",
                "The provided key does not have rak_checkout_session_write",
            );
        }
        let form = fields(&body);
        assert!(
            is_pinned(&headers),
            "each request names its version: {headers:?}"
        );
        if let Some(why) = wrong(&form, &kept.prices) {
            return error(400, "parameter_unknown", &why);
        }
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        if let Some(before) = kept.sessions.get(&key) {
            assert_eq!(*before, form, "one key, two requests");
        } else {
            kept.order.push(key.clone());
        }
        let number = kept.order.iter().position(|k| *k == key).unwrap() + 1;
        kept.sessions.insert(key, form);
        if kept.erring.lost > 0 {
            kept.erring.lost -= 1;
            return error(500, "api_error", "lost");
        }
        let pages = kept.pages.as_deref();
        let pages = pages.unwrap_or("https://checkout.stripe.example");
        let url = format!("{pages}/c/pay/cs_live_{number:024}#frag");
        Json(json!({ "id": format!("cs_live_{number:024}"), "url": url })).into_response()
    }
}

fn fields(body: &[u8]) -> BTreeMap<String, String> {
    let form = reqwest::Url::parse(&format!("f:/?{}", String::from_utf8_lossy(body))).unwrap();
    form.query_pairs().into_owned().collect()
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let body =
        json!({ "error": { "type": "invalid_request_error", "code": code, "message": message } });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}
