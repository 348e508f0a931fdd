//! Backups of everything that an installation stores, and stores made from them.
//!
//! [`Backups`] makes one: the store layer copies the stores and compares, `machines` folds every machine of the copy and
//! holds it against the store's. Only then it gets its name and counts as *proven*: [`status`] keeps when that was. The
//! one that is made by schedule has the log cut behind it, and older ones go ([`Schedule`]). [`lost`] sees that those of before
//! are gone. [`restore`] is the way back.

pub mod lost;
pub(crate) mod machines;
pub mod restore;
mod rotation;
pub mod status;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::domain::time::{Span, Timestamp};
pub use crate::store::backup::{Backup, BackupError, Step};
pub use crate::store::sled::OnStep;
use crate::store::sled::{self, Reader};
use status::{BackupStatus, Failed, Proven};

/// What the machines' store is called in a backup.
pub const MACHINES: &str = "machines";
/// What the embedded license service's store is called in a backup.
pub const LICENSES: &str = "licenses";
/// How the files that are made by schedule begin and end.
const FILE_BEGIN: &str = "keyward-";
const FILE_END: &str = ".backup";

/// When and where backups are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The folder.
    pub folder: PathBuf,
    /// How far apart.
    pub every: Span,
    /// How many stay.
    pub keep: usize,
}

/// Makes backups of a running installation, one at a time.
pub struct Backups {
    /// The machines' store first: what it knows of the licenses' is then there too.
    stores: Vec<(&'static str, Reader)>,
    data_dir: PathBuf,
    running: Mutex<()>,
    status: Mutex<BackupStatus>,
}

impl Backups {
    /// Over the stores of a data directory.
    #[must_use]
    pub fn new(data_dir: &Path, machines: Reader, licenses: Option<Reader>) -> Self {
        let licenses = licenses.map(|reader| (LICENSES, reader));
        Self {
            stores: std::iter::once((MACHINES, machines))
                .chain(licenses)
                .collect(),
            data_dir: data_dir.to_owned(),
            running: Mutex::new(()),
            status: Mutex::new(BackupStatus::read(data_dir)),
        }
    }

    /// When backups were made, and what became of the last one.
    #[must_use]
    pub fn status(&self) -> BackupStatus {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, BackupStatus> {
        // Nothing in here panics between two fields that belong together.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a backup is due by schedule: the last one is too old, or failed a while ago.
    #[must_use]
    pub fn is_due(&self, schedule: &Schedule, now: Timestamp) -> bool {
        self.state().is_due(schedule.every, now)
    }

    /// Looks whether those that the schedule made are still there: it may be a disk that is gone, and the next one goes to
    /// whichever disk holds the folder then.
    pub fn check(&self, schedule: &Schedule, now: Timestamp) {
        let Ok(folder) = std::path::absolute(&schedule.folder) else {
            return;
        };
        let status = self.status();
        let lost = lost::lost(&status, &folder, schedule.keep, now);
        if lost == status.lost {
            return;
        }
        if let Some(lost) = &lost {
            tracing::error!(folder = %folder.display(), files = lost.files.len(),
                "the backups that were made there are gone: is its disk mounted? The next ones are made there all the same");
        }
        self.state().lost(&self.data_dir, lost);
    }

    /// Makes one, proves it, and gives it the name that somebody wants.
    ///
    /// # Errors
    /// [`BackupError`]; there is no file then.
    pub fn take(
        &self,
        target: &Path,
        now: Timestamp,
        on_step: OnStep<'_>,
    ) -> Result<Proven, BackupError> {
        if lies_in(target, &self.data_dir) {
            return Err(BackupError::Inside {
                path: target.to_owned(),
                data_dir: self.data_dir.clone(),
            });
        }
        let _running = self.begin()?;
        let (proven, _) = self.prove(target, now, on_step)?;
        self.state().proven(&self.data_dir, proven.clone());
        Ok(proven)
    }

    /// Makes the one that is due by schedule, cuts the logs behind it, and removes those that are one too many. What goes
    /// wrong is told once in the log.
    pub fn by_schedule(&self, schedule: &Schedule, now: Timestamp, on_step: OnStep<'_>) {
        let made = self
            .begin()
            .and_then(|_running| self.scheduled(schedule, now, on_step));
        match made {
            Ok(proven) => {
                tracing::info!(path = %proven.path.display(), bytes = proven.bytes, "a backup was made and proven");
            }
            // The next start makes it.
            Err(BackupError::Stopped) => {}
            Err(error) => {
                let failed = Failed {
                    at: now,
                    code: error.code().to_owned(),
                    why: error.to_string(),
                };
                if self.state().failed(&self.data_dir, failed) {
                    tracing::error!(%error, "no backup was made; it is tried again, and told again when that fails otherwise");
                }
            }
        }
    }

    fn scheduled(
        &self,
        schedule: &Schedule,
        now: Timestamp,
        on_step: OnStep<'_>,
    ) -> Result<Proven, BackupError> {
        let folder = std::path::absolute(&schedule.folder)
            .map_err(system("finding the backups' folder", &schedule.folder))?;
        fs::create_dir_all(&folder).map_err(system("making the backups' folder", &folder))?;
        let target = folder.join(file_name(now));
        if fs::symlink_metadata(&target).is_ok() {
            return Err(BackupError::Exists { path: target });
        }
        self.state().begun(&self.data_dir, &target);
        let made = self.prove(&target, now, on_step);
        let (proven, named) = made.inspect_err(|error| {
            if matches!(error, BackupError::Exists { .. }) || !target.exists() {
                self.state()
                    .forget(&self.data_dir, std::slice::from_ref(&target));
            }
        })?;
        self.state()
            .proven_by_schedule(&self.data_dir, proven.clone());
        for (name, reader) in &self.stores {
            reader.cut_log(name, &named, on_step)?;
        }
        // All stores are rebuilt from the new one now, unless one is not in use at present.
        let kept = restore::kept_path(&self.data_dir);
        let all = self.stores.len() > 1 || !self.data_dir.join(LICENSES).exists();
        if all && kept.exists() {
            fs::remove_file(&kept).map_err(system("removing the backup of the restore", &kept))?;
        }
        let status = self.status();
        let mut gone = Vec::new();
        let rotated = rotation::rotate(&folder, schedule.keep, &status, &mut gone, on_step);
        self.state().forget(&self.data_dir, &gone);
        rotated.map(|()| proven)
    }

    fn begin(&self) -> Result<MutexGuard<'_, ()>, BackupError> {
        match self.running.try_lock() {
            Ok(running) => Ok(running),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(BackupError::Running),
        }
    }

    fn prove(
        &self,
        target: &Path,
        now: Timestamp,
        on_step: OnStep<'_>,
    ) -> Result<(Proven, sled::Named), BackupError> {
        let unnamed = sled::copy(&self.stores, target, now.ms(), on_step)?;
        let backup = unnamed.backup();
        let Some((section, (_, reader))) = backup.section(MACHINES).zip(self.stores.first()) else {
            return Err(BackupError::Foreign {
                path: target.to_owned(),
            });
        };
        let machines = machines::prove(backup, section, reader, now, on_step)?;
        let proven = Proven {
            at: now,
            path: target.to_owned(),
            bytes: backup.bytes(),
            seq: section.seq().0,
            machines,
        };
        if !on_step(Step::Proven) {
            return Err(BackupError::Stopped);
        }
        let named = unnamed.name()?;
        match on_step(Step::Named) {
            true => Ok((proven, named)),
            false => Err(BackupError::Stopped),
        }
    }
}

/// Whether a file that is not there yet would lie in a directory, by whatever way it is named.
fn lies_in(target: &Path, dir: &Path) -> bool {
    let folder = target.parent().map(fs::canonicalize);
    match (folder, fs::canonicalize(dir)) {
        (Some(Ok(folder)), Ok(dir)) => folder.starts_with(dir),
        // What is not there is told where it is used.
        _ => false,
    }
}

fn system<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl Fn(std::io::Error) -> BackupError + use<'a> {
    move |source| BackupError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// The name of the file that is made at an instant; names sort as the instants do.
fn file_name(at: Timestamp) -> String {
    let at = at.whole_s().to_string().replace(':', "-");
    format!("{FILE_BEGIN}{at}{FILE_END}")
}
