//! The items of a subscription through time: which ever were, under which names, with which prices, and which of them
//! took the place of another.

use std::collections::BTreeSet;

use crate::domain::fact::{Invoice, InvoiceLine, Item, Priced};
use crate::domain::id::{ItemKey, PlanName, PriceId, ProductId};
use crate::domain::plan::Plan;
use crate::domain::terms::Terms;
use crate::domain::time::{Span, Timestamp};

/// A price that an item had, as it was when the item was first seen with it: a lookup key that moves on to another
/// price takes nobody along (rule 12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceSince {
    /// From when.
    pub since: Timestamp,
    pub price: Priced,
    /// The plan that named it then; `None`: it is not licensed by a plan.
    pub plan: Option<PlanName>,
    /// Whether that plan takes whatever no other names.
    pub by_rest: bool,
    /// Whether it is billed by use.
    pub metered: bool,
}

/// One item through time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemHistory {
    /// Its prices, oldest first.
    pub prices: Vec<PriceSince>,
    /// Other names under which it was seen: its prices where a snapshot had no item id, and the items whose place it took.
    pub aliases: BTreeSet<ItemKey>,
    /// What the metadata asks for stands for it, though a plan names its price by now.
    pub absorbed: bool,
}

impl ItemHistory {
    /// Its price at an instant.
    #[must_use]
    pub fn price_at(&self, at: Timestamp) -> Option<&PriceSince> {
        self.prices
            .iter()
            .rev()
            .find(|p| p.since <= at)
            .or_else(|| self.prices.first())
    }

    /// Whether it had a price in a line's time: one that takes time back bills the price before, any other the one from then on.
    fn had_in_time_of(&self, line: &InvoiceLine, is_it: impl Fn(&PriceSince) -> bool) -> bool {
        let nexts = self.prices.iter().skip(1).map(Some).chain([None]);
        let had = |(price, next): (&PriceSince, Option<&PriceSince>)| {
            let until = |least: Timestamp| next.is_none_or(|next| next.since >= least);
            if line.amount < 0 {
                price.since < line.start && until(line.start)
            } else {
                price.since < line.end && until(line.start + Span::from_ms(1))
            }
        };
        let mut prices = self.prices.iter().zip(nexts);
        prices.any(|of| is_it(of.0) && had(of))
    }

    /// The newest price that a plan names.
    #[must_use]
    pub fn licensed(&self) -> Option<&PriceSince> {
        self.prices.iter().rev().find(|p| self.is_licensed_by(p))
    }

    /// Whether a plan licenses it with a price. What is billed by use needs a plan that names it.
    #[must_use]
    pub fn is_licensed_by(&self, price: &PriceSince) -> bool {
        !self.absorbed && price.plan.is_some() && !(price.metered && price.by_rest)
    }

    /// Whether it was billed by use all the time: nothing was ever paid for it in advance.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        !self.prices.is_empty() && self.prices.iter().all(|p| p.metered)
    }

    /// Whether a line bills it by use.
    #[must_use]
    pub fn bills_use(&self, line: &InvoiceLine) -> bool {
        let same = |p: &&PriceSince| p.price.id.is_some() && p.price.id == line.price.id;
        let known = self.prices.iter().find(same);
        known.map_or_else(|| self.is_metered(), |p| p.metered)
    }

    /// Whether a plan licenses it at an instant.
    #[must_use]
    pub fn is_licensed_at(&self, at: Timestamp) -> bool {
        self.price_at(at).is_some_and(|p| self.is_licensed_by(p))
    }
}

/// Every item that ever was, in the order of first sight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    list: Vec<(ItemKey, ItemHistory)>,
}

impl Items {
    /// Every item with its name.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&ItemKey, &ItemHistory)> + Clone {
        self.list.iter().map(|(key, history)| (key, history))
    }

    #[must_use]
    pub fn history(&self, key: &ItemKey) -> Option<&ItemHistory> {
        self.list.iter().find(|(k, _)| k == key).map(|(_, h)| h)
    }

    /// The name of a snapshot's item.
    #[must_use]
    pub fn key_of_item(&self, item: &Item) -> Option<&ItemKey> {
        let id = item.id.as_ref().map(crate::domain::id::ItemId::as_str);
        self.find(id, &item.price, None)
    }

    /// The name of the item that a line bills: by the item's id, else by the price that an item had in the line's time, else by
    /// one that it ever had. Prorations name no item; of several it is the newest.
    #[must_use]
    pub fn key_of_line(&self, line: &InvoiceLine) -> Option<&ItemKey> {
        let id = line.item.as_ref().map(crate::domain::id::ItemId::as_str);
        self.find(id, &line.price, Some(line))
    }

    /// An invoice's lines with the items that they bill. A price that no snapshot has shown yet belongs to the one item
    /// whose time the same invoice takes back: that is how a change of price is billed.
    #[must_use]
    pub fn lines_of<'i>(&self, invoice: &'i Invoice) -> Vec<(ItemKey, &'i InvoiceLine)> {
        let credited = invoice
            .lines
            .iter()
            .filter(|l| l.amount < 0)
            .filter_map(|l| self.key_of_line(l));
        let credited: BTreeSet<&ItemKey> = credited.collect();
        let only = credited.first().filter(|_| credited.len() == 1);
        let named = |l: &'i InvoiceLine| {
            let known = self
                .key_of_line(l)
                .or_else(|| only.filter(|_| l.item.is_none()).copied());
            known.map(|key| (key.clone(), l))
        };
        invoice.lines.iter().filter_map(named).collect()
    }

    /// Whether a plan licenses a line's price: as that price was when it was first seen on an item, else as the line
    /// shows it.
    #[must_use]
    pub fn plan_of_line<'a>(
        &self,
        line: &InvoiceLine,
        at: Timestamp,
        terms: &Terms<'a>,
    ) -> Option<&'a Plan> {
        let seen = self.list.iter().flat_map(|(_, h)| &h.prices);
        match seen
            .into_iter()
            .find(|p| p.price.id.is_some() && p.price.id == line.price.id)
        {
            Some(seen) => terms.plan_for(&seen.price, seen.since),
            None => terms.plan_for(&line.price, at),
        }
    }

    fn find(
        &self,
        id: Option<&str>,
        price: &Priced,
        line: Option<&InvoiceLine>,
    ) -> Option<&ItemKey> {
        let by_id = id.and_then(|id| {
            self.list
                .iter()
                .find(|(key, h)| key.as_str() == id || h.aliases.contains(id))
        });
        let is_it = |p: &PriceSince| price.id.is_some() && p.price.id == price.id;
        let had = |h: &ItemHistory| h.prices.iter().any(is_it);
        let came = |h: &ItemHistory| h.prices.first().map(|p| p.since);
        let was_there = |h: &ItemHistory| line.is_none_or(|line| came(h) < Some(line.end));
        let newest = |fits: &dyn Fn(&ItemHistory) -> bool| self.list.iter().rfind(|(_, h)| fits(h));
        by_id
            .or_else(|| line.and_then(|line| newest(&|h| h.had_in_time_of(line, is_it))))
            .or_else(|| newest(&|h| had(h) && was_there(h)))
            .or_else(|| newest(&had))
            .map(|(key, _)| key)
    }

    /// Notes an item. A snapshot without item ids (2015, 2016) that shows a single item means the one that is known.
    pub(super) fn add(
        &mut self,
        id: Option<ItemKey>,
        (price, metered): (&Priced, bool),
        at: Timestamp,
        alone: bool,
        terms: &Terms<'_>,
    ) -> usize {
        let price_key = price_key(price);
        let found = match &id {
            Some(id) => {
                let named = |(key, h): &(ItemKey, ItemHistory)| key == id || h.aliases.contains(id);
                self.list.iter().position(named).or_else(|| {
                    // The same single item, first seen without an id.
                    (alone
                        && self.list.len() == 1
                        && self.list[0].1.aliases.contains(&self.list[0].0))
                    .then_some(0)
                })
            }
            None => {
                let priced = |(key, h): &(ItemKey, ItemHistory)| {
                    *key == price_key || h.aliases.contains(&price_key)
                };
                let only = || (alone && self.list.len() == 1).then_some(0);
                self.list.iter().position(priced).or_else(only)
            }
        };
        let index = found.unwrap_or_else(|| {
            let mut history = ItemHistory::default();
            let key = id.clone().unwrap_or_else(|| {
                history.aliases.insert(price_key.clone());
                price_key.clone()
            });
            self.list.push((key, history));
            self.list.len() - 1
        });
        let (key, history) = &mut self.list[index];
        if let Some(id) = id.filter(|id| id != key) {
            history.aliases.insert(id);
        }
        history.aliases.insert(price_key);
        history.see((price, metered), at, terms);
        index
    }

    /// Lets the item at `index`, which has just appeared, take the place of one that went in the same change.
    pub(super) fn replace(&mut self, index: usize, former: usize) {
        let (key, appeared) = self.list.remove(index);
        let (_, history) = &mut self.list[former];
        history.aliases.insert(key);
        history.aliases.extend(appeared.aliases);
        history.prices.extend(appeared.prices);
    }

    pub(super) fn history_mut(&mut self, index: usize) -> &mut ItemHistory {
        &mut self.list[index].1
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn index_of(&self, key: &ItemKey) -> Option<usize> {
        self.list.iter().position(|(k, _)| k == key)
    }

    pub(super) fn at(&self, index: usize) -> (&ItemKey, &ItemHistory) {
        let (key, history) = &self.list[index];
        (key, history)
    }

    /// A price that an item had before any snapshot of it was heard of: only what was billed for it tells of it.
    pub(super) fn billed(&mut self, line: &InvoiceLine, terms: &Terms<'_>) {
        let Some(id) = &line.item else { return };
        let named = |(key, h): &&mut (ItemKey, ItemHistory)| {
            key.as_str() == id.as_str() || h.aliases.contains(id.as_str())
        };
        let Some((_, history)) = self.list.iter_mut().find(named) else {
            return;
        };
        if !history.prices.iter().any(|p| p.price.id == line.price.id) {
            let slot = history.prices.partition_point(|p| p.since <= line.start);
            history
                .prices
                .insert(slot, PriceSince::of(&line.price, line.start, terms));
            history.aliases.insert(price_key(&line.price));
        }
    }
}

impl ItemHistory {
    fn see(&mut self, (price, metered): (&Priced, bool), at: Timestamp, terms: &Terms<'_>) {
        if self
            .prices
            .last()
            .is_some_and(|last| last.price.id == price.id)
        {
            return;
        }
        let before = self
            .prices
            .iter()
            .find(|p| p.price.id == price.id && price.id.is_some());
        let again = before.map(|p| PriceSince {
            since: at,
            metered,
            ..p.clone()
        });
        let first = || PriceSince {
            metered,
            ..PriceSince::of(price, at, terms)
        };
        self.prices.push(again.unwrap_or_else(first));
    }
}

impl PriceSince {
    fn of(price: &Priced, since: Timestamp, terms: &Terms<'_>) -> Self {
        let plan = terms.plan_for(price, since);
        Self {
            since,
            price: price.clone(),
            plan: plan.map(|p| p.name.clone()),
            by_rest: plan.is_some_and(Plan::is_rest),
            metered: false,
        }
    }
}

/// The name that a price gives to an item without an id.
fn price_key(price: &Priced) -> ItemKey {
    let id = price.id.as_ref().map(PriceId::as_str);
    let product = || price.product.as_ref().map(ProductId::as_str);
    ItemKey::from(id.or_else(product).unwrap_or("item"))
}
