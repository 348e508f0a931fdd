//! What goes on after it had stopped: a trial that was paused, a customer who had left.

use super::ledger::Status;
use super::{Bought, Stripe};
use crate::shop::calendar::months;
use crate::shop::catalog::price_of;
use crate::shop::script::{Method, What};

impl Stripe {
    /// What a trial's end had paused goes on: a period begins at once and is billed at once.
    pub(super) fn resume_trial(&mut self, s: usize) {
        if self.subs[s].method != Method::Card {
            return;
        }
        let now = self.now;
        self.change(s, |state| {
            state.status = Status::Active;
            for item in &mut state.items {
                let first = months(now, price_of(item.price).months);
                (item.start, item.end, item.anchor, item.turned) = (now, first, now, 0);
            }
        });
        let lines = self.period_lines(s, &|_| true, false);
        let invoice = self.draft(s, "subscription_update", lines);
        self.open_invoice(invoice);
        self.collect(invoice);
        self.plan_turn(s);
    }

    /// A former customer begins anew, once.
    pub(super) fn resubscribe(&mut self, n: usize, s: usize, price: Option<&str>) {
        let old = &self.subs[s];
        if old.now().status != Status::Canceled || self.former.contains(&s) {
            return;
        }
        let same = old.now().items[0].clone();
        let what = What::Subscription {
            items: vec![(price.unwrap_or(same.price).to_owned(), same.quantity.max(1))],
            checkout: old.checkout,
            method: old.method,
            trial_days: 0,
            sent: None,
            retries: old.retries,
            gives_up: old.gives_up,
            metadata: None,
            fee: false,
            halves: false,
            backdated: 0,
            pauses: false,
        };
        let new = self.subscribe(n, &what);
        self.former.push(s);
        self.bought.insert(n, Bought::Sub(new));
    }
}
