//! One suite of tests for every store: each is a function of any writer and reader, run for sled and for memory.

mod model;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::memory::Memory;
use super::sled::Store;
use super::{
    Batch, Commit, CommitError, Create, Direction, KeyRange, MAX_BATCH, MAX_KEY, MAX_VALUE,
    Options, Read, Seq, Value,
};

type Pairs = Vec<(Vec<u8>, Value)>;

fn put(store: &mut dyn Commit, key: &str, value: &str) -> Seq {
    let mut batch = Batch::new();
    batch.put(key, value);
    store.commit(&batch).unwrap()
}

fn keys(pairs: &Pairs) -> Vec<&str> {
    pairs
        .iter()
        .map(|(key, _)| std::str::from_utf8(key).unwrap())
        .collect()
}

/// What was committed is read, with the number of its commit; numbers count up by one.
fn reads_see_commits(store: &mut dyn Commit, reader: &dyn Read) {
    let before = reader.seq().unwrap();
    let one = put(store, "a", "1");
    assert_eq!(one, Seq(before.0 + 1));
    let two = put(store, "b", "");
    assert_eq!((two, reader.seq().unwrap()), (Seq(one.0 + 1), two));
    assert_eq!(
        reader.get(b"a").unwrap(),
        Some(Value {
            bytes: "1".into(),
            seq: one
        })
    );
    assert_eq!(
        reader.get(b"b").unwrap(),
        Some(Value {
            bytes: Bytes::new(),
            seq: two
        })
    );
    assert_eq!(reader.get(b"c").unwrap(), None);

    let three = store
        .commit(Batch::new().delete("a").delete("never").put("b", "2"))
        .unwrap();
    assert_eq!(reader.get(b"a").unwrap(), None);
    assert_eq!(
        reader.get(b"b").unwrap(),
        Some(Value {
            bytes: "2".into(),
            seq: three
        })
    );
    assert_eq!(
        store.commit(&Batch::new()).unwrap(),
        three,
        "a batch without writes is no commit"
    );
}

/// Ranges are bytewise, half open, limited, and go both ways.
fn ranges_are_ordered(store: &mut dyn Commit, reader: &dyn Read) {
    let mut batch = Batch::new();
    for key in ["r/a", "r/b", "r/ba", "r/c", "s"] {
        batch.put(key, key);
    }
    store.commit(&batch).unwrap();
    store.commit(Batch::new().delete("r/b")).unwrap();
    let range = |range: &KeyRange, direction, limit| reader.range(range, direction, limit).unwrap();
    let all = KeyRange::prefix(b"r/");
    assert_eq!(
        keys(&range(&all, Direction::Forward, 9)),
        ["r/a", "r/ba", "r/c"]
    );
    assert_eq!(
        keys(&range(&all, Direction::Backward, 9)),
        ["r/c", "r/ba", "r/a"]
    );
    assert_eq!(keys(&range(&all, Direction::Forward, 2)), ["r/a", "r/ba"]);
    assert_eq!(keys(&range(&all, Direction::Backward, 1)), ["r/c"]);
    assert_eq!(
        keys(&range(&KeyRange::new("r/a", "r/c"), Direction::Backward, 9)),
        ["r/ba", "r/a"]
    );
    assert!(range(&all, Direction::Forward, 0).is_empty());
    assert!(range(&KeyRange::new("s", "r"), Direction::Forward, 9).is_empty());
    assert!(range(&KeyRange::new("r", "r"), Direction::Backward, 9).is_empty());
    assert_eq!(
        keys(&range(&KeyRange::prefix(b""), Direction::Backward, 1)),
        ["s"],
        "the store's own keys are not seen"
    );
    assert_eq!(range(&all, Direction::Forward, 1)[0].1.bytes, "r/a");
}

/// A condition that does not hold refuses the whole batch.
fn conditions_are_checked(store: &mut dyn Commit, reader: &dyn Read) {
    let one = put(store, "m", "1");
    let refused = store.commit(Batch::new().expect("m", Some(Seq(one.0 + 1))).put("x", "y"));
    assert!(matches!(refused, Err(CommitError::Conflict { key }) if key == b"m"));
    let refused = store.commit(Batch::new().expect("m", None).put("x", "y"));
    assert!(matches!(refused, Err(CommitError::Conflict { .. })));
    assert_eq!(
        (reader.get(b"x").unwrap(), reader.seq().unwrap()),
        (None, one)
    );

    let two = store
        .commit(
            Batch::new()
                .expect("m", Some(one))
                .expect("x", None)
                .put("m", "2"),
        )
        .unwrap();
    store
        .commit(Batch::new().expect("m", Some(two)).delete("m"))
        .unwrap();
    store
        .commit(Batch::new().expect("m", None).put("m", "3"))
        .unwrap();
    assert!(
        store.commit(Batch::new().expect("m", Some(two))).is_err(),
        "without writes, too"
    );
}

/// Limits hold exactly, and a refused batch leaves nothing behind.
fn limits_hold(store: &mut dyn Commit, reader: &dyn Read) {
    let longest = vec![7; MAX_KEY];
    store
        .commit(Batch::new().put(longest.clone(), vec![1; MAX_VALUE]))
        .unwrap();
    assert_eq!(
        reader.get(&longest).unwrap().unwrap().bytes.len(),
        MAX_VALUE
    );
    let before = reader.seq().unwrap();
    let refused = store.commit(
        Batch::new()
            .put("a", "ok")
            .put("big", vec![1; MAX_VALUE + 1]),
    );
    assert!(
        matches!(refused, Err(CommitError::TooLarge { key, len }) if key == b"big" && len == MAX_VALUE + 1)
    );
    assert!(matches!(
        store.commit(Batch::new().delete(vec![7; MAX_KEY + 1])),
        Err(CommitError::TooLarge { .. })
    ));
    assert!(matches!(
        store.commit(Batch::new().put("", "x")),
        Err(CommitError::BadKey { .. })
    ));
    assert!(matches!(
        store.commit(Batch::new().put([0, 1], "x")),
        Err(CommitError::BadKey { .. })
    ));
    let mut batch = Batch::new();
    for n in 0..=(MAX_BATCH / MAX_VALUE) {
        batch.put(format!("n{n:06}"), vec![0; MAX_VALUE]);
    }
    assert!(
        matches!(store.commit(&batch), Err(CommitError::TooLarge { key, .. }) if key.is_empty())
    );
    assert_eq!(
        (reader.get(b"a").unwrap(), reader.seq().unwrap()),
        (None, before)
    );
}

/// A reader beside the writer never sees half a batch, and never an older state than before.
fn reads_are_whole<W: Commit, R: Read + Clone + 'static>((mut writer, reader): (W, R)) {
    let other = reader.clone();
    let watching = std::thread::spawn(move || {
        let (mut newest, mut seen) = (0, 0);
        while newest < 400 {
            let direction = if seen % 2 == 0 {
                Direction::Forward
            } else {
                Direction::Backward
            };
            let pairs = other
                .range(&KeyRange::prefix(b"w/"), direction, 100)
                .unwrap();
            let values: Vec<_> = pairs.iter().map(|(_, value)| value.bytes.clone()).collect();
            assert!(values.windows(2).all(|two| two[0] == two[1]), "{values:?}");
            assert!(values.is_empty() || values.len() == 7, "{}", values.len());
            let now = values
                .first()
                .map_or(newest, |value| value[0] as u32 * 256 + value[1] as u32);
            assert!(now >= newest, "{now} after {newest}");
            newest = now;
            seen += 1;
        }
    });
    for n in 1..=400_u32 {
        let mut batch = Batch::new();
        for i in 0..7 {
            // Seven of eight keys, another one missing each time.
            let key = format!("w/{}", (n + i) % 8);
            batch.put(key, [(n >> 8) as u8, n as u8]);
        }
        batch.delete(format!("w/{}", (n + 7) % 8));
        writer.commit(&batch).unwrap();
    }
    watching.join().unwrap();
}

#[test]
fn memory_is_read_whole() {
    let memory = Memory::new();
    reads_are_whole((memory.clone(), memory));
}

#[test]
fn sled_is_read_whole_while_it_flushes() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        flush_every: Duration::from_micros(200),
        ..options()
    };
    reads_are_whole(Store::open(dir.path(), options).unwrap());
}

/// What stays is seen by every read, each key once and in order, while other keys come and go between.
#[test]
fn what_stays_is_seen_while_sled_divides_its_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        flush_every: Duration::from_micros(200),
        ..options()
    };
    let (mut writer, reader) = Store::open(dir.path(), options).unwrap();
    let stays: Vec<Vec<u8>> = (0..200).map(|n| format!("w/{n:04}").into_bytes()).collect();
    let mut batch = Batch::new();
    for key in &stays {
        batch.put(key.clone(), vec![1; 150]);
    }
    writer.commit(&batch).unwrap();
    let (ended, watched) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                for direction in [Direction::Forward, Direction::Backward] {
                    let seen = reader
                        .range(&KeyRange::prefix(b"w/"), direction, usize::MAX)
                        .unwrap();
                    let mut seen: Vec<_> = seen
                        .into_iter()
                        .map(|(key, _)| key)
                        .filter(|key| key.len() == 6)
                        .collect();
                    if direction == Direction::Backward {
                        seen.reverse();
                    }
                    assert_eq!(seen, stays);
                }
                assert!(stays.iter().all(|key| reader.get(key).unwrap().is_some()));
                watched.store(true, Ordering::Relaxed);
            }
        });
        let mut n = 0_u32;
        while n < 600 || !(watched.load(Ordering::Relaxed) || watching.is_finished()) {
            let (came, went) = (n.wrapping_mul(7_919) % 200, n.wrapping_mul(104_729) % 200);
            let mut batch = Batch::new();
            batch
                .put(format!("w/{came:04}/{}", n % 5), vec![2; 900])
                .delete(format!("w/{went:04}/{}", n % 3));
            writer.commit(&batch).unwrap();
            n += 1;
        }
        ended.store(true, Ordering::Relaxed);
    });
    writer.close().unwrap();
}

fn suite(mut open: impl FnMut() -> (Box<dyn Commit>, Box<dyn Read>)) {
    let tests = [
        reads_see_commits,
        ranges_are_ordered,
        conditions_are_checked,
        limits_hold,
        scattered_keys_are_walked,
    ];
    for test in tests {
        let (mut writer, reader) = open();
        test(&mut *writer, &*reader);
    }
}

fn options() -> Options {
    Options {
        create: Create::IfMissing,
        min_free_bytes: 0,
        cache_bytes: 1 << 20,
        ..Options::default()
    }
}

#[test]
fn memory_keeps_the_contract() {
    suite(|| {
        let memory = Memory::new();
        (Box::new(memory.clone()), Box::new(memory))
    });
}

#[test]
fn sled_keeps_the_contract_out_of_the_overlay() {
    let mut dirs = Vec::new();
    suite(|| {
        let dir = tempfile::tempdir().unwrap();
        let opened = Store::open(dir.path(), options()).unwrap();
        dirs.push(dir);
        (Box::new(opened.0), Box::new(opened.1))
    });
}

#[test]
fn sled_keeps_the_contract_while_it_flushes() {
    let mut dirs = Vec::new();
    suite(|| {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            flush_every: Duration::from_micros(50),
            ..options()
        };
        let opened = Store::open(dir.path(), options).unwrap();
        dirs.push(dir);
        (Box::new(opened.0), Box::new(opened.1))
    });
}

/// Keys that come in no order are walked through page by page, whatever is written meanwhile: what was there before and
/// stays is met once.
fn scattered_keys_are_walked(store: &mut dyn Commit, reader: &dyn Read) {
    let key = |n: u32| format!("M{:08x}", n.wrapping_mul(0x9e37_79b9)).into_bytes();
    let mut there = BTreeSet::new();
    for round in 0..30 {
        let mut batch = Batch::new();
        for n in round * 40..(round + 1) * 40 {
            batch.put(key(n), vec![1; 300]);
            there.insert(key(n));
        }
        store.commit(&batch).unwrap();
        let (mut range, mut met, mut stays) = (KeyRange::prefix(b"M"), Vec::new(), there.clone());
        loop {
            let page = reader
                .range(&range, Direction::Forward, 1 + round as usize * 9)
                .unwrap();
            let Some((last, _)) = page.last() else { break };
            range.start = [last.as_slice(), &[0]].concat();
            // The page's end is deleted, another key is changed, and a new one comes.
            let (gone, changed) = (last.clone(), key(round * 17));
            let mut batch = Batch::new();
            batch.put(key(1_000_000 + round * 2_000 + met.len() as u32), "new");
            if stays.contains(&changed) {
                batch.put(changed, vec![2; 700]);
            }
            if met.len() % 3 == 0 {
                batch.delete(gone.clone());
                stays.remove(&gone);
            }
            store.commit(&batch).unwrap();
            met.extend(
                page.into_iter()
                    .map(|(key, _)| key)
                    .filter(|key| there.contains(key)),
            );
        }
        let distinct: BTreeSet<_> = met.iter().cloned().collect();
        assert_eq!(distinct.len(), met.len(), "none twice");
        assert!(stays.is_subset(&distinct), "all that stayed");
        there.retain(|key| reader.get(key).unwrap().is_some());
        assert!(!there.is_empty() && there.is_subset(&stays));
    }
}
