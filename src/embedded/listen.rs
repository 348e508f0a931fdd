//! The port: accepts connections until told to stop, then lets what was begun end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::pause;
use crate::domain::time::Span;

/// How many connections at a time; a client keeps about eight.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection may take to send a request's head, idle time between requests included: well above the
/// client's idle limit, so that it is the client who closes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);
/// How long requests that were begun may take to end after the stop.
const DRAIN: Span = Span::from_s(10);
/// The wait after a failed accept, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Span = Span::from_ms(100);

/// Serves a router on a port until told to stop. A port that fails for a moment is tried again. When it returns, or is
/// dropped, no connection is left.
pub(super) async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            pause(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        // Without it, an answer may wait for the kernel's timer; a failure costs only that.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            // A connection's error is its client's business.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(router);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = pause(DRAIN) => {}
    }
    connections.shutdown().await;
}
