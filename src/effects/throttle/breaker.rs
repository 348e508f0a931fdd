//! The circuit breaker, a plain value: what was heard and the present instant go in, and whether a call may go comes
//! out. It knows no clock, no task and no service.

#[cfg(test)]
mod tests;

use crate::domain::time::{Span, Timestamp};

/// What a call told about the service's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// It answered; what it answered is another matter.
    Good,
    /// It asks for patience (429).
    Slow {
        /// How long it asked us to wait.
        after: Option<Span>,
    },
    /// No connection, no answer in time, or a server's error.
    Broken,
    /// It will refuse everything until a person has mended something (a bad API key, no credits).
    Locked,
    /// The call was not made after all.
    Unsent,
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Yes; report what came of it ([`Breaker::record`]).
    Go,
    /// Not before this instant.
    Until(Timestamp),
    /// Enough are under way to tell whether the service is back: ask again when one is answered, at the latest then.
    Busy(Timestamp),
}

/// How a service fares, as far as calls have told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Calls go.
    Up,
    /// It answers, and asks for patience.
    Slowed,
    /// It does not answer, or answers with errors of its own.
    Down,
    /// It refuses everything until a person has mended something.
    Refusing,
    /// It makes no more licenses until somebody has paid for them.
    NoCredits,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Up,
        Self::Slowed,
        Self::Down,
        Self::Refusing,
        Self::NoCredits,
    ];

    /// The word in `/readyz`, metrics and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Slowed => "slowed",
            Self::Down => "down",
            Self::Refusing => "refusing",
            Self::NoCredits => "no_credits",
        }
    }
}

/// How a breaker behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many failures in a row open it.
    pub failures_max: u32,
    /// So many are enough when nothing else was heard for [`Self::failing_for`]: where little is asked, failures are rare too.
    pub failures_few: u32,
    /// See [`Self::failures_few`].
    pub failing_for: Span,
    /// How long it stays open at first; each trial that fails doubles it.
    pub first_wait: Span,
    /// The longest that it stays open.
    pub longest_wait: Span,
    /// How long it stays open when only a person can mend it, between rare trials.
    pub locked_wait: Span,
    /// What the service is called then.
    pub locked: Condition,
    /// After this long without an answer a call under way no longer holds others back. Above the request time-out.
    pub answer_within: Span,
    /// So many at a time is the full flow; until then each success doubles what is let out.
    pub full_flow: u32,
}

impl BreakerSettings {
    /// For a whole service that takes `full_flow` calls at a time.
    #[must_use]
    pub const fn service(full_flow: u32) -> Self {
        Self {
            // Under a fault rate of one in three this opens about once in 10,000 calls; when a service is down, eight
            // calls at a time find out within one time-out.
            failures_max: 8,
            failures_few: 3,
            failing_for: Span::from_s(30),
            first_wait: Span::from_s(1),
            longest_wait: Span::from_minutes(1),
            locked_wait: Span::from_minutes(10),
            locked: Condition::Refusing,
            answer_within: Span::from_minutes(2),
            full_flow,
        }
    }

    /// For the creates alone, which wait when the credits are used up.
    #[must_use]
    pub const fn credits(full_flow: u32) -> Self {
        Self {
            locked_wait: Span::from_hours(1),
            locked: Condition::NoCredits,
            ..Self::service(full_flow)
        }
    }
}

/// A circuit breaker: a value that is told what was heard, and says whether the next call may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    settings: BreakerSettings,
    state: BreakerState,
    /// Calls let go and not yet reported.
    out: u32,
    /// When the last call was let go.
    last_go: Timestamp,
    condition: Condition,
    /// When the condition became what it is; `None`: it never changed.
    since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BreakerState {
    /// Calls go: all of them when `flow` is `None`, else so many at a time.
    Closed {
        failing: Option<Failing>,
        flow: Option<u32>,
    },
    /// None goes before `until`, nor longer than it was meant from `since` on: a wall clock may be set back.
    Open {
        since: Timestamp,
        until: Timestamp,
        wait: Span,
    },
    /// One goes; its answer decides.
    Trial { wait: Span },
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failing {
    count: u32,
    since: Timestamp,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(settings: BreakerSettings) -> Self {
        let state = BreakerState::Closed {
            failing: None,
            flow: None,
        };
        Self {
            settings,
            state,
            out: 0,
            last_go: Timestamp::from_ms(0),
            condition: Condition::Up,
            since: None,
        }
    }

    /// Whether a call may be made now. After [`Gate::Go`] it counts as under way until it is reported.
    pub fn ask(&mut self, now: Timestamp) -> Gate {
        let patience_ends = self.last_go + self.settings.answer_within;
        if !(self.last_go..patience_ends).contains(&now) {
            self.out = 0;
        }
        let limit = match self.state {
            BreakerState::Open { since, until, .. } if (since..until).contains(&now) => {
                return Gate::Until(until);
            }
            BreakerState::Open { wait, .. } => {
                self.state = BreakerState::Trial { wait };
                self.out = 0;
                1
            }
            BreakerState::Trial { .. } => 1,
            BreakerState::Closed { flow, .. } => flow.unwrap_or(u32::MAX),
        };
        if self.out >= limit {
            return Gate::Busy(patience_ends);
        }
        self.out += 1;
        self.last_go = now;
        Gate::Go
    }

    /// Takes note of what a call told about the service.
    pub fn record(&mut self, result: CallResult, now: Timestamp) {
        self.out = self.out.saturating_sub(1);
        let was_open = self.open_until();
        self.state = match result {
            CallResult::Unsent => self.state,
            CallResult::Good => self.after_success(),
            CallResult::Broken => self.after_failure(now),
            CallResult::Locked => {
                self.open(now, self.settings.locked_wait, self.settings.first_wait)
            }
            CallResult::Slow { after } => match self.state {
                // Calls that were under way together are one sign, not many.
                BreakerState::Open { since, until, wait } => BreakerState::Open {
                    since,
                    until: until.max(now + after.unwrap_or(Span::ZERO)),
                    wait,
                },
                BreakerState::Closed { .. } => self.open(
                    now,
                    after.unwrap_or(self.settings.first_wait),
                    self.settings.first_wait,
                ),
                BreakerState::Trial { wait } => {
                    let wait = self.longer(wait);
                    self.open(now, after.unwrap_or(wait), wait)
                }
            },
        };
        self.judge(result, was_open.is_some(), now);
    }

    /// The condition after something was heard. What comes in while it is open was sent before, and changes nothing, but that
    /// everything is refused.
    fn judge(&mut self, result: CallResult, was_open: bool, now: Timestamp) {
        let is_open = self.open_until().is_some();
        let condition = match result {
            CallResult::Locked => self.settings.locked,
            CallResult::Good
            | CallResult::Unsent
            | CallResult::Broken
            | CallResult::Slow { .. }
                if was_open =>
            {
                self.condition
            }
            CallResult::Broken if is_open => Condition::Down,
            CallResult::Slow { .. } if is_open => Condition::Slowed,
            CallResult::Good => Condition::Up,
            CallResult::Broken | CallResult::Slow { .. } | CallResult::Unsent => self.condition,
        };
        if condition != self.condition {
            (self.condition, self.since) = (condition, Some(now));
        }
    }

    /// How the service fares, and since when; `None`: since the start. A trial under way has told nothing yet.
    #[must_use]
    pub const fn condition(&self) -> (Condition, Option<Timestamp>) {
        (self.condition, self.since)
    }

    /// Takes up what was known before a restart: it stays so until a call tells otherwise, and the next call is the trial.
    pub const fn take_up(&mut self, condition: Condition, since: Timestamp, now: Timestamp) {
        self.state = BreakerState::Open {
            since: now,
            until: now,
            wait: self.settings.first_wait,
        };
        (self.condition, self.since) = (condition, Some(since));
    }

    /// A person says that it is mended: the next call is the trial.
    pub fn release(&mut self, now: Timestamp) {
        if let BreakerState::Open { wait, .. } = self.state {
            self.state = BreakerState::Open {
                since: now,
                until: now,
                wait,
            };
        }
    }

    /// Until when nothing is called, if it is open.
    #[must_use]
    pub const fn open_until(&self) -> Option<Timestamp> {
        match self.state {
            BreakerState::Open { until, .. } => Some(until),
            BreakerState::Closed { .. } | BreakerState::Trial { .. } => None,
        }
    }

    /// Whether it is closed, and lets out as many as ask.
    #[must_use]
    pub const fn flows_freely(&self) -> bool {
        matches!(self.state, BreakerState::Closed { flow: None, .. })
    }

    fn after_success(&self) -> BreakerState {
        match self.state {
            // An answer to what was sent before it opened says nothing about now.
            open @ BreakerState::Open { .. } => open,
            BreakerState::Trial { .. } => BreakerState::Closed {
                failing: None,
                flow: self.wider(1),
            },
            BreakerState::Closed { flow, .. } => BreakerState::Closed {
                failing: None,
                flow: flow.and_then(|f| self.wider(f)),
            },
        }
    }

    fn after_failure(&self, now: Timestamp) -> BreakerState {
        match self.state {
            open @ BreakerState::Open { .. } => open,
            BreakerState::Trial { wait } => {
                let wait = self.longer(wait);
                self.open(now, wait, wait)
            }
            BreakerState::Closed { failing, flow } => {
                let before = failing.unwrap_or(Failing {
                    count: 0,
                    since: now,
                });
                let failing = Failing {
                    count: before.count.saturating_add(1),
                    ..before
                };
                if self.is_down(failing, now) {
                    self.open(now, self.settings.first_wait, self.settings.first_wait)
                } else {
                    BreakerState::Closed {
                        failing: Some(failing),
                        flow,
                    }
                }
            }
        }
    }

    fn is_down(&self, failing: Failing, now: Timestamp) -> bool {
        let Failing { count, since } = failing;
        count >= self.settings.failures_max
            || count >= self.settings.failures_few && now - since >= self.settings.failing_for
    }

    fn open(&self, now: Timestamp, span: Span, wait: Span) -> BreakerState {
        BreakerState::Open {
            since: now,
            until: now + span,
            wait,
        }
    }

    fn longer(&self, wait: Span) -> Span {
        Span::from_ms(wait.ms().saturating_mul(2)).min(self.settings.longest_wait)
    }

    fn wider(&self, flow: u32) -> Option<u32> {
        Some(flow.saturating_mul(2)).filter(|wider| *wider < self.settings.full_flow)
    }
}
