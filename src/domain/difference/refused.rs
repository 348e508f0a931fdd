//! What a license service refused to do with one license, against what is known of it in general.

use crate::domain::action::{Act, Action, ActionOutcome, Missing, RefusalScope};
use crate::domain::machine::{Grant, Machine};

/// So many refusals count: the license is read between two, and a service can be wrong for an hour.
const REFUSALS: usize = 2;

/// Whether a revoked license does not come back, whatever a probe learned on another one: its service refused that, still
/// called it revoked when it was read then, and refused it again. Whoever paid since gets a new one in its place.
pub(super) fn stays_revoked(machine: &Machine, grant: &Grant) -> bool {
    let of_it = || machine.actions.iter().filter(|a| a.license == grant.number);
    let refused: Vec<&Action> = of_it().filter(|a| is_refused(a)).collect();
    let Some(first) = refused.first() else {
        return false;
    };
    let was_read = of_it().any(|a| {
        let is_read = matches!(a.act, Act::Read { .. }) && a.outcome == ActionOutcome::Done;
        is_read && a.missing.is_none() && a.id > first.id
    });
    was_read && refused.len() >= REFUSALS
}

/// Whether a service would not bring a license back, or said that it did and had not.
fn is_refused(action: &Action) -> bool {
    let refused = action.refused == Some(RefusalScope::Action);
    let without_effect = action.missing == Some(Missing::Effect);
    matches!(action.act, Act::Reinstate { .. }) && (refused || without_effect)
}
