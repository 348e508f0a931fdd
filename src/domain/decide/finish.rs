//! An action that is over.

use crate::domain::action::ActionOutcome;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;

/// Ends an action that is open.
pub(super) fn finish(
    machine: &mut Machine,
    index: usize,
    outcome: ActionOutcome,
    error: Option<String>,
    now: Timestamp,
) {
    let action = &mut machine.actions[index];
    if action.is_open() {
        if outcome == ActionOutcome::Done {
            action.attempts += 1;
            if action.act.creates() {
                // It follows from the machine and the number, and is looked for no more.
                (action.label, action.service, action.missed_at) = (None, None, None);
            }
        }
        action.outcome = outcome;
        action.at = now;
        (action.error, action.missing, action.by_hand) = (error, None, None);
    }
}
