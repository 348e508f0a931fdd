//! Step three: the table that decides. Phase and conditions, each settled before, to what a license should be and why.
//! It is printed to `docs/states/entitlement.md`, and a test walks it.

use crate::domain::condition::{DisputeEffect, EndingEffect, PauseEffect, RefundEffect};
use crate::domain::lifecycle::Phase;
use crate::domain::status::PurchaseStatus;

/// What a license should be; the instants come from the phase and the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Should {
    /// No license.
    Nothing,
    /// It works until then.
    Live(End),
    /// It does not work, and may come back.
    Suspended,
    /// It is over.
    Revoked,
}

/// Until when a license works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The paid end.
    Paid,
    /// The paid end with its margin, or what an open renewal carries on to.
    Margin,
    /// The grace's end, or the paid end with its margin where that is later.
    Grace,
    /// Well ahead, moved on as time passes.
    Ahead,
    /// The later of the grace's and the subscription's end.
    GraceOrSubscription,
    /// The subscription's end, where that is before the paid end.
    Subscription,
    /// When the money for the rest went back, or the subscription ended: the later.
    RestReturned,
    /// None.
    Never,
}

/// Why a license is what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Paid, granted, or on trial.
    Due,
    /// In grace.
    Grace,
    /// The grace is over.
    Lapsed,
    /// A dispute is open, or an inquiry.
    Disputed,
    /// A dispute was lost.
    DisputeLost,
    /// The money went back.
    Refunded,
    /// The subscription is paused.
    Paused,
    /// It was cancelled, or sells something else now.
    Ending,
    /// A person said so.
    Decided,
    /// Nothing was paid.
    NotPaid,
    /// Another purchase extends it.
    Extended,
}

impl Why {
    /// What the purchase comes to by this alone, where that says more than its state.
    #[must_use]
    pub const fn status(self) -> Option<PurchaseStatus> {
        match self {
            Self::Grace => Some(PurchaseStatus::Grace),
            Self::Lapsed => Some(PurchaseStatus::Lapsed),
            Self::Disputed => Some(PurchaseStatus::Disputed),
            Self::DisputeLost => Some(PurchaseStatus::DisputeLost),
            Self::Refunded => Some(PurchaseStatus::Refunded),
            Self::Paused => Some(PurchaseStatus::Paused),
            Self::Ending => Some(PurchaseStatus::Ending),
            Self::Due | Self::Decided | Self::NotPaid | Self::Extended => None,
        }
    }
}

/// The table.
#[must_use]
pub const fn want(
    phase: Phase,
    refund: RefundEffect,
    dispute: DisputeEffect,
    pause: PauseEffect,
    ending: EndingEffect,
) -> (Should, Why) {
    match phase {
        Phase::NotPaid => (Should::Nothing, Why::NotPaid),
        // What the grace's end took for good, nothing gives back but a payment.
        Phase::LapsedForGood => (Should::Revoked, Why::Lapsed),
        Phase::Trial | Phase::Paid | Phase::Grace | Phase::Lapsed | Phase::LapsedKept => {
            match refund {
                RefundEffect::Taken => (Should::Revoked, Why::Refunded),
                RefundEffect::None => match dispute {
                    DisputeEffect::Lost => (Should::Revoked, Why::DisputeLost),
                    // A grace that ends meanwhile still counts when the dispute is won.
                    DisputeEffect::Stops => (Should::Suspended, Why::Disputed),
                    DisputeEffect::None => undisputed(phase, pause, ending),
                },
            }
        }
    }
}

const fn undisputed(phase: Phase, pause: PauseEffect, ending: EndingEffect) -> (Should, Why) {
    match phase {
        Phase::NotPaid => (Should::Nothing, Why::NotPaid),
        Phase::LapsedForGood => (Should::Revoked, Why::Lapsed),
        Phase::Lapsed => (Should::Suspended, Why::Lapsed),
        Phase::Trial | Phase::Paid | Phase::Grace | Phase::LapsedKept => match pause {
            PauseEffect::Stops => (Should::Suspended, Why::Paused),
            PauseEffect::None => live(phase, ending),
        },
    }
}

const fn live(phase: Phase, ending: EndingEffect) -> (Should, Why) {
    match ending {
        EndingEffect::AtPaidEnd => (Should::Live(End::Paid), Why::Ending),
        EndingEffect::AtEnd => (Should::Live(End::Subscription), Why::Ending),
        EndingEffect::RestReturned => (Should::Live(End::RestReturned), Why::Ending),
        EndingEffect::Never => (Should::Live(End::Never), Why::Ending),
        EndingEffect::GaveUp => match phase {
            Phase::Grace => (Should::Live(End::Grace), Why::Grace),
            Phase::LapsedKept => (Should::Live(End::GraceOrSubscription), Why::Ending),
            Phase::Trial | Phase::Paid | Phase::NotPaid | Phase::Lapsed | Phase::LapsedForGood => {
                (Should::Live(End::Paid), Why::Ending)
            }
        },
        EndingEffect::None => match phase {
            Phase::Grace => (Should::Live(End::Grace), Why::Grace),
            Phase::LapsedKept => (Should::Live(End::Ahead), Why::Due),
            Phase::Trial | Phase::Paid | Phase::NotPaid | Phase::Lapsed | Phase::LapsedForGood => {
                (Should::Live(End::Margin), Why::Due)
            }
        },
    }
}

/// A phase with every condition settled: what the table is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Where the life stands.
    pub phase: Phase,
    /// Money back.
    pub refund: RefundEffect,
    /// Disputes.
    pub dispute: DisputeEffect,
    /// A pause of the collection.
    pub pause: PauseEffect,
    /// The subscription's end.
    pub ending: EndingEffect,
}

/// The table, asked with a pair.
#[must_use]
pub const fn want_of(pair: Pair) -> (Should, Why) {
    want(
        pair.phase,
        pair.refund,
        pair.dispute,
        pair.pause,
        pair.ending,
    )
}
