//! Damage to the commit log, and to the checkpoint.

use keyward::store::Commit;
use std::fs;
use std::path::{Path, PathBuf};

use keyward::store::sled::Store;
use keyward::store::{OpenError, Options};

use super::edit;
use crate::store::support::{
    assert_holds, batch, copy, noise, open, open_sound, options, settle, write,
};

/// A store with `batches` batches of which no checkpoint tells (or all, if `settled`), as a killed process leaves it.
fn log_image(batches: u64, settled: bool) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let running = dir.path().join("running");
    let flush_every = if settled {
        options().flush_every
    } else {
        std::time::Duration::from_secs(3600)
    };
    let (mut writer, reader) = Store::open(
        &running,
        Options {
            flush_every,
            log_file_bytes: 100_000,
            ..options()
        },
    )
    .unwrap();
    write(&mut writer, 1, batches);
    if settled {
        settle(&reader);
    }
    let store = dir.path().join("store");
    copy(&running, &store);
    (dir, store)
}

fn logs(store: &Path) -> Vec<PathBuf> {
    let mut logs: Vec<_> = fs::read_dir(store.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    logs.sort();
    logs
}

/// Where a log file's records end and its zeros begin.
fn end(log: &[u8]) -> usize {
    log.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

fn refused(store: &Path) -> OpenError {
    let before = snapshot_of(store);
    let error = open(store).err().expect("this must not open");
    assert_eq!(
        before,
        snapshot_of(store),
        "a refusal changes nothing in the log"
    );
    let text = error.to_string();
    assert!(text.contains("hint"), "{text}");
    error
}

fn snapshot_of(store: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = store.join("log");
    if !dir.exists() {
        return Vec::new();
    }
    logs(store)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

type Damage<'a> = Box<dyn Fn(&mut Vec<u8>) + 'a>;

#[test]
fn a_torn_record_at_the_logs_end_is_cut_off() {
    let (_dir, image) = log_image(20, false);
    let newest = logs(&image).pop().unwrap();
    let whole = fs::read(&newest).unwrap();
    let end = end(&whole);
    let torn: [(&str, u64, Damage<'_>); 5] = [
        ("cut", 19, Box::new(|all| all.truncate(end - 10))),
        (
            "cut to its first bytes",
            19,
            Box::new(|all| all.truncate(end - 8_000)),
        ),
        (
            "a page of it never written",
            19,
            Box::new(|all| all[end - 6_000..end - 2_000].fill(0)),
        ),
        (
            "garbage behind it",
            20,
            Box::new(|all| all.splice(end.., noise(1, 1, 700)).for_each(drop)),
        ),
        (
            "half a header behind it",
            20,
            Box::new(|all| all.splice(end.., noise(1, 1, 7)).for_each(drop)),
        ),
    ];
    for (what, left, damage) in torn {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        copy(&image, &store);
        edit(&logs(&store).pop().unwrap(), damage);
        let (mut writer, reader) = open(&store).unwrap();
        assert_eq!(
            writer.report().repaired.len(),
            1,
            "{what}: {:?}",
            writer.report()
        );
        assert!(
            writer.report().repaired[0].contains("never acknowledged"),
            "{what}"
        );
        assert_holds(&reader, left);
        write(&mut writer, left + 1, left + 5);
        drop((writer, reader));
        let (_writer, reader) = open_sound(&store);
        assert_holds(&reader, left + 5);
    }
}

#[test]
fn damage_inside_the_log_is_refused() {
    for settled in [false, true] {
        let (_dir, image) = log_image(60, settled);
        let files = logs(&image);
        for (number, log) in files.iter().enumerate() {
            let whole = fs::read(log).unwrap();
            let last = number + 1 == files.len();
            // In the newest file stay clear of the last record, which nobody can tell from a torn one.
            let end = if last && !settled {
                end(&whole).saturating_sub(13_000)
            } else {
                end(&whole)
            };
            for place in 0..7 {
                let at = end * place / 7 + 30;
                fs::write(log, flipped(&whole, at)).unwrap();
                let error = refused(&image);
                assert!(
                    matches!(&error, OpenError::LogDamaged { path, .. } if path == log),
                    "{at}: {error}"
                );
            }
            fs::write(log, &whole).unwrap();
        }
        let (_writer, reader) = open(&image).unwrap();
        assert_holds(&reader, 60);
    }
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 0x20;
    bytes
}

#[test]
fn a_log_that_is_not_all_there_is_refused() {
    let (_dir, image) = log_image(60, true);
    let files = logs(&image);
    assert!(files.len() > 3, "{files:?}");
    let gone: [(&str, Vec<&PathBuf>); 3] = [
        ("the middle one", vec![&files[1]]),
        ("the newest", vec![&files[files.len() - 1]]),
        ("all", files.iter().collect()),
    ];
    for (what, gone) in gone {
        let kept: Vec<_> = gone.iter().map(|path| fs::read(path).unwrap()).collect();
        gone.iter().for_each(|path| fs::remove_file(path).unwrap());
        let error = refused(&image);
        assert!(
            matches!(error, OpenError::LogMissing { .. }),
            "{what}: {error}"
        );
        gone.iter()
            .zip(kept)
            .for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    }
    let newest = files.last().unwrap();
    let whole = fs::read(newest).unwrap();
    fs::write(newest, &whole[..44]).unwrap();
    let error = refused(&image);
    assert!(
        matches!(error, OpenError::LogMissing { .. }),
        "cut to its header: {error}"
    );
    fs::write(newest, &whole).unwrap();
    fs::rename(image.join("log"), image.join("elsewhere")).unwrap();
    let error = refused(&image);
    assert!(matches!(error, OpenError::LogMissing { .. }), "{error}");
    fs::rename(image.join("elsewhere"), image.join("log")).unwrap();
    // Without the oldest file nothing is wrong, until sled has to be made anew.
    fs::remove_file(&files[0]).unwrap();
    drop(open(&image).unwrap());
    fs::remove_dir_all(image.join("sled")).unwrap();
    assert!(matches!(
        open(&image).err().unwrap(),
        OpenError::Unrepaired { .. }
    ));
}

#[test]
fn a_checkpoint_newer_than_the_log_is_refused() {
    let (_dir, old) = log_image(20, true);
    let (_other, new) = log_image(21, true);
    fs::copy(new.join("highwater"), old.join("highwater")).unwrap();
    let error = refused(&old);
    assert!(matches!(error, OpenError::LogMissing { .. }), "{error}");
    // The same number, but another history.
    let (_third, strange) = log_image(5, false);
    let (mut writer, reader) = open(&strange).unwrap();
    for n in 0..16 {
        let mut batch = batch(n + 100);
        batch.put("strange", "yes");
        writer.commit(&batch).unwrap();
    }
    settle(&reader);
    fs::copy(strange.join("highwater"), new.join("highwater")).unwrap();
    let error = refused(&new);
    assert!(matches!(error, OpenError::LogMissing { .. }), "{error}");
}

#[test]
fn sled_ahead_of_the_log_is_refused() {
    let (_dir, image) = log_image(30, true);
    let (_short, short) = log_image(20, true);
    fs::remove_dir_all(short.join("sled")).unwrap();
    copy(&image.join("sled"), &short.join("sled"));
    let error = refused(&short);
    assert!(matches!(error, OpenError::LogMissing { .. }), "{error}");
}
