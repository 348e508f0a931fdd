//! What a sweep that did not find a license says of the attempt to make it.

use super::finish::finish;
use crate::domain::action::{Act, ActionOutcome, CreatePhase, Missing};
use crate::domain::context::DecisionContext;
use crate::domain::machine::Machine;
use crate::domain::time::{Span, Timestamp};

/// A sweep that began after the attempt ended did not find it. After as many of them as `lookup_after` names it was not made.
pub(super) fn absent(
    machine: &mut Machine,
    index: usize,
    began: Timestamp,
    context: &DecisionContext<'_>,
) {
    let sweeps = context.abilities.lookup_after.len().max(1);
    let action = &mut machine.actions[index];
    if let CreatePhase::Recover { since, .. } = &mut action.phase
        && *since > context.now
    {
        // A clock that was ahead dated it and is right again. No sweep would count until then: the next one does.
        (*since, action.due) = (context.now, context.now);
        return;
    }
    if let CreatePhase::Recover {
        since,
        absent,
        any_age,
    } = action.phase
        && began >= since
    {
        let absent = absent + 1;
        let enough = usize::try_from(absent).unwrap_or(usize::MAX) >= sweeps;
        if enough && matches!(action.act, Act::Recover(_)) {
            finish(machine, index, ActionOutcome::Done, None, context.now);
            machine.actions[index].missing = Some(Missing::NoneThere);
        } else if enough {
            // What was looked for is not looked for again.
            action.phase = CreatePhase::Ready;
            action.missed_at = Some(context.now);
            action.make_due(context.now);
            action.missing = Some(Missing::NotMade);
        } else {
            let wait = context
                .abilities
                .lookup_after
                .get(absent as usize)
                .copied()
                .unwrap_or(Span::from_s(15));
            action.phase = CreatePhase::Recover {
                since,
                absent,
                any_age,
            };
            action.due = context.now + wait;
        }
    }
}
