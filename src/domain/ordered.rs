//! A person's own order about a purchase goes before what its adoption, a beginning that is unknown, or the guard holds
//! (rule 50): what it asks for was held because nobody had said anything yet. What holds more than one purchase holds it too.

use super::action::{Act, Action, ActionOutcome};
use super::decision::Verb;
use super::difference::Difference;
use super::fact::Fact;
use super::hold::{Cleared, Hold};
use super::id::EventId;
use super::machine::Machine;
use super::time::Timestamp;

/// Lets go what a person's order asks for and what held it before that was given.
pub(super) fn let_pass(machine: &mut Machine, wanted: &[Difference], now: Timestamp) {
    let is_given = is_given(machine);
    let asked = |d: &&Difference| d.by_person || (is_given && gives(d));
    for difference in wanted.iter().filter(asked) {
        let waits = machine.actions.iter_mut();
        let mut waits = waits.filter(|a| a.outcome == ActionOutcome::Held && is_passed(&a.held));
        if let Some(action) = waits.find(|a| difference.is(a)) {
            action.let_go(now);
            action.cleared = Some(Cleared::Decision);
        }
    }
}

const fn is_passed(held: &Option<Hold>) -> bool {
    match held {
        Some(Hold::Adoption | Hold::BeginningUnknown | Hold::Guard) => true,
        Some(
            Hold::TimeNotTrusted(_)
            | Hold::Person { .. }
            | Hold::Observed
            | Hold::Paused { .. }
            | Hold::OtherHandler
            | Hold::OtherService { .. },
        )
        | None => false,
    }
}

/// Whether a person gave the customer something since the purchase was adopted: a license, time or a key.
fn is_given(machine: &Machine) -> bool {
    let gives = |f: &Fact| match f.decision().map(|d| &d.verb) {
        Some(
            Verb::Grant { .. }
            | Verb::Extend { .. }
            | Verb::Keep
            | Verb::Rekey { license: None, .. }
            | Verb::Issue { .. },
        ) => true,
        Some(
            Verb::Rekey {
                license: Some(_), ..
            }
            | Verb::Exempt { .. }
            | Verb::Revoke
            | Verb::Address { .. }
            | Verb::ResetDevices { .. }
            | Verb::ApplyRevision
            | Verb::Resend { .. }
            | Verb::Note
            | Verb::Move { .. }
            | Verb::Erase
            | Verb::Override { .. }
            | Verb::EndOverride,
        )
        | None => false,
    };
    let adopted = machine.adopted_at;
    adopted.is_some_and(|at| machine.facts.iter().any(|f| f.received > at && gives(f)))
}

/// Whether it is a license, or time of one.
const fn gives(difference: &Difference) -> bool {
    match difference.act {
        Act::Create(_) | Act::Reinstate { .. } => true,
        Act::SetExpiry { .. } => !difference.takes,
        Act::Suspend { .. }
        | Act::Revoke { .. }
        | Act::SetDevices { .. }
        | Act::ResetDevices { .. }
        | Act::Read { .. }
        | Act::Recover(_)
        | Act::Query(_) => false,
    }
}

/// Whether an action does what a decision asks for.
#[must_use]
pub fn is_asked(action: &Action, by: &Verb, id: &EventId) -> bool {
    let act = &action.act;
    let gives = matches!(
        act,
        Act::Create(_) | Act::Reinstate { .. } | Act::SetExpiry { .. }
    );
    match by {
        Verb::Grant { .. } | Verb::Extend { .. } | Verb::Exempt { .. } | Verb::Keep => gives,
        Verb::Revoke => matches!(act, Act::Revoke { .. } | Act::Suspend { .. }),
        Verb::Rekey { .. } => matches!(act, Act::Create(_) | Act::Revoke { .. }),
        Verb::Issue { .. } | Verb::Move { .. } => act.creates(),
        Verb::ResetDevices { .. } => {
            matches!(act, Act::ResetDevices { decision, .. } if decision == id)
        }
        Verb::Address { .. }
        | Verb::ApplyRevision
        | Verb::Resend { .. }
        | Verb::Note
        | Verb::Erase
        | Verb::Override { .. }
        | Verb::EndOverride => false,
    }
}
