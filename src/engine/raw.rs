//! Raw bodies as they came, compressed.

/// zstd's level for bodies: they are written once.
const LEVEL: i32 = 1;
/// No body is larger than this when it is unpacked; the intake takes far less.
const BODY_LEN_MAX: usize = 64 << 20;

/// Packs a body.
#[must_use]
pub(super) fn pack(body: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    match zstd::bulk::compress(body, LEVEL) {
        Ok(small) => out.extend_from_slice(&small),
        Err(_) => {
            out[0] = 0;
            out.extend_from_slice(body);
        }
    }
    out
}

/// Unpacks a body; `None` for bytes that are none.
#[must_use]
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let len = usize::try_from(u32::from_be_bytes(packed.get(1..5)?.try_into().ok()?)).ok()?;
    match packed.first()? {
        0 => Some(packed.get(5..)?.to_vec()),
        1 if len <= BODY_LEN_MAX => zstd::bulk::decompress(packed.get(5..)?, len).ok(),
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
}
