//! What an operator's command does with actions, outcome by outcome.

use super::action::{ActionOutcome, CreatePhase};
use super::hold::Hold;
use super::machine::Machine;
use super::time::Timestamp;

/// What the operator wants done with actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Try now, also what was refused or is held.
    Retry,
    /// Not until somebody says `Retry`, because.
    Hold(String),
    /// Give up.
    Abandon,
}

impl Order {
    /// The outcomes of an action for which it means something.
    #[must_use]
    pub const fn takes(&self) -> &'static [ActionOutcome] {
        match self {
            Self::Retry => &[
                ActionOutcome::Pending,
                ActionOutcome::Held,
                ActionOutcome::Refused,
                ActionOutcome::Abandoned,
            ],
            Self::Hold(_) => &[ActionOutcome::Pending, ActionOutcome::Held],
            Self::Abandon => &[
                ActionOutcome::Pending,
                ActionOutcome::Held,
                ActionOutcome::Refused,
            ],
        }
    }
}

/// Carries an order out: what was refused is tried again, or what waits is held or given up.
pub fn carry_out(machine: &mut Machine, only: Option<u32>, order: &Order, now: Timestamp) {
    for action in machine
        .actions
        .iter_mut()
        .filter(|a| only.is_none_or(|id| a.id == id))
    {
        match (order, action.outcome) {
            (Order::Retry, ActionOutcome::Refused | ActionOutcome::Abandoned) => {
                // A refusal blocks its difference; without it the difference is found anew.
                action.outcome = ActionOutcome::Superseded;
            }
            (Order::Retry, ActionOutcome::Pending) => action.due = now,
            (Order::Retry, ActionOutcome::Held) => {
                (action.outcome, action.due, action.held) = (ActionOutcome::Pending, now, None);
            }
            (Order::Hold(why), ActionOutcome::Pending | ActionOutcome::Held) => {
                (action.outcome, action.held) = (
                    ActionOutcome::Held,
                    Some(Hold::Person {
                        reason: why.clone(),
                    }),
                );
            }
            (
                Order::Abandon,
                ActionOutcome::Pending | ActionOutcome::Held | ActionOutcome::Refused,
            ) => {
                action.outcome = ActionOutcome::Abandoned;
                action.phase = CreatePhase::Ready;
                action.at = now;
            }
            (Order::Retry, ActionOutcome::Done | ActionOutcome::Superseded)
            | (
                Order::Hold(_),
                ActionOutcome::Done
                | ActionOutcome::Superseded
                | ActionOutcome::Refused
                | ActionOutcome::Abandoned,
            )
            | (
                Order::Abandon,
                ActionOutcome::Done | ActionOutcome::Superseded | ActionOutcome::Abandoned,
            ) => {}
        }
    }
}
