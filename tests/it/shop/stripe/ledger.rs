//! What Stripe keeps: objects with their histories. This is the truth that the oracle reads; events are only told from it.

use crate::shop::calendar::Time;
use crate::shop::catalog::Price;
use crate::shop::script::{GivesUp, Method, Told, Word};

/// A subscription's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Incomplete,
    IncompleteExpired,
    Trialing,
    Active,
    PastDue,
    Unpaid,
    Paused,
    Canceled,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Canceled | Self::IncompleteExpired)
    }
}

/// An item as it is at an instant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) price: &'static str,
    pub(crate) quantity: u64,
    pub(crate) start: Time,
    pub(crate) end: Time,
    /// Periods are counted from here.
    pub(crate) anchor: Time,
    pub(crate) turned: u32,
}

/// A subscription as it is at an instant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) status: Status,
    pub(crate) items: Vec<Item>,
    /// `pause_collection`.
    pub(crate) paused: bool,
    pub(crate) cancel_at_end: bool,
    pub(crate) cancel_at: Option<Time>,
    pub(crate) canceled_at: Option<Time>,
    pub(crate) ended_at: Option<Time>,
    /// Why it ended, as `cancellation_details` says.
    pub(crate) reason: Option<&'static str>,
    pub(crate) trial: Option<(Time, Time)>,
    /// Index of its latest invoice.
    pub(crate) latest: Option<usize>,
    /// Edits of the vendor's own metadata.
    pub(crate) edits: u32,
}

/// A subscription.
#[derive(Debug)]
pub(crate) struct Sub {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) created: Time,
    /// `start_date`.
    pub(crate) began: Time,
    /// How the customer pays now.
    pub(crate) method: Method,
    /// A coupon that makes everything free.
    pub(crate) coupon: bool,
    pub(crate) sent_days: Option<i64>,
    pub(crate) retries: u8,
    pub(crate) gives_up: GivesUp,
    /// Devices that AuthForge's metadata asks for.
    pub(crate) metadata: Option<u64>,
    pub(crate) checkout: bool,
    /// Invoices are paid in two payments.
    pub(crate) halves: bool,
    /// As it was from each instant on, oldest first.
    pub(crate) history: Vec<(Time, State)>,
    /// A trial that ends without a payment method pauses it.
    pub(crate) pauses: bool,
    /// Prices that items get when their next period begins.
    pub(crate) scheduled: Vec<(String, &'static str)>,
    /// Prorations that wait for the next invoice.
    pub(crate) pending: Vec<Line>,
}

impl Sub {
    pub(crate) fn now(&self) -> &State {
        &self.history.last().unwrap().1
    }

    /// As it was at an instant.
    pub(crate) fn at(&self, at: Time) -> Option<&State> {
        self.history
            .iter()
            .rev()
            .find(|(since, _)| *since <= at)
            .map(|(_, state)| state)
    }
}

/// A line of an invoice.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: String,
    /// The item that it bills; none for what the vendor added by hand.
    pub(crate) item: Option<String>,
    pub(crate) price: Option<&'static Price>,
    pub(crate) quantity: u64,
    pub(crate) amount: i64,
    pub(crate) start: Time,
    pub(crate) end: Time,
    pub(crate) proration: bool,
    /// It is for what was given up: of what costs nothing the amount does not tell.
    pub(crate) credit: bool,
    /// Of a trial: it is zero and pays for nothing beyond.
    pub(crate) trial: bool,
}

/// A payment that came through.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) intent: String,
    pub(crate) charge: String,
    pub(crate) amount: i64,
    pub(crate) at: Time,
}

/// An invoice.
#[derive(Debug)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    /// Index of its subscription.
    pub(crate) sub: usize,
    pub(crate) created: Time,
    /// A coupon makes it free; its lines keep their amounts.
    pub(crate) free: bool,
    /// `billing_reason`.
    pub(crate) reason: &'static str,
    pub(crate) lines: Vec<Line>,
    pub(crate) finalized: Option<Time>,
    /// Failed tries.
    pub(crate) failed: Vec<Time>,
    /// The tries that wanted 3-D Secure.
    pub(crate) secure: Vec<Time>,
    pub(crate) next_try: Option<Time>,
    pub(crate) paid: Option<Time>,
    pub(crate) out_of_band: bool,
    pub(crate) payments: Vec<Payment>,
    pub(crate) voided: Option<Time>,
    pub(crate) uncollectible: Option<Time>,
    pub(crate) due: Option<Time>,
    /// From when it was due and open: the subscription is past_due for it.
    pub(crate) overdue: Option<Time>,
}

impl Invoice {
    pub(crate) fn total(&self) -> i64 {
        if self.free {
            0
        } else {
            self.lines.iter().map(|l| l.amount).sum()
        }
    }

    pub(crate) fn due_amount(&self) -> i64 {
        self.total().max(0)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.finalized.is_some()
            && self.paid.is_none()
            && self.voided.is_none()
            && self.uncollectible.is_none()
    }

    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self { paid: Some(_), .. } => "paid",
            Self {
                voided: Some(_), ..
            } => "void",
            Self {
                uncollectible: Some(_),
                ..
            } => "uncollectible",
            Self {
                finalized: Some(_), ..
            } => "open",
            _ => "draft",
        }
    }
}

/// What a refund or dispute is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paid {
    /// A payment of an invoice.
    Invoice(usize, usize),
    /// A session's only payment.
    Session(usize),
}

/// A refund.
#[derive(Debug)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) of: Paid,
    pub(crate) amount: i64,
    pub(crate) at: Time,
    /// Its status from each instant on.
    pub(crate) steps: Vec<(Time, &'static str)>,
}

/// A dispute.
#[derive(Debug)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) of: Paid,
    pub(crate) at: Time,
    /// Its status from each instant on.
    pub(crate) steps: Vec<(Time, &'static str)>,
}

/// The last of some dated words at an instant.
pub(crate) fn word_at(steps: &[(Time, &'static str)], at: Time) -> Option<&'static str> {
    steps
        .iter()
        .rev()
        .find(|(since, _)| *since <= at)
        .map(|(_, word)| *word)
}

/// A person's decision.
#[derive(Debug)]
pub(crate) struct Decision {
    /// The subscription or session that it is about.
    pub(crate) about: String,
    pub(crate) at: Time,
    pub(crate) word: Word,
}

/// A session of mode `payment`.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) created: Time,
    pub(crate) price: &'static str,
    pub(crate) quantity: u64,
    pub(crate) told: Told,
    pub(crate) free: bool,
    pub(crate) completed: Option<Time>,
    pub(crate) paid: Option<Time>,
    pub(crate) failed: Option<Time>,
    pub(crate) expired: Option<Time>,
    pub(crate) payment: Option<Payment>,
}
