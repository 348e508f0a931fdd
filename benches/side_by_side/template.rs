//! Event bodies from the files in `events/`: text with `{slots}`, and ids that look like Stripe's.

/// A body's text, cut at its slots. A slot is `{name}` in lower case; whatever else is in braces is the body's own.
#[derive(Debug)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(&'static str),
    Slot(&'static str),
}

impl Template {
    /// Finds the slots.
    pub(crate) fn new(text: &'static str) -> Self {
        let mut pieces = Vec::new();
        let (mut rest, mut from) = (text, 0);
        while let Some(open) = rest[from..].find('{').map(|at| from + at) {
            let Some(close) = rest[open..].find('}').map(|at| open + at) else {
                break;
            };
            let name = &rest[open + 1..close];
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                from = open + 1;
                continue;
            }
            pieces.push(Piece::Text(&rest[..open]));
            pieces.push(Piece::Slot(name));
            (rest, from) = (&rest[close + 1..], 0);
        }
        pieces.push(Piece::Text(rest));
        Self(pieces)
    }

    /// The body with its slots filled.
    pub(crate) fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let mut body = String::with_capacity(4_608);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => body.push_str(text),
                Piece::Slot(name) => body.push_str(&value(name)),
            }
        }
        body
    }
}

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The random-looking part of an id: the same for the same thing (`what` of number `n`), another for every other.
pub(crate) fn id(what: &str, n: u64, length: usize) -> String {
    let salt = what.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut state = salt ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (mut text, mut word) = (String::with_capacity(length), 0);
    for at in 0..length {
        if at % 10 == 0 {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            word = mixed(state);
        }
        let digit = usize::try_from(word % 62).unwrap_or(0);
        text.push(char::from(LETTERS[digit]));
        word /= 62;
    }
    text
}

/// A customer id's 14 characters: five that go up with each second (31 in 30 seconds, as in ids of customers that Stripe shows with
/// the time at which they were made: `cus_IhGfeb…` of January 2021, `cus_OX6SuD…` and `cus_OX6UWA…` of one minute in August 2023,
/// `cus_UFHoTv…` of March 2026), nine that look random.
pub(crate) fn customer_id(n: u64, at_s: i64) -> String {
    const BEGAN: i64 = -1_387_135_683;
    let time = in_letters(at_s * 31 / 30 + BEGAN);
    format!("{time}{}", id("customer", n, 9))
}

/// The last five digits of a number in base 62.
fn in_letters(number: i64) -> String {
    let mut left = u64::try_from(number).unwrap_or(0);
    let mut text = [0; 5];
    for place in text.iter_mut().rev() {
        *place = LETTERS[usize::try_from(left % 62).unwrap_or(0)];
        left /= 62;
    }
    text.into_iter().map(char::from).collect()
}

/// An id's 23 characters after its first, as one account's payments and events have them: five that go up with each second
/// (seconds since July 1983 in base 62), ten of the account, eight that look random.
pub(crate) fn timed_id(what: &str, n: u64, at_s: i64) -> String {
    const BEGAN_S: i64 = 426_256_548;
    const ACCOUNT: &str = "KbQ7nXw2Ld";
    let time = in_letters(at_s + BEGAN_S);
    format!("{time}{ACCOUNT}{}", id(what, n, 8))
}

/// The finalizer of splitmix64: one-to-one, so different inputs never meet in the first word.
const fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
