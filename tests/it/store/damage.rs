//! Stores that were damaged while nobody looked: each is repaired from the log and says so, or is refused with
//! instructions. None is ever silently short.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test, a panic is the finding"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use keyward::store::sled::Store;
use keyward::store::{Commit, Create, OpenError, Options, Read, Seq};

use super::support::{
    assert_holds, batch, copy, noise, number, open, open_sound, options, rounds, settle, write,
};

const BATCHES: u64 = 400;

/// Copies of a store as a killed process leaves it: never reopened since it was made, and reopened in between, which
/// is when sled writes a snapshot. Everything is in sled and in the checkpoint.
struct Images {
    _dir: tempfile::TempDir,
    no_snap: PathBuf,
    snap: PathBuf,
}

fn images() -> &'static Images {
    static IMAGES: OnceLock<Images> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (no_snap, snap) = (dir.path().join("no-snap"), dir.path().join("snap"));
        let running = dir.path().join("running");
        let (mut writer, reader) = Store::open(&running, options()).unwrap();
        write(&mut writer, 1, BATCHES / 2);
        settle(&reader);
        copy(&running, &snap);
        write(&mut writer, BATCHES / 2 + 1, BATCHES);
        settle(&reader);
        copy(&running, &no_snap);
        drop((writer, reader));
        fs::remove_dir_all(&running).unwrap();
        fs::rename(&snap, &running).unwrap();
        let (mut writer, reader) = open(&running).unwrap();
        write(&mut writer, BATCHES / 2 + 1, BATCHES);
        settle(&reader);
        copy(&running, &snap);
        Images {
            _dir: dir,
            no_snap,
            snap,
        }
    })
}

/// What may come of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It does not matter.
    Intact,
    /// It is noticed and repaired.
    Repaired,
    /// It may have hit something that is not in use.
    Either,
}

/// Damages a copy of each image, opens it, and compares everything.
fn check(what: &str, then: Then, damage: impl Fn(&Path)) {
    for image in [&images().no_snap, &images().snap] {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        copy(image, &store);
        damage(&store);
        let name = format!("{what}, {}", image.file_name().unwrap().to_string_lossy());
        let (writer, reader) = open(&store).unwrap_or_else(|error| panic!("{name}: {error}"));
        let repaired = &writer.report().repaired;
        match then {
            Then::Intact => assert!(repaired.is_empty(), "{name}: {repaired:?}"),
            Then::Repaired => assert!(!repaired.is_empty(), "{name}: was not noticed"),
            Then::Either => {}
        }
        assert_holds(&reader, BATCHES);
        drop((writer, reader));
        let (mut writer, reader) = open_sound(&store);
        write(&mut writer, BATCHES + 1, BATCHES + 1);
        assert_holds(&reader, BATCHES + 1);
    }
}

fn db(store: &Path) -> PathBuf {
    store.join("sled/db")
}

fn edit(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, bytes: usize) {
    edit(path, |all| all.truncate(all.len().saturating_sub(bytes)));
}

fn snapshots(store: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(store.join("sled"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("snap.")
        })
        .collect()
}

#[test]
fn what_does_not_matter_to_sled_does_not_matter() {
    check("nothing", Then::Intact, |_| {});
    check("conf removed", Then::Either, |store| {
        fs::remove_file(store.join("sled/conf")).unwrap()
    });
    check("conf empty", Then::Either, |store| {
        fs::write(store.join("sled/conf"), "").unwrap()
    });
    check("snapshot removed", Then::Intact, |store| {
        snapshots(store)
            .iter()
            .for_each(|path| fs::remove_file(path).unwrap());
    });
    check("half-made snapshot", Then::Intact, |store| {
        fs::write(store.join("sled/snap.00000000FFFFFFFF.generating"), "half").unwrap();
    });
}

#[test]
fn a_cut_or_zeroed_end_of_sleds_file_is_repaired() {
    for bytes in [100, 5_000, 100_000, 600_000, 2_000_000, usize::MAX] {
        check(&format!("{bytes} bytes cut"), Then::Either, |store| {
            cut(&db(store), bytes)
        });
    }
    for bytes in [64 << 10, 1 << 20] {
        check(&format!("{bytes} bytes zeroed"), Then::Either, |store| {
            edit(&db(store), |all| {
                let from = all.len().saturating_sub(bytes);
                all[from..].fill(0);
            });
        });
    }
}

#[test]
fn flipped_bits_in_sleds_file_are_repaired() {
    for place in 1..10 {
        check(&format!("bit at {place} tenths"), Then::Either, |store| {
            edit(&db(store), |all| {
                let at = all.len() * place / 10 + 12_345;
                all[at] ^= 4;
            });
        });
        check(&format!("page at {place} tenths"), Then::Either, |store| {
            edit(&db(store), |all| {
                let at = all.len() * place / 10 / 4096 * 4096;
                all[at..at + 4096].copy_from_slice(&noise(place as u64, 0, 4096));
            });
        });
    }
}

/// What nobody thought of: some bytes anywhere in sled's files.
#[test]
fn damage_anywhere_in_sled_is_repaired() {
    for round in 0..rounds(10, 300) {
        let dice = noise(round, 77, 24);
        let number = |at: usize| u64::from_be_bytes(dice[at..at + 8].try_into().unwrap()) as usize;
        check(&format!("round {round}"), Then::Either, |store| {
            edit(&db(store), |all| {
                let at = number(0) % all.len();
                let len =
                    (number(8) % [2, 100, 5_000, 600_000][number(16) % 4]).min(all.len() - at);
                match number(16) / 4 % 3 {
                    0 => all[at..at + len].fill(0),
                    1 => all[at..at + len].copy_from_slice(&noise(round, 78, len)),
                    _ => all[at] ^= 1 << (len % 8),
                }
            });
        });
    }
}

#[test]
fn damaged_segment_headers_are_repaired() {
    let segments = fs::metadata(db(&images().no_snap)).unwrap().len() >> 19;
    for segment in (0..segments).step_by(2) {
        check(
            &format!("header of segment {segment}"),
            Then::Either,
            |store| {
                edit(&db(store), |all| {
                    if let Some(byte) = all.get_mut((segment as usize) << 19 | 9) {
                        *byte ^= 1;
                    }
                });
            },
        );
    }
}

#[test]
fn missing_parts_of_sled_are_repaired() {
    check("snapshot empty", Then::Either, |store| {
        snapshots(store)
            .iter()
            .for_each(|path| fs::write(path, "").unwrap());
    });
    check("snapshot cut", Then::Either, |store| {
        snapshots(store).iter().for_each(|path| cut(path, 20))
    });
    check("db removed", Then::Repaired, |store| {
        fs::remove_file(db(store)).unwrap()
    });
    check("db empty", Then::Repaired, |store| {
        fs::write(db(store), "").unwrap()
    });
    check("sled removed", Then::Repaired, |store| {
        fs::remove_dir_all(store.join("sled")).unwrap()
    });
    check("highwater removed", Then::Repaired, |store| {
        fs::remove_file(store.join("highwater")).unwrap()
    });
    check("highwater damaged", Then::Repaired, |store| {
        edit(&store.join("highwater"), |all| all[10] ^= 1)
    });
    check("another store's sled", Then::Repaired, |store| {
        fs::remove_dir_all(store.join("sled")).unwrap();
        let other = tempfile::tempdir().unwrap();
        let (mut writer, reader) = Store::open(other.path(), options()).unwrap();
        for n in 0..BATCHES {
            writer
                .commit(keyward::store::Batch::new().put("other", n.to_be_bytes()))
                .unwrap();
        }
        settle(&reader);
        copy(&other.path().join("sled"), &store.join("sled"));
    });
}

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

#[test]
fn a_store_is_made_only_when_asked_for_and_opened_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    assert!(matches!(open(&store), Err(OpenError::Missing { .. })));
    assert!(!store.exists(), "looking makes nothing");
    let (writer, reader) = Store::open(
        &store,
        Options {
            create: Create::MustBeNew,
            ..options()
        },
    )
    .unwrap();
    assert!(writer.report().created);
    let error = open(&store).err().unwrap();
    let own = std::process::id().to_string();
    assert!(
        matches!(&error, OpenError::Locked { holder, .. } if *holder == own),
        "{error}"
    );
    drop((writer, reader));
    let error = Store::open(
        &store,
        Options {
            create: Create::MustBeNew,
            ..options()
        },
    )
    .err()
    .unwrap();
    assert!(matches!(error, OpenError::Exists { .. }));
    let (writer, reader) = open(&store).unwrap();
    assert_eq!(
        (writer.report().created, reader.seq().unwrap()),
        (false, Seq(1))
    );
}

#[test]
fn making_a_store_can_be_cut_off_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    drop(Store::open(&store, options()).unwrap());
    let steps: [&[&str]; 4] = [&["sled"], &["highwater"], &["log/00000001"], &["log"]];
    for gone in 1..=steps.len() {
        let cut = dir.path().join(format!("cut-{gone}"));
        copy(&store, &cut);
        fs::write(
            cut.join("log/00000001"),
            &fs::read(store.join("log/00000001")).unwrap()[..44],
        )
        .unwrap();
        for path in steps[..gone].concat() {
            let path = cut.join(path);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap()
            } else {
                fs::remove_file(path).unwrap()
            }
        }
        if gone == 1 {
            // The first checkpoint is written with the log still empty.
            let fresh = dir.path().join("fresh");
            fs::create_dir_all(&fresh).unwrap();
            continue;
        }
        assert!(
            matches!(open(&cut), Err(OpenError::Missing { .. })),
            "{gone}"
        );
        let (mut writer, reader) = Store::open(&cut, options()).unwrap();
        write(&mut writer, 1, 2);
        assert_eq!(number(&reader), 2);
    }
}
