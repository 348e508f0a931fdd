//! `keyward serve`: opens the store, starts everything in one place, and ends it in order.
//!
//! The end: a signal stops the front (no new deliveries, no commands, no bell) and tells the dispatcher; what is queued is
//! committed; actions in flight get ten seconds; then the last handle is gone, the committer ends, and the store closes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::args::ServeArgs;
use super::ask::load;
use super::reload::Reloader;
use super::report;
use super::wiring::services;
use crate::admin::{Failure, Service, socket};
use crate::clock::Clock;
use crate::config::{Config, Env};
use crate::server::{self, Server};
use crate::store::{Create, OnBroken};

/// Runs the server until it is told to stop.
///
/// # Errors
/// Why it could not start, or had to end.
pub fn run(config_path: &Path, args: &ServeArgs) -> Result<(), Failure> {
    let (config, warnings) = load(config_path, &Env::process())?;
    report::findings(&warnings);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
    runtime.block_on(live(config_path, config, args.new))
}

/// Threads for requests. A core is left to the committer and to sled, which have threads of their own and all writes to do:
/// docs/decisions/4-one-writer.md. What takes long, or goes to sled for long, is none of these threads' work.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

async fn live(path: &Path, config: Config, new: bool) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let hangup = listen_for(SignalKind::hangup())?;
    let listener = bind(config.listen).await?;
    let opened = server::open(
        &config,
        if new {
            Create::IfMissing
        } else {
            Create::Never
        },
        Some(end_at_once()),
    )?;
    let (data_dir, names) = (config.data_dir.clone(), services(&config));
    let started = config.clone();
    // Before requests are answered: whoever sees that the server is there may give it orders.
    let socket = socket::bind(&data_dir)
        .map_err(|e| Failure::ours(format!("no control socket in {}: {e}", data_dir.display())))?;
    let running = Server::start(config, opened, listener, Clock::Wall).await?;
    let stop = running.stopper();
    let service = Service::new(running.handle.clone(), names).with_running(
        Arc::clone(&running.services),
        Arc::clone(&running.attention),
    );
    // Reloads come one at a time, and who orders one waits for it.
    let (ordered, orders) = mpsc::channel(1);
    let service = service
        .with_backups(Arc::clone(&running.backups), stop.clone())
        .with_sign_out(running.sign_out.clone())
        .with_reload(ordered);
    let asked = tokio::spawn(socket.serve(service, stop.clone()));
    let (handle, services) = (running.handle.clone(), Arc::clone(&running.services));
    let reloader = Reloader {
        path: path.to_owned(),
        started,
        handle,
        services,
    };
    let reloading = tokio::spawn(reloader.run(hangup, orders, stop.clone(), reloads));
    tracing::info!(address = %running.address, "listening");
    tell(&[NotifyState::Ready]);
    let order = stop.clone();
    tokio::spawn(async move {
        let name = signals.next().await;
        tracing::info!(
            signal = name,
            "stopping: what is queued is committed, actions in flight get 10 s"
        );
        tell(&[NotifyState::Stopping]);
        order.cancel();
        signals.next().await;
        tracing::warn!(
            "told twice to stop: ended without waiting; what was in flight is looked up at the next start"
        );
        std::process::exit(2);
    });
    let ended = running.run(async move {
        // The control socket and the reloader hold handles to the engine, which must be gone before the store can close.
        let _ = asked.await;
        let _ = reloading.await;
    });
    ended.await?;
    tracing::info!("the store is closed");
    Ok(())
}

/// A store that broke says nothing true any more: the process ends at once, and the next start repairs or refuses.
fn end_at_once() -> OnBroken {
    Arc::new(|fault| {
        tracing::error!(%fault, "the store broke; the process ends");
        std::process::exit(2)
    })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|e| {
        Failure::input(format!("cannot listen on {address}: {e}"))
            .hint("is another server running there? `listen` in the config says where")
    })
}

/// Tells systemd, if it started us. That it did not is no error.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// Tells systemd that the config is being loaded, or that it was.
fn reloads(begins: bool) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) if begins => tell(&[NotifyState::Reloading, now]),
        Ok(_) | Err(_) => tell(&[NotifyState::Ready]),
    }
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::ours(format!("no signals: {e}")))
}

/// SIGTERM and SIGINT.
struct Signals(Signal, Signal);

impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self(
            listen_for(SignalKind::terminate())?,
            listen_for(SignalKind::interrupt())?,
        ))
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.0.recv() => "SIGTERM",
            _ = self.1.recv() => "SIGINT",
        }
    }
}
