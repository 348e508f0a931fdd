//! One refund through its life.

use crate::domain::step::Step::{self, Stay, To};

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The money goes back, or is on its way back.
    Stands,
    /// It failed or was cancelled: the money stayed.
    Undone,
}

/// What an event shows of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// `pending`, `requires_action`, `succeeded`.
    Shown,
    /// `failed`, `canceled`.
    Failed,
}

/// The table.
#[must_use]
pub const fn step(state: State, trigger: Trigger) -> Step<State> {
    match state {
        State::Stands => match trigger {
            Trigger::Shown => Stay("several events of one refund count once"),
            Trigger::Failed => To(State::Undone),
        },
        State::Undone => match trigger {
            Trigger::Shown => Stay("a refund that failed stays failed"),
            Trigger::Failed => Stay("it failed already"),
        },
    }
}

/// A refund with its amount in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Minor units.
    pub amount: i64,
    /// Where it stands.
    pub state: State,
}

impl Refund {
    pub(super) const fn new(amount: i64) -> Self {
        Self {
            amount,
            state: State::Stands,
        }
    }

    pub(super) fn add(&mut self, stands: bool) {
        let trigger = if stands {
            Trigger::Shown
        } else {
            Trigger::Failed
        };
        self.state = step(self.state, trigger).from(self.state);
    }

    /// Whether the money goes back.
    #[must_use]
    pub fn stands(self) -> bool {
        self.state == State::Stands
    }
}
