//! One status for people: what a purchase comes to.

use std::fmt;

/// What a purchase comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseStatus {
    /// Whether it is paid is not known yet.
    OnItsWay,
    /// The money has not arrived yet.
    AwaitingPayment,
    /// A license is being made.
    Preparing,
    /// A license cannot be made until somebody looks at it.
    Delayed,
    /// Some licenses work, others are being made.
    Partial,
    /// Every license works that should.
    Live,
    /// They work, though a renewal failed.
    Grace,
    /// They work until the subscription's end, which is known.
    Ending,
    /// A trial without a license.
    Trial,
    /// A grace is over.
    Lapsed,
    /// The subscription is paused.
    Paused,
    /// A payment is disputed.
    Disputed,
    /// A dispute was lost.
    DisputeLost,
    /// The money went back.
    Refunded,
    /// A person ended its licenses.
    Revoked,
    /// What was paid for is over.
    Ended,
    /// The payment failed.
    Failed,
    /// It was not paid in time.
    Expired,
    /// It sells no license.
    Nothing,
}

impl fmt::Display for PurchaseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PurchaseStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnItsWay => "on_its_way",
            Self::AwaitingPayment => "awaiting_payment",
            Self::Preparing => "preparing",
            Self::Delayed => "delayed",
            Self::Partial => "partial",
            Self::Live => "live",
            Self::Grace => "grace",
            Self::Ending => "ending",
            Self::Trial => "trial",
            Self::Lapsed => "lapsed",
            Self::Paused => "paused",
            Self::Disputed => "disputed",
            Self::DisputeLost => "dispute_lost",
            Self::Refunded => "refunded",
            Self::Revoked => "revoked",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Nothing => "nothing",
        }
    }

    /// Whether the customer is shown the keys that are there.
    #[must_use]
    pub const fn shows_keys(self) -> bool {
        match self {
            Self::Live
            | Self::Partial
            | Self::Grace
            | Self::Ending
            | Self::Lapsed
            | Self::Paused
            | Self::Disputed
            | Self::Ended => true,
            Self::OnItsWay
            | Self::AwaitingPayment
            | Self::Preparing
            | Self::Delayed
            | Self::Trial
            | Self::Refunded
            | Self::Revoked
            | Self::DisputeLost
            | Self::Failed
            | Self::Expired
            | Self::Nothing => false,
        }
    }

    /// Whether a payment failed that the customer can still make.
    #[must_use]
    pub const fn owes(self) -> bool {
        matches!(self, Self::Grace | Self::Lapsed)
    }

    /// Whether it goes on by itself: a subscription of this status can be cancelled.
    #[must_use]
    pub const fn runs(self) -> bool {
        match self {
            Self::Preparing
            | Self::Delayed
            | Self::Partial
            | Self::Live
            | Self::Grace
            | Self::Trial
            | Self::Lapsed
            | Self::Paused => true,
            Self::OnItsWay
            | Self::AwaitingPayment
            | Self::Ending
            | Self::Disputed
            | Self::DisputeLost
            | Self::Refunded
            | Self::Revoked
            | Self::Ended
            | Self::Failed
            | Self::Expired
            | Self::Nothing => false,
        }
    }
}
