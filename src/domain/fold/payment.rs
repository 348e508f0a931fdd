//! The fold of a one-time payment.

use super::{Cause, Contact, Decided, Folded, Life, Report, State, Transition};
use crate::domain::condition::{Disputed, Disputes, Refunds, Returned};
use crate::domain::fact::{
    Bought, Fact, Invoice, InvoiceEvent, Line, PaymentStatus, Says, Session, SessionEvent, SessionMode, Wants,
};
use crate::domain::payment::{self, Trigger};
use crate::domain::time::Timestamp;

/// What holds for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentFold {
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When we heard that.
    pub paid_learned: Option<Timestamp>,
    /// What its metadata asks for.
    pub wants: Wants,
    /// What was bought, where the lines are known.
    pub lines: Vec<Bought>,
    /// The same as its invoice's lines, which have names of their own.
    pub invoiced: Vec<Bought>,
    /// Whether anybody told what was bought.
    pub lines_told: bool,
    /// How much went back, and since when.
    pub returned: Returned,
    /// Since when that much went back.
    pub returned_at: Option<Timestamp>,
    /// Where its disputes stand.
    pub disputed: Disputed,
    /// What it cost, for people.
    pub amount: Option<(i64, String)>,
}

struct Walk {
    state: Option<payment::State>,
    transitions: Vec<Transition>,
    reports: Vec<Report>,
    fold: PaymentFold,
    refunds: Refunds,
    disputes: Disputes,
}

pub(super) fn fold(facts: &[&Fact], decided: Decided, contact: Contact, _now: Timestamp) -> Folded {
    let mut walk = Walk {
        state: None,
        transitions: Vec::new(),
        reports: Vec::new(),
        fold: PaymentFold {
            paid_at: None,
            paid_learned: None,
            wants: Wants::default(),
            lines: Vec::new(),
            invoiced: Vec::new(),
            lines_told: false,
            returned: Returned::Nothing,
            returned_at: None,
            disputed: Disputed::No,
            amount: None,
        },
        refunds: Refunds::default(),
        disputes: Disputes::default(),
    };
    for fact in facts {
        walk.fact(fact);
    }
    walk.fold.disputed = walk.disputes.gravest();
    Folded {
        state: walk.state.map(State::Payment),
        transitions: walk.transitions,
        contact,
        reports: walk.reports,
        life: Life::Payment(Box::new(walk.fold)),
        decided,
    }
}

impl Walk {
    fn fact(&mut self, fact: &Fact) {
        match &fact.says {
            Says::Session(session) => self.session(fact, session),
            Says::Invoice(invoice) => self.invoice(fact, invoice),
            Says::LineItems(items) => self.bought(items.lines.clone()),
            Says::Charge(charge) => {
                self.refunds.note_charge(charge);
                self.money_back(fact);
            }
            Says::Refund(refund) => {
                self.refunds.note_refund(refund);
                self.money_back(fact);
            }
            Says::Dispute(dispute) => self.disputes.note(dispute, fact.at),
            Says::FraudWarning(_) => {
                self.report(fact.at, "an early fraud warning: consider a refund before it becomes a dispute");
            }
            Says::Subscription(_) | Says::Payment(_) | Says::Decision(_) => {}
        }
    }

    fn session(&mut self, fact: &Fact, session: &Session) {
        if session.mode != SessionMode::Payment {
            return;
        }
        self.wants(fact, &session.wants);
        if !session.line_items.is_empty() {
            self.bought(session.line_items.clone());
        }
        self.refunds.assume_charged(session.amount);
        if let (Some(amount), Some(currency)) = (session.amount, &session.currency) {
            self.fold.amount = Some((amount, currency.clone()));
        }
        let paid = match session.payment_status {
            PaymentStatus::Paid | PaymentStatus::NoPaymentRequired => true,
            PaymentStatus::Unpaid => false,
        };
        let trigger = match session.event {
            SessionEvent::Completed if paid => Trigger::Paid,
            SessionEvent::Completed => Trigger::Unpaid,
            SessionEvent::AsyncSucceeded => Trigger::Paid,
            SessionEvent::AsyncFailed => Trigger::PaymentFailed,
            SessionEvent::Expired => Trigger::SessionExpired,
        };
        self.step(fact, trigger);
    }

    fn invoice(&mut self, fact: &Fact, invoice: &Invoice) {
        self.wants(fact, &invoice.wants);
        let sold = invoice.lines.iter().filter(|l| l.amount >= 0 && !l.of_subscription);
        let bought =
            |l: &Line| Bought { line: l.id.clone(), price: l.price.clone(), quantity: l.quantity.unwrap_or(1) };
        self.fold.invoiced = sold.map(bought).collect();
        if self.fold.lines.is_empty() {
            self.bought(self.fold.invoiced.clone());
        }
        self.refunds.assume_charged(Some(invoice.total));
        if self.fold.amount.is_none() {
            self.fold.amount = Some((invoice.total, invoice.currency.clone()));
        }
        if invoice.event == InvoiceEvent::Paid && invoice.paid {
            self.step(fact, Trigger::Paid);
        }
    }

    fn bought(&mut self, lines: Vec<Bought>) {
        (self.fold.lines, self.fold.lines_told) = (lines, true);
    }

    fn wants(&mut self, fact: &Fact, wants: &Wants) {
        if !wants.is_empty() {
            self.fold.wants = wants.clone();
        }
        for key in &wants.unreadable {
            self.report(fact.at, &format!("the purchase's metadata `{key}` has a value that cannot be read"));
        }
    }

    fn money_back(&mut self, fact: &Fact) {
        let returned = self.refunds.returned();
        let trigger = match returned {
            Returned::All => Trigger::FullyRefunded,
            Returned::Part(_) => Trigger::PartRefunded,
            Returned::Nothing => Trigger::RefundUndone,
        };
        if returned != self.fold.returned {
            self.fold.returned = returned;
            self.fold.returned_at = (returned != Returned::Nothing).then_some(fact.at);
        }
        self.step(fact, trigger);
    }

    fn step(&mut self, fact: &Fact, trigger: Trigger) {
        if trigger == Trigger::Paid && self.fold.paid_at.is_none() {
            (self.fold.paid_at, self.fold.paid_learned) = (Some(fact.at), Some(fact.received));
        }
        let next = match self.state {
            Some(state) => payment::step(state, trigger).from(state),
            None if trigger == Trigger::RefundUndone => return,
            None => payment::begin(trigger),
        };
        if self.state == Some(next) {
            return;
        }
        self.transitions.push(Transition {
            at: fact.at,
            from: self.state.map(State::Payment),
            to: State::Payment(next),
            cause: Cause::event(fact),
        });
        self.state = Some(next);
        let refunded = matches!(self.fold.returned, Returned::All | Returned::Part(_));
        if trigger == Trigger::Paid && refunded {
            // The refund was dated before the payment's own event: it counts now that there is a payment.
            self.step(
                fact,
                if self.fold.returned == Returned::All { Trigger::FullyRefunded } else { Trigger::PartRefunded },
            );
        }
    }

    fn report(&mut self, at: Timestamp, what: &str) {
        let report = Report { at, what: what.to_owned() };
        if !self.reports.iter().any(|r| r.what == report.what) {
            self.reports.push(report);
        }
    }
}
