//! zstd, as the store uses it: what is packed is its plain length (four bytes, big-endian) and a frame of zstd's.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// How long what is packed will lie: the longer, the more it is worth to pack it well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// Until the next backup: the log, which is written on the way to every acknowledgement.
    Passing,
    /// For ever.
    Kept,
}

impl Lasting {
    /// zstd's level. Below zero letters are not packed by how often they come, only what came before: two thirds of the time
    /// for a twelfth more bytes, since bodies, the longest part, are packed already.
    const fn level(self) -> i32 {
        match self {
            Self::Passing => -1,
            Self::Kept => 1,
        }
    }
}

/// Bytes of the plain length.
const HEAD: usize = 4;

thread_local! {
    /// A context takes longer to make than to use.
    static ZSTD_CONTEXTS: RefCell<Option<(Compressor<'static>, Decompressor<'static>)>> =
        RefCell::new(Compressor::new(0).and_then(|c| Ok((c, Decompressor::new()?))).ok());
}

/// Why bytes cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// Not even a length.
    #[error("what is packed is cut off")]
    Short,
    /// More than anything of its kind can have: damage.
    #[error("it claims to unpack to {0} bytes")]
    TooLong(usize),
    /// zstd's own complaint.
    #[error("it cannot be unpacked: {0}")]
    Zstd(String),
}

/// Appends the packed bytes to `out`; false, and nothing appended: they would not be shorter.
pub fn pack(plain: &[u8], lasting: Lasting, out: &mut Vec<u8>) -> bool {
    let Ok(len) = u32::try_from(plain.len()) else {
        return false;
    };
    let packed = ZSTD_CONTEXTS.with_borrow_mut(|contexts| {
        let (compressor, _) = contexts.as_mut()?;
        compressor.set_compression_level(lasting.level()).ok()?;
        compressor.compress(plain).ok()
    });
    let Some(packed) = packed.filter(|packed| packed.len() + HEAD < plain.len()) else {
        return false;
    };
    out.reserve(HEAD + packed.len());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&packed);
    true
}

/// Unpacks, to at most `max` bytes.
///
/// # Errors
/// [`UnpackError`] if [`pack`] did not make this.
pub fn unpack(packed: &[u8], max: usize) -> Result<Vec<u8>, UnpackError> {
    let (len, frame) = packed
        .split_first_chunk::<HEAD>()
        .ok_or(UnpackError::Short)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
    if len > max {
        return Err(UnpackError::TooLong(len));
    }
    let plain = ZSTD_CONTEXTS.with_borrow_mut(|contexts| {
        let (_, decompressor) = contexts
            .as_mut()
            .ok_or_else(|| UnpackError::Zstd("no memory".to_owned()))?;
        decompressor
            .decompress(frame, len)
            .map_err(|error| UnpackError::Zstd(error.to_string()))
    })?;
    match plain.len() == len {
        true => Ok(plain),
        false => Err(UnpackError::Short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_what_would_not_shrink_is_left() {
        for lasting in [Lasting::Passing, Lasting::Kept] {
            let mut out = b"before".to_vec();
            let plain = vec![b'x'; 10_000];
            assert!(pack(&plain, lasting, &mut out));
            assert!(out.len() < 100 && out.starts_with(b"before"));
            assert_eq!(unpack(&out[6..], 10_000), Ok(plain));
            assert_eq!(unpack(&out[6..], 9_999), Err(UnpackError::TooLong(10_000)));
            for cut in 6..out.len() {
                assert!(unpack(&out[6..cut], 10_000).is_err(), "cut at {cut}");
            }
            assert!(!pack(b"short", lasting, &mut out));
        }
    }
}
