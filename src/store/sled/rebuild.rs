//! sled made anew from the log, when the old one cannot be trusted: from the whole of it, or from the backup that it was
//! cut behind and the rest. The old one is kept aside, one generation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{self, Disk, DiskError};
use super::overlay::Overlay;
use crate::store::backup::{Backup, BackupError, Section};
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

/// Replaces sled by what the backup and the log say, and writes a checkpoint. Cut off in the middle, the next open does
/// it again.
pub(super) fn rebuild(
    store: &Path,
    log: &Log,
    synced: Link,
    cache_bytes: u64,
    from: Option<(&Backup, &Section)>,
    cuts: &mut Vec<String>,
) -> Result<(Disk, Resume), OpenError> {
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
        written.map(drop)
    };
    let begin = from.map_or(Link::default(), |(_, section)| section.link());
    if let Some((backup, section)) = from {
        backup
            .each(section, |key, seq, value| {
                gathered.insert(&disk.layout().place(key), seq, Some(value));
                match gathered.bytes() >= GATHER_BYTES {
                    true => give(&mut gathered, begin).map_err(BackupError::from),
                    false => Ok(()),
                }
            })
            .map_err(|error: BackupError| OpenError::Unrepaired {
                dir: store.to_owned(),
                why: error.to_string(),
            })?;
    }
    let known = Known {
        synced,
        applied: begin.seq,
    };
    let mut strange = false;
    let resume = log.read(0, known, cuts, &mut |record| {
        strange |= record.link.seq == begin.seq && record.link != begin;
        if record.link.seq > begin.seq {
            for (key, value) in record.writes().flatten() {
                gathered.insert(&disk.layout().place(key), Seq(record.link.seq), value);
            }
        }
        if gathered.bytes() >= GATHER_BYTES {
            give(&mut gathered, record.link)?;
        }
        Ok(())
    })?;
    if strange {
        return Err(OpenError::Unrepaired {
            dir: store.to_owned(),
            why: format!("the backup has another commit {} than the log", begin.seq),
        });
    }
    give(&mut gathered, resume.link)?;
    disk.sync().map_err(failed)?;
    highwater::write(store, resume.link).map_err(io)?;
    Ok((disk, resume))
}
