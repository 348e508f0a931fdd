//! Everything put together: store, engine, services, dispatcher, scheduler, HTTP. Started in this order and ended in the
//! reverse one, so that what was acknowledged is carried on and nothing new is taken.
//!
//! `serve`, the demo and the tests start the same server; only the clock and the address differ.

mod again;
mod guard;
mod watch;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Config, Livemode, Service};
use crate::domain::action::Abilities;
use crate::domain::revision::Revisions;
use crate::domain::time::{Span, Timestamp};
use crate::effects::services::{CannotServe, EmbeddedAt, Services, abilities};
use crate::effects::{dispatcher, tls};
use crate::embedded;
use crate::engine::Handle;
use crate::engine::input::{Rules, SourceRules};
use crate::engine::read::counts::Counts;
use crate::engine::record::RecordError;
use crate::engine::record::{gaps, key, revisions};
use crate::engine::write::committer::{self, Committer};
use crate::http;
use crate::store::sled::{Reader, Store, Writer};
use crate::store::{
    Batch, Commit, CommitError, Create, OnBroken, OpenError, Options, Read, StoreFault,
};

/// How long the committer has to write what is queued after the order to stop.
const DRAIN: Span = Span::from_s(15);

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A write at the start.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A service.
    #[error(transparent)]
    Service(#[from] CannotServe),
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
pub enum Broke {
    /// The store: nothing may be answered any more.
    #[error(
        "the store is broken: {0}. Restart: it is repaired at the next start, or the start says what to do"
    )]
    Store(String),
    /// A task of ours.
    #[error("{0} ended: this is a defect")]
    Task(&'static str),
    /// Closing the store.
    #[error("the store could not be closed cleanly: {0}")]
    Close(StoreFault),
}

/// A store opened for a config: the machines' own, and the embedded license service's where it is used.
pub struct Opened {
    /// The machines' store.
    pub store: (Writer, Reader),
    /// The embedded license service's.
    pub licenses: Option<(Writer, Reader)>,
}

/// Opens the stores of a config.
///
/// # Errors
/// [`OpenError`], which says what to do.
pub fn open(
    config: &Config,
    create: Create,
    on_broken: Option<OnBroken>,
) -> Result<Opened, OpenError> {
    if create != Create::Never {
        make_private(&config.data_dir);
    }
    let options = || Options {
        cache_bytes: config.store.cache.bytes(),
        min_free_bytes: config.store.min_free.bytes(),
        create,
        on_broken: on_broken.clone(),
        ..Options::default()
    };
    let store = Store::open(&config.data_dir, options())?;
    let licenses = if uses_embedded(config) {
        let folder = config.data_dir.join("licenses");
        // It comes into being with its config, which may name it only later; it is never lost sight of: its log tells.
        let options = Options {
            create: Create::IfMissing,
            ..options()
        };
        Some(Store::open(&folder, options)?)
    } else {
        None
    };
    Ok(Opened { store, licenses })
}

/// Makes the data directory for its owner only: it holds customers' addresses and keys. What goes wrong here is told by
/// opening the store in it.
fn make_private(dir: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty());
    let made = parent.map_or(Ok(()), std::fs::create_dir_all);
    let _ = made.and_then(|()| std::fs::DirBuilder::new().mode(0o700).create(dir));
}

fn uses_embedded(config: &Config) -> bool {
    let own = config.sources.iter().filter_map(|s| s.licenses.as_ref());
    own.chain(std::iter::once(&config.licenses))
        .any(|l| matches!(l.service, Service::Embedded { .. }))
}

/// The rules of a config over a store: every revision that the store knows, and a new one if the config's plans and
/// policies differ from the newest. Notes the store's beginning at the first call.
///
/// # Errors
/// The store's.
pub fn rules(
    config: &Config,
    store: &mut Writer,
    reader: &Reader,
    now: Timestamp,
) -> Result<Rules, CannotStart> {
    let mut revisions = revisions::kept(&crate::engine::write::working::Committed(reader))?;
    let mut batch = Batch::new();
    let mut working = crate::engine::write::working::Working::new(reader);
    if let Some(revision) = revisions::put(
        &mut working,
        &revisions,
        &config.plans,
        &config.policies,
        now,
    )? {
        let from = revision.from;
        tracing::info!(%from, "the config's plans and policies are a new revision; what happened before is judged as before");
        batch.writes.extend(working.into_writes());
        revisions.push(revision);
    }
    let since = match reader
        .get(&key::general("since"))
        .map_err(RecordError::from)?
    {
        Some(value) => value.bytes[..]
            .try_into()
            .map(i64::from_be_bytes)
            .map_or(now, Timestamp::from_ms),
        None => {
            batch.put(key::general("since"), now.ms().to_be_bytes().to_vec());
            now
        }
    };
    if !batch.is_empty() {
        store.commit(&batch)?;
    }
    Ok(Rules {
        revisions: Revisions::new(revisions).deaf(config.deaf()),
        sources: source_rules(config),
        store_since: Some(since),
    })
}

/// What is taken from each source of a config.
#[must_use]
pub fn source_rules(
    config: &Config,
) -> std::collections::BTreeMap<crate::domain::id::SourceName, SourceRules> {
    let rule = |s: &crate::config::Source| SourceRules {
        livemode: match s.livemode {
            Livemode::Live => Some(true),
            Livemode::Test => Some(false),
            Livemode::Any => None,
        },
        connect: s.connect == crate::config::Connect::Accept,
        abilities: Abilities {
            looks_up: s.api_key.is_some(),
            ..abilities(config.licenses_of(&s.name), config.mail_of(&s.name))
        },
    };
    config
        .sources
        .iter()
        .map(|s| (s.name.clone(), rule(s)))
        .collect()
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
    stop: CancellationToken,
    committer: Committer,
    tasks: Tasks,
}

struct Tasks {
    http: tokio::task::JoinHandle<()>,
    dispatcher: tokio::task::JoinHandle<Result<(), RecordError>>,
    scheduler: crate::scheduler::Scheduler,
    guard: tokio::task::JoinHandle<()>,
    again: tokio::task::JoinHandle<()>,
    watch: tokio::task::JoinHandle<()>,
    embedded: Option<tokio::task::JoinHandle<Result<(), embedded::ServeError>>>,
    embedded_stop: CancellationToken,
}

impl Server {
    /// Starts everything over opened stores.
    ///
    /// # Errors
    /// [`CannotStart`]; nothing runs then.
    pub async fn start(
        config: Config,
        opened: Opened,
        listener: TcpListener,
        clock: Clock,
    ) -> Result<Self, CannotStart> {
        tls::install();
        let system = |what: &str| {
            let what = what.to_owned();
            move |error| CannotStart::System { what, error }
        };
        let address = listener
            .local_addr()
            .map_err(system("reading the listening address"))?;
        let (mut writer, reader) = opened.store;
        let now = clock.now();
        let rules = rules(&config, &mut writer, &reader, now)?;
        let heartbeat = gaps::last_heartbeat(&reader);
        guard::note_start(&mut writer, &reader, (heartbeat, rules.store_since), now)?;
        let config = Arc::new(config);
        let embedded_stop = CancellationToken::new();
        let (embedded_at, embedded) = match opened.licenses {
            Some((writer, reader)) => {
                let (at, task) = start_embedded(&config, writer, reader, &clock, &embedded_stop)
                    .await
                    .map_err(system("starting the embedded license service"))?;
                (Some(at), Some(task))
            }
            None => (None, None),
        };
        let services = Arc::new(Services::new(&config, embedded_at.as_ref())?);
        let queue_len_max = usize::try_from(config.http.queue_len_max).unwrap_or(usize::MAX);
        let (handle, committer) = committer::start(
            Box::new(writer),
            Arc::new(reader),
            rules,
            clock,
            queue_len_max,
        )
        .map_err(system("starting the committer"))?;
        let stop = CancellationToken::new();
        let due = Arc::new(Notify::new());
        let (jumped, jumps) = tokio::sync::mpsc::channel(JUMPS_MAX);
        let bells = crate::scheduler::Bells {
            due: Arc::clone(&due),
            // A full channel has jumps enough that are not looked at yet.
            jumped: Arc::new(move |jump| {
                let _ = jumped.try_send(jump);
            }),
            upkeep: Arc::new(http::metrics::upkeep),
            counts: Arc::default(),
        };
        let counts = Arc::clone(&bells.counts);
        let guard = guard::run(
            handle.clone(),
            heartbeat,
            jumps,
            config.time.catch_up,
            stop.clone(),
        );
        let guard = tokio::spawn(guard);
        let again = tokio::spawn(again::run(handle.clone(), stop.clone()));
        let scheduler = crate::scheduler::start(handle.clone(), &config, &stop, bells)
            .await
            .map_err(|error| CannotStart::System {
                what: "starting the scheduler".to_owned(),
                error: std::io::Error::other(error.to_string()),
            })?;
        let observed = observed(&scheduler, Arc::clone(&services), Arc::clone(&counts));
        let app = http::App::new(handle.clone(), Arc::clone(&config))
            .with_observed(observed, Arc::clone(&counts));
        let watch = tokio::spawn(watch::run(
            handle.clone(),
            Arc::clone(&services),
            counts,
            stop.clone(),
        ));
        let http = tokio::spawn(http::serve(listener, app, stop.clone()));
        let dispatcher = tokio::spawn(dispatcher::run(
            handle.clone(),
            Arc::clone(&services),
            Arc::clone(&due),
            stop.clone(),
        ));
        let tasks = Tasks {
            http,
            dispatcher,
            scheduler,
            guard,
            again,
            watch,
            embedded,
            embedded_stop,
        };
        Ok(Self {
            address,
            handle,
            services,
            due,
            embedded: embedded_at,
            stop,
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
    /// actions under way get ten seconds, the store is closed.
    ///
    /// # Errors
    /// [`Broke`]: the process should end at once and be restarted.
    /// `others` ends when everybody else who holds a handle to the engine has let it go.
    pub async fn run(self, others: impl Future<Output = ()>) -> Result<(), Broke> {
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
                    Ok(Err(error)) => Broke::Store(error.to_string()),
                    Ok(Ok(())) | Err(_) => Broke::Task("the dispatcher"),
                }),
                _ = &mut tasks.http => break Some(Broke::Task("the HTTP server")),
                () = crate::clock::pause(WATCH) => if committer.is_finished() {
                    break Some(Broke::Task("the committer"));
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
            return Err(why.map_or(broke, Broke::Store));
        }
        let _ = tasks.http.await;
        tasks.scheduler.shutdown().await;
        let _ = tasks.guard.await;
        let _ = tasks.again.await;
        let _ = tasks.watch.await;
        let _ = tasks.dispatcher.await;
        others.await;
        drop((handle, services));
        let joined = tokio::task::spawn_blocking(move || committer.join());
        let store = tokio::select! {
            joined = joined => joined,
            () = crate::clock::pause(DRAIN) => return Err(Broke::Task("a task that holds the engine's door never")),
        };
        tasks.embedded_stop.cancel();
        if let Some(embedded) = tasks.embedded {
            let _ = embedded.await;
        }
        match store {
            Ok(Ok(store)) => store.close().map_err(Broke::Close),
            Ok(Err(why)) => Err(Broke::Store(why)),
            Err(_) => Err(Broke::Task("the committer")),
        }
    }
}

/// The scheduler's last runs and the services, as `/readyz` shows them.
fn observed(
    scheduler: &crate::scheduler::Scheduler,
    services: Arc<Services>,
    counts: Arc<Counts>,
) -> http::health::Observe {
    let runs = scheduler.runs();
    Arc::new(move || {
        let run = |r: crate::scheduler::Run| http::health::JobRun {
            name: r.job.as_str(),
            last_run: r.last,
            silent: r.silent,
        };
        http::health::Observed {
            jobs: runs.all().into_iter().map(run).collect(),
            services: watch::reports(&services, &counts),
        }
    })
}

/// Jumps of the clock that wait to be looked at.
const JUMPS_MAX: usize = 4;

/// How often the committer's thread is looked at.
const WATCH: Span = Span::from_ms(500);

async fn start_embedded(
    config: &Config,
    writer: Writer,
    reader: Reader,
    clock: &Clock,
    stop: &CancellationToken,
) -> std::io::Result<(
    EmbeddedAt,
    tokio::task::JoinHandle<Result<(), embedded::ServeError>>,
)> {
    let listen = match config.licenses.service {
        Service::Embedded { listen } => listen,
        Service::AuthForge { .. } => SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let listener = TcpListener::bind(listen).await?;
    let at = EmbeddedAt {
        address: listener.local_addr()?,
        token: embedded::new_token(),
    };
    let ledger = embedded::StoreLedger::new(reader, writer);
    let task = tokio::spawn(embedded::serve(
        listener,
        ledger,
        at.token.clone(),
        clock.clone(),
        stop.clone(),
    ));
    Ok((at, task))
}

/// Whether a data directory holds a store.
#[must_use]
pub fn has_store(data_dir: &Path) -> bool {
    data_dir.join("log").exists() || data_dir.join("store").exists()
}
