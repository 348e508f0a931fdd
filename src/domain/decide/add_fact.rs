//! A fact is heard: it joins the others, and what a person decided about licenses marks those that are there.

use crate::domain::decision::Verb;
use crate::domain::fact::Fact;
use crate::domain::machine::{Grant, Machine};
use crate::domain::service_move;

/// Takes a fact in. A re-key replaces the licenses that are there when it is heard, and none that is made after it; what is
/// replaced works until its successor is there. A move to another service leaves them.
pub fn add_fact(machine: &mut Machine, fact: &Fact) {
    if machine.knows(fact) {
        return;
    }
    machine.facts.push(fact.clone());
    match fact.decision().map(|d| &d.verb) {
        Some(Verb::Rekey {
            license,
            if_revoked,
            ..
        }) => {
            let is_meant = |g: &&mut Grant| license.is_none_or(|number| g.number == number);
            for grant in machine.grants.iter_mut().filter(is_meant) {
                if *if_revoked {
                    grant.replace_if_revoked = Some(fact.received);
                } else {
                    grant.replaced = true;
                }
            }
            if license.is_none() {
                service_move::keep_none(machine);
            }
        }
        Some(Verb::Move { from, tell, .. }) => {
            service_move::leave(machine, *from, *tell, fact.received);
        }
        Some(
            Verb::Grant { .. }
            | Verb::Extend { .. }
            | Verb::Exempt { .. }
            | Verb::Revoke
            | Verb::Keep
            | Verb::Address { .. }
            | Verb::ResetDevices { .. }
            | Verb::ApplyRevision
            | Verb::Resend { .. }
            | Verb::Issue { .. }
            | Verb::Erase
            | Verb::Override { .. }
            | Verb::EndOverride
            | Verb::Note,
        )
        | None => {}
    }
}
