//! From a directory to a store that can be trusted, or a refusal that says what to do.
//!
//! The log is the truth, and sled must agree with it: what it lacks since the checkpoint is read from the log into
//! the overlay; if it disagrees about anything older, it is made anew from the log. What the log itself lacks cannot
//! be mended here, so that is refused.

mod options;

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::digest::Digest;
use super::disk::{Applied, Disk, DiskError};
use super::lock::Lock;
use super::overlay::Overlay;
use super::verify::Mentions;
use super::{base, disk, lock, rebuild};
use crate::store::fault::Doing;
use crate::store::log::append::{Appender, Resume, SEGMENT_HEAD, Segment};
use crate::store::log::highwater::ReadCheckpoint;
use crate::store::log::record::Link;
use crate::store::log::scan::{Known, Log};
use crate::store::log::{append, highwater};
use crate::store::{OpenError, Seq, StoreFault};
pub use options::{Create, OnBroken, OpenReport, Options, Verify};

/// How much of the log's end is read for that, about; with large batches this is fewer records.
const VERIFY_BYTES: u64 = 32 << 20;

/// The parts of an open store.
pub(super) struct Opened {
    pub(super) lock: Lock,
    pub(super) disk: Disk,
    pub(super) overlay: Overlay,
    pub(super) appender: Appender,
    pub(super) checkpoint: Link,
    pub(super) report: OpenReport,
}

/// A file that says that sled's data were found damaged while running: the next open rebuilds them.
pub(super) fn suspect_path(store: &Path) -> PathBuf {
    store.join("sled.suspect")
}

/// A folder that is there as long as the directory holds a store that is only being restored.
pub const RESTORING: &str = ".restoring";

/// Opens or makes a store.
pub(super) fn open(store: &Path, options: &Options) -> Result<Opened, OpenError> {
    if store.join(RESTORING).exists() {
        return Err(OpenError::HalfRestored {
            dir: store.to_owned(),
        });
    }
    match (options.create, is_made(store)?) {
        (Create::Never, false) => Err(OpenError::Missing {
            dir: store.to_owned(),
        }),
        (Create::MustBeNew, true) => Err(OpenError::Exists {
            dir: store.to_owned(),
        }),
        (Create::IfMissing | Create::MustBeNew, false) => {
            let lock = create(store)?;
            let mut opened = open_made(store, options, lock)?;
            opened.report = OpenReport {
                created: true,
                ..OpenReport::default()
            };
            Ok(opened)
        }
        (Create::Never | Create::IfMissing, true) => open_made(store, options, lock::take(store)?),
    }
}

/// Whether there is a store. One whose making was cut off before anybody could write to it does not count.
fn is_made(store: &Path) -> Result<bool, OpenError> {
    if highwater::path(store).exists() || disk::path(store).exists() {
        return Ok(true);
    }
    let dir = store.join("log");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).doing("looking for a store", &dir),
    };
    let first = append::segment_path(&dir, 1);
    for entry in entries {
        let entry = entry.doing("looking for a store", &dir)?;
        let unused =
            entry.metadata().doing("looking for a store", &dir)?.len() <= SEGMENT_HEAD as u64;
        let half_made =
            entry.path() == first || entry.path().extension().is_some_and(|end| end == "new");
        if !(unused && half_made) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes the log and the first checkpoint; sled is then made from the log like one that was lost.
fn create(store: &Path) -> Result<Lock, OpenError> {
    fs::create_dir_all(store).doing("making the store's directory", store)?;
    let lock = lock::take(store)?;
    let dir = store.join("log");
    match fs::create_dir(&dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).doing("making the log's directory", &dir);
        }
        _ => {}
    }
    append::create_segment(
        &dir,
        Segment {
            number: 1,
            before: Link::default(),
        },
    )
    .doing("making the commit log", &dir)?;
    highwater::write(store, Link::default())
        .doing("writing the checkpoint", &highwater::path(store))?;
    if let Some(parent) = store
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        append::sync_dir(parent).doing("syncing the directory", parent)?;
    }
    Ok(lock)
}

/// sled and what it lacks, or why it is not to be trusted.
enum Judged {
    Sound(Box<Disk>, Overlay, Resume, u64),
    Unsound(String),
    /// There never was anything in it.
    Unmade,
}

fn open_made(store: &Path, options: &Options, lock: Lock) -> Result<Opened, OpenError> {
    let Some(log) = Log::open(store)? else {
        let why = "there is not one log file, though the store is not new".to_owned();
        return Err(OpenError::LogMissing {
            path: store.join("log"),
            why,
        });
    };
    let mut report = OpenReport::default();
    let found = highwater::read(store)?;
    let synced = match found {
        ReadCheckpoint::Checkpoint(link) => link,
        ReadCheckpoint::Nothing | ReadCheckpoint::Damaged => Link::default(),
    };
    let judged = match found {
        ReadCheckpoint::Checkpoint(_) => judge(store, options, &log, synced, &mut report)?,
        ReadCheckpoint::Nothing => {
            Judged::Unsound("the checkpoint file `highwater` is missing".to_owned())
        }
        ReadCheckpoint::Damaged => {
            Judged::Unsound("the checkpoint file `highwater` is damaged".to_owned())
        }
    };
    let (disk, overlay, resume, checkpoint) = match judged {
        Judged::Sound(disk, overlay, resume, replayed) => {
            let disk = *disk;
            report.replayed = replayed;
            (disk, overlay, resume, synced)
        }
        Judged::Unmade => anew(store, options, &log, synced, &mut report)?,
        Judged::Unsound(why) => {
            tracing::warn!(
                why,
                "sled's files cannot be trusted and are rebuilt from the commit log"
            );
            let made = anew(store, options, &log, synced, &mut report)?;
            report.replayed = made.2.link.seq;
            report.repaired.push(format!(
                "sled's files were rebuilt from the commit log ({} commits), because {why}; the old ones are in {}",
                report.replayed,
                rebuild::aside_path(store).display()
            ));
            made
        }
    };
    forget_suspicion(store)?;
    for repaired in &report.repaired {
        tracing::warn!(repaired, "the store was repaired");
    }
    let dir = log.dir();
    let appender = Appender::resume(dir, log.newest(), resume, options.log_file_bytes);
    let appender = appender.doing(
        "taking up the commit log",
        &append::segment_path(dir, log.newest()),
    )?;
    Ok(Opened {
        lock,
        disk,
        overlay,
        appender,
        checkpoint,
        report,
    })
}

/// sled made from the log and the backup that it was cut behind: with an empty overlay, and a checkpoint at the log's end.
fn anew(
    store: &Path,
    options: &Options,
    log: &Log,
    synced: Link,
    report: &mut OpenReport,
) -> Result<(Disk, Overlay, Resume, Link), OpenError> {
    let repaired = &mut report.repaired;
    let base = base::find(store, log)?.map_err(|why| why.unrepaired(store, log))?;
    let from = base.as_ref().map(base::Base::parts);
    let (disk, resume) = rebuild::rebuild(store, log, synced, options.cache_bytes, from, repaired)?;
    if let Some((backup, section)) = from {
        let (path, seq) = (backup.path().display(), section.seq().0);
        repaired.push(format!("commits up to {seq} came from the backup {path}"));
    }
    Ok((disk, Overlay::new(resume.link), resume, resume.link))
}

fn forget_suspicion(store: &Path) -> Result<(), OpenError> {
    let path = suspect_path(store);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).doing("removing a mark", &path)
        }
        _ => Ok(()),
    }
}

/// What can be said before sled is opened.
fn judge_unopened(store: &Path, log: &Log) -> Option<Judged> {
    if let Ok(why) = fs::read_to_string(suspect_path(store)) {
        let why = format!("they were found damaged while the store was in use ({why})");
        return Some(Judged::Unsound(why));
    }
    let missing = || match log.is_empty() {
        true => Judged::Unmade,
        false => Judged::Unsound("they are missing".to_owned()),
    };
    (!disk::path(store).exists()).then(missing)
}

/// What sled and the log say of the same commits, where they differ.
fn contradiction(applied: Link, synced: Link, strange: bool) -> Option<String> {
    if applied.seq < synced.seq {
        let (has, had) = (applied.seq, synced.seq);
        return Some(format!(
            "sled has commits up to {has} only, of {had} that it had once"
        ));
    }
    strange.then(|| format!("sled has another commit {} than the log", applied.seq))
}

/// The log must begin at or before what sled is known to have.
fn check_begin(log: &Log, synced: Link) -> Result<(), OpenError> {
    if log.begin().seq > synced.seq {
        let why = format!(
            "its oldest record is {}, but sled is known to have commits up to {} only",
            log.begin().seq + 1,
            synced.seq
        );
        let path = log.dir().to_owned();
        return Err(OpenError::LogMissing { path, why });
    }
    Ok(())
}

/// Opens sled, reads the log's end, and compares them. An error is a fault of the log.
fn judge(
    store: &Path,
    options: &Options,
    log: &Log,
    synced: Link,
    report: &mut OpenReport,
) -> Result<Judged, OpenError> {
    if let Some(judged) = judge_unopened(store, log) {
        return Ok(judged);
    }
    let opened =
        Disk::open(store, options.cache_bytes).and_then(|disk| Ok((disk.applied()?, disk)));
    let (
        Applied {
            link: applied,
            digest,
        },
        disk,
    ) = match opened {
        Ok((Some(applied), disk)) => (applied, disk),
        Ok((None, _)) => {
            return Ok(Judged::Unsound(
                "sled does not say which commits it has".to_owned(),
            ));
        }
        Err(trouble) => return unsound(store, trouble),
    };
    // Before the log is read, for what it brings is laid where sled has it.
    let found = disk.digest();
    check_begin(log, synced)?;
    let start = match options.verify {
        Verify::Recent { records } => log.start(synced.seq, records, VERIFY_BYTES),
        Verify::Everything => 0,
    };
    let mut mentions;
    (mentions, report.missing_backup) = Mentions::before(store, log, options.verify)?;
    let mut overlay = Overlay::new(synced);
    let mut strange = false;
    let mut replayed = 0;
    let resume = log.read(
        start,
        Known {
            synced,
            applied: applied.seq,
        },
        &mut report.repaired,
        &mut |record| {
            strange |= record.link.seq == applied.seq && record.link.hash != applied.hash;
            if record.link.seq <= synced.seq {
                mentions.record(record);
                return Ok(());
            }
            replayed += 1;
            for (key, value) in record.writes().flatten() {
                overlay.insert(&disk.layout().place(key), Seq(record.link.seq), value);
            }
            overlay.reach(record.link);
            Ok(())
        },
    )?;
    if let Some(why) = contradiction(applied, synced, strange) {
        return Ok(Judged::Unsound(why));
    }
    match found.and_then(|found| compare((found, digest), &mentions, &disk, &overlay)) {
        Ok(None) => Ok(Judged::Sound(Box::new(disk), overlay, resume, replayed)),
        Ok(Some(why)) => Ok(Judged::Unsound(why)),
        Err(trouble) => unsound(store, trouble),
    }
}

/// What sled has wrong: about its own state as a whole, or about what the log says of single keys.
fn compare(
    (found, digest): (Digest, Digest),
    mentions: &Mentions,
    disk: &Disk,
    overlay: &Overlay,
) -> Result<Option<String>, DiskError> {
    if found != digest {
        let (found, should) = (found.count(), digest.count());
        return Ok(Some(format!(
            "sled has {found} keys of {should}, or older values under some of them"
        )));
    }
    let mut findings = mentions.check(disk, overlay)?;
    if mentions.have_all() {
        mentions.check_surplus(disk, overlay, &mut findings)?;
    }
    Ok(findings.sentence())
}

/// A full or absent disk is no reason to rebuild.
fn unsound(store: &Path, trouble: DiskError) -> Result<Judged, OpenError> {
    match trouble.damaged {
        true => Ok(Judged::Unsound(trouble.why)),
        false => Err(StoreFault::new("opening sled", &disk::path(store), trouble.why).into()),
    }
}
