//! `keyward serve`: opens the store, starts everything in one place, and ends it in order.
//!
//! The end: a signal stops the front (no new deliveries, no commands, no bell) and tells the dispatcher; what is queued is
//! committed; actions in flight get ten seconds; then the last handle is gone, the committer ends, and the store closes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::args::ServeArgs;
use super::ask::load;
use super::control;
use super::desk::Desk;
use super::fail::Failure;
use super::report;
use super::store::{OnBroken, open_store, revise, rules};
use super::wiring::services;
use crate::clock::Clock;
use crate::config::{Config, Env};
use crate::engine::Handle;
use crate::engine::committer::{self, Committer};

/// How long actions in flight, and requests that are being answered, get to end by themselves.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs the server until it is told to stop.
///
/// # Errors
/// Why it could not start, or had to end.
pub fn run(config_path: &Path, args: &ServeArgs) -> Result<(), Failure> {
    let (config, warnings) = load(config_path, &Env::process())?;
    report::findings(&warnings);
    let (handle, committer) = open_engine(&config, args.new, Clock::Wall)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
    let served = runtime.block_on(live(Arc::new(config), handle));
    // Whatever still holds a handle ends here, so that the committer can.
    runtime.shutdown_timeout(Duration::from_secs(1));
    committer.join().map_err(|why| Failure::ours(format!("the store broke: {why}")))?;
    tracing::info!("the store is closed");
    served
}

/// Opens the store, keeps a new revision where plans or policies changed, and starts the committer.
///
/// # Errors
/// Why not.
pub fn open_engine(config: &Config, new: bool, clock: Clock) -> Result<(Handle, Committer), Failure> {
    let (mut writer, reader) = open_store(config, new, clock.now(), Some(end_at_once()))?;
    let opened = writer.report();
    tracing::info!(seq = opened.seq.0, replayed = opened.replayed, created = opened.created, "the store is open");
    if revise(config, &mut writer, &reader, clock.now())? {
        tracing::info!("plans and policies of the config are a new revision, in force from now on");
    }
    let rules = rules(config, &reader)?;
    let queue_len_max = usize::try_from(config.http.queue_len_max).unwrap_or(usize::MAX);
    committer::start(Box::new(writer), Arc::new(reader), rules, clock, queue_len_max)
        .map_err(|e| Failure::ours(format!("no thread for the engine: {e}")))
}

/// A store that broke says nothing true any more: the process ends at once, and the next start repairs or refuses.
fn end_at_once() -> OnBroken {
    Arc::new(|fault| {
        tracing::error!(%fault, "the store broke; the process ends");
        std::process::exit(2)
    })
}

/// What runs, in the two groups in which it ends.
struct Running {
    /// Cancelled when the end begins.
    stop: CancellationToken,
    /// What brings work in: HTTP, the control socket, the scheduler.
    front: TaskTracker,
    /// What carries work out: the dispatcher, and the embedded license service under it.
    effects: TaskTracker,
}

async fn live(config: Arc<Config>, handle: Handle) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let listener = bind(config.listen).await?;
    let running = start(&config, &handle, listener)?;
    tell(NotifyState::Ready);
    let ended = tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping: what is queued is committed, actions in flight get 10 s");
            Ok(())
        }
        () = engine_ended(&handle) => Err(Failure::ours("the engine ended by itself; see the log")),
    };
    drop(handle);
    tell(NotifyState::Stopping);
    tokio::select! {
        () = running.drain() => ended,
        _ = signals.next() => Err(Failure::ours("told twice to stop: ended without waiting")
            .hint("nothing that was acknowledged is lost; what was in flight is looked up at the next start")),
    }
}

/// Starts everything that runs beside the committer. Each part gets what it needs and the stop token, no more.
fn start(config: &Arc<Config>, handle: &Handle, listener: TcpListener) -> Result<Running, Failure> {
    let running = Running { stop: CancellationToken::new(), front: TaskTracker::new(), effects: TaskTracker::new() };
    let desk = Desk::new(handle.clone(), services(config));
    let door = control::bind(&config.data_dir)
        .map_err(|e| Failure::ours(format!("no control socket in {}: {e}", config.data_dir.display())))?;
    running.front.spawn(door.serve(desk, running.stop.clone()));
    let address = listener.local_addr().map_err(|e| Failure::ours(format!("no address: {e}")))?;
    tracing::info!(%address, public = config.public_url, "listening");
    running.front.spawn(hold(listener, running.stop.clone()));
    running.front.close();
    running.effects.close();
    Ok(running)
}

/// Keeps the address until the end.
async fn hold(listener: TcpListener, stop: CancellationToken) {
    stop.cancelled().await;
    drop(listener);
}

impl Running {
    /// Ends both groups, each within its time from the same instant.
    async fn drain(&self) {
        self.stop.cancel();
        let front = tokio::time::timeout(DRAIN, self.front.wait());
        let effects = tokio::time::timeout(DRAIN, self.effects.wait());
        let (front, effects) = tokio::join!(front, effects);
        if front.is_err() {
            tracing::warn!("requests that took too long were cut off");
        }
        if effects.is_err() {
            tracing::warn!("actions that took too long were left; their outcome is looked up at the next start");
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|e| {
        Failure::input(format!("cannot listen on {address}: {e}"))
            .hint("is another server running there? `listen` in the config says where")
    })
}

/// Returns when the committer's thread has ended: its bell falls silent.
async fn engine_ended(handle: &Handle) {
    let mut bell = handle.bell();
    while bell.changed().await.is_ok() {}
}

/// Tells systemd, if it started us. That it did not is no error.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// SIGTERM and SIGINT.
struct Signals(Signal, Signal);

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|e| Failure::ours(format!("no signals: {e}")));
        Ok(Self(listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?))
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.0.recv() => "SIGTERM",
            _ = self.1.recv() => "SIGINT",
        }
    }
}
