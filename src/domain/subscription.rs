//! The life of a subscription, as a table.
//!
//! Every condition is settled before the table is asked ("does this payment cover now?" makes two triggers), so that the
//! table only says what follows.

use minicbor::{Decode, Encode};

use super::step::Step::{self, Stay, To};

/// Where a subscription's payments stand. Disputes, pauses and planned ends stand beside it (`condition.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The first payment has not been made.
    #[n(0)]
    Incomplete,
    /// In a trial.
    #[n(1)]
    Trialing,
    /// Running.
    #[n(2)]
    Active,
    /// A renewal failed; the promised grace runs.
    #[n(3)]
    Grace,
    /// The grace is over, the subscription still exists.
    #[n(4)]
    Lapsed,
    /// The subscription is over.
    #[n(5)]
    Ended,
    /// The first payment was never made.
    #[n(6)]
    IncompleteExpired,
}

/// What can happen to a subscription, with every condition settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// It exists, its first payment is open.
    FirstPaymentOpen,
    /// A trial runs.
    TrialRuns,
    /// Stripe calls it active.
    CalledActive,
    /// A payment covers the present.
    Paid,
    /// A payment for a time that is over, or for something else.
    PaidOther,
    /// The first payment failed.
    FirstPaymentFailed,
    /// A renewal failed (or needs the customer, or a sent invoice is overdue).
    RenewalFailed,
    /// An invoice for something else failed while the base period is paid.
    SideInvoiceFailed,
    /// The grace is over.
    GraceOver,
    /// The grace is over, and Stripe has ended the subscription meanwhile.
    GraceOutlived,
    /// A payment covers the present, though Stripe has given up and ended the subscription.
    PaidAfterEnd,
    /// The vendor wrote the debt off, and Stripe goes on.
    WrittenOff,
    /// Stripe gave up collecting and ended it.
    GaveUp,
    /// The customer or the vendor ended it.
    Cancelled,
    /// The first payment was not made in time.
    FirstPaymentExpired,
}

impl State {
    /// All states, in the order of life.
    pub const ALL: [Self; 7] = [
        Self::Incomplete,
        Self::Trialing,
        Self::Active,
        Self::Grace,
        Self::Lapsed,
        Self::Ended,
        Self::IncompleteExpired,
    ];

    /// The name in timelines, JSON and diagrams.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Lapsed => "lapsed",
            Self::Ended => "ended",
            Self::IncompleteExpired => "incomplete_expired",
        }
    }
}

impl Trigger {
    /// All triggers.
    pub const ALL: [Self; 15] = [
        Self::FirstPaymentOpen,
        Self::TrialRuns,
        Self::CalledActive,
        Self::Paid,
        Self::PaidOther,
        Self::FirstPaymentFailed,
        Self::RenewalFailed,
        Self::SideInvoiceFailed,
        Self::GraceOver,
        Self::GraceOutlived,
        Self::PaidAfterEnd,
        Self::WrittenOff,
        Self::GaveUp,
        Self::Cancelled,
        Self::FirstPaymentExpired,
    ];

    /// The name in diagrams.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstPaymentOpen => "first payment open",
            Self::TrialRuns => "trial runs",
            Self::CalledActive => "called active",
            Self::Paid => "paid",
            Self::PaidOther => "paid for another time",
            Self::FirstPaymentFailed => "first payment failed",
            Self::RenewalFailed => "renewal failed",
            Self::SideInvoiceFailed => "side invoice failed",
            Self::GraceOver => "grace over",
            Self::GraceOutlived => "grace over, Stripe had given up",
            Self::PaidAfterEnd => "paid, Stripe had given up",
            Self::WrittenOff => "written off",
            Self::GaveUp => "Stripe gave up",
            Self::Cancelled => "cancelled",
            Self::FirstPaymentExpired => "first payment expired",
        }
    }
}

/// The state that a subscription begins in, by the first thing known of it.
#[must_use]
pub const fn begin(trigger: Trigger) -> State {
    match trigger {
        Trigger::FirstPaymentOpen | Trigger::FirstPaymentFailed | Trigger::PaidOther => State::Incomplete,
        Trigger::TrialRuns => State::Trialing,
        Trigger::CalledActive | Trigger::Paid | Trigger::SideInvoiceFailed | Trigger::WrittenOff => State::Active,
        Trigger::RenewalFailed | Trigger::GraceOver => State::Grace,
        Trigger::GaveUp | Trigger::Cancelled | Trigger::GraceOutlived | Trigger::PaidAfterEnd => State::Ended,
        Trigger::FirstPaymentExpired => State::IncompleteExpired,
    }
}

/// The table.
#[must_use]
#[expect(clippy::too_many_lines, reason = "a flat table: every pair of state and trigger in one place")]
pub const fn step(state: State, trigger: Trigger) -> Step<State> {
    use State::{Active, Ended, Grace, Incomplete, IncompleteExpired, Lapsed, Trialing};
    match state {
        Incomplete => match trigger {
            Trigger::FirstPaymentOpen => Stay("still open"),
            Trigger::TrialRuns => To(Trialing),
            Trigger::CalledActive | Trigger::Paid | Trigger::WrittenOff => To(Active),
            Trigger::PaidOther => Stay("that payment is not for the licensed time"),
            Trigger::FirstPaymentFailed => Stay("the customer may try again; nothing was handed out"),
            Trigger::RenewalFailed => To(Grace),
            Trigger::SideInvoiceFailed => Stay("nothing depends on it yet"),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("no grace is running"),
            Trigger::PaidAfterEnd => Stay("it has not ended"),
            Trigger::GaveUp | Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Trialing => match trigger {
            Trigger::FirstPaymentOpen => Stay("an older word: the trial runs"),
            Trigger::TrialRuns => Stay("the trial runs"),
            Trigger::CalledActive | Trigger::Paid | Trigger::WrittenOff => To(Active),
            Trigger::PaidOther => Stay("a trial's zero invoice pays for nothing beyond the trial"),
            Trigger::FirstPaymentFailed => Stay("no license hangs on it: the trial handed out none"),
            Trigger::RenewalFailed => To(Grace),
            Trigger::SideInvoiceFailed => Stay("the trial runs on"),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("no grace is running"),
            Trigger::PaidAfterEnd => Stay("it has not ended"),
            Trigger::GaveUp | Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Active => match trigger {
            Trigger::FirstPaymentOpen => Stay("an older word: it was active since"),
            Trigger::TrialRuns => To(Trialing),
            Trigger::CalledActive => Stay("it is active"),
            Trigger::Paid => Stay("a renewal moves the paid end, not the state"),
            Trigger::PaidOther => Stay("the present is not touched by it"),
            Trigger::FirstPaymentFailed => Stay("a first payment's failure starts no grace"),
            Trigger::RenewalFailed => To(Grace),
            Trigger::SideInvoiceFailed => Stay("the base period is paid"),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("no grace is running"),
            Trigger::PaidAfterEnd => Stay("it has not ended"),
            Trigger::WrittenOff => Stay("it is active"),
            Trigger::GaveUp | Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Grace => match trigger {
            Trigger::FirstPaymentOpen => Stay("an older word: a renewal failed since"),
            Trigger::TrialRuns => To(Trialing),
            Trigger::CalledActive => Stay("a status proves no payment"),
            Trigger::Paid | Trigger::WrittenOff => To(Active),
            Trigger::PaidOther => Stay("the present is still unpaid"),
            Trigger::FirstPaymentFailed => Stay("the grace runs from the first failure"),
            Trigger::RenewalFailed => Stay("the grace runs from the first failure; a retry does not extend it"),
            Trigger::SideInvoiceFailed => Stay("the grace runs from the first failure"),
            Trigger::GraceOver => To(Lapsed),
            Trigger::GraceOutlived | Trigger::PaidAfterEnd => To(Ended),
            Trigger::GaveUp => Stay("Stripe gave up; the promised grace runs on"),
            Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Lapsed => match trigger {
            Trigger::FirstPaymentOpen => Stay("an older word: it lapsed since"),
            Trigger::TrialRuns => To(Trialing),
            Trigger::CalledActive => Stay("a status proves no payment"),
            Trigger::Paid | Trigger::WrittenOff => To(Active),
            Trigger::PaidOther => Stay("the present is still unpaid"),
            Trigger::FirstPaymentFailed | Trigger::RenewalFailed => {
                Stay("it lapsed; a further failure changes nothing")
            }
            Trigger::SideInvoiceFailed => Stay("it lapsed; a further failure changes nothing"),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("it is over already"),
            Trigger::PaidAfterEnd => To(Ended),
            Trigger::GaveUp | Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Ended => match trigger {
            Trigger::FirstPaymentOpen | Trigger::TrialRuns | Trigger::CalledActive => Stay("deleted is final"),
            Trigger::Paid | Trigger::PaidOther => Stay("it still pays for its period; the operator is told"),
            Trigger::FirstPaymentFailed | Trigger::RenewalFailed | Trigger::SideInvoiceFailed => {
                Stay("a failure after the end starts nothing")
            }
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("it is over already"),
            Trigger::PaidAfterEnd => Stay("it pays for its period, and there it ends"),
            Trigger::WrittenOff => Stay("deleted is final"),
            Trigger::GaveUp | Trigger::Cancelled => Stay("several events of one end count once"),
            Trigger::FirstPaymentExpired => Stay("deleted is final"),
        },
        IncompleteExpired => match trigger {
            Trigger::FirstPaymentOpen | Trigger::TrialRuns | Trigger::CalledActive => Stay("it is final"),
            Trigger::Paid => To(Active),
            Trigger::PaidOther => Stay("that payment is not for the licensed time"),
            Trigger::FirstPaymentFailed | Trigger::RenewalFailed | Trigger::SideInvoiceFailed => {
                Stay("a failure after the end starts nothing")
            }
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("no grace is running"),
            Trigger::PaidAfterEnd => Stay("the first payment was never made"),
            Trigger::WrittenOff => Stay("it is final"),
            Trigger::GaveUp | Trigger::Cancelled => Stay("it ended already"),
            Trigger::FirstPaymentExpired => Stay("several events of one end count once"),
        },
    }
}
