//! When the last backup was proven, and what went wrong since: kept in a file of the data directory, so that it can be told
//! with and without a server.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::attention::{Attention, BackupTrouble, Concern};
use crate::domain::time::{Span, Timestamp};

/// The file's name in the data directory.
const FILE: &str = "backups.json";
/// After a failure it is tried again so much later, or by schedule if that is sooner.
const RETRY: Span = Span::from_minutes(10);

/// The first one is there so long after the start, or somebody looks.
const FIRST_WITHIN: Span = Span::from_hours(1);

/// A backup that was read again, folded, and compared with the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// When it was made.
    pub at: Timestamp,
    /// The folder or file that it lies in.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The commit whose state it holds.
    pub seq: u64,
    /// The machines in it.
    pub machines: u64,
}

/// Why there is no newer one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// When it was last tried.
    pub at: Timestamp,
    /// What kind of failure it is: the same one is not told twice.
    pub code: String,
    /// What happened, and what to do.
    pub why: String,
}

impl Failed {
    /// What happened, in one line.
    #[must_use]
    pub fn what(&self) -> &str {
        self.why.lines().next().unwrap_or_default()
    }
}

/// What was in the folder and is not any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// When that was seen.
    pub at: Timestamp,
    /// The folder.
    pub folder: PathBuf,
    /// The files that the schedule had made there, the oldest first.
    pub files: Vec<PathBuf>,
}

/// What is known of backups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupStatus {
    /// The newest proven one.
    pub newest: Option<Proven>,
    /// The newest proven one that was made by schedule.
    pub scheduled: Option<Proven>,
    /// What went wrong since.
    pub failed: Option<Failed>,
    /// The files that the schedule of this data directory made, the oldest first: no others are ever removed.
    #[serde(default)]
    pub made: Vec<PathBuf>,
    /// What is gone of them.
    #[serde(default)]
    pub lost: Option<Lost>,
}

impl BackupStatus {
    /// What is kept in a data directory. What cannot be read is as if it were not there: the next backup writes it.
    #[must_use]
    pub fn read(data_dir: &Path) -> Self {
        let read = fs::read(data_dir.join(FILE));
        read.ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// What a person should be told where a backup is made each `every`; `since`: when that began to be looked at.
    #[must_use]
    pub(crate) fn attention(
        &self,
        every: Span,
        since: Timestamp,
        now: Timestamp,
    ) -> Option<Attention> {
        let (since, trouble) = self.not_proven(every, since, now).or_else(|| self.gone())?;
        let concern = Concern::Backup(trouble);
        Some(Attention { since, concern })
    }

    /// That what was made is gone.
    fn gone(&self) -> Option<(Timestamp, BackupTrouble)> {
        let lost = self.lost.as_ref()?;
        let trouble = BackupTrouble::Lost {
            folder: lost.folder.display().to_string(),
            files: lost.files.len(),
        };
        Some((lost.at, trouble))
    }

    /// That there is no proven one of late.
    fn not_proven(
        &self,
        every: Span,
        since: Timestamp,
        now: Timestamp,
    ) -> Option<(Timestamp, BackupTrouble)> {
        match (&self.failed, &self.newest) {
            (Some(failed), newest) => {
                let why = failed.what().to_owned();
                let since = newest.as_ref().map_or(failed.at, |p| p.at + every);
                Some((since.min(failed.at), BackupTrouble::Failed { why }))
            }
            // The schedule makes the first one at once; a store that was just restored has none of its own either.
            (None, None) => {
                let late = now - since >= FIRST_WITHIN.min(every);
                late.then_some((since, BackupTrouble::Never))
            }
            (None, Some(newest)) => {
                let old = newest.at + Span::from_ms(every.ms().saturating_mul(2));
                let newest = newest.at;
                (now > old).then_some((old, BackupTrouble::Old { newest }))
            }
        }
    }

    /// How old the newest proven one is, in seconds.
    #[must_use]
    pub fn age_s(&self, now: Timestamp) -> Option<u64> {
        let newest = self.newest.as_ref()?;
        Some((now - newest.at).ms().max(0).unsigned_abs() / 1000)
    }

    /// A clock that was put back must not put backups off.
    pub(super) fn is_due(&self, every: Span, now: Timestamp) -> bool {
        let passed = |at: Timestamp, span: Span| (now - at).ms().abs() >= span.ms();
        let failed = self.failed.as_ref();
        self.scheduled.as_ref().is_none_or(|p| passed(p.at, every))
            && failed.is_none_or(|f| passed(f.at, RETRY.min(every)))
    }

    /// The one that was due is made: the next is due after its time, and what failed before is over.
    pub(super) fn proven_by_schedule(&mut self, data_dir: &Path, proven: Proven) {
        self.scheduled = Some(proven.clone());
        self.failed = None;
        self.proven(data_dir, proven);
    }

    /// Notes a file as its own before it is made, so that one whose making is killed is known as well.
    pub(super) fn begun(&mut self, data_dir: &Path, target: &Path) {
        self.made.retain(|path| path != target);
        self.made.push(target.to_owned());
        self.keep(data_dir);
    }

    /// Forgets files that are gone, or were another's.
    pub(super) fn forget(&mut self, data_dir: &Path, gone: &[PathBuf]) {
        if !gone.is_empty() {
            self.made.retain(|path| !gone.contains(path));
            self.keep(data_dir);
        }
    }

    pub(super) fn proven(&mut self, data_dir: &Path, proven: Proven) {
        self.newest = Some(proven);
        self.keep(data_dir);
    }

    /// Notes what is gone. What is back is among its own again.
    pub(super) fn lost(&mut self, data_dir: &Path, lost: Option<Lost>) {
        if let (None, Some(was)) = (&lost, &self.lost) {
            let mut made: Vec<PathBuf> = was.files.clone();
            made.retain(|path| path.exists() && !self.made.contains(path));
            made.append(&mut self.made);
            self.made = made;
        }
        self.lost = lost;
        self.keep(data_dir);
    }

    /// Notes a failure. True: it is another one than the last, so that it should be told.
    pub(super) fn failed(&mut self, data_dir: &Path, failed: Failed) -> bool {
        let known = self.failed.as_ref().map(|f| f.code.as_str());
        let new = known != Some(failed.code.as_str());
        self.failed = Some(failed);
        self.keep(data_dir);
        new
    }

    fn keep(&self, data_dir: &Path) {
        if let Err(error) = self.write(data_dir) {
            tracing::warn!(%error, "the time of the last backup could not be kept");
        }
    }

    fn write(&self, data_dir: &Path) -> io::Result<()> {
        let new = data_dir.join(format!("{FILE}.new"));
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&new, data_dir.join(FILE))?;
        File::open(data_dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_s(1_767_607_200 + s)
    }

    fn proven(s: i64) -> Proven {
        Proven {
            at: at(s),
            path: PathBuf::from("/b"),
            bytes: 1,
            seq: 2,
            machines: 3,
        }
    }

    fn failed(s: i64, code: &str) -> Failed {
        Failed {
            at: at(s),
            code: code.to_owned(),
            why: "w\n  hint: what to do".to_owned(),
        }
    }

    #[test]
    fn it_is_due_by_the_last_scheduled_one_and_a_failure_waits_a_little() {
        let dir = tempfile::tempdir().unwrap();
        let every = Span::from_hours(24);
        let mut status = BackupStatus::read(dir.path());
        assert!(status.is_due(every, at(0)));
        let trouble = |status: &BackupStatus, now| {
            let attention = status.attention(every, at(0), now)?;
            Some((attention.since, attention.concern))
        };
        let never = Concern::Backup(BackupTrouble::Never);
        assert_eq!(trouble(&status, at(3_599)), None, "it may be under way");
        assert_eq!(trouble(&status, at(3_600)), Some((at(0), never)));
        status.proven(dir.path(), proven(0));
        assert!(status.is_due(every, at(1)), "one by hand puts nothing off");
        assert_eq!(trouble(&status, at(86_400)), None);
        status.proven_by_schedule(dir.path(), proven(10));
        assert!(!status.is_due(every, at(86_409)) && status.is_due(every, at(86_410)));
        assert!(status.is_due(every, at(-86_400)), "the clock went back");
        let old = Concern::Backup(BackupTrouble::Old { newest: at(10) });
        assert_eq!(trouble(&status, at(172_811)), Some((at(172_810), old)));
        assert!(status.failed(dir.path(), failed(90_000, "io")));
        assert!(!status.is_due(every, at(90_599)) && status.is_due(every, at(90_600)));
        assert!(
            !status.failed(dir.path(), failed(90_600, "io")),
            "told once"
        );
        assert!(status.failed(dir.path(), failed(91_200, "differs")));
        let why = "w".to_owned();
        let fails = Concern::Backup(BackupTrouble::Failed { why });
        assert_eq!(trouble(&status, at(91_201)), Some((at(86_410), fails)));
        assert_eq!(BackupStatus::read(dir.path()), status);
        assert_eq!(status.age_s(at(91_200)), Some(91_190));
        status.proven_by_schedule(dir.path(), proven(92_000));
        assert_eq!(trouble(&status, at(92_001)), None);
    }
}
