//! Grace periods, and failures that start none.

use crate::domain::id::{InvoiceId, ItemKey};
use crate::domain::policy::Policy;
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;
use std::fmt;

use minicbor::{Decode, Encode};

/// When a payment failed.
#[derive(Clone, Copy)]
pub(super) struct FailureTime {
    /// The instant that counts, by the provider's clock.
    pub(super) at: Timestamp,
    /// When it was first known here.
    pub(super) learned: Timestamp,
}

/// What a grace period belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Cause {
    /// The renewal invoice that failed.
    #[n(0)]
    Invoice(#[n(0)] InvoiceId),
    /// A failure that no known invoice explains: only a snapshot told of it.
    #[n(1)]
    FailureAt(#[n(0)] Timestamp),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoice(invoice) => write!(f, "{invoice}"),
            Self::FailureAt(at) => write!(f, "failure at {at}"),
        }
    }
}

/// The items that a grace is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concern {
    /// Items that its invoice bills, or that were unpaid when it began; none: not known, so all.
    pub items: Option<BTreeSet<ItemKey>>,
    /// Those that were unpaid when it began, and are still.
    pub unpaid: BTreeSet<ItemKey>,
    /// Those that were unpaid when it began, and were paid since.
    pub recovered: BTreeSet<ItemKey>,
}

/// A grace period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// What failed.
    pub cause: Cause,
    /// The items that it is for.
    pub concern: Concern,
    /// When the renewal failed.
    pub started: Timestamp,
    /// When we first heard of it.
    pub learned: Timestamp,
    /// When the grace is over.
    pub ends: Timestamp,
    /// Whether the customer must act (3-D Secure).
    pub action_required: bool,
    /// The policy that judges it.
    pub policy: Policy,
    /// How it ended.
    pub outcome: GraceOutcome,
    /// When it lapsed, if it did.
    pub lapsed: Option<Timestamp>,
    /// Where the customer can pay, and what.
    pub owed: Owed,
    /// Stripe has ended the subscription meanwhile.
    pub gave_up: bool,
    /// Whether it began by a status alone, of a subscription that was not heard of from its beginning.
    pub guessed: bool,
}

/// What a failed invoice asks for, as last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// Minor units, and the currency.
    pub amount: Option<(i64, String)>,
    /// Stripe's next attempt.
    pub next_attempt: Option<Timestamp>,
    /// The page where the customer can pay.
    pub hosted_url: Option<String>,
}

/// How a grace period ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraceOutcome {
    /// It runs, or has lapsed and nothing came of it yet.
    Open,
    /// Paid, or written off.
    Recovered(Timestamp),
    /// The subscription was ended.
    Ended(Timestamp),
}

impl Episode {
    /// Whether nothing came of it yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome == GraceOutcome::Open
    }
}

/// A failed invoice that starts no grace: an upgrade, an item by hand, an older period's leftovers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFailure {
    /// The invoice.
    pub invoice: InvoiceId,
    /// When it failed.
    pub at: Timestamp,
    /// When we heard of it.
    pub learned: Timestamp,
    /// When it was settled.
    pub settled: Option<Timestamp>,
    /// Whether the customer must act.
    pub action_required: bool,
    /// Where the customer can pay, and what.
    pub owed: Owed,
}
