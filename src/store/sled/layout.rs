//! Where a key lies in overlay and sled: under itself, or, if its ids come in no order, by when it first came.
//!
//! Entries that are written together should lie together, or each of them costs reading and rewriting a leaf of its own,
//! and the cache holds a little of every leaf instead of a few whole ones. Most of Stripe's ids begin with the time; a
//! Checkout Session's does not. Keys of the table [`SCATTERED`] therefore get a number when they first come, and lie in the
//! order of their numbers. Which key has which number is kept in memory, nine to eighteen bytes for each, and read from
//! the keys themselves when a store is opened. The commit log knows nothing of this.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::sync::{PoisonError, RwLock};

use crate::store::KeyRange;

/// The first byte of the keys that lie in the order in which they first came.
pub(super) const SCATTERED: u8 = b'm';

/// Bytes of a number, between a scattered key's first byte and the rest of it.
const NUMBER_LEN: usize = 4;

/// The numbers of scattered keys.
#[derive(Debug, Default)]
pub(super) struct Layout(RwLock<Numbers>);

/// By a key's checksum. Two keys with the same one share a number and lie side by side: they still differ in the rest.
#[derive(Debug, Default)]
struct Numbers {
    of: foldhash::HashMap<u32, u32>,
    next: u32,
}

fn is_scattered(key: &[u8]) -> bool {
    key.first() == Some(&SCATTERED)
}

/// The place of a scattered key.
fn at(key: &[u8], number: u32) -> Vec<u8> {
    [&[SCATTERED], &number.to_be_bytes()[..], &key[1..]].concat()
}

impl Layout {
    /// Where a key lies, if it can be anywhere at all.
    pub(super) fn find<'k>(&self, key: &'k [u8]) -> Option<Cow<'k, [u8]>> {
        if !is_scattered(key) {
            return Some(Cow::Borrowed(key));
        }
        let numbers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        numbers
            .of
            .get(&crc32fast::hash(key))
            .map(|number| Cow::Owned(at(key, *number)))
    }

    /// Where a key lies, or is to lie from now on.
    pub(super) fn place<'k>(&self, key: &'k [u8]) -> Cow<'k, [u8]> {
        if !is_scattered(key) {
            return Cow::Borrowed(key);
        }
        let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Numbers { of, next } = &mut *numbers;
        let number = *of.entry(crc32fast::hash(key)).or_insert_with(|| {
            // There are no more numbers than checksums, so that this cannot overflow.
            let number = *next;
            *next = next.wrapping_add(1);
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
            .map(|rest| Cow::Owned([&[SCATTERED], rest].concat()))
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
        match numbers.of.entry(crc32fast::hash(&key)) {
            Entry::Occupied(known) => *known.get() == number,
            Entry::Vacant(new) => {
                new.insert(number);
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
            None if behind.is_some() => vec![SCATTERED],
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
            .map(|n| format!("m{:x}", n.wrapping_mul(0x9e37_79b9)).into())
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
            *again.place(b"mnew") > places[1_999][..],
            "a new one comes behind all that were there"
        );
    }

    #[test]
    fn keys_of_one_checksum_lie_side_by_side() {
        // Both have the CRC-32 of the same two words that differ.
        let (one, other) = (b"mplumless", b"mbuckeroo");
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
        assert!(layout.note(b"any other key") && layout.note(&[SCATTERED, 0, 0, 0, 7, b'k']));
        assert!(
            !layout.note(&[SCATTERED, 0, 0, 0, 8, b'k']),
            "the same key at another place"
        );
        assert!(!layout.note(&[SCATTERED, 0, 0]));
    }

    #[test]
    fn a_range_goes_on_behind_a_key() {
        let layout = Layout::default();
        let (_, second) = (
            layout.place(b"mz").into_owned(),
            layout.place(b"ma").into_owned(),
        );
        let whole = KeyRange::prefix(b"m");
        assert_eq!(layout.range(&whole), whole);
        let behind = layout.range(&KeyRange::new(b"mz\0", b"n"));
        assert!(behind.start < second && behind.start > at(b"mz", 0));
        assert_eq!(layout.range(&KeyRange::new(b"mgone\0", b"n")), whole);
        let others = KeyRange::new(b"l\0", b"lz");
        assert_eq!(layout.range(&others), others);
    }
}
