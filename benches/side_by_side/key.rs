//! The keys of the bench's license service: a license's number, in AuthForge's form.

/// AuthForge's alphabet: no I, O, 0 and 1, so five bits a letter.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The key is its license's number, written as a key.
pub(crate) fn key_of(n: usize) -> String {
    let mut key = String::with_capacity(19);
    for at in (0..16).rev() {
        key.push(char::from(LETTERS[n.checked_shr(at * 5).unwrap_or(0) % 32]));
        if at > 0 && at % 4 == 0 {
            key.push('-');
        }
    }
    key
}

/// The license's number.
pub(crate) fn number_of(key: &str) -> Option<usize> {
    key.bytes()
        .filter(|b| *b != b'-')
        .try_fold(0_usize, |n, letter| {
            let digit = LETTERS.iter().position(|l| *l == letter)?;
            n.checked_mul(32)?.checked_add(digit)
        })
}
