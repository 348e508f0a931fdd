//! Tests of `block.rs`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn item(key: &str, seq: u64, len: usize) -> BlockEntry {
    BlockEntry {
        key: Bytes::copy_from_slice(key.as_bytes()),
        seq: Seq(seq),
        value: vec![seq as u8; len].into(),
    }
}

#[test]
fn a_block_comes_back_whole_and_key_by_key() {
    let items = [
        item("e/abc", 3, 10),
        item("e/abcd", 2, 0),
        item("e/b", 9, 300),
        item("ez", 1, 1),
    ];
    for first_key in ["e/abc", "e/ab", "e"] {
        let framed = encode(first_key.as_bytes(), &items);
        assert_eq!(
            super::items(first_key.as_bytes(), &framed).as_deref(),
            Ok(&items[..])
        );
        for BlockEntry { key, seq, value } in &items {
            assert_eq!(
                find(first_key.as_bytes(), &framed, key),
                Ok(Some(Value {
                    bytes: value.clone(),
                    seq: *seq
                }))
            );
        }
        for stranger in ["e/abcde", "e/ab", "e", "", "f"] {
            assert_eq!(
                find(first_key.as_bytes(), &framed, stranger.as_bytes()),
                Ok(None)
            );
        }
    }
    assert_eq!(super::items(b"e", &encode(b"e", &[])), Ok(Vec::new()));
}

/// Whoever changes these bytes changes the format.
#[test]
fn the_bytes_of_a_block_stay_as_they_are() {
    let entry = |key: &'static str, seq, value: &'static str| BlockEntry {
        key: Bytes::from(key),
        seq: Seq(seq),
        value: Bytes::from(value),
    };
    let block = encode(b"e/1", &[entry("e/1", 4, "one"), entry("e/20", 9, "")]);
    let golden = "01000000000000000900030000000000000000000400036f6e65\
                  0002000200000000000000090000323076953124";
    assert_eq!(hex::encode(block), golden);
}

#[test]
fn every_flipped_bit_and_the_wrong_fence_are_noticed() {
    let framed = encode(b"e/a", &[item("e/a", 1, 5), item("e/b", 2, 5)]);
    assert!(items(b"e/b", &framed).is_err());
    for bit in 0..framed.len() * 8 {
        let mut bad = framed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(
            items(b"e/a", &bad).is_err() && find(b"e/a", &bad, b"e/b").is_err(),
            "bit {bit}"
        );
    }
    let cut = codec::encode(b"e/a", Seq(1), &[0, 3, 0, 9, 1, 2, 3]);
    assert_eq!(items(b"e/a", &cut), Err(BlockError::Entries));
    assert_eq!(find(b"e/a", &cut, b"e/b"), Err(BlockError::Entries));
}

/// Blocks by fence, as sled has them.
type Blocks = BTreeMap<Bytes, Vec<u8>>;

fn edit(blocks: &mut Blocks, writes: &BTreeMap<Bytes, Option<(Seq, Bytes)>>) {
    let mut made = Vec::new();
    let write = |made: &mut Vec<BlockWrite>, blocks: &mut Blocks| {
        for (first_key, block) in made.drain(..) {
            match block {
                Some(block) => blocks.insert(first_key, block),
                None => blocks.remove(&first_key),
            };
        }
    };
    let mut open: Option<BlockBuilder> = None;
    for (key, value) in writes {
        let mut editor = open
            .take()
            .filter(|editor| editor.covers(key))
            .unwrap_or_else(|| {
                let block = blocks.range(..=key.clone()).next_back();
                let block = block.map(|(first_key, framed)| {
                    (first_key.clone(), items(first_key, framed).unwrap())
                });
                let end = blocks.keys().find(|first_key| *first_key > key).cloned();
                BlockBuilder::new(block, end)
            });
        editor.set(key, value.clone());
        editor.full(&mut made);
        let next = writes.keys().find(|next| *next > key);
        if next.is_some_and(|next| editor.covers(next)) {
            open = Some(editor);
        } else {
            editor.finish(&mut made);
            write(&mut made, blocks);
        }
    }
}

fn all(blocks: &Blocks) -> Vec<BlockEntry> {
    blocks
        .iter()
        .flat_map(|(first_key, framed)| items(first_key, framed).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn edited_blocks_hold_what_a_map_would(
        rounds in proptest::collection::vec(
            proptest::collection::btree_map(0..400_u32, proptest::option::weighted(0.7, 0..MAX_VALUE), 1..120), 1..12)
    ) {
        let (mut blocks, mut map) = (Blocks::new(), BTreeMap::new());
        for (seq, round) in (1..).map(Seq).zip(rounds) {
            let key = |n: u32| Bytes::from(format!("k{n:05}").into_bytes());
            // Every other one does not pack.
            let byte = |n: usize| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8;
            let value = |len: usize| match len % 2 {
                0 => (seq, Bytes::from(vec![len as u8; len])),
                _ => (seq, (0..len).map(|n| byte(n * n + len)).collect()),
            };
            let writes: BTreeMap<_, _> = round.into_iter().map(|(n, len)| (key(n), len.map(value))).collect();
            edit(&mut blocks, &writes);
            for (key, value) in writes {
                match value {
                    Some(value) => map.insert(key, value),
                    None => map.remove(&key),
                };
            }
            let held = all(&blocks).into_iter().map(|BlockEntry { key, seq, value }| (key, (seq, value)));
            prop_assert!(held.eq(map.clone()));
            for (first_key, framed) in &blocks {
                let items = items(first_key, framed).unwrap();
                prop_assert!(!items.is_empty() && items[0].key >= first_key);
                prop_assert!(items.len() == 1 || framed.len() <= PACKED_MAX, "{}", framed.len());
            }
        }
    }
}

#[test]
fn what_is_appended_fills_its_blocks_and_what_comes_between_leaves_room() {
    let mut blocks = Blocks::new();
    let write = |n: u32| {
        (
            Bytes::from(format!("k{n:06}").into_bytes()),
            Some((Seq(1), Bytes::from(vec![7; 386]))),
        )
    };
    for round in 0..50 {
        edit(
            &mut blocks,
            &(round * 20..(round + 1) * 20)
                .map(|n| write(n * 2))
                .collect(),
        );
    }
    assert!(
        blocks.len() <= 1_000 / 10 + 50 / 8,
        "ten entries of 407 bytes fit into a block: {}",
        blocks.len()
    );
    for n in 0..1_000 {
        edit(
            &mut blocks,
            &std::iter::once(write((n * 617 % 1_000) * 2 + 1)).collect(),
        );
    }
    assert_eq!(all(&blocks).len(), 2_000);
    assert!(
        blocks.len() < 2_000 / 5,
        "more than half full: {}",
        blocks.len()
    );
}
