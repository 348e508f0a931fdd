//! The store as a command opens it when no server runs. The data directory *is* the store; beside it lie the control socket
//! and, in a directory of its own, the embedded license service.

use crate::admin::Failure;
use crate::config::Config;
use crate::domain::revision::{Revision, Revisions};
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;
use crate::engine::read::view;
use crate::engine::record;
use crate::engine::record::key::{self, Table};
use crate::engine::write::working::Committed;
use crate::server::source_rules;
use crate::store::sled::{Reader, Store, Writer};
use crate::store::{Create, KeyRange, Options, Read};

/// Opens the store that is there. None is made, and the embedded license service's is left alone.
///
/// # Errors
/// Why it cannot be opened, and what to do.
pub fn open_store(config: &Config) -> Result<(Writer, Reader), Failure> {
    let options = Options {
        cache_bytes: config.store.cache.bytes(),
        min_free_bytes: config.store.min_free.bytes(),
        create: Create::Never,
        ..Options::default()
    };
    Ok(Store::open(&config.data_dir, options)?)
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
