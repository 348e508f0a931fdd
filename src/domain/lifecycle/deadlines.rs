//! What time alone does to a subscription's life.

use super::Cause;
use super::course::Course;
use super::grace::{Cause as FailureCause, Episode, FailureTime, GraceOutcome};
use super::role::Role;
use super::subscription::SubscriptionTrigger;
use crate::domain::fact::SubscriptionStatus as Status;
use crate::domain::id::InvoiceId;
use crate::domain::object::Invoice;
use crate::domain::time::{Span, Timestamp};

/// By so long after a sent invoice fell due Stripe has called its subscription late.
const OVERDUE_NOTICED: Span = Span::from_days(1);

impl Course<'_, '_> {
    /// Lets the deadlines up to an instant pass.
    pub(super) fn pass_deadlines(&mut self, to: Timestamp) {
        for (due, invoice) in self.fallen_due(to) {
            self.lapse(due);
            self.fall_overdue(due, invoice);
        }
        self.lapse(to);
    }

    /// Graces that end until an instant are over.
    fn lapse(&mut self, to: Timestamp) {
        let runs = |e: &&mut Episode| e.is_open() && e.lapsed.is_none() && e.ends <= to;
        let next = |all: &mut [Episode]| {
            let episode = all.iter_mut().filter(runs).min_by_key(|e| e.ends)?;
            // rule 27: at that instant, whenever it is noticed.
            episode.lapsed = Some(episode.ends);
            Some((episode.ends, episode.gave_up))
        };
        while let Some((ends, gave_up)) = next(&mut self.life.episodes) {
            // Where Stripe ended it meanwhile there is nothing left that could lapse and come back by itself.
            let trigger = if gave_up {
                SubscriptionTrigger::GraceOutlived
            } else {
                SubscriptionTrigger::GraceOver
            };
            self.trigger(ends, trigger, || Cause::GraceOver);
        }
    }

    /// Sent renewals whose due date comes until an instant while the subscription is late already for another invoice: no
    /// event tells of them, for its status changes no more (rule 32). Oldest first.
    fn fallen_due(&mut self, to: Timestamp) -> Vec<(Timestamp, InvoiceId)> {
        let from = self.passed;
        self.passed = from.max(to);
        let is_late = |s: Status| matches!(s, Status::PastDue | Status::Unpaid);
        if !self
            .shown
            .is_some_and(|v| v.shown.send_invoice && is_late(v.shown.status))
        {
            return Vec::new();
        }
        let mut due: Vec<(Timestamp, InvoiceId)> = self
            .sent_renewals()
            .filter(|(at, i)| from < *at && *at <= to && is_owed(i, *at))
            .map(|(at, i)| (at, i.shown.id.clone()))
            .collect();
        due.sort_unstable();
        due
    }

    /// Sent renewals with their due dates.
    pub(super) fn sent_renewals(&self) -> impl Iterator<Item = (Timestamp, &Invoice<'_>)> {
        let renewals = self.objects.invoices.values();
        let renewals = renewals.filter(|i| self.role_of(i) == Role::Renewal);
        renewals.filter_map(|i| Some((i.due()?, i)))
    }

    /// The sent renewal that is overdue at an instant: the one that fell due last, for an older debt was told of before. What
    /// was due before the last grace was settled starts nothing again, nor what was overdue for long when Stripe last called
    /// the subscription well: something else makes it late then.
    pub(super) fn overdue_renewal(
        &self,
        at: Timestamp,
        last_well: Option<Timestamp>,
    ) -> Option<InvoiceId> {
        let settled = |e: &Episode| match e.outcome {
            GraceOutcome::Recovered(at) => Some(at),
            GraceOutcome::Open | GraceOutcome::Ended(_) => None,
        };
        let since = self.life.episodes.iter().filter_map(settled).max();
        let since = since.max(last_well.map(|at| at - OVERDUE_NOTICED));
        self.sent_renewals()
            .filter(|(due, i)| Some(*due) > since && *due <= at && is_owed(i, at))
            .max_by_key(|(due, _)| *due)
            .map(|(_, i)| i.shown.id.clone())
    }

    /// Whether a sent invoice for something else is overdue at an instant.
    pub(super) fn overdue_side(&self, at: Timestamp) -> bool {
        let mut all = self.objects.invoices.values();
        all.any(|i| {
            self.role_of(i) == Role::Side && i.due().is_some_and(|due| due <= at) && is_owed(i, at)
        })
    }

    fn fall_overdue(&mut self, due: Timestamp, invoice: InvoiceId) {
        // rule 32: at the due date, though no event tells of it.
        let learned = self.shown.map_or(due, |v| v.learned.max(due));
        if !self.had_time(due) || self.is_covered(due) {
            return;
        }
        if self.grace_may_start() {
            let cause = FailureCause::Invoice(invoice);
            self.begin_grace(FailureTime { at: due, learned }, cause, || Cause::Overdue);
        } else {
            self.fail_beside(FailureTime { at: due, learned }, &invoice, || {
                Cause::Overdue
            });
        }
    }
}

/// Whether an invoice is final and waits for its money at an instant, and no try of it failed before.
pub(super) fn is_owed(invoice: &Invoice<'_>, at: Timestamp) -> bool {
    let done = [&invoice.paid, &invoice.closed, &invoice.failed];
    invoice.finalized.is_some_and(|f| f <= at) && done.into_iter().flatten().all(|h| h.at > at)
}
