//! What a clock that was ahead dated, once the clock is right again.

use crate::domain::action::ActionOutcome;
use crate::domain::context::DecisionContext;
use crate::domain::machine::Machine;
use crate::domain::notice::NoticeStatus;
use crate::domain::time::Span;

/// Nothing waits so long for its next try, or for what must settle before it, but for a recovery of a license.
pub const WAIT_MAX: Span = Span::from_hours(2);

/// Makes due what only a wrong clock can have dated as late as it is: it would wait for that date. Everything else that a
/// machine waits for follows from its facts and is worked out anew.
pub(super) fn redate(machine: &mut Machine, context: &DecisionContext<'_>) {
    let looks = context.abilities.lookup_after.iter().copied().max();
    let latest = context.now + WAIT_MAX + looks.unwrap_or(Span::ZERO);
    let is_ahead = |due| due > latest;
    let actions = machine.actions.iter_mut();
    for action in actions.filter(|a| a.outcome == ActionOutcome::Pending && is_ahead(a.due)) {
        action.due = context.now;
    }
    let notices = machine.notices.iter_mut();
    for notice in notices.filter(|n| n.status == NoticeStatus::Pending && is_ahead(n.due)) {
        notice.due = context.now;
    }
}
