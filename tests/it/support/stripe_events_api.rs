//! A stand-in for Stripe's event list: newest first, in pages, filtered by `created`, with
//! events that show up late, and 429s by order. What it does not know it refuses loudly.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::fake_stripe::KEY;

/// The stand-in.
#[derive(Clone, Default)]
pub(crate) struct EventsApi(Arc<Mutex<Lists>>);

#[derive(Default)]
struct Lists {
    /// By account; the seller's own under an empty name.
    events: BTreeMap<String, Vec<Value>>,
    /// So many of the next requests are refused with 429.
    limited: u32,
    /// Every request for events is refused with 403.
    forbidden: bool,
    reads: u32,
}

impl EventsApi {
    /// Starts one on a free port; returns its address too.
    pub(crate) async fn start() -> (Self, String) {
        let api = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(Self::answer).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (api, base)
    }

    /// Events happen; whether anybody hears of them is not Stripe's business.
    pub(crate) fn add(&self, events: impl IntoIterator<Item = Value>) {
        self.add_of("", events);
    }

    /// The same of a connected account.
    pub(crate) fn add_of(&self, account: &str, events: impl IntoIterator<Item = Value>) {
        let mut lists = self.0.lock().unwrap();
        let all = lists.events.entry(account.to_owned()).or_default();
        all.extend(events);
        // Newest first, and within a second in no order that means anything.
        all.sort_by_key(|e| std::cmp::Reverse(e["created"].as_i64()));
    }

    /// The next so many requests get a 429.
    pub(crate) fn limit(&self, requests: u32) {
        self.0.lock().unwrap().limited = requests;
    }

    /// Whether the key may read events.
    pub(crate) fn forbid(&self, forbidden: bool) {
        self.0.lock().unwrap().forbidden = forbidden;
    }

    /// How often events were asked for.
    pub(crate) fn reads(&self) -> u32 {
        self.0.lock().unwrap().reads
    }

    async fn answer(
        State(api): State<Self>,
        uri: Uri,
        Query(query): Query<Vec<(String, String)>>,
        headers: HeaderMap,
    ) -> Response {
        let header = |name: &str| {
            let value = headers.get(name).and_then(|v| v.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        if header("authorization") != format!("Bearer {KEY}") {
            return refused(StatusCode::UNAUTHORIZED, "", "Invalid API Key");
        }
        let mut lists = api.0.lock().unwrap();
        if lists.limited > 0 {
            lists.limited -= 1;
            return refused(StatusCode::TOO_MANY_REQUESTS, "rate_limit", "slower");
        }
        match uri.path() {
            "/v1/events" if lists.forbidden => {
                refused(StatusCode::FORBIDDEN, "", "needs 'rak_event_read'")
            }
            "/v1/events" => {
                lists.reads += 1;
                let none = Vec::new();
                let all = lists.events.get(&header("stripe-account"));
                page(all.unwrap_or(&none), &query)
            }
            path => refused(StatusCode::NOT_FOUND, "resource_missing", path),
        }
    }
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    let error = json!({ "error": { "code": code, "message": message } });
    (status, Json(error)).into_response()
}

fn page(all: &[Value], query: &[(String, String)]) -> Response {
    let bad = |message: &str| refused(StatusCode::BAD_REQUEST, "parameter_unknown", message);
    let (mut limit, mut after, mut rows) = (10, None, all.iter().collect::<Vec<_>>());
    for (name, value) in query {
        let number = value.parse::<i64>();
        let created = |keep: &dyn Fn(i64) -> bool, rows: &mut Vec<&Value>| {
            rows.retain(|e| e["created"].as_i64().is_some_and(keep));
        };
        match (name.as_str(), number) {
            ("limit", Ok(n @ 1..=100)) => limit = n as usize,
            ("created[gte]", Ok(n)) => created(&|at| at >= n, &mut rows),
            ("created[gt]", Ok(n)) => created(&|at| at > n, &mut rows),
            ("created[lte]", Ok(n)) => created(&|at| at <= n, &mut rows),
            ("created[lt]", Ok(n)) => created(&|at| at < n, &mut rows),
            ("starting_after", _) => after = Some(value),
            _ => return bad(name),
        }
    }
    if let Some(id) = after {
        // The cursor must fit the filter.
        let Some(at) = rows.iter().position(|e| e["id"] == **id) else {
            return refused(StatusCode::BAD_REQUEST, "resource_missing", id);
        };
        rows.drain(..=at);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let list = json!({ "object": "list", "url": "/v1/events", "has_more": more, "data": rows });
    Json(list).into_response()
}
