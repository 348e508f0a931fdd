//! How often programs may ask, and what wrong keys cost whoever tries them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::embedded::{KeyNotFound, KnownLicense};
use crate::http::limit::{Limiter, shared};

/// Questions of one visitor or about one key at once: an office starts its programs at nine o'clock.
const BURST: NonZeroU32 = NonZeroU32::new(300).unwrap();
/// The same a second on average: a license may have thousands of devices.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Questions about one key at once that may be written.
const WRITES_BURST: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// The same a second on average.
const WRITES_PER_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();
/// Wrong keys of one visitor within a window; then none of its questions is answered until the window ends.
const WRONG_MAX: u32 = 20;
/// How long wrong keys count.
const WINDOW: Duration = Duration::from_secs(600);
/// Visitors with wrong keys that are told apart; further ones share buckets.
const GUESSERS_MAX: usize = 20_000;

/// The limits of all calls.
pub(super) struct Limits {
    visitors: Limiter,
    keys: Limiter,
    writes: Limiter,
    guesses: Mutex<Guesses>,
}

/// Wrong keys by visitor since the window began.
struct Guesses {
    began: Stopwatch,
    own: HashMap<IpAddr, u32>,
    shared: HashMap<u32, u32>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            visitors: Limiter::of(BURST, PER_SECOND),
            keys: Limiter::of(BURST, PER_SECOND),
            writes: Limiter::of(WRITES_BURST, WRITES_PER_SECOND),
            guesses: Mutex::new(Guesses::new()),
        }
    }

    /// Lets a visitor in, or says how long to wait, in seconds.
    pub(super) fn visitor(&self, visitor: IpAddr) -> Result<(), u64> {
        self.visitors.check(visitor)
    }

    /// Lets a question about a license in.
    pub(super) fn key(&self, license: &KnownLicense) -> Result<(), u64> {
        self.keys.check_number(license.number())
    }

    /// Lets a question in that may be written.
    pub(super) fn write(&self, license: &KnownLicense) -> Result<(), u64> {
        self.writes.check_number(license.number())
    }

    /// Refuses a visitor who has tried too many wrong keys.
    pub(super) fn guesser(&self, visitor: IpAddr) -> Result<(), u64> {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.turn(WINDOW);
        if guesses.of(visitor) < WRONG_MAX {
            return Ok(());
        }
        Err(WINDOW.saturating_sub(guesses.began.elapsed()).as_secs() + 1)
    }

    /// Counts a wrong key; a mistyped one was not looked for and may be tried again.
    pub(super) fn wrong_key(&self, visitor: IpAddr, why: KeyNotFound) {
        if why == KeyNotFound::Unknown {
            let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
            guesses.add(visitor);
        }
    }
}

impl Guesses {
    fn new() -> Self {
        Self {
            began: Stopwatch::start(),
            own: HashMap::new(),
            shared: HashMap::new(),
        }
    }

    /// Forgets everything once a window is over.
    fn turn(&mut self, window: Duration) {
        if self.began.elapsed() >= window {
            *self = Self::new();
        }
    }

    fn of(&self, visitor: IpAddr) -> u32 {
        let own = self.own.get(&visitor).copied();
        own.unwrap_or_else(|| {
            let shared = self.shared.get(&shared(visitor));
            shared.copied().unwrap_or_default()
        })
    }

    fn add(&mut self, visitor: IpAddr) {
        let has_own = self.own.contains_key(&visitor) || self.own.len() < GUESSERS_MAX;
        let wrong = if has_own {
            self.own.entry(visitor).or_default()
        } else {
            self.shared.entry(shared(visitor)).or_default()
        };
        *wrong = wrong.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn wrong_keys_shut_one_visitor_out() {
        let limits = Limits::new();
        for _ in 0..WRONG_MAX {
            assert_eq!(limits.guesser(visitor(1)), Ok(()));
            limits.wrong_key(visitor(1), KeyNotFound::Unknown);
            limits.wrong_key(visitor(2), KeyNotFound::Mistyped);
        }
        let wait = limits.guesser(visitor(1)).unwrap_err();
        assert!((1..=601).contains(&wait), "{wait}");
        assert_eq!(limits.guesser(visitor(2)), Ok(()));
    }

    #[test]
    fn very_many_guessers_take_no_more_memory() {
        let mut guesses = Guesses::new();
        for n in 0..40_000 {
            guesses.add(visitor(n));
        }
        assert_eq!(guesses.own.len(), GUESSERS_MAX);
        assert!(guesses.shared.len() <= 1024);
        assert_eq!(guesses.of(visitor(3)), 1);
        assert!(guesses.of(visitor(39_999)) > 5, "it shares with others");
        guesses.turn(Duration::ZERO);
        assert_eq!(guesses.of(visitor(3)), 0);
    }
}
