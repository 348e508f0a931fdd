//! What a pause does to a subscription's life: of its collection, or of the whole.

use super::course::Course;
use super::late::cause;
use super::subscription::SubscriptionTrigger;
use super::subscription_life::Pause;
use crate::domain::fact::{Fact, InvoiceLine, PauseReason, SubscriptionStatus as Status};
use crate::domain::id::ItemKey;
use crate::domain::object::{Invoice, ItemThen, Version};
use crate::domain::policy::OnPause;
use crate::domain::time::Timestamp;

impl Course<'_, '_> {
    /// Notes a pause's begin and end. Under `keep`, periods that turn meanwhile are granted; at the end of either kind, the
    /// period that then runs: Stripe bills nothing for the gap (rule 33). Where it does bill what a pause of the whole resumes
    /// with, and that fails, the period is not paid, like any other. Returns whether it may have granted one.
    pub(super) fn pause(&mut self, fact: &Fact, version: &Version<'_>) -> bool {
        let shown = version.shown;
        let by_status = shown.status == Status::Paused;
        let trial_over = by_status
            && match shown.pause_reason {
                Some(reason) => reason == PauseReason::TrialEnd,
                None => self.objects.subscription.had_trial_by(fact.at),
            };
        let failed = by_status && shown.pause_reason == Some(PauseReason::PaymentFailed);
        let on = (shown.collection_paused || by_status) && !failed;
        let before = self.life.paused;
        let mut granted = false;
        if let Some(pause) = before.filter(|p| !p.trial_over && !trial_over) {
            let keeps = self.policy_at(pause.since).on_pause == OnPause::Keep;
            let resumed = !on && matches!(shown.status, Status::Active | Status::Trialing);
            let whole = pause.whole && resumed;
            let owed = version
                .items
                .iter()
                .filter(|i| whole && self.owes_for(i, pause.since));
            let owed: Vec<ItemKey> = owed.map(|i| i.key.clone()).collect();
            if keeps || resumed {
                self.grant_periods(version, |key, start| {
                    let counts = (keeps && start >= pause.since) || (resumed && start <= fact.at);
                    counts && !owed.contains(key)
                });
                granted = true;
            }
        }
        self.life.paused = on.then(|| Pause {
            since: before.map_or(fact.at, |p| p.since),
            trial_over,
            whole: by_status,
        });
        granted
    }

    /// Whether an invoice for an item's running period failed since an instant, and was not paid.
    fn owes_for(&self, item: &ItemThen, since: Timestamp) -> bool {
        let Some((start, end)) = item.period else {
            return false;
        };
        let failed = |i: &&Invoice<'_>| {
            let failed = i.failed.as_ref().is_some_and(|f| f.at >= since);
            failed && i.paid.is_none()
        };
        let failed = self.objects.invoices.values().filter(failed);
        let lines = failed.flat_map(|i| self.objects.subscription.items.lines_of(i.lines));
        let bills = |(key, l): (ItemKey, &InvoiceLine)| {
            let is_base = !l.proration && l.amount >= 0;
            key == item.key && is_base && l.start < end && l.end > start
        };
        lines.into_iter().any(bills)
    }

    fn grant_periods(
        &mut self,
        version: &Version<'_>,
        counts: impl Fn(&ItemKey, Timestamp) -> bool,
    ) {
        // What was never paid for is granted nothing (rule 20); for metadata, any item that carried it paid (rule 10).
        let had = |key: &ItemKey| self.life.paid_end(key).is_some();
        // Nor is what no plan names: it does not extend a license that is for something else (rule 15).
        let asked = self.life.asked.is_some();
        let asked_had = asked && self.life.carriers.iter().any(had);
        let licensed = self.objects.subscription.licensed_at(version.at);
        let licensed: Vec<&ItemKey> = licensed.collect();
        let sells = |key: &ItemKey| asked || licensed.contains(&key);
        let is_paid =
            |i: &&ItemThen| (asked_had || had(&i.key)) && sells(&i.key) && !self.life.only_used(i);
        let items: Vec<ItemThen> = version.items.iter().filter(is_paid).cloned().collect();
        for item in items {
            if let Some((start, end)) = item.period.filter(|(start, _)| counts(&item.key, *start)) {
                self.paid_mut(&item.key).grant(start, end);
            }
        }
    }

    /// What a snapshot says of a subscription that is paused as a whole.
    pub(super) fn paused(&mut self, fact: &Fact, version: &Version<'_>) {
        if version.shown.pause_reason == Some(PauseReason::PaymentFailed) {
            if !self.is_covered(fact.at) && self.grace_may_start() {
                self.start_episode(fact, version.learned, cause(fact, version));
            }
        } else if self.state().is_none() {
            let trial = self.objects.subscription.had_trial_by(fact.at);
            self.step(
                fact,
                if trial {
                    SubscriptionTrigger::TrialRuns
                } else {
                    SubscriptionTrigger::Runs
                },
            );
        }
    }
}
