//! How a command gets its answer: from the running server, else from the store itself.

use std::path::Path;
use std::sync::Arc;

use super::report;
use super::store::{open_store, rules};
use super::wiring::services;
use crate::admin::{Failure, Request, Response, Service, socket};
use crate::clock::Clock;
use crate::config::{Config, Env, Warning};
use crate::effects::services::stripe_accounts;
use crate::engine::write::committer::{self, Committer};
use crate::store::{MissingBackup, OpenReport, Verify};

/// Orders of one command that wait for the committer at most: they come one at a time.
const QUEUE_LEN_MAX: usize = 16;

/// Reads the config, and prints what is wrong with it.
///
/// # Errors
/// That something is.
pub(super) fn load(path: &Path, env: &Env<'_>) -> Result<(Config, Vec<Warning>), Failure> {
    Config::load(path, env).map_err(|mistakes| {
        report::mistakes(&mistakes);
        mistakes.into()
    })
}

/// Asks the server or the store. Secrets need not be set for that.
///
/// # Errors
/// What went wrong, also at the server.
pub(super) fn ask(config_path: &Path, request: Request) -> Result<Response, Failure> {
    let mut conversation = Conversation::begin(config_path)?;
    let response = conversation.ask(request);
    conversation.end()?;
    response
}

/// Who answered a question that looks at everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AskedOf {
    /// The running server.
    Server,
    /// The store itself.
    Store {
        /// What was wrong with its files and was repaired.
        repaired: Vec<String>,
        /// The backup that it would be rebuilt from, where that cannot be used.
        missing_backup: Option<MissingBackup>,
    },
}

/// Asks the server; where none runs, the store itself, after every key of it was checked against the commit log.
///
/// # Errors
/// What went wrong, also at the server.
pub(super) fn ask_checked(
    config: &Config,
    request: Request,
) -> Result<(Response, AskedOf), Failure> {
    let (response, asked) = match socket::ask(&config.data_dir, &request)? {
        Some(response) => (response, AskedOf::Server),
        None => {
            let alone = Alone::open(config, Verify::Everything)?;
            let response = alone.answer(request);
            let asked = AskedOf::Store {
                repaired: alone.opened.repaired.clone(),
                missing_backup: alone.opened.missing_backup.clone(),
            };
            alone.close()?;
            (response, asked)
        }
    };
    if let Response::Failed(failure) = response {
        return Err(failure);
    }
    Ok((response, asked))
}

/// What an answer of one row holds.
///
/// # Errors
/// What went wrong at the server, or that it answered something else.
pub(super) fn only_row<T: serde::de::DeserializeOwned>(response: Response) -> Result<T, Failure> {
    if let Response::Failed(failure) = response {
        return Err(failure);
    }
    let row = if let Response::List { rows, .. } = &response {
        rows.first()
    } else {
        None
    };
    row.and_then(|row| serde_json::from_str(row.get()).ok())
        .ok_or_else(|| {
            Failure::ours("the server's answer makes no sense")
                .hint("is the server of the same version as this command?")
        })
}

/// Several questions, all answered by the server, or all by the store itself.
pub(super) struct Conversation {
    /// The config.
    pub(super) config: Config,
    partner: Partner,
}

enum Partner {
    NotFoundYet,
    Server,
    Store(Box<Alone>),
}

impl Conversation {
    /// Reads the config; whom to ask shows with the first question.
    ///
    /// # Errors
    /// What is wrong with the config.
    pub(super) fn begin(config_path: &Path) -> Result<Self, Failure> {
        let (config, _) = load(config_path, &Env::process().lenient())?;
        Ok(Self {
            config,
            partner: Partner::NotFoundYet,
        })
    }

    /// Sends the request to the server, or to the opened store, and returns the response.
    ///
    /// # Errors
    /// What went wrong, also at the server.
    pub(super) fn ask(&mut self, request: Request) -> Result<Response, Failure> {
        let response = match &self.partner {
            Partner::Store(alone) => alone.answer(request),
            Partner::NotFoundYet | Partner::Server => {
                match socket::ask(&self.config.data_dir, &request)? {
                    Some(response) => {
                        self.partner = Partner::Server;
                        response
                    }
                    None if matches!(self.partner, Partner::Server) => {
                        return Err(Failure::ours("the server ended meanwhile")
                            .hint("start the command again"));
                    }
                    None => {
                        let alone = Alone::open(&self.config, Verify::default())?;
                        let response = alone.answer(request);
                        self.partner = Partner::Store(Box::new(alone));
                        response
                    }
                }
            }
        };
        if let Response::Failed(failure) = response {
            Err(failure)
        } else {
            Ok(response)
        }
    }

    /// Ends it; a store that was opened is closed.
    ///
    /// # Errors
    /// When the store broke.
    pub(super) fn end(self) -> Result<(), Failure> {
        match self.partner {
            Partner::Store(alone) => alone.close(),
            Partner::NotFoundYet | Partner::Server => Ok(()),
        }
    }
}

/// The store, with an engine of our own.
struct Alone {
    service: Service,
    /// What was found when the store was opened.
    opened: OpenReport,
    runtime: tokio::runtime::Runtime,
    thread: Committer,
}

impl Alone {
    fn open(config: &Config, verify: Verify) -> Result<Self, Failure> {
        let clock = Clock::Wall;
        let (writer, reader) = open_store(config, verify)?;
        let opened = writer.report().clone();
        let rules = rules(config, &reader)?;
        let (handle, thread) = committer::start(
            Box::new(writer),
            Arc::new(reader),
            rules,
            clock,
            QUEUE_LEN_MAX,
        )
        .map_err(|e| Failure::ours(format!("no thread for the engine: {e}")))?;
        // Secrets need not be set: a command that asks Stripe says what it lacks.
        let accounts = stripe_accounts(config, &Arc::default()).unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
        Ok(Self {
            service: Service::new(handle, services(config)).with_accounts(accounts),
            opened,
            runtime,
            thread,
        })
    }

    fn answer(&self, request: Request) -> Response {
        self.runtime.block_on(self.service.answer(request))
    }

    fn close(self) -> Result<(), Failure> {
        let Self {
            service,
            opened: _,
            runtime,
            thread,
        } = self;
        drop((service, runtime));
        thread
            .join()
            .map_err(|why| Failure::ours(format!("the store broke: {why}")))?;
        Ok(())
    }
}
