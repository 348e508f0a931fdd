//! What the operator says of actions.

use super::input::Order;
use crate::domain::action::{ActionOutcome, Phase};
use crate::domain::hold::Hold;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;

/// What the operator wants done: what was refused is tried again, or what waits is held or given up.
pub(super) fn actions(machine: &mut Machine, only: Option<u32>, order: &Order, now: Timestamp) {
    for action in machine.actions.iter_mut().filter(|a| only.is_none_or(|id| a.id == id)) {
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
                (action.outcome, action.held) = (ActionOutcome::Held, Some(Hold::Person { reason: why.clone() }));
            }
            (Order::Abandon, ActionOutcome::Pending | ActionOutcome::Held | ActionOutcome::Refused) => {
                action.outcome = ActionOutcome::Abandoned;
                action.phase = Phase::Ready;
                action.at = now;
            }
            (Order::Retry, ActionOutcome::Done | ActionOutcome::Superseded)
            | (
                Order::Hold(_),
                ActionOutcome::Done | ActionOutcome::Superseded | ActionOutcome::Refused | ActionOutcome::Abandoned,
            )
            | (Order::Abandon, ActionOutcome::Done | ActionOutcome::Superseded | ActionOutcome::Abandoned) => {}
        }
    }
}
