//! What can go wrong, sorted by who acts next: the caller, the operator, or the process by ending.

use std::path::{Path, PathBuf};

use super::log::space;

/// The store cannot be trusted any more in this process: memory may be ahead of the disk, or the disk failed. The
/// process should end; opening anew finds the truth again.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the store is broken: {doing} failed ({}): {why}\n  hint: {}",
    path.display(), self.hint()
)]
pub struct StoreFault {
    /// What was being done.
    pub doing: String,
    /// The file or directory it was done to.
    pub path: PathBuf,
    /// What the system or sled said.
    pub why: String,
    /// Whether the file system had no room at that moment.
    pub no_room: bool,
}

/// With less than this free, in bytes, a write that failed did so for want of room, whatever was said of it.
const NO_ROOM_BYTES: u64 = 1 << 20;

impl StoreFault {
    pub(super) fn new(doing: impl Into<String>, path: &Path, why: impl ToString) -> Self {
        Self {
            doing: doing.into(),
            path: path.to_owned(),
            why: why.to_string(),
            no_room: space::free_bytes(path).is_some_and(|free| free < NO_ROOM_BYTES),
        }
    }

    const fn hint(&self) -> &'static str {
        if self.no_room {
            "there is no room on that disk: make room, then start the process again. Nothing that was acknowledged is lost: the \
             commit log has it, and opening the store repairs the rest from there"
        } else {
            "the process has to be started again; opening the store checks it and repairs it from the commit log. If it comes \
             back, look at the disk (dmesg, SMART)."
        }
    }
}

/// Why a read gave nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The store cannot be trusted any more: end the process.
    #[error(transparent)]
    Broken(#[from] StoreFault),
}

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FullCause {
    /// The file system has less free than `min_free_bytes` asks for.
    #[error(
        "the disk is nearly full: {} free, {} needed\n  hint: make room; nothing was lost",
        mebibytes(*free_bytes), mebibytes(*needed_bytes)
    )]
    FreeSpace {
        /// Bytes free for this user.
        free_bytes: u64,
        /// Bytes that must be free before anything is written.
        needed_bytes: u64,
    },
    /// Writes come faster than sled takes them.
    #[error(
        "{held_bytes} bytes wait for sled, {max_bytes} is the bound\n  hint: the disk is slow or overloaded"
    )]
    Overlay {
        /// Bytes waiting in memory.
        held_bytes: usize,
        /// The bound, `overlay_max_bytes`.
        max_bytes: usize,
    },
}

impl FullCause {
    /// What it is, in one line.
    #[must_use]
    pub fn what(&self) -> String {
        let all = self.to_string();
        all.lines().next().unwrap_or_default().to_owned()
    }
}

/// In the unit of `min_free`, with two digits behind the point.
fn mebibytes(bytes: u64) -> String {
    let hundredths = ((bytes % (1 << 20)) * 100) >> 20;
    format!("{}.{hundredths:02} MiB", bytes >> 20)
}

/// Why a batch was not committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A condition does not hold: somebody wrote this key in between. Read again and decide anew.
    #[error("a condition of the batch does not hold for key {}", hex::encode(key))]
    Conflict {
        /// The first key whose condition failed.
        key: Vec<u8>,
    },
    /// No room at present. The caller tells its own caller to come again.
    #[error(transparent)]
    Full(FullCause),
    /// A key, a value or (with an empty `key`) the whole batch is longer than the store takes.
    #[error(
        "{len} bytes under key {} are more than the store takes",
        hex::encode(key)
    )]
    TooLarge {
        /// The key concerned; empty if it is the whole batch.
        key: Vec<u8>,
        /// Its length in bytes.
        len: usize,
    },
    /// The empty key and keys that begin with a zero byte belong to the store.
    #[error("key {} belongs to the store itself", hex::encode(key))]
    BadKey {
        /// The key concerned.
        key: Vec<u8>,
    },
    /// The store cannot be trusted any more: answer nobody and end the process.
    #[error(transparent)]
    Broken(#[from] StoreFault),
}

/// Why a store was not opened. Nothing was changed in it, except that leftovers of an earlier open were cleared.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the store {} is in use by process {holder}\n  hint: stop that process, or talk to it through its control socket",
        dir.display()
    )]
    Locked {
        /// The store's directory.
        dir: PathBuf,
        /// The other process's id as it wrote it, or `unknown`.
        holder: String,
    },
    /// There is none, and none may be made.
    #[error(
        "there is no store in {}\n  hint: is this the right directory, is its disk mounted? A new store is only made by \
         `keyward init` or `keyward serve --new`",
        dir.display()
    )]
    Missing {
        /// The directory looked at.
        dir: PathBuf,
    },
    /// There is one, and a new one was asked for.
    #[error("there already is a store in {}\n  hint: it was left untouched", dir.display())]
    Exists {
        /// The directory looked at.
        dir: PathBuf,
    },
    /// A restore into it was cut off.
    #[error(
        "{} holds an unfinished restore\n  hint: run `keyward restore` with the same backup again; it begins anew",
        dir.display()
    )]
    HalfRestored {
        /// The directory looked at.
        dir: PathBuf,
    },
    /// The commit log is incomplete or damaged where it must not be. Acknowledged events would be missing.
    #[error(
        "the commit log is damaged: {} at byte {offset}: {why}\n  hint: nothing was changed. Copy the whole directory \
         {} away before anything else, and check the disk. If a good copy of this file exists (backup, snapshot of \
         the machine), put it back and start again. Do not delete or shorten log files: what they hold was acknowledged",
        path.display(), dir.display()
    )]
    LogDamaged {
        /// The store's directory.
        dir: PathBuf,
        /// The log file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong there.
        why: String,
    },
    /// Log files are missing, or end before what is known to have been acknowledged.
    #[error(
        "part of the commit log is missing in {}: {why}\n  hint: nothing was changed. Put the missing files back from \
         where they went (another disk, a backup); what they hold was acknowledged",
        path.display()
    )]
    LogMissing {
        /// The log directory or file.
        path: PathBuf,
        /// What is missing, and how that is known.
        why: String,
    },
    /// Written by a newer version of the program.
    #[error(
        "{} was written by a newer version of keyward (format {found}; this one knows {known})\n  hint: install that \
         version again; nothing was changed",
        path.display()
    )]
    Newer {
        /// The file or store.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest that this version knows.
        known: u32,
    },
    /// sled's part is unusable and could not be rebuilt from the log either.
    #[error(
        "the store {} could not be rebuilt from its log: {why}\n  hint: nothing was deleted. Copy the directory away, \
         then put the backup or the older log files back to where they were",
        dir.display()
    )]
    Unrepaired {
        /// The store's directory.
        dir: PathBuf,
        /// What stood in the way.
        why: String,
    },
    /// The operating system refused something.
    #[error("{doing} failed ({}): {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store broke while it was being opened.
    #[error(transparent)]
    Broken(#[from] StoreFault),
}

/// Adds to an I/O error what was done, and to which file.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, OpenError>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, OpenError> {
        self.map_err(|source| OpenError::Io {
            doing,
            path: path.to_owned(),
            source,
        })
    }
}
