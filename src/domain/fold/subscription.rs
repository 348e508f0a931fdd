//! The fold of a subscription: its facts in order, and the deadlines between them.

mod invoices;
mod snapshots;

use std::collections::BTreeMap;

use super::cover::Cover;
use super::known::{ItemKey, Known};
use super::{Cause, Contact, Decided, Folded, Life, Report, State, Transition};
use crate::domain::condition::{Disputed, Disputes, Refunds, Returned};
use crate::domain::fact::{
    EndReason, Fact, PaymentStatus, Priced, Says, Session, SessionEvent, Subscription, SubscriptionStatus,
};
use crate::domain::id::{InvoiceId, PlanName};
use crate::domain::policy::{Policy, Trial};
use crate::domain::revision::Revisions;
use crate::domain::subscription::{self, State as S, Trigger};
use crate::domain::time::Timestamp;

/// What holds for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionFold {
    /// Its state.
    pub state: S,
    /// The newest snapshot, and when it was so.
    pub snapshot: Option<(Timestamp, Subscription)>,
    /// The items and their prices through time.
    pub known: Known,
    /// Paid time by item.
    pub covers: BTreeMap<ItemKey, Cover>,
    /// Time granted without a payment (pauses, debts written off), by item.
    pub granted: BTreeMap<ItemKey, Timestamp>,
    /// End of the newest trial that hands out a license.
    pub trial_until: Option<Timestamp>,
    /// When the first license became due: the first payment, or the trial's start.
    pub began: Option<Timestamp>,
    /// Grace periods, oldest first.
    pub episodes: Vec<Episode>,
    /// Failed invoices for something else.
    pub side_failures: Vec<SideFailure>,
    /// Open renewal invoices keep a license alive for a while: until when, ascending.
    pub processing: Vec<Timestamp>,
    /// The due date of an open sent renewal invoice.
    pub sent_until: Option<Timestamp>,
    /// When a snapshot will speak for a payment, if no invoice is heard of until then.
    pub speaks_at: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<Ending>,
    /// When an end was planned.
    pub planned_since: Option<Timestamp>,
    /// A pause that is on.
    pub paused: Option<Pause>,
    /// The newest word that a trial ends soon.
    pub trial_ending: Option<TrialEnding>,
    /// Where its disputes stand.
    pub disputed: Disputed,
    /// Invoices whose payment went back, with how much and since when.
    pub returned: BTreeMap<InvoiceId, (Returned, Timestamp)>,
    /// What refunds of payments say that belong to no known invoice.
    pub returned_unlinked: bool,
    /// The newest quantities on invoice lines, where no snapshot tells.
    pub line_quantities: BTreeMap<ItemKey, (Priced, u32)>,
}

/// A grace period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The failed invoice, or a name made from the instant where none is known.
    pub id: String,
    /// When the renewal failed.
    pub started: Timestamp,
    /// When we first heard of it.
    pub learned: Timestamp,
    /// When the grace is over.
    pub ends: Timestamp,
    /// Whether the customer must act (3-D Secure).
    pub action_required: bool,
    /// The policy that judges it.
    pub policy: Policy,
    /// How it ended.
    pub outcome: Outcome,
    /// When it lapsed, if it did.
    pub lapsed: Option<Timestamp>,
    /// Stripe's next attempt, as last told.
    pub next_attempt: Option<Timestamp>,
    /// The page where the customer can pay.
    pub hosted_url: Option<String>,
    /// What is owed, in minor units, and the currency.
    pub owed: Option<(i64, String)>,
    /// Stripe has ended the subscription meanwhile.
    pub gave_up: bool,
}

/// How a grace period ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It runs, or has lapsed and nothing came of it yet.
    Open,
    /// Paid, or written off.
    Recovered(Timestamp),
    /// The subscription was ended.
    Ended(Timestamp),
}

/// A failed invoice in mid period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFailure {
    /// The invoice.
    pub invoice: InvoiceId,
    /// When it failed.
    pub at: Timestamp,
    /// When we heard of it.
    pub learned: Timestamp,
    /// When it was settled.
    pub settled: Option<Timestamp>,
    /// Whether the customer must act.
    pub action_required: bool,
    /// The page where the customer can pay.
    pub hosted_url: Option<String>,
    /// Stripe's next attempt.
    pub next_attempt: Option<Timestamp>,
    /// What is owed.
    pub owed: Option<(i64, String)>,
}

/// How a subscription ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// When we were told by the provider's clock.
    pub told: Timestamp,
    /// Whether Stripe gave up while a grace was promised.
    pub gave_up: bool,
    /// The first payment was never made: nothing remains.
    pub never_began: bool,
}

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Whether the trial's end brought it, without a payment method.
    pub trial_over: bool,
}

/// Stripe's word that a trial ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialEnding {
    /// When the trial ends.
    pub trial_end: Timestamp,
    /// When that was said.
    pub at: Timestamp,
    /// When we heard it.
    pub learned: Timestamp,
}

/// What is known of one invoice while walking.
#[derive(Clone, Debug, Default)]
struct InvoiceSeen {
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

impl SubscriptionFold {
    fn new(known: Known) -> Self {
        Self {
            state: S::Incomplete,
            snapshot: None,
            known,
            covers: BTreeMap::new(),
            granted: BTreeMap::new(),
            trial_until: None,
            began: None,
            episodes: Vec::new(),
            side_failures: Vec::new(),
            processing: Vec::new(),
            sent_until: None,
            speaks_at: None,
            ended: None,
            planned_since: None,
            paused: None,
            trial_ending: None,
            disputed: Disputed::No,
            returned: BTreeMap::new(),
            returned_unlinked: false,
            line_quantities: BTreeMap::new(),
        }
    }

    /// The episode that is running or has lapsed without being settled.
    #[must_use]
    pub fn open_episode(&self) -> Option<&Episode> {
        self.episodes.last().filter(|e| e.outcome == Outcome::Open)
    }

    /// The end of an item's time that was paid, granted or on trial; `None`: nothing was.
    #[must_use]
    pub fn base_end(&self, key: &str, decided: &Decided) -> Option<Timestamp> {
        let paid = self.covers.get(key).and_then(|c| c.end);
        let granted = self.granted.get(key).copied();
        paid.max(granted).max(self.trial_until).max(decided.extended)
    }
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
        let returned = self.refunds.get(name).map_or(Returned::Nothing, Refunds::returned);
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
