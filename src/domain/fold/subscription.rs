//! The fold of a subscription: its facts in order, and the deadlines between them.

mod found;
mod invoices;
mod snapshots;

pub use found::{Ending, Episode, Outcome, Pause, SideFailure, SubscriptionFold, TrialEnding};
use std::collections::BTreeMap;

use super::known::{ItemKey, Known};
use super::{Cause, Contact, Decided, Folded, Life, Report, State, Transition};
use crate::domain::condition::{Disputes, Refunds, Returned};
use crate::domain::fact::{
    EndReason, Fact, PaymentStatus, Priced, Says, Session, SessionEvent, Subscription, SubscriptionStatus,
};
use crate::domain::id::{InvoiceId, PlanName};
use crate::domain::policy::{Policy, Trial};
use crate::domain::revision::Revisions;
use crate::domain::subscription::{self, State as S, Trigger};
use crate::domain::time::Timestamp;

/// What is known of one invoice while walking.
#[derive(Clone, Debug, Default)]
struct InvoiceSeen {
    total: Option<i64>,
    failed: Option<Timestamp>,
    paid: Option<Timestamp>,
    closed_unpaid: bool,
    finalized: Option<Timestamp>,
    finalization_failed: Option<Timestamp>,
    due: Option<Timestamp>,
    renews: bool,
    base_lines: Vec<(ItemKey, Timestamp, Timestamp)>,
}

pub(super) struct Walk<'a> {
    revisions: &'a Revisions,
    now: Timestamp,
    decided: Decided,
    state: Option<S>,
    transitions: Vec<Transition>,
    reports: Vec<Report>,
    invoices: BTreeMap<InvoiceId, InvoiceSeen>,
    refunds: BTreeMap<String, Refunds>,
    refund_invoices: BTreeMap<String, Option<InvoiceId>>,
    disputes: Disputes,
    trial_seen: bool,
    fold: SubscriptionFold,
}

pub(super) fn fold(
    facts: &[&Fact],
    decided: Decided,
    contact: Contact,
    revisions: &Revisions,
    now: Timestamp,
) -> Folded {
    let known = Known::of(facts, revisions, &decided);
    let mut walk = Walk {
        revisions,
        now,
        decided,
        state: None,
        transitions: Vec::new(),
        reports: Vec::new(),
        invoices: BTreeMap::new(),
        refunds: BTreeMap::new(),
        refund_invoices: BTreeMap::new(),
        disputes: Disputes::default(),
        trial_seen: false,
        fold: SubscriptionFold::new(known),
    };
    for fact in facts {
        walk.advance(fact.at.min(now));
        walk.fact(fact);
    }
    walk.advance(now);
    walk.finish(contact)
}

impl Walk<'_> {
    fn fact(&mut self, fact: &Fact) {
        match &fact.says {
            Says::Session(session) => self.session(fact, session),
            Says::Subscription(snapshot) => self.snapshot(fact, snapshot),
            Says::Invoice(invoice) => self.invoice(fact, invoice),
            Says::Charge(c) => {
                let name = self.payment(c.payment_intent.as_ref(), Some(&c.id));
                self.refunds.entry(name.clone()).or_default().note_charge(c);
                self.money_back(&name, fact);
            }
            Says::Refund(r) => {
                let name = self.payment(r.payment_intent.as_ref(), r.charge.as_ref());
                self.refunds.entry(name.clone()).or_default().note_refund(r);
                self.money_back(&name, fact);
            }
            Says::Dispute(dispute) => self.disputes.note(dispute, fact.at),
            Says::FraudWarning(_) => {
                self.report(fact.at, "an early fraud warning: consider a refund before it becomes a dispute");
            }
            Says::Payment(_) | Says::LineItems(_) | Says::Decision(_) => {}
        }
    }

    /// A session adds an address and links; only where nothing else is known does it say how the subscription stands.
    fn session(&mut self, fact: &Fact, session: &Session) {
        for key in &session.wants.unreadable {
            self.report(fact.at, &format!("the purchase's metadata `{key}` has a value that cannot be read"));
        }
        if self.fold.known.has_subscription_facts || self.state.is_some() {
            return;
        }
        match (session.event, session.payment_status) {
            (SessionEvent::Completed, PaymentStatus::Paid | PaymentStatus::NoPaymentRequired)
            | (SessionEvent::AsyncSucceeded, _) => self.step(fact, Trigger::CalledActive),
            (SessionEvent::Completed, PaymentStatus::Unpaid) => self.step(fact, Trigger::FirstPaymentOpen),
            (SessionEvent::AsyncFailed | SessionEvent::Expired, _) => {}
        }
    }

    fn payment(
        &mut self,
        intent: Option<&crate::domain::id::PaymentIntentId>,
        charge: Option<&crate::domain::id::ChargeId>,
    ) -> String {
        let name = self.fold.known.payment_name(intent, charge);
        let invoice = self.fold.known.invoice_of(intent, charge).cloned();
        let linked = self.refund_invoices.entry(name.clone()).or_default();
        if invoice.is_some() {
            *linked = invoice;
        }
        name
    }

    fn money_back(&mut self, name: &str, fact: &Fact) {
        let invoice = self.refund_invoices.get(name).cloned().flatten();
        let total = invoice.and_then(|i| self.invoices.get(&i)).and_then(|seen| seen.total);
        let refunds = self.refunds.entry(name.to_owned()).or_default();
        // Where the charge itself was not told of, its invoice says how much it was.
        refunds.assume_charged(total);
        let returned = refunds.returned();
        match self.refund_invoices.get(name).cloned().flatten() {
            Some(invoice) => {
                let changed = self.fold.returned.get(&invoice).map(|(r, _)| *r) != Some(returned);
                if returned == Returned::Nothing {
                    self.fold.returned.remove(&invoice);
                } else if changed {
                    self.fold.returned.insert(invoice, (returned, fact.at));
                }
            }
            None => self.fold.returned_unlinked |= returned != Returned::Nothing,
        }
    }

    /// Lets the deadlines up to an instant pass.
    fn advance(&mut self, to: Timestamp) {
        let Some(ends) = self.fold.open_episode().filter(|e| e.lapsed.is_none()).map(|e| e.ends) else { return };
        if self.state != Some(S::Grace) || ends > to {
            return;
        }
        let gave_up = self.fold.open_episode().is_some_and(|e| e.gave_up);
        if let Some(episode) = self.fold.episodes.last_mut() {
            episode.lapsed = Some(ends);
        }
        let cause = Cause::deadline("grace over");
        // Where Stripe ended it meanwhile there is nothing left that could lapse and come back by itself.
        let trigger = if gave_up { Trigger::GraceOutlived } else { Trigger::GraceOver };
        self.trigger(ends, trigger, cause);
    }

    fn step(&mut self, fact: &Fact, trigger: Trigger) {
        self.trigger(fact.at, trigger, Cause::event(fact));
    }

    fn trigger(&mut self, at: Timestamp, trigger: Trigger, cause: Cause) {
        let next = match self.state {
            Some(state) => subscription::step(state, trigger).from(state),
            None => subscription::begin(trigger),
        };
        let was = self.state;
        self.go(at, next, cause);
        let left = matches!(was, Some(S::Grace | S::Lapsed)) && !matches!(next, S::Grace | S::Lapsed);
        // An episode that outlived the subscription stays open: a payment may still settle it.
        if (left && trigger != Trigger::GraceOutlived) || trigger == Trigger::PaidAfterEnd {
            let ended = matches!(trigger, Trigger::GaveUp | Trigger::Cancelled | Trigger::FirstPaymentExpired);
            let outcome = if ended { Outcome::Ended(at) } else { Outcome::Recovered(at) };
            if let Some(episode) = self.fold.episodes.last_mut().filter(|e| e.outcome == Outcome::Open) {
                episode.outcome = outcome;
            }
        }
    }

    fn go(&mut self, at: Timestamp, next: S, cause: Cause) {
        if self.state == Some(next) {
            return;
        }
        self.transitions.push(Transition {
            at,
            from: self.state.map(State::Subscription),
            to: State::Subscription(next),
            cause,
        });
        self.state = Some(next);
    }

    fn report(&mut self, at: Timestamp, what: &str) {
        if !self.reports.iter().any(|r| r.what == what) {
            self.reports.push(Report { at, what: what.to_owned() });
        }
    }

    /// The policy that judges what happens at an instant: that of the first licensed item's plan.
    fn policy_at(&self, at: Timestamp) -> Policy {
        self.revisions.policy(self.plan_name(at).as_ref(), self.decided.judged_at(at))
    }

    fn plan_name(&self, at: Timestamp) -> Option<PlanName> {
        let prices = self.fold.known.items.iter().flat_map(|(_, h)| h.prices.iter().rev());
        let plan = |(_, price): &(Timestamp, Priced)| {
            self.fold.known.plan_of(price, at, self.revisions, &self.decided).map(|p| p.name.clone())
        };
        prices.filter_map(plan).next()
    }

    /// Keys of the items whose price a plan names at an instant (by the newest price that is not after it).
    fn licensed_items(&self, at: Timestamp) -> Vec<ItemKey> {
        let licensed = |h: &super::known::ItemHistory| {
            let price = h.prices.iter().rev().find(|(since, _)| *since <= at).or_else(|| h.prices.first());
            price.is_some_and(|(_, p)| self.fold.known.licenses(p, at, self.revisions, &self.decided))
        };
        let items = self.fold.known.items.iter().filter(|(_, h)| licensed(h));
        let shown = self.fold.snapshot.as_ref().map(|(_, s)| s);
        items
            .filter(|(key, _)| {
                shown.is_none_or(|s| {
                    s.items.is_empty() || s.items.iter().any(|i| self.fold.known.key_of_item(i) == Some(key))
                })
            })
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Whether some licensed item's time is paid (or granted, or on trial) at an instant. Without any licensed item
    /// nothing is owed to anybody, and the answer is yes.
    fn covered(&self, at: Timestamp, items: &[ItemKey]) -> bool {
        items.iter().all(|key| self.fold.base_end(key, &self.decided).is_some_and(|end| end > at))
    }

    fn hands_out_trial(&self, at: Timestamp) -> bool {
        self.policy_at(at).trial == Trial::License
    }

    fn start_episode(&mut self, fact: &Fact, id: String) {
        let policy = self.policy_at(fact.at);
        let ends = (fact.at + policy.grace).max(self.decided.exempt.unwrap_or(fact.at));
        self.fold.episodes.push(Episode {
            id,
            started: fact.at,
            learned: fact.received,
            ends,
            action_required: false,
            policy,
            outcome: Outcome::Open,
            lapsed: None,
            next_attempt: None,
            hosted_url: None,
            owed: None,
            gave_up: false,
        });
        self.step(fact, Trigger::RenewalFailed);
    }

    /// Whether a renewal's failure starts a grace now: none runs, the subscription lives, and no pause excuses it.
    fn grace_may_start(&self) -> bool {
        let running = matches!(self.state, Some(S::Grace | S::Lapsed | S::Ended | S::IncompleteExpired));
        !running && self.fold.ended.is_none() && !self.excused()
    }

    /// A pause under `keep` knows neither grace nor mail.
    fn excused(&self) -> bool {
        self.fold.paused.is_some_and(|p| !p.trial_over)
    }

    fn finish(mut self, contact: Contact) -> Folded {
        self.open_invoices();
        self.fold.disputed = self.disputes.gravest();
        if self.fold.returned_unlinked {
            self.report(
                self.now,
                "a refund belongs to this subscription, but which of its invoices it gives back is not known",
            );
        }
        if let Some(state) = self.state {
            self.fold.state = state;
        }
        let prices = self.fold.known.items.iter().flat_map(|(_, h)| &h.prices);
        let licensed = prices.clone().any(|(at, p)| self.fold.known.licenses(p, *at, self.revisions, &self.decided));
        if !licensed && prices.clone().next().is_some() && matches!(self.state, Some(S::Active)) {
            let since = self.transitions.last().map_or(self.now, |t| t.at);
            self.report(since, "paid, but nothing to hand out: no plan names a price of this subscription");
        }
        Folded {
            state: self.state.map(State::Subscription),
            transitions: self.transitions,
            contact,
            reports: self.reports,
            life: Life::Subscription(Box::new(self.fold)),
            decided: self.decided,
        }
    }

    fn end(&mut self, fact: &Fact, snapshot: &Subscription) {
        if self.fold.ended.is_some() {
            return;
        }
        let late = matches!(
            self.fold.snapshot.as_ref().map(|(_, s)| s.status),
            Some(SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid)
        ) || matches!(self.state, Some(S::Grace | S::Lapsed));
        let gave_up = match snapshot.end_reason {
            Some(EndReason::PaymentFailed) => true,
            Some(EndReason::Requested | EndReason::PaymentDisputed) => false,
            None => late,
        };
        let at = snapshot.ended_at.unwrap_or(fact.at).min(fact.at);
        self.fold.ended = Some(Ending { at, told: fact.at, gave_up, never_began: false });
        if gave_up {
            if let Some(episode) = self.fold.episodes.last_mut().filter(|e| e.outcome == Outcome::Open) {
                episode.gave_up = true;
            }
            self.step(fact, Trigger::GaveUp);
        } else {
            self.step(fact, Trigger::Cancelled);
        }
    }
}
