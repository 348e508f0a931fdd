//! Stores whose log was cut behind a backup that is not where it was.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the finding"
)]

use std::fs;
use std::path::{Path, PathBuf};

use keyward::store::sled::{Reader, Store, Writer};
use keyward::store::{OpenError, Options, Verify};

use super::backup::{NAME, cutting, quietly};
use super::support::{assert_holds, number, open_sound, options, settle, write};

/// Opens a store and compares all of it.
fn looked_at(store: &Path) -> Result<(Writer, Reader), OpenError> {
    let verify = Verify::Everything;
    Store::open(
        store,
        Options {
            verify,
            ..options()
        },
    )
}

/// A store whose log begins behind the second of two backups.
fn cut_store(dir: &Path) -> PathBuf {
    let store = dir.join("store");
    let (mut writer, reader) = Store::open(&store, cutting()).unwrap();
    for name in ["older", "newer"] {
        write(&mut writer, number(&reader) + 1, number(&reader) + 150);
        let named = quietly(&reader, &dir.join(name)).unwrap();
        settle(&reader);
        let freed = reader.cut_log(NAME, &named, &|_| true).unwrap();
        assert!(freed > 0 || name == "older", "its log was cut");
    }
    drop((writer, reader));
    store
}

#[test]
fn an_intact_store_whose_backup_is_gone_is_compared_and_the_backup_reported() {
    let dir = tempfile::tempdir().unwrap();
    let store = cut_store(dir.path());
    let (newer, moved) = (dir.path().join("newer"), dir.path().join("moved"));
    fs::rename(&newer, &moved).unwrap();
    for (put_there, trouble) in [
        (None, "is not there"),
        (Some("foreign"), "cannot be used (foreign)"),
        (Some("cut"), "is damaged at byte"),
    ] {
        match put_there {
            Some("cut") => {
                let whole = fs::read(&moved).unwrap();
                fs::write(&newer, &whole[..whole.len() / 2]).unwrap();
            }
            Some(text) => fs::write(&newer, text).unwrap(),
            None => {}
        }
        let (writer, reader) = looked_at(&store).unwrap();
        let report = writer.report();
        assert_eq!(report.repaired, Vec::<String>::new());
        let missing = report.missing_backup.clone().unwrap();
        assert_eq!(missing.path.as_deref(), Some(newer.as_path()));
        assert!(missing.trouble.contains(trouble), "{missing}");
        assert_holds(&reader, 300);
    }
    fs::rename(&moved, &newer).unwrap();
    let (writer, _) = looked_at(&store).unwrap();
    assert_eq!(writer.report().missing_backup, None);
    drop(writer);
    drop(open_sound(&store));
}

/// A log that lacks the backup has no word on each key, but still has one on the newest, and on the store as a whole.
#[test]
fn what_is_wrong_besides_is_still_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = cut_store(dir.path());
    fs::rename(dir.path().join("newer"), dir.path().join("moved")).unwrap();
    fs::write(store.join("sled.suspect"), "a block").unwrap();
    let error = looked_at(&store).err().unwrap();
    let named = matches!(&error, OpenError::Unrepaired { why, .. } if why.contains("newer"));
    assert!(named, "{error}");
}
