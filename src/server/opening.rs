//! Opens the store, and reads or makes what the server needs of it.

use std::path::{Path, PathBuf};

use super::StartError;
use crate::config::{Config, Service};
use crate::engine::backup::LICENSES;
use crate::engine::read::embedded_use::{EmbeddedUse, embedded_use};
use crate::store::sled::{Reader, Store, Writer};
use crate::store::{Create, OnBroken, OpenError, Options};

/// A store opened for a config: the machines' own, and the embedded license service's where it is used.
pub struct Opened {
    /// The machines' store.
    pub store: (Writer, Reader),
    /// The embedded license service's.
    pub licenses: Option<(Writer, Reader)>,
}

/// The embedded license service's store is gone, though it was in use: an empty one would refuse every customer.
#[derive(Debug, thiserror::Error)]
#[error("the embedded license service's store {} is not there, and {used}", dir.display())]
pub struct LicensesGone {
    /// Where it was.
    pub dir: PathBuf,
    /// How that is known.
    pub used: EmbeddedUse,
}

/// Opens the stores of a config.
///
/// # Errors
/// [`StartError::Open`] and [`StartError::LicensesGone`], which say what to do; the store's.
pub fn open(
    config: &Config,
    create: Create,
    on_broken: Option<OnBroken>,
) -> Result<Opened, StartError> {
    if create != Create::Never {
        make_private(&config.data_dir);
    }
    let options = || Options {
        cache_bytes: config.store.cache.bytes(),
        min_free_bytes: config.store.min_free.bytes(),
        create,
        on_broken: on_broken.clone(),
        ..Options::default()
    };
    let store = Store::open(&config.data_dir, options())?;
    let licenses = if uses_embedded(config) {
        match open_licenses(config, &store.1, &options) {
            Ok(licenses) => Some(licenses),
            Err(error) => {
                let (writer, reader) = store;
                drop(reader);
                // Nothing was written to it, and what keeps the server from starting is told.
                let _ = writer.close();
                return Err(error);
            }
        }
    } else {
        None
    };
    Ok(Opened { store, licenses })
}

/// The embedded license service's store comes into being with its config, which may name it only later. Where it was in use
/// before, none is made: a folder that is lost would be taken for one that was never there.
fn open_licenses(
    config: &Config,
    reader: &Reader,
    options: &dyn Fn() -> Options,
) -> Result<(Writer, Reader), StartError> {
    let dir = config.data_dir.join(LICENSES);
    let open = |create| {
        Store::open(
            &dir,
            Options {
                create,
                ..options()
            },
        )
    };
    match open(Create::Never) {
        Err(OpenError::Missing { .. }) => {}
        opened => return Ok(opened?),
    }
    match embedded_use(reader)? {
        Some(used) => Err(LicensesGone { dir, used }.into()),
        None => Ok(open(Create::IfMissing)?),
    }
}

/// Begins an empty store for the embedded license service, because somebody wants one though the one of before is gone.
///
/// # Errors
/// [`StartError::Open`].
pub fn begin_licenses_anew(config: &Config) -> Result<(), StartError> {
    let options = Options {
        min_free_bytes: config.store.min_free.bytes(),
        create: Create::IfMissing,
        ..Options::default()
    };
    let (writer, reader) = Store::open(&config.data_dir.join(LICENSES), options)?;
    drop(reader);
    Ok(writer.close().map_err(OpenError::from)?)
}

/// Makes the data directory for its owner only: it holds customers' addresses and keys. What goes wrong here is told by
/// opening the store in it.
fn make_private(dir: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty());
    let made = parent.map_or(Ok(()), std::fs::create_dir_all);
    let _ = made.and_then(|()| std::fs::DirBuilder::new().mode(0o700).create(dir));
}

/// Whether any source's licenses are made by the embedded service.
#[must_use]
pub fn uses_embedded(config: &Config) -> bool {
    let own = config.sources.iter().filter_map(|s| s.licenses.as_ref());
    own.chain(std::iter::once(&config.licenses))
        .any(|l| matches!(l.service, Service::Embedded { .. }))
}
