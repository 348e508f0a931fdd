//! `GET /healthz`: the process lives. `GET /readyz`: it can take deliveries, with what one would ask next.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use crate::domain::time::Timestamp;

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

/// Asks the scheduler for its last runs.
pub type Jobs = Arc<dyn Fn() -> Vec<JobRun> + Send + Sync>;

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
    jobs: Vec<JobRun>,
}

/// The process lives.
pub(super) async fn healthz() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// It can take deliveries. A silent job is told but does not make it unready: deliveries are safe without it.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let (store_open, full) = (app.handle.is_open(), app.handle.is_full());
    let stopping = app.stopping.is_cancelled();
    let readiness = Readiness {
        ready: store_open && !full && !stopping,
        store_open,
        full,
        stopping,
        queue_len: app.handle.queue_len(),
        queue_len_max: app.config.http.queue_len_max,
        now: app.handle.clock().now(),
        stops_held: app.handle.stops_held().map(|why| why.to_string()),
        jobs: (app.jobs)(),
    };
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}
