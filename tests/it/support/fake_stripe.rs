//! A stand-in for Stripe's API that answers what a test told it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The API key that it takes.
pub(crate) const KEY: &str = "rk_live_hush";

/// What Stripe answers to a path: the next of these, and the last one for ever.
pub(crate) type Script = Vec<(u16, &'static [(&'static str, &'static str)], Value)>;

/// A stand-in for Stripe's API.
#[derive(Clone, Default)]
pub(crate) struct Stripe {
    scripts: Arc<Mutex<BTreeMap<String, Script>>>,
    lists: Arc<Mutex<BTreeMap<String, Vec<Value>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Rows of one page at most, whatever is asked for: so that a list of a few rows has several.
const PAGE_ROWS: usize = 5;

impl Stripe {
    /// Starts one on a free port; returns its address too.
    pub(crate) async fn start() -> (Self, String) {
        let stripe = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .fallback(Self::answer)
            .with_state(stripe.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (stripe, base)
    }

    /// Sets what a path is answered with: path, query and connected account, with blanks between them.
    pub(crate) fn says(&self, path: &str, answers: Script) {
        self.scripts
            .lock()
            .unwrap()
            .insert(path.to_owned(), answers);
    }

    /// Sets the rows of a list, which is read page by page: path and query, without what pages it.
    pub(crate) fn lists(&self, path: &str, rows: Vec<Value>) {
        self.lists.lock().unwrap().insert(path.to_owned(), rows);
    }

    /// A page of a list, as Stripe cuts it.
    fn page(&self, path: &str, after: Option<&str>) -> Option<Value> {
        let lists = self.lists.lock().unwrap();
        let rows = lists.get(path)?;
        let begin = after.map_or(0, |id| {
            rows.iter().position(|r| r["id"] == *id).unwrap() + 1
        });
        let page: Vec<_> = rows[begin..].iter().take(PAGE_ROWS).cloned().collect();
        let more = begin + page.len() < rows.len();
        Some(json!({ "object": "list", "has_more": more, "data": page }))
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|a| *a == path)
            .count()
    }

    async fn answer(State(stripe): State<Self>, uri: Uri, headers: HeaderMap) -> Response {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
        };
        assert_eq!(header("authorization"), format!("Bearer {KEY}"));
        assert!(
            header("stripe-version") >= "2025-03-31.basil",
            "{headers:?}"
        );
        let query: Vec<&str> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|q| *q != "limit=100")
            .collect();
        let account = header("stripe-account");
        let path = [uri.path(), &query.join("&"), account];
        let path = path
            .iter()
            .filter(|p| !p.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        stripe.asked.lock().unwrap().push(path.clone());
        let after = query.iter().find_map(|q| q.strip_prefix("starting_after="));
        let rest: Vec<&str> = query
            .iter()
            .filter(|q| !q.starts_with("starting_after="))
            .copied()
            .collect();
        let list = [uri.path(), &rest.join("&")].join(" ");
        if let Some(page) = stripe.page(list.trim_end(), after) {
            return Json(page).into_response();
        }
        let mut scripts = stripe.scripts.lock().unwrap();
        let Some(script) = scripts.get_mut(&path) else {
            let missing =
                json!({ "error": { "code": "resource_missing", "message": format!("no {path}") } });
            return (StatusCode::NOT_FOUND, Json(missing)).into_response();
        };
        let (status, hints, body) = if script.len() > 1 {
            script.remove(0)
        } else {
            script[0].clone()
        };
        let mut response = (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
        for (name, value) in hints {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        response
    }
}

/// A good answer.
pub(crate) fn good(body: Value) -> (u16, &'static [(&'static str, &'static str)], Value) {
    (200, &[], body)
}

/// A whole list.
pub(crate) fn list(data: Value) -> Value {
    json!({ "object": "list", "has_more": false, "data": data })
}
