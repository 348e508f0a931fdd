//! All who search one application's licenses share one recovery: one runs it, after a rest, and all who wait are served.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{RecoverError, RecoverRequest, Recovered};
use crate::clock::{Stopwatch, pause};
use crate::domain::time::{Span, Timestamp};
use crate::effects::license::sweep::{ShownLabels, Wanted};

/// Between two recoveries there is a rest of so many times what the first one took: a list grows with the shop, and to go through it
/// again and again for each who asks would take as much of the machine as all sales.
const REST: u32 = 4;
/// Nobody waits longer for a recovery to begin: a customer may be waiting for the license.
const REST_MAX: Duration = Duration::from_secs(10);
/// For so long after its beginning a recovery tells what was absent. What another program makes meanwhile would not be seen.
const TELLS_FOR: Duration = Duration::from_secs(600);

/// What those who search one application share.
#[derive(Debug, Default)]
pub(super) struct SingleFlight {
    /// Whoever holds it runs the recovery, after the rest that the recovery before has earned.
    pub(super) turn: tokio::sync::Mutex<Rest>,
    /// Who waits for the next recovery.
    pub(super) waiting: Mutex<Vec<Waiting>>,
    /// What the recovery before showed.
    last: Mutex<Option<LastPass>>,
}

/// A recovery that is over.
#[derive(Debug)]
struct LastPass {
    began: Timestamp,
    since_then: Stopwatch,
    shown: ShownLabels,
}

impl SingleFlight {
    /// When the recovery began that is just over, if it was late enough for this question and showed none of its labels.
    pub(super) fn just_shown_absent(&self, asked: &RecoverRequest<'_>) -> Option<Timestamp> {
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

    /// Keeps what a recovery showed; one that came to nothing, or asked for single labels, leaves nothing.
    pub(super) fn keep(
        &self,
        (began, since_then): (Timestamp, Stopwatch),
        shown: Option<ShownLabels>,
    ) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = shown.map(|shown| LastPass {
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

/// A rest between two recoveries: since when, and how long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest(Option<(Stopwatch, Duration)>);

impl Rest {
    /// After a recovery that took so long.
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
    pub(super) reply: oneshot::Sender<Result<Recovered, RecoverError>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_some_times_what_the_recovery_took_and_never_long() {
        let rest_of = |ms| Rest::after(Duration::from_millis(ms)).0.unwrap().1;
        assert_eq!(rest_of(5), Duration::from_millis(20));
        assert_eq!(rest_of(60_000), REST_MAX);
        assert!(Rest::default().0.is_none());
    }
}
