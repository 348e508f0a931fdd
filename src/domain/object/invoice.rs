//! An invoice through its life: what its own events tell, folded in canonical order.
//!
//! What it is *for* (its role) is decided once, by [`super::super::lifecycle`]; here stands only where it is.

use crate::domain::fact::{BillingReason, Fact, Invoice as Shown, InvoiceEvent};
use crate::domain::id::EventId;
use crate::domain::step::Step::{self, Stay, To};
use crate::domain::time::Timestamp;

/// Where an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvoiceState {
    /// Not final yet: nobody is asked for money.
    Draft,
    /// Final, and waiting for its money.
    Open,
    /// A try to collect it failed, or a sent one is late.
    Failed,
    /// Paid, by whatever way.
    Paid,
    /// Never to be collected.
    Void,
    /// Written off; a later payment still counts.
    Uncollectible,
}

/// What can happen to an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvoiceTrigger {
    /// An event shows it final.
    Finalized,
    /// A try to collect it failed, or its due date passed.
    Failed,
    /// It was paid.
    Paid,
    /// It was voided.
    Voided,
    /// It was written off.
    WrittenOff,
}

/// The table.
#[must_use]
pub const fn step(state: InvoiceState, trigger: InvoiceTrigger) -> Step<InvoiceState> {
    use InvoiceState::{Draft, Failed, Open, Paid, Uncollectible, Void};
    match state {
        Draft => match trigger {
            InvoiceTrigger::Finalized => To(Open),
            InvoiceTrigger::Failed => To(Failed),
            InvoiceTrigger::Paid => To(Paid),
            InvoiceTrigger::Voided => To(Void),
            InvoiceTrigger::WrittenOff => To(Uncollectible),
        },
        Open => match trigger {
            InvoiceTrigger::Finalized => Stay("it is open"),
            InvoiceTrigger::Failed => To(Failed),
            InvoiceTrigger::Paid => To(Paid),
            InvoiceTrigger::Voided => To(Void),
            InvoiceTrigger::WrittenOff => To(Uncollectible),
        },
        Failed => match trigger {
            InvoiceTrigger::Finalized => Stay("an older snapshot: a try failed since"),
            InvoiceTrigger::Failed => Stay("the first failed try counts"),
            InvoiceTrigger::Paid => To(Paid),
            InvoiceTrigger::Voided => To(Void),
            InvoiceTrigger::WrittenOff => To(Uncollectible),
        },
        Paid => match trigger {
            InvoiceTrigger::Paid => Stay("two events of one payment count once"),
            InvoiceTrigger::Finalized
            | InvoiceTrigger::Failed
            | InvoiceTrigger::Voided
            | InvoiceTrigger::WrittenOff => Stay("paid is paid"),
        },
        Void => match trigger {
            InvoiceTrigger::Finalized
            | InvoiceTrigger::Failed
            | InvoiceTrigger::Paid
            | InvoiceTrigger::Voided
            | InvoiceTrigger::WrittenOff => Stay("voided is final"),
        },
        Uncollectible => match trigger {
            InvoiceTrigger::Paid => To(Paid),
            InvoiceTrigger::Voided => To(Void),
            InvoiceTrigger::Finalized | InvoiceTrigger::Failed => {
                Stay("it is written off; a further try changes nothing")
            }
            InvoiceTrigger::WrittenOff => Stay("it is written off"),
        },
    }
}

/// Something that happened to an invoice, with the event that told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When, by the provider's clock.
    pub at: Timestamp,
    /// When it was first heard of.
    pub learned: Timestamp,
    pub event: EventId,
}

/// An invoice with everything that its events told.
#[derive(Clone, Debug)]
pub struct Invoice<'f> {
    /// Where it stands.
    pub state: InvoiceState,
    /// Its newest form.
    pub shown: &'f Shown,
    /// The newest form that lists what it bills; a cut list gives way to a whole one.
    pub lines: &'f Shown,
    /// Its first failed try (of a sent one: that it is late), before it was paid, voided or written off.
    pub failed: Option<Happened>,
    /// Its newest failed try.
    pub last_failed: Option<Timestamp>,
    /// Whether the customer must act (3-D Secure), by the first failed try.
    pub action_required: bool,
    /// When it was paid.
    pub paid: Option<Happened>,
    /// Whether an event told that it was paid, and not only a query: who hears of one payment hears of the next.
    pub paid_heard: bool,
    /// When it was voided or written off.
    pub closed: Option<Happened>,
    /// When it was finalized.
    pub finalized: Option<Timestamp>,
    /// When its finalization failed.
    pub finalization_failed: Option<Timestamp>,
    /// An event called it paid while the invoice itself says that it is not: the event's type, and when.
    pub contradicted: Option<(Timestamp, String)>,
    /// When its first event was dated.
    pub first_at: Timestamp,
    /// Whether anything besides failed tries was told of it: who hears of failures only will not hear of the payment that
    /// follows.
    pub told_besides_failures: bool,
}

impl<'f> Invoice<'f> {
    pub(super) fn new(fact: &Fact, shown: &'f Shown) -> Self {
        Self {
            state: InvoiceState::Draft,
            shown,
            lines: shown,
            failed: None,
            last_failed: None,
            action_required: false,
            paid: None,
            paid_heard: false,
            closed: None,
            finalized: None,
            finalization_failed: None,
            contradicted: None,
            first_at: fact.at,
            told_besides_failures: false,
        }
    }

    /// Takes in an event of it, in canonical order.
    pub(super) fn add(&mut self, fact: &Fact, shown: &'f Shown) {
        self.shown = shown;
        // A cut list never takes the place of a whole one; of two alike the newer counts.
        if !shown.lines.is_empty() && (shown.lines_whole || !self.lines.lines_whole) {
            self.lines = shown;
        }
        self.told_besides_failures |= !matches!(
            shown.event,
            InvoiceEvent::PaymentFailed | InvoiceEvent::ActionRequired
        );
        self.paid_heard |= shown.event == InvoiceEvent::Paid && shown.paid;
        let happened = || Happened {
            at: fact.at,
            learned: fact.received,
            event: fact.id.clone(),
        };
        let trigger = match shown.event {
            InvoiceEvent::Paid | InvoiceEvent::Queried if shown.paid => InvoiceTrigger::Paid,
            // Its lines are all that it adds: what becomes of an unpaid one has events of its own.
            InvoiceEvent::Queried => return,
            InvoiceEvent::Paid => {
                self.contradicted
                    .get_or_insert_with(|| (fact.at, fact.kind.clone()));
                return;
            }
            InvoiceEvent::PaymentFailed | InvoiceEvent::ActionRequired | InvoiceEvent::Overdue => {
                InvoiceTrigger::Failed
            }
            InvoiceEvent::Finalized => {
                self.finalized.get_or_insert(fact.at);
                InvoiceTrigger::Finalized
            }
            InvoiceEvent::FinalizationFailed => {
                self.finalization_failed.get_or_insert(fact.at);
                return;
            }
            InvoiceEvent::Voided => InvoiceTrigger::Voided,
            InvoiceEvent::Uncollectible => InvoiceTrigger::WrittenOff,
            InvoiceEvent::Updated if shown.draft => return,
            InvoiceEvent::Updated => InvoiceTrigger::Finalized,
        };
        if trigger == InvoiceTrigger::Failed
            && !matches!(
                self.state,
                InvoiceState::Paid | InvoiceState::Void | InvoiceState::Uncollectible
            )
        {
            self.fail(fact, shown.event);
        }
        let next = step(self.state, trigger).from(self.state);
        if next != self.state {
            match next {
                InvoiceState::Paid => self.paid = Some(happened()),
                InvoiceState::Void | InvoiceState::Uncollectible => {
                    self.closed.get_or_insert_with(happened);
                }
                InvoiceState::Draft | InvoiceState::Open | InvoiceState::Failed => {}
            }
        }
        self.state = next;
    }

    fn fail(&mut self, fact: &Fact, event: InvoiceEvent) {
        let happened = Happened {
            at: fact.at,
            learned: fact.received,
            event: fact.id.clone(),
        };
        self.last_failed = Some(fact.at);
        let failed = self.failed.get_or_insert(happened);
        failed.learned = failed.learned.min(fact.received);
        if fact.at == failed.at {
            self.action_required |= event == InvoiceEvent::ActionRequired;
        }
    }

    /// Whether it is its subscription's first.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        matches!(self.shown.reason, BillingReason::Create)
    }

    /// Whether it was there at an instant and neither paid nor given up until then.
    #[must_use]
    pub fn is_unpaid_at(&self, at: Timestamp) -> bool {
        let done = [&self.paid, &self.closed];
        self.first_at <= at && done.into_iter().flatten().all(|h| h.at > at)
    }

    /// Whether it was tried in vain or given up by an instant, and not paid until then. Where only failures were told of it nobody
    /// would tell of the payment.
    #[must_use]
    pub fn came_to_nothing(&self, by: Timestamp) -> bool {
        let is_past = |h: &Happened| h.at <= by;
        let in_vain = [&self.failed, &self.closed];
        self.told_besides_failures
            && in_vain.into_iter().flatten().any(is_past)
            && !self.paid.as_ref().is_some_and(is_past)
    }

    /// When a sent invoice is due.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.shown.due.filter(|_| self.shown.send_invoice)
    }
}
