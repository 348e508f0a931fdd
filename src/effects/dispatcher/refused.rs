//! Refusals that a person must look at, told once each, where they are handled.

use crate::domain::action::{Action, Outcome, RefusalScope};
use crate::domain::by_hand::Task;
use crate::domain::machine::Machine;
use crate::effects::services::LicenseService;
use crate::effects::throttle::Condition;

/// Tells of a refusal. That the whole service refuses is told once, for all that waits, by whoever watches the services.
pub(super) fn report(
    machine: &Machine,
    action: &Action,
    outcome: &Outcome,
    service: &LicenseService,
) {
    let kind = action.act.as_str();
    match outcome {
        Outcome::Refused {
            why,
            scope: RefusalScope::Service,
        } if service.health().condition == Condition::Up => {
            tracing::error!(machine.id = %machine.id, action.kind = kind, "the license service refuses us: {why}; nothing is lost, the actions wait. Mend it, then `keyward retry --service`");
        }
        Outcome::Refused {
            why,
            scope: RefusalScope::Service,
        } => {
            tracing::debug!(machine.id = %machine.id, action.kind = kind, "the license service refuses us: {why}");
        }
        Outcome::Refused {
            why,
            scope: RefusalScope::Action | RefusalScope::Access,
        } => {
            tracing::error!(machine.id = %machine.id, action.kind = kind, "the license service refused this: {why}. See `keyward show {}`, then `keyward retry`", machine.id);
        }
        Outcome::NoEffect { why } => {
            tracing::error!(machine.id = %machine.id, action.kind = kind, "the license service did not do this: {why}. It is asked for again, ever more rarely; see `keyward show {}`", machine.id);
        }
        Outcome::ByHand { why, by_hand } => {
            let task = Task {
                by_hand: *by_hand,
                act: &action.act,
            };
            let why = why.as_deref().unwrap_or("it does not take this from us");
            tracing::error!(machine.id = %machine.id, action.kind = kind, "the license service refused this: {why}. {task}. See `keyward show {}`", machine.id);
        }
        Outcome::Gone => {
            tracing::warn!(machine.id = %machine.id, action.kind = kind, "the license is gone at the license service");
        }
        Outcome::Unknown { why } => {
            tracing::debug!(machine.id = %machine.id, action.kind = kind, "unknown outcome: {why}")
        }
        Outcome::Done(_) | Outcome::Again { .. } | Outcome::Absent { .. } | Outcome::Answered => {}
    }
}
