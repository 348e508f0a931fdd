//! What a subscription's snapshots do to its life.
//!
//! A status proves no payment. Only where no paid invoice was ever heard of does a snapshot speak for one.

use super::Hears;
use super::course::{Course, SPEAKS_AFTER};
use super::paid_time::PaidPeriod;
use super::subscription::{SubscriptionState as S, SubscriptionTrigger};
use super::subscription_life::{Deleted, TrialEnding};
use crate::domain::fact::{EndReason, Fact, SubscriptionEvent, SubscriptionStatus as Status};
use crate::domain::id::ItemKey;
use crate::domain::object::{Invoice, ItemThen, Version, session};
use crate::domain::time::Timestamp;

impl<'f> Course<'_, 'f> {
    pub(super) fn version(&mut self, fact: &Fact, version: &Version<'f>) {
        let shown = version.shown;
        self.unreadable(fact.at, &shown.wants);
        if self.life.ended.is_some() {
            return;
        }
        if shown.event == SubscriptionEvent::TrialWillEnd
            && let Some(trial_end) = shown.trial_end
        {
            self.life.trial_ending = Some(TrialEnding {
                trial_end,
                at: fact.at,
                learned: fact.received,
            });
        }
        if shown.event == SubscriptionEvent::Deleted || shown.status == Status::Canceled {
            self.end(fact, version);
            return;
        }
        self.schedule_end(version);
        let granted = self.pause(fact, version);
        self.trial(version);
        self.share_running_period(version.at);
        match shown.status {
            Status::Incomplete => self.step(fact, SubscriptionTrigger::FirstPaymentOpen),
            Status::IncompleteExpired => {
                self.life.ended = Some(Deleted {
                    at: fact.at,
                    told: fact.at,
                    gave_up: false,
                    asked: false,
                    never_began: true,
                });
                self.step(fact, SubscriptionTrigger::FirstPaymentExpired);
            }
            Status::Trialing => self.step(fact, SubscriptionTrigger::TrialRuns),
            Status::Active => self.active(fact, version),
            Status::PastDue | Status::Unpaid => self.late(fact, version),
            // rules 24, 31: a pause for want of a way to pay.
            Status::Paused => self.paused(fact, version),
            Status::Canceled | Status::Unknown => {}
        }
        // rule 28: what a pause grants covers the present as a payment does, also where a renewal had failed before.
        if granted && self.state().is_some_and(S::owes) && self.is_covered(fact.at) {
            self.settled_by(fact);
        }
    }

    fn schedule_end(&mut self, version: &Version<'_>) {
        let shown = version.shown;
        let scheduled = shown.cancel_at_period_end || shown.cancel_at.is_some();
        self.life.scheduled_since =
            scheduled.then(|| self.life.scheduled_since.unwrap_or(version.at));
        (self.life.cancel_at, self.life.cancel_at_period_end) =
            (shown.cancel_at, shown.cancel_at_period_end);
    }

    /// The newest trial end counts: a trial can be ended early. Rule 23: one that is added to a paid, running subscription
    /// extends its license, whatever the policy says of trials at the beginning.
    fn trial(&mut self, version: &Version<'_>) {
        let (shown, at) = (version.shown, version.at);
        let Some(trial_end) = shown.trial_end else {
            return;
        };
        let runs = shown.status == Status::Trialing;
        let ended_early = self.life.trial_until.is_some() && trial_end <= at;
        let added = self.life.began.is_some()
            && self.life.trial_until.is_none_or(|known| known != trial_end);
        let gives = self.hands_out_trial(at) || added;
        let just_over = self.hands_out_trial(at) && self.is_just_over(version, trial_end);
        if !(runs && gives || ended_early || just_over) {
            return;
        }
        if runs || just_over {
            self.life.began = self.life.began.or(Some(at.min(trial_end)));
        }
        self.life.trial_until = Some(trial_end);
    }

    /// Whether a trial that nothing told of while it ran ended where the running period begins: the first snapshot that was heard of is
    /// of after it. What its license lasted for is known all the same, and a first failure finds something to keep.
    fn is_just_over(&self, version: &Version<'_>, trial_end: Timestamp) -> bool {
        let untold = self.life.trial_until.is_none() && self.life.paid.is_empty();
        let begins = |i: &ItemThen| i.period.is_some_and(|(start, _)| start == trial_end);
        untold
            && trial_end <= version.at
            && !self.objects.subscription.heard_from_its_beginning()
            && version.items.iter().any(begins)
    }

    /// Rule 14: a licensed item that is added takes effect at once, before any invoice for it, while the running period is
    /// paid: to the end of that. One that comes before the running period is paid, or is in part, has to wait for that.
    pub(super) fn share_running_period(&mut self, at: Timestamp) {
        let Some(version) = self.shown else { return };
        let items = &self.objects.subscription.items;
        let is_licensed = |key: &ItemKey| items.history(key).is_some_and(|h| h.is_licensed_at(at));
        let was_paid = |key: &ItemKey| self.life.paid.get(key).is_some_and(|p| p.end().is_some());
        let came = |i: &ItemThen| self.life.came.get(&i.key).copied();
        let came_now = |i: &ItemThen| i.period.is_some_and(|(start, _)| came(i) > Some(start));
        let licensed = || version.items.iter().filter(|i| is_licensed(&i.key));
        let is_new = |i: &&ItemThen| i.quantity > 0 && (!was_paid(&i.key) || came_now(i));
        let new: Vec<&ItemThen> = licensed().filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let old: Vec<&ItemThen> = licensed().filter(|i| was_paid(&i.key)).collect();
        // What was there from the beginning has a first invoice of its own. Of one that was heard of in the midst of its life
        // an item that no paid invoice names came in between, too.
        let subscription = &self.objects.subscription;
        let began = subscription.versions.first().map(|v| &v.at);
        let is_whole = subscription.versions.first().is_none_or(|first| {
            let began = first.shown.created.or(first.shown.began);
            began.is_none_or(|began| first.at < began + SPEAKS_AFTER)
        });
        // What is billed together is paid together.
        let is_peer = |i: &ItemThen, of: &ItemThen| i.key != of.key && i.period == of.period;
        let running = |of: &ItemThen| {
            // One that was there before and is not paid counts too: then the period that it came into is not.
            // Of one that was heard of late nobody knows which of two that came into sight together was first.
            let before = |i: &&ItemThen| {
                came(i) < came(of) || was_paid(&i.key) || (!is_whole && came(i) == came(of))
            };
            let alone = !licensed().filter(before).any(|i| is_peer(i, of));
            let peers = old
                .iter()
                .filter(|i| i.key != of.key && (alone || is_peer(i, of)));
            let end = peers.clone().filter_map(|i| self.base_end(&i.key)).max()?;
            let own = of.period.map_or(end, |(_, own)| own.min(end));
            (own > at && Some(own) > self.base_end(&of.key))
                .then(|| (own, self.payers(peers.map(|i| &i.key), own)))
        };
        let granted: Vec<(ItemKey, (Timestamp, Vec<PaidPeriod>))> = new
            .into_iter()
            .filter(|i| {
                let came = self.life.came.get(&i.key) > began;
                came || !(is_whole || self.is_billed_unpaid(&i.key))
            })
            .filter_map(|i| Some((i.key.clone(), running(i)?)))
            .collect();
        for (key, (end, payers)) in granted {
            self.paid_mut(&key).share(at, end, payers);
        }
        self.money_back(at);
    }

    /// Whether an invoice that is not paid bills an item: that is its own, and it waits for it (rule 20).
    fn is_billed_unpaid(&self, key: &ItemKey) -> bool {
        let items = &self.objects.subscription.items;
        let unpaid = self.objects.invoices.values().filter(|i| i.paid.is_none());
        unpaid
            .flat_map(|i| items.lines_of(i.lines))
            .any(|(k, l)| k == *key && !l.proration && l.amount >= 0)
    }

    fn active(&mut self, fact: &Fact, version: &Version<'_>) {
        self.write_off(fact);
        self.step(fact, SubscriptionTrigger::Runs);
        let silent = version
            .items
            .iter()
            .any(|i| self.is_silent(&i.key, fact.at));
        if (self.silent || silent) && !version.shown.send_invoice {
            self.snapshot_pays(fact, version);
        }
    }

    /// The snapshot speaks: `active` pays to its period's end, unless something told says otherwise.
    fn snapshot_pays(&mut self, fact: &Fact, version: &Version<'_>) {
        let speaks_at = self.objects.subscription.known_since().unwrap_or(fact.at) + SPEAKS_AFTER;
        let paid_session = self.has_paid_session();
        if !paid_session && self.hears == Hears::Invoices {
            if self.now < speaks_at {
                self.life.speaks_at = Some(speaks_at);
                return;
            }
            let beginning = self.objects.subscription.heard_from_its_beginning();
            self.life.unheard |= self.silent && beginning;
        }
        for item in &version.items {
            let speaks = !self.life.only_used(item) && self.is_silent(&item.key, fact.at);
            let Some((start, end)) = item.period.filter(|_| speaks) else {
                continue;
            };
            // The first period that costs something: the very first, or the one after a trial.
            let after_trial = version.shown.trial_end == Some(start);
            let first = after_trial || version.shown.began.is_none_or(|began| start <= began);
            let had = self.life.paid_end(&item.key).is_some();
            // rule 20: what never had time and whose first invoice came to nothing waits for a payment, whatever turns.
            let unpaid = (first && self.first_is_unpaid())
                || (!had && self.first_came_to_nothing())
                || self.failed_since(fact.at, &item.key, start, end);
            let paid = self.paid_mut(&item.key);
            if unpaid && !had {
                continue;
            }
            paid.credit(start, Timestamp::MAX);
            if !unpaid {
                paid.grant(start, end);
                self.life.began = self.life.began.or(Some(fact.at));
            }
        }
        if self.sells_at(fact.at) && self.is_covered(fact.at) {
            self.step(fact, SubscriptionTrigger::Paid);
        }
    }

    fn has_paid_session(&self) -> bool {
        self.objects.sessions.values().any(|s| s.money)
    }

    /// Whether the checkout ended unpaid and no payment was told of since, or the first invoice is known and nobody told
    /// that it was paid. A paid checkout paid it, whichever event comes first; and a failure alone does not count: an
    /// endpoint that hears of failures only will not hear of the payment that follows.
    fn first_is_unpaid(&self) -> bool {
        if self.has_paid_session() {
            return false;
        }
        let session = self.objects.sessions.values().next_back();
        let unpaid = session.is_some_and(|s| s.state != session::SessionState::Paid);
        unpaid || self.unpaid_firsts().next().is_some()
    }

    /// First invoices of which more than failures were told, and no payment.
    fn unpaid_firsts(&self) -> impl Iterator<Item = &Invoice<'f>> {
        let invoices = self.objects.invoices.values();
        invoices.filter(|i| i.is_first() && i.told_besides_failures && i.paid.is_none())
    }

    /// Whether the first invoice was tried in vain or given up, and no payment was told of.
    fn first_came_to_nothing(&self) -> bool {
        let in_vain = |i: &Invoice<'_>| i.came_to_nothing(Timestamp::MAX);
        !self.has_paid_session() && self.unpaid_firsts().any(in_vain)
    }

    /// Whether an invoice with a line for the item's period failed at that instant or later.
    fn failed_since(&self, at: Timestamp, key: &ItemKey, start: Timestamp, end: Timestamp) -> bool {
        let bills = |i: &Invoice<'_>| {
            let lines = self.objects.subscription.items.lines_of(i.lines);
            lines.iter().any(|(k, l)| {
                k == key && !l.proration && l.amount >= 0 && l.start < end && l.end > start
            })
        };
        self.objects
            .invoices
            .values()
            .any(|i| i.last_failed.is_some_and(|failed| failed >= at) && bills(i))
    }

    fn end(&mut self, fact: &Fact, version: &Version<'_>) {
        let before = self
            .objects
            .subscription
            .versions
            .iter()
            .take_while(|v| !std::ptr::eq(*v, version))
            .last();
        let status = before.map(|v| v.shown.status);
        let late = matches!(status, Some(Status::PastDue | Status::Unpaid))
            || self.state().is_some_and(S::owes);
        let scheduled = version.shown.cancel_at_period_end
            || version.shown.cancel_at.is_some()
            || self.life.scheduled_since.is_some();
        let (gave_up, asked) = match version.shown.end_reason {
            Some(EndReason::PaymentFailed) => (true, false),
            Some(EndReason::Requested | EndReason::PaymentDisputed) => (false, true),
            None => (late, scheduled),
        };
        let at = version.shown.ended_at.unwrap_or(fact.at).min(fact.at);
        self.life.ended = Some(Deleted {
            at,
            told: fact.at,
            gave_up,
            asked,
            never_began: false,
        });
        if gave_up {
            for episode in self.life.episodes.iter_mut().filter(|e| e.is_open()) {
                episode.gave_up = true;
            }
            self.step(fact, SubscriptionTrigger::GaveUp);
        } else {
            self.step(fact, SubscriptionTrigger::Cancelled);
        }
    }
}
