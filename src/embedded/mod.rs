//! The license service inside the binary: for trying Keyward out, and for whoever needs no other. It serves the API
//! that the license client speaks, on a loopback port of its own, from a store of its own; a client needs not know the
//! difference.
//!
//! It behaves like AuthForge where that is documented, so that what is tried here holds there: no idempotency, a list
//! without labels. Beyond it, it takes `suspend`, `activate` and `update` (devices), and a `label=` in the list.
//!
//! Programs ask it, too: whether their key is live, for a device's place, for a file to work offline ([`Programs`]). The
//! public listener serves that half; answers come from memory and are signed.
//!
//! `record` is a license as stored, `book` all of them and the rules, `device` the rules for devices, `key_form` the form of
//! a key, `key_secret` which one a license gets, `ledger` the way to the disk, `writer` the one writer, `signer` the key pair, `programs` what programs ask, `api`
//! the HTTP for Keyward's own client, `listen` its port.

mod api;
mod book;
mod device;
mod key_form;
mod key_secret;
mod ledger;
mod listen;
mod programs;
mod record;
mod signer;
mod writer;

pub use api::DEVICES_MAX;
pub use ledger::{Ledger, LedgerError, MemoryLedger, PREFIX, StoreLedger};
pub use programs::{
    Deactivated, KeyNotFound, KnownLicense, OfflineRefused, PlanTerms, ProgramCall, ProgramError,
    ProgramQuestion, ProgramVerdict, Programs,
};
pub use signer::{PublicKey, Signed};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SteadyClock};
use crate::domain::time::Span;
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

/// What the operator may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What new keys begin with.
    pub key_prefix: Option<String>,
    /// How long a program may rely on an answer.
    pub session: Span,
    /// The number of the key pair that signs answers, and that of one that is listed with it.
    pub signing_keys: (u32, Option<u32>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key_prefix: None,
            session: Span::from_hours(24),
            signing_keys: (1, None),
        }
    }
}

/// Reads every license of a store, and counts them.
///
/// # Errors
/// When the store or a license in it cannot be read.
pub fn count_licenses(mut ledger: impl Ledger) -> Result<u64, LedgerError> {
    let mut count = 0;
    writer::each_license(&mut ledger, |_| count += 1)?;
    Ok(count)
}

/// A new token of 256 random bits, for when none is configured.
#[must_use]
pub fn new_token() -> Secret {
    Secret::new(format!(
        "kw_embedded_{}",
        hex::encode(rand::random::<[u8; 32]>())
    ))
}

/// The service with its store read, before its port is served.
#[derive(Debug)]
pub struct Embedded {
    programs: Programs,
    written: JoinHandle<Result<(), LedgerError>>,
}

impl Embedded {
    /// Reads the store, and makes the key pair where there is none.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn start(
        mut ledger: impl Ledger,
        clock: SteadyClock,
        settings: Settings,
    ) -> Result<Self, ServeError> {
        let Settings {
            key_prefix,
            session,
            signing_keys: (first, second),
        } = settings;
        let keyed = spawn_blocking(move || {
            let signer = signer::Signer::of(&mut ledger, first, second)?;
            Ok::<_, LedgerError>((ledger, signer))
        });
        let (ledger, signer) = keyed.await??;
        let (writer, written) =
            writer::start(ledger, clock.clone(), (signer.key_secret(), key_prefix)).await?;
        let programs = Programs::new(writer, signer, clock, session);
        Ok(Self { programs, written })
    }

    /// What programs ask. The service ends only when every copy of it is gone.
    #[must_use]
    pub fn programs(&self) -> Programs {
        self.programs.clone()
    }

    /// Serves Keyward's own half until told to stop; then answers what was begun, and returns. Every license in an answer is
    /// on disk.
    ///
    /// # Errors
    /// When the store fails. Nobody is answered from a store that failed.
    pub async fn serve(
        self,
        listener: TcpListener,
        token: Secret,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        let Self { programs, written } = self;
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
        listen::accept(listener, api::router(programs.into_writer(), token), stop).await;
        watched.await???;
        Ok(())
    }
}

/// Starts the service with its default settings and serves Keyward's own half of it.
///
/// # Errors
/// As [`Embedded::start`] and [`Embedded::serve`].
pub async fn serve(
    listener: TcpListener,
    ledger: impl Ledger,
    token: Secret,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let clock = SteadyClock::new(clock);
    let embedded = Embedded::start(ledger, clock, Settings::default()).await?;
    embedded.serve(listener, token, stop).await
}
