//! Who is signed in: sessions in memory, bounded, for an hour. A restart ends them all: customers sign in again.
//!
//! The cookie holds 256 random bits, of which a digest is kept. Forms carry numbers that are made from the cookie's bits, so
//! that a number from one session is worth nothing in another: one that shows the form to be ours, and one for each license.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;

use super::digest::{Keyed, KeyedDigest};
use crate::domain::time::{Span, Timestamp};
use crate::secret::Secret;

/// How long a session lasts.
pub(super) const LASTS: Span = Span::from_hours(1);
/// Sessions at most, about 200 bytes each; the oldest makes room.
const SESSIONS_MAX: usize = 20_000;

/// The sessions.
pub(super) struct Sessions {
    keyed: Keyed,
    kept: Mutex<KeptSessions>,
}

#[derive(Default)]
struct KeptSessions {
    open: HashMap<KeyedDigest, OpenSession>,
    /// The oldest first: all last equally long.
    order: VecDeque<KeyedDigest>,
}

struct OpenSession {
    address: String,
    over_at: Timestamp,
}

/// A visitor who is signed in.
#[derive(Clone)]
pub(super) struct PortalSession {
    keyed: Keyed,
    token: Secret,
    /// Whose licenses are shown.
    pub(super) address: String,
}

impl Sessions {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self {
            keyed,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, KeptSessions> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens one; what its cookie holds.
    pub(super) fn open(&self, address: String, now: Timestamp) -> Secret {
        let token = Secret::new(hex::encode(rand::random::<[u8; 32]>()));
        let digest = self.keyed.digest("session", token.reveal());
        let mut kept = self.kept();
        kept.make_room(now);
        let over_at = now + LASTS;
        kept.open.insert(digest, OpenSession { address, over_at });
        kept.order.push_back(digest);
        token
    }

    /// The session of a cookie.
    pub(super) fn of(&self, token: &str, now: Timestamp) -> Option<PortalSession> {
        let digest = self.keyed.digest("session", token);
        let kept = self.kept();
        let open = kept.open.get(&digest).filter(|o| o.over_at > now)?;
        Some(PortalSession {
            keyed: self.keyed.clone(),
            token: Secret::new(token),
            address: open.address.clone(),
        })
    }

    /// Closes one.
    pub(super) fn close(&self, session: &PortalSession) {
        let digest = self.keyed.digest("session", session.token.reveal());
        self.kept().open.remove(&digest);
    }

    /// Closes all of an address.
    pub(super) fn close_all(&self, address: &str) {
        self.kept().open.retain(|_, open| open.address != address);
    }
}

impl KeptSessions {
    fn make_room(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.front().copied() {
            let is_over = self.open.get(&oldest).is_none_or(|o| o.over_at <= now);
            if !is_over && self.order.len() < SESSIONS_MAX {
                return;
            }
            self.order.pop_front();
            self.open.remove(&oldest);
        }
    }
}

impl PortalSession {
    /// What shows a form to be one of this session.
    pub(super) fn form_number(&self) -> String {
        self.keyed.number("forms of", self.token.reveal())
    }

    /// Whether a form is one of this session.
    pub(super) fn is_own_form(&self, number: &str) -> bool {
        let own = self.form_number();
        bool::from(own.as_bytes().ct_eq(number.as_bytes()))
    }

    /// What stands for something of the customer's in a form: outside this session it means nothing.
    pub(super) fn number_of(&self, what: &str) -> String {
        let text = format!("{} {what}", self.token.reveal());
        self.keyed.number("part of", &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    #[test]
    fn a_session_ends_in_time_by_its_owner_and_everywhere() {
        let all = Sessions::new(Keyed::new());
        let open = |address: &str| all.open(address.to_owned(), NOW);
        let (one, two, other) = (open("a"), open("a"), open("b"));
        let is_open = |token: &Secret, at| all.of(token.reveal(), at).is_some();
        assert!(is_open(&one, NOW) && !is_open(&one, NOW + LASTS));
        all.close(&all.of(one.reveal(), NOW).unwrap());
        assert!(!is_open(&one, NOW) && is_open(&two, NOW));
        all.close_all("a");
        assert!(!is_open(&two, NOW) && is_open(&other, NOW));
    }

    #[test]
    fn numbers_of_one_session_mean_nothing_in_another() {
        let all = Sessions::new(Keyed::new());
        let session = |address: &str| {
            let token = all.open(address.to_owned(), NOW);
            all.of(token.reveal(), NOW).unwrap()
        };
        let (one, other) = (session("a"), session("a"));
        assert!(one.is_own_form(&one.form_number()));
        assert!(!one.is_own_form(&other.form_number()) && !one.is_own_form(""));
        assert_ne!(one.number_of("x"), other.number_of("x"));
        assert_ne!(one.number_of("x"), one.number_of("y"));
    }

    #[test]
    fn a_million_cookies_open_nothing_and_memory_stays_bounded() {
        let all = Sessions::new(Keyed::new());
        let _ = all.open("a".to_owned(), NOW);
        let guessed = (0..1_000_000_u32).filter(|n| all.of(&format!("{n:064x}"), NOW).is_some());
        assert_eq!(guessed.count(), 0);
        for n in 0..SESSIONS_MAX + 100 {
            let _ = all.open(n.to_string(), NOW);
        }
        assert!(all.kept().open.len() <= SESSIONS_MAX);
    }
}
