//! What an adoption holds for a yes stays held when an event only moves it: whatever comes next is carried out like any other
//! where it asks for the end itself.

use crate::domain::action::{Act, Action, ActionOutcome};
use crate::domain::difference::Difference;
use crate::domain::hold::Hold;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;

/// Until when a license would work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leaves {
    /// It would be revoked.
    Nothing,
    /// It would be suspended.
    Suspended,
    /// It would end then.
    Until(Timestamp),
}

impl Leaves {
    fn of(act: &Act) -> Option<Self> {
        match act {
            Act::Revoke { .. } => Some(Self::Nothing),
            Act::Suspend { .. } => Some(Self::Suspended),
            Act::SetExpiry { until, .. } => until.map(Self::Until),
            Act::Create(_)
            | Act::Reinstate { .. }
            | Act::SetDevices { .. }
            | Act::ResetDevices { .. }
            | Act::Read { .. }
            | Act::Recover(_)
            | Act::Query(_) => None,
        }
    }
}

/// The ends that wait for a yes, by license.
pub(in crate::domain) struct WaitingEnds(Vec<(u32, Leaves)>);

impl WaitingEnds {
    /// Those of a machine, before it is judged anew.
    pub(in crate::domain) fn of(machine: &Machine) -> Self {
        let waits =
            |a: &&Action| a.outcome == ActionOutcome::Held && a.held == Some(Hold::Adoption);
        let held = machine.actions.iter().filter(waits);
        let ends = held.filter(|a| a.shortens == Some(true) || a.act.sets_end().is_none());
        Self(
            ends.filter_map(|a| Some((a.license, Leaves::of(&a.act)?)))
                .collect(),
        )
    }

    /// Holds a new end that takes no more than one that waited: no event asked for it.
    pub(in crate::domain) fn keep(
        &self,
        action: &mut Action,
        difference: &Difference,
        now: Timestamp,
    ) {
        let Some(leaves) = Leaves::of(&action.act).filter(|_| difference.takes) else {
            return;
        };
        let waited =
            |(license, held): &(u32, Leaves)| *license == action.license && leaves >= *held;
        if !difference.by_person && self.0.iter().any(waited) {
            action.hold(Hold::Adoption, now);
        }
    }
}
