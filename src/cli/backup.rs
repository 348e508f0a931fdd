//! `keyward backup` and `keyward restore`: everything in one proven file, and an empty data directory made from one.

use std::path::{Path, PathBuf};

use clap::Args;

use super::ask::{load, only_row};
use super::report;
use super::store::embedded_before;
use crate::admin::{Failure, Request, socket};
use crate::clock::Clock;
use crate::config::{ByteSize, Config, Env};
use crate::domain::attention::unknown_keys;
use crate::domain::words::counted;
use crate::engine::backup::Backups;
use crate::engine::backup::restore::{self, RestoreError};
use crate::engine::backup::status::Proven;
use crate::server;
use crate::store::{Create, Options};

/// `backup`.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The file to write, which must not exist yet. The running server writes it.
    #[arg(value_name = "TARGET")]
    pub target: PathBuf,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The backup.
    #[arg(value_name = "SOURCE")]
    pub source: PathBuf,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Makes a backup: by the server where one runs, else from the stores themselves.
///
/// # Errors
/// Why there is none.
pub(super) fn backup(config_path: &Path, args: &BackupArgs) -> Result<(), Failure> {
    let (config, _) = load(config_path, &Env::process().lenient())?;
    let target = std::path::absolute(&args.target)
        .map_err(|e| Failure::input(format!("{}: {e}", args.target.display())))?;
    let request = Request::Backup {
        target: target.clone(),
    };
    let proven = match socket::ask(&config.data_dir, &request)? {
        Some(response) => only_row(response)?,
        None => alone(&config, &target)?,
    };
    if args.json {
        return report::json(&proven);
    }
    let (path, size) = (proven.path.display(), ByteSize::from_bytes(proven.bytes));
    let machines = proven.machines;
    report::say(&format!(
        "{path}: {size}; proven: {} read from it and compared, as of commit {}",
        match machines {
            1 => "the only purchase was".to_owned(),
            n => format!("all {n} purchases were"),
        },
        proven.seq
    ));
    Ok(())
}

fn alone(config: &Config, target: &Path) -> Result<Proven, Failure> {
    let opened = server::open(config, Create::Never, None)?;
    let (writer, reader) = opened.store;
    let (licenses_writer, licenses) = opened.licenses.unzip();
    let backups = Backups::new(&config.data_dir, reader, licenses);
    let proven = backups.take(target, Clock::Wall.now(), &|_| true);
    drop(backups);
    for writer in std::iter::once(writer).chain(licenses_writer) {
        writer.close().map_err(|e| Failure::ours(e.to_string()))?;
    }
    Ok(proven?)
}

/// Makes an empty data directory what a backup holds.
///
/// # Errors
/// Why it stays empty.
pub(super) fn restore(config_path: &Path, args: &RestoreArgs) -> Result<(), Failure> {
    let (config, _) = load(config_path, &Env::process().lenient())?;
    let options = Options {
        cache_bytes: config.store.cache.bytes(),
        min_free_bytes: config.store.min_free.bytes(),
        ..Options::default()
    };
    let now = Clock::Wall.now();
    let done = restore::restore(&args.source, &config.data_dir, &options, now, &|| {})?;
    if args.json {
        return report::json(&done);
    }
    let dir = config.data_dir.display();
    report::say(&format!(
        "{dir} holds what {} held at {}: {}, commit {}",
        args.source.display(),
        done.taken,
        counted(done.machines, "purchase", "purchases"),
        done.seq
    ));
    if done.mails_skipped > 0 {
        let (is, them) = if done.mails_skipped == 1 {
            ("was due by now and is", "it")
        } else {
            ("were due by now and are", "them")
        };
        report::say(&format!(
            "{} {is} not sent, for an earlier run may have sent {them}",
            counted(done.mails_skipped, "mail", "mails")
        ));
    }
    if server::uses_embedded(&config) && !done.licenses {
        let end = match embedded_before(&config)? {
            None => "it begins empty".to_owned(),
            Some(used) => format!("{used}, so the server doesn't start without them"),
        };
        report::warning(&format!(
            "the backup holds no licenses, and the config names the embedded license service: {end}"
        ));
    }
    if server::uses_embedded(&config) && done.licenses {
        report::warning(&unknown_keys(done.taken, now));
    }
    report::say("what happened since is not in it: docs/operating.md says how it comes back");
    report::say(
        "the store only observes until you have looked: everything is decided and nothing is sent; `keyward go-live \
         --reason …` ends that",
    );
    Ok(())
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::NotEmpty { .. } => Self::input(error.to_string()),
            RestoreError::Backup(error) => error.into(),
            RestoreError::Open(error) => error.into(),
            RestoreError::Commit(_) | RestoreError::Record(_) => Self::ours(error.to_string()),
        }
    }
}
