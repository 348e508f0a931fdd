//! The dog that did not bark: what Stripe must tell of by when, and whether a source has been silent beyond that.

use minicbor::{Decode, Encode};

use super::lifecycle::{Folded, Life};
use super::time::{Span, Timestamp};

/// An event may be so much later than what it tells of: a renewal's invoice is paid about an hour after the period's end.
const LATE_MAX: Span = Span::from_hours(3);
/// So many events must have been due before their absence says something so early.
const DUE_MIN: usize = 3;
/// One alone says something after this.
const ALONE: Span = Span::from_days(1);
/// The rhythm of a source's own deliveries says something when there were so many of them.
const DELIVERIES_MIN: u64 = 50;
/// And when it has been silent for so many times its longest pause.
const PAUSES: i64 = 3;
/// And for so long at least.
const SILENT_MIN: Span = Span::from_days(1);

/// How a source's deliveries came so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rhythm {
    /// The last one; before the first one when listening began.
    #[n(0)]
    pub last: Timestamp,
    /// How many there were.
    #[n(1)]
    pub count: u64,
    /// The longest pause between two.
    #[n(2)]
    pub longest_pause: Span,
}

/// A source that says nothing, though it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Since when.
    pub since: Timestamp,
    /// How many events were due since; 0: its rhythm alone speaks.
    pub due: u32,
}

/// The instants at which Stripe must tell of a subscription: its periods' and trial's ends, an announced try to collect, an end.
#[must_use]
pub fn next_events(folded: &Folded) -> Vec<Timestamp> {
    let Life::Subscription(life) = &folded.life else {
        return Vec::new();
    };
    if life.ended.is_some() || life.paused.is_some() {
        return Vec::new();
    }
    let periods = life.paid.values().filter_map(|paid| paid.end());
    let open = life.episodes.iter().filter(|e| e.is_open());
    let tries = open.filter_map(|e| e.owed.next_attempt);
    periods
        .chain(tries)
        .chain(life.trial_until)
        .chain(life.cancel_at)
        .collect()
}

/// Whether a source is silent beyond what its own shop explains. `due` are the instants of [`next_events`], of all its
/// subscriptions; `listening` since when we could hear.
#[must_use]
pub fn silence(
    rhythm: &Rhythm,
    listening: Timestamp,
    due: &[Timestamp],
    now: Timestamp,
) -> Option<Silence> {
    let since = rhythm.last.max(listening);
    let missing = due
        .iter()
        .filter(|at| **at > since && **at + LATE_MAX <= now);
    let first = missing.clone().min();
    let count = missing.count();
    let alone = first.is_some_and(|at| *at + ALONE <= now);
    if count >= DUE_MIN || alone {
        let due = u32::try_from(count).unwrap_or(u32::MAX);
        return Some(Silence { since, due });
    }
    let pause_max = Span::from_ms(rhythm.longest_pause.ms().saturating_mul(PAUSES));
    let pause_max = pause_max.ms().max(SILENT_MIN.ms());
    let by_rhythm = rhythm.count >= DELIVERIES_MIN && (now - since).ms() > pause_max;
    by_rhythm.then_some(Silence { since, due: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    fn hours(n: i64) -> Timestamp {
        NOW + Span::from_hours(n)
    }

    fn judged(last: i64, listening: i64, due: &[i64], now: i64) -> Option<u32> {
        let rhythm = Rhythm {
            last: hours(last),
            count: 3,
            longest_pause: Span::from_hours(1),
        };
        let due: Vec<Timestamp> = due.iter().map(|h| hours(*h)).collect();
        silence(&rhythm, hours(listening), &due, hours(now)).map(|s| s.due)
    }

    #[test]
    fn a_source_is_silent_when_what_must_come_does_not() {
        assert_eq!(
            judged(0, -9, &[1, 1, 1], 3),
            None,
            "an hour late is nothing"
        );
        assert_eq!(judged(0, -9, &[1, 1, 1], 4), Some(3));
        assert_eq!(judged(0, -9, &[1, 1], 4), None, "two are few");
        assert_eq!(judged(0, -9, &[1], 25), Some(1), "but not for ever");
        assert_eq!(judged(2, -9, &[1, 1, 1], 90), None, "it spoke since");
        assert_eq!(judged(0, 5, &[1, 1, 1], 90), None, "nobody listened then");
        assert_eq!(judged(0, -9, &[99, 99, 99], 98), None, "nothing is due yet");
    }

    #[test]
    fn a_source_without_subscriptions_is_judged_by_its_rhythm() {
        let judged = |count, pause: i64, now| {
            let rhythm = Rhythm {
                last: NOW,
                count,
                longest_pause: Span::from_hours(pause),
            };
            silence(&rhythm, NOW - Span::from_days(9), &[], hours(now)).is_some()
        };
        assert!(!judged(49, 1, 999), "too few to know its rhythm");
        assert!(!judged(50, 1, 24) && judged(50, 1, 25));
        assert!(!judged(50, 60, 180) && judged(50, 60, 181));
    }
}
