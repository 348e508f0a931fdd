//! Opens the store, and reads or makes what the server needs of it.

use std::path::Path;

use crate::config::{Config, Service};
use crate::store::sled::{Reader, Store, Writer};
use crate::store::{Create, OnBroken, OpenError, Options};

/// A store opened for a config: the machines' own, and the embedded license service's where it is used.
pub struct Opened {
    /// The machines' store.
    pub store: (Writer, Reader),
    /// The embedded license service's.
    pub licenses: Option<(Writer, Reader)>,
}

/// Opens the stores of a config.
///
/// # Errors
/// [`OpenError`], which says what to do.
pub fn open(
    config: &Config,
    create: Create,
    on_broken: Option<OnBroken>,
) -> Result<Opened, OpenError> {
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
        let folder = config.data_dir.join("licenses");
        // It comes into being with its config, which may name it only later; it is never lost sight of: its log tells.
        let options = Options {
            create: Create::IfMissing,
            ..options()
        };
        Some(Store::open(&folder, options)?)
    } else {
        None
    };
    Ok(Opened { store, licenses })
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
