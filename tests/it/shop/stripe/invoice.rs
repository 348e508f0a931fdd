//! Invoices: drafted, finalized, tried, paid, written off.

use super::ledger::{Invoice, Line, Payment, Status};
use super::{Stripe, Task};
use crate::shop::calendar::{DAY, Time};
use crate::shop::catalog::Price;
use crate::shop::script::{GivesUp, Method};

/// Between two automatic tries.
const RETRY_AFTER: i64 = 3 * DAY + 600;

/// What a vendor adds by hand.
static SERVICE: Price = Price {
    id: "price_service",
    product: "prod_service",
    lookup: None,
    amount: 2_000,
    months: 0,
    metered: false,
};

impl Stripe {
    pub(super) fn draft(&mut self, s: usize, reason: &'static str, lines: Vec<Line>) -> usize {
        let id = self.id("in");
        self.invoices.push(Invoice {
            id,
            sub: s,
            created: self.now,
            free: self.subs[s].coupon,
            reason,
            lines,
            finalized: None,
            failed: Vec::new(),
            secure: Vec::new(),
            next_try: None,
            paid: None,
            out_of_band: false,
            payments: Vec::new(),
            voided: None,
            uncollectible: None,
            due: None,
            overdue: None,
        });
        self.invoices.len() - 1
    }

    fn tell(&mut self, i: usize, kind: &'static str) {
        let body = self.invoice_body(i);
        self.emit(kind, body);
    }

    /// A draft gets its number and is open.
    pub(super) fn open_invoice(&mut self, i: usize) {
        self.invoices[i].finalized = Some(self.now);
        if let Some(days) = self.subs[self.invoices[i].sub].sent_days
            && self.invoices[i].due_amount() > 0
        {
            let due = self.now + days * DAY;
            self.invoices[i].due = Some(due);
            self.plan(due, Task::Due(i));
        }
        self.tell(i, "invoice.finalized");
    }

    /// The first invoice is tried, or waits for the customer.
    pub(super) fn first_payment(&mut self, i: usize) {
        let s = self.invoices[i].sub;
        let (checkout, sent) = (self.subs[s].checkout, self.subs[s].sent_days.is_some());
        if !self.invoices[i].is_open() {
            return;
        }
        let method = self.subs[s].method;
        if self.invoices[i].due_amount() == 0 {
            self.pay(i, false, false);
        } else if sent {
            return;
        } else if checkout || matches!(method, Method::Card | Method::Debit { .. }) {
            self.pay(i, true, false);
        } else {
            self.attempt(i);
        }
        if checkout {
            self.complete_subscription_session(s, i);
        }
    }

    /// An hour after the turn: a draft is finalized and tried.
    pub(super) fn finalize(&mut self, i: usize) {
        let s = self.invoices[i].sub;
        if self.subs[s].now().status.is_over() || self.invoices[i].finalized.is_some() {
            return;
        }
        if self.subs[s].now().paused {
            self.invoices[i].finalized = Some(self.now);
            self.invoices[i].voided = Some(self.now);
            self.tell(i, "invoice.voided");
            return;
        }
        self.open_invoice(i);
        self.collect(i);
    }

    /// Zero is paid at once, a sent invoice waits, all else is tried.
    pub(super) fn collect(&mut self, i: usize) {
        if self.invoices[i].due_amount() == 0 {
            self.pay(i, false, false);
        } else if self.invoices[i].due.is_none() {
            self.attempt(i);
        }
    }

    fn attempt(&mut self, i: usize) {
        match self.subs[self.invoices[i].sub].method {
            Method::Card => self.pay(i, true, false),
            Method::Declined | Method::None => self.fails(i, false),
            Method::Secure => self.fails(i, true),
            Method::Debit { days, comes } => {
                let at = self.now + i64::from(days) * DAY;
                self.plan(at, Task::Debit(i, comes));
            }
        }
    }

    pub(super) fn debit(&mut self, i: usize, comes: bool) {
        if self.invoices[i].is_open() {
            if comes {
                self.pay(i, true, false);
            } else {
                self.fails(i, false);
            }
        }
    }

    pub(super) fn retry(&mut self, i: usize) {
        if self.invoices[i].is_open() && self.invoices[i].next_try == Some(self.now) {
            self.attempt(i);
        }
    }

    fn fails(&mut self, i: usize, secure: bool) {
        let (now, s) = (self.now, self.invoices[i].sub);
        let status = self.subs[s].now().status;
        self.invoices[i].failed.push(now);
        if secure {
            self.invoices[i].secure.push(now);
        }
        let tries = self.invoices[i].failed.len();
        let retries = usize::from(self.subs[s].retries);
        let again = status != Status::Incomplete && !status.is_over() && tries <= retries;
        self.invoices[i].next_try = again.then_some(now + RETRY_AFTER);
        if again {
            self.plan(now + RETRY_AFTER, Task::Retry(i));
        }
        self.tell(
            i,
            if secure {
                "invoice.payment_action_required"
            } else {
                "invoice.payment_failed"
            },
        );
        let follows = self.subs[s].now().latest == Some(i);
        if status == Status::Active && follows {
            self.change(s, |state| state.status = Status::PastDue);
        }
        let counts = self.invoices[i].reason != "manual";
        if !again && counts && !status.is_over() && status != Status::Incomplete {
            self.give_up(s);
        }
    }

    fn give_up(&mut self, s: usize) {
        match self.subs[s].gives_up {
            GivesUp::Cancel => self.end(s, "payment_failed"),
            GivesUp::Unpaid => self.change(s, |state| state.status = Status::Unpaid),
            GivesUp::Leave => {}
        }
    }

    pub(super) fn pay(&mut self, i: usize, money: bool, out_of_band: bool) {
        let (now, s) = (self.now, self.invoices[i].sub);
        if money && !out_of_band {
            let due = self.invoices[i].due_amount();
            let first = if self.subs[s].halves && self.new_shape {
                due / 2
            } else {
                due
            };
            for amount in [first, due - first]
                .into_iter()
                .filter(|amount| *amount > 0)
            {
                let payment = Payment {
                    intent: self.id("pi"),
                    charge: self.id("ch"),
                    amount,
                    at: now,
                };
                self.invoices[i].payments.push(payment);
            }
        }
        let invoice = &mut self.invoices[i];
        (invoice.paid, invoice.out_of_band, invoice.next_try) = (Some(now), out_of_band, None);
        self.tell(i, "invoice.paid");
        if !out_of_band {
            self.tell(i, "invoice.payment_succeeded");
        }
        for p in 0..self.invoices[i].payments.len() {
            if self.new_shape {
                let body = self.invoice_payment_body(i, p);
                self.emit("invoice_payment.paid", body);
            }
        }
        let follows = self.subs[s].now().latest == Some(i);
        let others = self
            .invoices
            .iter()
            .any(|other| other.sub == s && other.is_open() && other.reason != "manual");
        let status = self.subs[s].now().status;
        if status == Status::Incomplete
            || matches!(status, Status::PastDue | Status::Unpaid) && (follows || !others)
        {
            self.change(s, |state| state.status = Status::Active);
        }
    }

    /// The customer pays an open invoice by hand; the vendor books it.
    pub(super) fn pay_open(&mut self, s: usize, oldest: bool, out_of_band: bool) {
        let mut open = (0..self.invoices.len())
            .filter(|i| self.invoices[*i].sub == s && self.invoices[*i].is_open());
        let found = if oldest {
            open.next()
        } else {
            open.next_back()
        };
        if let Some(i) = found {
            if !out_of_band {
                self.subs[s].method = Method::Card;
            }
            self.pay(i, true, out_of_band);
        }
    }

    /// The vendor gives up on the latest open invoice.
    pub(super) fn write_off(&mut self, s: usize, void: bool) {
        let open = |i: &usize| self.invoices[*i].sub == s && self.invoices[*i].is_open();
        let Some(i) = (0..self.invoices.len()).rev().find(open) else {
            return;
        };
        if self.subs[s].now().status == Status::Incomplete {
            return;
        }
        let now = self.now;
        self.invoices[i].next_try = None;
        if void {
            self.invoices[i].voided = Some(now);
            self.tell(i, "invoice.voided");
        } else {
            self.invoices[i].uncollectible = Some(now);
            self.tell(i, "invoice.marked_uncollectible");
        }
        let follows = self.subs[s].now().latest == Some(i);
        if follows && matches!(self.subs[s].now().status, Status::PastDue | Status::Unpaid) {
            self.change(s, |state| state.status = Status::Active);
        }
    }

    pub(super) fn falls_due(&mut self, i: usize) {
        let s = self.invoices[i].sub;
        if self.invoices[i].is_open() && !self.subs[s].now().status.is_over() {
            self.invoices[i].overdue = Some(self.now);
            if self.subs[s].now().status == Status::Active {
                self.change(s, |state| state.status = Status::PastDue);
            }
        }
    }

    /// The vendor bills something of his own in mid period.
    pub(super) fn bill_by_hand(&mut self, s: usize) {
        let status = self.subs[s].now().status;
        if status.is_over() || status == Status::Incomplete || status == Status::Trialing {
            return;
        }
        let line = self.service_line(self.now);
        let i = self.draft(s, "manual", vec![line]);
        self.open_invoice(i);
        self.collect(i);
    }

    pub(super) fn service_line(&mut self, at: Time) -> Line {
        Line {
            id: self.id("il"),
            item: None,
            price: Some(&SERVICE),
            quantity: 1,
            amount: SERVICE.amount,
            start: at,
            end: at,
            proration: false,
            credit: false,
            trial: false,
        }
    }
}
