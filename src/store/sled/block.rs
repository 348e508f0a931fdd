//! Neighbouring entries as one value of sled. sled pays for each of its keys with an entry of its page index, a place in a
//! leaf, and a walk through its tree; in blocks it is given a tenth of them.
//!
//! A block lies under a key of its own, its *fence*: the key of its first entry when it was made. It holds every entry
//! from its fence up to the next one that begins with the same byte, so that a table never shares a block with another.

use bytes::{Bytes, BytesMut};

use super::codec::{self, CodecError};
use crate::store::log::record::be64;
use crate::store::{MAX_VALUE, Seq};

/// Entries are gathered into blocks of about this many bytes; a single longer one has a block of its own.
pub(super) const BLOCK_LEN: usize = 4 << 10;

/// Of an entry: length shared with the fence, length of the rest of its key, commit, length of its value.
const ENTRY_HEAD: usize = 2 + 2 + 8 + 2;

const _: () = assert!(
    MAX_VALUE <= u16::MAX as usize,
    "a value's length is stored in two bytes"
);

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: Bytes,
    /// The commit that wrote it.
    pub(super) seq: Seq,
    pub(super) value: Bytes,
}

impl Item {
    /// Its bytes in a block, at most.
    fn len(&self) -> usize {
        ENTRY_HEAD + self.key.len() + self.value.len()
    }
}

/// Why bytes are not a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BlockError {
    /// The frame.
    #[error(transparent)]
    Frame(#[from] CodecError),
    /// What is inside.
    #[error("the block's entries do not fill it")]
    Entries,
}

/// Writes entries, which must be in order, as a block.
pub(super) fn encode(fence: &[u8], items: &[Item]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(items.iter().map(Item::len).sum());
    for item in items {
        let shared = fence
            .iter()
            .zip(&*item.key)
            .take_while(|(a, b)| a == b)
            .count();
        let rest = &item.key[shared..];
        // Keys and values are far shorter than 64 KiB: the seam refuses longer ones.
        for len in [shared, rest.len()] {
            payload.extend_from_slice(&(len as u16).to_be_bytes());
        }
        payload.extend_from_slice(&item.seq.0.to_be_bytes());
        payload.extend_from_slice(&(item.value.len() as u16).to_be_bytes());
        payload.extend_from_slice(rest);
        payload.extend_from_slice(&item.value);
    }
    let newest = items.iter().map(|item| item.seq).max().unwrap_or_default();
    codec::encode(fence, newest, &payload)
}

/// An entry where it lies.
struct Lying<'b> {
    shared: &'b [u8],
    rest: &'b [u8],
    seq: Seq,
    value: &'b [u8],
}

fn next<'b>(fence: &'b [u8], bytes: &mut &'b [u8]) -> Option<Lying<'b>> {
    let (head, tail) = bytes.split_first_chunk::<ENTRY_HEAD>()?;
    let len = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let (rest, tail) = tail.split_at_checked(len(2))?;
    let (value, tail) = tail.split_at_checked(len(12))?;
    *bytes = tail;
    Some(Lying {
        shared: fence.get(..len(0))?,
        rest,
        seq: Seq(be64(&head[4..12])),
        value,
    })
}

/// Looks one key up without taking the block apart.
pub(super) fn find<'b>(
    fence: &'b [u8],
    framed: &'b [u8],
    key: &[u8],
) -> Result<Option<(Seq, &'b [u8])>, BlockError> {
    let (_, mut bytes) = codec::open(fence, framed)?;
    while !bytes.is_empty() {
        let lying = next(fence, &mut bytes).ok_or(BlockError::Entries)?;
        if key.strip_prefix(lying.shared) == Some(lying.rest) {
            return Ok(Some((lying.seq, lying.value)));
        }
    }
    Ok(None)
}

/// Takes a block apart.
pub(super) fn items(fence: &[u8], framed: &[u8]) -> Result<Vec<Item>, BlockError> {
    let (_, payload) = codec::open(fence, framed)?;
    let (mut count, mut len, mut bytes) = (0, 0, payload);
    while !bytes.is_empty() {
        let lying = next(fence, &mut bytes).ok_or(BlockError::Entries)?;
        (count, len) = (
            count + 1,
            len + lying.shared.len() + lying.rest.len() + lying.value.len(),
        );
    }
    // One piece of memory for all of it.
    let mut memory = BytesMut::with_capacity(len);
    let mut items = Vec::with_capacity(count);
    bytes = payload;
    while let Some(lying) = next(fence, &mut bytes) {
        memory.extend_from_slice(lying.shared);
        memory.extend_from_slice(lying.rest);
        let key = memory.split().freeze();
        memory.extend_from_slice(lying.value);
        items.push(Item {
            key,
            seq: lying.seq,
            value: memory.split().freeze(),
        });
    }
    Ok(items)
}

/// A stretch of sled that is being changed: one of its blocks, or a place where none is yet.
#[derive(Debug)]
pub(super) struct Editor {
    /// The block that sled has, if there is one; the first that is made of this replaces it.
    fence: Option<Bytes>,
    /// The first key behind this stretch.
    end: Option<Bytes>,
    items: Vec<Item>,
    len: usize,
    /// The entries up to here have sled's among them, the ones behind are all new.
    old: usize,
    /// Whether all that is new came behind all that was there.
    appended: bool,
}

/// A block as sled is to have it: its fence, and its bytes; `None`: it goes.
pub(super) type Made = (Bytes, Option<Vec<u8>>);

impl Editor {
    /// For a block, or for a place before `end` that no block covers.
    pub(super) fn new(block: Option<(Bytes, Vec<Item>)>, end: Option<Bytes>) -> Self {
        let (fence, items) =
            block.map_or((None, Vec::new()), |(fence, items)| (Some(fence), items));
        let len = items.iter().map(Item::len).sum();
        Self {
            fence,
            end,
            old: items.len(),
            items,
            len,
            appended: true,
        }
    }

    /// Whether a key that is greater than all that were set belongs here.
    pub(super) fn covers(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_none_or(|end| key < &**end)
    }

    /// Puts a value, or deletes it. Returns the commit that wrote the one before.
    pub(super) fn set(&mut self, key: &Bytes, value: Option<(Seq, Bytes)>) -> Option<Seq> {
        let place = self.items.binary_search_by(|item| item.key.cmp(key));
        let old = place.ok().map(|at| &self.items[at]);
        let (old_len, old_seq) = (old.map_or(0, Item::len), old.map(|item| item.seq));
        let new = value.map(|(seq, value)| Item {
            key: key.clone(),
            seq,
            value,
        });
        self.len = self.len + new.as_ref().map_or(0, Item::len) - old_len;
        match (place, new) {
            (Ok(at), Some(new)) => self.items[at] = new,
            (Ok(at), None) => {
                self.items.remove(at);
                self.old -= usize::from(at < self.old);
            }
            (Err(at), Some(new)) => {
                self.appended &= at >= self.old;
                self.old += usize::from(at < self.old);
                self.items.insert(at, new);
            }
            (Err(_), None) => {}
        }
        old_seq
    }

    /// Makes blocks of what is full, while more comes behind it.
    pub(super) fn full(&mut self, made: &mut Vec<Made>) {
        while self.appended && self.len > 2 * BLOCK_LEN && self.items.len() > 1 {
            let count = self.fitting(BLOCK_LEN);
            self.make(count, made);
        }
    }

    /// Makes blocks of what is left, all to be written at once.
    pub(super) fn finish(mut self, made: &mut Vec<Made>) {
        // What is appended to is left full; what is written in its middle is given room.
        let parts = self.len.div_ceil(BLOCK_LEN).max(1);
        let part_len = if self.appended {
            BLOCK_LEN
        } else {
            self.len.div_ceil(parts)
        };
        while !self.items.is_empty() {
            let count = self.fitting(part_len);
            self.make(count, made);
        }
        made.extend(self.fence.map(|gone| (gone, None)));
    }

    /// How many of the first entries fit into so many bytes; at least one.
    fn fitting(&self, len: usize) -> usize {
        let mut sum = 0;
        let fits = |item: &&Item| {
            sum += item.len();
            sum <= len
        };
        self.items.iter().take_while(fits).count().max(1)
    }

    fn make(&mut self, count: usize, made: &mut Vec<Made>) {
        let fence = self
            .fence
            .take()
            .unwrap_or_else(|| self.items[0].key.clone());
        let block = encode(&fence, &self.items[..count]);
        self.len -= self
            .items
            .drain(..count)
            .map(|item| item.len())
            .sum::<usize>();
        self.old = self.old.saturating_sub(count);
        made.push((fence, Some(block)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn item(key: &str, seq: u64, len: usize) -> Item {
        Item {
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
        for fence in ["e/abc", "e/ab", "e"] {
            let framed = encode(fence.as_bytes(), &items);
            assert_eq!(
                super::items(fence.as_bytes(), &framed).as_deref(),
                Ok(&items[..])
            );
            for Item { key, seq, value } in &items {
                assert_eq!(
                    find(fence.as_bytes(), &framed, key),
                    Ok(Some((*seq, &**value)))
                );
            }
            for stranger in ["e/abcde", "e/ab", "e", "", "f"] {
                assert_eq!(
                    find(fence.as_bytes(), &framed, stranger.as_bytes()),
                    Ok(None)
                );
            }
        }
        assert_eq!(super::items(b"e", &encode(b"e", &[])), Ok(Vec::new()));
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
        let write = |made: &mut Vec<Made>, blocks: &mut Blocks| {
            for (fence, block) in made.drain(..) {
                match block {
                    Some(block) => blocks.insert(fence, block),
                    None => blocks.remove(&fence),
                };
            }
        };
        let mut open: Option<Editor> = None;
        for (key, value) in writes {
            let mut editor = open
                .take()
                .filter(|editor| editor.covers(key))
                .unwrap_or_else(|| {
                    let block = blocks.range(..=key.clone()).next_back();
                    let block =
                        block.map(|(fence, framed)| (fence.clone(), items(fence, framed).unwrap()));
                    let end = blocks.keys().find(|fence| *fence > key).cloned();
                    Editor::new(block, end)
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

    fn all(blocks: &Blocks) -> Vec<Item> {
        blocks
            .iter()
            .flat_map(|(fence, framed)| items(fence, framed).unwrap())
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
                let value = |len: usize| (seq, Bytes::from(vec![len as u8; len]));
                let writes: BTreeMap<_, _> = round.into_iter().map(|(n, len)| (key(n), len.map(value))).collect();
                edit(&mut blocks, &writes);
                for (key, value) in writes {
                    match value {
                        Some(value) => map.insert(key, value),
                        None => map.remove(&key),
                    };
                }
                let held = all(&blocks).into_iter().map(|Item { key, seq, value }| (key, (seq, value)));
                prop_assert!(held.eq(map.clone()));
                for (fence, framed) in &blocks {
                    let items = items(fence, framed).unwrap();
                    prop_assert!(!items.is_empty() && items[0].key >= fence);
                    prop_assert!(items.len() == 1 || framed.len() <= BLOCK_LEN + codec::OVERHEAD, "{}", framed.len());
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
}
