//! Which backups go when there are more than the schedule keeps.
//!
//! A name tells when a clock said that a backup was made, and nothing tells whose store is in it: several may share a
//! folder, and a clock may have been ahead. So each data directory keeps a list of what its schedule made, in that order,
//! and only these files are ever removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::status::BackupStatus;
use super::{BackupError, Step, system};
use crate::store::sled::OnStep;

/// Removes the oldest backups that were made into a folder by schedule, so that `keep` stay, and what killed attempts left.
/// Never the newest proven one, nor the one that the log is cut behind. `gone` gets what need not be remembered any more.
pub(super) fn rotate(
    folder: &Path,
    keep: usize,
    status: &BackupStatus,
    gone: &mut Vec<PathBuf>,
    on_step: OnStep<'_>,
) -> Result<(), BackupError> {
    let mut there = Vec::new();
    for path in &status.made {
        if path.parent() != Some(folder) {
            gone.push(path.clone());
            continue;
        }
        remove_half_made(path)?;
        match path.exists() {
            true => there.push(path),
            false => gone.push(path.clone()),
        }
    }
    let needed = [&status.newest, &status.scheduled];
    let is_needed = |path: &Path| {
        needed
            .iter()
            .any(|p| p.as_ref().is_some_and(|p| p.path == path))
    };
    let surplus = there.len().saturating_sub(keep.max(1));
    for path in there
        .into_iter()
        .take(surplus)
        .filter(|path| !is_needed(path))
    {
        fs::remove_file(path).map_err(system("removing an old backup", path))?;
        gone.push(path.clone());
        if !on_step(Step::Rotated) {
            return Err(BackupError::Stopped);
        }
    }
    Ok(())
}

/// Removes what an attempt that was killed left of a backup.
fn remove_half_made(path: &Path) -> Result<(), BackupError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let half = PathBuf::from(name);
    match fs::remove_file(&half) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(system("removing a half-made backup", &half)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::file_name;
    use super::super::status::Proven;
    use super::*;
    use crate::domain::time::Timestamp;

    fn name(s: i64) -> String {
        file_name(Timestamp::from_s(1_767_607_200 + s))
    }

    fn listed(folder: &Path) -> Vec<String> {
        let found = fs::read_dir(folder).unwrap();
        let mut left: Vec<_> = found
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        left
    }

    #[test]
    fn the_oldest_go_as_they_were_made_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(name(0), "keyward-2026-01-05T10-00-00Z.backup");
        let others = [
            "keyward-x",
            "mine.backup",
            &name(99),
            &format!("{}.part", name(98)),
        ];
        // The clock was ahead when the second was made, and the fourth was killed.
        let ours = [
            name(1),
            name(9),
            name(3),
            format!("{}.part", name(4)),
            name(5),
        ];
        for file in others
            .iter()
            .copied()
            .chain(ours.iter().map(String::as_str))
        {
            fs::write(dir.path().join(file), "x").unwrap();
        }
        let path = |s| dir.path().join(name(s));
        let elsewhere = PathBuf::from("/elsewhere").join(name(0));
        let mut status = BackupStatus {
            made: vec![
                elsewhere.clone(),
                path(1),
                path(9),
                path(3),
                path(4),
                path(5),
            ],
            ..BackupStatus::default()
        };
        let mut gone = Vec::new();
        rotate(dir.path(), 2, &status, &mut gone, &|_| true).unwrap();
        let mut left = vec![name(3), name(5)];
        left.extend(others.iter().map(|&other| other.to_owned()));
        left.sort();
        assert_eq!(listed(dir.path()), left);
        assert_eq!(gone, [elsewhere, path(4), path(1), path(9)]);

        // The one that the log is cut behind stays, whatever the list says of its age.
        status.made = vec![path(3), path(5)];
        status.scheduled = Some(Proven {
            at: Timestamp::from_s(0),
            path: path(3),
            bytes: 1,
            seq: 1,
            machines: 1,
        });
        rotate(dir.path(), 1, &status, &mut gone, &|_| true).unwrap();
        assert_eq!(listed(dir.path()), left);
    }
}
