//! The guard's count, which goes over all machines: what may be taken from customers in one while.

use super::transaction::{Alert, Transaction};
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::finding::{Finding, Report};
use crate::domain::guard::{Admission, is_hurtful};
use crate::domain::hold::{Cleared, Hold};
use crate::domain::machine::Machine;
use crate::engine::record::{RecordError, standing};

/// Counts what is about to be taken from the machine's customer, and holds what is beyond the limit.
pub(super) fn admit(
    tx: &mut Transaction<'_, '_>,
    machine: &mut Machine,
) -> Result<(), RecordError> {
    let Some(limits) = tx.context.rules.guard else {
        return Ok(());
    };
    let uncounted = |a: &Action| {
        a.outcome == ActionOutcome::Pending
            && matches!(a.cleared, None | Some(Cleared::Repair { .. }))
            && is_hurtful(machine, a, tx.context.at)
    };
    let hurtful: Vec<usize> = (0..machine.actions.len())
        .filter(|n| uncounted(&machine.actions[*n]))
        .collect();
    if hurtful.is_empty() {
        return Ok(());
    }
    let mut record = standing::guard(tx.working)?;
    for index in hurtful {
        let action = &mut machine.actions[index];
        match record.admit(&limits, tx.context.live_licenses, tx.context.at) {
            Admission::Counted => action.cleared = Some(counted(action.cleared.take())),
            Admission::Held { trips } => {
                action.hold(Hold::Guard, tx.context.at);
                if trips {
                    let report = Report::new(tx.context.at, Finding::GuardTripped);
                    let machine = machine.id.clone();
                    tx.alerts.push(Alert { machine, report });
                }
            }
        }
    }
    standing::put_guard(tx.working, &record)
}

/// What a hurtful action that was counted is cleared by: a repair is a person's word, too.
fn counted(cleared: Option<Cleared>) -> Cleared {
    match cleared {
        Some(Cleared::Repair { author, reason }) => Cleared::Person { author, reason },
        Some(other) => other,
        None => Cleared::Guard,
    }
}
