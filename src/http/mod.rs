//! The HTTP server: webhooks in, the way to Stripe's page, the success page, the customer portal, what programs ask of the
//! embedded license service, health and metrics.
//!
//! Knows the engine by its [`engine::Handle`] and its views only; decides nothing about purchases. Its input comes from the
//! network by the accept loop (`accept`), its output is receipts turned into statuses, and pages.

mod accept;
mod buy;
pub(crate) mod health;
mod intake;
mod license_words;
mod licenses;
mod limit;
pub(crate) mod metrics;
mod portal;
mod preview;
mod problem;
mod samples;
pub(crate) mod signals;
mod status_text;
mod success;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::id::SourceName;
use crate::effects::services::Services;
use crate::effects::sign_in::SignOut;
use crate::effects::stripe::Account;
use crate::embedded::Programs;
use crate::engine;
use crate::engine::read::counts::Counts;

pub use accept::Peer;
pub use preview::preview;
pub use web::PageMistake;

/// What every handler knows.
#[derive(Clone)]
pub struct App {
    /// The engine's door.
    handle: engine::Handle,
    /// The config as it was loaded.
    config: Arc<Config>,
    /// The webhook counters of every source, in the config's order.
    metrics: Arc<[metrics::SourceMetrics]>,
    /// What deliveries tell of each source, in the same order.
    signals: signals::Signals,
    /// How often one client may ask for success pages.
    limiter: Arc<limit::Limiter>,
    /// What programs ask, where this server is their license service.
    licenses: Option<Arc<licenses::Licenses>>,
    /// Set while the server drains.
    stopping: CancellationToken,
    /// What others know.
    observed: health::Observe,
    /// What was counted of the whole store.
    counts: Arc<Counts>,
    /// What customers look after by themselves, where they can.
    portal: Option<Arc<portal::Portal>>,
    /// What pages are made of.
    site: Arc<web::Site>,
    /// Where things are sold: the sources with an API key.
    stripe: Arc<BTreeMap<SourceName, Arc<Account>>>,
}

impl App {
    /// An app over an engine.
    #[must_use]
    pub fn new(handle: engine::Handle, config: Arc<Config>) -> Self {
        metrics::install();
        let metrics = config
            .sources
            .iter()
            .map(metrics::SourceMetrics::of)
            .collect();
        let signals = signals::of(&config);
        let observed: health::Observe = Arc::new(health::Observed::default);
        let limiter = Arc::new(limit::Limiter::new());
        let site = Arc::new(web::Site::load(&config));
        for mistake in site.mistakes() {
            tracing::error!(%mistake, "the pages have a mistake: what is built in stands in its place");
        }
        Self {
            handle,
            config,
            metrics,
            signals,
            limiter,
            licenses: None,
            stopping: CancellationToken::new(),
            observed,
            counts: Arc::default(),
            portal: None,
            site,
            stripe: Arc::default(),
        }
    }

    /// Notes what deliveries tell where others look.
    #[must_use]
    pub(crate) fn with_signals(mut self, signals: signals::Signals) -> Self {
        self.signals = signals;
        self
    }

    /// Answers the programs that ask the embedded license service.
    #[must_use]
    pub fn with_programs(mut self, programs: Programs) -> Self {
        let (handle, config) = (self.handle.clone(), Arc::clone(&self.config));
        self.licenses = Some(Arc::new(licenses::Licenses::new(programs, handle, config)));
        self
    }

    /// Shows what others know in `/readyz` and `/metrics`.
    #[must_use]
    pub fn with_observed(mut self, observed: health::Observe, counts: Arc<Counts>) -> Self {
        (self.observed, self.counts) = (observed, counts);
        self
    }

    /// Lets customers look after their licenses where the config says so, until the token.
    #[must_use]
    pub fn with_portal(mut self, services: Arc<Services>, stop: &CancellationToken) -> Self {
        if self.config.portal.enabled {
            let url = &self.config.public_url;
            let portal = portal::Portal::start(self.handle.clone(), services, url, stop.clone());
            self.portal = Some(Arc::new(portal));
        }
        self
    }

    /// What ends the sessions of an address, where customers can have any.
    #[must_use]
    pub(crate) fn sign_out(&self) -> Option<SignOut> {
        let portal = Arc::clone(self.portal.as_ref()?);
        Some(Arc::new(move |address| portal.sign_out(address)))
    }

    /// Sells plans through these accounts.
    #[must_use]
    pub fn with_stripe(mut self, accounts: BTreeMap<SourceName, Arc<Account>>) -> Self {
        self.stripe = Arc::new(accounts);
        self
    }
}

/// What is wrong with a vendor's own files of the pages.
#[must_use]
pub fn page_mistakes(config: &Config) -> Vec<PageMistake> {
    samples::mistakes(&web::Site::load(config), &samples::samples(config))
}

/// Every route.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/webhooks/{source}", post(intake::receive))
        .route("/success", get(success::page))
        .route("/success.json", get(success::json))
        .route("/buy/{plan}", get(buy::buy).head(buy::head))
        .route("/checkout", post(buy::checkout).options(buy::preflight))
        .route("/assets/{name}", get(web::asset))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::page))
        .nest("/portal", portal::router())
        .nest("/licenses/v1", licenses::router())
        .fallback(web::not_found)
        .method_not_allowed_fallback(web::wrong_method)
        .with_state(Arc::new(app))
}

/// Serves until the token is cancelled, then answers what has been asked and ends.
///
/// The app's handles to the engine are gone when this returns.
pub async fn serve(listener: TcpListener, app: App, stop: CancellationToken) {
    let limits = accept::Limits::of(&app.config.http);
    let app = App {
        stopping: stop.clone(),
        ..app
    };
    accept::run(listener, router(app), limits, stop).await;
}
