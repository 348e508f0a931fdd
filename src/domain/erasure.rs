//! What tells who a customer is, and goes when a person says so: addresses and names. What was bought and paid, when, and
//! what became of it stays.

use std::collections::BTreeSet;

use super::contact::normal_address;
use super::decision::Verb;
use super::fact::{Fact, FactBody, Wants};
use super::machine::Machine;

/// The addresses that a machine knows, in one spelling each.
#[must_use]
pub fn addresses(machine: &Machine) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for fact in &machine.facts {
        of_fact(&mut fact.clone(), &mut |address| {
            found.insert(normal_address(address));
        });
    }
    let sent = machine.notices.iter().filter_map(|n| n.to.as_deref());
    found.extend(sent.map(normal_address));
    found.retain(|address| !address.is_empty());
    found
}

/// The names that a machine knows.
#[must_use]
pub fn names(machine: &Machine) -> BTreeSet<String> {
    let name = |fact: &Fact| match &fact.body {
        FactBody::Session(s) => s.name.clone(),
        FactBody::Invoice(i) => i.name.clone(),
        FactBody::Subscription(_)
        | FactBody::Charge(_)
        | FactBody::Decision(_)
        | FactBody::Payment(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_) => None,
    };
    machine.facts.iter().filter_map(name).collect()
}

/// Takes addresses and names out of a machine. Its mails that wait have nobody to go to any more.
pub fn forget_person(machine: &mut Machine) {
    machine.facts.iter_mut().for_each(forget_in_fact);
    for notice in &mut machine.notices {
        // A mail server's words quote the address.
        (notice.to, notice.error) = (None, None);
    }
}

/// Takes addresses and names out of a fact.
pub fn forget_in_fact(fact: &mut Fact) {
    of_fact(fact, &mut |_| {});
}

/// Takes them out; `address` hears each address.
fn of_fact(fact: &mut Fact, address: &mut impl FnMut(&str)) {
    let mut take = |email: &mut Option<String>| {
        if let Some(email) = email.take() {
            address(&email);
        }
    };
    let wants = |wants: &mut Wants| std::mem::take(&mut wants.deliver_to);
    match &mut fact.body {
        FactBody::Session(s) => {
            take(&mut s.email);
            take(&mut wants(&mut s.wants));
            s.name = None;
        }
        FactBody::Subscription(s) => take(&mut wants(&mut s.wants)),
        FactBody::Invoice(i) => {
            take(&mut i.email);
            take(&mut wants(&mut i.wants));
            i.name = None;
        }
        FactBody::Charge(c) => take(&mut c.email),
        FactBody::Decision(d) => match &mut d.verb {
            Verb::Address { email } | Verb::Issue { email, .. } => {
                take(&mut Some(std::mem::take(email)));
            }
            Verb::Resend { to } => take(to),
            Verb::Grant { .. }
            | Verb::Extend { .. }
            | Verb::Exempt { .. }
            | Verb::Revoke
            | Verb::Keep
            | Verb::Rekey { .. }
            | Verb::ResetDevices { .. }
            | Verb::ApplyRevision
            | Verb::Note
            | Verb::Move { .. }
            | Verb::Override { .. }
            | Verb::EndOverride
            | Verb::Erase => {}
        },
        FactBody::Payment(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_) => {}
    }
}
