//! The course of a subscription's life: what its objects say happened, step by step through the table, and the deadlines
//! between.
//!
//! An invoice counts where it was first paid, first failed or given up (`invoices.rs`), a snapshot where it says something
//! that no invoice tells (`snapshots.rs`).

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::grace::GraceOutcome;
use super::paid_time::PaidTime;
use super::role::{LicensedLine, Role};
use super::subscription::{self, SubscriptionState as S, SubscriptionTrigger};
use super::subscription_life::SubscriptionLife;
use super::{Cause, Hears, Life, State, Transition};
use crate::domain::fact::{Fact, FactBody, Wants};
use crate::domain::finding::{Finding, Findings, Report};
use crate::domain::id::{InvoiceId, ItemKey, PlanName};
use crate::domain::object::session;
use crate::domain::object::{ItemThen, Objects, Version};
use crate::domain::policy::{Policy, Trial};
use crate::domain::terms::Terms;
use crate::domain::time::{Span, Timestamp};

/// In a subscription's first minutes no snapshot speaks for a payment: its first invoice is on the way, and a key that is
/// mailed and stopped a moment later is the worst first impression (rule 18).
pub(in crate::domain) const SPEAKS_AFTER: Span = Span::from_minutes(10);

/// The steps of one life.
pub(super) struct Course<'o, 'f> {
    pub(super) objects: &'o Objects<'f>,
    pub(super) terms: &'o Terms<'o>,
    pub(super) now: Timestamp,
    /// Whether only snapshots tell what is paid.
    pub(super) silent: bool,
    /// The items that a paid invoice billed.
    billed: BTreeSet<ItemKey>,
    /// Whether what happened at its beginning is not known.
    heard_late: bool,
    /// Until when snapshots told what is paid: no paid invoice was heard of before that.
    spoke_until: Option<Timestamp>,
    /// Whether invoices could tell.
    pub(super) hears: Hears,
    state: Option<S>,
    transitions: Vec<Transition>,
    pub(super) findings: Findings,
    pub(super) roles: BTreeMap<InvoiceId, (Role, Vec<(ItemKey, LicensedLine<'f>)>)>,
    pub(super) life: SubscriptionLife,
    /// The newest snapshot so far.
    pub(super) shown: Option<&'o Version<'f>>,
    /// Up to when deadlines have passed.
    pub(super) passed: Timestamp,
}

/// Lives a subscription's facts, given in canonical order, up to an instant.
pub(super) fn live(
    facts: &[&Fact],
    objects: &Objects<'_>,
    terms: &Terms<'_>,
    (now, hears): (Timestamp, Hears),
) -> (Option<State>, Vec<Transition>, Vec<Report>, Life) {
    let mut course = Course {
        objects,
        terms,
        now,
        silent: !objects.paid_invoice_heard(),
        billed: objects.billed_by_paid(),
        heard_late: !objects.heard_from_its_beginning(),
        spoke_until: spoke_until(objects),
        hears,
        state: None,
        transitions: Vec::new(),
        findings: Findings::default(),
        roles: BTreeMap::new(),
        life: SubscriptionLife::unbegun(objects),
        shown: None,
        passed: Timestamp::from_ms(0),
    };
    let mut versions = objects.subscription.versions.iter();
    for fact in facts {
        course.pass_deadlines(fact.at.min(now));
        match &fact.body {
            FactBody::Session(shown) => course.session(fact, &shown.wants),
            FactBody::Subscription(_) => {
                if let Some(version) = versions.next() {
                    course.shown = Some(version);
                    course.version(fact, version);
                }
            }
            FactBody::Invoice(shown) => course.invoice(fact, &shown.id),
            FactBody::Decision(_) => course.decision(fact),
            FactBody::Charge(_) | FactBody::Refund(_) => course.money_back(fact.at),
            FactBody::Payment(_)
            | FactBody::Dispute(_)
            | FactBody::FraudWarning(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_) => {}
        }
        course.recover(fact);
    }
    course.pass_deadlines(now);
    course.finish()
}

/// When the first paid invoice that was heard of was paid, where that is no invoice of the subscription's beginning: an endpoint
/// that heard of none until then.
fn spoke_until(objects: &Objects<'_>) -> Option<Timestamp> {
    let heard = objects.invoices.values().filter(|i| i.paid_heard);
    let first = heard.filter_map(|i| Some(i.paid.as_ref()?.at)).min()?;
    let created = objects.subscription.created()?;
    (first >= created + SPEAKS_AFTER).then_some(first)
}

impl Course<'_, '_> {
    /// A session adds an address and links; only where nothing else is known does it say how the subscription stands.
    fn session(&mut self, fact: &Fact, wants: &Wants) {
        self.unreadable(fact.at, wants);
        if self.objects.has_subscription_facts() || self.state.is_some() {
            return;
        }
        let shown = self.objects.sessions.values().map(|s| s.state);
        for state in shown {
            match state {
                session::SessionState::Paid => self.step(fact, SubscriptionTrigger::Runs),
                session::SessionState::Unpaid => {
                    self.step(fact, SubscriptionTrigger::FirstPaymentOpen)
                }
                session::SessionState::Failed | session::SessionState::Expired => {}
            }
        }
    }

    pub(super) fn unreadable(&mut self, at: Timestamp, wants: &Wants) {
        for key in &wants.unreadable {
            self.findings
                .add(at, Finding::UnreadableMetadata(key.clone()));
        }
    }

    /// Whether only snapshots tell what is paid of an item at an instant. What began before anybody told us of it may have been
    /// paid for before, too: another item's invoice says nothing of that. Nor does it take back what they told before the first
    /// paid invoice was heard of; from then on they extend nothing (rule 18).
    pub(super) fn is_silent(&self, key: &ItemKey, at: Timestamp) -> bool {
        let spoke = || self.spoke_until.is_some_and(|until| at < until);
        self.silent || !self.billed.contains(key) && (self.heard_late || spoke())
    }

    pub(super) const fn state(&self) -> Option<S> {
        self.state
    }

    pub(super) fn step(&mut self, fact: &Fact, trigger: SubscriptionTrigger) {
        self.trigger(fact.at, trigger, || Cause::event(fact));
    }

    pub(super) fn trigger(
        &mut self,
        at: Timestamp,
        trigger: SubscriptionTrigger,
        cause: impl FnOnce() -> Cause,
    ) {
        let next = match self.state {
            Some(state) => subscription::step(state, trigger).from(state),
            None => subscription::begin(trigger),
        };
        self.close_episode(at, trigger, next);
        if self.state != Some(next) {
            let (from, to) = (
                self.state.map(State::Subscription),
                State::Subscription(next),
            );
            self.transitions.push(Transition {
                at,
                from,
                to,
                cause: cause(),
            });
            self.state = Some(next);
        }
    }

    /// An episode is over when its subscription leaves it. One that outlived the subscription stays open: a payment may
    /// still settle it.
    fn close_episode(&mut self, at: Timestamp, trigger: SubscriptionTrigger, next: S) {
        let left = self.state.is_some_and(S::owes) && !next.owes();
        let outlived = trigger == SubscriptionTrigger::GraceOutlived;
        let closes = trigger == SubscriptionTrigger::PaidAfterEnd || left && !outlived;
        if !closes {
            return;
        }
        let ended = matches!(
            trigger,
            SubscriptionTrigger::GaveUp
                | SubscriptionTrigger::Cancelled
                | SubscriptionTrigger::FirstPaymentExpired
        );
        // rule 30: Stripe giving up does not shorten one that runs beside one that has lapsed.
        let runs_on = trigger == SubscriptionTrigger::GaveUp;
        let open = self.life.episodes.iter_mut().filter(|e| e.is_open());
        for episode in open.filter(|e| !runs_on || e.lapsed.is_some()) {
            episode.outcome = if ended {
                GraceOutcome::Ended(at)
            } else {
                GraceOutcome::Recovered(at)
            };
        }
    }

    /// The policy that judges what happens at an instant: that of the first licensed item's plan.
    pub(super) fn policy_at(&self, at: Timestamp) -> Policy {
        self.terms.policy(self.plan_name().as_ref(), at)
    }

    fn plan_name(&self) -> Option<PlanName> {
        let items = &self.objects.subscription.items;
        items
            .iter()
            .find_map(|(_, h)| h.licensed().and_then(|p| p.plan.clone()))
            .or_else(|| self.asked_plan())
    }

    /// The plan that the metadata names.
    pub(super) fn asked_plan(&self) -> Option<PlanName> {
        let asked = self.life.asked.as_ref();
        asked.and_then(|w| w.plan.as_deref()).map(PlanName::from)
    }

    pub(super) fn paid_mut(&mut self, key: &ItemKey) -> &mut PaidTime {
        self.life.paid.entry(key.clone()).or_default()
    }

    /// The end of an item's paid, granted or trial time as the course stands.
    pub(super) fn base_end(&self, key: &ItemKey) -> Option<Timestamp> {
        self.life.base_end(key, self.terms.decided)
    }

    /// Whether something is licensed at an instant: an item by a plan, or the subscription by its metadata.
    pub(super) fn sells_at(&self, at: Timestamp) -> bool {
        let mut licensed = self.objects.subscription.licensed_at(at);
        self.life.asked.is_some() || licensed.next().is_some()
    }

    pub(super) fn hands_out_trial(&self, at: Timestamp) -> bool {
        self.policy_at(at).trial == Trial::License
    }

    fn finish(mut self) -> (Option<State>, Vec<Transition>, Vec<Report>, Life) {
        self.note_open_renewals();
        self.items_now();
        self.ask();
        self.report();
        self.life.state = self.state.unwrap_or(S::Incomplete);
        let state = self.state.map(State::Subscription);
        (
            state,
            self.transitions,
            self.findings.into_vec(),
            Life::Subscription(Box::new(self.life)),
        )
    }

    fn items_now(&mut self) {
        let subscription = &self.objects.subscription;
        let with_history = |item: &ItemThen| {
            subscription
                .items
                .history(&item.key)
                .map(|h| (item.clone(), h.clone()))
        };
        match subscription.newest().filter(|v| !v.items.is_empty()) {
            Some(version) => {
                let left = subscription.left_unlicensed();
                let sold = version
                    .items
                    .iter()
                    .chain(left)
                    .map(|i| subscription.as_sold(i));
                self.life.items = sold.filter_map(|i| with_history(&i)).collect();
                self.life.items_told = true;
            }
            None => {
                self.life.items = self
                    .billed_items()
                    .iter()
                    .filter_map(with_history)
                    .collect()
            }
        }
    }

    fn report(&mut self) {
        if let Some(at) = self.objects.fraud_warnings.first() {
            self.findings.add(*at, Finding::FraudWarning);
        }
        if let Some(at) = self.objects.payments.returned_unlinked() {
            self.findings.add(at, Finding::RefundUnlinked);
        }
        if let Some(version) = self
            .objects
            .subscription
            .newest()
            .filter(|v| !v.whole && self.life.ended.is_none())
        {
            self.findings.add(version.at, Finding::ItemsCut);
        }
        let since = self.transitions.last().map_or(self.now, |t| t.at);
        for (item, history) in &self.life.items {
            if let Some(licensed) = history
                .licensed()
                .filter(|_| item.quantity == 0 && !item.metered)
            {
                self.findings
                    .add(since, Finding::QuantityZero(licensed.price.id.clone()));
            }
        }
        let sold = self
            .objects
            .subscription
            .items
            .iter()
            .any(|(_, h)| h.licensed().is_some());
        let priced = self.objects.subscription.items.iter().next().is_some();
        // Its first invoice, which tells what it costs, may be on the way.
        let known = self.objects.subscription.known_since();
        let young = self.silent
            && self.hears == Hears::Invoices
            && known.is_some_and(|k| self.now < k + SPEAKS_AFTER);
        let paid = self
            .objects
            .invoices
            .values()
            .any(|i| i.paid.is_some() && i.shown.total > 0);
        let free = if self.silent { young } else { !paid };
        let is_beside = |f: &Finding| matches!(f, Finding::SoldBeside { .. });
        let named = sold || self.life.asked.is_some() || self.findings.any(is_beside);
        if !named && priced && !free && self.state == Some(S::Active) {
            self.findings.add(since, Finding::NothingToHandOut);
        }
    }
}
