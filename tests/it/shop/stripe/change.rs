//! Changes in mid period: another price, another quantity, items that come and go, trials that are added.

use super::ledger::{Item, Line, Status};
use super::{Stripe, Task};
use crate::shop::catalog::price_of;
use crate::shop::script::Billed;

impl Stripe {
    /// The item that a step means, where the subscription can be changed.
    fn item(&self, s: usize, which: u8) -> Option<Item> {
        let state = self.subs[s].now();
        let may = state.status == Status::Active && state.cancel_at.is_none() && !state.paused;
        let at = usize::from(which) % state.items.len().max(1);
        state.items.get(at).filter(|_| may).cloned()
    }

    fn sells(&self, s: usize, price: &str) -> bool {
        let items = &self.subs[s].now().items;
        let interval = |id: &str| price_of(id).months;
        items.iter().all(|i| i.price != price)
            && items
                .iter()
                .all(|i| self.new_shape || interval(i.price) == interval(price))
    }

    /// A share of an item's price for the rest of its period.
    fn proration(&mut self, item: &Item, sign: i64) -> Line {
        let price = price_of(item.price);
        let whole = price.amount * i64::try_from(item.quantity).unwrap();
        let amount = sign * whole * (item.end - self.now) / (item.end - item.start).max(1);
        Line {
            id: self.id("il"),
            item: Some(item.id.clone()),
            price: Some(price),
            quantity: item.quantity,
            amount,
            start: self.now,
            end: item.end,
            proration: true,
            credit: sign < 0,
            trial: false,
        }
    }

    /// Changes the items and bills the difference.
    fn change_items(
        &mut self,
        s: usize,
        gone: Option<&Item>,
        come: Option<&Item>,
        items: Vec<Item>,
        billed: Billed,
    ) {
        let mut lines = Vec::new();
        if billed != Billed::Never {
            let is_metered = |i: &&Item| !price_of(i.price).metered;
            if let Some(gone) = gone.filter(is_metered) {
                lines.push(self.proration(gone, -1));
            }
            if let Some(come) = come.filter(is_metered) {
                lines.push(self.proration(come, 1));
            }
        }
        if billed == Billed::Now && !lines.is_empty() {
            let i = self.draft(s, "subscription_update", lines);
            self.change(s, |state| {
                state.items = items;
                state.latest = Some(i);
            });
            self.open_invoice(i);
            self.collect(i);
        } else {
            self.subs[s].pending.extend(lines);
            self.change(s, |state| state.items = items);
        }
        self.plan_turn(s);
    }

    fn replaced(&self, s: usize, old: &Item, new: Option<Item>) -> Vec<Item> {
        let items = self.subs[s].now().items.iter();
        items
            .filter_map(|i| {
                if i.id == old.id {
                    new.clone()
                } else {
                    Some(i.clone())
                }
            })
            .collect()
    }

    pub(super) fn change_price(&mut self, s: usize, which: u8, price: &str, billed: Billed) {
        let Some(old) = self.item(s, which) else {
            return;
        };
        if !self.sells(s, price) {
            return;
        }
        if price_of(price).months != price_of(old.price).months {
            return self.change_interval(s, &old, price);
        }
        let new = Item {
            price: price_of(price).id,
            ..old.clone()
        };
        let items = self.replaced(s, &old, Some(new.clone()));
        self.change_items(s, Some(&old), Some(&new), items, billed);
    }

    /// Another interval begins a period at once, and it is billed at once.
    fn change_interval(&mut self, s: usize, old: &Item, price: &str) {
        if self.subs[s].now().items.len() != 1 {
            return;
        }
        let mut new = self.new_item(price, old.quantity, self.now, None);
        new.id.clone_from(&old.id);
        let credit = self.proration(old, -1);
        self.begin_at_once(s, new, vec![credit]);
    }

    pub(super) fn reset_anchor(&mut self, s: usize) {
        let Some(old) = self.item(s, 0) else { return };
        if self.subs[s].now().items.len() != 1 {
            return;
        }
        let mut new = self.new_item(old.price, old.quantity, self.now, None);
        new.id.clone_from(&old.id);
        let credit = self.proration(&old, -1);
        self.begin_at_once(s, new, vec![credit]);
    }

    fn begin_at_once(&mut self, s: usize, new: Item, mut lines: Vec<Line>) {
        let before = self.subs[s].now().items.clone();
        self.subs[s].history.last_mut().unwrap().1.items = vec![new.clone()];
        lines.extend(self.period_lines(s, &|_| true, false));
        self.subs[s].history.last_mut().unwrap().1.items = before;
        let i = self.draft(s, "subscription_update", lines);
        self.change(s, |state| {
            state.items = vec![new];
            state.latest = Some(i);
        });
        self.open_invoice(i);
        self.collect(i);
        self.plan_turn(s);
    }

    /// From its next period on an item has another price.
    pub(super) fn change_at_turn(&mut self, s: usize, which: u8, price: &str) {
        let Some(old) = self.item(s, which) else {
            return;
        };
        if self.sells(s, price) && price_of(price).months == price_of(old.price).months {
            self.subs[s].scheduled.push((old.id, price_of(price).id));
        }
    }

    /// The old item goes and a new one comes, in one change.
    pub(super) fn swap_item(&mut self, s: usize, which: u8, price: &str, billed: Billed) {
        let Some(old) = self.item(s, which) else {
            return;
        };
        if !self.sells(s, price) || price_of(price).months != price_of(old.price).months {
            return;
        }
        let new = Item {
            id: self.id("si"),
            price: price_of(price).id,
            ..old.clone()
        };
        let items = self.replaced(s, &old, Some(new.clone()));
        self.change_items(s, Some(&old), Some(&new), items, billed);
    }

    pub(super) fn change_quantity(&mut self, s: usize, which: u8, quantity: u64, billed: Billed) {
        let Some(old) = self.item(s, which) else {
            return;
        };
        if price_of(old.price).metered || old.quantity == quantity {
            return;
        }
        let new = Item {
            quantity,
            ..old.clone()
        };
        let items = self.replaced(s, &old, Some(new.clone()));
        self.change_items(s, Some(&old), Some(&new), items, billed);
    }

    /// A new item shares the period of the others of its interval.
    pub(super) fn add_item(&mut self, s: usize, price: &str, quantity: u64, billed: Billed) {
        let Some(_) = self.item(s, 0) else { return };
        if !self.sells(s, price) || self.subs[s].now().items.len() >= 20 {
            return;
        }
        let same = |i: &&Item| price_of(i.price).months == price_of(price).months;
        let shared = self.subs[s].now().items.iter().find(same).cloned();
        let Some(period) = shared else { return };
        let new = Item {
            id: self.id("si"),
            price: price_of(price).id,
            quantity,
            ..period
        };
        let mut items = self.subs[s].now().items.clone();
        items.push(new.clone());
        self.change_items(s, None, Some(&new), items, billed);
    }

    pub(super) fn remove_item(&mut self, s: usize, which: u8, billed: Billed) {
        let Some(old) = self.item(s, which) else {
            return;
        };
        if self.subs[s].now().items.len() > 1 {
            let items = self.replaced(s, &old, None);
            self.change_items(s, Some(&old), None, items, billed);
        }
    }

    /// A trial is given to a running subscription: the periods end with it, and nothing is billed for it.
    pub(super) fn add_trial(&mut self, s: usize, span: i64) {
        let Some(_) = self.item(s, 0) else { return };
        let (now, end) = (self.now, self.now + span);
        self.change(s, |state| {
            state.status = Status::Trialing;
            state.trial = Some((now, end));
            for item in &mut state.items {
                (item.start, item.end, item.anchor, item.turned) = (now, end, end, 0);
            }
        });
        self.plan(end, Task::TrialEnd(s));
    }
}
