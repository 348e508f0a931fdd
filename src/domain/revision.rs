//! Revisions: plans and policies as they were loaded, each from its instant on, and which of them judges what (rule 49).
//!
//! An edited config never reaches back: what happened is judged by the revision that was in force then.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::fact::Priced;
use super::id::{PlanName, PolicyName, SourceName};
use super::plan::Plan;
use super::policy::{Policy, STANDARD};
use super::time::Timestamp;

/// One loaded state of plans and policies.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Revision {
    /// From when it counts.
    #[n(0)]
    pub from: Timestamp,
    /// The plans.
    #[n(1)]
    pub plans: Vec<Plan>,
    /// The policies.
    #[n(2)]
    pub policies: Vec<Policy>,
}

/// All revisions, oldest first, and what replay's `--policy` sets for every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revisions {
    list: Vec<Revision>,
    forced: Option<PolicyName>,
    /// Sources that hear of no invoices. It has no date: it matters only in a subscription's first minutes.
    deaf: BTreeSet<SourceName>,
}

impl Revisions {
    /// Sorts the revisions by their instant.
    #[must_use]
    pub fn new(mut list: Vec<Revision>) -> Self {
        list.sort_by_key(|r| r.from);
        Self {
            list,
            forced: None,
            deaf: BTreeSet::new(),
        }
    }

    /// A single revision that has always been in force.
    #[must_use]
    pub fn always(plans: Vec<Plan>, policies: Vec<Policy>) -> Self {
        Self::new(vec![Revision {
            from: Timestamp::from_ms(0),
            plans,
            policies,
        }])
    }

    /// Applies one policy to every machine (replay's `--policy`).
    #[must_use]
    pub fn force_policy(mut self, name: PolicyName) -> Self {
        self.forced = Some(name);
        self
    }

    /// Names the sources whose endpoints hear of no invoices: no snapshot of theirs waits for one (rule 18).
    #[must_use]
    pub fn deaf(mut self, sources: impl IntoIterator<Item = SourceName>) -> Self {
        self.deaf.extend(sources);
        self
    }

    /// Other revisions for the same sources.
    #[must_use]
    pub fn replaced(&self, list: Vec<Revision>) -> Self {
        Self {
            forced: self.forced.clone(),
            deaf: self.deaf.clone(),
            ..Self::new(list)
        }
    }

    /// Whether a source hears of invoices.
    #[must_use]
    pub fn hears_invoices(&self, source: &SourceName) -> bool {
        !self.deaf.contains(source)
    }

    /// The newest revision.
    #[must_use]
    pub fn newest(&self) -> Option<&Revision> {
        self.list.last()
    }

    /// Whether some revision has a policy of that name.
    #[must_use]
    pub fn has_policy(&self, name: &PolicyName) -> bool {
        name.as_str() == STANDARD
            || self
                .list
                .iter()
                .any(|r| r.policies.iter().any(|p| p.name == *name))
    }

    fn index_at(&self, at: Timestamp) -> usize {
        self.list.iter().rposition(|r| r.from <= at).unwrap_or(0)
    }

    /// The plan that a price stood for at an instant. A price that the revision in force does not name keeps the plan
    /// that it last had; one that no earlier revision knew takes the first later one that names it.
    #[must_use]
    pub fn plan_for(&self, price: &Priced, at: Timestamp) -> Option<&Plan> {
        self.search(at, |revision| plan_in(revision, price))
    }

    /// The plan of a name at an instant, found in the same way.
    #[must_use]
    pub fn plan_named(&self, name: &str, at: Timestamp) -> Option<&Plan> {
        self.search(at, |revision| {
            revision.plans.iter().find(|p| p.name.as_str() == name)
        })
    }

    fn search<'a, T: ?Sized>(
        &'a self,
        at: Timestamp,
        find: impl Fn(&'a Revision) -> Option<&'a T>,
    ) -> Option<&'a T> {
        if self.list.is_empty() {
            return None;
        }
        let index = self.index_at(at);
        let earlier = self.list[..=index].iter().rev().find_map(&find);
        earlier.or_else(|| self.list[index + 1..].iter().find_map(&find))
    }

    /// The revision that was in force at an instant; before the first, the first.
    #[must_use]
    pub fn in_force(&self, at: Timestamp) -> Option<&Revision> {
        let before = self.list.iter().rev().find(|r| r.from <= at);
        before.or_else(|| self.list.first())
    }

    /// The policy that judges what happened to a plan's purchase at an instant. A file that does not name `standard` has it
    /// with its defaults: one that names it later changes nothing that was before.
    #[must_use]
    pub fn policy(&self, plan: Option<&PlanName>, at: Timestamp) -> Policy {
        let named = plan
            .and_then(|name| self.plan_named(name.as_str(), at))
            .and_then(|p| p.policy.clone());
        let name = self.forced.clone().or(named);
        let own = name.filter(|name| name.as_str() != STANDARD);
        own.and_then(|name| self.search(at, |r| policy_in(r, name.as_str())))
            .or_else(|| policy_in(self.in_force(at)?, STANDARD))
            .cloned()
            .unwrap_or_default()
    }
}

fn policy_in<'a>(revision: &'a Revision, name: &str) -> Option<&'a Policy> {
    revision.policies.iter().find(|p| p.name.as_str() == name)
}

/// The plan that names the price by id, else by lookup key, else by product, else the one that takes the rest.
fn plan_in<'a>(revision: &'a Revision, price: &Priced) -> Option<&'a Plan> {
    let by = |test: &dyn Fn(&Plan) -> bool| revision.plans.iter().find(|p| test(p));
    by(&|p| price.id.as_ref().is_some_and(|id| p.prices.contains(id)))
        .or_else(|| {
            by(&|p| {
                price
                    .lookup_key
                    .as_ref()
                    .is_some_and(|key| p.lookup_keys.contains(key))
            })
        })
        .or_else(|| {
            by(&|p| {
                price
                    .product
                    .as_ref()
                    .is_some_and(|product| p.products.contains(product))
            })
        })
        .or_else(|| {
            if price.id.is_some() || price.product.is_some() {
                by(&Plan::is_rest)
            } else {
                None
            }
        })
}
