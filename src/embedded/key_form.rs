//! The form of a license key: `PREFIX-XXXX-XXXX-XXXX-XXXX-XXXX`, the prefix optional. 90 random bits and a checksum of 10,
//! so that a mistyped key is told from an unknown one without a look-up.
//!
//! Keys of before (`XXXX-XXXX-XXXX-XXXX`) and of other makers have no checksum; they are looked up as they are.

use crate::domain::id::LicenseKey;

/// Letters without I and O, digits without 0 and 1: nothing in a key is mistaken for something else.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Random characters of a key.
const RANDOM_LEN: usize = 18;
/// Characters between two dashes.
const GROUP_LEN: usize = 4;
/// Groups of a key, without its prefix.
const GROUPS: usize = 5;
/// The largest prime below 32 × 32, so that two characters hold the checksum.
const MODULUS: u32 = 1021;
/// Each character counts by a power of this, so that two that changed places are found.
const FACTOR: u32 = 7;
/// The longest key that is looked up, in bytes.
pub(super) const KEY_LEN_MAX: usize = 64;

/// Random bytes for one key.
pub(super) type KeyJitter = [u8; RANDOM_LEN];

/// A key of ours whose checksum is wrong: a typo, not a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mistyped;

/// Makes a key of dice.
pub(super) fn key_from(prefix: Option<&str>, jitter: KeyJitter) -> LicenseKey {
    let mut key = prefix.map_or_else(String::new, |prefix| format!("{prefix}-"));
    for (place, die) in jitter.into_iter().enumerate() {
        if place > 0 && place % GROUP_LEN == 0 {
            key.push('-');
        }
        key.push(char::from(ALPHABET[usize::from(die % 32)]));
    }
    let check = checksum(&key);
    key.extend(check.map(char::from));
    LicenseKey::new(key)
}

/// Reads a key as a person typed it: case, blanks and the kind of dash do not matter.
///
/// # Errors
/// [`Mistyped`]; nobody needs to look for such a key.
pub(super) fn read_key(typed: &str) -> Result<LicenseKey, Mistyped> {
    let plain = |c: char| match c {
        ' ' | '\u{a0}' | '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        other => other.to_ascii_uppercase(),
    };
    let key: String = typed.trim().chars().map(plain).collect();
    if key.len() > KEY_LEN_MAX {
        return Err(Mistyped);
    }
    if is_ours(&key) {
        let (head, check) = key.split_at_checked(key.len() - 2).ok_or(Mistyped)?;
        if checksum(head) != check.as_bytes() {
            return Err(Mistyped);
        }
    }
    Ok(LicenseKey::new(key))
}

/// Whether a key of another maker can be looked up here as it is.
pub(super) fn can_be_typed(key: &LicenseKey) -> bool {
    let key = key.reveal();
    (1..=KEY_LEN_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether a key has the form of those with a checksum.
fn is_ours(key: &str) -> bool {
    let groups: Vec<&str> = key.split('-').collect();
    let (prefix, body) = groups.split_at(groups.len().saturating_sub(GROUPS));
    body.len() == GROUPS && prefix.len() <= 1 && body.iter().all(|g| g.len() == GROUP_LEN)
}

/// The two last characters of a key that begins so.
fn checksum(head: &str) -> [u8; 2] {
    let of = |sum: u32, byte: u8| (sum * FACTOR + u32::from(byte)) % MODULUS;
    // One more step, so that the last character counts by a power, too.
    let sum = head.bytes().fold(1, of) * FACTOR % MODULUS;
    let at = |digit: u32| ALPHABET[usize::try_from(digit % 32).unwrap_or_default()];
    [at(sum / 32), at(sum)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(prefix: Option<&str>) -> String {
        let jitter = std::array::from_fn(|n| u8::try_from(n * 13).unwrap());
        key_from(prefix, jitter).reveal().to_owned()
    }

    #[test]
    fn keys_have_the_documented_form() {
        assert_eq!(key(None), "AP4H-WBQ5-JXCR-6KYD-S76X");
        assert_eq!(key(Some("ACME")), "ACME-AP4H-WBQ5-JXCR-6KYD-S7VP");
        let most = key_from(Some("ABCDEFGH"), [255; RANDOM_LEN]);
        assert!(most.reveal().len() <= KEY_LEN_MAX);
        assert_eq!(read_key(most.reveal()), Ok(most));
    }

    #[test]
    fn a_key_is_read_as_people_type_it() {
        for prefix in [None, Some("ACME")] {
            let key = key(prefix);
            let blanks = key.replace('-', " ");
            let dashes = key.replace('-', "\u{2013}");
            for typed in [key.to_lowercase(), format!("  {key}\n"), blanks, dashes] {
                assert_eq!(read_key(&typed), Ok(LicenseKey::new(&key)), "{typed}");
            }
        }
    }

    #[test]
    fn every_wrong_character_and_every_swap_is_found() {
        for key in [key(None), key(Some("ACME"))] {
            for at in (0..key.len()).filter(|at| key.as_bytes()[*at] != b'-') {
                for other in ALPHABET.iter().filter(|c| **c != key.as_bytes()[at]) {
                    let mut wrong = key.clone().into_bytes();
                    wrong[at] = *other;
                    let wrong = String::from_utf8(wrong).unwrap();
                    assert_eq!(read_key(&wrong), Err(Mistyped), "{wrong}");
                }
                let mut swapped = key.clone().into_bytes();
                let with = (at + 1..key.len()).find(|b| key.as_bytes()[*b] != b'-');
                swapped.swap(at, with.unwrap_or(at));
                let swapped = String::from_utf8(swapped).unwrap();
                assert!(swapped == key || read_key(&swapped).is_err(), "{swapped}");
            }
        }
    }

    #[test]
    fn other_forms_are_left_to_the_book() {
        for other in ["ATCV-EXGZ-J3L5-N7Q9", "K1", "", "a-b-c-d-e-f"] {
            let read = read_key(other).map(|k| k.reveal().to_owned());
            assert_eq!(read, Ok(other.to_ascii_uppercase()));
        }
        assert_eq!(read_key(&"A".repeat(65)), Err(Mistyped));
        assert_eq!(
            read_key("ÄÄ-ÄÄ-ÄÄ-ÄÄ-ÄÄ"),
            Err(Mistyped),
            "cut between bytes"
        );
    }
}
