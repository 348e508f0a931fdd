//! A breaker that several tasks share, and that wakes whoever watches when the service goes or comes back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::breaker::{Breaker, BreakerSettings, CallResult, Condition, Gate};
use crate::domain::time::Timestamp;

/// How a service fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The condition.
    pub condition: Condition,
    /// Since when; `None`: since the start.
    pub since: Option<Timestamp>,
    /// What was heard when it became so; empty while it is up.
    pub why: String,
}

/// The shared breaker.
#[derive(Debug)]
pub struct Guard {
    state: Mutex<(Breaker, String)>,
    changed: Arc<Notify>,
}

impl Guard {
    /// A closed one. `changed` is notified with every change of its condition.
    #[must_use]
    pub fn new(settings: BreakerSettings, changed: &Arc<Notify>) -> Self {
        Self {
            state: Mutex::new((Breaker::new(settings), String::new())),
            changed: Arc::clone(changed),
        }
    }

    fn state(&self) -> MutexGuard<'_, (Breaker, String)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may be made now ([`Breaker::ask`]).
    pub fn ask(&self, now: Timestamp) -> Gate {
        self.state().0.ask(now)
    }

    /// Takes note of what a call told; `why` is its text, asked for only where it is the news.
    pub fn record(&self, result: CallResult, now: Timestamp, why: impl FnOnce() -> String) {
        let mut state = self.state();
        let (before, _) = state.0.condition();
        state.0.record(result, now);
        let (after, _) = state.0.condition();
        if before != after {
            state.1 = if after == Condition::Up {
                String::new()
            } else {
                why()
            };
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Takes up what was known before a restart ([`Breaker::take_up`]).
    pub fn take_up(&self, known: Health, now: Timestamp) {
        let mut state = self.state();
        let since = known.since.unwrap_or(now);
        state.0.take_up(known.condition, since, now);
        state.1 = known.why;
    }

    /// A person says that it is mended: the next call is the trial.
    pub fn release(&self, now: Timestamp) {
        self.state().0.release(now);
    }

    /// Whether nothing is called at present.
    #[must_use]
    pub fn is_shut(&self, now: Timestamp) -> bool {
        self.state().0.open_until().is_some_and(|until| until > now)
    }

    /// Whether everything that asks may go.
    #[must_use]
    pub fn flows_freely(&self) -> bool {
        self.state().0.flows_freely()
    }

    /// How the service fares.
    #[must_use]
    pub fn health(&self) -> Health {
        let state = self.state();
        let (condition, since) = state.0.condition();
        Health {
            condition,
            since,
            why: state.1.clone(),
        }
    }
}
