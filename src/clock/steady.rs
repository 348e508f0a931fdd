//! The clock as it went on before it was set, for as long as nobody has confirmed where to.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Clock, JUMP_MAX, JumpWatch};
use crate::domain::time::{Span, Timestamp};

/// What ends by time alone is judged by it. A clock that is set far forward ends nothing meanwhile, and one that is set back
/// brings nothing back. Copies share what they have seen.
#[derive(Clone, Debug)]
pub struct SteadyClock {
    clock: Clock,
    state: Arc<Mutex<SteadyState>>,
}

#[derive(Debug)]
struct SteadyState {
    watch: JumpWatch,
    /// How far the clock is ahead of where it would have come by itself.
    ahead: Span,
}

impl SteadyClock {
    /// Over a clock that is trusted now.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let watch = JumpWatch::new(&clock);
        let ahead = Span::ZERO;
        Self {
            clock,
            state: Arc::new(Mutex::new(SteadyState { watch, ahead })),
        }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, jump) = state.watch.look(&self.clock);
        if let Some(jump) = jump.filter(|jump| jump.ms().abs() > JUMP_MAX.ms()) {
            state.ahead = Span::from_ms(state.ahead.ms() + jump.ms());
        }
        now - state.ahead
    }

    /// The clock is trusted again: it is what it shows.
    pub fn trust(&self) {
        let _ = self.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ahead = Span::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn it_goes_on_over_a_jump_until_the_clock_is_trusted() {
        let set = Arc::<AtomicI64>::default();
        let clock = Clock::Skewed(Arc::clone(&set));
        let steady = SteadyClock::new(clock.clone());
        let ahead = |ms: i64| {
            set.store(ms, Ordering::SeqCst);
            let ahead = clock.now() - steady.now();
            (ahead.ms() + 500).div_euclid(1_000)
        };
        assert_eq!(ahead(60_000), 0, "a minute is no doubt");
        assert_eq!(ahead(5_184_060_000), 5_184_000);
        assert_eq!(ahead(5_184_060_000), 5_184_000, "until it is trusted");
        assert_eq!(ahead(60_000), 0, "set right again");
        assert_eq!(ahead(-86_340_000), -86_400);
        steady.trust();
        assert_eq!(ahead(-86_340_000), 0);
        let copy = steady.clone();
        assert_eq!(ahead(60_000), 86_400);
        copy.trust();
        assert_eq!(ahead(60_000), 0, "what one copy is told counts for all");
    }
}
