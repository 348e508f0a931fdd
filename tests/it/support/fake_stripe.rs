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
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stripe {
    /// Starts one on a free port; returns its address too.
    pub(crate) async fn start() -> (Self, String) {
        let stripe = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(Self::answer).with_state(stripe.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (stripe, base)
    }

    /// Sets what a path is answered with: path, query and connected account, with blanks between them.
    pub(crate) fn says(&self, path: &str, answers: Script) {
        self.scripts.lock().unwrap().insert(path.to_owned(), answers);
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|a| *a == path).count()
    }

    async fn answer(State(stripe): State<Self>, uri: Uri, headers: HeaderMap) -> Response {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        assert_eq!(header("authorization"), format!("Bearer {KEY}"));
        assert!(header("stripe-version") >= "2025-03-31.basil", "{headers:?}");
        let query: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|q| *q != "limit=100").collect();
        let account = header("stripe-account");
        let path = [uri.path(), &query.join("&"), account];
        let path = path.iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join(" ");
        stripe.asked.lock().unwrap().push(path.clone());
        let mut scripts = stripe.scripts.lock().unwrap();
        let Some(script) = scripts.get_mut(&path) else {
            let missing = json!({ "error": { "code": "resource_missing", "message": format!("no {path}") } });
            return (StatusCode::NOT_FOUND, Json(missing)).into_response();
        };
        let (status, hints, body) = if script.len() > 1 { script.remove(0) } else { script[0].clone() };
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
