//! Where those who look through one application's licenses meet: one looks, after a rest, and all who wait are served.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::oneshot;

use super::LookupError;
use crate::clock::{Stopwatch, pause};
use crate::domain::time::Span;
use crate::effects::license::License;
use crate::effects::license::sweep::Wanted;

/// Between two looks there is a rest of so many times what the first one took: a list grows with the shop, and to go through it
/// again and again for each who asks would take as much of the machine as all sales.
const REST: u32 = 4;
/// Nobody waits longer for a look to begin: a customer may be waiting for the license.
const REST_MAX: Duration = Duration::from_secs(10);

/// Where those who look through one application meet.
#[derive(Debug, Default)]
pub(super) struct SingleFlight {
    /// Whoever holds it looks, after the rest that the look before has earned.
    pub(super) turn: tokio::sync::Mutex<Rest>,
    /// Who waits for the next look.
    pub(super) waiting: Mutex<Vec<Waiting>>,
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
            // At most REST_MAX, so it fits.
            pause(Span::from_ms(i64::try_from(left.as_millis()).unwrap_or(0))).await;
        }
    }
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) wanted: Vec<Wanted>,
    pub(super) reply: oneshot::Sender<Result<Vec<License>, LookupError>>,
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
