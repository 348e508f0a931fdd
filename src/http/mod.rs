//! The HTTP server: webhooks in, the success page, health and metrics.
//!
//! Knows the engine by its [`engine::Handle`] and its views only; decides nothing about purchases. Its input comes from the
//! network by the accept loop (`accept`), its output is receipts turned into statuses, and pages.

pub mod accept;
pub mod health;
mod intake;
pub mod metrics;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::engine;

pub use accept::Peer;

/// What every handler knows.
#[derive(Clone)]
pub struct App {
    /// The engine's door.
    pub(crate) handle: engine::Handle,
    /// The config as it was loaded.
    pub(crate) config: Arc<Config>,
    /// The webhook counters of every source, in the config's order.
    pub(crate) doors: Arc<[metrics::Door]>,
    /// Set while the server drains.
    pub(crate) stopping: CancellationToken,
    /// The scheduler's last runs.
    pub(crate) jobs: health::Jobs,
}

impl App {
    /// An app over an engine.
    #[must_use]
    pub fn new(handle: engine::Handle, config: Arc<Config>) -> Self {
        metrics::install();
        let doors = config.sources.iter().map(metrics::Door::of).collect();
        let jobs: health::Jobs = Arc::new(Vec::new);
        Self { handle, config, doors, stopping: CancellationToken::new(), jobs }
    }

    /// Shows the scheduler's last runs in `/readyz`.
    #[must_use]
    pub fn with_jobs(mut self, jobs: health::Jobs) -> Self {
        self.jobs = jobs;
        self
    }
}

/// Every route.
#[must_use]
pub fn router(app: App) -> Router {
    Router::new()
        .route("/webhooks/{source}", post(intake::receive))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::page))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::wrong_method)
        .with_state(Arc::new(app))
}

/// Serves until the token is cancelled, then answers what has been asked and ends.
///
/// The app's handles to the engine are gone when this returns.
pub async fn serve(listener: TcpListener, app: App, stop: CancellationToken) {
    let limits = accept::Limits::of(&app.config.http);
    let app = App { stopping: stop.clone(), ..app };
    accept::run(listener, router(app), limits, stop).await;
}
