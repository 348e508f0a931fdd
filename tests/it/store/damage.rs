//! Stores that were damaged while nobody looked: each is repaired from the log and says so, or is refused with
//! instructions. None is ever silently short.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test, a panic is the finding"
)]

mod log;

use keyward::store::Commit;
use keyward::store::Read;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use keyward::store::sled::Store;
use keyward::store::{Create, OpenError, Options, Seq};

use super::support::{
    assert_holds, copy, noise, number, open, open_sound, options, rounds, settle, write,
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
