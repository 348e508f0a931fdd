//! When to try again: exponential back-off with jitter, from the number of attempts and a throw of dice.

use super::time::{Span, Timestamp};

/// The first wait.
const FIRST: Span = Span::from_s(2);
/// No wait is longer.
const LONGEST: Span = Span::from_hours(1);
/// The tries after which a wait is minutes long.
const REFUSED_AS: u32 = 8;

/// The instant of the next try. `attempts` counts those made; `jitter` is a number from 0 to 999 that spreads the load;
/// `after` is the service's own wish, which goes before ours.
#[must_use]
pub fn next_try(now: Timestamp, attempts: u32, jitter: u32, after: Option<Span>) -> Timestamp {
    let doubled = FIRST
        .ms()
        .saturating_mul(1_i64 << attempts.saturating_sub(1).min(20));
    let full = doubled.min(LONGEST.ms());
    // Between half and all of the wait, so that machines that failed together do not return together.
    let wait = full / 2 + full / 2 * i64::from(jitter % 1000) / 1000;
    now + Span::from_ms(wait).max(after.unwrap_or(Span::ZERO).min(LONGEST))
}

/// The instant of the next try where the service refuses us, which only a person can mend: from the first time on it waits as
/// long as after so many tries in vain.
#[must_use]
pub fn next_try_refused(now: Timestamp, attempts: u32, jitter: u32) -> Timestamp {
    next_try(now, attempts.max(REFUSED_AS), jitter, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_an_hour_and_never_undercut_the_service_s_wish() {
        let now = Timestamp::from_s(1_000);
        let wait = |attempts, jitter, after| (next_try(now, attempts, jitter, after) - now).ms();
        assert_eq!(wait(1, 0, None), 1_000);
        assert!(wait(1, 999, None) < 2_000);
        assert!(wait(5, 0, None) >= 16_000);
        assert!(wait(40, 999, None) <= LONGEST.ms());
        assert_eq!(wait(1, 0, Some(Span::from_s(90))), 90_000);
    }
}
