//! When the dispatcher last went round: one that stands still begins nothing, whatever is due.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Stopwatch;

/// The dispatcher's pulse. It beats at least once a minute, for each commit wakes it and the scheduler's own commits are among
/// them.
#[derive(Debug)]
pub struct Pulse(Mutex<Stopwatch>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Stopwatch::start()))
    }
}

impl Pulse {
    /// It goes round.
    pub(super) fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Stopwatch::start();
    }

    /// How long ago that was.
    #[must_use]
    pub fn ago(&self) -> Duration {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.elapsed()
    }
}
