//! Both stores against a plain map: any sequence of commits, ranges and reopenings.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::{Pairs, options};
use crate::store::memory::Memory;
use crate::store::sled::{Reader, Store, Writer};
use crate::store::{Batch, Commit, Direction, KeyRange, Options, Read, Value};

#[derive(Clone, Debug)]
enum Operation {
    Commit(Vec<(u8, Option<u8>)>),
    Range(u8, u8, bool, usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Operation> {
    let write = (0..24u8, proptest::option::weighted(0.6, any::<u8>()));
    prop_oneof![
        6 => proptest::collection::vec(write, 1..12).prop_map(Operation::Commit),
        4 => (0..26u8, 0..26u8, any::<bool>(), 0..30usize).prop_map(|(a, b, back, n)| Operation::Range(a, b, back, n)),
        1 => Just(Operation::Reopen),
    ]
}

pub(super) fn key(n: u8) -> Vec<u8> {
    vec![1, n]
}

/// Runs steps against a store and a plain map side by side.
fn model<W: Commit, R: Read>(steps: &[Operation], mut open: impl FnMut(Option<(W, R)>) -> (W, R)) {
    let (mut writer, mut reader) = open(None);
    let mut map: BTreeMap<Vec<u8>, Value> = BTreeMap::new();
    for step in steps {
        match step {
            Operation::Commit(writes) => {
                let mut batch = Batch::new();
                for (n, value) in writes {
                    batch.writes.insert(
                        key(*n),
                        value.map(|byte| vec![byte; usize::from(byte) * 20]),
                    );
                    batch.expect(key(*n), map.get(&key(*n)).map(|value| value.seq));
                }
                let seq = writer.commit(&batch).unwrap();
                for (key, value) in batch.writes {
                    match value {
                        Some(bytes) => map.insert(
                            key,
                            Value {
                                bytes: bytes.into(),
                                seq,
                            },
                        ),
                        None => map.remove(&key),
                    };
                }
            }
            Operation::Range(a, b, backward, limit) => {
                let direction = if *backward {
                    Direction::Backward
                } else {
                    Direction::Forward
                };
                let range = KeyRange::new(key(*a), key(*b));
                let mut expected: Pairs = match a < b {
                    true => map
                        .range(key(*a)..key(*b))
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect(),
                    false => Vec::new(),
                };
                if *backward {
                    expected.reverse();
                }
                expected.truncate(*limit);
                assert_eq!(reader.range(&range, direction, *limit).unwrap(), expected);
            }
            Operation::Reopen => (writer, reader) = open(Some((writer, reader))),
        }
        for n in 0..24 {
            assert_eq!(reader.get(&key(n)).unwrap().as_ref(), map.get(&key(n)));
        }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_dir(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Without `close` the store goes on as a copy of its files, taken while it was open: as a killed process leaves it.
fn sled_model(steps: &[Operation], close: bool, flush_every: Duration) {
    let mut dir = tempfile::tempdir().unwrap();
    model(steps, |old: Option<(Writer, Reader)>| {
        if let Some((writer, reader)) = old {
            let copy = tempfile::tempdir().unwrap();
            if !close {
                copy_dir(dir.path(), copy.path());
            }
            drop(reader);
            writer.close().unwrap();
            if !close {
                dir = copy;
            }
        }
        let options = Options {
            flush_every,
            log_file_bytes: 2_000,
            verify: crate::store::Verify::Everything,
            ..options()
        };
        let (writer, reader) = Store::open(dir.path(), options).unwrap();
        assert!(writer.report().repaired.is_empty(), "{:?}", writer.report());
        (writer, reader)
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_a_map(steps in proptest::collection::vec(step(), 1..60)) {
        let memory = Memory::new();
        model(&steps, |_| (memory.clone(), memory.clone()));
    }

    #[test]
    fn sled_is_a_map(steps in proptest::collection::vec(step(), 1..40), close: bool) {
        sled_model(&steps, close, Duration::from_secs(60));
    }

    #[test]
    fn sled_is_a_map_while_it_flushes(steps in proptest::collection::vec(step(), 1..40)) {
        sled_model(&steps, true, Duration::from_micros(100));
    }
}
