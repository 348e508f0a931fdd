//! Whether the folder of the backups lost what was in it: the disk that was mounted there is gone, most often. Backups go on being
//! made wherever the folder is then, and a person is told.

use std::path::{Path, PathBuf};

use super::status::{BackupStatus, Lost};
use crate::domain::time::Timestamp;

/// What the folder has lost by now. What was lost is over when it is there again, or when as many have been made since.
#[must_use]
pub(super) fn lost(
    status: &BackupStatus,
    folder: &Path,
    keep: usize,
    now: Timestamp,
) -> Option<Lost> {
    let made = || status.made.iter().filter(|p| p.parent() == Some(folder));
    if let Some(lost) = status.lost.as_ref().filter(|lost| lost.folder == folder) {
        let is_new = |path: &&PathBuf| !lost.files.contains(path) && path.exists();
        let is_back = lost.files.iter().any(|path| path.exists());
        let enough = lost.files.len().min(keep);
        return (!is_back && made().filter(is_new).count() < enough).then(|| lost.clone());
    }
    let proven = status.scheduled.as_ref().map(|proven| &proven.path);
    let proven = proven.filter(|path| path.parent() == Some(folder))?;
    if proven.exists() || made().any(|path| path.exists()) {
        return None;
    }
    let mut files: Vec<PathBuf> = made().cloned().collect();
    if !files.contains(proven) {
        files.push(proven.clone());
    }
    Some(Lost {
        at: now,
        folder: folder.to_owned(),
        files,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::status::Proven;
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    #[test]
    fn a_folder_that_is_empty_now_has_lost_what_was_made_there_until_it_is_back_or_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("disk");
        let file = |name: &str| folder.join(name);
        let make = |name: &str| fs::write(file(name), "x").unwrap();
        let mut status = BackupStatus::default();
        let look = |status: &BackupStatus| lost(status, &folder, 3, NOW);
        assert_eq!(look(&status), None, "nothing was ever made");
        fs::create_dir(&folder).unwrap();
        for name in ["a", "b"] {
            make(name);
            status.made.push(file(name));
        }
        status.scheduled = Some(Proven {
            at: NOW,
            path: file("b"),
            bytes: 1,
            seq: 1,
            machines: 1,
        });
        assert_eq!(look(&status), None);
        fs::remove_file(file("a")).unwrap();
        assert_eq!(look(&status), None, "one that somebody removed is none");

        // The disk goes, and the next one is made where it was mounted.
        fs::remove_dir_all(&folder).unwrap();
        let seen = look(&status).unwrap();
        assert_eq!(seen.files, [file("a"), file("b")]);
        status.lost = Some(seen.clone());
        fs::create_dir(&folder).unwrap();
        make("c");
        status.made = vec![file("c")];
        assert_eq!(look(&status), Some(seen), "it stays told");
        // It is back.
        make("b");
        assert_eq!(look(&status), None);
        // Or it never comes, and there are as many as there were.
        fs::remove_file(file("b")).unwrap();
        make("d");
        status.made.push(file("d"));
        assert_eq!(look(&status), None);
        // Another folder has lost nothing.
        assert_eq!(lost(&status, dir.path(), 3, NOW), None);
    }
}
