//! A subscription that Stripe calls late: whether that begins a grace.

use super::Cause;
use super::course::Course;
use super::grace::{Cause as FailureCause, FailureTime};
use super::role::Role;
use super::subscription::SubscriptionTrigger;
use crate::domain::fact::{Fact, SubscriptionStatus as Status};
use crate::domain::finding::Finding;
use crate::domain::id::ItemKey;
use crate::domain::object::invoice::InvoiceState;
use crate::domain::object::{Invoice, Version};
use crate::domain::time::Timestamp;

impl Course<'_, '_> {
    /// `past_due` or `unpaid`: where the failed invoice is known, its own event began the grace; where only snapshots come
    /// the period is not paid, and the grace begins here.
    pub(super) fn late(&mut self, fact: &Fact, version: &Version<'_>) {
        // A month's invoice may have longer to be paid than the month: then it is an older one that makes it late now.
        let versions = self.objects.subscription.versions.iter();
        let before = versions.take_while(|v| !std::ptr::eq(*v, version)).last();
        let was_late =
            before.is_some_and(|v| matches!(v.shown.status, Status::PastDue | Status::Unpaid));
        let last_well = before.filter(|_| !was_late).map(|v| v.at);
        let overdue = self.overdue_renewal(fact.at, last_well);
        let overdue = overdue.filter(|_| !was_late);
        if overdue.is_none() && self.is_explained(version) {
            return;
        }
        let guessed = overdue.is_none() && !self.knows_why_late(version);
        let first_unpaid = self.roles.values().any(|(role, _)| *role == Role::First);
        let created = self.objects.subscription.created();
        let lived = |start: Timestamp| {
            created.is_some_and(|c| c < start)
                && !first_unpaid
                && !version.shown.send_invoice
                && !self.objects.subscription.had_trial_by(start)
        };
        let periods: Vec<(ItemKey, Timestamp, bool)> = version
            .items
            .iter()
            .filter_map(|i| i.period.map(|(s, _)| (i.key.clone(), s, lived(s))))
            .collect();
        for (key, start, lived) in periods {
            let known = self.life.paid_end(&key).is_some();
            let silent = self.is_silent(&key, fact.at);
            let paid = self.paid_mut(&key);
            if lived && !known {
                paid.grant(start, start);
            }
            if silent {
                paid.credit(start, Timestamp::MAX);
            }
        }
        if self.had_time(fact.at) && !self.is_covered(fact.at) && self.grace_may_start() {
            let named = overdue.map(FailureCause::Invoice);
            let cause = named.unwrap_or_else(|| cause(fact, version));
            self.start_episode(fact, version.learned, cause);
            if guessed {
                self.findings.add(fact.at, Finding::LateForUnknown);
                if let Some(episode) = self.life.episodes.last_mut() {
                    episode.guessed = true;
                }
            }
        } else if self.state().is_none() {
            self.step(fact, SubscriptionTrigger::FirstPaymentOpen);
        } else if let Some(invoice) = overdue {
            self.fail_beside(
                FailureTime {
                    at: fact.at,
                    learned: version.learned,
                },
                &invoice,
                || Cause::event(fact),
            );
        }
    }

    /// Whether what it is late for is known: its renewal's invoice, or all of its life. What began before anybody told us of it
    /// may owe for something else (a manual invoice, an upgrade): the grace gives time, and its end waits for a person.
    fn knows_why_late(&self, version: &Version<'_>) -> bool {
        let newest = version.shown.latest_invoice.as_ref();
        let newest = newest.and_then(|id| self.objects.invoices.get(id));
        let renews =
            |i: &Invoice<'_>| self.role_of(i) == Role::Renewal && i.is_unpaid_at(version.at);
        self.objects.heard_from_its_beginning() || newest.is_some_and(renews)
    }

    /// Whether something else explains that it is late: a side invoice that failed, a first one that is unpaid, a renewal
    /// that is still a draft, a sent one that is not due yet, or a renewal whose own failure is known (rules 20, 25, 32).
    fn is_explained(&self, version: &Version<'_>) -> bool {
        let side = self.life.side_failures.iter().any(|s| s.settled.is_none());
        let mut firsts = self
            .objects
            .invoices
            .values()
            .filter(|i| self.role_of(i) == Role::First);
        let first = firsts.any(|i| i.finalized.is_some() && i.is_unpaid_at(version.at));
        let newest = version
            .shown
            .latest_invoice
            .as_ref()
            .and_then(|id| self.objects.invoices.get(id));
        // At the very turn its renewal is a draft: what is late is older.
        let turns = version
            .items
            .iter()
            .any(|i| i.period.is_some_and(|(start, _)| start == version.at));
        // Who hears of invoices when they are final, and not of this one, knows a draft.
        let hears = self
            .objects
            .invoices
            .values()
            .any(|i| i.finalized.is_some());
        let drafted = newest.is_none() && version.shown.latest_invoice.is_some() && hears;
        // A sent one never fails: it is overdue (rule 32).
        let side_due = self.overdue_side(version.at);
        side || side_due
            || first
            || turns
            || drafted
            || newest.is_some_and(|i| {
                let draft =
                    i.state == InvoiceState::Draft || i.finalized.is_some_and(|at| at > version.at);
                let not_due = i.due().is_some_and(|due| due > version.at);
                draft
                    || not_due
                    || (i.failed.is_some()
                        && i.shown.reason == crate::domain::fact::BillingReason::Cycle)
            })
    }
}

/// A grace that only a snapshot tells of belongs to the subscription's newest invoice, where one is named.
pub(super) fn cause(fact: &Fact, version: &Version<'_>) -> FailureCause {
    version
        .shown
        .latest_invoice
        .clone()
        .map_or(FailureCause::FailureAt(fact.at), FailureCause::Invoice)
}
