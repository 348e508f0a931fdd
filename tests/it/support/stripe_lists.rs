//! A stand-in for Stripe's lists: pages of at most 100, newest first, both cursors, `created` ranges, nested lists cut at
//! ten, and refusals for what Stripe refuses. An unknown path or parameter is a 400, never an empty answer.

mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::fake_stripe::KEY;
use page::{Page, hide};

/// What goes wrong, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Every so manieth call is a 429; by turns with the header that gives the reason and without. 0: none.
    pub(crate) limited_every: usize,
    /// After so many calls the object that is the next cursor is gone.
    pub(crate) loses_cursor_at: Option<usize>,
    /// `line_items` cannot be expanded in the list of sessions.
    pub(crate) no_line_items: bool,
    /// Whatever comes after a page is that page again.
    pub(crate) repeats_pages: bool,
    /// So many calls are answered with a 500 at first.
    pub(crate) broken_first: usize,
    /// A path that the key may not read, with the permission that is named.
    pub(crate) forbidden: Option<(&'static str, &'static str)>,
    /// After so many calls nothing is answered any more.
    pub(crate) hangs_at: Option<usize>,
}

#[derive(Default)]
struct Db {
    /// Whole objects by path, newest first.
    lists: BTreeMap<&'static str, Vec<Value>>,
    faults: Faults,
    calls: usize,
    hanging: usize,
    by_path: BTreeMap<String, usize>,
    refused: Vec<String>,
}

/// A running stand-in.
#[derive(Clone, Default)]
pub(crate) struct StripeLists(Arc<Mutex<Db>>);

/// The parameters that each list takes, besides those of all.
const LISTS: [(&str, &[&str]); 8] = [
    (
        "/v1/subscriptions",
        &[
            "status",
            "customer",
            "price",
            "created",
            "collection_method",
        ],
    ),
    (
        "/v1/invoices",
        &["status", "customer", "subscription", "created"],
    ),
    (
        "/v1/checkout/sessions",
        &[
            "status",
            "customer",
            "payment_intent",
            "subscription",
            "created",
        ],
    ),
    (
        "/v1/charges",
        &["customer", "payment_intent", "transfer_group", "created"],
    ),
    ("/v1/refunds", &["charge", "payment_intent", "created"]),
    ("/v1/disputes", &["charge", "payment_intent", "created"]),
    ("/v1/subscription_items", &["subscription"]),
    ("/v1/events", &["type", "created"]),
];

type Refused = (u16, Value);

fn refusal(code: &str, param: &str) -> Refused {
    let error = json!({"error": {"type": "invalid_request_error", "code": code, "param": param, "message": "refused"}});
    (400, error)
}

impl StripeLists {
    /// Starts one on a free port; returns its address too.
    pub(crate) async fn start() -> (Self, String) {
        let lists = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .fallback(Self::answer)
            .with_state(lists.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (lists, base)
    }

    /// Adds whole objects to a list.
    pub(crate) fn add(&self, path: &'static str, objects: impl IntoIterator<Item = Value>) {
        let mut db = self.0.lock().unwrap();
        let list = db.lists.entry(path).or_default();
        list.extend(objects);
        list.sort_by_key(|o| std::cmp::Reverse(o["created"].as_i64().unwrap_or(0)));
    }

    /// Puts an object in the place of the one with its id.
    pub(crate) fn replace(&self, path: &'static str, object: Value) {
        let mut db = self.0.lock().unwrap();
        let list = db.lists.get_mut(path).unwrap();
        let own = list.iter_mut().find(|o| o["id"] == object["id"]);
        *own.unwrap() = object;
    }

    /// Sets what goes wrong.
    pub(crate) fn faults(&self, faults: Faults) {
        let mut db = self.0.lock().unwrap();
        (db.faults, db.calls, db.hanging) = (faults, 0, 0);
    }

    /// Calls that were never answered since the faults were set.
    pub(crate) fn hanging(&self) -> usize {
        self.0.lock().unwrap().hanging
    }

    /// Calls since the faults were set.
    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().calls
    }

    /// Calls by path, the ids in it left out, and what was refused besides 429s and lost cursors.
    pub(crate) fn seen(&self) -> (BTreeMap<String, usize>, Vec<String>) {
        let db = self.0.lock().unwrap();
        (db.by_path.clone(), db.refused.clone())
    }

    async fn answer(State(lists): State<Self>, uri: Uri, headers: HeaderMap) -> Response {
        let authorized = headers
            .get("authorization")
            .is_some_and(|v| v == &format!("Bearer {KEY}"));
        if !authorized {
            let error = json!({"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}});
            return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
        }
        let url = reqwest::Url::parse(&format!("http://x{uri}")).unwrap();
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        // What the server asks by itself meanwhile is neither counted nor hindered; it reads events window by window.
        let windowed = query.iter().any(|(key, _)| key == "created[lt]");
        if uri.path() == "/v1/webhook_endpoints" || uri.path() == "/v1/events" && windowed {
            let empty = json!({"object": "list", "has_more": false, "data": []});
            return Json(empty).into_response();
        }
        let hangs = lists.0.lock().unwrap().is_next_silent();
        if hangs {
            lists.0.lock().unwrap().hanging += 1;
            std::future::pending::<()>().await;
        }
        let answered = lists.0.lock().unwrap().call(uri.path(), &query);
        let (status, body, limited) = match answered {
            Ok(body) => (200, body, None),
            Err((429, body)) => {
                let reason = lists.calls().is_multiple_of(2);
                (429, body, reason.then_some("endpoint-rate"))
            }
            Err((status, body)) => (status, body, None),
        };
        let status = StatusCode::from_u16(status).unwrap();
        let mut response = (status, Json(body)).into_response();
        if let Some(reason) = limited {
            let headers = response.headers_mut();
            headers.insert("Stripe-Rate-Limited-Reason", reason.parse().unwrap());
        }
        response
    }
}

impl Db {
    fn is_next_silent(&self) -> bool {
        self.faults.hangs_at.is_some_and(|n| self.calls >= n)
    }

    fn call(&mut self, path: &str, query: &[(String, String)]) -> Result<Value, Refused> {
        self.calls += 1;
        let name: Vec<&str> = path
            .split('/')
            .map(|part| {
                let lists = ["subscription_items", "invoice_payments", "line_items"];
                if part.contains('_') && !lists.contains(&part) {
                    "{id}"
                } else {
                    part
                }
            })
            .collect();
        *self.by_path.entry(name.join("/")).or_default() += 1;
        if self.calls <= self.faults.broken_first {
            return Err((
                500,
                json!({"error": {"type": "api_error", "message": "it is down"}}),
            ));
        }
        if let Some((_, permission)) = self.faults.forbidden.filter(|(of, _)| *of == path) {
            let said = format!(
                "The provided key 'rk_live_***1' does not have the required permissions for this endpoint: '{permission}'."
            );
            let error = json!({"type": "invalid_request_error", "code": "more_permissions_required", "message": said});
            return Err((403, json!({ "error": error })));
        }
        let every = self.faults.limited_every;
        if every > 0 && self.calls.is_multiple_of(every) {
            let error = json!({"error": {"type": "invalid_request_error", "code": "rate_limit"}});
            return Err((429, error));
        }
        let answered = self.list(path, query);
        if let Err((_, body)) = &answered
            && body["error"]["code"] != "resource_missing"
        {
            self.refused.push(format!("{path} {query:?}"));
        }
        answered
    }

    fn list(&mut self, path: &str, query: &[(String, String)]) -> Result<Value, Refused> {
        // The server looks at its own endpoints now and then, whatever is read beside.
        if path.ends_with("webhook_endpoints") {
            return Ok(json!({"object": "list", "has_more": false, "data": []}));
        }
        if let Some(nested) = self.nested(path, query)? {
            return Ok(nested);
        }
        let (path, takes) = LISTS
            .into_iter()
            .find(|(p, _)| *p == path)
            .ok_or((404, json!({"error": {"message": "no such path"}})))?;
        let takes: Vec<&str> = takes.iter().copied().chain(["expand[]"]).collect();
        let page = Page::of(query, &takes)?;
        self.expands(path, &page)?;
        if self.faults.loses_cursor_at.is_some_and(|n| self.calls >= n)
            && let Some(after) = &page.after
        {
            self.faults.loses_cursor_at = None;
            if let Some(list) = self.lists.get_mut(path) {
                list.retain(|o| o["id"] != *after);
            }
        }
        // Of a large shop only the page is copied.
        let all = self.lists.get(path).into_iter().flatten();
        let rows: Vec<&Value> = all.filter(|o| page.takes(path, o)).collect();
        let mut page = page;
        if self.faults.repeats_pages {
            (page.after, page.limit) = (None, page.limit.min(rows.len().saturating_sub(1)));
        }
        let mut answer = page.cut(&rows, path)?;
        for object in answer["data"].as_array_mut().unwrap() {
            hide(object, &page);
        }
        Ok(answer)
    }

    fn expands(&self, path: &str, page: &Page) -> Result<(), Refused> {
        for expand in &page.expand {
            let known = match path {
                "/v1/invoices" => expand == "data.payments",
                "/v1/checkout/sessions" => {
                    expand == "data.line_items" && !self.faults.no_line_items
                }
                _ => false,
            };
            if !known {
                return Err(refusal("parameter_invalid", "expand"));
            }
        }
        Ok(())
    }

    /// The lists inside objects.
    fn nested(&self, path: &str, query: &[(String, String)]) -> Result<Option<Value>, Refused> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let (list, id, name) = match parts[..] {
            ["v1", "invoices", id, "lines"] => ("/v1/invoices", id, "lines"),
            ["v1", "checkout", "sessions", id, "line_items"] => {
                ("/v1/checkout/sessions", id, "line_items")
            }
            ["v1", "subscription_items"] => {
                let of = query.iter().find(|(k, _)| k == "subscription");
                let (_, id) = of.ok_or_else(|| refusal("parameter_missing", "subscription"))?;
                ("/v1/subscriptions", id.as_str(), "items")
            }
            ["v1", "invoice_payments"] => {
                let of = query.iter().find(|(k, _)| k == "invoice");
                let (_, id) = of.ok_or_else(|| refusal("parameter_missing", "invoice"))?;
                ("/v1/invoices", id.as_str(), "payments")
            }
            _ => return Ok(None),
        };
        let page = Page::of(query, &["subscription", "invoice"])?;
        let object = self.lists.get(list).into_iter().flatten();
        let object = object.clone().find(|o| o["id"] == id);
        let object = object.ok_or((404, json!({"error": {"code": "resource_missing"}})))?;
        let rows = object[name]["data"].as_array().into_iter().flatten();
        let rows: Vec<&Value> = rows.collect();
        page.cut(&rows, path).map(Some)
    }
}
