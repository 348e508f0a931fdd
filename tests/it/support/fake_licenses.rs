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

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use keyward::domain::action::{Abilities, Act, GrantStatus};
use keyward::domain::id::{EventId, LicenseKey};
use keyward::domain::plan::Devices;
use keyward::domain::service::{Cannot, License, apply};
use keyward::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The API key that it takes.
pub const API_KEY: &str = "af_live_test";

/// What goes wrong, and how the service behaves where AuthForge's documentation is silent. All shares in percent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Decides which request fails how.
    pub seed: u64,
    /// 5xx; half of them after doing the work.
    pub error_pct: u64,
    /// No answer at all; half of them after doing the work.
    pub hang_pct: u64,
    /// The connection is closed without an answer; half of them after doing the work.
    pub drop_pct: u64,
    /// Done and answered 2xx, with a body that breaks off.
    pub garbage_pct: u64,
    /// No answer, and the work is done `late_ms` later.
    pub late_pct: u64,
    /// See `late_pct`.
    pub late_ms: u64,
    /// 429, nothing done.
    pub limited_pct: u64,
    /// What a 429 or 5xx says in `Retry-After`.
    pub retry_after: Option<String>,
    /// 5xx and 429 come from a gateway, as HTML.
    pub html: bool,
    /// Every call (402: every create) is refused with this status.
    pub refuse: Option<u16>,
    /// How long every answer takes, in milliseconds.
    pub latency_ms: u64,
    /// So many blanks precede every body.
    pub pad_bytes: usize,
    /// Licenses younger than this are not in the list yet.
    pub list_lag_ms: u64,
    /// The list stays as it is, whatever is made.
    pub list_frozen: bool,
    /// So many more list requests with a cursor are refused.
    pub refuse_cursors: u32,
    /// The list shows labels.
    pub list_shows_label: bool,
    /// The list heeds `label=`.
    pub finds_by_label: bool,
    /// What comes of an earlier end: `accept`, `refuse` (400) or `ignore` (200, unchanged).
    pub shorten: String,
    /// `activate` is refused.
    pub refuse_activate: bool,
    /// A change to what is so already is refused with 400.
    pub refuse_repeats: bool,
    /// A successful update is answered with `{}`.
    pub silent_updates: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 1,
            error_pct: 0,
            hang_pct: 0,
            drop_pct: 0,
            garbage_pct: 0,
            late_pct: 0,
            late_ms: 0,
            limited_pct: 0,
            retry_after: None,
            html: false,
            refuse: None,
            latency_ms: 0,
            pad_bytes: 0,
            list_lag_ms: 0,
            list_frozen: false,
            refuse_cursors: 0,
            list_shows_label: false,
            finds_by_label: false,
            shorten: "accept".into(),
            refuse_activate: false,
            refuse_repeats: false,
            silent_updates: false,
        }
    }
}

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

    /// Somebody else's hand: changes a license behind Keyward's back.
    pub fn third_hand(&self, key: &str, change: impl FnOnce(&mut Kept)) {
        let mut db = self.shared.db();
        let at = db.index[key];
        change(&mut db.licenses[at]);
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

/// A fake in a process of its own, so that it outlives whoever is killed. It ends when this is dropped or the caller
/// dies, for then its standard input closes.
pub struct Process {
    child: std::process::Child,
    base: String,
}

/// Where a process of its own reads its faults from, as JSON, and its address.
const FAULTS_VAR: &str = "FAKE_LICENSES_FAULTS";
const ADDR_VAR: &str = "FAKE_LICENSES_ADDR";

impl Process {
    /// Runs `command`, which must call [`serve_until_stdin_closes`], with these faults at this address (port 0: free).
    pub fn start(mut command: std::process::Command, addr: &str, faults: &Faults) -> Self {
        use std::io::BufRead;
        use std::process::Stdio;
        command
            .env(FAULTS_VAR, serde_json::to_string(faults).unwrap())
            .env(ADDR_VAR, addr);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let base = lines.find_map(|l| Some(l.split_once("listening on ")?.1.to_owned()));
        // What it says later is heard, for else its pipe would break.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            base: base.unwrap(),
            child,
        }
    }

    /// The base address of its API; what it holds is at `../_fake/licenses`, `counters` and `faults`.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The other side of [`Process`].
#[allow(
    clippy::print_stdout,
    reason = "this is how the caller learns the port"
)]
pub async fn serve_until_stdin_closes() {
    let faults = std::env::var(FAULTS_VAR)
        .map_or_else(|_| Faults::default(), |f| serde_json::from_str(&f).unwrap());
    let addr = std::env::var(ADDR_VAR).unwrap_or_else(|_| "127.0.0.1:0".into());
    let fake = Fake::start_at(&addr, faults).await;
    println!("listening on {}", fake.base());
    let closed =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = closed.await;
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

/// What is done to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    ErrorBefore,
    ErrorAfter,
    HangBefore,
    HangAfter,
    DropBefore,
    DropAfter,
    Garbage,
    Late,
    Limited,
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
            Fault::None | Fault::Garbage => self.answer(&call, &faults, authorized),
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

    fn answer(&self, call: &Call, faults: &Faults, authorized: bool) -> Reply {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        if !authorized {
            return plain_error(401, "invalid_api_key");
        }
        match faults.refuse {
            Some(402) if call.method != "POST" => {}
            Some(402) => return plain_error(402, "no_credits"),
            Some(401) => return plain_error(401, "invalid_api_key"),
            Some(status) => return plain_error(status, "forbidden"),
            None => {}
        }
        match (call.method.as_str(), &path[..]) {
            ("POST", ["v1", "licenses"]) => self.create(&call.body),
            ("GET", ["v1", "licenses"]) => self.list(&call.query, faults),
            ("GET", ["v1", "licenses", key]) => {
                self.one(key, |kept| (200, serde_json::to_string(kept).unwrap()))
            }
            ("PUT", ["v1", "licenses", key]) => {
                self.one(key, |kept| update(kept, &call.body, faults))
            }
            _ => plain_error(404, "not_found"),
        }
    }

    fn create(&self, body: &Value) -> Reply {
        let Some(app_id) = body["appId"].as_str() else {
            return plain_error(400, "bad_request");
        };
        let label = body["label"].as_str();
        let slots = body["maxHwidSlots"].as_u64().unwrap_or(1);
        let Ok(expires_at) = serde_json::from_value(body["expiresAt"].clone()) else {
            return plain_error(400, "bad_request");
        };
        if !(1..=16).contains(&slots) || label.is_some_and(|l| l.chars().count() > 128) {
            return plain_error(400, "bad_request");
        }
        let mut db = self.db();
        let kept = Kept {
            license_key: key_of(db.licenses.len() as u64),
            app_id: app_id.into(),
            status: "active".into(),
            expires_at,
            max_hwid_slots: u32::try_from(slots).unwrap(),
            unlimited_hwid_slots: body["unlimitedHwidSlots"].as_bool().unwrap_or(false),
            hwid_list: vec![],
            label: label.map(Into::into),
            created_at: now(),
        };
        let mut shown = serde_json::to_value(&kept).unwrap();
        shown.as_object_mut().unwrap().remove("label");
        let at = db.licenses.len();
        db.index.insert(kept.license_key.clone(), at);
        db.licenses.push(kept);
        (201, json!({ "licenses": [shown] }).to_string())
    }

    fn list(&self, query: &HashMap<String, String>, faults: &Faults) -> Reply {
        let get = |name| query.get(name).map(String::as_str);
        let limit: usize = get("limit").map_or(50, |l| l.parse().unwrap_or(0));
        let Ok(from) = get("cursor").unwrap_or("0").parse::<usize>() else {
            return plain_error(400, "bad_request");
        };
        let Some(app) = get("appId").filter(|_| (1..=200).contains(&limit)) else {
            return plain_error(400, "bad_request");
        };
        if from > 0 && faults.refuse_cursors > 0 {
            self.faults.lock().unwrap().refuse_cursors -= 1;
            return plain_error(400, "bad_request");
        }
        let youngest =
            now() - chrono::TimeDelta::milliseconds(i64::try_from(faults.list_lag_ms).unwrap());
        let db = self.db();
        let until = if faults.list_frozen {
            db.frozen_at
        } else {
            db.licenses.len()
        };
        let label = get("label").filter(|_| faults.finds_by_label);
        let all = db.licenses[..until].iter().enumerate().skip(from);
        let mut shown = all.filter(|(_, l)| {
            l.app_id == app
                && l.created_at <= youngest
                && (label.is_none() || l.label.as_deref() == label)
        });
        let mut page: Vec<Value> = vec![];
        let mut cursor = Value::Null;
        for (at, kept) in shown.by_ref().take(limit) {
            let mut entry = serde_json::to_value(kept).unwrap();
            let fields = entry.as_object_mut().unwrap();
            fields.remove("hwidList");
            if !faults.list_shows_label {
                fields.remove("label");
            }
            page.push(entry);
            cursor = (at + 1).to_string().into();
        }
        if shown.next().is_none() {
            cursor = Value::Null;
        }
        (
            200,
            json!({ "licenses": page, "cursor": cursor }).to_string(),
        )
    }

    fn one(&self, key: &str, act: impl FnOnce(&mut Kept) -> Reply) -> Reply {
        let mut db = self.db();
        match db.index.get(key).copied() {
            Some(at) => act(&mut db.licenses[at]),
            None => (
                404,
                json!({ "error": "not_found", "message": format!("no license {key}") }).to_string(),
            ),
        }
    }
}

fn update(kept: &mut Kept, body: &Value, faults: &Faults) -> Reply {
    let key = LicenseKey::new(kept.license_key.as_str());
    let is = kept.expires_at.map(instant);
    let act = match body["action"].as_str() {
        Some("revoke") if faults.refuse_repeats && kept.status == "revoked" => {
            return plain_error(400, "bad_request");
        }
        Some("revoke") => Act::Revoke { key },
        Some("activate") if faults.refuse_activate => return plain_error(400, "bad_request"),
        Some("activate") if faults.refuse_repeats && kept.status == "active" => {
            return plain_error(400, "bad_request");
        }
        Some("activate") => Act::Reinstate { key, until: is },
        Some("reset-hwid") => Act::ResetDevices {
            key,
            decision: EventId::from("by a call"),
        },
        Some("extend") => {
            match serde_json::from_value::<Option<DateTime<Utc>>>(body["expiresAt"].clone()) {
                Ok(to) => Act::SetExpiry {
                    key,
                    until: to.map(instant),
                },
                Err(_) => return plain_error(400, "bad_request"),
            }
        }
        _ => return plain_error(400, "bad_request"),
    };
    let abilities = Abilities {
        can_shorten: faults.shorten == "accept",
        ..Abilities::simulated()
    };
    match apply_to(kept, &act, &abilities) {
        Err(Cannot::Shorten) if faults.shorten == "ignore" => {}
        Err(_) => return plain_error(400, "bad_request"),
        Ok(()) => {}
    }
    if faults.silent_updates {
        (200, "{}".into())
    } else {
        (200, serde_json::to_string(kept).unwrap())
    }
}

/// Lets the model act on a license as it is kept here.
fn apply_to(kept: &mut Kept, act: &Act, abilities: &Abilities) -> Result<(), Cannot> {
    let mut license = License {
        key: LicenseKey::new(kept.license_key.as_str()),
        label: None,
        status: if kept.status == "revoked" {
            GrantStatus::Revoked
        } else {
            GrantStatus::Live
        },
        expires_at: kept.expires_at.map(instant),
        devices: Devices::Count(kept.max_hwid_slots),
    };
    let confirmed = apply(&mut license, act, abilities)?;
    kept.status = if confirmed.status == GrantStatus::Revoked {
        "revoked"
    } else {
        "active"
    }
    .into();
    kept.expires_at = confirmed
        .expires_at
        .and_then(|at| DateTime::from_timestamp_millis(at.ms()));
    if matches!(act, Act::ResetDevices { .. }) {
        kept.hwid_list.clear();
    }
    Ok(())
}

fn instant(at: DateTime<Utc>) -> Timestamp {
    Timestamp::from_ms(at.timestamp_millis())
}

impl Faults {
    fn draw(&self, request: u64) -> Fault {
        let dice = mix(self.seed ^ mix(request));
        let (mut roll, half) = (dice % 100, (dice / 100).is_multiple_of(2));
        for (pct, before, after) in [
            (self.error_pct, Fault::ErrorBefore, Fault::ErrorAfter),
            (self.hang_pct, Fault::HangBefore, Fault::HangAfter),
            (self.drop_pct, Fault::DropBefore, Fault::DropAfter),
            (self.garbage_pct, Fault::Garbage, Fault::Garbage),
            (self.late_pct, Fault::Late, Fault::Late),
            (self.limited_pct, Fault::Limited, Fault::Limited),
        ] {
            if roll < pct {
                return if half { before } else { after };
            }
            roll -= pct;
        }
        Fault::None
    }
}

/// SplitMix64's finalizer: neighbouring numbers to unrelated ones.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
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

fn plain_error(status: u16, code: &str) -> Reply {
    (
        status,
        json!({ "error": code, "message": format!("{code}, said the fake") }).to_string(),
    )
}

fn error(status: u16, code: &str, faults: &Faults) -> Reply {
    match faults.html {
        true => (
            status,
            format!("<html>\n<head><title>{status} from a gateway</title></head>\n</html>"),
        ),
        false => plain_error(status, code),
    }
}

fn respond((status, body): Reply, retry_after: &Option<String>) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    if let Some(after) = retry_after
        .as_ref()
        .filter(|_| status == 429 || status >= 500)
    {
        response = response.header("retry-after", after);
    }
    response.body(Full::new(Bytes::from(body))).unwrap()
}

fn decode(segment: &str) -> String {
    let url = reqwest::Url::parse(&format!(
        "http://x/?{}",
        segment
            .replace('+', "%2B")
            .replace('&', "%26")
            .replace('=', "%3D")
    ))
    .unwrap();
    url.query_pairs()
        .next()
        .map_or(String::new(), |(name, _)| name.into_owned())
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
