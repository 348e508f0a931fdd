//! Money that went back: which paid periods it takes, as the course stands.

use super::course::Course;
use crate::domain::condition::money_back::gone_since;
use crate::domain::id::{InvoiceId, ItemKey, PlanName};
use crate::domain::time::Timestamp;

impl Course<'_, '_> {
    /// Notes of each paid period since when its money is gone, by the policy of its item's plan (rules 36, 37). What a person
    /// lets the customer keep is not gone (rule 50).
    pub(super) fn money_back(&mut self, at: Timestamp) {
        if self.life.returned.is_empty() || self.terms.decided.kept {
            return;
        }
        let plans: Vec<_> = self.life.paid.keys().map(|key| self.plan_of(key)).collect();
        let (terms, returned) = (self.terms, &self.life.returned);
        for (paid, plan) in self.life.paid.values_mut().zip(plans) {
            let gone = |invoice: &InvoiceId| {
                let steps = returned.get(invoice)?;
                gone_since(steps, |at| terms.policy(plan.as_ref(), at), at)
            };
            for period in &mut paid.periods {
                // rule 37: an earlier period's changes nothing.
                period.returned = gone(&period.invoice).filter(|since| *since < period.holds);
            }
        }
    }

    /// The plan that judges an item: its own, else the one that the metadata names for the whole subscription.
    fn plan_of(&self, key: &ItemKey) -> Option<PlanName> {
        let history = self.objects.subscription.items.history(key);
        let own = history.and_then(|h| h.licensed()?.plan.clone());
        own.or_else(|| self.asked_plan())
    }
}
