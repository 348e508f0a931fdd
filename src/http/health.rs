//! `GET /healthz`: the process lives. `GET /readyz`: it can take deliveries, with what one would ask next.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use crate::domain::attention::Attention;
use crate::domain::id::SourceName;
use crate::domain::time::Timestamp;
use crate::engine::backup::status::BackupStatus;
use crate::engine::read::attention::held_back;
use crate::engine::read::counts::backlog::Waits;

/// A scheduler job's last run, as `/readyz` tells it.
#[derive(Clone, Debug, Serialize)]
pub struct JobRun {
    /// The job.
    pub name: &'static str,
    /// When it last ended; `None`: not yet.
    pub last_run: Option<Timestamp>,
    /// Whether the watchdog had to ring for it.
    pub silent: bool,
}

/// A service that Keyward works with, as its breaker has it and as what waits for it was last counted.
#[derive(Clone, Debug)]
pub struct ServiceReport {
    /// `authforge`, `embedded`, `mail` or `stripe`.
    pub service: &'static str,
    /// What waits for it, for each source that uses it; `None`: it was not counted yet, for the server has just started.
    pub by_source: BTreeMap<SourceName, Option<Waits>>,
    /// How it fares.
    pub state: &'static str,
    /// All words for that.
    pub states: &'static [&'static str],
    /// Since when; `None`: since the start.
    pub since: Option<Timestamp>,
    /// What it said; empty while it is up.
    pub why: String,
}

/// What others know and `/readyz` and `/metrics` show.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The scheduler's last runs.
    pub jobs: Vec<JobRun>,
    pub services: Vec<ServiceReport>,
    /// When the last backup was proven.
    pub backup: BackupStatus,
}

/// Asks the others. It reads what is in memory; it never walks the store.
pub type Observe = Arc<dyn Fn() -> Observed + Send + Sync>;

/// A service's line.
#[derive(Serialize)]
struct ServiceLine {
    service: &'static str,
    sources: Vec<String>,
    state: &'static str,
    /// Absent: since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    /// Null: not counted yet.
    waiting: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_waiting_s: Option<i64>,
}

impl ServiceLine {
    fn of(report: ServiceReport, now: Timestamp) -> Self {
        let waits = report
            .by_source
            .values()
            .try_fold(Waits::default(), |sum, more| Some(sum.and((*more)?)));
        Self {
            service: report.service,
            sources: report.by_source.keys().map(ToString::to_string).collect(),
            state: report.state,
            since: report.since,
            why: report.why,
            waiting: waits.map(|waits| waits.count),
            oldest_waiting_s: waits
                .and_then(|waits| waits.oldest)
                .map(|since| (now - since).ms().max(0) / 1000),
        }
    }
}

/// When the last backup was proven, and what went wrong since.
#[derive(Serialize)]
struct BackupLine {
    /// Null: never.
    proven_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

impl BackupLine {
    fn of(status: BackupStatus, now: Timestamp) -> Self {
        Self {
            age_s: status.age_s(now),
            proven_at: status.newest.map(|proven| proven.at),
            failed: status.failed.map(|failed| failed.what().to_owned()),
        }
    }
}

/// An order that holds work back.
#[derive(Serialize)]
struct HeldBackLine {
    /// The service or the plan.
    about: String,
    since: Timestamp,
    why: String,
    /// The command that ends it.
    ended_by: String,
}

impl HeldBackLine {
    fn of(waits: &Attention) -> Self {
        Self {
            about: waits.concern.about(),
            since: waits.since,
            why: waits.concern.to_string(),
            ended_by: waits.concern.settled_by(),
        }
    }
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    store_open: bool,
    full: bool,
    stopping: bool,
    queue_len: usize,
    queue_len_max: u32,
    now: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    stops_held: Option<String>,
    /// By whom, when and why the whole shop is only observed; absent: it is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    observe: Option<String>,
    /// Orders that hold work back beside that: a paused service, a plan that is only observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held_back: Vec<HeldBackLine>,
    services: Vec<ServiceLine>,
    jobs: Vec<JobRun>,
    backup: BackupLine,
}

/// The process lives.
pub(super) async fn healthz() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// It can take deliveries. A silent job or a service that is down is told but does not make it unready: deliveries are safe
/// without them, and what they lead to waits.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let (store_open, full) = (app.handle.is_open(), app.handle.is_full());
    let stopping = app.stopping.is_cancelled();
    let (now, observed) = (app.handle.clock().now(), (app.observed)());
    let readiness = Readiness {
        ready: store_open && !full && !stopping,
        store_open,
        full,
        stopping,
        queue_len: app.handle.queue_len(),
        queue_len_max: app.config.http.queue_len_max,
        now,
        stops_held: app.handle.stops_held().map(|why| why.to_string()),
        observe: app
            .handle
            .standing()
            .observes(None)
            .map(|order| format!("by {} since {}: {}", order.by, order.at, order.reason)),
        held_back: held_back(&app.handle.standing(), &app.handle.rules(), None)
            .iter()
            .map(HeldBackLine::of)
            .collect(),
        services: observed
            .services
            .into_iter()
            .map(|s| ServiceLine::of(s, now))
            .collect(),
        jobs: observed.jobs,
        backup: BackupLine::of(observed.backup, now),
    };
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        [(header::CACHE_CONTROL, "no-store")],
        Json(readiness),
    )
        .into_response()
}
