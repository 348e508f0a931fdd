//! What a subscription's invoices do to its life: they alone prove a payment, and a renewal's failure starts the grace.

use super::Cause;
use super::course::Course;
use super::grace::{Cause as FailureCause, Episode, FailureTime, GraceOutcome, Owed, SideFailure};
use super::paid_time::PaidTime;
use super::role::{self, Role};
use super::subscription::{SubscriptionState as S, SubscriptionTrigger};
use super::subscription_life::OpenRenewal;
use crate::domain::fact::{BillingReason, Fact};
use crate::domain::finding::Finding;
use crate::domain::id::{InvoiceId, ItemKey};
use crate::domain::object::invoice::InvoiceState;
use crate::domain::object::{Invoice, ItemThen};
use crate::domain::time::Timestamp;

impl<'f> Course<'_, 'f> {
    /// An event of an invoice: it counts where it is the one that paid it, was its first failed try, or gave it up.
    pub(super) fn invoice(&mut self, fact: &Fact, id: &InvoiceId) {
        let objects = self.objects;
        let Some(invoice) = objects.invoices.get(id) else {
            return;
        };
        self.decide_role(invoice);
        self.invoice_findings(invoice);
        let is_this = |happened: &Option<crate::domain::object::invoice::Happened>| {
            happened.as_ref().is_some_and(|h| h.event == fact.id)
        };
        if is_this(&invoice.paid) {
            self.paid(fact, invoice);
        } else if is_this(&invoice.failed) {
            self.failed(fact, invoice);
        } else if is_this(&invoice.closed) {
            self.settle_side(fact.at, invoice);
            self.write_off(fact);
        }
    }

    /// Decided once, at the invoice's first event, by what was paid before it.
    fn decide_role(&mut self, invoice: &Invoice<'f>) {
        if self.roles.contains_key(&invoice.shown.id) {
            return;
        }
        let lines = role::licensed_lines(&self.objects.subscription, invoice, self.terms);
        let paid_until = |key: &ItemKey| self.life.paid.get(key).and_then(PaidTime::end);
        let trial_license = self.life.trial_until.is_some();
        let mut firsts = self.objects.invoices.values().filter(|i| i.is_first());
        let first_in_vain = firsts.any(|i| i.came_to_nothing(invoice.first_at));
        let role = role::role(
            &self.objects.subscription,
            invoice,
            &lines,
            paid_until,
            trial_license,
            first_in_vain,
        );
        self.roles.insert(invoice.shown.id.clone(), (role, lines));
    }

    pub(super) fn role_of(&self, invoice: &Invoice<'_>) -> Role {
        self.roles
            .get(&invoice.shown.id)
            .map_or(Role::Side, |(role, _)| *role)
    }

    /// Items and times that an invoice bills without changing a running period.
    fn base_of(&self, invoice: &Invoice<'_>) -> Vec<(ItemKey, Timestamp, Timestamp)> {
        let lines = self
            .roles
            .get(&invoice.shown.id)
            .map(|(_, lines)| lines.as_slice())
            .unwrap_or_default();
        let base = lines
            .iter()
            .filter(|(_, l)| !l.line.proration && l.line.amount >= 0 && !l.trial);
        base.map(|(key, l)| (key.clone(), l.line.start, l.line.end))
            .collect()
    }

    fn invoice_findings(&mut self, invoice: &Invoice<'_>) {
        if let Some((at, event)) = &invoice.contradicted {
            let (invoice, event) = (invoice.shown.id.clone(), event.clone());
            self.findings
                .add(*at, Finding::NotPaidAfterAll { invoice, event });
        }
        if let Some(at) = invoice.finalization_failed {
            self.findings
                .add(at, Finding::FinalizationFailed(invoice.shown.id.clone()));
        }
    }

    fn paid(&mut self, fact: &Fact, invoice: &Invoice<'f>) {
        self.settle_side(fact.at, invoice);
        // Rule 16: a negative or zero invoice after the end is no payment.
        if self.life.ended.as_ref().is_some_and(|e| !e.never_began) && invoice.shown.total > 0 {
            self.findings
                .add(fact.at, Finding::PaidAfterEnd(invoice.shown.id.clone()));
        }
        let reaches = self.pay(fact.at, invoice);
        self.share_running_period(fact.at);
        let trial = self
            .roles
            .get(&invoice.shown.id)
            .is_some_and(|(_, lines)| lines.iter().any(|(_, l)| l.trial));
        let unpaid = self.state().is_some_and(S::owes);
        // rule 28: an old debt alone restores nothing.
        let settles = reaches && (!unpaid || self.is_covered(fact.at));
        let bills_now = || {
            invoice
                .lines
                .lines
                .iter()
                .any(|l| l.of_subscription && l.end > fact.at)
        };
        if settles {
            self.settled_by(fact);
        } else if trial && self.state().is_none() {
            self.step(fact, SubscriptionTrigger::TrialRuns);
        } else if !self.sells_at(fact.at) && bills_now() {
            // Nothing of it is licensed: what was paid is all that tells that it runs.
            self.step(fact, SubscriptionTrigger::Runs);
        } else if self.state().is_none() {
            self.step(fact, SubscriptionTrigger::FirstPaymentOpen);
        }
    }

    fn failed(&mut self, fact: &Fact, invoice: &Invoice<'f>) {
        let role = self.role_of(invoice);
        if role == Role::First {
            if self.state().is_none() {
                self.step(fact, SubscriptionTrigger::FirstPaymentOpen);
            }
            return;
        }
        self.unpaid_period(fact.at, invoice);
        // An older period's leftovers, and what a person gave time beyond, endanger nothing now.
        let leaves_gap = !self.is_covered(fact.at) && self.sells_at(fact.at);
        if role == Role::Side || !leaves_gap {
            self.side_failure(fact, invoice);
            return;
        }
        if let Some(episode) = self.life.episodes.iter_mut().rfind(|e| e.is_open()) {
            // Now it is known what it is late for.
            episode.guessed = false;
        }
        let learned = invoice.failed.as_ref().map_or(fact.received, |f| f.learned);
        let id = invoice.shown.id.clone();
        if self.grace_may_start() {
            self.start_episode(fact, learned, FailureCause::Invoice(id));
        } else {
            self.fail_beside(
                FailureTime {
                    at: fact.at,
                    learned,
                },
                &id,
                || Cause::event(fact),
            );
        }
    }

    /// What a renewal's failure says of time: the period before it was paid, though nobody told us, and where only
    /// snapshots tell of payments, its own is not.
    fn unpaid_period(&mut self, at: Timestamp, invoice: &Invoice<'f>) {
        let first_unpaid = self.roles.values().any(|(role, _)| *role == Role::First);
        let renews = invoice.shown.reason == BillingReason::Cycle && !first_unpaid;
        for (key, start, _) in self.base_of(invoice) {
            let silent = self.is_silent(&key, at);
            let unknown = self.life.trial_until.is_none();
            let paid = self.paid_mut(&key);
            if renews && unknown && paid.end().is_none() {
                paid.grant(start, start);
            }
            if silent {
                paid.credit(start, Timestamp::MAX);
            }
        }
    }

    /// Rule 26: a failed invoice for something else in a paid period is told and stops nothing.
    fn side_failure(&mut self, fact: &Fact, invoice: &Invoice<'_>) {
        if self.is_excused() || self.life.ended.is_some() {
            return;
        }
        self.life.side_failures.push(SideFailure {
            invoice: invoice.shown.id.clone(),
            at: fact.at,
            learned: invoice.failed.as_ref().map_or(fact.received, |f| f.learned),
            settled: None,
            action_required: invoice.action_required,
            owed: owed(invoice),
        });
    }

    fn settle_side(&mut self, at: Timestamp, invoice: &Invoice<'_>) {
        let sides = self.life.side_failures.iter_mut();
        for side in sides.filter(|s| s.invoice == invoice.shown.id && s.settled.is_none()) {
            side.settled = Some(at);
        }
    }

    pub(super) fn start_episode(&mut self, fact: &Fact, learned: Timestamp, cause: FailureCause) {
        self.begin_grace(
            FailureTime {
                at: fact.at,
                learned,
            },
            cause,
            || Cause::event(fact),
        );
    }

    /// Starts a grace at an instant, which was learned at another.
    pub(super) fn begin_grace(
        &mut self,
        FailureTime { at, learned }: FailureTime,
        cause: FailureCause,
        told_by: impl FnOnce() -> Cause,
    ) {
        let (policy, ends) = (self.policy_at(at), self.grace_ends(at));
        let invoice = match &cause {
            FailureCause::Invoice(id) => self.objects.invoices.get(id),
            FailureCause::FailureAt(_) => None,
        };
        let concern = self.concern_of(&cause, at);
        self.life.episodes.push(Episode {
            concern,
            started: at,
            learned,
            ends,
            action_required: invoice.is_some_and(|i| i.action_required),
            policy,
            outcome: GraceOutcome::Open,
            lapsed: None,
            owed: invoice.map(owed).unwrap_or_default(),
            gave_up: false,
            guessed: false,
            cause,
        });
        self.trigger(at, SubscriptionTrigger::RenewalFailed, told_by);
    }

    /// Rule 29: the newest renewal was given up, and Stripe goes on: the running period is granted to its end, for the
    /// items that are licensed then, though an older invoice be still open.
    pub(super) fn write_off(&mut self, fact: &Fact) {
        let Some(version) = self.shown else { return };
        let runs = version.shown.status == crate::domain::fact::SubscriptionStatus::Active;
        let late = self.life.open_episode().is_some() || version.shown.was_late();
        if self.life.ended.is_some()
            || !runs
            || !late
            || !self.newest_renewal_is_written_off(fact.at)
        {
            return;
        }
        let licensed = self.objects.subscription.licensed_at(fact.at);
        let licensed: Vec<&ItemKey> = licensed.collect();
        let sells = |key: &ItemKey| licensed.contains(&key);
        let carries = |key: &ItemKey| self.life.asked.is_some() && self.life.carriers.contains(key);
        let runs_now = |i: &&ItemThen| sells(&i.key) || carries(&i.key) && !self.life.only_used(i);
        let granted: Vec<_> = version
            .items
            .iter()
            .filter(runs_now)
            .filter_map(|i| Some((i.key.clone(), i.period?)))
            .collect();
        for (key, (start, end)) in granted
            .into_iter()
            .filter(|(_, (start, _))| *start <= fact.at)
        {
            self.paid_mut(&key).grant(start, end);
        }
        if self.is_covered(fact.at) {
            self.step(fact, SubscriptionTrigger::WrittenOff);
        }
    }

    fn newest_renewal_is_written_off(&self, at: Timestamp) -> bool {
        // A first invoice gives a license only when it is paid (rule 20).
        let renewals = self
            .objects
            .invoices
            .values()
            .filter(|i| self.role_of(i) == Role::Renewal);
        let started = |i: &&Invoice<'_>| {
            self.base_of(i)
                .iter()
                .map(|(_, start, _)| *start)
                .max()
                .filter(|s| *s <= at)
        };
        let newest = renewals
            .filter_map(|i| Some((started(&i)?, i)))
            .max_by_key(|(start, _)| *start);
        newest
            .is_some_and(|(_, i)| i.closed.as_ref().is_some_and(|c| c.at <= at) && i.paid.is_none())
    }

    /// Renewals that are final and open keep a license alive for a while: bank debits take days (rule 19), and a sent
    /// invoice has until its due date (rule 32).
    pub(super) fn note_open_renewals(&mut self) {
        let mut open: Vec<OpenRenewal> = Vec::new();
        for (id, invoice) in &self.objects.invoices {
            let asks = matches!(invoice.state, InvoiceState::Draft | InvoiceState::Open)
                && invoice.failed.is_none();
            if !asks || self.role_of(invoice) != Role::Renewal {
                continue;
            }
            let items = self.renewed_by(id, |_| true);
            if let Some(due) = invoice.due() {
                let since = invoice.finalized.unwrap_or(invoice.first_at);
                open.push(OpenRenewal {
                    items,
                    since,
                    until: due,
                    sent: true,
                });
                continue;
            }
            for at in invoice
                .finalized
                .into_iter()
                .chain(invoice.finalization_failed)
            {
                let until = at + self.policy_at(at).processing_margin;
                open.push(OpenRenewal {
                    items: items.clone(),
                    since: at,
                    until,
                    sent: false,
                });
            }
        }
        open.sort_unstable_by_key(|o| o.until);
        self.life.open_renewals = open;
    }
}

fn owed(invoice: &Invoice<'_>) -> Owed {
    Owed {
        amount: Some((invoice.shown.amount_due, invoice.shown.currency.clone())),
        next_attempt: invoice.shown.next_attempt,
        hosted_url: invoice.shown.hosted_url.clone(),
    }
}
