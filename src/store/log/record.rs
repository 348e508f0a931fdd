//! One record of the commit log, as bytes.
//!
//! ```text
//! length u32 | sequence u64 | hash of the record before [16] | CRC-32 of all the rest u32 | writes …
//! write:  key length u16 | value length u32 (all ones: delete) | key | value
//! ```
//! All numbers are big-endian. The length's highest bit says that the writes are packed; the rest of it, how many bytes
//! follow. A length of zero is the end: log files are filled with zeros ahead of use.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::store::MAX_BATCH;
use crate::store::pack::{self, Lasting};

/// Bytes before the writes.
pub(in crate::store) const HEAD: usize = 32;
/// The length of `HEAD` that precedes the checksum.
const SUMMED: usize = 28;
/// Bytes that frame one write.
const WRITE_HEAD: usize = 6;
const DELETE: u32 = u32::MAX;
/// The bit of a record's length that says that its writes are packed.
const PACKED: u32 = 1 << 31;
/// Shorter writes are not worth packing: a few keys that come and go.
const PACK_OVER: usize = 400;
/// The longest payload that can be meant: every key at least one byte long.
const MAX_PAYLOAD: usize = MAX_BATCH * (WRITE_HEAD + 1);

/// The hash of a record, by which the next one names it: the first 16 bytes of SHA-256 over sequence, hash before,
/// length and checksum. The checksum stands for the writes, so chaining costs one block whatever the batch's size; it
/// proves order and completeness against accidents, not against somebody who forges checksums.
pub(in crate::store) type Hash = [u8; 16];

/// A place in the chain: the last record before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Link {
    pub(in crate::store) seq: u64,
    pub(in crate::store) hash: Hash,
}

/// Why bytes are not the next record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::store) enum Bad {
    #[error("the record is cut off")]
    Short,
    #[error("the record's length cannot be right")]
    Length,
    #[error("the record's checksum does not match")]
    Checksum,
    #[error("the record has number {found}, but {expected} comes next")]
    Sequence { expected: u64, found: u64 },
    #[error("the record does not follow from the one before")]
    Chain,
    #[error("the record's writes are malformed")]
    Writes,
}

/// Whether a record may be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Packing {
    /// The file was begun by a program that did not know how.
    Never,
    /// If it gets shorter.
    Allowed,
}

/// Appends the record of a batch to `out` and returns its place in the chain.
pub(in crate::store) fn encode<'a>(
    out: &mut Vec<u8>,
    before: Link,
    packing: Packing,
    writes: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
) -> Link {
    let start = out.len();
    let seq = before.seq + 1;
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&seq.to_be_bytes());
    out.extend_from_slice(&before.hash);
    out.extend_from_slice(&[0; 4]);
    for (key, value) in writes {
        // Lengths were checked against MAX_KEY and MAX_VALUE, which both fit.
        out.extend_from_slice(&(key.len() as u16).to_be_bytes());
        out.extend_from_slice(
            &value
                .map_or(DELETE, |value| value.len() as u32)
                .to_be_bytes(),
        );
        out.extend_from_slice(key);
        out.extend_from_slice(value.unwrap_or_default());
    }
    let len = pack_writes(out, start + HEAD, packing);
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    let crc = checksum(&out[start..]);
    out[start + SUMMED..start + HEAD].copy_from_slice(&crc.to_be_bytes());
    Link {
        seq,
        hash: hash(seq, &before.hash, len, crc),
    }
}

/// Packs what `out` holds from `start` on, if that may be and helps. Returns what the record's length field is to say.
fn pack_writes(out: &mut Vec<u8>, start: usize, packing: Packing) -> u32 {
    if packing == Packing::Allowed && out.len() - start > PACK_OVER {
        let mut packed = Vec::new();
        if pack::pack(&out[start..], Lasting::Passing, &mut packed) {
            out.truncate(start);
            out.extend_from_slice(&packed);
            return packed.len() as u32 | PACKED;
        }
    }
    (out.len() - start) as u32
}

fn checksum(record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&record[..SUMMED]);
    crc.update(&record[HEAD..]);
    crc.finalize()
}

fn hash(seq: u64, before: &Hash, len: u32, crc: u32) -> Hash {
    let mut sha = Sha256::new();
    sha.update(seq.to_be_bytes());
    sha.update(before);
    sha.update(len.to_be_bytes());
    sha.update(crc.to_be_bytes());
    let full = sha.finalize();
    let mut hash = Hash::default();
    hash.copy_from_slice(&full[..16]);
    hash
}

/// What the first bytes of a record say about it.
pub(in crate::store) struct Head {
    pub(in crate::store) seq: u64,
    /// Length of the writes in bytes; zero marks the end.
    pub(in crate::store) len: usize,
}

/// Reads a record's head without judging it.
pub(in crate::store) fn head(bytes: &[u8; HEAD]) -> Head {
    Head {
        len: (be32(&bytes[..4]) & !PACKED) as usize,
        seq: be64(&bytes[4..12]),
    }
}

/// Whether a length can be meant at all, before memory is taken for it.
pub(in crate::store) fn plausible(len: usize) -> bool {
    (1..=MAX_PAYLOAD).contains(&len)
}

/// Whether a whole record's own checksum holds, wherever it stands in the chain.
pub(in crate::store) fn intact(record: &[u8]) -> bool {
    record.len() > HEAD && checksum(record) == be32(&record[SUMMED..HEAD])
}

/// A checked record.
#[derive(Clone, Debug)]
pub(in crate::store) struct Record<'a> {
    /// Its own place in the chain.
    pub(in crate::store) link: Link,
    writes: Cow<'a, [u8]>,
}

impl<'a> Record<'a> {
    /// Checks a whole record: length, checksum, and that it is the one after `before`.
    pub(in crate::store) fn decode(bytes: &'a [u8], before: Link) -> Result<Self, Bad> {
        if bytes.len() <= HEAD {
            return Err(Bad::Short);
        }
        let len = be32(&bytes[..4]);
        if (len & !PACKED) as usize != bytes.len() - HEAD {
            return Err(Bad::Length);
        }
        let crc = be32(&bytes[SUMMED..HEAD]);
        if checksum(bytes) != crc {
            return Err(Bad::Checksum);
        }
        let seq = be64(&bytes[4..12]);
        if seq != before.seq + 1 {
            return Err(Bad::Sequence {
                expected: before.seq + 1,
                found: seq,
            });
        }
        if bytes[12..SUMMED] != before.hash {
            return Err(Bad::Chain);
        }
        let record = Self {
            link: Link {
                seq,
                hash: hash(seq, &before.hash, len, crc),
            },
            writes: match len & PACKED {
                0 => Cow::Borrowed(&bytes[HEAD..]),
                _ => {
                    Cow::Owned(pack::unpack(&bytes[HEAD..], MAX_PAYLOAD).map_err(|_| Bad::Writes)?)
                }
            },
        };
        let sound = record.writes().all(|write| write.is_ok());
        sound.then_some(record).ok_or(Bad::Writes)
    }

    /// The writes in the order of their keys: key, and new value or `None` for a deletion. After an error nothing
    /// more comes; a decoded record has none.
    pub(in crate::store) fn writes(&self) -> impl Iterator<Item = Result<Write<'_>, Bad>> {
        let mut rest = &*self.writes;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let Some((write, after)) = next_write(rest) else {
                rest = &[];
                return Some(Err(Bad::Writes));
            };
            rest = after;
            Some(Ok(write))
        })
    }
}

/// One write of a record: key, and new value or `None` for a deletion.
pub(in crate::store) type Write<'a> = (&'a [u8], Option<&'a [u8]>);

fn next_write(bytes: &[u8]) -> Option<(Write<'_>, &[u8])> {
    let (key_len, rest) = bytes.split_first_chunk::<2>()?;
    let (value_len, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u16::from_be_bytes(*key_len).into())?;
    match u32::from_be_bytes(*value_len) {
        DELETE => Some(((key, None), rest)),
        len => {
            let (value, rest) = rest.split_at_checked(len as usize)?;
            Some(((key, Some(value)), rest))
        }
    }
}

/// A big-endian number from exactly four bytes; shorter slices read as zero.
pub(in crate::store) fn be32(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |chunk| u32::from_be_bytes(*chunk))
}

/// A big-endian number from exactly eight bytes; shorter slices read as zero.
pub(in crate::store) fn be64(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |chunk| u64::from_be_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before() -> Link {
        Link {
            seq: 4,
            hash: [7; 16],
        }
    }

    /// A record of a few writes, with a value that packs well.
    fn sample(packing: Packing) -> (Vec<u8>, Link) {
        let writes: [Write<'_>; 3] = [(b"a", Some(&[b'o'; 500])), (b"b", None), (b"c", Some(b""))];
        let mut bytes = Vec::new();
        let link = encode(&mut bytes, before(), packing, writes.into_iter());
        (bytes, link)
    }

    /// Whoever changes these bytes changes the format: old logs would not be read any more.
    #[test]
    fn the_bytes_of_records_stay_as_they_are() {
        let mut bytes = Vec::new();
        let first: [Write<'_>; 2] = [(b"a", Some(b"one")), (b"b", None)];
        let link = encode(
            &mut bytes,
            Link::default(),
            Packing::Never,
            first.into_iter(),
        );
        let second: [Write<'_>; 1] = [(b"a", Some(b"two"))];
        encode(&mut bytes, link, Packing::Never, second.into_iter());
        let golden = "0000001100000000000000010000000000000000000000000000000065da51ac000100000003616f6e65\
                      0001ffffffff620000000a00000000000000029cfe4b3d311085185f2cb8d7ee225c4e2d4e79f5\
                      0001000000036174776f";
        assert_eq!(hex::encode(bytes), golden);
    }

    #[test]
    fn a_record_comes_back() {
        for (packing, len_max) in [(Packing::Never, 600), (Packing::Allowed, 100)] {
            let (bytes, link) = sample(packing);
            assert!(bytes.len() < len_max);
            let record = Record::decode(&bytes, before()).unwrap();
            assert_eq!(record.link, link);
            let head = head(bytes.first_chunk().unwrap());
            assert_eq!((head.seq, head.len), (5, bytes.len() - HEAD));
            let writes: Vec<_> = record.writes().map(Result::unwrap).collect();
            let value = [b'o'; 500];
            let expected: [Write<'_>; 3] = [(b"a", Some(&value)), (b"b", None), (b"c", Some(b""))];
            assert_eq!(writes, expected);
        }
    }

    #[test]
    fn it_fits_only_behind_the_one_it_names() {
        let (bytes, _) = sample(Packing::Allowed);
        let before = before();
        let other = Link {
            hash: [8; 16],
            ..before
        };
        assert_eq!(Record::decode(&bytes, other).unwrap_err(), Bad::Chain);
        let later = Link { seq: 5, ..before };
        assert_eq!(
            Record::decode(&bytes, later).unwrap_err(),
            Bad::Sequence {
                expected: 6,
                found: 5
            }
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for packing in [Packing::Never, Packing::Allowed] {
            let (bytes, _) = sample(packing);
            for bit in 0..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(Record::decode(&bad, before()).is_err(), "bit {bit}");
            }
            for len in 0..bytes.len() {
                let cut = Record::decode(&bytes[..len], before());
                assert!(cut.is_err(), "cut to {len}");
            }
        }
    }
}
