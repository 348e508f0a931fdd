//! The life of a one-time purchase: a Checkout session, or a one-off invoice.

use super::payment::{self, PaymentTrigger};
use super::{Cause, Life, State, Transition};
use crate::domain::decision::Verb;
use crate::domain::fact::{Bought, Fact, FactBody, InvoiceLine, SessionMode, Wants};
use crate::domain::finding::{Finding, Findings, Report};
use crate::domain::id::InvoiceId;
use crate::domain::money::Money;
use crate::domain::object::{Disputes, Objects, Returned, money_back, session};
use crate::domain::time::Timestamp;

/// What holds for a one-time purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseLife {
    /// Its state.
    pub state: Option<payment::PaymentState>,
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
    /// Whether anybody told what was bought, all of it.
    pub lines_told: bool,
    /// Whose list of what was bought is cut, where nobody told all of it.
    pub cut: Option<CutLines>,
    /// How much of what was paid went back, over all its payments, and since when.
    pub returned: (Returned, Option<Timestamp>),
    /// The same as money, for people.
    pub money_back: Option<Money>,
    /// Where its disputes stand.
    pub disputes: Disputes,
    /// What it cost, for people.
    pub amount: Option<(i64, String)>,
}

impl PurchaseLife {
    /// Whether its metadata names the plan, so that its lines do not matter.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        self.wants.plan.is_some()
    }
}

/// Whose list of lines shows only the first ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutLines {
    /// The session's.
    Session,
    /// The invoice's.
    Invoice(InvoiceId),
}

struct Course {
    state: Option<payment::PaymentState>,
    transitions: Vec<Transition>,
    findings: Findings,
    life: PurchaseLife,
}

/// Lives a purchase's facts, given in canonical order.
pub(super) fn live(
    facts: &[&Fact],
    objects: &Objects<'_>,
) -> (Option<State>, Vec<Transition>, Vec<Report>, Life) {
    let returned = returned_by(objects, Timestamp::MAX);
    let part = objects.payments.minor_returned(None);
    let mut course = Course {
        state: None,
        transitions: Vec::new(),
        findings: Findings::default(),
        life: PurchaseLife {
            state: None,
            paid_at: None,
            paid_learned: None,
            wants: Wants::default(),
            lines: Vec::new(),
            invoiced: Vec::new(),
            lines_told: false,
            cut: None,
            money_back: cost(objects).and_then(|price| money_back(returned.0, part, price)),
            returned,
            disputes: objects.disputes.clone(),
            amount: cost(objects),
        },
    };
    course.sold(objects);
    for fact in facts {
        course.fact(fact, objects);
    }
    if let Some(at) = objects.fraud_warnings.first() {
        course.findings.add(*at, Finding::FraudWarning);
    }
    course.report_cut();
    course.life.state = course.state;
    let state = course.state.map(State::Payment);
    (
        state,
        course.transitions,
        course.findings.into_vec(),
        Life::Payment(Box::new(course.life)),
    )
}

/// What was paid in all: the session's total, else its invoice's.
fn cost(objects: &Objects<'_>) -> Option<(i64, String)> {
    let sessions = objects
        .sessions
        .values()
        .filter(|s| s.shown.mode == SessionMode::Payment);
    let of_session = sessions
        .into_iter()
        .find_map(|s| Some((s.shown.amount?, s.shown.currency.clone()?)));
    of_session.or_else(|| {
        objects
            .invoices
            .values()
            .next_back()
            .map(|i| (i.shown.total, i.shown.currency.clone()))
    })
}

/// What had gone back at an instant, over all payments of the purchase (rule 36).
fn returned_by(objects: &Objects<'_>, at: Timestamp) -> (Returned, Option<Timestamp>) {
    objects
        .payments
        .returned_in_all(cost(objects).map(|(amount, _)| amount), at)
}

impl Course {
    /// What was sold: what a query said, else what the session's own object lists, else its invoice's lines. A whole list
    /// goes before a cut one.
    fn sold(&mut self, objects: &Objects<'_>) {
        let invoice = objects.invoices.values().next_back();
        let invoiced = invoice.map(|i| {
            let sold = i
                .lines
                .lines
                .iter()
                .filter(|l| l.amount >= 0 && !l.of_subscription);
            let bought = |l: &InvoiceLine| Bought {
                line: l.id.clone(),
                price: l.price.clone(),
                quantity: l.quantity.unwrap_or(1),
            };
            sold.map(bought).collect::<Vec<_>>()
        });
        let invoiced_whole = invoice.is_some_and(|i| i.lines.lines_whole);
        let shown = objects
            .sessions
            .values()
            .map(|s| s.shown)
            .find(|s| !s.line_items.is_empty());
        let expanded = |whole: bool| {
            shown
                .filter(|s| s.line_items_cut != whole)
                .map(|s| s.line_items.clone())
        };
        let told = objects
            .queried_lines
            .map(<[Bought]>::to_vec)
            .or_else(|| expanded(true));
        let told = told.or_else(|| invoiced.clone().filter(|_| invoiced_whole));
        self.life.lines_told = told.is_some();
        self.life.lines = told
            .or_else(|| expanded(false))
            .or_else(|| invoiced.clone())
            .unwrap_or_default();
        self.life.invoiced = invoiced.unwrap_or_default();
        self.life.cut = match (shown, invoice) {
            _ if self.life.lines_told => None,
            (Some(_), _) => Some(CutLines::Session),
            (None, invoice) => invoice.map(|i| CutLines::Invoice(i.shown.id.clone())),
        };
    }

    fn fact(&mut self, fact: &Fact, objects: &Objects<'_>) {
        match &fact.body {
            FactBody::Session(shown) if shown.mode == SessionMode::Payment => {
                self.wants(fact, &shown.wants);
                let paid = session::SessionState::Paid
                    == session::SessionState::of(shown.event, shown.payment_status);
                let trigger = match session::SessionState::of(shown.event, shown.payment_status) {
                    session::SessionState::Unpaid => PaymentTrigger::Unpaid,
                    session::SessionState::Paid => PaymentTrigger::Paid,
                    session::SessionState::Failed => PaymentTrigger::PaymentFailed,
                    session::SessionState::Expired => PaymentTrigger::SessionExpired,
                };
                self.step(fact, trigger);
                if paid {
                    self.money_back_before(fact, objects);
                }
            }
            FactBody::Invoice(shown) => {
                self.wants(fact, &shown.wants);
                let paid = objects
                    .invoices
                    .get(&shown.id)
                    .and_then(|i| i.paid.as_ref());
                if paid.is_some_and(|p| p.event == fact.id) {
                    self.step(fact, PaymentTrigger::Paid);
                    self.money_back_before(fact, objects);
                }
            }
            FactBody::Charge(_) | FactBody::Refund(_) => self.money_back(fact, objects),
            FactBody::Session(_)
            | FactBody::Subscription(_)
            | FactBody::Payment(_)
            | FactBody::Dispute(_)
            | FactBody::FraudWarning(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_) => {}
            FactBody::Decision(decision) => self.issued(fact, &decision.verb),
        }
    }

    /// A license that a person gave to somebody who did not buy counts as paid.
    fn issued(&mut self, fact: &Fact, verb: &Verb) {
        if let Verb::Issue { plan, until, .. } = verb {
            let wants = Wants {
                plan: Some(plan.to_string()),
                duration: until.map(|until| until - fact.at),
                ..Wants::default()
            };
            self.wants(fact, &wants);
            self.step(fact, PaymentTrigger::Paid);
            // One, and nobody else knows more.
            self.life.lines_told = true;
        }
    }

    /// What is not shown of what was bought is unknown. Where the metadata names the plan, it matters only to one that counts units.
    fn report_cut(&mut self) {
        let Some(at) = self.life.paid_at.filter(|_| !self.life.is_named()) else {
            return;
        };
        match self.life.cut.clone() {
            Some(CutLines::Session) => self.findings.add(at, Finding::LineItemsCut),
            Some(CutLines::Invoice(invoice)) => self.findings.add(at, Finding::LinesCut(invoice)),
            None => {}
        }
    }

    fn wants(&mut self, fact: &Fact, wants: &Wants) {
        if !wants.is_empty() {
            self.life.wants = wants.clone();
        }
        for key in &wants.unreadable {
            self.findings
                .add(fact.at, Finding::UnreadableMetadata(key.clone()));
        }
    }

    fn money_back(&mut self, fact: &Fact, objects: &Objects<'_>) {
        let trigger = match returned_by(objects, fact.at).0 {
            Returned::All => PaymentTrigger::FullyRefunded,
            Returned::Part(_) => PaymentTrigger::PartRefunded,
            Returned::Nothing => PaymentTrigger::RefundUndone,
        };
        self.step(fact, trigger);
    }

    /// A refund that is dated before the payment's own event counts now that there is a payment.
    fn money_back_before(&mut self, fact: &Fact, objects: &Objects<'_>) {
        if returned_by(objects, fact.at).0 != Returned::Nothing {
            self.money_back(fact, objects);
        }
    }

    fn step(&mut self, fact: &Fact, trigger: PaymentTrigger) {
        if trigger == PaymentTrigger::Paid && self.life.paid_at.is_none() {
            (self.life.paid_at, self.life.paid_learned) = (Some(fact.at), Some(fact.received));
        }
        let next = match self.state {
            Some(state) => payment::step(state, trigger).from(state),
            None if trigger == PaymentTrigger::RefundUndone => return,
            None => payment::begin(trigger),
        };
        if self.state == Some(next) {
            return;
        }
        let (from, to) = (self.state.map(State::Payment), State::Payment(next));
        self.transitions.push(Transition {
            at: fact.at,
            from,
            to,
            cause: Cause::event(fact),
        });
        self.state = Some(next);
    }
}
