//! What a machine's facts tell when read as a set, before they are walked in order: the items that ever were and their
//! prices, which payment belongs to which invoice, when trials end, whether a paid invoice was ever heard of.

use std::collections::{BTreeMap, BTreeSet};

use super::Decided;
use crate::domain::fact::{
    BillingReason, Fact, Invoice, InvoiceEvent, Item, Line, PaymentStatus, Priced, Says, SessionEvent, Wants,
};
use crate::domain::id::{ChargeId, InvoiceId, PaymentIntentId};
use crate::domain::plan::Plan;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;

/// Names an item of a subscription or a line of a purchase: its own id, or its price where it has none.
pub type ItemKey = String;

/// One item through time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemHistory {
    /// Prices that it had, each from the instant of the first snapshot or invoice that shows it.
    pub prices: Vec<(Timestamp, Priced)>,
    /// Other names under which it was seen (its prices, where a snapshot had no item id).
    pub aliases: BTreeSet<ItemKey>,
}

/// Everything that the set of facts tells regardless of order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Every item that ever was, in the order of first sight.
    pub items: Vec<(ItemKey, ItemHistory)>,
    /// Every trial end that any snapshot named.
    pub trial_ends: BTreeSet<Timestamp>,
    /// Whether a paid invoice with a line for a licensed item was ever heard of (a trial's zero invoice counts).
    pub paid_invoice_heard: bool,
    /// Whether the checkout ended unpaid and no payment was told of since, or the first invoice is known and nobody told
    /// that it was paid.
    pub first_unpaid: bool,
    /// Whether the checkout itself says that it is paid.
    pub session_paid: bool,
    /// Whether there is anything besides sessions.
    pub has_subscription_facts: bool,
    /// The license that the guide's metadata asks for, where no plan names any of the prices.
    pub asked: Option<Wants>,
    invoice_of_intent: BTreeMap<PaymentIntentId, InvoiceId>,
    invoice_of_charge: BTreeMap<ChargeId, InvoiceId>,
    intent_of_charge: BTreeMap<ChargeId, PaymentIntentId>,
}

impl Known {
    pub(super) fn of(facts: &[&Fact], revisions: &Revisions, decided: &Decided) -> Self {
        let mut known = Self::default();
        for fact in facts {
            known.links(fact);
            if let Says::Subscription(s) = &fact.says {
                known.has_subscription_facts = true;
                known.trial_ends.extend(s.trial_end);
                let alone = s.items.len() == 1;
                for item in &s.items {
                    known.see(item.id.as_ref().map(|id| id.as_str().to_owned()), &item.price, fact.at, alone);
                }
            }
            if let Says::Session(s) = &fact.says {
                known.session_paid |=
                    s.event == SessionEvent::AsyncSucceeded || s.payment_status == PaymentStatus::Paid;
                known.first_unpaid = match s.event {
                    SessionEvent::Completed => s.payment_status == PaymentStatus::Unpaid,
                    SessionEvent::AsyncSucceeded => false,
                    SessionEvent::AsyncFailed | SessionEvent::Expired => true,
                };
            }
        }
        let from_snapshots = !known.items.is_empty();
        for fact in facts {
            let Says::Invoice(invoice) = &fact.says else { continue };
            known.has_subscription_facts = true;
            if !from_snapshots {
                // A proration bills a change; what is changed is told by others.
                let base = |l: &&Line| l.of_subscription && l.amount >= 0 && !l.proration;
                for line in invoice.lines.iter().filter(base) {
                    known.see(line.item.as_ref().map(|id| id.as_str().to_owned()), &line.price, fact.at, false);
                }
            }
        }
        known.billed_prices(facts);
        known.ask(facts, revisions, decided);
        known.first_unpaid |= first_invoice_open(facts);
        known.paid_invoice_heard = facts.iter().any(|fact| {
            let paid = fact.invoice().filter(|i| i.event == InvoiceEvent::Paid && i.paid);
            paid.is_some_and(|i| i.lines.iter().any(|l| known.licenses_line(l, fact.at, revisions, decided)))
        });
        known
    }

    /// Notes an item. A snapshot without item ids (2015, 2016) that shows a single item means the one that is known.
    fn see(&mut self, id: Option<ItemKey>, price: &Priced, at: Timestamp, alone: bool) {
        let price_key = price_key(price);
        let found = match &id {
            Some(id) => self.items.iter().position(|(key, _)| key == id).or_else(|| {
                // The same single item, first seen without an id.
                (alone && self.items.len() == 1 && self.items[0].1.aliases.contains(&self.items[0].0)).then_some(0)
            }),
            None => self
                .items
                .iter()
                .position(|(key, history)| *key == price_key || history.aliases.contains(&price_key))
                .or_else(|| (alone && self.items.len() == 1).then_some(0)),
        };
        let index = found.unwrap_or_else(|| {
            let mut history = ItemHistory::default();
            let key = id.clone().unwrap_or_else(|| {
                history.aliases.insert(price_key.clone());
                price_key.clone()
            });
            self.items.push((key, history));
            self.items.len() - 1
        });
        let (key, history) = &mut self.items[index];
        if let Some(id) = id.filter(|id| id != key) {
            history.aliases.insert(id);
        }
        history.aliases.insert(price_key);
        if history.prices.last().is_none_or(|(_, last)| last.id != price.id) {
            history.prices.push((at, price.clone()));
        }
    }

    /// Prices that an item had before any snapshot of it was heard of: only what was billed for it tells of them.
    fn billed_prices(&mut self, facts: &[&Fact]) {
        let lines = facts.iter().filter_map(|f| f.invoice()).flat_map(|i| &i.lines);
        for line in lines.filter(|l| !l.proration && l.amount >= 0) {
            let Some(id) = &line.item else { continue };
            let Some((_, history)) = self.items.iter_mut().find(|(key, _)| key == id.as_str()) else { continue };
            if !history.prices.iter().any(|(_, p)| p.id == line.price.id) {
                let place = history.prices.partition_point(|(since, _)| *since <= line.start);
                history.prices.insert(place, (line.start, line.price.clone()));
                history.aliases.insert(price_key(&line.price));
            }
        }
    }

    fn links(&mut self, fact: &Fact) {
        let (invoice, intent, charge) = match &fact.says {
            Says::Session(s) => (s.invoice.clone(), s.payment_intent.clone(), None),
            Says::Invoice(i) => (Some(i.id.clone()), i.payment_intent.clone(), i.charge.clone()),
            Says::Payment(p) => (p.invoice.clone(), p.payment_intent.clone(), p.charge.clone()),
            Says::Charge(c) => (c.invoice.clone(), c.payment_intent.clone(), Some(c.id.clone())),
            Says::Refund(r) => (None, r.payment_intent.clone(), r.charge.clone()),
            Says::Dispute(d) => (None, d.payment_intent.clone(), d.charge.clone()),
            Says::FraudWarning(w) => (None, w.payment_intent.clone(), w.charge.clone()),
            Says::Subscription(_) | Says::Decision(_) | Says::LineItems(_) => (None, None, None),
        };
        if let (Some(invoice), Some(intent)) = (&invoice, &intent) {
            self.invoice_of_intent.insert(intent.clone(), invoice.clone());
        }
        if let (Some(invoice), Some(charge)) = (&invoice, &charge) {
            self.invoice_of_charge.insert(charge.clone(), invoice.clone());
        }
        if let (Some(intent), Some(charge)) = (intent, charge) {
            self.intent_of_charge.insert(charge, intent);
        }
    }

    /// The invoice that a payment or charge paid, as far as the links reach.
    #[must_use]
    pub fn invoice_of(&self, intent: Option<&PaymentIntentId>, charge: Option<&ChargeId>) -> Option<&InvoiceId> {
        let by_charge = charge.and_then(|c| {
            self.invoice_of_charge
                .get(c)
                .or_else(|| self.intent_of_charge.get(c).and_then(|i| self.invoice_of_intent.get(i)))
        });
        intent.and_then(|i| self.invoice_of_intent.get(i)).or(by_charge)
    }

    /// One name for a payment, whether a fact names its intent or its charge.
    #[must_use]
    pub fn payment_name(&self, intent: Option<&PaymentIntentId>, charge: Option<&ChargeId>) -> String {
        let intent = intent.or_else(|| charge.and_then(|c| self.intent_of_charge.get(c)));
        match (intent, charge) {
            (Some(intent), _) => intent.as_str().to_owned(),
            (None, Some(charge)) => charge.as_str().to_owned(),
            (None, None) => String::new(),
        }
    }

    /// The key of a snapshot's item.
    #[must_use]
    pub fn key_of_item(&self, item: &Item) -> Option<&ItemKey> {
        self.find(item.id.as_ref().map(crate::domain::id::ItemId::as_str), &item.price)
    }

    /// The key of the item that a line bills: by the item's id, else by a price that the item has or had.
    #[must_use]
    pub fn key_of_line(&self, line: &Line) -> Option<&ItemKey> {
        self.find(line.item.as_ref().map(crate::domain::id::ItemId::as_str), &line.price)
    }

    /// An invoice's lines with the items that they bill. A price that no snapshot has shown yet belongs to the one item
    /// whose time the same invoice takes back: that is how a change of price is billed.
    #[must_use]
    pub fn lines_of<'i>(&self, invoice: &'i Invoice) -> Vec<(ItemKey, &'i Line)> {
        let credited = invoice.lines.iter().filter(|l| l.amount < 0).filter_map(|l| self.key_of_line(l));
        let credited: BTreeSet<&ItemKey> = credited.collect();
        let only = credited.first().filter(|_| credited.len() == 1);
        let named = |l: &'i Line| {
            let known = self.key_of_line(l).or_else(|| only.filter(|_| l.item.is_none()).copied());
            known.map(|key| (key.clone(), l))
        };
        invoice.lines.iter().filter_map(named).collect()
    }

    fn find(&self, id: Option<&str>, price: &Priced) -> Option<&ItemKey> {
        let by_id = id.and_then(|id| self.items.iter().find(|(key, h)| key == id || h.aliases.contains(id)));
        let had = |h: &ItemHistory| price.id.is_some() && h.prices.iter().any(|(_, p)| p.id == price.id);
        by_id.or_else(|| self.items.iter().rfind(|(_, h)| had(h))).map(|(key, _)| key)
    }

    /// An item's history.
    #[must_use]
    pub fn history(&self, key: &str) -> Option<&ItemHistory> {
        self.items.iter().find(|(k, _)| k == key).map(|(_, h)| h)
    }

    /// The guide's metadata asks for a license without any plan: for the first item that is not billed by use.
    fn ask(&mut self, facts: &[&Fact], revisions: &Revisions, decided: &Decided) {
        let planned = |(at, p): &(Timestamp, Priced)| revisions.plan_for(p, decided.judged_at(*at)).is_some();
        if self.items.iter().flat_map(|(_, h)| &h.prices).any(planned) {
            return;
        }
        for fact in facts {
            let wants = match &fact.says {
                Says::Session(s) => &s.wants,
                Says::Subscription(s) => &s.wants,
                Says::Invoice(i) => &i.wants,
                Says::Payment(_)
                | Says::Charge(_)
                | Says::Refund(_)
                | Says::Dispute(_)
                | Says::FraudWarning(_)
                | Says::Decision(_)
                | Says::LineItems(_) => continue,
            };
            if wants.app_id.is_some() || wants.plan.is_some() {
                self.asked = Some(wants.clone());
            }
        }
    }

    /// The plan that an item's price stands for, or the one that the metadata names.
    #[must_use]
    pub fn plan_of<'r>(
        &self,
        price: &Priced,
        at: Timestamp,
        revisions: &'r Revisions,
        decided: &Decided,
    ) -> Option<&'r Plan> {
        let judged = decided.judged_at(at);
        let named = || self.asked.as_ref().and_then(|w| w.plan.as_ref()).and_then(|n| revisions.plan_named(n, judged));
        revisions.plan_for(price, judged).or_else(|| if self.is_asked_item(price) { named() } else { None })
    }

    /// Whether a price is licensed: a plan names it, or the metadata asks for a license and this is the item it means.
    #[must_use]
    pub fn licenses(&self, price: &Priced, at: Timestamp, revisions: &Revisions, decided: &Decided) -> bool {
        self.plan_of(price, at, revisions, decided).is_some()
            || (self.asked.as_ref().is_some_and(|w| w.app_id.is_some()) && self.is_asked_item(price))
    }

    /// Whether a price is licensed by the metadata alone.
    #[must_use]
    pub fn only_asked(&self, price: &Priced, at: Timestamp, revisions: &Revisions, decided: &Decided) -> bool {
        self.is_asked_item(price) && revisions.plan_for(price, decided.judged_at(at)).is_none()
    }

    fn is_asked_item(&self, price: &Priced) -> bool {
        self.asked.is_some() && self.items.first().is_some_and(|(_, h)| h.prices.iter().any(|(_, p)| p.id == price.id))
    }

    /// Whether a line's price is licensed, by all that any snapshot told of that price.
    #[must_use]
    pub fn licenses_line(&self, line: &Line, at: Timestamp, revisions: &Revisions, decided: &Decided) -> bool {
        let told =
            self.items.iter().flat_map(|(_, h)| &h.prices).find(|(_, p)| p.id.is_some() && p.id == line.price.id);
        let price = match told {
            Some((_, p)) => Priced {
                id: p.id.clone(),
                lookup_key: p.lookup_key.clone().or_else(|| line.price.lookup_key.clone()),
                product: p.product.clone().or_else(|| line.price.product.clone()),
            },
            None => line.price.clone(),
        };
        self.licenses(&price, at, revisions, decided)
    }

    /// Whether a line belongs to a trial's zero invoice, which pays for nothing beyond the trial.
    #[must_use]
    pub fn is_trial_line(&self, invoice: &Invoice, line: &Line) -> bool {
        invoice.total == 0
            && matches!(invoice.reason, BillingReason::Create | BillingReason::Update | BillingReason::Other)
            && self.trial_ends.contains(&line.end)
    }
}

/// Whether the subscription's first invoice is known and no event of it says that it was paid. A failure alone does not
/// count: an endpoint that hears of failures only will not hear of the payment that follows.
fn first_invoice_open(facts: &[&Fact]) -> bool {
    let first = facts.iter().filter_map(|f| f.invoice()).filter(|i| i.reason == BillingReason::Create);
    let attempt = |e: InvoiceEvent| matches!(e, InvoiceEvent::PaymentFailed | InvoiceEvent::ActionRequired);
    first.clone().any(|i| !attempt(i.event)) && !first.clone().any(|i| i.event == InvoiceEvent::Paid && i.paid)
}

/// The name that a price gives to an item without an id.
fn price_key(price: &Priced) -> ItemKey {
    let id = price.id.as_ref().map(|p| p.as_str().to_owned());
    id.or_else(|| price.product.as_ref().map(|p| p.as_str().to_owned())).unwrap_or_else(|| "item".to_owned())
}
