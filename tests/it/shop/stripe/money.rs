//! Money that goes back: refunds and disputes, with every ending.

use super::ledger::{Dispute, Paid, Payment, Refund};
use super::{Stripe, Task};
use crate::shop::calendar::DAY;
use crate::shop::script::{Fate, Verdict};

impl Stripe {
    /// The payment that a refund or dispute is about.
    pub(super) fn payment(&self, of: Paid) -> &Payment {
        match of {
            Paid::Invoice(i, p) => &self.invoices[i].payments[p],
            Paid::Session(s) => self.sessions[s].payment.as_ref().unwrap(),
        }
    }

    /// The `back`-th newest payment of a subscription.
    fn newest(&self, s: usize, back: u8) -> Option<Paid> {
        let of = |i: usize| (0..self.invoices[i].payments.len()).map(move |p| Paid::Invoice(i, p));
        let mut all: Vec<Paid> = (0..self.invoices.len())
            .filter(|i| self.invoices[*i].sub == s)
            .flat_map(of)
            .collect();
        all.sort_by_key(|paid| self.payment(*paid).at);
        all.iter().rev().nth(usize::from(back)).copied()
    }

    /// What went back of a payment, as its charge shows it; a refund that failed is taken out again.
    pub(super) fn went_back(&self, of: Paid) -> i64 {
        let counts = |r: &&Refund| {
            r.of == of && !["failed", "canceled"].contains(&r.steps.last().unwrap().1)
        };
        self.refunds.iter().filter(counts).map(|r| r.amount).sum()
    }

    pub(super) fn refund_invoice(&mut self, s: usize, back: u8, percent: u8, fate: Fate) {
        if let Some(of) = self.newest(s, back) {
            self.refund(of, percent, fate);
        }
    }

    pub(super) fn refund_session(&mut self, s: usize, percent: u8, fate: Fate) {
        if self.sessions[s].payment.is_some() {
            self.refund(Paid::Session(s), percent, fate);
        }
    }

    fn refund(&mut self, of: Paid, percent: u8, fate: Fate) {
        let whole = self.payment(of).amount;
        let amount = (whole * i64::from(percent) / 100).min(whole - self.went_back(of));
        let disputed = self
            .disputes
            .iter()
            .any(|d| d.of == of && !d.steps.last().unwrap().1.starts_with("warning"));
        if amount <= 0 || disputed {
            return;
        }
        let word = if matches!(fate, Fate::PendingFor(_)) {
            "pending"
        } else {
            "succeeded"
        };
        let (id, at) = (self.id("re"), self.now);
        self.refunds.push(Refund {
            id,
            of,
            amount,
            at,
            steps: vec![(at, word)],
        });
        let r = self.refunds.len() - 1;
        let body = self.refund_body(r);
        self.emit("refund.created", body);
        let charge = self.charge_body(of);
        self.emit("charge.refunded", charge);
        match fate {
            Fate::Done => {}
            Fate::PendingFor(days) => {
                self.plan(at + i64::from(days) * DAY, Task::Refund(r, "succeeded"))
            }
            Fate::FailsAfter(days) => {
                self.plan(at + i64::from(days) * DAY, Task::Refund(r, "failed"))
            }
        }
    }

    pub(super) fn refund_becomes(&mut self, r: usize, word: &'static str) {
        self.refunds[r].steps.push((self.now, word));
        let body = self.refund_body(r);
        let kind = if !self.new_shape {
            "charge.refund.updated"
        } else if word == "failed" {
            "refund.failed"
        } else {
            "refund.updated"
        };
        self.emit(kind, body);
    }

    pub(super) fn dispute_invoice(&mut self, s: usize, back: u8, days: u8, verdict: Verdict) {
        if let Some(of) = self.newest(s, back) {
            self.dispute(of, days, verdict);
        }
    }

    pub(super) fn dispute_session(&mut self, s: usize, days: u8, verdict: Verdict) {
        if self.sessions[s].payment.is_some() {
            self.dispute(Paid::Session(s), days, verdict);
        }
    }

    fn dispute(&mut self, of: Paid, days: u8, verdict: Verdict) {
        if self.disputes.iter().any(|d| d.of == of) || self.went_back(of) > 0 {
            return;
        }
        let inquiry = matches!(verdict, Verdict::Closed | Verdict::Escalates);
        let (id, at) = (self.id("dp"), self.now);
        let first = if inquiry {
            "warning_needs_response"
        } else {
            "needs_response"
        };
        self.disputes.push(Dispute {
            id,
            of,
            at,
            steps: vec![(at, first)],
        });
        let d = self.disputes.len() - 1;
        let body = self.dispute_body(d);
        self.emit("charge.dispute.created", body);
        let span = i64::from(days) * DAY;
        let steps: &[(i64, &'static str)] = match verdict {
            Verdict::Won => &[(1, "under_review"), (2, "won")],
            Verdict::Lost => &[(1, "under_review"), (2, "lost")],
            Verdict::LostThenWon => &[(1, "lost"), (2, "won")],
            Verdict::Closed => &[(1, "warning_under_review"), (2, "warning_closed")],
            Verdict::Escalates => &[(1, "needs_response"), (2, "lost")],
            Verdict::Open => &[],
        };
        for (times, word) in steps {
            self.plan(at + times * span, Task::Dispute(d, word));
        }
    }

    pub(super) fn dispute_becomes(&mut self, d: usize, word: &'static str) {
        self.disputes[d].steps.push((self.now, word));
        let body = self.dispute_body(d);
        let closed = ["won", "lost", "warning_closed"].contains(&word);
        self.emit(
            if closed {
                "charge.dispute.closed"
            } else {
                "charge.dispute.updated"
            },
            body,
        );
    }
}
