//! The license service inside the binary: for trying Keyward out, and for whoever needs no other. It serves the API
//! that the license client speaks, on a loopback port of its own, from a store of its own; a client needs not know the
//! difference.
//!
//! It behaves like AuthForge where that is documented, so that what is tried here holds there: no idempotency, a list
//! without labels. Beyond it, it takes `suspend`, `activate` and `update` (devices), and a `label=` in the list.
//!
//! `record` is a license as stored, `book` all of them and the rules, `ledger` the way to the disk, `writer` the one
//! writer, `api` the HTTP, `listen` the port.

mod api;
mod book;
mod ledger;
mod listen;
mod record;
mod writer;

pub use api::DEVICES_MAX;
pub use ledger::{Ledger, LedgerError, MemoryLedger, StoreLedger};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::secret::Secret;

/// Why the service ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store could not be read or written. What was answered before is safe; start again.
    #[error("the embedded license service's store: {0}")]
    Ledger(#[from] LedgerError),
    /// The writer broke down.
    #[error("the embedded license service's writer broke down: {0}")]
    Writer(#[from] tokio::task::JoinError),
}

/// A new token of 256 random bits, for when none is configured.
#[must_use]
pub fn new_token() -> Secret {
    Secret::new(format!(
        "kw_embedded_{}",
        hex::encode(rand::random::<[u8; 32]>())
    ))
}

/// Serves the API until told to stop; then answers what was begun, and returns. Every license in an answer is on disk.
///
/// # Errors
/// When the store fails. Nobody is answered from a store that failed.
pub async fn serve(
    listener: TcpListener,
    ledger: impl Ledger,
    token: Secret,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let (writer, written) = writer::start(ledger, clock).await?;
    // Ends with the caller's stop, with a failing writer, or when this future is dropped.
    let stop = stop.child_token();
    let _stop_when_dropped = stop.clone().drop_guard();
    let watched = tokio::spawn({
        let stop = stop.clone();
        async move {
            let end = written.await;
            stop.cancel();
            end
        }
    });
    listen::accept(listener, api::router(writer, token), stop).await;
    watched.await???;
    Ok(())
}
