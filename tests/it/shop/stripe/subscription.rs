//! A subscription's own life: it begins, its periods turn, its trial ends, it is cancelled.

use super::ledger::{Item, Line, State, Status, Sub};
use super::{Stripe, Task};
use crate::shop::calendar::{DAY, HOUR, Time, months};
use crate::shop::catalog::{price_of, without_plan};
use crate::shop::script::{Method, What};

impl Stripe {
    pub(super) fn subscribe(&mut self, n: usize, what: &What) -> usize {
        let What::Subscription {
            items,
            checkout,
            method,
            trial_days,
            sent,
            retries,
            gives_up,
            metadata,
            fee,
            halves,
            backdated,
            pauses,
        } = what
        else {
            unreachable!("only subscriptions are subscribed to")
        };
        let began = self.now - i64::from(*backdated) * DAY;
        let trial = (*trial_days > 0).then(|| (self.now, self.now + i64::from(*trial_days) * DAY));
        let made: Vec<Item> = self
            .prices_of(items, metadata.is_some())
            .into_iter()
            .map(|(price, quantity)| self.new_item(&price, quantity, began, trial))
            .collect();
        let state = State {
            status: if trial.is_some() {
                Status::Trialing
            } else {
                Status::Incomplete
            },
            items: made,
            paused: false,
            cancel_at_end: false,
            cancel_at: None,
            canceled_at: None,
            ended_at: None,
            reason: None,
            trial,
            latest: None,
            edits: 0,
        };
        let sub = Sub {
            id: self.id("sub"),
            customer: format!("cus_Shop{n:04}"),
            created: self.now,
            began,
            method: *method,
            coupon: false,
            sent_days: sent.map(i64::from),
            retries: *retries,
            gives_up: *gives_up,
            metadata: *metadata,
            checkout: *checkout && sent.is_none(),
            halves: *halves,
            history: vec![(self.now, state)],
            pauses: *pauses,
            scheduled: Vec::new(),
            pending: Vec::new(),
        };
        self.subs.push(sub);
        let s = self.subs.len() - 1;
        self.bill_the_beginning(s, trial, *fee);
        s
    }

    /// The prices that a subscription can begin with, each once.
    fn prices_of<Q: Copy>(&self, items: &[(String, Q)], has_metadata: bool) -> Vec<(String, Q)> {
        let first_interval = price_of(&items[0].0).months;
        // Before flexible billing all items share an interval.
        let fits = |price: &str| self.new_shape || price_of(price).months == first_interval;
        let mut wanted: Vec<(String, Q)> = Vec::new();
        for (price, quantity) in items.iter().filter(|(price, _)| fits(price)) {
            let price = if has_metadata {
                without_plan(price)
            } else {
                price
            };
            if wanted.iter().all(|(other, _)| other != price) {
                wanted.push((price.to_owned(), *quantity));
            }
        }
        wanted
    }

    /// The first invoice, and what happens next to a new subscription.
    fn bill_the_beginning(&mut self, s: usize, trial: Option<(Time, Time)>, fee: bool) {
        let mut lines = self.period_lines(s, &|_| true, trial.is_some());
        if fee {
            lines.push(self.service_line(self.now));
        }
        let invoice = self.draft(s, "subscription_create", lines);
        self.subs[s].history[0].1.latest = Some(invoice);
        if self.subs[s].sent_days.is_some() && trial.is_none() {
            self.subs[s].history[0].1.status = Status::Active;
        }
        let object = self.subscription_body(s);
        self.emit("customer.subscription.created", object);
        self.open_invoice(invoice);
        let at = self.now + 2;
        self.plan(at, Task::FirstPayment(invoice));
        self.plan_turn(s);
        if let Some((_, end)) = trial {
            self.plan(end, Task::TrialEnd(s));
        } else {
            let at = self.now + 23 * HOUR;
            self.plan(at, Task::ExpireIncomplete(s));
        }
    }

    pub(super) fn new_item(
        &mut self,
        price: &str,
        quantity: u64,
        began: Time,
        trial: Option<(Time, Time)>,
    ) -> Item {
        let price = price_of(price);
        let (anchor, mut turned) = (trial.map_or(began, |(_, end)| end), 0);
        while trial.is_none() && months(anchor, price.months * (turned + 1)) <= self.now {
            turned += 1;
        }
        let start = trial.map_or(months(anchor, price.months * turned), |(start, _)| start);
        let end = trial.map_or_else(
            || months(anchor, price.months * (turned + 1)),
            |(_, end)| end,
        );
        Item {
            id: self.id("si"),
            price: price.id,
            quantity,
            start,
            end,
            anchor,
            turned,
        }
    }

    /// Lines for the running periods of some items.
    pub(super) fn period_lines(
        &mut self,
        s: usize,
        which: &dyn Fn(&Item) -> bool,
        trial: bool,
    ) -> Vec<Line> {
        let items: Vec<Item> = self.subs[s]
            .now()
            .items
            .iter()
            .filter(|i| which(i))
            .cloned()
            .collect();
        let line = |item: Item| {
            let price = price_of(item.price);
            let amount = if trial {
                0
            } else {
                price.amount * i64::try_from(item.quantity).unwrap()
            };
            Line {
                id: self.id("il"),
                item: Some(item.id),
                price: Some(price),
                quantity: item.quantity,
                amount,
                start: item.start,
                end: item.end,
                proration: false,
                credit: false,
                trial,
            }
        };
        items.into_iter().map(line).collect()
    }

    /// Changes a subscription and tells of it.
    pub(super) fn change(&mut self, s: usize, change: impl FnOnce(&mut State)) {
        let before = self.subscription_body(s);
        let mut state = self.subs[s].now().clone();
        change(&mut state);
        if state == *self.subs[s].now() {
            return;
        }
        let ended = state.status == Status::Canceled;
        self.subs[s].history.push((self.now, state));
        let after = self.subscription_body(s);
        if ended {
            self.emit("customer.subscription.deleted", after);
            return;
        }
        let mut previous = serde_json::Map::new();
        for (key, was) in before.as_object().unwrap() {
            if after[key] != *was {
                previous.insert(key.clone(), was.clone());
            }
        }
        self.emit_with(
            "customer.subscription.updated",
            after,
            Some(previous.into()),
        );
    }

    pub(super) fn plan_turn(&mut self, s: usize) {
        if let Some(at) = self.subs[s].now().items.iter().map(|i| i.end).min() {
            self.plan(at, Task::Turn(s));
        }
    }

    /// A period ends: the next one begins, and a draft is made for it.
    pub(super) fn turn(&mut self, s: usize) {
        let (now, state) = (self.now, self.subs[s].now().clone());
        let turns = |item: &Item| item.end == now;
        if state.status.is_over()
            || state.status == Status::Paused
            || !state.items.iter().any(turns)
        {
            return;
        }
        let trial_ends = state.status == Status::Trialing;
        if trial_ends {
            return;
        }
        if state.status == Status::Incomplete {
            self.plan_turn(s);
            return;
        }
        if state.cancel_at_end || state.cancel_at.is_some_and(|at| at <= now) {
            self.end(s, "cancellation_requested");
            return;
        }
        self.begin_periods(s, None);
    }

    /// Begins the next period of the items whose period ends now.
    pub(super) fn begin_periods(&mut self, s: usize, status: Option<Status>) {
        let now = self.now;
        let mut next = self.subs[s].now().clone();
        let scheduled = std::mem::take(&mut self.subs[s].scheduled);
        for item in next.items.iter_mut().filter(|i| i.end == now) {
            if let Some((_, price)) = scheduled.iter().find(|(id, _)| *id == item.id) {
                item.price = price;
            }
            item.turned = if status.is_some() { 0 } else { item.turned + 1 };
            item.anchor = if status.is_some() { now } else { item.anchor };
            item.start = now;
            item.end = months(item.anchor, price_of(item.price).months * (item.turned + 1));
        }
        next.status = status.unwrap_or(next.status);
        // The lines are those of the new periods.
        let before = std::mem::replace(
            &mut self.subs[s].history.last_mut().unwrap().1,
            next.clone(),
        );
        let mut lines = std::mem::take(&mut self.subs[s].pending);
        lines.extend(self.period_lines(s, &|i| i.start == now, false));
        self.subs[s].history.last_mut().unwrap().1 = before;
        let invoice = self.draft(s, "subscription_cycle", lines);
        self.change(s, |state| {
            *state = next;
            state.latest = Some(invoice);
        });
        let unpaid = self.subs[s].now().status == Status::Unpaid;
        if !unpaid {
            self.plan(now + HOUR + 7, Task::Finalize(invoice));
        }
        self.plan_turn(s);
    }

    pub(super) fn trial_ends(&mut self, s: usize) {
        let state = self.subs[s].now().clone();
        if state.status != Status::Trialing || state.trial.is_none_or(|(_, end)| end != self.now) {
            return;
        }
        if state.cancel_at_end || state.cancel_at.is_some_and(|at| at <= self.now) {
            self.end(s, "cancellation_requested");
        } else if self.subs[s].method == Method::None && self.subs[s].pauses {
            self.change(s, |state| state.status = Status::Paused);
        } else if self.subs[s].method == Method::None {
            self.end(s, "payment_failed");
        } else {
            self.begin_periods(s, Some(Status::Active));
        }
    }

    pub(super) fn expire_incomplete(&mut self, s: usize) {
        if self.subs[s].now().status == Status::Incomplete {
            let (now, invoice) = (self.now, self.subs[s].now().latest.unwrap());
            self.invoices[invoice].voided = Some(now);
            self.invoices[invoice].next_try = None;
            self.change(s, |state| {
                state.status = Status::IncompleteExpired;
                state.canceled_at = Some(now);
            });
            let body = self.invoice_body(invoice);
            self.emit("invoice.voided", body);
        }
    }

    pub(super) fn delete(&mut self, s: usize, reason: Option<&'static str>) {
        let status = self.subs[s].now().status;
        if !status.is_over() && status != Status::Incomplete {
            self.end(s, reason.unwrap_or("cancellation_requested"));
        }
    }

    pub(super) fn end(&mut self, s: usize, reason: &'static str) {
        let now = self.now;
        for invoice in self.invoices.iter_mut().filter(|i| i.sub == s) {
            invoice.next_try = None;
        }
        self.change(s, |state| {
            state.status = Status::Canceled;
            state.ended_at = Some(now);
            state.canceled_at = state.canceled_at.or(Some(now));
            state.reason = Some(reason);
        });
    }

    fn may_cancel(&self, s: usize) -> bool {
        let status = self.subs[s].now().status;
        !status.is_over() && status != Status::Incomplete
    }

    /// Old shapes set the flag, the flexible portal only the instant.
    pub(super) fn cancel_at_end(&mut self, s: usize) {
        if !self.may_cancel(s) || self.subs[s].now().items.is_empty() {
            return;
        }
        let (now, flag) = (self.now, !self.new_shape);
        let ends = self.subs[s].now().items.iter().map(|i| i.end);
        let end = if flag { ends.min() } else { ends.max() };
        self.change(s, |state| {
            state.cancel_at_end = flag;
            state.cancel_at = end;
            state.canceled_at = Some(now);
        });
        if let Some(end) = end {
            self.plan(end, Task::End(s));
        }
    }

    pub(super) fn cancel_at(&mut self, s: usize, span: i64) {
        if self.may_cancel(s) {
            let now = self.now;
            self.change(s, |state| {
                state.cancel_at_end = false;
                state.cancel_at = Some(now + span);
                state.canceled_at = Some(now);
            });
            self.plan(now + span, Task::End(s));
        }
    }

    pub(super) fn undo_cancel(&mut self, s: usize) {
        if self.may_cancel(s) {
            self.change(s, |state| {
                state.cancel_at_end = false;
                state.cancel_at = None;
                state.canceled_at = None;
            });
        }
    }

    pub(super) fn scheduled_end(&mut self, s: usize) {
        let state = self.subs[s].now();
        if !state.status.is_over() && state.cancel_at == Some(self.now) {
            self.end(s, "cancellation_requested");
        }
    }

    pub(super) fn edit_metadata(&mut self, s: usize) {
        if !self.subs[s].now().status.is_over() {
            self.change(s, |state| state.edits += 1);
        }
    }

    pub(super) fn pause(&mut self, s: usize, on: bool) {
        if self.subs[s].now().status == Status::Active {
            self.change(s, |state| state.paused = on);
        }
    }
}
