//! Raw bodies as they came, compressed with a dictionary of what Stripe's events have in common.
//!
//! A dictionary's number stands in the format byte, and a dictionary that was ever shipped stays: bodies packed with it are
//! kept for ever. A new one gets a new number.

use std::cell::RefCell;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// As it came.
const PLAIN: u8 = 0;
/// zstd with the first dictionary.
const DICTIONARY_1: u8 = 2;
/// zstd's level: bodies are written once, on the way to an acknowledgement.
const LEVEL: i32 = 1;
/// No body is larger than this when it is unpacked; the intake takes far less.
const BODY_LEN_MAX: usize = 64 << 20;
/// `zstd --train-cover=k=1500,d=8 --maxdict=32768` on the fixtures' events, indented as Stripe sends them: each of the
/// histories', and 120 of each whole one (`fixtures/whole`) with other ids, addresses and instants.
const BYTES: &[u8] = include_bytes!("stripe-1.dict");

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(BYTES, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(BYTES));

thread_local! {
    /// A compressor takes longer to make than to use.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> =
        RefCell::new(Compressor::with_prepared_dictionary(&ENCODER).ok());
    /// As does a decompressor: whoever looks through all bodies unpacks hundreds of thousands.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> =
        RefCell::new(Decompressor::with_prepared_dictionary(&DECODER).ok());
}

/// Packs a body.
#[must_use]
pub fn pack(body: &[u8]) -> Vec<u8> {
    let packed = COMPRESSOR.with_borrow_mut(|c| c.as_mut().and_then(|c| c.compress(body).ok()));
    let (format, bytes) = packed
        .as_deref()
        .map_or((PLAIN, body), |small| (DICTIONARY_1, small));
    let mut out = Vec::with_capacity(5 + bytes.len());
    out.push(format);
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
    out
}

/// Unpacks a body; `None` for bytes that are none.
#[must_use]
pub fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let len = usize::try_from(u32::from_be_bytes(packed.get(1..5)?.try_into().ok()?)).ok()?;
    match *packed.first()? {
        PLAIN => Some(packed.get(5..)?.to_vec()),
        DICTIONARY_1 if len <= BODY_LEN_MAX => {
            let packed = packed.get(5..)?;
            DECOMPRESSOR.with_borrow_mut(|d| d.as_mut()?.decompress(packed, len).ok())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_back_as_they_were() {
        for body in [b"".to_vec(), b"{}".to_vec(), vec![b'x'; 100_000]] {
            assert_eq!(unpack(&pack(&body)), Some(body));
        }
        assert_eq!(unpack(&[9, 0, 0, 0, 1, 2]), None);
    }

    /// What stores grow by: Stripe's objects are mostly names of fields and nulls.
    #[test]
    fn a_whole_session_packs_to_a_fifth() {
        let body = include_bytes!(
            "../../../fixtures/whole/checkout.session.completed--2026-06-24.dahlia.json"
        );
        let packed = pack(body);
        assert!(
            packed.len() * 5 < body.len(),
            "{} of {} bytes",
            packed.len(),
            body.len()
        );
        assert_eq!(unpack(&packed).as_deref(), Some(&body[..]));
    }

    #[test]
    fn the_shipped_dictionary_is_the_one_that_old_bodies_need() {
        assert_eq!(
            crc32fast::hash(BYTES),
            0xb760daa8,
            "a dictionary that was shipped must not change: add another one"
        );
    }
}
