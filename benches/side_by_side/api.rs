//! A license service that answers at once: AuthForge's wire shape, licenses in memory, a thread of its own. It is where
//! licenses are counted, never in the server under test.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use keyward::clock::Clock;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::purchase::APP;

/// The running service; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Api {
    port: u16,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    made: AtomicUsize,
    licenses: Mutex<Vec<License>>,
}

#[derive(Debug)]
struct License {
    label: Box<str>,
    expires_at: Option<Box<str>>,
    created_ms: i64,
    devices: u16,
    revoked: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    quantity: Option<usize>,
    expires_at: Option<Box<str>>,
    max_hwid_slots: Option<u16>,
    label: Option<Box<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    action: String,
    expires_at: Option<Box<str>>,
}

impl Api {
    /// Starts on a free port.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the license service's port")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let service = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("license-api".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    _ = accept(listener, service) => {}
                }
            });
        })?;
        Ok(Self { port, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// How many licenses were made.
    pub(crate) fn made(&self) -> usize {
        self.shared.made.load(Ordering::SeqCst)
    }

    /// How many different labels the licenses have: as many as licenses, unless a purchase got two.
    pub(crate) fn labels(&self) -> usize {
        self.shared.licenses().iter().map(|l| &l.label).collect::<HashSet<_>>().len()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn licenses(&self) -> MutexGuard<'_, Vec<License>> {
        self.licenses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| answer(request, &shared));
            // A connection that the server under test drops is no failure of this one.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let (status, value) = route(&head.method, head.uri.path(), head.uri.query().unwrap_or(""), &body, shared);
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn route(method: &Method, path: &str, query: &str, body: &[u8], shared: &Shared) -> (StatusCode, Value) {
    let key = path.strip_prefix("/v1/licenses/");
    match (method, path, key.and_then(number_of)) {
        (&Method::POST, "/v1/licenses", _) => create(body, shared),
        (&Method::GET, "/v1/licenses", _) => list(query, shared),
        (&Method::GET, _, Some(n)) => one(n, shared, |_| true),
        (&Method::PUT, _, Some(n)) => update(n, body, shared),
        _ => refused(StatusCode::NOT_FOUND, "not_found"),
    }
}

fn create(body: &[u8], shared: &Shared) -> (StatusCode, Value) {
    let Ok(create) = serde_json::from_slice::<Create>(body) else {
        return refused(StatusCode::BAD_REQUEST, "bad_request");
    };
    let created_ms = Clock::Wall.now().ms();
    let mut licenses = shared.licenses();
    let from = licenses.len();
    for _ in 0..create.quantity.unwrap_or(1).min(100) {
        licenses.push(License {
            label: create.label.clone().unwrap_or_default(),
            expires_at: create.expires_at.clone(),
            created_ms,
            devices: create.max_hwid_slots.unwrap_or(1),
            revoked: false,
        });
    }
    let made: Vec<_> = (from..licenses.len()).map(|n| shown(n, &licenses[n], false)).collect();
    shared.made.store(licenses.len(), Ordering::SeqCst);
    (StatusCode::CREATED, json!({ "licenses": made }))
}

fn list(query: &str, shared: &Shared) -> (StatusCode, Value) {
    let number = |name: &str| {
        let found = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        found.and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (from, limit) = (number("cursor").unwrap_or(0), number("limit").unwrap_or(50).clamp(1, 200));
    let licenses = shared.licenses();
    let to = from.saturating_add(limit).min(licenses.len());
    let page: Vec<_> = (from..to).map(|n| shown(n, &licenses[n], false)).collect();
    let cursor = (to < licenses.len()).then(|| to.to_string());
    (StatusCode::OK, json!({ "licenses": page, "cursor": cursor }))
}

fn update(n: usize, body: &[u8], shared: &Shared) -> (StatusCode, Value) {
    let Ok(update) = serde_json::from_slice::<Update>(body) else {
        return refused(StatusCode::BAD_REQUEST, "bad_request");
    };
    one(n, shared, |license| {
        match update.action.as_str() {
            "revoke" => license.revoked = true,
            "activate" => license.revoked = false,
            "extend" => license.expires_at = update.expires_at,
            "reset-hwid" => {}
            _ => return false,
        }
        true
    })
}

fn one(n: usize, shared: &Shared, act: impl FnOnce(&mut License) -> bool) -> (StatusCode, Value) {
    let mut licenses = shared.licenses();
    let Some(license) = licenses.get_mut(n) else { return refused(StatusCode::NOT_FOUND, "not_found") };
    if !act(license) {
        return refused(StatusCode::BAD_REQUEST, "bad_request");
    }
    (StatusCode::OK, shown(n, license, true))
}

fn refused(status: StatusCode, code: &str) -> (StatusCode, Value) {
    (status, json!({ "error": code, "message": "refused by the bench's license service" }))
}

fn shown(n: usize, license: &License, whole: bool) -> Value {
    let mut value = json!({
        "licenseKey": key_of(n),
        "appId": APP,
        "status": if license.revoked { "revoked" } else { "active" },
        "expiresAt": license.expires_at,
        "maxHwidSlots": license.devices,
        "unlimitedHwidSlots": false,
        "createdAt": keyward::domain::time::Timestamp::from_ms(license.created_ms).to_string(),
    });
    if whole {
        value["label"] = json!(license.label);
        value["hwidList"] = json!([]);
    }
    value
}

/// AuthForge's alphabet: no I, O, 0 and 1, so five bits a letter.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The key is its license's number, written as a key.
fn key_of(n: usize) -> String {
    let letters: Vec<char> =
        (0..16).rev().map(|at| char::from(LETTERS[n.checked_shr(at * 5).unwrap_or(0) % 32])).collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn number_of(key: &str) -> Option<usize> {
    key.bytes().filter(|b| *b != b'-').try_fold(0_usize, |n, letter| {
        let digit = LETTERS.iter().position(|l| *l == letter)?;
        n.checked_mul(32)?.checked_add(digit)
    })
}
