//! Neighbouring entries as one value of sled. sled pays for each of its keys with an entry of its page index, a place in a
//! leaf, and a walk through its tree; in blocks it is given a tenth of them.
//!
//! A block lies under a key of its own, its *fence*: the key of its first entry when it was made. It holds every entry
//! from its fence up to the next one that begins with the same byte, so that a table never shares a block with another.

use bytes::{Bytes, BytesMut};

use super::codec::{self, CodecError};
use crate::store::log::record::be64;
use crate::store::{MAX_VALUE, Seq, Value};

/// Entries are gathered into blocks of about this many bytes, which are packed then; a single longer one has a block of
/// its own.
pub(super) const BLOCK_LEN: usize = 8 << 10;

/// A packed block of several entries is no longer than this: with the longest fence it still is less than a
/// seventeenth of what a leaf of sled's may have (see [`MAX_VALUE`]).
pub(super) const PACKED_MAX: usize = 6_600;

/// Of an entry: length shared with the fence, length of the rest of its key, commit, length of its value.
const ENTRY_HEAD: usize = 2 + 2 + 8 + 2;

const _: () = assert!(
    MAX_VALUE <= u16::MAX as usize,
    "a value's length is stored in two bytes"
);

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BlockEntry {
    pub(super) key: Bytes,
    /// The commit that wrote it.
    pub(super) seq: Seq,
    pub(super) value: Bytes,
}

impl BlockEntry {
    /// Its bytes in a block, at most.
    fn len(&self) -> usize {
        ENTRY_HEAD + self.key.len() + self.value.len()
    }
}

/// Why bytes are not a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BlockError {
    #[error(transparent)]
    Frame(#[from] CodecError),
    /// What is inside.
    #[error("the block's entries do not fill it")]
    Entries,
}

/// Writes entries, which must be in order, as a block.
pub(super) fn encode(first_key: &[u8], items: &[BlockEntry]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(items.iter().map(BlockEntry::len).sum());
    for item in items {
        let shared = first_key
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
    codec::encode_packed(first_key, newest, &payload)
}

/// An entry where it lies.
struct EntryRef<'b> {
    shared: &'b [u8],
    rest: &'b [u8],
    seq: Seq,
    value: &'b [u8],
}

fn next<'b>(first_key: &'b [u8], bytes: &mut &'b [u8]) -> Option<EntryRef<'b>> {
    let (head, tail) = bytes.split_first_chunk::<ENTRY_HEAD>()?;
    let len = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let (rest, tail) = tail.split_at_checked(len(2))?;
    let (value, tail) = tail.split_at_checked(len(12))?;
    *bytes = tail;
    Some(EntryRef {
        shared: first_key.get(..len(0))?,
        rest,
        seq: Seq(be64(&head[4..12])),
        value,
    })
}

/// Looks one key up without taking the block apart.
pub(super) fn find(
    first_key: &[u8],
    framed: &[u8],
    key: &[u8],
) -> Result<Option<Value>, BlockError> {
    let (_, payload) = codec::open(first_key, framed)?;
    let mut bytes = &*payload;
    while !bytes.is_empty() {
        let lying = next(first_key, &mut bytes).ok_or(BlockError::Entries)?;
        if key.strip_prefix(lying.shared) == Some(lying.rest) {
            return Ok(Some(Value {
                bytes: Bytes::copy_from_slice(lying.value),
                seq: lying.seq,
            }));
        }
    }
    Ok(None)
}

/// Takes a block apart.
pub(super) fn items(first_key: &[u8], framed: &[u8]) -> Result<Vec<BlockEntry>, BlockError> {
    let (_, payload) = codec::open(first_key, framed)?;
    let (mut count, mut len, mut bytes) = (0, 0, &*payload);
    while !bytes.is_empty() {
        let lying = next(first_key, &mut bytes).ok_or(BlockError::Entries)?;
        (count, len) = (
            count + 1,
            len + lying.shared.len() + lying.rest.len() + lying.value.len(),
        );
    }
    // One piece of memory for all of it.
    let mut memory = BytesMut::with_capacity(len);
    let mut items = Vec::with_capacity(count);
    bytes = &payload;
    while let Some(lying) = next(first_key, &mut bytes) {
        memory.extend_from_slice(lying.shared);
        memory.extend_from_slice(lying.rest);
        let key = memory.split().freeze();
        memory.extend_from_slice(lying.value);
        items.push(BlockEntry {
            key,
            seq: lying.seq,
            value: memory.split().freeze(),
        });
    }
    Ok(items)
}

/// A stretch of sled that is being changed: one of its blocks, or a place where none is yet.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    /// The block that sled has, if there is one; the first that is made of this replaces it.
    first_key: Option<Bytes>,
    /// The first key behind this stretch.
    end: Option<Bytes>,
    items: Vec<BlockEntry>,
    len: usize,
    /// The entries up to here have sled's among them, the ones behind are all new.
    old: usize,
    /// Whether all that is new came behind all that was there.
    appended: bool,
}

/// A block as sled is to have it: its fence, and its bytes; `None`: it goes.
pub(super) type BlockWrite = (Bytes, Option<Vec<u8>>);

impl BlockBuilder {
    /// For a block, or for a place before `end` that no block covers.
    pub(super) fn new(block: Option<(Bytes, Vec<BlockEntry>)>, end: Option<Bytes>) -> Self {
        let (first_key, items) = block.map_or((None, Vec::new()), |(first_key, items)| {
            (Some(first_key), items)
        });
        let len = items.iter().map(BlockEntry::len).sum();
        Self {
            first_key,
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
        let (old_len, old_seq) = (old.map_or(0, BlockEntry::len), old.map(|item| item.seq));
        let new = value.map(|(seq, value)| BlockEntry {
            key: key.clone(),
            seq,
            value,
        });
        self.len = self.len + new.as_ref().map_or(0, BlockEntry::len) - old_len;
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
    pub(super) fn full(&mut self, made: &mut Vec<BlockWrite>) {
        while self.appended && self.len > 2 * BLOCK_LEN && self.items.len() > 1 {
            let count = self.fitting(BLOCK_LEN);
            self.make(count, made);
        }
    }

    /// Makes blocks of what is left, all to be written at once.
    pub(super) fn finish(mut self, made: &mut Vec<BlockWrite>) {
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
        made.extend(self.first_key.map(|gone| (gone, None)));
    }

    /// How many of the first entries fit into so many bytes; at least one.
    fn fitting(&self, len: usize) -> usize {
        let mut sum = 0;
        let fits = |item: &&BlockEntry| {
            sum += item.len();
            sum <= len
        };
        self.items.iter().take_while(fits).count().max(1)
    }

    /// Makes a block of at most `count` of the first entries; of fewer if they do not pack well.
    fn make(&mut self, mut count: usize, made: &mut Vec<BlockWrite>) {
        let first_key = self
            .first_key
            .take()
            .unwrap_or_else(|| self.items[0].key.clone());
        let mut block = encode(&first_key, &self.items[..count]);
        while block.len() > PACKED_MAX && count > 1 {
            count = count.div_ceil(2);
            block = encode(&first_key, &self.items[..count]);
        }
        self.len -= self
            .items
            .drain(..count)
            .map(|item| item.len())
            .sum::<usize>();
        self.old = self.old.saturating_sub(count);
        made.push((first_key, Some(block)));
    }
}

#[cfg(test)]
mod tests;
