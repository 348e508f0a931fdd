//! Work that is not wanted any more.

use crate::domain::action::{Act, ActionOutcome, CreatePhase};
use crate::domain::context::DecisionContext;
use crate::domain::difference::Difference;
use crate::domain::hold::Hold;
use crate::domain::holding::read_first;
use crate::domain::machine::Machine;

/// Drops what is not wanted any more. What was held because others act for the shop may have been done by them: its license is
/// read.
pub(super) fn supersede(
    machine: &mut Machine,
    wanted: &[Difference],
    context: &DecisionContext<'_>,
) {
    let mut read = Vec::new();
    for action in &mut machine.actions {
        // One that may have acted is settled first: what it did decides what remains to be done.
        let looks = matches!(action.phase, CreatePhase::Recover { .. }) && action.act.creates();
        let may_have_acted = looks || context.under_way.contains(&action.id);
        let of_a_license = !matches!(action.act, Act::Read { .. } | Act::Query(_));
        if action.is_open()
            && of_a_license
            && !may_have_acted
            && !wanted.iter().any(|d| d.is(action))
        {
            let takes = matches!(action.act, Act::Revoke { .. } | Act::Suspend { .. });
            if takes && action.held == Some(Hold::Observed) {
                read.push(action.license);
            }
            action.outcome = ActionOutcome::Superseded;
            action.at = context.now;
        }
    }
    for license in read {
        read_first(machine, license, context.now);
    }
}
