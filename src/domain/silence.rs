//! The dog that did not bark: what Stripe must tell of by when, and whether a source has been silent beyond that.

use minicbor::{Decode, Encode};

use super::adoption::Gap;
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
/// What fell due while nobody listened for longer than this may have been told then, and Stripe tells it again when it likes.
const AWAY_MIN: Span = Span::from_minutes(10);

/// How a source's deliveries came so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rhythm {
    /// The last one, whenever the process was started since; before the first one when listening began.
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

/// How much of a time nobody listened, for the process was down.
#[must_use]
pub fn away(gaps: &[Gap], from: Timestamp, to: Timestamp) -> Span {
    let within = |gap: &Gap| (gap.to.min(to) - gap.from.max(from)).ms().max(0);
    Span::from_ms(gaps.iter().map(within).sum())
}

/// Whether a source is silent beyond what its own shop explains. `due` are the instants of [`next_events`], of all its
/// subscriptions; in `gaps` nobody listened. A start begins nothing anew: else a server that is restarted every two hours
/// would never notice.
#[must_use]
pub fn silence(
    rhythm: &Rhythm,
    gaps: &[Gap],
    due: &[Timestamp],
    now: Timestamp,
) -> Option<Silence> {
    let since = rhythm.last;
    let listened = |from: Timestamp| (now - from).ms() - away(gaps, from, now).ms();
    let was_away = |at: Timestamp| {
        let mut long = gaps.iter().filter(|g| (g.to - g.from).ms() > AWAY_MIN.ms());
        long.any(|g| g.from < at && at <= g.to)
    };
    let missing = due.iter().copied().filter(|at| {
        let is_late = *at > since && listened(*at) >= LATE_MAX.ms();
        is_late && !was_away(*at)
    });
    let first = missing.clone().min();
    let count = missing.count();
    let alone = first.is_some_and(|at| listened(at) >= ALONE.ms());
    if count >= DUE_MIN || alone {
        let due = u32::try_from(count).unwrap_or(u32::MAX);
        return Some(Silence { since, due });
    }
    let pause_max = Span::from_ms(rhythm.longest_pause.ms().saturating_mul(PAUSES));
    let pause_max = pause_max.ms().max(SILENT_MIN.ms());
    let by_rhythm = rhythm.count >= DELIVERIES_MIN && listened(since) > pause_max;
    by_rhythm.then_some(Silence { since, due: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    fn hours(n: i64) -> Timestamp {
        NOW + Span::from_hours(n)
    }

    /// Nobody listened in `down`, from one hour to another.
    fn judged(last: i64, down: &[(i64, i64)], due: &[i64], now: i64) -> Option<u32> {
        let rhythm = Rhythm {
            last: hours(last),
            count: 3,
            longest_pause: Span::from_hours(1),
        };
        let due: Vec<Timestamp> = due.iter().map(|h| hours(*h)).collect();
        let gap = |(from, to): &(i64, i64)| Gap::between(hours(*from), hours(*to));
        let gaps: Vec<Gap> = down.iter().map(gap).collect();
        silence(&rhythm, &gaps, &due, hours(now)).map(|s| s.due)
    }

    #[test]
    fn a_source_is_silent_when_what_must_come_does_not() {
        assert_eq!(
            judged(0, &[], &[1, 1, 1], 3),
            None,
            "an hour late is nothing"
        );
        assert_eq!(judged(0, &[], &[1, 1, 1], 4), Some(3));
        assert_eq!(judged(0, &[], &[1, 1], 4), None, "two are few");
        assert_eq!(judged(0, &[], &[1], 25), Some(1), "but not for ever");
        assert_eq!(judged(2, &[], &[1, 1, 1], 90), None, "it spoke since");
        assert_eq!(
            judged(0, &[], &[99, 99, 99], 98),
            None,
            "nothing is due yet"
        );
    }

    #[test]
    fn only_the_time_in_which_somebody_listened_counts() {
        let night = [(0, 5)];
        let said = "nobody listened when it fell due";
        assert_eq!(judged(0, &night, &[1, 1, 1], 90), None, "{said}");
        assert_eq!(judged(0, &[(2, 5)], &[1, 1, 1], 6), None);
        assert_eq!(judged(0, &[(2, 5)], &[1, 1, 1], 7), Some(3));
        let often: Vec<(i64, i64)> = (1..90).map(|n| (2 * n - 1, 2 * n)).collect();
        assert_eq!(judged(-9, &often, &[0, 0, 0], 4), None);
        assert_eq!(
            judged(-9, &often, &[0, 0, 0], 5),
            Some(3),
            "a start begins nothing anew"
        );
        let gap = Gap::between(hours(1), hours(1) + AWAY_MIN);
        let rhythm = Rhythm {
            last: NOW,
            count: 3,
            longest_pause: Span::from_hours(1),
        };
        let due = [hours(1) + Span::from_s(9); 3];
        let silent = silence(&rhythm, &[gap], &due, hours(5));
        assert_eq!(silent.map(|s| s.due), Some(3), "a restart is no night");
    }

    #[test]
    fn a_source_without_subscriptions_is_judged_by_its_rhythm() {
        let judged = |count, pause: i64, gaps: &[Gap], now| {
            let rhythm = Rhythm {
                last: NOW,
                count,
                longest_pause: Span::from_hours(pause),
            };
            silence(&rhythm, gaps, &[], hours(now)).is_some()
        };
        assert!(!judged(49, 1, &[], 999), "too few to know its rhythm");
        assert!(!judged(50, 1, &[], 24) && judged(50, 1, &[], 25));
        assert!(!judged(50, 60, &[], 180) && judged(50, 60, &[], 181));
        let gap = [Gap::between(hours(2), hours(4))];
        assert!(!judged(50, 1, &gap, 26) && judged(50, 1, &gap, 27));
    }
}
