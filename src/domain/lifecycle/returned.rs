//! Money that went back: which paid periods it takes, as the course stands.

use super::course::Course;
use super::paid_time::PaidPeriod;
use crate::domain::condition::money_back::gone_since;
use crate::domain::id::{InvoiceId, ItemKey, PlanName};
use crate::domain::time::Timestamp;

impl Course<'_, '_> {
    /// Notes of each paid period since when its money is gone, by the policy of its item's plan (rules 36, 37).
    pub(super) fn money_back(&mut self, at: Timestamp) {
        if self.life.returned.is_empty() {
            return;
        }
        let plans: Vec<_> = self.life.paid.keys().map(|key| self.plan_of(key)).collect();
        let (terms, returned) = (self.terms, &self.life.returned);
        for (paid, plan) in self.life.paid.values_mut().zip(plans) {
            let gone = |invoice: &InvoiceId| {
                let steps = returned.get(invoice)?;
                gone_since(steps, |at| terms.policy(plan.as_ref(), at), at)
            };
            for period in paid.all_periods_mut() {
                // rule 37: an earlier period's changes nothing.
                let gone = gone(&period.invoice).filter(|since| *since < period.holds);
                // rule 50: kept despite the money that went back.
                period.returned = gone.filter(|_| !terms.decided.keeps(period.paid_at));
            }
        }
    }

    /// The periods that pay for the time of some items until an instant; none where some of it was granted: no money that goes
    /// back takes that.
    pub(super) fn payers<'k>(
        &self,
        items: impl Iterator<Item = &'k ItemKey>,
        until: Timestamp,
    ) -> Vec<PaidPeriod> {
        let reach = items.filter(|key| self.base_end(key) >= Some(until));
        let of = |key: &ItemKey| {
            let paid = self.life.paid.get(key);
            let payers: Vec<_> = paid
                .into_iter()
                .flat_map(|p| p.payers(until))
                .cloned()
                .collect();
            Some(payers).filter(|payers| !payers.is_empty())
        };
        let all: Option<Vec<_>> = reach.map(of).collect();
        all.unwrap_or_default().into_iter().flatten().collect()
    }

    /// The plan that judges an item: its own, else the one that the metadata names for the whole subscription.
    fn plan_of(&self, key: &ItemKey) -> Option<PlanName> {
        let history = self.objects.subscription.items.history(key);
        let own = history.and_then(|h| h.licensed()?.plan.clone());
        own.or_else(|| self.asked_plan())
    }
}
