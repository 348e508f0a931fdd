//! A backup: all keys of one or more stores in one file, each store as it was after one commit of its log.
//!
//! A running store is copied page by page while commits go on, and what they changed meanwhile is taken from the commit
//! log: both together are the state after the last of these commits ([`sled`](super::sled) does that). This module knows
//! the file: [`write`] makes one, [`read`] checks one whole before it gives anything out.
//!
//! ```text
//! magic, format u16 | instant i64 (ms) | CRC-32                        the head
//! kind u8 | length u32 | packed length u32 | CRC-32 | zstd …           blocks, of these kinds:
//!   S  a store begins: its name
//!   E  entries as they were met: key length u16 | value length u32 | commit u64 | key | value
//!   C  what changed meanwhile, in the same form; a value length of all ones means: deleted
//!   T  the store ends: its commit u64 | hash [16] | entries u64 | changes u64
//!   Z  the file ends: stores u32 | SHA-256 of all bytes before this block [32]
//! ```
//! All numbers are big-endian.

pub(super) mod read;
pub(super) mod write;

use std::path::{Path, PathBuf};

pub use read::{Backup, Section};
pub use write::Step;

use super::{OpenError, ReadError, StoreFault};

/// `KWBAK`, then the format as two bytes.
const MAGIC: &[u8; 6] = b"KWBAK\0";
const FORMAT: u16 = 1;
/// Magic 6, format 2, instant 8, CRC-32 4.
const HEAD: usize = 20;
/// Kind 1, length 4, packed length 4, CRC-32 4.
const BLOCK_HEAD: usize = 13;
/// Key length 2, value length 4, commit 8.
const ENTRY_HEAD: usize = 14;
/// Bytes of entries that are packed together.
const BLOCK_LEN: usize = 256 << 10;
/// No block unpacks to more: a guard against damage.
const BLOCK_LEN_MAX: usize = 1 << 20;
/// The value length of a deletion.
const DELETED: u32 = u32::MAX;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Begin = b'S',
    Entries = b'E',
    Changes = b'C',
    End = b'T',
    Last = b'Z',
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Begin,
        Self::Entries,
        Self::Changes,
        Self::End,
        Self::Last,
    ];
}

/// Why there is no backup, or none that can be used. What was there before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something of that name is there.
    #[error("there already is something at {}\n  hint: a backup never overwrites; name another file", path.display())]
    Exists {
        /// The file that should have been written.
        path: PathBuf,
    },
    /// It would lie in what it is a copy of.
    #[error(
        "{} lies in the data directory {}\n  hint: a backup there is lost with what it should bring back; name a file on \
         another disk",
        path.display(), data_dir.display()
    )]
    Inside {
        /// The file that should have been written.
        path: PathBuf,
        /// The data directory.
        data_dir: PathBuf,
    },
    /// It is not what this program writes.
    #[error(
        "{} is no backup of keyward\n  hint: `keyward backup` writes one; a history from `keyward export` is none",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read at all.
    #[error("the backup {} cannot be read: {source}\n  hint: is this where it lies, and may you read it?", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was written by a newer version of the program.
    #[error(
        "the backup {} was written by a newer version of keyward (format {found}; this one knows {FORMAT})\n  hint: \
         use that version",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: u16,
    },
    /// It is cut off or was changed.
    #[error(
        "the backup {} is damaged at byte {offset}: {why}\n  hint: nothing of it was used; take another one, or another \
         copy of this one",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong there.
        why: String,
    },
    /// It does not hold what the store held.
    #[error(
        "the backup {} does not hold what the store held at commit {seq}: {why}\n  hint: it does not count and was \
         removed; run `keyward verify`, and look at the disk (dmesg, SMART)",
        path.display()
    )]
    Differs {
        /// The file.
        path: PathBuf,
        /// The commit whose state it should be.
        seq: u64,
        /// What differs.
        why: String,
    },
    /// Another one is being made.
    #[error("another backup is being made\n  hint: wait for it; `/readyz` shows when it is done")]
    Running,
    /// The process was told to end.
    #[error("the backup was given up: the server is stopping")]
    Stopped,
    /// The system refused something.
    #[error(
        "{doing} failed ({}): {source}\n  hint: nothing was overwritten. Is there room, and may keyward write there? Under \
         systemd the folder has to be in `ReadWritePaths`",
        path.display()
    )]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store itself.
    #[error(transparent)]
    Store(#[from] OpenError),
}

impl BackupError {
    /// What kind of failure it is, for whoever tells each kind once.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "exists",
            Self::Inside { .. } => "inside",
            Self::Foreign { .. } => "foreign",
            Self::Unreadable { .. } => "unreadable",
            Self::Newer { .. } => "newer",
            Self::Damaged { .. } => "damaged",
            Self::Differs { .. } => "differs",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Io { .. } => "io",
            Self::Store(_) => "store",
        }
    }
}

impl From<StoreFault> for BackupError {
    fn from(fault: StoreFault) -> Self {
        Self::Store(OpenError::Broken(fault))
    }
}

impl From<ReadError> for BackupError {
    fn from(ReadError::Broken(fault): ReadError) -> Self {
        fault.into()
    }
}

/// Adds to an I/O error what was done, and to which file.
pub(super) fn io<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl Fn(std::io::Error) -> BackupError + use<'a> {
    move |source| BackupError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}
