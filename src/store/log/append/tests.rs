//! Tests of `append.rs`.

use std::fs;

use super::*;
use crate::store::log::scan::{Known, Log};

/// Bytes that do not pack.
fn noise(n: u64, len: usize) -> Vec<u8> {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn append(appender: &mut Appender, n: u64, len: usize) -> Link {
    let (key, value) = (n.to_be_bytes(), noise(n, len));
    appender
        .append(std::iter::once((&key[..], Some(&value[..]))))
        .unwrap()
}

fn begin(store: &Path, segment_max: u64) -> Appender {
    let dir = store.join("log");
    fs::create_dir(&dir).unwrap();
    create_segment(
        &dir,
        Segment {
            number: 1,
            before: Link::default(),
        },
    )
    .unwrap();
    resume(store, segment_max).0
}

/// Reads the whole log and goes on behind it.
fn resume(store: &Path, segment_max: u64) -> (Appender, Vec<u64>) {
    let log = Log::open(store).unwrap().unwrap();
    let mut seen = Vec::new();
    let mut cuts = Vec::new();
    let end = log.read(0, Known::default(), &mut cuts, &mut |record| {
        seen.push(record.link.seq);
        Ok(())
    });
    assert!(cuts.is_empty(), "{cuts:?}");
    (
        Appender::resume(log.dir(), log.newest(), end.unwrap(), segment_max).unwrap(),
        seen,
    )
}

#[test]
fn records_of_all_sizes_come_back_over_many_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = begin(dir.path(), 40_000);
    let mut last = Link::default();
    for n in 1..=60 {
        last = append(&mut appender, n, (n * 397 % 6_000) as usize);
        if n % 7 == 0 {
            let (resumed, seen) = resume(dir.path(), 40_000);
            appender = resumed;
            assert_eq!((seen, appender.last()), ((1..=n).collect(), last));
        }
    }
    assert!(segment_path(&dir.path().join("log"), 4).exists());
    assert_eq!(resume(dir.path(), 40_000).0.last(), last);
}

#[test]
fn a_file_of_the_first_format_is_filled_up_as_it_was_begun() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = begin(dir.path(), 20_000);
    append_even(&mut appender, 1);
    // As the first format wrote its header.
    let path = segment_path(&dir.path().join("log"), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[7] = 1;
    let crc = crc32fast::hash(&bytes[..40]).to_be_bytes();
    bytes[40..SEGMENT_HEAD].copy_from_slice(&crc);
    bytes.truncate(SEGMENT_HEAD);
    fs::write(&path, bytes).unwrap();
    let mut appender = resume(dir.path(), 20_000).0;
    for n in 1..=10 {
        append_even(&mut appender, n);
    }
    assert_eq!(appender.number, 2, "plain records fill the file");
    for n in 11..=60 {
        append_even(&mut appender, n);
    }
    assert_eq!(appender.number, 2, "packed ones do not");
    assert_eq!(resume(dir.path(), 20_000).1, (1..=60).collect::<Vec<_>>());
}

/// Appends what packs well.
fn append_even(appender: &mut Appender, n: u64) -> Link {
    let (key, value) = (n.to_be_bytes(), vec![n as u8; 3_000]);
    appender
        .append(std::iter::once((&key[..], Some(&value[..]))))
        .unwrap()
}

#[test]
fn small_records_write_into_bytes_that_exist() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = begin(dir.path(), 64 << 20);
    append(&mut appender, 1, 100);
    let len = fs::metadata(appender.path()).unwrap().len();
    for n in 2..200 {
        append(&mut appender, n, 100);
    }
    assert_eq!(fs::metadata(appender.path()).unwrap().len(), len);
}

#[test]
fn reading_begins_as_late_as_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let mut appender = begin(dir.path(), 1_900);
    for n in 1..=40 {
        append(&mut appender, n, 900);
    }
    // Two records a file: 1 and 2, 3 and 4, …
    let log = Log::open(dir.path()).unwrap().unwrap();
    assert_eq!(log.start(40, 0, u64::MAX), 19);
    assert_eq!(log.start(37, 0, u64::MAX), 18);
    assert_eq!(log.start(0, 0, u64::MAX), 0);
    assert_eq!(log.start(40, 10, u64::MAX), 14);
    assert_eq!(log.start(40, 1_000, 1), 19, "bounded in bytes, too");
}
