//! The canonical order of facts: a sort key, never a pairwise comparison, so that every order of delivery ends alike.
//!
//! The key is (`created`, rank, chain position, event id). The rank follows life; the chain position orders snapshots of
//! one object within one second by what they say of the value before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fact, FactBody, InvoiceEvent, SubscriptionEvent};

/// Facts of one machine in canonical order, each event once. The first-received form of an event id counts.
#[must_use]
pub fn canonical(facts: &[Fact]) -> Vec<&Fact> {
    // rule 2: an id counts once, whatever a second body says.
    let mut facts = each_once(facts);
    // rule 3: by the provider's time, never by arrival.
    facts.sort_by(|a, b| (a.at.s(), rank(a), &a.id).cmp(&(b.at.s(), rank(b), &b.id)));
    let mut start = 0;
    while start < facts.len() {
        let (at, r) = (facts[start].at.s(), rank(facts[start]));
        let len = facts[start..]
            .iter()
            .take_while(|f| f.at.s() == at && rank(f) == r)
            .count();
        if len > 1 {
            chain(&mut facts[start..start + len]);
        }
        start += len;
    }
    facts
}

/// Fewer facts than this are compared one by one, which is quicker than to sort them by their ids first.
const FEW: usize = 24;

/// The first form of each event, in the order of arrival.
fn each_once(facts: &[Fact]) -> Vec<&Fact> {
    if facts.len() < FEW {
        let first = |(n, fact): &(usize, &Fact)| facts[..*n].iter().all(|f| f.id != fact.id);
        return facts
            .iter()
            .enumerate()
            .filter(first)
            .map(|(_, f)| f)
            .collect();
    }
    let mut seen = BTreeSet::new();
    facts.iter().filter(|f| seen.insert(&f.id)).collect()
}

/// Where a fact stands in life, among those of one second.
const fn rank(fact: &Fact) -> u8 {
    match &fact.body {
        FactBody::Session(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_)
        | FactBody::Payment(_) => 0,
        FactBody::Subscription(s) => match s.event {
            SubscriptionEvent::Created => 1,
            SubscriptionEvent::TrialWillEnd | SubscriptionEvent::Updated => 5,
            SubscriptionEvent::Deleted => 8,
        },
        FactBody::Invoice(i) => match i.event {
            InvoiceEvent::Queried if i.paid => 4,
            InvoiceEvent::Queried
            | InvoiceEvent::Finalized
            | InvoiceEvent::FinalizationFailed
            | InvoiceEvent::Updated => 2,
            InvoiceEvent::PaymentFailed | InvoiceEvent::ActionRequired | InvoiceEvent::Overdue => 3,
            InvoiceEvent::Paid | InvoiceEvent::Voided | InvoiceEvent::Uncollectible => 4,
        },
        FactBody::Charge(_) | FactBody::Refund(_) => 6,
        FactBody::Dispute(_) | FactBody::FraudWarning(_) => 7,
        FactBody::Decision(_) => 9,
    }
}

/// Orders facts of one second and rank, given in order of their ids: a snapshot that names another's value as its own
/// past comes after it. Of those that wait for nobody the lowest id goes first, and so it does where they wait in a circle.
fn chain(group: &mut [&Fact]) {
    let mut waits: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (b, later) in group.iter().enumerate() {
        let before = group
            .iter()
            .enumerate()
            .filter(|(a, earlier)| *a != b && follows(later, earlier))
            .map(|(a, _)| a);
        waits.insert(b, before.collect());
    }
    let mut ordered = Vec::with_capacity(group.len());
    while let Some(next) = waits
        .iter()
        .find(|(_, w)| w.is_empty())
        .or_else(|| waits.iter().next())
        .map(|(n, _)| *n)
    {
        waits.remove(&next);
        for w in waits.values_mut() {
            w.remove(&next);
        }
        ordered.push(group[next]);
    }
    group.copy_from_slice(&ordered);
}

/// Whether `later` names a value that `earlier` shows as the one before its own change.
fn follows(later: &Fact, earlier: &Fact) -> bool {
    let (Some(l), Some(e)) = (&later.chain, &earlier.chain) else {
        return false;
    };
    l.object == e.object
        && l.before
            .iter()
            .any(|(field, was)| e.now.get(field) == Some(was) && l.now.get(field) != Some(was))
}
