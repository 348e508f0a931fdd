//! How a value lies in sled: format, the commit that wrote it, the bytes, and a checksum over key and all of it.
//!
//! sled has checksums of its own, but an old page that comes back looks valid to it; the sequence and the key in the
//! checksum are what tells such a value from the right one.

use std::borrow::Cow;

use bytes::Bytes;

use crate::store::pack::{self, Lasting, UnpackError};
use crate::store::{Seq, Value};

/// Format byte, sequence (big-endian), payload, CRC-32 (big-endian).
const PLAIN: u8 = 1;
/// The same with its payload packed.
const PACKED: u8 = 2;
/// No payload is longer: a guard against damage, far above what a block holds.
const PAYLOAD_MAX: usize = 1 << 20;
const HEAD: usize = 9;
const FOOT: usize = 4;

/// Bytes that the frame adds to each value.
pub(super) const OVERHEAD: usize = HEAD + FOOT;

/// Why bytes are not a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CodecError {
    /// Shorter than a frame.
    #[error("the value is cut off")]
    Short,
    /// The checksum over key and value does not match.
    #[error("the value's checksum does not match")]
    Checksum,
    /// Written by another version of the program.
    #[error("the value has format {0}, which this version does not know")]
    Format(u8),
    /// The checksum is right, and still it does not unpack.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

fn crc(key: &[u8], framed: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(framed);
    crc.finalize()
}

/// Frames a value for a key.
#[must_use]
pub(super) fn encode(key: &[u8], seq: Seq, payload: &[u8]) -> Vec<u8> {
    let mut framed = head(PLAIN, seq, payload.len());
    framed.extend_from_slice(payload);
    summed(key, framed)
}

/// Frames a value for a key, packed if that makes it shorter.
#[must_use]
pub(super) fn encode_packed(key: &[u8], seq: Seq, payload: &[u8]) -> Vec<u8> {
    let mut framed = head(PACKED, seq, 0);
    match pack::pack(payload, Lasting::Kept, &mut framed) {
        true => summed(key, framed),
        false => encode(key, seq, payload),
    }
}

fn head(format: u8, seq: Seq, payload_len: usize) -> Vec<u8> {
    let mut framed = Vec::with_capacity(payload_len + OVERHEAD);
    framed.push(format);
    framed.extend_from_slice(&seq.0.to_be_bytes());
    framed
}

fn summed(key: &[u8], mut framed: Vec<u8>) -> Vec<u8> {
    let crc = crc(key, &framed);
    framed.extend_from_slice(&crc.to_be_bytes());
    framed
}

/// Reads a framed value back.
///
/// # Errors
/// [`CodecError`] if the bytes are not what [`encode`] made for this key.
pub(super) fn decode(key: &[u8], framed: &[u8]) -> Result<Value, CodecError> {
    let (seq, payload) = open(key, framed)?;
    Ok(Value {
        bytes: Bytes::copy_from_slice(&payload),
        seq,
    })
}

/// Checks a framed value and looks into it; what is not packed is not copied.
///
/// # Errors
/// [`CodecError`] if the bytes are not what [`encode`] or [`encode_packed`] made for this key.
pub(super) fn open<'f>(key: &[u8], framed: &'f [u8]) -> Result<(Seq, Cow<'f, [u8]>), CodecError> {
    let (body, foot) = framed.split_last_chunk::<FOOT>().ok_or(CodecError::Short)?;
    let (head, payload) = body.split_first_chunk::<HEAD>().ok_or(CodecError::Short)?;
    if crc(key, body) != u32::from_be_bytes(*foot) {
        return Err(CodecError::Checksum);
    }
    let [format, seq @ ..] = *head;
    let payload = match format {
        PLAIN => Cow::Borrowed(payload),
        PACKED => Cow::Owned(pack::unpack(payload, PAYLOAD_MAX)?),
        _ => return Err(CodecError::Format(format)),
    };
    Ok((Seq(u64::from_be_bytes(seq)), payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_under_its_own_key_only() {
        let framed = encode(b"k", Seq(7), b"hello");
        assert_eq!(framed.len(), 5 + OVERHEAD);
        // Whoever changes these bytes changes the format.
        assert_eq!(hex::encode(&framed), "01000000000000000768656c6c6f3b2160af");
        assert_eq!(
            decode(b"k", &framed),
            Ok(Value {
                bytes: Bytes::from_static(b"hello"),
                seq: Seq(7)
            })
        );
        assert_eq!(decode(b"j", &framed), Err(CodecError::Checksum));
        assert_eq!(decode(b"k", &framed[..12]), Err(CodecError::Short));
    }

    #[test]
    fn a_packed_value_comes_back_and_a_short_one_stays_plain() {
        let long = [7; 1_000];
        let framed = encode_packed(b"k", Seq(7), &long);
        assert!(framed.len() < 100);
        assert_eq!(decode(b"k", &framed).unwrap().bytes, long[..]);
        assert_eq!(
            encode_packed(b"k", Seq(7), b"hello"),
            encode(b"k", Seq(7), b"hello")
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for framed in [
            encode(b"key", Seq(u64::MAX), b"payload"),
            encode_packed(b"key", Seq(u64::MAX), &[b'p'; 100]),
        ] {
            for bit in 0..framed.len() * 8 {
                let mut bad = framed.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(b"key", &bad).is_err(), "bit {bit}");
            }
        }
    }
}
