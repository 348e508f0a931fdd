//! When a call to a foreign service may be made: its rate, how many at a time, and a circuit breaker that stops asking
//! a service which does not answer.

mod breaker;
mod guard;

pub use breaker::{Breaker, BreakerSettings, CallResult, Condition, Gate};
pub use guard::{Guard, Health};

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::clock::pause;
use crate::domain::time::Span;

/// For whom a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// An action of a machine.
    Actions,
    /// A search through a list: at most half the rate, so that actions are never starved by it.
    Sweep,
}

/// The pace at which one service is called. All clones are the same throttle.
#[derive(Clone, Debug)]
pub struct Throttle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Option<Pace>,
    sweeps: Option<Pace>,
    in_flight: Arc<Semaphore>,
}

/// The permission for one call; the place is free again when it is dropped.
#[derive(Debug)]
pub struct Pass(
    #[expect(dead_code, reason = "held, never read: dropping it frees the place")]
    OwnedSemaphorePermit,
);

impl Throttle {
    /// A pace of so many requests a second (0: no limit) and so many at a time (at least one).
    #[must_use]
    pub fn new(requests_per_s: u32, in_flight: usize) -> Self {
        let whole = NonZeroU32::new(requests_per_s);
        Self(Arc::new(Inner {
            all: whole.map(|rate| Pace::new(rate, rate)),
            // No burst for sweeps: what they leave of a second belongs to the actions.
            sweeps: whole.map(|rate| {
                Pace::new(
                    NonZeroU32::new(rate.get() / 2).unwrap_or(NonZeroU32::MIN),
                    NonZeroU32::MIN,
                )
            }),
            in_flight: Arc::new(Semaphore::new(in_flight.clamp(1, Semaphore::MAX_PERMITS))),
        }))
    }

    /// Waits, first come first served, until one call may be made. Mark an attempt as sent only after this.
    pub async fn pass(&self, share: Share) -> Pass {
        if let (Share::Sweep, Some(pace)) = (share, &self.0.sweeps) {
            pace.turn().await;
        }
        if let Some(pace) = &self.0.all {
            pace.turn().await;
        }
        loop {
            // Nobody closes this semaphore; if somebody did, waiting for ever would be the safe answer.
            match Arc::clone(&self.0.in_flight).acquire_owned().await {
                Ok(permit) => return Pass(permit),
                Err(_closed) => std::future::pending().await,
            }
        }
    }
}

/// A rate, with one waiter at the front so that a full queue costs one timer.
#[derive(Debug)]
struct Pace {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    front: Mutex<()>,
}

impl Pace {
    fn new(per_s: NonZeroU32, burst: NonZeroU32) -> Self {
        let limiter = RateLimiter::direct(Quota::per_second(per_s).allow_burst(burst));
        Self {
            limiter,
            clock: DefaultClock::default(),
            front: Mutex::new(()),
        }
    }

    async fn turn(&self) {
        let _front = self.front.lock().await;
        while let Err(early) = self.limiter.check() {
            let wait = early.wait_time_from(self.clock.now());
            // Rounded up: the timer counts milliseconds.
            pause(Span::from_ms(
                i64::try_from(wait.as_millis())
                    .unwrap_or(i64::MAX)
                    .saturating_add(1),
            ))
            .await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_than_the_agreed_number_at_a_time() {
        let throttle = Throttle::new(0, 1);
        let first = throttle.pass(Share::Actions).await;
        let waiting = tokio::spawn({
            let throttle = throttle.clone();
            async move { drop(throttle.pass(Share::Sweep).await) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
    }

    /// Whether a call may be made without waiting.
    async fn passes(throttle: &Throttle, share: Share) -> bool {
        tokio::select! {
            biased;
            _ = throttle.pass(share) => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn sweeps_do_not_use_up_the_actions_rate() {
        let throttle = Throttle::new(2, 8);
        assert!(passes(&throttle, Share::Sweep).await);
        assert!(
            !passes(&throttle, Share::Sweep).await,
            "one a second is half of two"
        );
        assert!(passes(&throttle, Share::Actions).await);
        assert!(!passes(&throttle, Share::Actions).await);
        let unlimited = Throttle::new(0, 8);
        for _ in 0..1000 {
            assert!(passes(&unlimited, Share::Sweep).await);
        }
    }
}
