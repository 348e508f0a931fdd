//! The backup that a store's log was cut behind: what the store is rebuilt from, and compared with, together with the log.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::OpenError;
use crate::store::backup::{Backup, BackupError, Section};
use crate::store::log::base;
use crate::store::log::record::Link;
use crate::store::log::scan::Log;

/// A backup, read whole.
#[derive(Debug)]
pub(super) struct Base {
    backup: Backup,
    /// Which part of it is this store's.
    section: usize,
}

impl Base {
    /// The backup, and the part of it that is this store's.
    pub(super) fn parts(&self) -> (&Backup, &Section) {
        (&self.backup, &self.backup.sections()[self.section])
    }
}

/// Why there is nothing to rebuild from, or to compare with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// Nothing names it.
    #[error("what was before it is not here")]
    NotNamed,
    /// There is a gap between it and the log.
    #[error("the backup {} ends before that, at commit {seq}", path.display())]
    EndsBefore {
        /// Where it lies.
        path: PathBuf,
        /// Its last commit.
        seq: u64,
    },
    /// It cannot be read, or is not whole.
    #[error("what was before it is in a backup: {why}")]
    Unread {
        /// Where it should lie.
        path: PathBuf,
        /// Why not.
        why: BackupError,
    },
    /// It is of another store, or of another state of this one.
    #[error("the backup {} is another one", .0.display())]
    Another(PathBuf),
}

impl Unusable {
    /// As what stands in the way of making sled anew.
    pub(super) fn unrepaired(&self, store: &Path, log: &Log) -> OpenError {
        OpenError::Unrepaired {
            dir: store.to_owned(),
            why: format!("the log begins after commit {}; {self}", log.begin().seq),
        }
    }

    /// As what is wrong with a store that is whole itself.
    pub(super) fn missing(self) -> MissingBackup {
        let (path, trouble) = match self {
            Self::NotNamed => (None, "is not known any more".to_owned()),
            Self::EndsBefore { path, seq } => {
                (Some(path), format!("ends before the log, at commit {seq}"))
            }
            Self::Another(path) => (Some(path), "is another one by now".to_owned()),
            Self::Unread { path, why } => (Some(path), unread(&why)),
        };
        MissingBackup { path, trouble }
    }
}

/// A store whose log was cut behind a backup that cannot be used. It is whole as long as its own files are: only to make
/// them anew would need what the log lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingBackup {
    /// Where it should lie; `None`: that is not known any more.
    pub path: Option<PathBuf>,
    /// What is wrong with it, said of it.
    pub trouble: String,
}

impl fmt::Display for MissingBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trouble = &self.trouble;
        match &self.path {
            Some(path) => write!(
                f,
                "the commit log was cut behind the backup {}, and that {trouble}: put it back there. The server starts without \
                 it, but could not rebuild the store if its files were damaged, before the next backup by schedule is made",
                path.display()
            ),
            None => write!(
                f,
                "the commit log was cut behind a backup, and which one {trouble}: the server starts without it, but could not \
                 rebuild the store if its files were damaged, before the next backup by schedule is made"
            ),
        }
    }
}

/// What is said of a file: where it lies is said beside it.
fn unread(why: &BackupError) -> String {
    if let BackupError::Unreadable { source, .. } = why {
        return match source.kind() == io::ErrorKind::NotFound {
            true => "is not there".to_owned(),
            false => format!("cannot be read ({source})"),
        };
    }
    if let BackupError::Damaged { offset, .. } = why {
        return format!("is damaged at byte {offset}");
    }
    format!("cannot be used ({})", why.code())
}

/// The backup that a log was cut behind; `None` for a log that is whole itself.
///
/// # Errors
/// That it cannot be known which one it is.
pub(super) fn find(store: &Path, log: &Log) -> Result<Result<Option<Base>, Unusable>, OpenError> {
    if log.begin() == Link::default() {
        return Ok(Ok(None));
    }
    let named = base::read(store)?;
    Ok(named.map_or(Err(Unusable::NotNamed), |named| read(named, log).map(Some)))
}

fn read(named: base::Base, log: &Log) -> Result<Base, Unusable> {
    let base::Base { link, name, path } = named;
    if link.seq < log.begin().seq {
        let seq = link.seq;
        return Err(Unusable::EndsBefore { path, seq });
    }
    let backup = match Backup::open(&path) {
        Ok(backup) => backup,
        Err(why) => return Err(Unusable::Unread { path, why }),
    };
    let is_same = |section: &Section| section.name() == name && section.link() == link;
    match backup.sections().iter().position(is_same) {
        Some(section) => Ok(Base { backup, section }),
        None => Err(Unusable::Another(path)),
    }
}
