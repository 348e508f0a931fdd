//! How a command gets its answer: from the running server, else from the store itself.

use std::path::Path;
use std::sync::Arc;

use super::control;
use super::desk::{Desk, Request, Response};
use super::fail::Failure;
use super::report;
use super::store::{open_store, rules};
use super::wiring::services;
use crate::clock::Clock;
use crate::config::{Config, Env, Warning};
use crate::engine::committer;

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
    let (config, _) = load(config_path, &Env::process().lenient())?;
    let response = match control::ask(&config.data_dir, &request)? {
        Some(response) => response,
        None => alone(&config, request)?,
    };
    if let Response::Failed(failure) = response { Err(failure) } else { Ok(response) }
}

/// Answers from the store itself, with an engine of our own.
fn alone(config: &Config, request: Request) -> Result<Response, Failure> {
    let clock = Clock::Wall;
    let (writer, reader) = open_store(config)?;
    let rules = rules(config, &reader)?;
    let (handle, thread) = committer::start(Box::new(writer), Arc::new(reader), rules, clock, QUEUE_LEN_MAX)
        .map_err(|e| Failure::ours(format!("no thread for the engine: {e}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
    let response = runtime.block_on(Desk::new(handle, services(config)).answer(request));
    drop(runtime);
    thread.join().map_err(|why| Failure::ours(format!("the store broke: {why}")))?;
    Ok(response)
}
