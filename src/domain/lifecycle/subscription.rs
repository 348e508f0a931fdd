//! The life of a subscription, as a table.
//!
//! Every condition is settled before the table is asked ("does this payment cover now?" makes two triggers), so that the
//! table only says what follows.

use minicbor::{Decode, Encode};

use crate::domain::step::Step::{self, Stay, To};

/// Where a subscription's payments stand. Disputes, refunds, pauses and scheduled ends stand beside it (`condition/`).
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
    /// Stripe calls it active, or it was billed for something that is not licensed.
    Runs,
    /// A payment covers the present.
    Paid,
    /// A renewal failed (or needs the customer, or a sent invoice is overdue).
    RenewalFailed,
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
    pub const ALL: [Self; 12] = [
        Self::FirstPaymentOpen,
        Self::TrialRuns,
        Self::Runs,
        Self::Paid,
        Self::RenewalFailed,
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
            Self::Runs => "runs",
            Self::Paid => "paid",
            Self::RenewalFailed => "renewal failed",
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
        Trigger::FirstPaymentOpen => State::Incomplete,
        Trigger::TrialRuns => State::Trialing,
        Trigger::Runs | Trigger::Paid | Trigger::WrittenOff => State::Active,
        Trigger::RenewalFailed | Trigger::GraceOver => State::Grace,
        Trigger::GaveUp | Trigger::Cancelled | Trigger::GraceOutlived | Trigger::PaidAfterEnd => {
            State::Ended
        }
        Trigger::FirstPaymentExpired => State::IncompleteExpired,
    }
}

/// The table.
#[must_use]
#[expect(
    clippy::too_many_lines,
    reason = "a flat table: every pair of state and trigger in one place"
)]
pub const fn step(state: State, trigger: Trigger) -> Step<State> {
    use State::{Active, Ended, Grace, Incomplete, IncompleteExpired, Lapsed, Trialing};
    match state {
        Incomplete => match trigger {
            Trigger::FirstPaymentOpen => Stay("it is still open"),
            Trigger::TrialRuns => To(Trialing),
            Trigger::Runs | Trigger::Paid | Trigger::WrittenOff => To(Active),
            Trigger::RenewalFailed => To(Grace),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("no grace is running"),
            Trigger::PaidAfterEnd => Stay("it has not ended"),
            Trigger::GaveUp | Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Trialing => match trigger {
            Trigger::FirstPaymentOpen => Stay("an older snapshot: the trial runs"),
            Trigger::TrialRuns => Stay("the trial runs"),
            Trigger::Runs | Trigger::Paid | Trigger::WrittenOff => To(Active),
            Trigger::RenewalFailed => To(Grace),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("no grace is running"),
            Trigger::PaidAfterEnd => Stay("it has not ended"),
            Trigger::GaveUp | Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Active => match trigger {
            Trigger::FirstPaymentOpen => Stay("an older snapshot: it was active since"),
            Trigger::TrialRuns => To(Trialing),
            Trigger::Runs => Stay("it is active"),
            Trigger::Paid => Stay("a renewal moves the paid end, not the state"),
            Trigger::RenewalFailed => To(Grace),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("no grace is running"),
            Trigger::PaidAfterEnd => Stay("it has not ended"),
            Trigger::WrittenOff => Stay("it is active"),
            Trigger::GaveUp | Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Grace => match trigger {
            Trigger::FirstPaymentOpen => Stay("an older snapshot: a renewal failed since"),
            Trigger::TrialRuns => To(Trialing),
            Trigger::Runs => Stay("a status proves no payment"),
            Trigger::Paid | Trigger::WrittenOff => To(Active),
            Trigger::RenewalFailed => {
                Stay("the grace runs from the first failure; a retry does not extend it")
            }
            Trigger::GraceOver => To(Lapsed),
            Trigger::GraceOutlived | Trigger::PaidAfterEnd => To(Ended),
            Trigger::GaveUp => Stay("Stripe gave up; the promised grace runs on"),
            Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Lapsed => match trigger {
            Trigger::FirstPaymentOpen => Stay("an older snapshot: it lapsed since"),
            Trigger::TrialRuns => To(Trialing),
            Trigger::Runs => Stay("a status proves no payment"),
            Trigger::Paid | Trigger::WrittenOff => To(Active),
            Trigger::RenewalFailed => Stay("it lapsed; a further failure changes nothing"),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("it is over already"),
            Trigger::PaidAfterEnd => To(Ended),
            Trigger::GaveUp | Trigger::Cancelled => To(Ended),
            Trigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Ended => match trigger {
            Trigger::FirstPaymentOpen | Trigger::TrialRuns | Trigger::Runs => {
                Stay("deleted is final")
            }
            Trigger::Paid => Stay("it still pays for its period; the operator is told"),
            Trigger::RenewalFailed => Stay("a failure after the end starts nothing"),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("it is over already"),
            Trigger::PaidAfterEnd => Stay("it pays for its period, and there it ends"),
            Trigger::WrittenOff => Stay("deleted is final"),
            Trigger::GaveUp | Trigger::Cancelled => Stay("several events of one end count once"),
            Trigger::FirstPaymentExpired => Stay("deleted is final"),
        },
        IncompleteExpired => match trigger {
            Trigger::FirstPaymentOpen | Trigger::TrialRuns | Trigger::Runs => Stay("it is final"),
            Trigger::Paid => To(Active),
            Trigger::RenewalFailed => Stay("a failure after the end starts nothing"),
            Trigger::GraceOver | Trigger::GraceOutlived => Stay("no grace is running"),
            Trigger::PaidAfterEnd => Stay("the first payment was never made"),
            Trigger::WrittenOff => Stay("it is final"),
            Trigger::GaveUp | Trigger::Cancelled => Stay("it ended already"),
            Trigger::FirstPaymentExpired => Stay("several events of one end count once"),
        },
    }
}
