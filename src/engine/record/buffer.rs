//! Where stored forms are encoded to.

use std::convert::Infallible;

use minicbor::encode::Write;

/// Bytes that grow as they are written. `minicbor` writes to a `Vec` itself, by a call for each head and each text, and most are
/// a byte or two long: the calls cost more than the bytes.
pub(crate) struct Buffer<'v>(pub(crate) &'v mut Vec<u8>);

impl Write for Buffer<'_> {
    type Error = Infallible;

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
