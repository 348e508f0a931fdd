//! The store as a command opens it when no server runs. The data directory *is* the store; beside it lie the control socket
//! and, in a directory of its own, the embedded license service.

use crate::admin::Failure;
use crate::config::Config;
use crate::domain::revision::{Revision, Revisions};
use crate::domain::time::Timestamp;
use crate::embedded::{self, StoreLedger};
use crate::engine::backup::LICENSES;
use crate::engine::input::Rules;
use crate::engine::read::embedded_use::{EmbeddedUse, embedded_use};
use crate::engine::read::view;
use crate::engine::record;
use crate::engine::record::key::{self, Table};
use crate::engine::write::working::Committed;
use crate::server::{source_rules, uses_embedded};
use crate::store::sled::{Reader, Store, Writer};
use crate::store::{Create, KeyRange, MissingBackup, OpenError, Options, Read, Verify};

/// Opens the store that is there. None is made, and the embedded license service's is left alone.
///
/// # Errors
/// Why it cannot be opened, and what to do.
pub fn open_store(config: &Config, verify: Verify) -> Result<(Writer, Reader), Failure> {
    Ok(Store::open(&config.data_dir, options(config, verify))?)
}

fn options(config: &Config, verify: Verify) -> Options {
    Options {
        cache_bytes: config.store.cache.bytes(),
        min_free_bytes: config.store.min_free.bytes(),
        create: Create::Never,
        verify,
        ..Options::default()
    }
}

/// The embedded license service's store after a look at all of it.
pub(super) enum CheckedLicenses {
    /// The config names no such service.
    NotUsed,
    /// It is not there.
    Missing {
        /// How it is known that it was there; `None`: it has not begun yet.
        used: Option<EmbeddedUse>,
    },
    /// All of it could be read.
    Checked {
        licenses: u64,
        /// What was wrong with the store's files and was repaired.
        repaired: Vec<String>,
        /// The backup that it would be rebuilt from, where that cannot be used.
        missing_backup: Option<MissingBackup>,
    },
}

/// Checks the embedded license service's store, every key against its commit log, and reads every license.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_licenses(config: &Config) -> Result<CheckedLicenses, Failure> {
    if !uses_embedded(config) {
        return Ok(CheckedLicenses::NotUsed);
    }
    let dir = config.data_dir.join(LICENSES);
    let (writer, reader) = match Store::open(&dir, options(config, Verify::Everything)) {
        Err(OpenError::Missing { .. }) => {
            let used = embedded_before(config)?;
            return Ok(CheckedLicenses::Missing { used });
        }
        opened => opened?,
    };
    let opened = writer.report().clone();
    let licenses = embedded::count_licenses(StoreLedger::new(reader, writer))
        .map_err(|error| Failure::ours(error.to_string()))?;
    Ok(CheckedLicenses::Checked {
        licenses,
        repaired: opened.repaired,
        missing_backup: opened.missing_backup,
    })
}

/// What the purchases' store knows of the embedded license service.
///
/// # Errors
/// The store's.
pub(super) fn embedded_before(config: &Config) -> Result<Option<EmbeddedUse>, Failure> {
    let (writer, reader) = open_store(config, Verify::default())?;
    let used = embedded_use(&reader)?;
    drop(reader);
    writer.close().map_err(|e| Failure::ours(e.to_string()))?;
    Ok(used)
}

/// What the engine must know, as the store has it: a command brings no new revision into force, for its config may be one
/// that no server has loaded yet.
///
/// # Errors
/// The store's.
pub fn rules(config: &Config, reader: &dyn Read) -> Result<Rules, Failure> {
    let mut list: Vec<Revision> = Vec::new();
    view::walk(
        reader,
        KeyRange::prefix(&[Table::Revision as u8]),
        |key, first| {
            list.push(record::whole(&Committed(reader), key, first)?);
            Ok(true)
        },
    )?;
    let revisions = if list.is_empty() {
        Revisions::always(config.plans.clone(), config.policies.clone())
    } else {
        Revisions::new(list)
    };
    let revisions = revisions.deaf(config.deaf());
    let since = reader
        .get(&key::general("since"))
        .map_err(|e| Failure::ours(e.to_string()))?;
    let store_since = since
        .and_then(|v| v.bytes[..].try_into().ok())
        .map(i64::from_be_bytes)
        .map(Timestamp::from_ms);
    Ok(Rules {
        sources: source_rules(config),
        revisions,
        store_since,
        guard: Some(config.guard),
    })
}
