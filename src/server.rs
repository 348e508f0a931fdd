//! Everything put together: store, engine, services, dispatcher, scheduler, HTTP. Started in this order and ended in the
//! reverse one, so that what was acknowledged is carried on and nothing new is taken.
//!
//! `serve`, the demo and the tests start the same server; only the clock and the address differ.

mod addresses;
mod alerts;
mod applications;
mod audit;
mod backfill;
mod backfills;
#[cfg(test)]
mod dispatched;
mod embedded_service;
mod endpoints;
mod guard;
mod kept;
mod missed;
pub(crate) mod mode;
mod opening;
mod other_handler;
mod parts;
mod quiet;
mod reparse;
mod rules;
mod service_change;
mod source_names;
mod vitals;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SteadyClock};
use crate::config::Config;
use crate::domain::time::{Span, Timestamp};
use crate::effects::health::ServerAttention;
use crate::effects::services::{EmbeddedAt, ServiceConfigError, Services};
use crate::effects::sign_in::SignOut;
use crate::effects::{dispatcher, tls};
use crate::engine::Handle;
use crate::engine::backup::Backups;
use crate::engine::read::counts::Counts;
use crate::engine::read::sources::Renamed;
use crate::engine::record::server::gone_services;
use crate::engine::record::{RecordError, gaps, probe};
use crate::engine::write::committer::{self, Committer};
use crate::engine::write::working::Committed;
use crate::http;
use crate::store::{CommitError, OpenError, StoreFault};
pub use applications::named_by;
use embedded_service::{EmbeddedRunning, EmbeddedTask};
pub use opening::{LicensesGone, Opened, begin_licenses_anew, open, uses_embedded};
use parts::Parts;
pub use rules::{rules, source_rules};

/// How long the committer has to write what is queued after the order to stop.
const DRAIN: Span = Span::from_s(15);

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The embedded license service's store is gone.
    #[error(transparent)]
    LicensesGone(#[from] LicensesGone),
    /// A source has another name than before.
    #[error("{renamed}")]
    Renamed {
        /// The names before and after.
        renamed: Renamed,
    },
    /// A write at the start.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A service.
    #[error(transparent)]
    Service(#[from] ServiceConfigError),
    /// The system.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// What it said.
        error: std::io::Error,
    },
}

/// Why a server ended other than by an order.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store: nothing may be answered any more.
    #[error(
        "the store is broken: {0}. Restart: it is repaired at the next start, or the start says what to do"
    )]
    Store(String),
    /// A task of ours.
    #[error("{0} ended: this is a defect")]
    Task(&'static str),
    /// A task of ours does not end.
    #[error(
        "a task still holds the engine's door {DRAIN} after the order to stop: this is a defect. Nothing is lost"
    )]
    Hangs,
    /// Closing the store.
    #[error("the store could not be closed cleanly: {0}")]
    Close(StoreFault),
}

/// A running server.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// The engine's door.
    pub handle: Handle,
    /// What reaches outside.
    pub services: Arc<Services>,
    /// Rings the dispatcher and the wake-ups: time may have made something due.
    pub due: Arc<Notify>,
    /// Where the embedded license service listens, if it runs.
    pub embedded: Option<EmbeddedAt>,
    /// What waits for a person apart from purchases.
    pub(crate) attention: ServerAttention,
    /// Makes backups of the stores.
    pub backups: Arc<Backups>,
    /// Ends the sessions of an address at the portal, where there is one.
    pub(crate) sign_out: Option<SignOut>,
    stop: CancellationToken,
    committer: Committer,
    tasks: Tasks,
}

struct Tasks {
    http: tokio::task::JoinHandle<()>,
    dispatcher: tokio::task::JoinHandle<Result<(), RecordError>>,
    scheduler: crate::scheduler::Scheduler,
    guard: tokio::task::JoinHandle<()>,
    backfill: tokio::task::JoinHandle<()>,
    reparse: tokio::task::JoinHandle<()>,
    addresses: tokio::task::JoinHandle<()>,
    audit: tokio::task::JoinHandle<()>,
    watch: tokio::task::JoinHandle<()>,
    alerts: tokio::task::JoinSet<()>,
    embedded: Option<EmbeddedTask>,
    embedded_stop: CancellationToken,
}

/// An error of the system's, with what was tried.
fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> StartError {
    move |error| StartError::System {
        what: what.to_owned(),
        error,
    }
}

impl Tasks {
    /// Starts everything that works beside the committer.
    async fn start(
        parts: &Parts,
        (heartbeat, steady): (Option<Timestamp>, SteadyClock),
        listener: TcpListener,
        mut running: EmbeddedRunning,
    ) -> Result<(Self, Option<SignOut>), StartError> {
        let Parts {
            handle,
            config,
            services,
            due,
            backfills,
            stop,
            ..
        } = parts;
        let counts: Arc<Counts> = Arc::default();
        let notifiers = parts.notifiers(&counts);
        let catch_up = config.time.catch_up;
        let guard = guard::run(
            handle.clone(),
            heartbeat,
            (catch_up, Arc::clone(backfills)),
            steady,
            stop.clone(),
        );
        let guard = tokio::spawn(guard);
        let backfill = backfill::start(parts);
        let reparse = tokio::spawn(reparse::run(handle.clone(), stop.clone()));
        let addresses = tokio::spawn(addresses::run(handle.clone(), stop.clone()));
        let audit = audit::start(parts, &notifiers.audit);
        let scheduler = crate::scheduler::start(handle.clone(), config, stop, notifiers)
            .await
            .map_err(|error| std::io::Error::other(error.to_string()))
            .map_err(system("starting the scheduler"))?;
        let observed = parts.observed(&scheduler, &counts);
        let app = http::App::new(handle.clone(), Arc::clone(config))
            .with_observed(observed, Arc::clone(&counts))
            .with_stripe(services.selling_accounts())
            .with_portal(Arc::clone(services), stop)
            .with_signals(Arc::clone(&parts.signals));
        let app = running.answering(app);
        let sign_out = app.sign_out();
        let alerts = alerts::start(parts, &scheduler)?;
        let watch = watch::run(handle.clone(), Arc::clone(services), counts, stop.clone());
        let dispatcher = dispatcher::run(
            handle.clone(),
            Arc::clone(services),
            Arc::clone(due),
            Arc::clone(&parts.pulse),
            stop.clone(),
        );
        let tasks = Self {
            watch: tokio::spawn(watch),
            alerts,
            http: tokio::spawn(http::serve(listener, app, stop.clone())),
            dispatcher: tokio::spawn(dispatcher),
            scheduler,
            guard,
            backfill,
            reparse,
            addresses,
            audit,
            embedded: running.task,
            embedded_stop: running.stop,
        };
        Ok((tasks, sign_out))
    }
}

impl Server {
    /// Starts everything over opened stores.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(
        config: Config,
        opened: Opened,
        listener: TcpListener,
        clock: Clock,
    ) -> Result<Self, StartError> {
        tls::install();
        let address = listener
            .local_addr()
            .map_err(system("reading the listening address"))?;
        let backups = parts::backups(&config, &opened);
        let (mut writer, reader) = opened.store;
        source_names::judge(&reader, &config)?;
        let mut config = config;
        config.learn(|service| probe::of(&Committed(&reader), service))?;
        let now = clock.now();
        let rules = rules(&config, &mut writer, &reader, now)?;
        let heartbeat = gaps::last_heartbeat(&reader);
        guard::note_start(&mut writer, &reader, (heartbeat, rules.store_since), now)?;
        let config = Arc::new(config);
        let steady = SteadyClock::new(clock.clone());
        let mut running = EmbeddedRunning::default();
        if let Some(store) = opened.licenses {
            running = EmbeddedRunning::start(&config, store, steady.clone())
                .await
                .map_err(system("starting the embedded license service"))?;
        }
        let embedded_at = running.at.clone();
        let services = Arc::new(Services::new(&config, embedded_at.as_ref())?);
        services.take_up(gone_services(&reader)?, now);
        let queue_len_max = usize::try_from(config.http.queue_len_max).unwrap_or(usize::MAX);
        let (handle, committer) = committer::start(
            Box::new(writer),
            Arc::new(reader),
            rules,
            clock,
            queue_len_max,
        )
        .map_err(system("starting the committer"))?;
        // Before anything is decided, or sent, that they may hold back.
        guard::hold_at_start(&handle, heartbeat, config.time.catch_up);
        mode::follow(&handle, config.mode, handle.clock()).await?;
        service_change::judge(&handle, &config).await?;
        applications::judge(&handle, &config).await?;
        let parts = Parts::new(handle, config, services, backups);
        let (tasks, sign_out) =
            Tasks::start(&parts, (heartbeat, steady), listener, running).await?;
        Ok(Self {
            address,
            handle: parts.handle,
            services: parts.services,
            due: parts.due,
            embedded: embedded_at,
            attention: parts.attention,
            backups: parts.backups,
            sign_out,
            stop: parts.stop,
            committer,
            tasks,
        })
    }

    /// The order to stop; give it and wait in [`Self::run`].
    #[must_use]
    pub fn stopper(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs until the stop token or until something breaks, then drains: no new deliveries, what is queued is committed,
    /// actions under way get ten seconds, the store is closed. `others` ends when everybody else who holds a handle to the
    /// engine has let it go.
    ///
    /// # Errors
    /// [`RunError`]: the process should end at once and be restarted.
    pub async fn run(self, others: impl Future<Output = ()>) -> Result<(), RunError> {
        let Self {
            handle,
            stop,
            committer,
            mut tasks,
            services,
            ..
        } = self;
        let broken = loop {
            tokio::select! {
                // In this order: on an order to stop the tasks end too, and that they did is no defect then.
                biased;
                () = stop.cancelled() => break None,
                ended = &mut tasks.dispatcher => break Some(match ended {
                    Ok(Err(error)) => RunError::Store(error.to_string()),
                    Ok(Ok(())) | Err(_) => RunError::Task("the dispatcher"),
                }),
                _ = &mut tasks.http => break Some(RunError::Task("the HTTP server")),
                () = crate::clock::pause(WATCH) => if committer.is_finished() {
                    break Some(RunError::Task("the committer"));
                }
            }
        };
        if let Some(broke) = broken {
            // A broken store tells its own story, whoever noticed first.
            let why = if committer.is_finished() {
                committer.join().err()
            } else {
                None
            };
            return Err(why.map_or(broke, RunError::Store));
        }
        let _ = tasks.http.await;
        tasks.scheduler.shutdown().await;
        let _ = tasks.guard.await;
        let _ = tasks.backfill.await;
        let _ = tasks.reparse.await;
        let _ = tasks.addresses.await;
        let _ = tasks.audit.await;
        let _ = tasks.watch.await;
        while tasks.alerts.join_next().await.is_some() {}
        let _ = tasks.dispatcher.await;
        others.await;
        drop((handle, services));
        let joined = tokio::task::spawn_blocking(move || committer.join());
        let store = tokio::select! {
            joined = joined => joined,
            () = crate::clock::pause(DRAIN) => return Err(RunError::Hangs),
        };
        tasks.embedded_stop.cancel();
        if let Some(embedded) = tasks.embedded {
            let _ = embedded.await;
        }
        match store {
            Ok(Ok(store)) => store.close().map_err(RunError::Close),
            Ok(Err(why)) => Err(RunError::Store(why)),
            Err(_) => Err(RunError::Task("the committer")),
        }
    }
}

/// How often the committer's thread is looked at.
const WATCH: Span = Span::from_ms(500);
