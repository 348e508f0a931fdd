//! A license service that answers at once: AuthForge's wire shape, licenses in memory, a thread of its own. It is where
//! licenses are counted, never in the server under test. It speaks just enough HTTP/1.1 to cost little beside that server.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use keyward::clock::{Clock, pause};
use keyward::domain::time::Span;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::key::{key_of, number_of};
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
    /// How long each answer takes.
    delay: Duration,
}

/// What the service says of itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Stats {
    /// How many licenses were made.
    pub(crate) made: usize,
    /// How many different labels they have.
    pub(crate) labels: usize,
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
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the license service's port")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let service = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("license-api".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        _ = accept(listener, service) => {}
                    }
                });
            })?;
        Ok(Self {
            port,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Serves on a port until the process is killed; each answer takes `delay`.
    pub(crate) fn serve_for_ever(port: u16, delay: Duration) -> Result<()> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).context("the license service's port")?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            delay,
            ..Shared::default()
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(accept(listener, shared))
    }

    /// How many licenses were made.
    pub(crate) fn made(&self) -> usize {
        self.shared.made.load(Ordering::SeqCst)
    }

    /// How many different labels the licenses have: as many as licenses, unless a purchase got two.
    pub(crate) fn labels(&self) -> usize {
        self.shared.labels()
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

    fn labels(&self) -> usize {
        let licenses = self.licenses();
        let labels: HashSet<_> = licenses.iter().map(|l| &l.label).collect();
        labels.len()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection that the server under test drops is no failure of this one.
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

/// The longest request that is taken.
const REQUEST_MAX: usize = 64 * 1024;

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> Result<()> {
    let (mut buffer, mut filled) = (vec![0; REQUEST_MAX], 0);
    loop {
        ensure!(
            filled < buffer.len(),
            "a request of more than {REQUEST_MAX} bytes"
        );
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        while let Some((head_len, len)) = whole(&buffer[..filled])? {
            let head = std::str::from_utf8(&buffer[..head_len]).context("a request's head")?;
            let mut words = head.split(' ');
            let (method, target) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let is_license = path != STATS;
            if is_license && !shared.delay.is_zero() {
                pause(Span::from_ms(
                    i64::try_from(shared.delay.as_millis()).unwrap_or(i64::MAX),
                ))
                .await;
            }
            let (status, value) = route(method, path, query, &buffer[head_len..len], &shared);
            let body = serde_json::to_string(&value).context("an answer")?;
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await?;
            buffer.copy_within(len..filled, 0);
            filled -= len;
        }
    }
}

/// The lengths of the first request's head and of all of it, if it is there.
fn whole(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(head_len) = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
    else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..head_len]).context("a request's head")?;
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let len = head_len
        + length
            .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())
            .context("a body's length")?;
    Ok((bytes.len() >= len).then_some((head_len, len)))
}

/// Where the service says what it has made.
pub(crate) const STATS: &str = "/stats";

const OK: &str = "200 OK";
const CREATED: &str = "201 Created";
const BAD_REQUEST: &str = "400 Bad Request";
const NOT_FOUND: &str = "404 Not Found";

type Answer = (&'static str, Body);

/// What an answer says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Body {
    Made {
        licenses: Vec<Shown>,
    },
    Page {
        licenses: Vec<Shown>,
        cursor: Option<String>,
    },
    One(Shown),
    Stats(Stats),
    Refused {
        error: String,
        message: &'static str,
    },
}

/// A license as the service shows it: all of it, or what a list tells.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    license_key: String,
    app_id: &'static str,
    status: &'static str,
    expires_at: Option<Box<str>>,
    max_hwid_slots: u16,
    unlimited_hwid_slots: bool,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hwid_list: Option<[&'static str; 0]>,
}

fn route(method: &str, path: &str, query: &str, body: &[u8], shared: &Shared) -> Answer {
    let key = path.strip_prefix("/v1/licenses/");
    match (method, path, key.and_then(number_of)) {
        ("POST", "/v1/licenses", _) => create(body, shared),
        ("GET", "/v1/licenses", _) => list(query, shared),
        ("GET", STATS, _) => {
            let made = shared.made.load(Ordering::SeqCst);
            let labels = if query == "labels" {
                shared.labels()
            } else {
                0
            };
            (OK, Body::Stats(Stats { made, labels }))
        }
        ("GET", _, Some(n)) => one(n, shared, |_| true),
        ("PUT", _, Some(n)) => update(n, body, shared),
        _ => refused(NOT_FOUND, "not_found"),
    }
}

fn create(body: &[u8], shared: &Shared) -> Answer {
    let Ok(create) = serde_json::from_slice::<Create>(body) else {
        return refused(BAD_REQUEST, "bad_request");
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
    let made: Vec<_> = (from..licenses.len())
        .map(|n| shown(n, &licenses[n], false))
        .collect();
    shared.made.store(licenses.len(), Ordering::SeqCst);
    (CREATED, Body::Made { licenses: made })
}

fn list(query: &str, shared: &Shared) -> Answer {
    let number = |name: &str| {
        let found = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name);
        found.and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (from, limit) = (
        number("cursor").unwrap_or(0),
        number("limit").unwrap_or(50).clamp(1, 200),
    );
    let licenses = shared.licenses();
    let to = from.saturating_add(limit).min(licenses.len());
    let page: Vec<_> = (from..to).map(|n| shown(n, &licenses[n], false)).collect();
    let cursor = (to < licenses.len()).then(|| to.to_string());
    (
        OK,
        Body::Page {
            licenses: page,
            cursor,
        },
    )
}

fn update(n: usize, body: &[u8], shared: &Shared) -> Answer {
    let Ok(update) = serde_json::from_slice::<Update>(body) else {
        return refused(BAD_REQUEST, "bad_request");
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

fn one(n: usize, shared: &Shared, act: impl FnOnce(&mut License) -> bool) -> Answer {
    let mut licenses = shared.licenses();
    let Some(license) = licenses.get_mut(n) else {
        return refused(NOT_FOUND, "not_found");
    };
    if !act(license) {
        return refused(BAD_REQUEST, "bad_request");
    }
    (OK, Body::One(shown(n, license, true)))
}

fn refused(status: &'static str, code: &str) -> Answer {
    (
        status,
        Body::Refused {
            error: code.to_owned(),
            message: "refused by the bench's license service",
        },
    )
}

fn shown(n: usize, license: &License, whole: bool) -> Shown {
    Shown {
        license_key: key_of(n),
        app_id: APP,
        status: if license.revoked { "revoked" } else { "active" },
        expires_at: license.expires_at.clone(),
        max_hwid_slots: license.devices,
        unlimited_hwid_slots: false,
        created_at: keyward::domain::time::Timestamp::from_ms(license.created_ms).to_string(),
        label: whole.then(|| license.label.clone()),
        hwid_list: whole.then_some([]),
    }
}
