//! Where a key lies in overlay and sled: under itself, or, if its ids come in no order, by when it first came.
//!
//! Entries that are written together should lie together, or each of them costs reading and rewriting a leaf of its own,
//! and the cache holds a little of every leaf instead of a few whole ones. Most of Stripe's ids begin with the time; a
//! Checkout Session's does not, nor does a digest. Keys that come in no order ([`comes_in_no_order`]) therefore get a number
//! when they first come, and lie in the order of their numbers. Which key has which number is kept in memory, nine bytes for
//! each, and read from the keys themselves when a store is opened. The commit log knows nothing of this.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use crate::store::{KeyRange, comes_in_no_order};

/// Bytes of a number, between a scattered key's first byte and the rest of it.
const NUMBER_LEN: usize = 4;

/// The numbers of scattered keys.
#[derive(Debug, Default)]
pub(super) struct Layout(RwLock<Numbers>);

/// By a key's checksum. Two keys with the same one share a number and lie side by side: they still differ in the rest.
///
/// Each shelf is in the order of checksums, and short enough for an entry to be put in its place. A hash table would take
/// twice the room.
#[derive(Debug)]
struct Numbers {
    shelves: Vec<Vec<(u32, u32)>>,
    next: u32,
}

/// A shelf for each beginning of a checksum of so many bits: of a million keys each has about thirty. A new key moves half a
/// shelf, which in a large store lies in memory that nobody has looked at for long.
const SHELF_BITS: u32 = 15;
/// A full shelf grows by this part of itself: one that doubled would be half empty.
const GROWTH: usize = 8;

impl Default for Numbers {
    fn default() -> Self {
        Self {
            shelves: vec![Vec::new(); 1 << SHELF_BITS],
            next: 0,
        }
    }
}

impl Numbers {
    /// The number of a checksum, else where on its shelf it would stand. Checksums are spread evenly, so it stands near where
    /// it would if they lay equally far apart: a search in halves would look at three or four cold places instead of one.
    fn find(&self, checksum: u32) -> Result<u32, usize> {
        let shelf = &self.shelves[shelf_of(checksum)];
        let mut at = guess(checksum, shelf.len());
        while at > 0 && shelf[at - 1].0 >= checksum {
            at -= 1;
        }
        while shelf.get(at).is_some_and(|(known, _)| *known < checksum) {
            at += 1;
        }
        match shelf.get(at) {
            Some((known, number)) if *known == checksum => Ok(*number),
            _ => Err(at),
        }
    }

    fn insert(&mut self, checksum: u32, at: usize, number: u32) {
        let shelf = &mut self.shelves[shelf_of(checksum)];
        if shelf.len() == shelf.capacity() {
            shelf.reserve_exact(shelf.len() / GROWTH + 1);
        }
        shelf.insert(at, (checksum, number));
    }
}

const fn shelf_of(checksum: u32) -> usize {
    // So few bits fit in any usize.
    (checksum >> (u32::BITS - SHELF_BITS)) as usize
}

/// Where on a shelf of that length a checksum would stand if all were equally far apart.
const fn guess(checksum: u32, len: usize) -> usize {
    // The bits behind the shelf's, as a part of all of that shelf; no shelf is longer than there are checksums.
    let part = (checksum << SHELF_BITS) as u64;
    ((part * len as u64) >> u32::BITS) as usize
}

fn is_scattered(key: &[u8]) -> bool {
    key.first().copied().is_some_and(comes_in_no_order)
}

/// The place of a scattered key.
fn at(key: &[u8], number: u32) -> Vec<u8> {
    [&key[..1], &number.to_be_bytes()[..], &key[1..]].concat()
}

impl Layout {
    /// Where a key lies, if it can be anywhere at all.
    pub(super) fn find<'k>(&self, key: &'k [u8]) -> Option<Cow<'k, [u8]>> {
        if !is_scattered(key) {
            return Some(Cow::Borrowed(key));
        }
        let numbers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.find(crc32fast::hash(key)).ok()?;
        Some(Cow::Owned(at(key, number)))
    }

    /// Where a key lies, or is to lie from now on.
    pub(super) fn place<'k>(&self, key: &'k [u8]) -> Cow<'k, [u8]> {
        if !is_scattered(key) {
            return Cow::Borrowed(key);
        }
        let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let checksum = crc32fast::hash(key);
        let number = numbers.find(checksum).unwrap_or_else(|place| {
            // There are no more numbers than checksums, so that this cannot overflow.
            let number = numbers.next;
            numbers.next = number.wrapping_add(1);
            numbers.insert(checksum, place, number);
            number
        });
        Cow::Owned(at(key, number))
    }

    /// The key that lies at a place; `None`: none can.
    pub(super) fn key(place: &[u8]) -> Option<Cow<'_, [u8]>> {
        if !is_scattered(place) {
            return Some(Cow::Borrowed(place));
        }
        place
            .get(1 + NUMBER_LEN..)
            .map(|rest| Cow::Owned([&place[..1], rest].concat()))
    }

    /// Learns of a place that is taken, when a store is opened. False: no key would have been laid there.
    pub(super) fn note(&self, place: &[u8]) -> bool {
        let Some(key) = Self::key(place) else {
            return false;
        };
        if !is_scattered(place) {
            return true;
        }
        let Some(number) = place[1..]
            .first_chunk::<NUMBER_LEN>()
            .map(|n| u32::from_be_bytes(*n))
        else {
            return false;
        };
        let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        numbers.next = numbers.next.max(number.saturating_add(1));
        let checksum = crc32fast::hash(&key);
        match numbers.find(checksum) {
            Ok(known) => known == number,
            Err(place) => {
                numbers.insert(checksum, place, number);
                true
            }
        }
    }

    /// The places of a range of keys. A range of scattered keys begins at the beginning of their table, or behind one of
    /// them.
    pub(super) fn range(&self, range: &KeyRange) -> KeyRange {
        let behind = range
            .start
            .split_last()
            .map(|(_, key)| key)
            .filter(|key| is_scattered(key));
        let start = match behind.and_then(|key| self.find(key)) {
            Some(place) => [&*place, &[0]].concat(),
            // Whoever went on behind a key that nobody knows begins again, rather than to leave something out.
            None if behind.is_some() => range.start[..1].to_vec(),
            None => range.start.clone(),
        };
        KeyRange {
            start,
            end: range.end.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_keys_lie_in_the_order_in_which_they_came() {
        let layout = Layout::default();
        let keys: Vec<Vec<u8>> = (0..2_000_u32)
            .map(|n| format!("M{:x}", n.wrapping_mul(0x9e37_79b9)).into())
            .collect();
        assert!(keys.iter().all(|key| layout.find(key).is_none()));
        let places: Vec<Vec<u8>> = keys
            .iter()
            .map(|key| layout.place(key).into_owned())
            .collect();
        assert!(places.is_sorted());
        let again = Layout::default();
        for (key, place) in keys.iter().zip(&places).rev() {
            assert_eq!(Layout::key(place).as_deref(), Some(&key[..]));
            assert_eq!(
                (layout.find(key), layout.place(key)),
                (Some(place.into()), place.into())
            );
            assert!(again.note(place));
            assert_eq!(again.find(key).as_deref(), Some(&place[..]));
        }
        assert!(
            *again.place(b"Mnew") > places[1_999][..],
            "a new one comes behind all that were there"
        );
    }

    #[test]
    fn keys_of_one_checksum_lie_side_by_side() {
        // Both have the CRC-32 of the same two words that differ.
        let (one, other) = (b"Mplumless", b"Mbuckeroo");
        assert_eq!(crc32fast::hash(&one[1..]), crc32fast::hash(&other[1..]));
        assert_eq!(crc32fast::hash(one), crc32fast::hash(other));
        let layout = Layout::default();
        let place = layout.place(one).into_owned();
        assert_ne!(layout.place(other), place);
        assert_eq!(
            layout.find(other).as_deref().map(|p| &p[..5]),
            Some(&place[..5])
        );
    }

    #[test]
    fn a_place_that_nobody_laid_out_is_known_as_damage() {
        let layout = Layout::default();
        assert!(layout.note(b"any other key") && layout.note(b"M\0\0\0\x07k"));
        assert!(
            !layout.note(b"M\0\0\0\x08k"),
            "the same key at another place"
        );
        assert!(!layout.note(b"M\0\0"));
    }

    #[test]
    fn a_range_goes_on_behind_a_key() {
        let layout = Layout::default();
        let (_, second) = (
            layout.place(b"Mz").into_owned(),
            layout.place(b"Ma").into_owned(),
        );
        let whole = KeyRange::prefix(b"M");
        assert_eq!(layout.range(&whole), whole);
        let behind = layout.range(&KeyRange::new(b"Mz\0", b"N"));
        assert!(behind.start < second && behind.start > at(b"Mz", 0));
        assert_eq!(layout.range(&KeyRange::new(b"Mgone\0", b"N")), whole);
        let others = KeyRange::new(b"l\0", b"lz");
        assert_eq!(layout.range(&others), others);
    }
}
