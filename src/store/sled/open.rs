//! From a directory to a store that can be trusted, or a refusal that says what to do.
//!
//! The log is the truth, and sled must agree with it: what it lacks since the checkpoint is read from the log into
//! the overlay; if it disagrees about anything older, it is made anew from the log. What the log itself lacks cannot
//! be mended here, so that is refused.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::digest::Digest;
use super::disk::{self, Applied, Disk, Trouble};
use super::lock::{self, Lock};
use super::overlay::Overlay;
use super::rebuild;
use super::verify::Mentions;
use crate::store::fault::Doing;
use crate::store::log::append::{self, Appender, Resume, SEGMENT_HEAD, Segment};
use crate::store::log::highwater::{self, Found};
use crate::store::log::record::Link;
use crate::store::log::scan::{Known, Log};
use crate::store::{OpenError, Seq, StoreFault};

/// How much of the log's end is read for that, about; with large batches this is fewer records.
const VERIFY_BYTES: u64 = 32 << 20;

/// Whether a store may be made where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Create {
    /// No: a store that is missing is an error.
    #[default]
    Never,
    /// If there is none.
    IfMissing,
    /// Yes, and there must not be one already.
    MustBeNew,
}

/// How much of sled is checked against the log at opening. That it has all keys, in the versions that it was given
/// last, is checked always, by walking through it once (about 2 s for a million keys).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// What the newest records mention: so many of them, or 32 MiB if that is fewer.
    Recent {
        /// How many records, at least; whole log files are read.
        records: u64,
    },
    /// Every key, both ways. Reads the whole log and the whole of sled, and holds every key in memory.
    Everything,
}

impl Default for Verify {
    /// 10,000 records: under half a second, and more than any power cut or reused page reaches back.
    fn default() -> Self {
        Self::Recent { records: 10_000 }
    }
}

/// Called once when the store breaks, from whichever thread found out. It must not wait for the store.
pub type OnBroken = Arc<dyn Fn(&StoreFault) + Send + Sync>;

/// How a store is opened and run.
#[derive(Clone)]
pub struct Options {
    /// sled's page cache, in bytes.
    pub cache_bytes: u64,
    /// Whether a store may be made.
    pub create: Create,
    /// Commits are refused while the file system has less than this free, in bytes.
    pub min_free_bytes: u64,
    /// Commits are refused while more than this waits in memory for sled, in bytes.
    pub overlay_max_bytes: usize,
    /// A commit that finds the overlay full waits so long for sled before it is refused.
    pub full_wait: Duration,
    /// How often sled is given what waits.
    pub flush_every: Duration,
    /// A log file that has reached this size is followed by the next, in bytes.
    pub log_file_bytes: u64,
    /// How much is checked at opening.
    pub verify: Verify,
    /// Who wants to hear that the store broke.
    pub on_broken: Option<OnBroken>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            create: Create::default(),
            min_free_bytes: 72 << 20, // 64 MiB and two of the largest batches
            overlay_max_bytes: 32 << 20,
            full_wait: Duration::from_secs(1),
            flush_every: Duration::from_secs(1),
            log_file_bytes: 64 << 20,
            verify: Verify::default(),
            on_broken: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("cache_bytes", &self.cache_bytes)
            .field("create", &self.create)
            .field("min_free_bytes", &self.min_free_bytes)
            .field("overlay_max_bytes", &self.overlay_max_bytes)
            .field("flush_every", &self.flush_every)
            .finish_non_exhaustive()
    }
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The store was made just now.
    pub created: bool,
    /// What was wrong and has been repaired, in sentences for the operator; normally empty.
    pub repaired: Vec<String>,
    /// Records that were read from the log because sled did not have them for certain.
    pub replayed: u64,
    /// The newest commit.
    pub seq: Seq,
}

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

/// Opens or makes a store.
pub(super) fn open(store: &Path, options: &Options) -> Result<Opened, OpenError> {
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
        Found::Checkpoint(link) => link,
        Found::Nothing | Found::Damaged => Link::default(),
    };
    let judged = match found {
        Found::Checkpoint(_) => judge(store, options, &log, synced, &mut report.repaired)?,
        Found::Nothing => Judged::Unsound("the checkpoint file `highwater` is missing".to_owned()),
        Found::Damaged => Judged::Unsound("the checkpoint file `highwater` is damaged".to_owned()),
    };
    let (disk, overlay, resume, checkpoint) = match judged {
        Judged::Sound(disk, overlay, resume, replayed) => {
            let disk = *disk;
            report.replayed = replayed;
            (disk, overlay, resume, synced)
        }
        Judged::Unmade => {
            let (disk, resume) = rebuild::rebuild(
                store,
                &log,
                synced,
                options.cache_bytes,
                &mut report.repaired,
            )?;
            (disk, Overlay::new(resume.link), resume, resume.link)
        }
        Judged::Unsound(why) => {
            tracing::warn!(
                why,
                "sled's files cannot be trusted and are rebuilt from the commit log"
            );
            let (disk, resume) = rebuild::rebuild(
                store,
                &log,
                synced,
                options.cache_bytes,
                &mut report.repaired,
            )?;
            report.replayed = resume.link.seq;
            report.repaired.push(format!(
                "sled's files were rebuilt from the commit log ({} commits), because {why}; the old ones are in {}",
                resume.link.seq,
                rebuild::aside_path(store).display()
            ));
            (disk, Overlay::new(resume.link), resume, resume.link)
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

fn forget_suspicion(store: &Path) -> Result<(), OpenError> {
    let path = suspect_path(store);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).doing("removing a mark", &path)
        }
        _ => Ok(()),
    }
}

/// Opens sled, reads the log's end, and compares them. An error is a fault of the log.
fn judge(
    store: &Path,
    options: &Options,
    log: &Log,
    synced: Link,
    cuts: &mut Vec<String>,
) -> Result<Judged, OpenError> {
    if let Ok(why) = fs::read_to_string(suspect_path(store)) {
        return Ok(Judged::Unsound(format!(
            "they were found damaged while the store was in use ({why})"
        )));
    }
    if !disk::path(store).exists() {
        return Ok(if log.is_empty() {
            Judged::Unmade
        } else {
            Judged::Unsound("they are missing".to_owned())
        });
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
    let start = match options.verify {
        Verify::Recent { records } => log.start(synced.seq, records, VERIFY_BYTES),
        Verify::Everything => 0,
    };
    let mut mentions = Mentions::default();
    let mut overlay = Overlay::new(synced);
    let mut strange = false;
    let mut replayed = 0;
    let resume = log.read(
        start,
        Known {
            synced,
            applied: applied.seq,
        },
        cuts,
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
    if applied.seq < synced.seq {
        let why = format!(
            "sled has commits up to {} only, of {} that it had once",
            applied.seq, synced.seq
        );
        return Ok(Judged::Unsound(why));
    }
    if strange {
        return Ok(Judged::Unsound(format!(
            "sled has another commit {} than the log",
            applied.seq
        )));
    }
    match found
        .and_then(|found| compare((found, digest), &mentions, &disk, &overlay, options.verify))
    {
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
    how: Verify,
) -> Result<Option<String>, Trouble> {
    if found != digest {
        let (found, should) = (found.count(), digest.count());
        return Ok(Some(format!(
            "sled has {found} keys of {should}, or older values under some of them"
        )));
    }
    let mut findings = mentions.check(disk, overlay)?;
    if how == Verify::Everything {
        mentions.check_surplus(disk, overlay, &mut findings)?;
    }
    Ok(findings.sentence())
}

/// A full or absent disk is no reason to rebuild.
fn unsound(store: &Path, trouble: Trouble) -> Result<Judged, OpenError> {
    match trouble.damaged {
        true => Ok(Judged::Unsound(trouble.why)),
        false => Err(StoreFault::new("opening sled", &disk::path(store), trouble.why).into()),
    }
}
