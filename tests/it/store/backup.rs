//! Backups of running stores: what they hold, what a kill or damage leaves of them, and logs that are cut behind them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the finding"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use keyward::store::backup::{Backup, BackupError, Step};
use keyward::store::sled::{Named, Reader, Store, Writer, copy as back_up};
use keyward::store::{OpenError, Options};

use super::support::{
    Map, after, assert_holds, noise, number, open, open_sound, options, settle, write,
};

pub(super) const NAME: &str = "machines";

/// Small log files, and few records that have to stay.
pub(super) fn cutting() -> Options {
    Options {
        log_file_bytes: 100_000,
        keep_records: 10,
        ..options()
    }
}

/// Makes a backup while nobody writes.
pub(super) fn quietly(reader: &Reader, target: &Path) -> Result<Named, BackupError> {
    back_up(&[(NAME, reader.clone())], target, 7, &|_| true)?.name()
}

fn contents(backup: &Backup) -> Map {
    let mut map = Map::new();
    let section = backup.section(NAME).unwrap();
    let each = backup.each(section, |key, _, value| {
        let twice = map.insert(key.to_vec(), value.to_vec());
        assert!(twice.is_none(), "a key comes once");
        Ok::<_, BackupError>(())
    });
    each.unwrap();
    map.retain(|key, _| key[0] != 0);
    map
}

fn restored(backup: &Backup, store: &Path) -> (Writer, Reader) {
    let section = backup.section(NAME).unwrap();
    Store::restore(store, backup, section, backup.path(), 2 << 20).unwrap();
    open_sound(store)
}

#[test]
fn a_backup_taken_under_load_is_one_state_and_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let (mut writer, reader) = Store::open(&store, cutting()).unwrap();
    write(&mut writer, 1, 600);
    let loaded = Mutex::new((writer, 600));
    let under_load = |step: Step| {
        if matches!(step, Step::Begun | Step::Copying | Step::Synced) {
            let (writer, n) = &mut *loaded.lock().unwrap();
            write(writer, *n + 1, *n + 20);
            *n += 20;
        }
        true
    };
    let target = dir.path().join("one.backup");
    let copied = back_up(&[(NAME, reader.clone())], &target, 7, &under_load).unwrap();
    assert!(!target.exists(), "it has no name before it is proven");
    copied.name().unwrap();
    let backup = Backup::open(&target).unwrap();
    let found = contents(&backup);
    let held = u64::from_be_bytes(found["number".as_bytes()][..].try_into().unwrap());
    let (_writer, committed) = loaded.into_inner().unwrap();
    assert!(held > 600 && held < committed, "{held} of {committed}");
    assert!(
        found == after(held),
        "exactly what the store held at {held}"
    );
    assert_eq!(backup.section(NAME).unwrap().seq().0, held + 1);
    let (mut writer, reader) = restored(&backup, &dir.path().join("elsewhere"));
    assert_holds(&reader, held);
    write(&mut writer, held + 1, held + 5);
    drop((writer, reader));
    let (_writer, reader) = open_sound(&dir.path().join("elsewhere"));
    assert_holds(&reader, held + 5);
}

#[test]
fn several_stores_lie_in_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, first) = Store::open(&dir.path().join("one"), options()).unwrap();
    let (mut two, second) = Store::open(&dir.path().join("two"), options()).unwrap();
    write(&mut one, 1, 30);
    write(&mut two, 1, 40);
    let target = dir.path().join("both.backup");
    let stores = [(NAME, first), ("licenses", second)];
    back_up(&stores, &target, 7, &|_| true)
        .unwrap()
        .name()
        .unwrap();
    let backup = Backup::open(&target).unwrap();
    assert_eq!((backup.at_ms(), backup.sections().len()), (7, 2));
    assert_eq!(backup.bytes(), fs::metadata(&target).unwrap().len());
    assert_eq!(contents(&backup), after(30));
    let other = dir.path().join("restored");
    let section = backup.section("licenses").unwrap();
    Store::restore(&other, &backup, section, backup.path(), 2 << 20).unwrap();
    assert_holds(&open_sound(&other).1, 40);
}

#[test]
fn a_backup_never_overwrites_and_leaves_nothing_when_it_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = Store::open(&dir.path().join("store"), options()).unwrap();
    write(&mut writer, 1, 20);
    let target = dir.path().join("one.backup");
    fs::write(&target, "something else").unwrap();
    let refused = quietly(&reader, &target).unwrap_err();
    assert!(matches!(refused, BackupError::Exists { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "something else");
    fs::remove_file(&target).unwrap();
    // What a killed one left is no hindrance.
    fs::write(dir.path().join("one.backup.part"), "half").unwrap();
    for until in [Step::Begun, Step::Copying, Step::Copied, Step::Synced] {
        let stores = [(NAME, reader.clone())];
        let stopped = back_up(&stores, &target, 7, &|step| step != until).unwrap_err();
        assert!(matches!(stopped, BackupError::Stopped), "{stopped}");
    }
    // Somebody else takes the name meanwhile.
    let late = back_up(&[(NAME, reader.clone())], &target, 7, &|_| true).unwrap();
    fs::write(&target, "another's").unwrap();
    assert!(matches!(
        late.name().unwrap_err(),
        BackupError::Exists { .. }
    ));
    assert_eq!(fs::read_to_string(&target).unwrap(), "another's");
    fs::remove_file(&target).unwrap();
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "the store only"
    );
    quietly(&reader, &target).unwrap();
    assert_eq!(contents(&Backup::open(&target).unwrap()), after(20));
}

/// Every byte of a small one, and many of a larger one.
#[test]
fn a_flipped_cut_or_lengthened_backup_is_found_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = Store::open(&dir.path().join("store"), options()).unwrap();
    let bad = dir.path().join("bad");
    for (batches, places) in [(1, usize::MAX), (300, 150)] {
        write(&mut writer, number(&reader) + 1, batches);
        let target = dir.path().join(format!("{batches}.backup"));
        quietly(&reader, &target).unwrap();
        let whole = fs::read(&target).unwrap();
        let refuse = |bytes: &[u8], what: &str| {
            fs::write(&bad, bytes).unwrap();
            let error = Backup::open(&bad).err();
            let error = error.unwrap_or_else(|| panic!("{what} was not noticed"));
            let named = matches!(
                &error,
                BackupError::Damaged { path, .. } | BackupError::Foreign { path } if *path == bad
            );
            assert!(
                named && error.to_string().contains("hint"),
                "{what}: {error}"
            );
        };
        let count = whole.len().min(places);
        for n in 0..count {
            let at = n * whole.len() / count;
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (n % 8);
            refuse(&bytes, &format!("byte {at} flipped"));
            refuse(&whole[..at], &format!("cut to {at}"));
        }
        refuse(&[&whole[..], b"x"].concat(), "a byte behind it");
        let middle = whole.len() / 2;
        let swapped = [&whole[..middle], &noise(1, 1, 500), &whole[middle..]].concat();
        refuse(&swapped, "bytes in its middle");
        refuse(b"{\"type\":\"event\"}", "a history");
    }
    // A whole one with a block left out: every checksum of a block holds.
    let whole = fs::read(dir.path().join("300.backup")).unwrap();
    let block =
        |at: usize| 13 + u32::from_be_bytes(whole[at + 5..at + 9].try_into().unwrap()) as usize;
    let entries = 20 + block(20);
    let without = [&whole[..entries], &whole[entries + block(entries)..]].concat();
    fs::write(&bad, without).unwrap();
    let error = Backup::open(&bad).unwrap_err();
    assert!(error.to_string().contains("entries are missing"), "{error}");
}

/// The log's files, and their length.
fn logs(store: &Path) -> (Vec<PathBuf>, u64) {
    let entries = fs::read_dir(store.join("log")).unwrap();
    let mut logs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    logs.sort();
    let bytes = logs.iter().map(|log| fs::metadata(log).unwrap().len());
    let bytes = bytes.sum();
    (logs, bytes)
}

#[test]
fn a_log_is_cut_behind_its_backup_and_stops_growing() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let (mut writer, reader) = Store::open(&store, cutting()).unwrap();
    let mut lengths = Vec::new();
    for round in 1..=8 {
        write(&mut writer, number(&reader) + 1, round * 100);
        let target = dir.path().join(format!("{round}.backup"));
        let named = quietly(&reader, &target).unwrap();
        settle(&reader);
        let before = logs(&store).1;
        let freed = reader.cut_log(NAME, &named, &|_| true).unwrap();
        assert_eq!(logs(&store).1, before - freed);
        lengths.push(logs(&store).1);
    }
    // How often sled got its writes in a round depends on the machine: the older of two checkpoints lies anywhere in the
    // round. So what stays is at most a round (1 MB), the file it begins in, and the room that is taken ahead of the newest
    // file (1 MiB); without cuts it would be eight rounds.
    assert!(
        lengths[2..].iter().all(|len| *len < 2_400_000),
        "{lengths:?}: a hundred batches are 1 MB"
    );
    assert!(!logs(&store).0[0].ends_with("00000001"));
    write(&mut writer, 801, 830);
    drop((writer, reader));
    // Every key is checked, those too that only the backup mentions.
    drop(open_sound(&store));
    for gone in ["sled", "highwater"] {
        let path = store.join(gone);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        let (writer, reader) = open(&store).unwrap();
        let repaired = writer.report().repaired.join("\n");
        assert!(repaired.contains("8.backup"), "{repaired}");
        assert_holds(&reader, 830);
        drop((writer, reader));
        drop(open_sound(&store));
    }
    // Without the backup nothing can be rebuilt, and nothing is touched.
    fs::remove_dir_all(store.join("sled")).unwrap();
    fs::rename(dir.path().join("8.backup"), dir.path().join("moved")).unwrap();
    let error = open(&store).err().unwrap();
    let named = matches!(&error, OpenError::Unrepaired { why, .. } if why.contains("8.backup"));
    assert!(named, "{error}");
    fs::copy(dir.path().join("7.backup"), dir.path().join("8.backup")).unwrap();
    let error = open(&store).err().unwrap();
    assert!(error.to_string().contains("another one"), "{error}");
    fs::rename(dir.path().join("moved"), dir.path().join("8.backup")).unwrap();
    assert_holds(&open(&store).unwrap().1, 830);
}

#[test]
fn what_two_checkpoints_or_the_newest_records_need_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    for keep_records in [100, 1_000_000] {
        let options = Options {
            keep_records,
            ..cutting()
        };
        let (mut writer, reader) = Store::open(&store, options).unwrap();
        write(&mut writer, number(&reader) + 1, number(&reader) + 300);
        let named = quietly(&reader, &dir.path().join(format!("{keep_records}"))).unwrap();
        let before = logs(&store).0.len();
        reader.cut_log(NAME, &named, &|_| true).unwrap();
        let left = logs(&store).0.len();
        match keep_records {
            100 => assert!(left < before && left > 8, "{left} of {before}"),
            _ => assert_eq!(left, before),
        }
        drop((writer, reader));
    }
    let (mut writer, reader) = Store::open(&store, cutting()).unwrap();
    let named = quietly(&reader, &dir.path().join("none")).unwrap();
    // This process has seen one checkpoint only.
    assert_eq!(reader.cut_log(NAME, &named, &|_| true).unwrap(), 0);
    write(&mut writer, number(&reader) + 1, number(&reader) + 1);
}

const CHILD: &str = "KEYWARD_TEST_BACKUP_CHILD";

/// Not a test of its own: a process that makes a backup and cuts its log, and dies at the step that it was told.
#[test]
fn child() {
    let Some(told) = std::env::var_os(CHILD) else {
        return;
    };
    let told = told.into_string().unwrap();
    let (dir, nth) = told.rsplit_once(' ').unwrap();
    let (dir, nth) = (Path::new(dir), nth.parse::<u32>().unwrap());
    let (mut writer, reader) = Store::open(&dir.join("store"), cutting()).unwrap();
    write(&mut writer, 201, 220);
    settle(&reader);
    write(&mut writer, 221, 240);
    let left = Mutex::new(nth);
    let step = |_: Step| {
        let mut left = left.lock().unwrap();
        *left -= 1;
        if *left == 0 {
            std::process::abort();
        }
        true
    };
    let copied = back_up(&[(NAME, reader.clone())], &dir.join("b"), 7, &step).unwrap();
    assert!(step(Step::Proven));
    let named = copied.name().unwrap();
    assert!(step(Step::Named));
    reader.cut_log(NAME, &named, &step).unwrap();
    std::process::exit(3);
}

#[test]
fn killed_at_any_step_it_leaves_a_whole_backup_or_none_and_the_log_whole() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    let (mut writer, reader) = Store::open(&image, cutting()).unwrap();
    write(&mut writer, 1, 200);
    settle(&reader);
    drop((writer, reader));
    let (mut named, mut cut) = (0, 0);
    for nth in 1.. {
        let place = dir.path().join(format!("{nth}"));
        let store = place.join("store");
        super::support::copy(&image, &store);
        let before = logs(&store).0.len();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::backup::child"])
            .env(CHILD, format!("{} {nth}", place.display()))
            .output()
            .unwrap()
            .status;
        let target = place.join("b");
        if target.exists() {
            named += 1;
            assert_eq!(contents(&Backup::open(&target).unwrap()), after(240));
        }
        cut += u32::from(logs(&store).0.len() < before);
        let (writer, reader) = open_sound(&store);
        assert_holds(&reader, 240);
        drop((writer, reader));
        fs::remove_dir_all(store.join("sled")).unwrap();
        assert_holds(&open(&store).unwrap().1, 240);
        if status.code() == Some(3) {
            assert!(nth > 10 && named > 5 && cut > 3, "{nth} {named} {cut}");
            return;
        }
    }
}
