//! Sign-ins under way: for each a link and a typed code were mailed, and either ends it.
//!
//! They live in memory, bounded, for a quarter of an hour: after a restart a customer asks for another mail, and no copy of the
//! disk signs anybody in. Of link, code and form only keyed digests are kept, compared in constant time. One is begun for
//! every address, known or not, so that nothing here tells them apart.
//!
//! **What guessing comes to.** A link has 256 random bits; nobody guesses it. A code has 8 characters of 32, which is 2^40 of
//! them, and counts only beside the form that asked for it, which whoever guesses for somebody else has of his own asking. Each
//! sign-in takes [`TRIES_MAX`] wrong codes and is over then, so 10^6 guesses need 200,000 mails, and all of them together
//! hit with a probability of 10^6 / 2^40, less than one in a million. An address is mailed about six times an hour
//! (`limits`), so against one address they take more than three years; a visitor types a code every ten seconds, so from one
//! address on the network they take 115 days.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;

use super::digest::{Keyed, KeyedDigest};
use crate::domain::time::{Span, Timestamp};
use crate::secret::Secret;

/// How long a mail can be used.
pub(super) const LASTS: Span = Span::from_minutes(15);
/// Wrong codes before a sign-in is over.
pub(super) const TRIES_MAX: u32 = 5;
/// Sign-ins under way at most, about 300 bytes each; the oldest makes room.
const UNDER_WAY_MAX: usize = 20_000;
/// Characters that cannot be taken for one another when they are read aloud or typed.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code.
const CODE_LEN: u32 = 8;

/// What a sign-in is known by outside: the form's number, and what is mailed.
pub(super) struct Begun {
    /// The form's hidden number.
    pub(super) form: String,
    /// The typed code, in two groups.
    pub(super) code: Secret,
    /// What the link holds.
    pub(super) link: Secret,
}

/// Why a code signs nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WrongCode {
    /// It is not the one that was mailed.
    Wrong,
    /// The sign-in is over, or there was none.
    Over,
}

/// The sign-ins.
pub(super) struct SignIns {
    keyed: Keyed,
    kept: Mutex<KeptSignIns>,
}

#[derive(Default)]
struct KeptSignIns {
    /// By the form's digest.
    under_way: HashMap<KeyedDigest, SignIn>,
    /// The form's digest by the link's.
    by_link: HashMap<KeyedDigest, KeyedDigest>,
    /// The forms' digests, the oldest first: all last equally long.
    order: VecDeque<KeyedDigest>,
}

struct SignIn {
    address: String,
    code: KeyedDigest,
    link: KeyedDigest,
    over_at: Timestamp,
    tries_left: u32,
}

impl SignIns {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self {
            keyed,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, KeptSignIns> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one for an address.
    pub(super) fn begin(&self, address: &str, now: Timestamp) -> Begun {
        let form = hex::encode(rand::random::<[u8; 16]>());
        let link = Secret::new(hex::encode(rand::random::<[u8; 32]>()));
        let code = new_code(rand::random());
        let digest = self.keyed.digest("form", &form);
        let sign_in = SignIn {
            address: address.to_owned(),
            code: self.code_digest(&form, &code),
            link: self.keyed.digest("link", link.reveal()),
            over_at: now + LASTS,
            tries_left: TRIES_MAX,
        };
        let mut kept = self.kept();
        kept.make_room(now);
        kept.by_link.insert(sign_in.link, digest);
        kept.under_way.insert(digest, sign_in);
        kept.order.push_back(digest);
        let code = Secret::new(format!("{}-{}", &code[..4], &code[4..]));
        Begun { form, code, link }
    }

    /// The address that a typed code signs in, once.
    pub(super) fn by_code(
        &self,
        form: &str,
        typed: &str,
        now: Timestamp,
    ) -> Result<String, WrongCode> {
        let form_digest = self.keyed.digest("form", form);
        // Also where there is no sign-in: as much work is done.
        let typed = self.code_digest(form, &as_meant(typed));
        let mut kept = self.kept();
        let sign_in = kept.under_way.get_mut(&form_digest);
        let sign_in = sign_in.filter(|s| s.over_at > now && s.tries_left > 0);
        let sign_in = sign_in.ok_or(WrongCode::Over)?;
        if bool::from(sign_in.code.ct_eq(&typed)) {
            return kept.end(&form_digest).ok_or(WrongCode::Over);
        }
        sign_in.tries_left -= 1;
        if sign_in.tries_left == 0 {
            // The link in the mail goes on: it cannot be guessed, and whoever types wrong codes is not whoever was mailed.
            return Err(WrongCode::Over);
        }
        Err(WrongCode::Wrong)
    }

    /// The address that a link signs in, once.
    pub(super) fn by_link(&self, link: &str, now: Timestamp) -> Option<String> {
        let digest = self.keyed.digest("link", link);
        let mut kept = self.kept();
        let form = *kept.by_link.get(&digest)?;
        let sign_in = kept.under_way.get(&form).filter(|s| s.over_at > now)?;
        if !bool::from(sign_in.link.ct_eq(&digest)) {
            return None;
        }
        kept.end(&form)
    }

    /// Ends all of an address.
    pub(super) fn forget(&self, address: &str) {
        let mut kept = self.kept();
        let of_address = kept.under_way.iter().filter(|(_, s)| s.address == address);
        let forms: Vec<KeyedDigest> = of_address.map(|(form, _)| *form).collect();
        for form in forms {
            kept.end(&form);
        }
    }

    /// A code counts only beside its form.
    fn code_digest(&self, form: &str, code: &str) -> KeyedDigest {
        self.keyed.digest("code", &format!("{form} {code}"))
    }
}

impl KeptSignIns {
    fn end(&mut self, form: &KeyedDigest) -> Option<String> {
        let ended = self.under_way.remove(form)?;
        self.by_link.remove(&ended.link);
        Some(ended.address)
    }

    /// Drops what is over, and the oldest where there are too many.
    fn make_room(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.front().copied() {
            let is_over = self.under_way.get(&oldest).is_none_or(|s| s.over_at <= now);
            if !is_over && self.order.len() < UNDER_WAY_MAX {
                return;
            }
            self.order.pop_front();
            self.end(&oldest);
        }
    }
}

fn new_code(random: u64) -> String {
    let character = |n: u32| {
        let index = (random >> (5 * n)) & 31;
        char::from(ALPHABET[usize::try_from(index).unwrap_or(0)])
    };
    (0..CODE_LEN).map(character).collect()
}

/// A code as it was meant: typed in small letters, with blanks and dashes, or with letters that look like its digits.
fn as_meant(typed: &str) -> String {
    let meant = typed.chars().filter(char::is_ascii_alphanumeric);
    let meant = meant.map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    });
    meant.take(2 * CODE_LEN as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    fn sign_ins() -> SignIns {
        SignIns::new(Keyed::new())
    }

    #[test]
    fn a_code_or_a_link_signs_in_once() {
        let all = sign_ins();
        let begun = all.begin("a@x.example", NOW);
        let typed = begun.code.reveal().to_lowercase().replace('-', " ");
        assert_eq!(
            all.by_code(&begun.form, &typed, NOW),
            Ok("a@x.example".into())
        );
        assert_eq!(all.by_code(&begun.form, &typed, NOW), Err(WrongCode::Over));
        assert_eq!(
            all.by_link(begun.link.reveal(), NOW),
            None,
            "both end with one"
        );
        let begun = all.begin("a@x.example", NOW);
        assert!(all.by_link(begun.link.reveal(), NOW).is_some());
        assert!(all.by_link(begun.link.reveal(), NOW).is_none());
        let kept = all.kept();
        assert!(kept.under_way.is_empty() && kept.by_link.is_empty());
    }

    #[test]
    fn nothing_lasts_longer_than_said() {
        let all = sign_ins();
        let begun = all.begin("a@x.example", NOW);
        let over = NOW + LASTS;
        assert_eq!(all.by_link(begun.link.reveal(), over), None);
        let code = begun.code.reveal();
        assert_eq!(all.by_code(&begun.form, code, over), Err(WrongCode::Over));
    }

    #[test]
    fn wrong_codes_end_a_sign_in_but_not_its_link() {
        let all = sign_ins();
        let begun = all.begin("a@x.example", NOW);
        for _ in 1..TRIES_MAX {
            assert_eq!(
                all.by_code(&begun.form, "0000-0000", NOW),
                Err(WrongCode::Wrong)
            );
        }
        for code in ["0000-0000", begun.code.reveal()] {
            assert_eq!(all.by_code(&begun.form, code, NOW), Err(WrongCode::Over));
        }
        assert!(all.by_link(begun.link.reveal(), NOW).is_some());
    }

    #[test]
    fn a_code_counts_only_beside_its_form() {
        let all = sign_ins();
        let (mine, theirs) = (all.begin("a@x.example", NOW), all.begin("b@x.example", NOW));
        let stolen = all.by_code(&mine.form, theirs.code.reveal(), NOW);
        assert_eq!(stolen, Err(WrongCode::Wrong));
    }

    #[test]
    fn a_million_guesses_get_nowhere() {
        let all = sign_ins();
        let victim = all.begin("victim@x.example", NOW);
        let (mut begun, mut wrong) = (all.begin("victim@x.example", NOW), 0);
        for guess in 0..1_000_000_u64 {
            let code = new_code(guess.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            match all.by_code(&begun.form, &code, NOW) {
                Ok(_) => panic!("guessed"),
                Err(WrongCode::Wrong) => {}
                Err(WrongCode::Over) => begun = all.begin("victim@x.example", NOW),
            }
            wrong += 1;
            // The mailed form, guessed.
            assert!(all.by_link(&format!("{guess:064x}"), NOW).is_none());
        }
        assert_eq!(wrong, 1_000_000);
        assert!(all.kept().under_way.len() <= UNDER_WAY_MAX);
        assert!(all.kept().by_link.len() <= UNDER_WAY_MAX);
        // So many sign-ins pushed the first one out: no hour lets one visitor begin them.
        assert_eq!(all.by_link(victim.link.reveal(), NOW), None);
    }

    #[test]
    fn all_of_an_address_end_together() {
        let all = sign_ins();
        let (one, other) = (all.begin("a@x.example", NOW), all.begin("b@x.example", NOW));
        all.forget("a@x.example");
        assert_eq!(all.by_link(one.link.reveal(), NOW), None);
        assert!(all.by_link(other.link.reveal(), NOW).is_some());
    }

    #[test]
    fn codes_are_typed_as_people_do() {
        assert_eq!(as_meant(" o1il-abcd "), "0111ABCD");
        assert_eq!(new_code(u64::MAX), "ZZZZZZZZ");
        assert_eq!(as_meant(&"A".repeat(99)).len(), 16);
    }
}
