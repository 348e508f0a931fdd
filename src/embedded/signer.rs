//! The service's own key pair, by which programs know its answers. It is made once and stays in the service's store.

use std::fmt;

use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ledger::{Ledger, LedgerError};

/// Where the private half is stored.
const STORE_KEY: &[u8] = b"signing/1";
/// The format of the stored value, in front of it.
const FORMAT: u8 = 1;
/// Bytes of the stored half.
const SEED_LEN: usize = 32;

/// What a signature is for. Its text is signed with the payload, so that one cannot stand for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An answer to a program that waits for it.
    Answer,
    /// A file for a device that is offline.
    OfflineFile,
}

impl Purpose {
    const fn head(self) -> &'static [u8] {
        match self {
            Self::Answer => b"keyward-answer-1\n",
            Self::OfflineFile => b"keyward-offline-1\n",
        }
    }
}

/// A payload with its signature, as a program gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// JSON as text: the signature is over these very bytes.
    pub payload: String,
    /// Ed25519, in hex.
    pub signature: String,
    /// Which key signed.
    pub key_id: String,
}

/// Signs answers. `Debug` shows the public half only.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
    key_id: String,
}

impl Signer {
    /// The key pair of a ledger; made and stored where there is none yet.
    pub(super) fn of(ledger: &mut impl Ledger) -> Result<Self, LedgerError> {
        if let Some(stored) = ledger.get(STORE_KEY)? {
            return match stored.split_first() {
                Some((&FORMAT, seed)) if seed.len() == SEED_LEN => Self::from_seed(seed),
                _ => Err(broken("the stored signing key cannot be read")),
            };
        }
        let seed: [u8; SEED_LEN] = rand::random();
        let signer = Self::from_seed(&seed)?;
        ledger.put(vec![(STORE_KEY.to_vec(), [&[FORMAT][..], &seed].concat())])?;
        Ok(signer)
    }

    fn from_seed(seed: &[u8]) -> Result<Self, LedgerError> {
        // The public half is computed from the private one: only its length can be wrong.
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| broken("the stored signing key is none"))?;
        let key_id = hex::encode(&Sha256::digest(pair.public_key().as_ref())[..8]);
        Ok(Self { pair, key_id })
    }

    /// The public half, in hex.
    pub(super) fn public_key(&self) -> String {
        hex::encode(self.pair.public_key().as_ref())
    }

    /// A short name of the key pair: the beginning of the public half's SHA-256, in hex.
    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Signs a payload.
    pub(super) fn sign(&self, purpose: Purpose, payload: String) -> Signed {
        let message = [purpose.head(), payload.as_bytes()].concat();
        Signed {
            signature: hex::encode(self.pair.sign(&message).as_ref()),
            key_id: self.key_id.clone(),
            payload,
        }
    }
}

fn broken(why: &str) -> LedgerError {
    LedgerError::Broken(why.to_owned())
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.key_id)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::super::ledger::MemoryLedger;
    use super::*;

    #[test]
    fn a_key_pair_is_made_once_and_signs_for_one_purpose() {
        let mut ledger = MemoryLedger::default();
        let signer = Signer::of(&mut ledger).unwrap();
        let again = Signer::of(&mut ledger).unwrap();
        assert_eq!(signer.public_key(), again.public_key());
        let signed = signer.sign(Purpose::Answer, "{}".to_owned());
        let public = UnparsedPublicKey::new(&ED25519, hex::decode(signer.public_key()).unwrap());
        let signature = hex::decode(&signed.signature).unwrap();
        let verify = |message: &[u8]| public.verify(message, &signature).is_ok();
        assert!(verify(b"keyward-answer-1\n{}"));
        assert!(!verify(b"keyward-offline-1\n{}") && !verify(b"keyward-answer-1\n{ }"));
        let mut other = MemoryLedger::default();
        assert_ne!(Signer::of(&mut other).unwrap().key_id(), signer.key_id());
    }

    #[test]
    fn what_is_no_key_is_refused_and_the_key_never_shown() {
        let mut ledger = MemoryLedger::default();
        for stored in [vec![], vec![FORMAT], vec![9; 33]] {
            ledger.put(vec![(STORE_KEY.to_vec(), stored)]).unwrap();
            assert!(Signer::of(&mut ledger).is_err());
        }
        let seed = [7_u8; SEED_LEN];
        let shown = format!("{:?}", Signer::from_seed(&seed).unwrap());
        assert!(shown.starts_with("Signer(") && shown.len() == "Signer()".len() + 16);
    }
}
