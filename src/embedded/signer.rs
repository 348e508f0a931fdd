//! The service's own key pair, by which programs know its answers. It is made once and stays in the service's store.

use std::fmt;

use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::key_secret::KeySecret;
use super::ledger::{Ledger, LedgerError};

/// Where the private half of a pair is stored, with the pair's number behind it.
const STORE_KEY: &str = "signing/";
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

/// A public half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    /// In hex.
    pub public_key: String,
    /// Its short name: the beginning of its SHA-256, in hex.
    pub key_id: String,
}

/// Signs answers. `Debug` shows the public half only.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
    key_id: String,
    /// What new license keys come from: as long as this pair signs, they are the same in every copy of the store.
    keys: KeySecret,
    /// A public half that is listed too: the next one, or the last.
    second: Option<PublicKey>,
}

impl Signer {
    /// The key pair of a ledger that has this number, and the public half of a second one; each is made and stored where
    /// it is not there yet.
    pub(super) fn of(
        ledger: &mut impl Ledger,
        first: u32,
        second: Option<u32>,
    ) -> Result<Self, LedgerError> {
        let mut signer = Self::numbered(ledger, first)?;
        if let Some(second) = second.filter(|second| *second != first) {
            signer.second = Some(Self::numbered(ledger, second)?.public());
        }
        Ok(signer)
    }

    fn numbered(ledger: &mut impl Ledger, number: u32) -> Result<Self, LedgerError> {
        let place = format!("{STORE_KEY}{number}").into_bytes();
        if let Some(stored) = ledger.get(&place)? {
            return match stored.split_first() {
                Some((&FORMAT, seed)) if seed.len() == SEED_LEN => Self::from_seed(seed),
                _ => Err(broken("the stored signing key cannot be read")),
            };
        }
        let seed: [u8; SEED_LEN] = rand::random();
        let signer = Self::from_seed(&seed)?;
        ledger.put(vec![(place, [&[FORMAT][..], &seed].concat())])?;
        Ok(signer)
    }

    fn from_seed(seed: &[u8]) -> Result<Self, LedgerError> {
        let seed: &[u8; SEED_LEN] = seed
            .try_into()
            .map_err(|_| broken("the stored signing key is none"))?;
        // The public half is computed from the private one: only its length can be wrong.
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| broken("the stored signing key is none"))?;
        let key_id = hex::encode(&Sha256::digest(pair.public_key().as_ref())[..8]);
        Ok(Self {
            pair,
            key_id,
            keys: KeySecret::of(seed),
            second: None,
        })
    }

    fn public(&self) -> PublicKey {
        PublicKey {
            public_key: hex::encode(self.pair.public_key().as_ref()),
            key_id: self.key_id.clone(),
        }
    }

    /// The public halves, the one that signs first.
    pub(super) fn public_keys(&self) -> Vec<PublicKey> {
        std::iter::once(self.public())
            .chain(self.second.clone())
            .collect()
    }

    /// What new license keys come from.
    pub(super) fn key_secret(&self) -> KeySecret {
        self.keys.clone()
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
        let signer = Signer::of(&mut ledger, 1, None).unwrap();
        let again = Signer::of(&mut ledger, 1, None).unwrap();
        assert_eq!(signer.public(), again.public());
        let signed = signer.sign(Purpose::Answer, "{}".to_owned());
        let public =
            UnparsedPublicKey::new(&ED25519, hex::decode(signer.public().public_key).unwrap());
        let signature = hex::decode(&signed.signature).unwrap();
        let verify = |message: &[u8]| public.verify(message, &signature).is_ok();
        assert!(verify(b"keyward-answer-1\n{}"));
        assert!(!verify(b"keyward-offline-1\n{}") && !verify(b"keyward-answer-1\n{ }"));
        let mut other = MemoryLedger::default();
        let other = Signer::of(&mut other, 1, None).unwrap();
        assert_ne!(other.key_id, signer.key_id);
    }

    #[test]
    fn the_next_pair_is_listed_before_it_signs_and_the_last_after_it() {
        let mut ledger = MemoryLedger::default();
        let mut of = |first, second| Signer::of(&mut ledger, first, second).unwrap();
        let before = of(1, None).public();
        let announced = of(1, Some(2)).public_keys();
        assert_eq!(announced[0], before);
        let next = announced[1].clone();
        assert_ne!(next, before);
        let changed = of(2, Some(1));
        assert_eq!(changed.public_keys(), [next.clone(), before]);
        let signed = changed.sign(Purpose::Answer, "{}".to_owned());
        assert_eq!(signed.key_id, next.key_id);
        assert_eq!(of(2, None).public_keys(), std::slice::from_ref(&next));
        assert_eq!(of(2, Some(2)).public_keys(), [next]);
    }

    #[test]
    fn what_is_no_key_is_refused_and_the_key_never_shown() {
        let mut ledger = MemoryLedger::default();
        for stored in [vec![], vec![FORMAT], vec![9; 33]] {
            ledger.put(vec![(b"signing/1".to_vec(), stored)]).unwrap();
            assert!(Signer::of(&mut ledger, 1, None).is_err());
        }
        let seed = [7_u8; SEED_LEN];
        let shown = format!("{:?}", Signer::from_seed(&seed).unwrap());
        assert!(shown.starts_with("Signer(") && shown.len() == "Signer()".len() + 16);
    }
}
