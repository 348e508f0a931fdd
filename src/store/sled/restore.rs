//! A store made from a backup: its log begins behind the backup's commit, and the backup stays what it is rebuilt from.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Store, lock, rebuild};
use crate::store::OpenError;
use crate::store::backup::{Backup, BackupError, Section};
use crate::store::fault::Doing;
use crate::store::log::append::{self, Segment};
use crate::store::log::base::{self, Base};
use crate::store::log::scan::Log;

impl Store {
    /// Makes a store in a directory that holds none, as it was after the backup's commit. `kept` is where the backup will
    /// lie, seen from the directory.
    ///
    /// # Errors
    /// What the backup or the system refuses. What was made until then is of no use.
    pub fn restore(
        dir: &Path,
        backup: &Backup,
        section: &Section,
        kept: &Path,
        cache_bytes: u64,
    ) -> Result<(), BackupError> {
        fs::create_dir_all(dir).doing("making the store's directory", dir)?;
        let lock = lock::take(dir)?;
        let logs = dir.join("log");
        fs::create_dir(&logs).doing("making the log's directory", &logs)?;
        let first = Segment {
            number: 1,
            before: section.link(),
        };
        append::create_segment(&logs, first).doing("making the commit log", &logs)?;
        let named = Base {
            link: section.link(),
            name: section.name().to_owned(),
            path: PathBuf::from(kept),
        };
        base::write(dir, &named).doing("noting the backup", dir)?;
        let missing = || OpenError::LogMissing {
            path: logs.clone(),
            why: "the file just made is not there".to_owned(),
        };
        let log = Log::open(dir)?.ok_or_else(missing)?;
        let mut cuts = Vec::new();
        let from = Some((backup, section));
        rebuild::rebuild(dir, &log, section.link(), cache_bytes, from, &mut cuts)?;
        drop(lock);
        Ok(())
    }
}
