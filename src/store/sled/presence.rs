//! Which keys sled may hold, in ten bits a key: most keys that a delivery asks for are new, and a filter that says so spares
//! the way through sled's tree, which goes to the disk once the store is larger than the cache.
//!
//! It may say yes for a key that is not there (about one in a hundred for each full level), never no for one that is. Deleted keys stay in it.

use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

/// Keys that the first level holds, in 1.25 MiB; each further one holds [`LEVEL_GROWTH`] times as many as the one before.
const FIRST_LEVEL_KEYS: usize = 1 << 20;
/// Each level costs whoever asks for a stranger a look into memory.
const LEVEL_GROWTH: usize = 4;
/// Bits a key; with [`PROBES`] about one in a hundred strangers gets a needless yes from a full level.
const BITS_PER_KEY: usize = 10;
/// Bits looked at for a key.
const PROBES: u64 = 7;
/// What the processor reads from memory at once. All bits of a key lie in one, so that a look goes to memory once a level.
type FilterLine = [u64; 8];
const LINE_BITS: u64 = 512;

/// The keys that sled may hold.
#[derive(Debug, Default)]
pub(super) struct Presence(RwLock<Filter>);

#[derive(Debug)]
struct Filter {
    hasher: foldhash::quality::RandomState,
    /// Keys that the first level holds.
    first_level: usize,
    /// Before sled was walked through nothing is known, and the answer is always yes.
    complete: bool,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    lines: Vec<FilterLine>,
    room: usize,
}

impl Presence {
    /// For a sled that is known to be empty.
    pub(super) fn empty() -> Self {
        Self(RwLock::new(Filter {
            complete: true,
            ..Filter::default()
        }))
    }

    /// Notes keys. They must be noted before sled gets them.
    pub(super) fn note<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let mut filter = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let digests = filter.digests(key);
            filter.insert(digests);
        }
    }

    /// From now on a key that was not noted is not there: all of sled has been walked through.
    pub(super) fn complete(&self) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .complete = true;
    }

    /// Whether sled may hold a key.
    pub(super) fn may_hold(&self, key: &[u8]) -> bool {
        let filter = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !filter.complete || filter.holds(filter.digests(key))
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            hasher: foldhash::quality::RandomState::default(),
            first_level: FIRST_LEVEL_KEYS,
            complete: false,
            levels: Vec::new(),
        }
    }
}

impl Filter {
    /// Two independent digests of a key.
    fn digests(&self, key: &[u8]) -> (u64, u64) {
        let first = self.hasher.hash_one(key);
        (first, self.hasher.hash_one(first))
    }

    fn insert(&mut self, digests: (u64, u64)) {
        if self.holds(digests) {
            return;
        }
        if self.levels.last().is_none_or(|level| level.room == 0) {
            let grown = LEVEL_GROWTH.pow(u32::try_from(self.levels.len().min(10)).unwrap_or(10));
            let keys = self.first_level * grown;
            self.levels.push(Level {
                lines: vec![FilterLine::default(); keys * BITS_PER_KEY / 512],
                room: keys,
            });
        }
        if let Some(level) = self.levels.last_mut() {
            level.room -= 1;
            let line = level.line_of(digests);
            for (word, bit) in bits(digests) {
                level.lines[line][word] |= bit;
            }
        }
    }

    fn holds(&self, digests: (u64, u64)) -> bool {
        self.levels.iter().any(|level| {
            let line = &level.lines[level.line_of(digests)];
            bits(digests).all(|(word, bit)| line[word] & bit != 0)
        })
    }
}

impl Level {
    fn line_of(&self, (first, _): (u64, u64)) -> usize {
        // The remainder is below the length of a vector, so it fits.
        usize::try_from(first % self.lines.len() as u64).unwrap_or(0)
    }
}

/// The bits of a key in its line: the word, and the bit in it.
fn bits((_, second): (u64, u64)) -> impl Iterator<Item = (usize, u64)> {
    (0..PROBES).map(move |n| {
        let bit = (second >> (9 * n)) % LINE_BITS;
        (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_denies_a_key_and_seldom_affirms_a_stranger() {
        let several_levels = Filter {
            first_level: 1 << 16,
            ..Filter::default()
        };
        let presence = Presence(RwLock::new(several_levels));
        let key = |n: u32| format!("e\0stripe\0evt_{n}").into_bytes();
        assert!(presence.may_hold(&key(0)), "nothing is known yet");
        let keys: Vec<Vec<u8>> = (0..200_000).map(key).collect();
        presence.note(keys.iter().map(Vec::as_slice));
        presence.complete();
        assert!(keys.iter().all(|k| presence.may_hold(k)));
        let strangers = (1_000_000..1_100_000)
            .filter(|n| presence.may_hold(&key(*n)))
            .count();
        assert!(strangers < 4_000, "{strangers} of 100,000");
        assert!(!Presence::empty().may_hold(b"x"));
    }
}
