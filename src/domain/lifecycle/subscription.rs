//! The life of a subscription, as a table.
//!
//! Every condition is settled before the table is asked ("does this payment cover now?" makes two triggers), so that the
//! table only says what follows.

use minicbor::{Decode, Encode};

use crate::domain::step::Step::{self, Stay, To};

/// Where a subscription's payments stand. Disputes, refunds, pauses and scheduled ends stand beside it (`condition/`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// The first payment has not been made.
    #[n(0)]
    Incomplete,
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
pub enum SubscriptionTrigger {
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

impl SubscriptionState {
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

    /// Whether a renewal is unpaid that a payment would still settle.
    #[must_use]
    pub const fn owes(self) -> bool {
        matches!(self, Self::Grace | Self::Lapsed)
    }

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

impl SubscriptionTrigger {
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
pub const fn begin(trigger: SubscriptionTrigger) -> SubscriptionState {
    match trigger {
        SubscriptionTrigger::FirstPaymentOpen => SubscriptionState::Incomplete,
        SubscriptionTrigger::TrialRuns => SubscriptionState::Trialing,
        SubscriptionTrigger::Runs | SubscriptionTrigger::Paid | SubscriptionTrigger::WrittenOff => {
            SubscriptionState::Active
        }
        SubscriptionTrigger::RenewalFailed | SubscriptionTrigger::GraceOver => {
            SubscriptionState::Grace
        }
        SubscriptionTrigger::GaveUp
        | SubscriptionTrigger::Cancelled
        | SubscriptionTrigger::GraceOutlived
        | SubscriptionTrigger::PaidAfterEnd => SubscriptionState::Ended,
        SubscriptionTrigger::FirstPaymentExpired => SubscriptionState::IncompleteExpired,
    }
}

/// The table.
#[must_use]
#[expect(
    clippy::too_many_lines,
    reason = "a flat table: every pair of state and trigger in one place"
)]
pub const fn step(
    state: SubscriptionState,
    trigger: SubscriptionTrigger,
) -> Step<SubscriptionState> {
    use SubscriptionState::{
        Active, Ended, Grace, Incomplete, IncompleteExpired, Lapsed, Trialing,
    };
    match state {
        Incomplete => match trigger {
            SubscriptionTrigger::FirstPaymentOpen => Stay("it is still open"),
            SubscriptionTrigger::TrialRuns => To(Trialing),
            SubscriptionTrigger::Runs
            | SubscriptionTrigger::Paid
            | SubscriptionTrigger::WrittenOff => To(Active),
            SubscriptionTrigger::RenewalFailed => To(Grace),
            SubscriptionTrigger::GraceOver | SubscriptionTrigger::GraceOutlived => {
                Stay("no grace is running")
            }
            SubscriptionTrigger::PaidAfterEnd => Stay("it has not ended"),
            SubscriptionTrigger::GaveUp | SubscriptionTrigger::Cancelled => To(Ended),
            SubscriptionTrigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Trialing => match trigger {
            SubscriptionTrigger::FirstPaymentOpen => Stay("an older snapshot: the trial runs"),
            SubscriptionTrigger::TrialRuns => Stay("the trial runs"),
            SubscriptionTrigger::Runs
            | SubscriptionTrigger::Paid
            | SubscriptionTrigger::WrittenOff => To(Active),
            SubscriptionTrigger::RenewalFailed => To(Grace),
            SubscriptionTrigger::GraceOver | SubscriptionTrigger::GraceOutlived => {
                Stay("no grace is running")
            }
            SubscriptionTrigger::PaidAfterEnd => Stay("it has not ended"),
            SubscriptionTrigger::GaveUp | SubscriptionTrigger::Cancelled => To(Ended),
            SubscriptionTrigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Active => match trigger {
            SubscriptionTrigger::FirstPaymentOpen => Stay("an older snapshot: it was active since"),
            SubscriptionTrigger::TrialRuns => To(Trialing),
            SubscriptionTrigger::Runs => Stay("it is active"),
            SubscriptionTrigger::Paid => Stay("a renewal moves the paid end, not the state"),
            SubscriptionTrigger::RenewalFailed => To(Grace),
            SubscriptionTrigger::GraceOver | SubscriptionTrigger::GraceOutlived => {
                Stay("no grace is running")
            }
            SubscriptionTrigger::PaidAfterEnd => Stay("it has not ended"),
            SubscriptionTrigger::WrittenOff => Stay("it is active"),
            SubscriptionTrigger::GaveUp | SubscriptionTrigger::Cancelled => To(Ended),
            SubscriptionTrigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Grace => match trigger {
            SubscriptionTrigger::FirstPaymentOpen => {
                Stay("an older snapshot: a renewal failed since")
            }
            SubscriptionTrigger::TrialRuns => To(Trialing),
            SubscriptionTrigger::Runs => Stay("a status proves no payment"),
            SubscriptionTrigger::Paid | SubscriptionTrigger::WrittenOff => To(Active),
            SubscriptionTrigger::RenewalFailed => {
                Stay("the grace runs from the first failure; a retry does not extend it")
            }
            SubscriptionTrigger::GraceOver => To(Lapsed),
            SubscriptionTrigger::GraceOutlived | SubscriptionTrigger::PaidAfterEnd => To(Ended),
            SubscriptionTrigger::GaveUp => Stay("Stripe gave up; the promised grace runs on"),
            SubscriptionTrigger::Cancelled => To(Ended),
            SubscriptionTrigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Lapsed => match trigger {
            SubscriptionTrigger::FirstPaymentOpen => Stay("an older snapshot: it lapsed since"),
            SubscriptionTrigger::TrialRuns => To(Trialing),
            SubscriptionTrigger::Runs => Stay("a status proves no payment"),
            SubscriptionTrigger::Paid | SubscriptionTrigger::WrittenOff => To(Active),
            SubscriptionTrigger::RenewalFailed => {
                Stay("it lapsed; a further failure changes nothing")
            }
            SubscriptionTrigger::GraceOver | SubscriptionTrigger::GraceOutlived => {
                Stay("it is over already")
            }
            SubscriptionTrigger::PaidAfterEnd => To(Ended),
            SubscriptionTrigger::GaveUp | SubscriptionTrigger::Cancelled => To(Ended),
            SubscriptionTrigger::FirstPaymentExpired => To(IncompleteExpired),
        },
        Ended => match trigger {
            SubscriptionTrigger::FirstPaymentOpen
            | SubscriptionTrigger::TrialRuns
            | SubscriptionTrigger::Runs => Stay("deleted is final"),
            SubscriptionTrigger::Paid => Stay("it still pays for its period; the operator is told"),
            SubscriptionTrigger::RenewalFailed => Stay("a failure after the end starts nothing"),
            SubscriptionTrigger::GraceOver | SubscriptionTrigger::GraceOutlived => {
                Stay("it is over already")
            }
            SubscriptionTrigger::PaidAfterEnd => Stay("it pays for its period, and there it ends"),
            SubscriptionTrigger::WrittenOff => Stay("deleted is final"),
            SubscriptionTrigger::GaveUp | SubscriptionTrigger::Cancelled => {
                Stay("several events of one end count once")
            }
            SubscriptionTrigger::FirstPaymentExpired => Stay("deleted is final"),
        },
        IncompleteExpired => match trigger {
            SubscriptionTrigger::FirstPaymentOpen
            | SubscriptionTrigger::TrialRuns
            | SubscriptionTrigger::Runs => Stay("it is final"),
            SubscriptionTrigger::Paid => To(Active),
            SubscriptionTrigger::RenewalFailed => Stay("a failure after the end starts nothing"),
            SubscriptionTrigger::GraceOver | SubscriptionTrigger::GraceOutlived => {
                Stay("no grace is running")
            }
            SubscriptionTrigger::PaidAfterEnd => Stay("the first payment was never made"),
            SubscriptionTrigger::WrittenOff => Stay("it is final"),
            SubscriptionTrigger::GaveUp | SubscriptionTrigger::Cancelled => {
                Stay("it ended already")
            }
            SubscriptionTrigger::FirstPaymentExpired => {
                Stay("several events of one end count once")
            }
        },
    }
}
