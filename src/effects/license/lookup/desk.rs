//! Where those who look through one application's licenses meet: one looks, after a rest, and all who wait are served.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Asked, Looked, LookupError};
use crate::clock::{Stopwatch, pause};
use crate::domain::time::{Span, Timestamp};
use crate::effects::license::sweep::{ShownLabels, Wanted};

/// Between two looks there is a rest of so many times what the first one took: a list grows with the shop, and to go through it
/// again and again for each who asks would take as much of the machine as all sales.
const REST: u32 = 4;
/// Nobody waits longer for a look to begin: a customer may be waiting for the license.
const REST_MAX: Duration = Duration::from_secs(10);
/// For so long after its beginning a look tells what was absent. What another program makes meanwhile would not be seen.
const TELLS_FOR: Duration = Duration::from_secs(600);

/// Where those who look through one application meet.
#[derive(Debug, Default)]
pub(super) struct SingleFlight {
    /// Whoever holds it looks, after the rest that the look before has earned.
    pub(super) turn: tokio::sync::Mutex<Rest>,
    /// Who waits for the next look.
    pub(super) waiting: Mutex<Vec<Waiting>>,
    /// What the look before showed.
    last: Mutex<Option<LastLook>>,
}

/// A look that is over.
#[derive(Debug)]
struct LastLook {
    began: Timestamp,
    since_then: Stopwatch,
    shown: ShownLabels,
}

impl SingleFlight {
    /// When the look began that is just over, if it was late enough for this question and showed none of its labels.
    pub(super) fn just_shown_absent(&self, asked: &Asked<'_>) -> Option<Timestamp> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref()?;
        let elapsed = last.since_then.elapsed();
        // The second condition says the same by the clock that cannot be set: after a jump the first one may be wrong.
        let is_late_enough = last.began > asked.since
            && (asked.clock.now() - asked.since).ms() > ms(elapsed)
            && elapsed < TELLS_FOR;
        (is_late_enough && asked.wanted.iter().all(|wanted| last.shown.lacks(wanted)))
            .then_some(last.began)
    }

    /// Keeps what a look showed; one that came to nothing, or asked for single labels, leaves nothing.
    pub(super) fn keep(
        &self,
        (began, since_then): (Timestamp, Stopwatch),
        shown: Option<ShownLabels>,
    ) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = shown.map(|shown| LastLook {
            began,
            since_then,
            shown,
        });
    }
}

/// In milliseconds; what is longer than any process lives is as long as that.
fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A rest between two looks: since when, and how long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest(Option<(Stopwatch, Duration)>);

impl Rest {
    /// After a look that took so long.
    pub(super) fn after(took: Duration) -> Self {
        Self(Some((Stopwatch::start(), REST_MAX.min(took * REST))))
    }

    /// Waits until it is over.
    pub(super) async fn over(self) {
        let left = self.0.map_or(Duration::ZERO, |(since, rest)| {
            rest.saturating_sub(since.elapsed())
        });
        if !left.is_zero() {
            pause(Span::from_ms(ms(left))).await;
        }
    }
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) wanted: Vec<Wanted>,
    pub(super) reply: oneshot::Sender<Result<Looked, LookupError>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_some_times_what_the_look_took_and_never_long() {
        let rest_of = |ms| Rest::after(Duration::from_millis(ms)).0.unwrap().1;
        assert_eq!(rest_of(5), Duration::from_millis(20));
        assert_eq!(rest_of(60_000), REST_MAX);
        assert!(Rest::default().0.is_none());
    }
}
