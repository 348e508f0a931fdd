//! One number for all that sled holds: which keys, and which version of each.
//!
//! sled can lose a page, or bring an older one back, without an error. Each of its batches therefore also writes this
//! digest of the state it leads to; walking through all keys once, at opening, tells whether that state is there.

use sha2::{Digest as _, Sha256};

use crate::store::Seq;
use crate::store::log::record::be64;

/// Bytes of a digest as it is stored.
pub(super) const LEN: usize = 24;

/// A set of (key, commit that wrote its value), as its size and the sum of its members' hashes. Members come and go
/// in any order. A value's own checksum covers its bytes, so the commit's number stands for them here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    count: u64,
    sum: u128,
}

fn hash(key: &[u8], seq: Seq) -> u128 {
    let mut sha = Sha256::new();
    sha.update(seq.0.to_be_bytes());
    sha.update(key);
    sha.finalize()
        .first_chunk()
        .map_or(0, |chunk| u128::from_be_bytes(*chunk))
}

impl Digest {
    /// A value came.
    pub(super) fn add(&mut self, key: &[u8], seq: Seq) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash(key, seq));
    }

    /// A value went.
    pub(super) fn remove(&mut self, key: &[u8], seq: Seq) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(hash(key, seq));
    }

    /// All of another set came, which has no member in common with this one.
    pub(super) fn join(&mut self, other: Self) {
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// How many keys there are.
    pub(super) fn count(self) -> u64 {
        self.count
    }

    /// As it is stored.
    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&self.count.to_be_bytes());
        bytes[8..].copy_from_slice(&self.sum.to_be_bytes());
        bytes
    }

    /// As it was stored.
    pub(super) fn from_bytes(bytes: &[u8; LEN]) -> Self {
        let sum = u128::from(be64(&bytes[8..16])) << 64 | u128::from(be64(&bytes[16..]));
        Self {
            count: be64(&bytes[..8]),
            sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_counts_and_not_the_way_to_it() {
        let mut one = Digest::default();
        one.add(b"a", Seq(1));
        one.add(b"b", Seq(2));
        let mut two = Digest::default();
        two.add(b"b", Seq(1));
        two.add(b"a", Seq(1));
        assert_ne!(one, two);
        two.remove(b"b", Seq(1));
        two.add(b"b", Seq(2));
        assert_eq!(one, two);
        assert_eq!(Digest::from_bytes(&one.to_bytes()), one);
        two.remove(b"b", Seq(2));
        two.remove(b"a", Seq(1));
        assert_eq!(two, Digest::default());
    }
}
