//! What a subscription's snapshots say.
//!
//! A status proves no payment. Only where no paid invoice was ever heard of does a snapshot speak for one.

use super::{Ending, Pause, TrialEnding, Walk};
use crate::domain::fact::{Fact, PauseReason, Subscription, SubscriptionEvent, SubscriptionStatus};
use crate::domain::fold::cover::Cover;
use crate::domain::subscription::{State as S, Trigger};
use crate::domain::time::{Span, Timestamp};

/// A new subscription's first snapshot can be `active` while its first payment is under way. Its first invoice is told of
/// in the same second; if none was by this long after, the endpoint hears of no invoices, and the snapshot speaks.
const SPEAKS_AFTER: Span = Span::from_minutes(10);

impl Walk<'_> {
    pub(super) fn snapshot(&mut self, fact: &Fact, snapshot: &Subscription) {
        for key in &snapshot.wants.unreadable {
            self.report(fact.at, &format!("the subscription's metadata `{key}` has a value that cannot be read"));
        }
        if self.fold.ended.is_some() {
            return;
        }
        if snapshot.event == SubscriptionEvent::TrialWillEnd
            && let Some(trial_end) = snapshot.trial_end
        {
            self.fold.trial_ending = Some(TrialEnding { trial_end, at: fact.at, learned: fact.received });
        }
        if snapshot.event == SubscriptionEvent::Deleted || snapshot.status == SubscriptionStatus::Canceled {
            self.end(fact, snapshot);
            self.keep_snapshot(fact.at, snapshot);
            return;
        }
        let before = self.fold.snapshot.as_ref().map(|(_, s)| s.status);
        self.keep_snapshot(fact.at, snapshot);
        self.plan_end(fact.at, snapshot);
        self.pause(fact, snapshot);
        self.trial(fact.at, snapshot);
        match snapshot.status {
            SubscriptionStatus::Incomplete => self.step(fact, Trigger::FirstPaymentOpen),
            SubscriptionStatus::IncompleteExpired => {
                self.fold.ended = Some(Ending { at: fact.at, told: fact.at, gave_up: false, never_began: true });
                self.step(fact, Trigger::FirstPaymentExpired);
            }
            SubscriptionStatus::Trialing => self.step(fact, Trigger::TrialRuns),
            SubscriptionStatus::Active => self.active(fact, snapshot, before),
            SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid => self.late(fact, snapshot),
            SubscriptionStatus::Paused => self.paused(fact, snapshot),
            SubscriptionStatus::Canceled | SubscriptionStatus::Unknown => {}
        }
    }

    /// Keeps the newest snapshot. One that shows no items (a deletion in some old versions) keeps those known.
    fn keep_snapshot(&mut self, at: Timestamp, snapshot: &Subscription) {
        let mut kept = snapshot.clone();
        if let Some((_, old)) = self.fold.snapshot.take()
            && kept.items.is_empty()
        {
            kept.items = old.items;
        }
        self.fold.snapshot = Some((at, kept));
    }

    fn plan_end(&mut self, at: Timestamp, snapshot: &Subscription) {
        let planned = snapshot.cancel_at_period_end || snapshot.cancel_at.is_some();
        self.fold.planned_since = match (planned, self.fold.planned_since) {
            (true, since) => Some(since.unwrap_or(at)),
            (false, _) => None,
        };
    }

    /// Notes a pause's begin and end, and grants the periods that turned while it was on.
    fn pause(&mut self, fact: &Fact, snapshot: &Subscription) {
        let by_status = snapshot.status == SubscriptionStatus::Paused;
        let trial_over = by_status
            && match snapshot.pause_reason {
                Some(reason) => reason == PauseReason::TrialEnd,
                None => self.trial_seen,
            };
        let failed = by_status && snapshot.pause_reason == Some(PauseReason::PaymentFailed);
        let on = (snapshot.collection_paused || by_status) && !failed;
        let since = self.fold.paused.map(|p| p.since);
        let keeps = self.policy_at(since.unwrap_or(fact.at)).on_pause == crate::domain::policy::OnPause::Keep;
        if let Some(since) = since.filter(|_| keeps && !trial_over) {
            self.grant_periods(snapshot, |start| start >= since);
        }
        self.fold.paused = on.then(|| Pause { since: since.unwrap_or(fact.at), trial_over });
    }

    fn grant_periods(&mut self, snapshot: &Subscription, counts: impl Fn(Timestamp) -> bool) {
        for item in &snapshot.items {
            let (Some(start), Some(end)) = (item.period_start, item.period_end) else { continue };
            if counts(start)
                && let Some(key) = self.fold.known.key_of_item(item).cloned()
            {
                let granted = self.fold.granted.entry(key).or_insert(end);
                *granted = (*granted).max(end);
            }
        }
    }

    fn trial(&mut self, at: Timestamp, snapshot: &Subscription) {
        let Some(trial_end) = snapshot.trial_end else { return };
        if snapshot.status != SubscriptionStatus::Trialing && !(self.trial_seen && trial_end <= at) {
            return;
        }
        self.trial_seen = true;
        if self.hands_out_trial(at) {
            if snapshot.status == SubscriptionStatus::Trialing {
                self.fold.began = self.fold.began.or(Some(at));
            }
            // The newest snapshot counts: a trial can be ended early.
            self.fold.trial_until = Some(trial_end);
        }
    }

    fn active(&mut self, fact: &Fact, snapshot: &Subscription, before: Option<SubscriptionStatus>) {
        let was_late = matches!(
            before.or(snapshot.previous_status),
            Some(SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid)
        ) || matches!(self.state, Some(S::Grace | S::Lapsed));
        let written_off = self.invoices.values().any(|i| i.closed_unpaid && i.failed_or_renews());
        if was_late && written_off && !self.owes() {
            self.grant_periods(snapshot, |start| start <= fact.at);
            self.step(fact, Trigger::WrittenOff);
            return;
        }
        self.step(fact, Trigger::CalledActive);
        if !self.fold.known.paid_invoice_heard && !snapshot.send_invoice {
            self.snapshot_pays(fact, snapshot);
        }
    }

    /// Whether an invoice that failed is still open. Then a debt that was written off leaves another behind.
    fn owes(&self) -> bool {
        self.invoices.values().any(|i| i.failed.is_some() && i.paid.is_none() && !i.closed_unpaid)
    }

    /// The snapshot speaks: `active` pays to its period's end, unless something told says otherwise.
    fn snapshot_pays(&mut self, fact: &Fact, snapshot: &Subscription) {
        let first_unpaid = self.fold.known.first_unpaid;
        let speaks_at = fact.at + SPEAKS_AFTER;
        let alone = snapshot.event == SubscriptionEvent::Created && !self.fold.known.session_paid;
        if alone && self.now < speaks_at {
            self.fold.speaks_at = Some(speaks_at);
            return;
        }
        for item in &snapshot.items {
            let (Some(start), Some(end)) = (item.period_start, item.period_end) else { continue };
            let Some(key) = self.fold.known.key_of_item(item).cloned() else { continue };
            let failed = self.invoices.values().any(|i| {
                i.failed.is_some_and(|at| at >= fact.at)
                    && i.base_lines.iter().any(|(k, s, e)| *k == key && *s < end && *e > start)
            });
            let cover = self.fold.covers.entry(key).or_default();
            let first = cover.end.is_none_or(|known| known <= start);
            if failed || (first_unpaid && snapshot.began.is_none_or(|b| start <= b)) {
                cover.end = cover.end.max(Some(start)).filter(|_| cover.end.is_some());
            } else {
                cover.end = Some(if first { end } else { cover.end.map_or(end, |c| c.max(end)) });
                self.fold.began = self.fold.began.or(Some(fact.at));
            }
        }
        let items = self.licensed_items(fact.at);
        if !items.is_empty() && self.covered(fact.at, &items) {
            self.step(fact, Trigger::Paid);
        }
    }

    /// `past_due` or `unpaid`: where only snapshots come, the period is not paid and the grace begins here; where the
    /// failed invoice is known, it has begun already.
    fn late(&mut self, fact: &Fact, snapshot: &Subscription) {
        let side_explains = self.fold.side_failures.iter().any(|s| s.settled.is_none());
        if !self.fold.known.paid_invoice_heard && !side_explains {
            for item in &snapshot.items {
                if let (Some(start), Some(key)) = (item.period_start, self.fold.known.key_of_item(item).cloned())
                    && let Some(cover) = self.fold.covers.get_mut(&key)
                {
                    cover.credit(start);
                }
            }
        }
        let items = self.licensed_items(fact.at);
        let had = items.iter().any(|key| self.fold.base_end(key, &self.decided).is_some());
        if had && !self.covered(fact.at, &items) && self.grace_may_start() {
            let id = self.episode_name(fact, snapshot);
            self.start_episode(fact, id);
        } else if self.state.is_none() {
            self.step(fact, Trigger::FirstPaymentFailed);
        }
    }

    fn paused(&mut self, fact: &Fact, snapshot: &Subscription) {
        if snapshot.pause_reason == Some(PauseReason::PaymentFailed) {
            let items = self.licensed_items(fact.at);
            if !self.covered(fact.at, &items) && self.grace_may_start() {
                let id = self.episode_name(fact, snapshot);
                self.start_episode(fact, id);
            }
        } else if self.state.is_none() {
            self.step(fact, if self.trial_seen { Trigger::TrialRuns } else { Trigger::CalledActive });
        }
    }

    fn episode_name(&self, fact: &Fact, snapshot: &Subscription) -> String {
        let invoice = snapshot.latest_invoice.as_ref().map(|i| i.as_str().to_owned());
        invoice.unwrap_or_else(|| format!("failure at {}", fact.at))
    }

    pub(super) fn cover_mut(&mut self, key: &str) -> &mut Cover {
        self.fold.covers.entry(key.to_owned()).or_default()
    }
}
