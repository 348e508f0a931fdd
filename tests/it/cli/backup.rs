//! Backups by schedule over a store with real histories, what a failure says, and restores that are cut off.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use keyward::domain::notice::NoticeStatus;
use keyward::domain::standing::Author;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::backup::restore::{self, RestoreError};
use keyward::engine::backup::status::BackupStatus;
use keyward::engine::backup::{BackupError, Backups, Schedule, Step};
use keyward::engine::read::view;
use keyward::engine::record::{restored, standing};
use keyward::engine::write::working::Committed;
use keyward::server;
use keyward::store::sled::{Reader, Store, Writer};
use keyward::store::{Create, OpenError, Options};

use super::support::{CONFIG, Place, willing};

const STORY: &[&str] = &["cancel-now", "refund-never-linked", "sub-checkout"];

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_s(1_900_000_000) + Span::from_minutes(minutes)
}

fn options() -> Options {
    Options {
        min_free_bytes: 0,
        ..Options::default()
    }
}

fn opened(place: &Place) -> (Writer, Reader, Backups) {
    let opened = server::open(&place.config(), Create::Never, None).unwrap();
    let (writer, reader) = opened.store;
    let licenses = opened.licenses.map(|(_, reader)| reader);
    let backups = Backups::new(&place.path("data"), reader.clone(), licenses);
    (writer, reader, backups)
}

fn listed(folder: &Path) -> Vec<String> {
    let found = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = found
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// One a day, of which two are kept.
fn daily(place: &Place) -> Schedule {
    Schedule {
        folder: place.path("backups"),
        every: Span::from_hours(24),
        keep: 2,
    }
}

#[test]
fn a_folder_whose_disk_is_gone_is_told_and_backups_go_on() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    let (_writer, _reader, backups) = opened(&place);
    let schedule = daily(&place);
    let day = 24 * 60;
    let step = |n: i64| {
        backups.check(&schedule, at(n * day));
        backups.by_schedule(&schedule, at(n * day), &|_| true);
        backups.check(&schedule, at(n * day));
    };
    step(0);
    step(1);
    assert_eq!(backups.status().lost, None);
    let away = place.path("away");
    std::fs::rename(&schedule.folder, &away).unwrap();
    step(2);
    let status = backups.status();
    assert_eq!(status.lost.as_ref().map(|l| l.files.len()), Some(2));
    assert_eq!(status.failed, None, "it is made all the same");
    assert_eq!(listed(&schedule.folder).len(), 1);
    assert_eq!(
        BackupStatus::read(&place.path("data")).lost,
        status.lost,
        "a restart forgets nothing"
    );
    // The disk is back, and what is on it is among the own ones again.
    for name in listed(&away) {
        std::fs::rename(away.join(&name), schedule.folder.join(&name)).unwrap();
    }
    backups.check(&schedule, at(2 * day + 1));
    assert_eq!(backups.status().lost, None);
    step(3);
    assert_eq!(listed(&schedule.folder).len(), 2, "they are rotated again");
    // It never comes back: as many new ones end it.
    std::fs::remove_dir_all(&schedule.folder).unwrap();
    step(4);
    assert!(backups.status().lost.is_some());
    step(5);
    assert_eq!(backups.status().lost, None);
}

#[test]
fn a_backup_in_the_data_directory_is_refused() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    std::fs::create_dir(place.path("data/deeper")).unwrap();
    std::os::unix::fs::symlink(place.path("data"), place.path("linked")).unwrap();
    for target in [
        "data/one.backup",
        "data/deeper/one.backup",
        "linked/one.backup",
        "./data/../data/one.backup",
    ] {
        let said = place.run(&["backup", target]);
        assert_eq!(said.code, Some(1), "{target}: {said}");
        assert!(said.err.contains("lies in the data directory"), "{said}");
    }
    assert_eq!(place.run(&["backup", "one.backup"]).code, Some(0));
    let config = format!("{CONFIG}[backup]\npath = \"./data/backups\"\n");
    std::fs::write(place.path("keyward.toml"), config).unwrap();
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, Some(1), "{checked}");
    assert!(
        checked.err.contains("backups in the data directory"),
        "{checked}"
    );
}

#[test]
fn backups_by_schedule_are_proven_rotated_and_told() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    let (_writer, _reader, backups) = opened(&place);
    let schedule = daily(&place);
    let day = 24 * 60;
    for n in 0..4 {
        assert!(backups.is_due(&schedule, at(n * day)));
        backups.by_schedule(&schedule, at(n * day), &|_| true);
        assert!(!backups.is_due(&schedule, at(n * day + day - 1)));
    }
    let left = listed(&schedule.folder);
    assert_eq!(left.len(), 2, "{left:?}");
    let status = BackupStatus::read(&place.path("data"));
    let newest = status.newest.clone().unwrap();
    assert_eq!((newest.at, newest.machines), (at(3 * day), 2));
    assert!(newest.path.ends_with(&left[1]) && status.failed.is_none());
    assert!(place.path("data/base").exists(), "the log is cut behind it");

    // What a killed one left goes with the next; a failure is kept until one succeeds.
    let bad = Schedule {
        folder: place.path("keyward.toml"),
        ..schedule.clone()
    };
    backups.by_schedule(&bad, at(4 * day), &|_| true);
    let failed = backups.status().failed.unwrap();
    assert!(failed.why.contains("keyward.toml") && failed.why.contains("ReadWritePaths"));
    assert!(!backups.is_due(&bad, at(4 * day + 9)));
    assert!(backups.is_due(&bad, at(4 * day + 10)));
    backups.by_schedule(&schedule, at(4 * day + 10), &|_| true);
    assert_eq!(backups.status().failed, None);
    assert_eq!(listed(&schedule.folder).len(), 2);
    // One that is given up half-way leaves nothing.
    backups.by_schedule(&schedule, at(6 * day), &|step| step != Step::Proven);
    assert_eq!(listed(&schedule.folder).len(), 2);
}

#[test]
fn the_backup_just_proven_stays_beside_others_that_seem_newer() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    let (_writer, _reader, backups) = opened(&place);
    let schedule = daily(&place);
    fs::create_dir_all(&schedule.folder).unwrap();
    // A second store that shares the folder, with a clock ahead of ours; it is making one just now.
    let theirs = [
        "keyward-2099-01-01T00-00-00Z.backup",
        "keyward-2099-01-02T00-00-00Z.backup",
        "keyward-2099-01-03T00-00-00Z.backup.part",
    ];
    for name in theirs {
        fs::write(schedule.folder.join(name), "theirs").unwrap();
    }
    for day in 0..4 {
        backups.by_schedule(&schedule, at(day * 24 * 60), &|_| true);
        let status = BackupStatus::read(&place.path("data"));
        let newest = status.newest.unwrap();
        assert_eq!(newest.at, at(day * 24 * 60));
        assert!(newest.path.exists(), "the log is cut behind it");
    }
    let left = listed(&schedule.folder);
    assert_eq!(left.len(), 2 + theirs.len(), "{left:?}");
    assert!(theirs.iter().all(|name| left.iter().any(|l| l == name)));
}

#[test]
fn a_store_is_rebuilt_from_the_backup_of_its_schedule() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    let before = place.run(&["show", "sub_CancelNow01", "--json"]).json();
    let (writer, reader, backups) = opened(&place);
    let schedule = daily(&place);
    backups.by_schedule(&schedule, at(0), &|_| true);
    drop((backups, reader));
    writer.close().unwrap();
    fs::remove_dir_all(place.path("data/sled")).unwrap();
    assert_eq!(
        place.run(&["show", "sub_CancelNow01", "--json"]).json(),
        before
    );
}

/// A backup with a mail that is due.
fn with_mail_due(place: &Place) -> PathBuf {
    place.fill(&["onetime-lifetime"], willing);
    let resent = place.run(&["resend", "cs_live_OnetimeLifetime01"]);
    assert_eq!(resent.code, Some(0), "{resent}");
    let (writer, reader, backups) = opened(place);
    let target = place.path("one.backup");
    backups.take(&target, at(0), &|_| true).unwrap();
    drop((backups, reader));
    writer.close().unwrap();
    target
}

/// Mails that wait.
fn pending(reader: &Reader) -> usize {
    let mut count = 0;
    view::machines(reader, |machine| {
        let waits = |n: &&keyward::domain::notice::Notice| n.status == NoticeStatus::Pending;
        count += machine.notices.iter().filter(waits).count();
        true
    })
    .unwrap();
    count
}

#[test]
fn a_restored_store_is_marked_and_sends_nothing_that_was_due_before() {
    let place = Place::with(CONFIG);
    let target = with_mail_due(&place);
    let dir = place.path("elsewhere");
    let done = restore::restore(&target, &dir, &options(), at(60), &|| {}).unwrap();
    assert_eq!((done.taken, done.machines), (at(0), 1));
    assert_eq!(done.mails_skipped, 1);
    let (_writer, reader) = Store::open(&dir, options()).unwrap();
    let mark = restored::read(&Committed(&reader)).unwrap().unwrap();
    assert_eq!((mark.at, mark.taken, mark.seq), (at(60), at(0), done.seq));
    assert_eq!(mark.from, target.display().to_string());
    let orders = standing::orders(&Committed(&reader)).unwrap();
    let order = orders.observes(None).unwrap();
    assert_eq!(
        (&order.by, order.at),
        (&Author::Restore, at(60)),
        "it starts held"
    );
    assert_eq!(pending(&reader), 0);
    // The one that it was made from knows of no restore.
    let (_writer, original, _) = opened(&place);
    assert_eq!(pending(&original), 1);
    assert_eq!(restored::read(&Committed(&original)).unwrap(), None);
}

/// Nothing is sent after a restore until a person says so: the command itself says it, and the list until it is done.
#[test]
fn a_restored_store_says_that_it_waits_for_go_live() {
    let place = Place::with(CONFIG);
    let target = with_mail_due(&place);
    let attention = || place.run(&["attention", "--json"]).json();
    assert_eq!(attention(), serde_json::json!([]));
    fs::rename(place.path("data"), place.path("before")).unwrap();
    let restored = place.run(&["restore", target.to_str().unwrap()]);
    assert_eq!(restored.code, Some(0), "{restored}");
    assert!(
        restored.err.contains("`keyward go-live --reason …`"),
        "{restored}"
    );
    let skipped = "1 mail was due by now and is not sent, for an earlier run may have sent it";
    assert!(restored.err.contains(skipped), "{restored}");
    let waits = attention();
    let row = waits
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["cause"] == "restored");
    let row = row.unwrap_or_else(|| panic!("{waits}"));
    assert_eq!(row["settle"], "keyward go-live --reason …");
    let why = row["reason"].as_str().unwrap();
    assert!(
        why.starts_with("restored from ") && why.contains("one.backup"),
        "{why}"
    );
    assert_eq!(
        place.run(&["go-live", "--reason", "looked at"]).code,
        Some(0)
    );
    let waits = attention();
    let causes = waits.as_array().unwrap().iter().map(|row| &row["cause"]);
    assert!(causes.clone().all(|cause| cause != "restored"), "{waits}");
}

#[test]
fn only_an_empty_directory_is_restored_into() {
    let place = Place::with(CONFIG);
    let target = with_mail_due(&place);
    let dir = place.path("elsewhere");
    fs::create_dir_all(dir.join("lost+found")).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    let refused = restore::restore(&target, &dir, &options(), at(1), &|| {}).unwrap_err();
    assert!(
        matches!(refused, RestoreError::NotEmpty { .. }),
        "{refused}"
    );
    assert_eq!(listed(&dir), ["lost+found", "notes.txt"]);
    fs::remove_file(dir.join("notes.txt")).unwrap();
    restore::restore(&target, &dir, &options(), at(1), &|| {}).unwrap();
    let missing = place.path("nowhere");
    let refused = restore::restore(&missing, &place.path("x"), &options(), at(1), &|| {});
    let refused = refused.unwrap_err();
    let io = matches!(
        refused,
        RestoreError::Backup(BackupError::Unreadable { .. })
    );
    assert!(io && !place.path("x").exists(), "{refused}");
}

#[test]
fn a_restore_that_is_cut_off_is_no_store_and_begins_anew() {
    let place = Place::with(CONFIG);
    let target = with_mail_due(&place);
    let mut whole = 0;
    for nth in 1.. {
        let dir = place.path(&format!("cut-{nth}"));
        let left = Cell::new(nth);
        let cut_off = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let step = || {
                left.set(left.get() - 1);
                assert!(left.get() > 0, "cut off here on purpose");
            };
            restore::restore(&target, &dir, &options(), at(1), &step).unwrap();
        }));
        if cut_off.is_ok() {
            assert!(nth > 8, "{nth} steps");
            break;
        }
        match Store::open(&dir, options()) {
            Err(OpenError::HalfRestored { .. } | OpenError::Missing { .. }) => {}
            Err(other) => panic!("{nth}: {other}"),
            Ok(_) => {
                whole += 1;
                continue;
            }
        }
        restore::restore(&target, &dir, &options(), at(1), &|| {}).unwrap();
        let (_writer, reader) = Store::open(&dir, options()).unwrap();
        assert!(restored::read(&Committed(&reader)).unwrap().is_some());
    }
    assert_eq!(whole, 1, "after the last step it is whole");
}
