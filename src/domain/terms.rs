//! The terms that count: which plan and policy judge what happened at an instant, by the config's revisions and by what
//! people decided.

use super::decided::Decided;
use super::fact::Priced;
use super::id::PlanName;
use super::plan::Plan;
use super::policy::Policy;
use super::revision::Revisions;
use super::time::Timestamp;

/// Revisions, seen through one machine's decisions.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Plans and policies through time.
    pub revisions: &'a Revisions,
    /// What people decided about the machine.
    pub decided: &'a Decided,
}

impl<'a> Terms<'a> {
    /// The policy that judges what happened to a plan's purchase at an instant.
    #[must_use]
    pub fn policy(&self, plan: Option<&PlanName>, at: Timestamp) -> Policy {
        let mut policy = self.revisions.policy(plan, self.decided.judged_at(at));
        // What a person promised one customer is not taken back by applying a revision: it goes by when it happened.
        self.decided.override_policy(&mut policy, at);
        policy
    }

    /// The plan that a price stood for at an instant.
    #[must_use]
    pub fn plan_for(&self, price: &Priced, at: Timestamp) -> Option<&'a Plan> {
        self.revisions.plan_for(price, self.decided.judged_at(at))
    }

    /// The plan of a name at an instant.
    #[must_use]
    pub fn plan_named(&self, name: &str, at: Timestamp) -> Option<&'a Plan> {
        self.revisions.plan_named(name, self.decided.judged_at(at))
    }
}
