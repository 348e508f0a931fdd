//! A license service in memory that speaks AuthForge's API as Keyward assumes it, and fails on purpose.
//!
//! What an act makes of a license is the one model's ([`keyward::domain::service`]); the HTTP around it, and where AuthForge's
//! documentation is silent, is this file's. A test may run it as a process of
//! its own. Which request fails how is decided by the seed and the request's number alone. What it holds is the truth
//! that the laws are counted against: [`Fake::licenses`].

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test uses another part; the benchmark a third"
)]
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "it serves tests"
)]

mod faults;
mod process;
mod reply;
mod service;

use http_body_util::BodyExt;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use keyward::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;

pub use faults::Faults;
use faults::{Fault, mix};
pub use process::{Process, serve_until_stdin_closes};
use reply::{decode, error, respond};

/// The API key that it takes.
pub const API_KEY: &str = "af_live_test";

/// A license as the service keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    pub license_key: String,
    pub app_id: String,
    pub status: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub max_hwid_slots: u32,
    pub unlimited_hwid_slots: bool,
    pub hwid_list: Vec<String>,
    pub label: Option<String>,
    pub created_at: DateTime<Utc>,
}

#[derive(Default)]
struct Db {
    licenses: Vec<Kept>,
    index: HashMap<String, usize>,
    frozen_at: usize,
    first_listed: Option<usize>,
    counters: BTreeMap<String, u64>,
}

struct Shared {
    db: Mutex<Db>,
    faults: Mutex<Faults>,
    requests: AtomicU64,
}

/// A running fake; it stops when dropped.
pub struct Fake {
    shared: Arc<Shared>,
    addr: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Fake {
    /// Starts on a free port of the loopback, or on `addr`.
    pub async fn start_at(addr: &str, faults: Faults) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let requests = AtomicU64::new(0);
        let shared = Arc::new(Shared {
            db: Mutex::default(),
            faults: Mutex::new(faults),
            requests,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            shared,
            addr,
            accepting,
        }
    }

    /// Starts with these faults.
    pub async fn start(faults: Faults) -> Self {
        Self::start_at("127.0.0.1:0", faults).await
    }

    /// The base address of its API.
    pub fn base(&self) -> String {
        format!("http://{}/v1/", self.addr)
    }

    /// Switches faults while it runs.
    pub fn switch(&self, change: impl FnOnce(&mut Faults)) {
        let mut faults = self.shared.faults.lock().unwrap();
        let was_frozen = faults.list_frozen;
        change(&mut faults);
        if faults.list_frozen && !was_frozen {
            let mut db = self.shared.db();
            db.frozen_at = db.licenses.len();
        }
    }

    /// All licenses that it holds, in the order of their making: the truth.
    pub fn licenses(&self) -> Vec<Kept> {
        self.shared.db().licenses.clone()
    }

    /// How many licenses carry each label.
    pub fn by_label(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for license in &self.shared.db().licenses {
            *counts
                .entry(license.label.clone().unwrap_or_default())
                .or_default() += 1;
        }
        counts
    }

    /// Somebody else's hand: makes a license behind Keyward's back. Returns its key.
    pub fn made_elsewhere(
        &self,
        app_id: &str,
        label: Option<&str>,
        expires_at: Option<DateTime<Utc>>,
        slots: u32,
    ) -> String {
        let mut db = self.shared.db();
        let at = db.licenses.len();
        let license_key = key_of(at as u64);
        db.index.insert(license_key.clone(), at);
        db.licenses.push(Kept {
            license_key: license_key.clone(),
            app_id: app_id.into(),
            status: "active".into(),
            expires_at,
            max_hwid_slots: slots,
            unlimited_hwid_slots: false,
            hwid_list: vec![],
            label: label.map(Into::into),
            created_at: now(),
        });
        license_key
    }

    /// Somebody else's hand: changes a license behind Keyward's back.
    pub fn third_hand(&self, key: &str, change: impl FnOnce(&mut Kept)) {
        let mut db = self.shared.db();
        let at = db.index[key];
        change(&mut db.licenses[at]);
    }

    /// How many licenses it held when its list was first asked for.
    pub fn first_listed(&self) -> Option<usize> {
        self.shared.db().first_listed
    }

    /// How often each call (`POST`, `GET one`, `GET list`, `PUT revoke` …) and each fault (`fault …`) came.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        self.shared.db().counters.clone()
    }

    /// Which of the next requests (the first is 1) would be the first to fail under a seed and a share of errors.
    pub fn first_failure(&self, seed: u64, error_pct: u64) -> Option<u64> {
        let next = self.shared.requests.load(Ordering::SeqCst);
        let faults = Faults {
            seed,
            error_pct,
            ..Faults::default()
        };
        (0..100)
            .find(|n| faults.draw(next + n) != Fault::None)
            .map(|n| n + 1)
    }

    /// One counter.
    pub fn counter(&self, name: &str) -> u64 {
        self.shared.db().counters.get(name).copied().unwrap_or(0)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| Arc::clone(&shared).serve(request));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new());
        connections
            .spawn(async move { drop(http.serve_connection(TokioIo::new(stream), service).await) });
        while connections.try_join_next().is_some() {}
    }
}

struct Call {
    method: String,
    path: Vec<String>,
    query: HashMap<String, String>,
    body: Value,
}

type Reply = (u16, String);

impl Shared {
    fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap()
    }

    /// An error closes the connection without an answer.
    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let authorized = request
            .headers()
            .get("authorization")
            .is_some_and(|v| v == &format!("Bearer {API_KEY}"));
        let url = format!("http://x{}", request.uri());
        let url = reqwest::Url::parse(&url).unwrap();
        let method = request.method().to_string();
        let body = request
            .into_body()
            .collect()
            .await
            .map_err(std::io::Error::other)?
            .to_bytes();
        let path = url.path_segments().unwrap().map(decode).collect();
        let query = url.query_pairs().into_owned().collect();
        let call = Call {
            method,
            path,
            query,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        };
        if call.path[0] == "_fake" {
            return Ok(respond(self.control(&call), &None));
        }
        let faults = self.faults.lock().unwrap().clone();
        let fault = faults.draw(self.requests.fetch_add(1, Ordering::SeqCst));
        self.count(&call, fault);
        wait(faults.latency_ms).await;
        let reply = match fault {
            Fault::None | Fault::Garbage => {
                let reply = self.answer(&call, &faults, authorized);
                while call.method == "POST" && self.faults.lock().unwrap().hold_creates {
                    wait(10).await;
                }
                reply
            }
            Fault::Limited => error(429, "rate_limited", &faults),
            Fault::ErrorBefore => error(500, "internal_error", &faults),
            Fault::ErrorAfter => {
                self.answer(&call, &faults, authorized);
                error(502, "internal_error", &faults)
            }
            Fault::DropBefore => return Err(std::io::Error::other("dropped")),
            Fault::DropAfter => {
                self.answer(&call, &faults, authorized);
                return Err(std::io::Error::other("dropped"));
            }
            Fault::HangBefore => std::future::pending().await,
            Fault::HangAfter => {
                self.answer(&call, &faults, authorized);
                std::future::pending().await
            }
            Fault::Late => {
                let (this, faults) = (self, faults.clone());
                tokio::spawn(async move {
                    wait(faults.late_ms).await;
                    this.answer(&call, &faults, authorized);
                });
                std::future::pending().await
            }
        };
        let (status, mut text) = reply;
        if fault == Fault::Garbage && status < 300 {
            text.truncate(text.len() / 2);
        }
        text.insert_str(0, &" ".repeat(faults.pad_bytes));
        Ok(respond((status, text), &faults.retry_after))
    }

    fn count(&self, call: &Call, fault: Fault) {
        let name = match (call.method.as_str(), call.path.len()) {
            ("GET", 2) => "GET list".into(),
            ("GET", _) => "GET one".into(),
            ("PUT", _) => format!("PUT {}", call.body["action"].as_str().unwrap_or("?")),
            (method, _) => method.to_owned(),
        };
        let mut db = self.db();
        if name == "GET list" && !call.query.contains_key("cursor") {
            *db.counters.entry("GET list begun".into()).or_default() += 1;
        }
        *db.counters.entry(name).or_default() += 1;
        if fault != Fault::None {
            *db.counters.entry(format!("fault {fault:?}")).or_default() += 1;
        }
    }

    /// For whoever runs it as a process: `GET /_fake/licenses`, `GET /_fake/counters`, `PUT /_fake/faults`.
    fn control(&self, call: &Call) -> Reply {
        match call.path.get(1).map(String::as_str) {
            Some("licenses") => (200, serde_json::to_string(&self.db().licenses).unwrap()),
            Some("counters") => (200, serde_json::to_string(&self.db().counters).unwrap()),
            Some("faults") => match serde_json::from_value(call.body.clone()) {
                Ok(faults) => {
                    *self.faults.lock().unwrap() = faults;
                    (200, "{}".into())
                }
                Err(e) => (400, e.to_string()),
            },
            _ => (404, String::new()),
        }
    }
}

fn instant(at: DateTime<Utc>) -> Timestamp {
    Timestamp::from_ms(at.timestamp_millis())
}

/// The nth key, of AuthForge's form: four groups of letters without I and O and digits 2 to 9. Distinct, for `mix` is
/// a bijection and 64 bits fill the first 13 places.
fn key_of(n: u64) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut bits = u128::from(mix(n));
    let mut key = String::new();
    for place in 0..16 {
        if place > 0 && place % 4 == 0 {
            key.push('-');
        }
        key.push(char::from(ALPHABET[usize::try_from(bits % 32).unwrap()]));
        bits /= 32;
    }
    key
}

#[expect(
    clippy::disallowed_methods,
    reason = "a foreign service has its own clock"
)]
fn now() -> DateTime<Utc> {
    // Milliseconds, as AuthForge's examples show them.
    let text = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    text.parse().unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a foreign service is as slow as it is"
)]
async fn wait(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
