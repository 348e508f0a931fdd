//! Payments and what went back of them, and which invoice each payment paid.
//!
//! Since basil an invoice can have several payments, so what went back is added up per invoice (or session) over all its
//! payments and compared with what was paid on it (rule 36).

use std::collections::{BTreeMap, BTreeSet};

use super::refund::Refund;
use crate::domain::fact::{Charge, Fact, FactBody, Refund as ShownRefund};
use crate::domain::id::{ChargeId, InvoiceId, PaymentIntentId, RefundId};
use crate::domain::time::Timestamp;

/// The event that tells of a refund. Others show the charge as well, and nothing new of its refunds.
const CHARGE_REFUNDED: &str = "charge.refunded";

/// Names a payment: its intent, or its charge where no intent is known.
pub type PaymentKey = String;

#[derive(Clone, Debug, Default)]
pub struct Payment {
    charged: Option<i64>,
    told_by_charge: i64,
    /// What was never captured: the charge counts it among what went back.
    released: i64,
    wholly: bool,
    refunds: BTreeMap<RefundId, Refund>,
    /// When a refund last failed.
    failed: Option<Timestamp>,
    /// Refunds that failed and that the charge no longer counts.
    uncounted: BTreeSet<RefundId>,
    /// How what went back changed: when, minor units, and whether it was the whole charge.
    changes: Vec<(Timestamp, i64, bool)>,
}

impl Payment {
    fn add_charge(&mut self, fact: &Fact, charge: &Charge) {
        self.recount(fact, charge);
        self.charged = Some(charge.amount);
        self.released = self.released.max(charge.released.unwrap_or(0));
        self.told_by_charge = self.told_by_charge.max(charge.amount_refunded);
        self.wholly |= charge.refunded;
        for refund in &charge.refunds {
            self.add_refund(fact.at, refund);
        }
    }

    /// Where a refund failed and money went back once more, whether the charge still counts the failed one. Nobody says whether
    /// Stripe does. It does not, where it counts no more than before, or than what failed: then the new refund is in that.
    fn recount(&mut self, fact: &Fact, charge: &Charge) {
        let again =
            fact.kind == CHARGE_REFUNDED && self.failed.is_some_and(|at| at.s() < fact.at.s());
        let failed: i64 = self
            .refunds
            .values()
            .filter(|r| !r.stands())
            .map(|r| r.amount)
            .sum();
        // rule 36: a refund that failed is none, and the one that follows it is one.
        if again && charge.amount_refunded <= self.told_by_charge.max(failed) {
            let failed = self.refunds.iter().filter(|(_, r)| !r.stands());
            self.uncounted = failed.map(|(id, _)| id.clone()).collect();
            (self.told_by_charge, self.wholly) = (0, false);
        }
    }

    fn add_refund(&mut self, at: Timestamp, refund: &ShownRefund) {
        let known = self.refunds.entry(refund.id.clone());
        let known = known.or_insert(Refund::new(refund.amount));
        let stood = known.stands();
        known.add(refund.stands);
        if stood && !known.stands() {
            self.failed = Some(at);
        }
    }

    /// The refunds that the charge counts.
    fn counted(&self) -> impl Iterator<Item = &Refund> {
        let refunds = self.refunds.iter();
        refunds
            .filter(|(id, _)| !self.uncounted.contains(*id))
            .map(|(_, refund)| refund)
    }

    /// Minor units that went back: the refunds that stand, and what the charge tells of beyond the refunds known by
    /// name (its own list may be cut). A failed refund is no refund, whatever the charge still counts.
    fn returned(&self) -> i64 {
        let standing: i64 = self
            .refunds
            .values()
            .filter(|r| r.stands())
            .map(|r| r.amount)
            .sum();
        let known: i64 = self.counted().map(|r| r.amount).sum();
        // rule 36: what was never captured never was the shop's, and did not go back.
        standing + (self.told_by_charge - self.released - known).max(0)
    }

    fn went_back_whole(&self) -> bool {
        self.wholly && self.counted().all(|r| r.stands())
    }
}

/// How much of what was paid went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    Nothing,
    /// This many percent, rounded down, less than all.
    Part(u8),
    All,
}

/// What went back of each invoice, over all its payments, and since when: every step, the newest last. Invoices of which
/// nothing went back are not listed.
pub type ReturnedByInvoice = BTreeMap<InvoiceId, Vec<(Returned, Timestamp)>>;

/// Every payment of a machine, with the links between payments and invoices.
#[derive(Clone, Debug, Default)]
pub struct Payments {
    by_key: BTreeMap<PaymentKey, Payment>,
    invoice_of_intent: BTreeMap<PaymentIntentId, InvoiceId>,
    invoice_of_charge: BTreeMap<ChargeId, InvoiceId>,
    intent_of_charge: BTreeMap<ChargeId, PaymentIntentId>,
}

impl Payments {
    /// Takes in what a fact links. All links are read before any money, so that the order of events does not matter.
    pub(super) fn link(&mut self, fact: &Fact) {
        let (invoice, intent, charge) = match &fact.body {
            FactBody::Session(s) => (s.invoice.as_ref(), s.payment_intent.as_ref(), None),
            FactBody::Invoice(i) => (Some(&i.id), i.payment_intent.as_ref(), i.charge.as_ref()),
            FactBody::Payment(p) => (
                p.invoice.as_ref(),
                p.payment_intent.as_ref(),
                p.charge.as_ref(),
            ),
            FactBody::Charge(c) => (c.invoice.as_ref(), c.payment_intent.as_ref(), Some(&c.id)),
            FactBody::Refund(r) => (None, r.payment_intent.as_ref(), r.charge.as_ref()),
            FactBody::Dispute(d) => (None, d.payment_intent.as_ref(), d.charge.as_ref()),
            FactBody::FraudWarning(w) => (None, w.payment_intent.as_ref(), w.charge.as_ref()),
            FactBody::Subscription(_)
            | FactBody::Decision(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_) => {
                return;
            }
        };
        if let (Some(invoice), Some(intent)) = (invoice, intent) {
            self.invoice_of_intent
                .insert(intent.clone(), invoice.clone());
        }
        if let (Some(invoice), Some(charge)) = (invoice, charge) {
            self.invoice_of_charge
                .insert(charge.clone(), invoice.clone());
        }
        if let (Some(intent), Some(charge)) = (intent, charge) {
            self.intent_of_charge.insert(charge.clone(), intent.clone());
        }
    }

    /// Takes in money that was charged or went back.
    pub(super) fn add(&mut self, fact: &Fact) {
        match &fact.body {
            FactBody::Charge(c) => {
                let payment = self.payment(c.payment_intent.as_ref(), Some(&c.id));
                payment.add_charge(fact, c);
                payment.note_change(fact.at);
            }
            FactBody::Refund(r) => {
                let payment = self.payment(r.payment_intent.as_ref(), r.charge.as_ref());
                payment.add_refund(fact.at, r);
                payment.note_change(fact.at);
            }
            FactBody::Session(_)
            | FactBody::Subscription(_)
            | FactBody::Invoice(_)
            | FactBody::Payment(_)
            | FactBody::Dispute(_)
            | FactBody::FraudWarning(_)
            | FactBody::Decision(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_) => {}
        }
    }

    fn payment(
        &mut self,
        intent: Option<&PaymentIntentId>,
        charge: Option<&ChargeId>,
    ) -> &mut Payment {
        let key = self.key(intent, charge);
        self.by_key.entry(key).or_default()
    }

    fn key(&self, intent: Option<&PaymentIntentId>, charge: Option<&ChargeId>) -> PaymentKey {
        let intent = intent.or_else(|| charge.and_then(|c| self.intent_of_charge.get(c)));
        let key = intent
            .map(PaymentIntentId::as_str)
            .or_else(|| charge.map(ChargeId::as_str));
        key.unwrap_or_default().to_owned()
    }

    /// The invoice that a payment paid.
    #[must_use]
    pub fn invoice_paid_by(
        &self,
        intent: Option<&PaymentIntentId>,
        charge: Option<&ChargeId>,
    ) -> Option<&InvoiceId> {
        self.invoice_of(&self.key(intent, charge))
    }

    fn invoice_of(&self, key: &PaymentKey) -> Option<&InvoiceId> {
        let (intent, charge) = (
            PaymentIntentId::new(key.as_str()),
            ChargeId::new(key.as_str()),
        );
        let by_charge = || {
            let of_intent = self
                .intent_of_charge
                .iter()
                .filter(|(_, i)| **i == intent)
                .map(|(c, _)| c);
            of_intent
                .chain([&charge])
                .find_map(|c| self.invoice_of_charge.get(c))
        };
        self.invoice_of_intent.get(&intent).or_else(by_charge)
    }

    /// How much went back of what was paid on an invoice, step by step. `paid`: minor units that were paid on it, where
    /// known; else what its payments charged.
    #[must_use]
    pub fn returned(&self, invoice: &InvoiceId, paid: Option<i64>) -> Vec<(Returned, Timestamp)> {
        let of_it = self
            .by_key
            .iter()
            .filter(|(key, _)| self.invoice_of(key) == Some(invoice))
            .map(|(_, p)| p);
        let mut instants: Vec<Timestamp> = of_it
            .clone()
            .flat_map(|p| p.changes.iter().map(|(at, _, _)| *at))
            .collect();
        instants.sort_unstable();
        instants.dedup();
        instants
            .into_iter()
            .map(|at| (together(of_it.clone(), paid, at).0, at))
            .collect()
    }

    /// How much had gone back of a purchase's payments at an instant, all of them together, and since when.
    #[must_use]
    pub fn returned_in_all(
        &self,
        paid: Option<i64>,
        at: Timestamp,
    ) -> (Returned, Option<Timestamp>) {
        together(self.by_key.values(), paid, at)
    }

    /// Minor units that went back of an invoice's payments by now; no invoice: of all of them.
    #[must_use]
    pub fn minor_returned(&self, invoice: Option<&InvoiceId>) -> i64 {
        let is_meant = |key| invoice.is_none() || self.invoice_of(key) == invoice;
        let of_it = self.by_key.iter().filter(|(key, _)| is_meant(key));
        of_it.map(|(_, payment)| payment.returned()).sum()
    }

    /// When money of a payment went back that is linked to no invoice.
    #[must_use]
    pub fn returned_unlinked(&self) -> Option<Timestamp> {
        let unlinked = self
            .by_key
            .iter()
            .filter(|(key, _)| self.invoice_of(key).is_none());
        let last = unlinked.filter_map(|(_, p)| p.changes.last());
        last.filter(|(_, returned, whole)| *returned > 0 || *whole)
            .map(|(at, _, _)| *at)
            .max()
    }

    /// Every invoice of which something went back.
    pub fn invoices(&self) -> impl Iterator<Item = &InvoiceId> {
        let moved = self.by_key.iter().filter(|(_, p)| !p.changes.is_empty());
        moved.filter_map(|(key, _)| self.invoice_of(key))
    }
}

impl Payment {
    fn note_change(&mut self, at: Timestamp) {
        let (returned, whole) = (self.returned(), self.went_back_whole());
        let before = self
            .changes
            .last()
            .map_or((0, false), |(_, returned, whole)| (*returned, *whole));
        if (returned, whole) != before {
            self.changes.push((at, returned, whole));
        }
    }
}

/// Adds payments up, as they were at an instant. `paid` counts only where it is more than nothing: a zero total says
/// nothing about its payments.
fn together<'p>(
    payments: impl Iterator<Item = &'p Payment> + Clone,
    paid: Option<i64>,
    at: Timestamp,
) -> (Returned, Option<Timestamp>) {
    let then = |p: &'p Payment| p.changes.iter().rev().find(|(since, _, _)| *since <= at);
    let changes: Vec<_> = payments.clone().filter_map(then).collect();
    let since = changes.iter().map(|(since, _, _)| *since).max();
    let returned: i64 = changes.iter().map(|(_, returned, _)| *returned).sum();
    if returned <= 0 && !changes.iter().any(|(_, _, whole)| *whole) {
        return (Returned::Nothing, since);
    }
    let charged: i64 = payments.clone().filter_map(|p| p.charged).sum();
    let released: i64 = payments.clone().map(|p| p.released).sum();
    let all_whole = changes.len() == payments.count() && changes.iter().all(|(_, _, whole)| *whole);
    let paid = paid.filter(|p| *p > 0).unwrap_or(charged) - released;
    let paid = Some(paid).filter(|p| *p > 0);
    let share = match paid {
        Some(paid) if returned >= paid => Returned::All,
        Some(paid) => Returned::Part(
            u8::try_from(returned.saturating_mul(100) / paid)
                .unwrap_or(100)
                .min(99),
        ),
        None if all_whole => Returned::All,
        None => Returned::Part(0),
    };
    (share, since)
}
