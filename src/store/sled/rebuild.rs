//! sled made anew from the whole log, when the old one cannot be trusted. The old one is kept aside, one generation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{self, Disk, DiskError};
use super::overlay::Overlay;
use crate::store::log::append::{self, Resume};
use crate::store::log::highwater;
use crate::store::log::record::Link;
use crate::store::log::scan::{Known, Log};
use crate::store::{OpenError, Seq, StoreFault};

/// Net writes are gathered up to this many bytes, then given to sled.
const GATHER_BYTES: usize = 8 << 20;

/// Where a sled that could not be trusted lies afterwards.
pub(super) fn aside_path(store: &Path) -> PathBuf {
    store.join("sled.damaged")
}

/// Moves sled's files aside; what lay there from before goes.
fn move_aside(store: &Path) -> io::Result<()> {
    let (path, aside) = (disk::path(store), aside_path(store));
    if !path.exists() {
        return Ok(());
    }
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    fs::rename(&path, &aside)?;
    append::sync_dir(store)
}

/// Replaces sled by what the log says, and writes a checkpoint. Cut off in the middle, the next open does it again.
pub(super) fn rebuild(
    store: &Path,
    log: &Log,
    synced: Link,
    cache_bytes: u64,
    cuts: &mut Vec<String>,
) -> Result<(Disk, Resume), OpenError> {
    if log.begin() != Link::default() {
        let why = format!(
            "the log begins after commit {}; what was before it is not here",
            log.begin().seq
        );
        return Err(OpenError::Unrepaired {
            dir: store.to_owned(),
            why,
        });
    }
    let failed = |trouble: DiskError| {
        StoreFault::new(
            "rebuilding sled from the log",
            &disk::path(store),
            trouble.why,
        )
    };
    let io = |error: io::Error| StoreFault::new("rebuilding sled from the log", store, error);
    move_aside(store).map_err(io)?;
    let disk = Disk::create(store, cache_bytes).map_err(failed)?;
    let mut gathered = Overlay::default();
    let give = |overlay: &mut Overlay, link: Link| {
        overlay.reach(link);
        let (layer, link) = overlay.freeze();
        let written = disk.write(&layer, link).map_err(failed);
        overlay.thaw();
        written
    };
    let resume = log.read(0, Known { synced, applied: 0 }, cuts, &mut |record| {
        for (key, value) in record.writes().flatten() {
            gathered.insert(&disk.layout().place(key), Seq(record.link.seq), value);
        }
        if gathered.bytes() >= GATHER_BYTES {
            give(&mut gathered, record.link)?;
        }
        Ok(())
    })?;
    give(&mut gathered, resume.link)?;
    disk.sync().map_err(failed)?;
    highwater::write(store, resume.link).map_err(io)?;
    Ok((disk, resume))
}
