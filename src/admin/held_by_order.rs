//! What the shop's orders hold: by comparing it before and after an order it is told exactly what that held or let go.

use std::collections::BTreeSet;

use super::context::Context;
use super::failure::Failure;
use crate::domain::action::ActionOutcome;
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::holding::plan_of;
use crate::domain::id::{MachineId, PlanName};
use crate::domain::standing::Standing;
use crate::engine::read::view;

/// Actions by their purchases.
pub(super) type HeldActions = BTreeSet<(MachineId, u32)>;

/// The actions that orders about the same matter hold at present; of one plan, where the order is about one.
pub(super) fn by_orders_like(context: &Context, what: &Standing) -> Result<HeldActions, Failure> {
    let Some((by, plan)) = matter(what) else {
        return Ok(HeldActions::new());
    };
    let mut held = HeldActions::new();
    view::machines(context.handle.reader(), |machine| {
        for action in &machine.actions {
            let is_held = action.outcome == ActionOutcome::Held
                && action.held.as_ref().map(Hold::by) == Some(by);
            let is_meant = plan.is_none_or(|plan| plan_of(&machine, action) == Some(plan));
            if is_held && is_meant {
                held.insert((machine.id.clone(), action.id));
            }
        }
        true
    })?;
    Ok(held)
}

/// What orders about the same matter hold by, and the plan that one is about.
const fn matter(what: &Standing) -> Option<(HeldBy, Option<&PlanName>)> {
    match what {
        Standing::Observe { plan } | Standing::Live { plan } => {
            Some((HeldBy::Observe, plan.as_ref()))
        }
        Standing::Pause { .. } | Standing::Resume { .. } => Some((HeldBy::Pause, None)),
        Standing::OtherHandler { .. } | Standing::Alone { .. } => {
            Some((HeldBy::OtherHandler, None))
        }
        Standing::Adopted { .. }
        | Standing::Override { .. }
        | Standing::EndOverride { .. }
        | Standing::Erased => None,
    }
}
