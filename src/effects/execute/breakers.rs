//! Whether a license service takes calls now, and what the answers tell of it.

use super::unsent;
use crate::clock::Clock;
use crate::domain::action::Action;
use crate::domain::time::Timestamp;
use crate::effects::license::Answer;
use crate::effects::services::LicenseService;
use crate::effects::throttle::{CallResult, Gate, Pass, Share};

impl LicenseService {
    /// Whether an action may go now; one that may counts as under way until its answer is heard.
    pub(in crate::effects) fn gate(&self, kind: CallKind, now: Timestamp) -> Gate {
        let creates = kind == CallKind::Create;
        if creates {
            let gate = self.credits.ask(now);
            if gate != Gate::Go {
                return gate;
            }
        }
        let gate = self.breaker.ask(now);
        if gate != Gate::Go && creates {
            self.credits.record(CallResult::Unsent, now, String::new);
        }
        gate
    }

    /// Whether the service's breaker is open: it may have opened while an action waited for its turn.
    pub(in crate::effects) fn is_shut(&self, now: Timestamp) -> bool {
        self.breaker.is_shut(now)
    }

    /// An action that was let through was not sent after all: the breakers count it no more.
    pub(in crate::effects) fn not_sent(&self, kind: CallKind, now: Timestamp) {
        let unsent: Answer<()> = Answer::Refused(unsent());
        self.record(kind, &unsent, now);
    }

    /// Whether everything goes that there is a slot for.
    pub(in crate::effects) fn flows_freely(&self) -> bool {
        self.breaker.flows_freely() && self.credits.flows_freely()
    }

    /// Waits for the turn of an action that was let through; `None`: meanwhile others found out that the service is down.
    pub(super) async fn turn(&self, action: &Action, clock: &Clock) -> Option<Pass> {
        let pass = self.throttle.pass(Share::Actions).await;
        if self.is_shut(clock.now()) {
            self.not_sent(CallKind::of(action), clock.now());
            return None;
        }
        Some(pass)
    }

    pub(super) fn record<T>(&self, kind: CallKind, answer: &Answer<T>, now: Timestamp) {
        self.breaker
            .record(answer.call_result(), now, || answer.why());
        if kind == CallKind::Create {
            self.credits
                .record(answer.credits_result(), now, || answer.why());
        }
    }

    /// Lets calls through again, as after a person's word that the service is mended.
    pub(in crate::effects) fn release(&self, now: Timestamp) {
        self.breaker.release(now);
        self.credits.release(now);
    }
}

/// Which of a service's breakers a call concerns: a create also needs credits there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::effects) enum CallKind {
    Create,
    Other,
}

impl CallKind {
    pub(in crate::effects) const fn of(action: &Action) -> Self {
        if action.is_ready_create() {
            Self::Create
        } else {
            Self::Other
        }
    }
}
