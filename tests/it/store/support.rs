//! What the store's tests share: a load whose outcome is known for every number of batches, and copies of directories.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the finding")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use keyward::store::sled::{Reader, Store, Writer};
use keyward::store::{
    Batch, Commit, Create, Direction, KeyRange, OpenError, Options, Read, Verify,
};

/// Key to value.
pub(crate) type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Options for tests: small, quick, and indifferent to how full the disk is.
pub(crate) fn options() -> Options {
    Options {
        cache_bytes: 2 << 20,
        create: Create::IfMissing,
        min_free_bytes: 0,
        flush_every: Duration::from_millis(20),
        log_file_bytes: 1 << 20,
        ..Options::default()
    }
}

/// Some bytes that are the same for the same numbers and hard to compress or to mistake for others.
pub(crate) fn noise(n: u64, i: u64, len: usize) -> Vec<u8> {
    let mut state = (n << 20 ^ i).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(len)
    .collect()
}

/// Batch `n` (from 1): what is kept for ever, what is overwritten, what lives for a few batches only, and the number.
pub(crate) fn batch(n: u64) -> Batch {
    let mut batch = Batch::new();
    for i in 0..4 {
        batch.put(
            format!("event/{n:08}/{i}"),
            noise(n, i, 300 + (n * 7 % 900) as usize),
        );
    }
    for i in 4..8 {
        batch.put(
            format!("machine/{:03}", (n * 31 + i * 57) % 200),
            noise(n, i, 1_500),
        );
    }
    for i in 8..11 {
        batch.put(format!("due/{n:08}/{i}"), noise(n, i, 100));
        if n > 3 {
            batch.delete(format!("due/{:08}/{i}", n - 3));
        }
    }
    if n > 200 {
        batch.delete(format!("event/{:08}/0", n - 200));
    }
    batch.put("number", n.to_be_bytes());
    batch
}

/// Adds a batch to a map.
pub(crate) fn apply(map: &mut Map, batch: Batch) {
    for (key, value) in batch.writes {
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
}

/// What a store holds after `n` batches.
pub(crate) fn after(n: u64) -> Map {
    let mut map = Map::new();
    (1..=n).for_each(|n| apply(&mut map, batch(n)));
    map
}

/// Everything a store holds, read page by page.
pub(crate) fn dump(reader: &Reader) -> Map {
    let mut map = Map::new();
    let mut range = KeyRange::prefix(b"");
    loop {
        let page = reader.range(&range, Direction::Forward, 500).unwrap();
        let Some((last, _)) = page.last() else {
            return map;
        };
        range.start = [last.as_slice(), &[0]].concat();
        map.extend(
            page.into_iter()
                .map(|(key, value)| (key, value.bytes.to_vec())),
        );
    }
}

/// The number of batches a store says it holds.
pub(crate) fn number(reader: &Reader) -> u64 {
    let value = reader.get(b"number").unwrap();
    value.map_or(0, |value| {
        u64::from_be_bytes(value.bytes[..].try_into().unwrap())
    })
}

/// Commits batches `from..=to`.
pub(crate) fn write(writer: &mut Writer, from: u64, to: u64) {
    for n in from..=to {
        writer.commit(&batch(n)).unwrap();
    }
}

/// Waits until sled has everything and the checkpoint is written.
pub(crate) fn settle(reader: &Reader) {
    while reader.overlay_bytes() > 0 {
        std::thread::yield_now();
    }
}

/// Opens a store that must be there.
pub(crate) fn open(dir: &Path) -> Result<(Writer, Reader), OpenError> {
    Store::open(
        dir,
        Options {
            create: Create::Never,
            ..options()
        },
    )
}

/// Opens a store that must be sound by now, checking all of it.
pub(crate) fn open_sound(dir: &Path) -> (Writer, Reader) {
    let options = Options {
        create: Create::Never,
        verify: Verify::Everything,
        ..options()
    };
    let opened = Store::open(dir, options).unwrap();
    assert!(
        opened.0.report().repaired.is_empty(),
        "{:?}",
        opened.0.report()
    );
    opened
}

/// Asserts that a store holds exactly what it holds after `n` batches.
pub(crate) fn assert_holds(reader: &Reader, n: u64) {
    let (found, expected) = (dump(reader), after(n));
    let differ = expected
        .iter()
        .filter(|(key, value)| found.get(*key) != Some(value))
        .count();
    assert_eq!(
        (found.len(), differ),
        (expected.len(), 0),
        "after {n} batches, the store says {}",
        number(reader)
    );
}

/// Copies a directory as it is at this moment.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// How many rounds: few in every run, many when asked for.
pub(crate) fn rounds(few: u64, many: u64) -> u64 {
    if std::env::var_os("KEYWARD_FULL").is_some() {
        many
    } else {
        few
    }
}
