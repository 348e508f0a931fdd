//! The store as the commands open it, and the rules that go with it.
//!
//! The data directory *is* the store: its log, sled's files, the lock. Beside them lie the control socket and, in a
//! directory of its own, the embedded license service.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::fail::Failure;
use super::wiring::abilities;
use crate::config::{Config, Connect, Livemode};
use crate::domain::revision::{Revision, Revisions};
use crate::domain::time::Timestamp;
use crate::engine::input::{Rules, SourceRules};
use crate::engine::key::{self, Table};
use crate::engine::record;
use crate::engine::view;
use crate::engine::working::{Committed, Working};
use crate::store::sled::{Reader, Store, Writer};
use crate::store::{Batch, Commit, Create, KeyRange, Options, Read};

pub use crate::store::OnBroken;

/// The name under `g` of the instant at which the store began.
const SINCE: &str = "since";

/// Opens the store in the data directory; with `new` one is made if there is none.
///
/// # Errors
/// Why it cannot be opened, and what to do.
pub fn open_store(
    config: &Config,
    new: bool,
    now: Timestamp,
    on_broken: Option<OnBroken>,
) -> Result<(Writer, Reader), Failure> {
    if new {
        make_private(&config.data_dir)?;
    }
    let options = Options {
        cache_bytes: config.store.cache.bytes(),
        min_free_bytes: config.store.min_free.bytes(),
        create: if new { Create::IfMissing } else { Create::Never },
        on_broken,
        ..Options::default()
    };
    let (mut writer, reader) = Store::open(&config.data_dir, options)?;
    for repaired in &writer.report().repaired {
        tracing::warn!("repaired at opening: {repaired}");
    }
    // Not only for one that was made just now: the process may have ended between making it and this.
    if since(&reader)?.is_none() {
        let mut working = Working::new(&reader);
        working.put(key::general(SINCE), now.ms().to_be_bytes().to_vec());
        commit(&mut writer, working)?;
    }
    Ok((writer, reader))
}

/// Makes the data directory, if it is missing, for its owner only: it holds customers' addresses and keys.
fn make_private(dir: &Path) -> Result<(), Failure> {
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty());
    let made = parent.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| DirBuilder::new().mode(0o700).create(dir));
    match made {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            Err(Failure::input(format!("cannot make the data directory {}: {e}", dir.display()))
                .hint("`data_dir` in the config says where it is"))
        }
        _ => Ok(()),
    }
}

fn commit(writer: &mut Writer, working: Working<'_>) -> Result<(), Failure> {
    let batch = Batch { expect: Vec::new(), writes: working.into_writes() };
    writer.commit(&batch).map(|_| ()).map_err(|e| Failure::ours(format!("the store took nothing: {e}")))
}

fn since(reader: &dyn Read) -> Result<Option<Timestamp>, Failure> {
    let kept = reader.get(&key::general(SINCE)).map_err(|e| Failure::ours(e.to_string()))?;
    Ok(kept.and_then(|v| v.bytes.try_into().ok()).map(i64::from_be_bytes).map(Timestamp::from_ms))
}

/// The revisions kept so far, oldest first.
fn kept(reader: &dyn Read) -> Result<Vec<Revision>, Failure> {
    let mut list = Vec::new();
    view::walk(reader, KeyRange::prefix(&[Table::Revision as u8]), |key, first| {
        list.push(record::whole(&Committed(reader), key, first)?);
        Ok(true)
    })?;
    Ok(list)
}

/// Keeps the config's plans and policies as a new revision, in force from now on, if they differ from the newest one.
/// Returns whether they did.
///
/// # Errors
/// The store's.
pub fn revise(config: &Config, writer: &mut Writer, reader: &Reader, now: Timestamp) -> Result<bool, Failure> {
    let list = kept(reader)?;
    if list.last().is_some_and(|r| r.plans == config.plans && r.policies == config.policies) {
        return Ok(false);
    }
    // A clock that went back must not put the newest revision before an older one.
    let from = list.last().map_or(now, |r| r.from.max(now));
    let revision = Revision { from, plans: config.plans.clone(), policies: config.policies.clone() };
    let mut working = Working::new(reader);
    let key = key::revision(list.len() as u64 + 1);
    record::put(&mut working, key, &revision).map_err(|e| Failure::ours(e.to_string()))?;
    commit(writer, working)?;
    Ok(true)
}

/// What the engine must know: all revisions, what is taken from each source, and when the store began.
///
/// # Errors
/// The store's.
pub fn rules(config: &Config, reader: &dyn Read) -> Result<Rules, Failure> {
    let list = kept(reader)?;
    let revisions = if list.is_empty() {
        Revisions::always(config.plans.clone(), config.policies.clone())
    } else {
        Revisions::new(list)
    };
    let sources = config.sources.iter().map(|source| {
        let licenses = config.licenses_of(&source.name);
        let livemode = match source.livemode {
            Livemode::Live => Some(true),
            Livemode::Test => Some(false),
            Livemode::Any => None,
        };
        let connect = source.connect == Connect::Accept;
        (source.name.clone(), SourceRules { livemode, connect, abilities: abilities(licenses) })
    });
    Ok(Rules { sources: sources.collect(), revisions, store_since: since(reader)? })
}
