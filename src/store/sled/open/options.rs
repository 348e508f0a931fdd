//! How a store is opened, and what was found.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::store::sled::base::MissingBackup;
use crate::store::{Seq, StoreFault};

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
    /// So many of the newest records stay in the log, whatever backups there are.
    pub keep_records: u64,
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
            overlay_max_bytes: 64 << 20,
            full_wait: Duration::from_secs(1),
            flush_every: Duration::from_secs(1),
            log_file_bytes: 64 << 20,
            keep_records: 10_000,
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
    /// The backup that the log was cut behind, where a look at everything could not use it.
    pub missing_backup: Option<MissingBackup>,
}
