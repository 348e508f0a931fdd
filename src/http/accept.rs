//! The accept loop: a bound on connections, a deadline for every request's head, and a graceful end.
//!
//! `axum::serve` 0.8 installs no timer, so that a half-sent head holds a connection for ever (tokio-rs/axum#2741).
//! HTTP/1 only: hyper-util's version-sniffing builder reads the first bytes without a deadline (hyperium/hyper#3756).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::clock::pause;
use crate::config::Http;
use crate::domain::time::Span;

/// A connection that cannot be accepted for want of file descriptors is tried again after this: they come back when
/// others close, and a loop without a pause would burn a processor until then.
const ACCEPT_AGAIN: Span = Span::from_ms(100);
/// How long a drain waits for requests under way: longer than a batch takes, shorter than systemd's patience.
const DRAIN_MAX: Span = Span::from_s(15);
/// The largest head of a request: Stripe's are below 2 KiB.
const HEAD_LEN_MAX: usize = 32 << 10;

/// Who is at the other end of the connection; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The limits that the loop keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    connections_max: usize,
    header_timeout: Span,
}

impl Limits {
    /// From the config.
    pub(super) fn of(http: &Http) -> Self {
        Self {
            connections_max: usize::try_from(http.connections_max)
                .unwrap_or(Semaphore::MAX_PERMITS),
            header_timeout: http.header_timeout,
        }
    }
}

/// Accepts and serves connections until the token is cancelled; then lets requests under way end.
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(
        limits.connections_max.min(Semaphore::MAX_PERMITS),
    ));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout.to_std())
        .max_buf_size(HEAD_LEN_MAX);
    let mut connections = JoinSet::new();
    loop {
        // The permit comes first: whoever is over the bound waits in the kernel's queue and costs nothing here.
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let connection = serve_one(
                    stream,
                    Peer(peer),
                    router.clone(),
                    http.clone(),
                    stop.clone(),
                );
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::select! { () = pause(ACCEPT_AGAIN) => {} () = stop.cancelled() => break }
            }
        }
    }
    // New connections are refused from here on.
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        () = pause(DRAIN_MAX) => tracing::warn!("requests were still under way at the end of the drain: cut off"),
    }
    connections.shutdown().await;
}

async fn serve_one(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    http: http1::Builder,
    stop: CancellationToken,
) {
    // Answers are one small segment: waiting for more would only delay them. A failure costs 40 ms, no more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let answer = router.clone().call(request.map(Body::new));
        async move { answer.await as Result<Response<Body>, Infallible> }
    });
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The other end went away or was too slow: nothing to be done, and not ours.
        tracing::debug!(%error, peer = %peer.0, "a connection ended early");
    }
}
