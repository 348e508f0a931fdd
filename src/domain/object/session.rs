//! A Checkout session through its life.

use crate::domain::fact::{PaymentStatus, Session as Shown, SessionEvent};
use crate::domain::step::Step::{self, Stay, To};

/// Where a session's payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// The buyer finished, the money is under way.
    Unpaid,
    /// Paid, or nothing to pay.
    Paid,
    /// The delayed payment failed.
    Failed,
    /// Nobody finished it in time.
    Expired,
}

impl SessionState {
    /// What an event of a session shows.
    /// Rule 11: paid, free, or paid later gives a license; unpaid, expired or failed gives none.
    #[must_use]
    pub const fn of(event: SessionEvent, status: PaymentStatus) -> Self {
        match event {
            SessionEvent::Completed => match status {
                PaymentStatus::Paid | PaymentStatus::NoPaymentRequired => Self::Paid,
                PaymentStatus::Unpaid => Self::Unpaid,
            },
            SessionEvent::AsyncSucceeded => Self::Paid,
            SessionEvent::AsyncFailed => Self::Failed,
            SessionEvent::Expired => Self::Expired,
        }
    }
}

/// The table.
#[must_use]
pub const fn step(state: SessionState, shown: SessionState) -> Step<SessionState> {
    use SessionState::{Expired, Failed, Paid, Unpaid};
    match state {
        Unpaid => match shown {
            Unpaid => Stay("the money is still under way"),
            Paid | Failed | Expired => To(shown),
        },
        Paid => match shown {
            Paid => Stay("two events of one payment count once"),
            Unpaid | Failed | Expired => Stay("paid is paid"),
        },
        Failed => match shown {
            Paid => To(Paid),
            Failed | Unpaid | Expired => Stay("it failed"),
        },
        Expired => match shown {
            Paid => To(Paid),
            Expired | Unpaid | Failed => Stay("it expired"),
        },
    }
}

/// A session with everything that its events told.
#[derive(Clone, Debug)]
pub struct Session<'f> {
    /// Where it stands.
    pub state: SessionState,
    /// Its newest form.
    pub shown: &'f Shown,
    /// Whether money was paid for it; free is not paid.
    pub money: bool,
}

impl<'f> Session<'f> {
    pub(super) fn new(shown: &'f Shown) -> Self {
        Self {
            state: SessionState::of(shown.event, shown.payment_status),
            shown,
            money: false,
        }
    }

    pub(super) fn add(&mut self, shown: &'f Shown) {
        self.shown = shown;
        self.state = step(
            self.state,
            SessionState::of(shown.event, shown.payment_status),
        )
        .from(self.state);
        self.money |= shown.event == SessionEvent::AsyncSucceeded
            || shown.payment_status == PaymentStatus::Paid;
    }
}
