//! One refund through its life.

use crate::domain::step::Step::{self, Stay, To};

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// The money goes back, or is on its way back.
    Stands,
    /// It failed or was cancelled: the money stayed.
    Undone,
}

/// What an event shows of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundTrigger {
    /// `pending`, `requires_action`, `succeeded`.
    Shown,
    /// `failed`, `canceled`.
    Failed,
}

/// The table.
#[must_use]
pub const fn step(state: RefundState, trigger: RefundTrigger) -> Step<RefundState> {
    match state {
        RefundState::Stands => match trigger {
            RefundTrigger::Shown => Stay("several events of one refund count once"),
            RefundTrigger::Failed => To(RefundState::Undone),
        },
        RefundState::Undone => match trigger {
            RefundTrigger::Shown => Stay("a refund that failed stays failed"),
            RefundTrigger::Failed => Stay("it failed already"),
        },
    }
}

/// A refund with its amount in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Minor units.
    pub amount: i64,
    /// Where it stands.
    pub state: RefundState,
}

impl Refund {
    pub(super) const fn new(amount: i64) -> Self {
        Self {
            amount,
            state: RefundState::Stands,
        }
    }

    pub(super) fn add(&mut self, stands: bool) {
        let trigger = if stands {
            RefundTrigger::Shown
        } else {
            RefundTrigger::Failed
        };
        self.state = step(self.state, trigger).from(self.state);
    }

    /// Whether the money goes back.
    #[must_use]
    pub fn stands(self) -> bool {
        self.state == RefundState::Stands
    }
}
