//! A subscription in its versions: each snapshot with the items that it had then, whatever a cut list shows of them.

use std::collections::BTreeMap;

use super::invoice::Invoice;
use super::item_then::ItemThen;
use super::items::{ItemHistory, Items};
use super::listed::Listed;
use super::listed::answers;
use super::listed::moved_along;
use super::listed::period_shown;
use crate::domain::fact::{
    Fact, Item, Subscription as Shown, SubscriptionEvent, SubscriptionStatus, Wants,
};
use crate::domain::id::{InvoiceId, ItemKey};
use crate::domain::terms::Terms;
use crate::domain::time::Timestamp;

/// One snapshot.
#[derive(Clone, Debug)]
pub struct Version<'f> {
    /// When it was so.
    pub at: Timestamp,
    /// When we heard of it.
    pub learned: Timestamp,
    pub shown: &'f Shown,
    /// The items: those that it shows, and of a cut list (`has_more`) those that it does not, as they were. What is not
    /// shown is unknown, not given up (rule 14).
    pub items: Vec<ItemThen>,
    /// Whether those are all: its list is not cut, or a query told the rest.
    pub whole: bool,
}

/// A subscription with everything that its snapshots told.
#[derive(Clone, Debug, Default)]
pub struct Subscription<'f> {
    /// Its snapshots, in canonical order.
    pub versions: Vec<Version<'f>>,
    /// Its items through time.
    pub items: Items,
    /// What metadata asks for, where no plan names what the subscription began with: one license, which belongs to the
    /// subscription and not to an item (rule 10).
    pub asked: Option<Wants>,
}

impl<'f> Subscription<'f> {
    pub(super) fn of(
        facts: &[&'f Fact],
        invoices: &BTreeMap<InvoiceId, Invoice<'f>>,
        terms: &Terms<'_>,
    ) -> Self {
        let mut subscription = Self::default();
        let asked = asked(facts);
        let snapshots: Vec<&'f Fact> = facts
            .iter()
            .filter(|f| f.subscription().is_some())
            .copied()
            .collect();
        subscription.versions.reserve(snapshots.len());
        for (fact, answer) in snapshots.iter().zip(answers(facts, &snapshots)) {
            if let Some(shown) = fact.subscription() {
                let listed = Listed::of(shown, answer);
                subscription.add(fact, shown, &listed, asked.is_some(), terms);
            }
        }
        subscription.add_billed(invoices, terms);
        if !subscription.began_planned() {
            subscription.asked = asked;
        }
        subscription.settle_absorbed();
        subscription
    }

    /// Whether a plan names something that it began with, by units and not by use.
    fn began_planned(&self) -> bool {
        let items = self
            .items
            .iter()
            .map(|(_, h)| h)
            .filter(|h| !h.is_metered());
        let firsts = items.filter_map(|h| h.prices.first());
        let began = firsts.clone().map(|p| p.since).min();
        firsts
            .into_iter()
            .any(|p| Some(p.since) == began && p.plan.is_some())
    }

    fn add(
        &mut self,
        fact: &Fact,
        shown: &'f Shown,
        listed: &Listed<'_>,
        asked: bool,
        terms: &Terms<'_>,
    ) {
        let former: Vec<ItemThen> = self
            .versions
            .last()
            .map(|v| v.items.clone())
            .unwrap_or_default();
        let alone = listed.items.len() == 1;
        let known = self.items.len();
        let mut items: Vec<ItemThen> = Vec::with_capacity(listed.items.len());
        for item in listed.items {
            let id = item.id.as_ref().map(|id| ItemKey::from(id.as_str()));
            let priced = (&item.price, item.metered);
            let index = self.items.add(id, priced, fact.at, alone, terms);
            let period = item
                .period_start
                .zip(item.period_end)
                .or_else(|| period_shown(shown, item));
            items.push(ItemThen {
                period,
                ..then(self.items.at(index).0.clone(), item)
            });
        }
        if listed.whole && !listed.items.is_empty() {
            self.hand_on(known, &former, &mut items, asked);
        } else {
            let unseen = former
                .iter()
                .filter(|f| !items.iter().any(|i| i.key == f.key));
            let moved = unseen.map(|f| ItemThen {
                period: moved_along(f.period, &former, &items),
                ..f.clone()
            });
            items.extend(moved.collect::<Vec<_>>());
        }
        self.versions.push(Version {
            at: fact.at,
            learned: fact.received,
            shown,
            items,
            whole: listed.whole,
        });
    }

    /// An item that is gone in the same change in which another licensed one appears hands its licenses on: to one of
    /// the same plan first, then to any (rule 14). That is how several libraries swap a plan.
    fn hand_on(&mut self, known: usize, former: &[ItemThen], items: &mut [ItemThen], asked: bool) {
        let mut gone: Vec<ItemKey> = former
            .iter()
            .filter(|f| !items.iter().any(|i| i.key == f.key))
            .map(|f| f.key.clone())
            .collect();
        for same_plan in [true, false] {
            let mut index = known;
            while index < self.items.len() {
                let (key, history) = self.items.at(index);
                let (key, plan) = (key.clone(), history.licensed().and_then(|p| p.plan.clone()));
                let fits = |g: &ItemKey| {
                    let old = self
                        .items
                        .history(g)
                        .and_then(|h| h.licensed())
                        .and_then(|p| p.plan.clone());
                    old.is_some() && plan.is_some() && (!same_plan || old == plan)
                };
                let successor_of = gone.iter().position(fits);
                match successor_of.map(|n| gone.remove(n)) {
                    Some(old) => {
                        if let Some(former) = self.items.index_of(&old) {
                            self.items.replace(index, former);
                            for item in items.iter_mut().filter(|i| i.key == key) {
                                item.key.clone_from(&old);
                            }
                        }
                    }
                    None => index += 1,
                }
            }
        }
        // Metadata asked for the license of what is gone: what takes its place is covered by that license.
        for index in known..self.items.len() {
            let unplanned = |g: &ItemKey| {
                self.items
                    .history(g)
                    .is_some_and(|h| h.licensed().is_none() && !h.is_metered())
            };
            if asked && gone.iter().any(unplanned) {
                self.items.history_mut(index).absorbed = true;
            }
        }
    }

    /// What only invoices tell of: items, where no snapshot shows them all, and prices that items had before.
    fn add_billed(&mut self, invoices: &BTreeMap<InvoiceId, Invoice<'f>>, terms: &Terms<'_>) {
        let mut in_order: Vec<&Invoice<'f>> = invoices.values().collect();
        in_order.sort_by_key(|i| (i.first_at, &i.shown.id));
        let unseen = self.versions.is_empty() || self.versions.iter().any(|v| !v.whole);
        for invoice in &in_order {
            // A proration bills a change; what is changed is told by others.
            for line in invoice
                .lines
                .lines
                .iter()
                .filter(|l| l.amount >= 0 && !l.proration)
            {
                if unseen && line.of_subscription && self.items.key_of_line(line).is_none() {
                    let id = line.item.as_ref().map(|id| ItemKey::from(id.as_str()));
                    let index =
                        self.items
                            .add(id, (&line.price, false), invoice.first_at, false, terms);
                    let key = self.items.at(index).0.clone();
                    let period = Some((line.start, line.end));
                    let quantity = line.quantity.unwrap_or(1);
                    for version in self.versions.iter_mut().filter(|v| !v.whole) {
                        version.items.push(ItemThen {
                            key: key.clone(),
                            quantity,
                            metered: false,
                            period,
                        });
                    }
                }
                self.items.billed(line, terms);
            }
        }
    }

    /// What the metadata asks for goes on where a plan names its item's later price; without it nothing is absorbed.
    fn settle_absorbed(&mut self) {
        for index in 0..self.items.len() {
            let history = self.items.history_mut(index);
            let planned_later = history.prices.first().is_some_and(|p| p.plan.is_none());
            history.absorbed = self.asked.is_some() && (history.absorbed || planned_later);
        }
    }

    /// The newest version that is not later than an instant.
    #[must_use]
    pub fn version_at(&self, at: Timestamp) -> Option<&Version<'f>> {
        self.versions.iter().rev().find(|v| v.at <= at)
    }

    #[must_use]
    pub fn newest(&self) -> Option<&Version<'f>> {
        self.versions.last()
    }

    /// When the subscription was made, as far as anybody told.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        self.versions
            .first()
            .map(|v| v.shown.created.unwrap_or(v.at))
    }

    /// Whether the event of its creation came: an older one's first invoice may be older than what we hear.
    #[must_use]
    pub fn heard_from_its_beginning(&self) -> bool {
        let versions = self.versions.iter();
        versions
            .map(|v| v.shown.event)
            .any(|e| e == SubscriptionEvent::Created)
    }

    /// When it is no longer news, by the provider's clock and ours: then its first invoice, if we hear of invoices, is here.
    #[must_use]
    pub fn known_since(&self) -> Option<Timestamp> {
        self.created()
            .max(self.versions.iter().map(|v| v.learned).min())
    }

    /// Whether any snapshot named that trial end.
    #[must_use]
    pub fn names_trial_end(&self, at: Timestamp) -> bool {
        self.versions.iter().any(|v| v.shown.trial_end == Some(at))
    }

    /// Whether any snapshot shows a trial before an instant, running or over.
    #[must_use]
    pub fn had_trial_by(&self, at: Timestamp) -> bool {
        let shows = |v: &Version<'f>| {
            v.at <= at
                && (v.shown.status == SubscriptionStatus::Trialing
                    || v.shown.trial_end.is_some_and(|end| end <= at))
        };
        self.versions.iter().any(shows)
    }

    /// Items that a plan names at an instant, or all that the metadata's license lives by; of those that the
    /// subscription has then.
    pub fn licensed_at(&self, at: Timestamp) -> impl Iterator<Item = &ItemKey> + Clone {
        let shown = self.version_at(at).or_else(|| self.versions.first());
        let is = |i: &ItemThen, key: &ItemKey| i.key == *key && (i.quantity > 0 || i.metered);
        let has = move |key: &ItemKey| {
            shown.is_none_or(|v| v.items.is_empty() || v.items.iter().any(|i| is(i, key)))
        };
        let licensed = self.items.iter();
        let licensed = licensed.filter(move |(_, h)| h.is_licensed_at(at));
        licensed.map(|(key, _)| key).filter(move |key| has(key))
    }

    /// An item as its license stands for it: one that no plan names any more has as many units as it had when one did
    /// (rule 15).
    #[must_use]
    pub fn as_sold(&self, item: &ItemThen) -> ItemThen {
        let history = self.items.history(&item.key);
        let is_sold = |h: &ItemHistory| h.prices.last().is_none_or(|p| h.is_licensed_by(p));
        let Some(history) = history.filter(|h| !is_sold(h)) else {
            return item.clone();
        };
        let sold = self
            .versions
            .iter()
            .rev()
            .filter(|v| history.is_licensed_at(v.at));
        let then = sold
            .filter_map(|v| v.items.iter().find(|i| i.key == item.key))
            .next();
        ItemThen {
            quantity: then.map_or(item.quantity, |i| i.quantity),
            ..item.clone()
        }
    }

    /// Items that were taken out when no plan named their price any more, as they were last: what was licensed before lives
    /// to what was paid, whatever becomes of the item (rule 15).
    pub fn left_unlicensed(&self) -> impl Iterator<Item = &ItemThen> {
        let newest = self.newest().map_or(&[][..], |v| &v.items);
        let is_gone = |key: &ItemKey| !newest.iter().any(|i| i.key == *key);
        let lost = |h: &ItemHistory| {
            h.licensed().is_some() && h.prices.last().is_some_and(|p| !h.is_licensed_by(p))
        };
        let gone = self
            .items
            .iter()
            .filter(move |(k, h)| lost(h) && is_gone(k));
        gone.filter_map(|(key, _)| {
            let shown = self.versions.iter().rev().flat_map(|v| &v.items);
            shown.into_iter().find(|i| i.key == *key)
        })
    }

    /// Items whose paid time keeps the metadata's license alive: all that are not billed by use.
    #[must_use]
    pub fn carriers(&self) -> Vec<ItemKey> {
        self.items
            .iter()
            .filter(|(_, h)| !h.is_metered())
            .map(|(key, _)| key.clone())
            .collect()
    }
}

fn then(key: ItemKey, item: &Item) -> ItemThen {
    let period = item.period_start.zip(item.period_end);
    ItemThen {
        key,
        quantity: item.quantity.unwrap_or(1),
        metered: item.metered,
        period,
    }
}

/// The newest metadata that asks for a license.
fn asked(facts: &[&Fact]) -> Option<Wants> {
    let wants = facts.iter().rev().filter_map(|fact| fact.wants());
    wants
        .into_iter()
        .find(|w| w.app_id.is_some() || w.plan.is_some())
        .cloned()
}
