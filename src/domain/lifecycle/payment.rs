//! The life of a one-time payment, as a table.

use minicbor::{Decode, Encode};

use crate::domain::step::Step::{self, Stay, To};

/// Where a payment stands. Disputes stand beside it (`condition/`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The buyer finished, the money has not arrived (bank debits, vouchers).
    #[n(0)]
    AwaitingPayment,
    /// Paid, or free.
    #[n(1)]
    Paid,
    /// A part went back.
    #[n(2)]
    PartlyRefunded,
    /// All of it went back.
    #[n(3)]
    Refunded,
    /// The delayed payment failed.
    #[n(4)]
    Failed,
    /// Nobody paid in time.
    #[n(5)]
    Expired,
}

/// What can happen to a payment, with every condition settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentTrigger {
    /// Checkout finished without money yet.
    Unpaid,
    /// The money arrived, or none was needed.
    Paid,
    /// The delayed payment failed.
    PaymentFailed,
    /// The session expired.
    SessionExpired,
    /// Some of the money went back, and some stayed.
    PartRefunded,
    /// All of the money went back.
    FullyRefunded,
    /// No refund stands any more: they failed or were canceled.
    RefundUndone,
}

impl PaymentState {
    /// All states, in the order of life.
    pub const ALL: [Self; 6] = [
        Self::AwaitingPayment,
        Self::Paid,
        Self::PartlyRefunded,
        Self::Refunded,
        Self::Failed,
        Self::Expired,
    ];

    /// The name in timelines, JSON and diagrams.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::Paid => "paid",
            Self::PartlyRefunded => "partly_refunded",
            Self::Refunded => "refunded",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl PaymentTrigger {
    /// All triggers.
    pub const ALL: [Self; 7] = [
        Self::Unpaid,
        Self::Paid,
        Self::PaymentFailed,
        Self::SessionExpired,
        Self::PartRefunded,
        Self::FullyRefunded,
        Self::RefundUndone,
    ];

    /// The name in diagrams.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "completed, unpaid",
            Self::Paid => "paid",
            Self::PaymentFailed => "payment failed",
            Self::SessionExpired => "session expired",
            Self::PartRefunded => "part refunded",
            Self::FullyRefunded => "fully refunded",
            Self::RefundUndone => "refund undone",
        }
    }
}

/// The state that a payment begins in, by the first thing known of it.
#[must_use]
pub const fn begin(trigger: PaymentTrigger) -> PaymentState {
    match trigger {
        PaymentTrigger::Unpaid
        | PaymentTrigger::PartRefunded
        | PaymentTrigger::FullyRefunded
        | PaymentTrigger::RefundUndone => PaymentState::AwaitingPayment,
        PaymentTrigger::Paid => PaymentState::Paid,
        PaymentTrigger::PaymentFailed => PaymentState::Failed,
        PaymentTrigger::SessionExpired => PaymentState::Expired,
    }
}

/// The table.
#[must_use]
pub const fn step(state: PaymentState, trigger: PaymentTrigger) -> Step<PaymentState> {
    use PaymentState::{AwaitingPayment, Expired, Failed, Paid, PartlyRefunded, Refunded};
    match state {
        AwaitingPayment => match trigger {
            PaymentTrigger::Unpaid => Stay("the money is still under way"),
            PaymentTrigger::Paid => To(Paid),
            PaymentTrigger::PaymentFailed => To(Failed),
            PaymentTrigger::SessionExpired => To(Expired),
            PaymentTrigger::PartRefunded
            | PaymentTrigger::FullyRefunded
            | PaymentTrigger::RefundUndone => {
                Stay("nothing was paid yet; the refund counts once the payment is known")
            }
        },
        Paid => match trigger {
            PaymentTrigger::Unpaid => Stay("an older event: it is paid"),
            PaymentTrigger::Paid => Stay("two events of one payment count once"),
            PaymentTrigger::PaymentFailed => {
                Stay("paid is paid; a failed attempt beside it changes nothing")
            }
            PaymentTrigger::SessionExpired => Stay("paid is paid"),
            PaymentTrigger::PartRefunded => To(PartlyRefunded),
            PaymentTrigger::FullyRefunded => To(Refunded),
            PaymentTrigger::RefundUndone => Stay("no refund stands"),
        },
        PartlyRefunded => match trigger {
            PaymentTrigger::Unpaid
            | PaymentTrigger::Paid
            | PaymentTrigger::PaymentFailed
            | PaymentTrigger::SessionExpired => {
                Stay("the payment is made; only refunds change it now")
            }
            PaymentTrigger::PartRefunded => Stay("a further part went back"),
            PaymentTrigger::FullyRefunded => To(Refunded),
            PaymentTrigger::RefundUndone => To(Paid),
        },
        Refunded => match trigger {
            PaymentTrigger::Unpaid
            | PaymentTrigger::Paid
            | PaymentTrigger::PaymentFailed
            | PaymentTrigger::SessionExpired => {
                Stay("the payment is made; only refunds change it now")
            }
            PaymentTrigger::PartRefunded => To(PartlyRefunded),
            PaymentTrigger::FullyRefunded => Stay("several events of one refund count once"),
            PaymentTrigger::RefundUndone => To(Paid),
        },
        Failed => match trigger {
            PaymentTrigger::Unpaid => Stay("an older event: the payment failed"),
            PaymentTrigger::Paid => To(Paid),
            PaymentTrigger::PaymentFailed => Stay("it failed already"),
            PaymentTrigger::SessionExpired => Stay("it failed already"),
            PaymentTrigger::PartRefunded
            | PaymentTrigger::FullyRefunded
            | PaymentTrigger::RefundUndone => Stay("nothing was paid"),
        },
        Expired => match trigger {
            PaymentTrigger::Unpaid => Stay("an older event: the session expired"),
            PaymentTrigger::Paid => To(Paid),
            PaymentTrigger::PaymentFailed => Stay("it expired already"),
            PaymentTrigger::SessionExpired => Stay("it expired already"),
            PaymentTrigger::PartRefunded
            | PaymentTrigger::FullyRefunded
            | PaymentTrigger::RefundUndone => Stay("nothing was paid"),
        },
    }
}
