//! Keyed digests: what is kept of secrets, and numbers for forms that are worth nothing to anybody else.

use ring::hmac;

/// A keyed digest.
pub(super) type KeyedDigest = [u8; 32];

/// Characters of a number in a form: 128 bits.
const NUMBER_LEN: usize = 32;

/// A key of this process alone.
#[derive(Clone)]
pub(super) struct Keyed(hmac::Key);

impl Keyed {
    /// A new one.
    pub(super) fn new() -> Self {
        Self(hmac::Key::new(
            hmac::HMAC_SHA256,
            &rand::random::<[u8; 32]>(),
        ))
    }

    /// The digest of a text for one purpose.
    pub(super) fn digest(&self, purpose: &'static str, text: &str) -> KeyedDigest {
        let tag = hmac::sign(&self.0, format!("{purpose}\n{text}").as_bytes());
        let mut digest = KeyedDigest::default();
        digest.copy_from_slice(tag.as_ref());
        digest
    }

    /// A number for a text, which nobody can tell without the key.
    pub(super) fn number(&self, purpose: &'static str, text: &str) -> String {
        let mut number = hex::encode(self.digest(purpose, text));
        number.truncate(NUMBER_LEN);
        number
    }
}
