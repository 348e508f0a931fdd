//! Which key a new license gets. It is worked out from a secret of the store's and from what the license is for: where a
//! store is put back to an earlier copy and hears of a sale again, its buyer's key is the same. Who has not the secret can
//! guess it no better than one that was drawn.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::key_form::{KeyJitter, key_from};
use crate::domain::id::LicenseKey;

/// The secret is no other use's: it is worked out from the store's own one under this name.
const SECRET_FOR: &[u8] = b"keyward: secret of license keys, 1";
/// Before what a key is worked out from.
const KEY_FOR: &[u8] = b"keyward: license key, 1";
/// Bytes of a secret, and of what comes of one.
const SECRET_LEN: usize = 32;

/// The secret that keys come from.
#[derive(Clone)]
pub(super) struct KeySecret([u8; SECRET_LEN]);

impl KeySecret {
    /// From a secret that stays in the store.
    pub(super) fn of(stored: &[u8; SECRET_LEN]) -> Self {
        Self(mac(stored, &[SECRET_FOR]))
    }

    /// The key of an application's license with this label; the n-th, where several have it.
    pub(super) fn key(
        &self,
        prefix: Option<&str>,
        (app, label): (&str, &str),
        nth: u32,
    ) -> LicenseKey {
        let parts = [app.as_bytes(), label.as_bytes()];
        let all = mac(&self.0, &[KEY_FOR, parts[0], parts[1], &nth.to_be_bytes()]);
        let mut jitter = KeyJitter::default();
        for (die, byte) in jitter.iter_mut().zip(all) {
            *die = byte;
        }
        key_from(prefix, jitter)
    }
}

/// HMAC-SHA256 of parts, each with its length: no two lists of parts are one text.
fn mac(secret: &[u8; SECRET_LEN], parts: &[&[u8]]) -> [u8; SECRET_LEN] {
    // As HMAC itself fills a key up to its block.
    let mut block = [0; 64];
    block[..SECRET_LEN].copy_from_slice(secret);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_from_the_secret_and_from_all_that_it_is_for() {
        let key = |seed: u8, app: &str, label: &str, nth| {
            let secret = KeySecret::of(&[seed; 32]);
            let key = secret.key(None, (app, label), nth);
            key.reveal().to_owned()
        };
        let first = key(7, "app", "Stripe session cs_1", 0);
        assert_eq!(first, key(7, "app", "Stripe session cs_1", 0));
        let others = [
            key(8, "app", "Stripe session cs_1", 0),
            key(7, "app2", "Stripe session cs_1", 0),
            key(7, "ap", "pStripe session cs_1", 0),
            key(7, "app", "Stripe session cs_1 #2", 0),
            key(7, "app", "Stripe session cs_1", 1),
        ];
        for other in &others {
            assert_ne!(*other, first);
        }
        // What programs and people rely on: once it is sold, it may be made again in any later version.
        assert_eq!(first, "JHC3-WB9R-ZY9B-ZCJJ-Z9JL");
        let shown = format!("{:?}", KeySecret::of(&[7; 32]));
        assert_eq!(shown, "KeySecret(…)");
    }
}
