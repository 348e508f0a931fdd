//! Disks that are full or fail.

use keyward::store::Commit;
use keyward::store::Read;
use std::fs;
use std::time::Duration;

use keyward::store::sled::Store;
use keyward::store::{Batch, CommitError, Options};

use super::{Cuttable, check, run, say};
use crate::store::support::{assert_holds, batch, number, options, settle, write};

/// A full disk refuses, and takes commits again when there is room.
#[test]
fn a_nearly_full_disk_refuses_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Cuttable::make(dir.path()) else {
        return say("A FULL DISK WAS NOT TESTED: no file system can be mounted here");
    };
    let ballast = disk.mount.join("ballast");
    let store = disk.mount.join("store");
    assert!(run("fallocate", &["-l", "850M", ballast.to_str().unwrap()]));
    let options = Options {
        min_free_bytes: 40 << 20,
        ..options()
    };
    let (mut writer, reader) = Store::open(&store, options).unwrap();
    let mut n = 0;
    let refusal = loop {
        match writer.commit(&batch(n + 1)) {
            Ok(_) => n += 1,
            Err(refusal) => break refusal,
        }
    };
    assert!(refusal.to_string().contains("nearly full"), "{refusal}");
    settle(&reader);
    assert_eq!(number(&reader), n);
    fs::remove_file(&ballast).unwrap();
    write(&mut writer, n + 1, n + 10);
    assert_holds(&reader, n + 10);
}

/// A disk that fails breaks the store: no answer, no more reads, no panic on the way out.
#[test]
fn a_failing_disk_breaks_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Cuttable::make(dir.path()) else {
        return say("A FAILING DISK WAS NOT TESTED: no file system can be mounted here");
    };
    let store = disk.mount.join("store");
    let (mut writer, reader) = Store::open(&store, options()).unwrap();
    write(&mut writer, 1, 20);
    assert!(disk.cut());
    assert!(matches!(
        writer.commit(&batch(21)),
        Err(CommitError::Broken(_))
    ));
    assert!(matches!(
        writer.commit(&batch(21)),
        Err(CommitError::Broken(_))
    ));
    assert!(reader.get(b"number").is_err());
    assert!(writer.close().is_err());
    drop(reader);
    assert!(disk.detach() && disk.attach());
    check(&store, 20);
}

/// A disk that is really full, because somebody else filled it, costs a restart and nothing else.
#[test]
fn a_full_disk_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Cuttable::make(dir.path()) else {
        return say("A FULL DISK WAS NOT TESTED: no file system can be mounted here");
    };
    let ballast = disk.mount.join("ballast");
    let store = disk.mount.join("store");
    let (mut writer, reader) = Store::open(&store, options()).unwrap();
    write(&mut writer, 1, 5);
    let full = !run(
        "dd",
        &[
            "if=/dev/zero",
            &format!("of={}", ballast.display()),
            "bs=64k",
        ],
    );
    assert!(full);
    let mut n = 5;
    let error = loop {
        match writer.commit(&batch(n + 1)) {
            Ok(_) => n += 1,
            Err(error) => break error,
        }
    };
    // Refused while there is still a little room, or broken by the log's or sled's own attempt: both may happen first.
    assert!(
        matches!(error, CommitError::Full(_) | CommitError::Broken(_)),
        "{error}"
    );
    assert!(error.to_string().contains("make room"), "{error}");
    let _ = writer.close();
    drop(reader);
    // A service manager starts it again meanwhile.
    if let Err(error) = Store::open(&store, options()) {
        assert!(error.to_string().contains("make room"), "{error}");
    }
    fs::remove_file(&ballast).unwrap();
    check(&store, n);
}

/// Writes that come faster than sled takes them are refused, not gathered without bound.
#[test]
fn a_full_overlay_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let full_wait = Duration::ZERO;
    let options = Options {
        overlay_max_bytes: 100_000,
        full_wait,
        flush_every: Duration::from_secs(3600),
        ..options()
    };
    let (mut writer, reader) = Store::open(dir.path(), options).unwrap();
    let refused = (0..2_000_u32).find_map(|n| {
        let mut batch = Batch::new();
        for i in 0..16_u32 {
            batch.put(format!("{n}/{i}"), vec![0; 3_000]);
        }
        let held = reader.overlay_bytes();
        assert!(held <= 110_000, "{held}");
        writer.commit(&batch).err()
    });
    assert!(refused.is_some_and(|refusal| refusal.to_string().contains("wait for sled")));
    settle(&reader);
    writer.commit(Batch::new().put("again", "yes")).unwrap();
}
