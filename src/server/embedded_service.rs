//! Starts the embedded license service: one port for Keyward itself, the public listener for programs.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::SteadyClock;
use crate::config::{Config, ProgramSettings, Service};
use crate::effects::services::EmbeddedAt;
use crate::store::sled::{Reader, Writer};
use crate::{embedded, http};

pub(super) type EmbeddedTask = tokio::task::JoinHandle<Result<(), embedded::ServeError>>;

/// The embedded license service, where it runs.
#[derive(Default)]
pub(super) struct EmbeddedRunning {
    pub(super) at: Option<EmbeddedAt>,
    pub(super) task: Option<EmbeddedTask>,
    programs: Option<embedded::Programs>,
    pub(super) stop: CancellationToken,
}

impl EmbeddedRunning {
    /// Reads its store and serves its port.
    ///
    /// # Errors
    /// The store's, or that the port is taken.
    pub(super) async fn start(
        config: &Config,
        (writer, reader): (Writer, Reader),
        clock: SteadyClock,
    ) -> std::io::Result<Self> {
        let (listen, programs) = match &config.licenses.service {
            Service::Embedded { listen, programs } => (*listen, programs.clone()),
            Service::AuthForge { .. } => (
                SocketAddr::from(([127, 0, 0, 1], 0)),
                ProgramSettings::default(),
            ),
        };
        let listener = TcpListener::bind(listen).await?;
        let at = EmbeddedAt {
            address: listener.local_addr()?,
            token: embedded::new_token(),
        };
        let settings = embedded::Settings {
            key_prefix: programs.key_prefix,
            session: programs.session,
            signing_keys: (programs.signing_key, programs.second_signing_key),
        };
        let ledger = embedded::StoreLedger::new(reader, writer);
        let started = embedded::Embedded::start(ledger, clock, settings).await;
        let started = started.map_err(std::io::Error::other)?;
        let stop = CancellationToken::new();
        let programs = started.programs();
        let serving = started.serve(listener, at.token.clone(), stop.clone());
        Ok(Self {
            at: Some(at),
            task: Some(tokio::spawn(serving)),
            programs: Some(programs),
            stop,
        })
    }

    /// The app, which also answers programs where the service runs.
    pub(super) fn answering(&mut self, app: http::App) -> http::App {
        match self.programs.take() {
            Some(programs) => app.with_programs(programs),
            None => app,
        }
    }
}
