//! One dispute through its life. What the policy makes of all disputes together: `condition/dispute.rs`.

use std::collections::BTreeMap;

use crate::domain::fact::DisputeStatus;
use crate::domain::id::DisputeId;
use crate::domain::step::Step::{self, Stay, To};
use crate::domain::time::Timestamp;

/// Where a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisputeState {
    /// An inquiry: a question, no money moved.
    Inquiry,
    /// The inquiry was closed, or settled before it became a dispute.
    Closed,
    Open,
    /// Won: the money came back.
    Won,
    /// Lost: the money is gone.
    Lost,
}

impl DisputeState {
    /// What a status says; `None`: a status that we do not know says nothing.
    #[must_use]
    pub const fn of(status: DisputeStatus) -> Option<Self> {
        match status {
            DisputeStatus::Inquiry => Some(Self::Inquiry),
            DisputeStatus::InquiryClosed | DisputeStatus::Prevented => Some(Self::Closed),
            DisputeStatus::Open => Some(Self::Open),
            DisputeStatus::Won => Some(Self::Won),
            DisputeStatus::Lost => Some(Self::Lost),
            DisputeStatus::Unknown => None,
        }
    }
}

/// The table: what a snapshot that comes later makes of a dispute.
#[must_use]
pub const fn step(state: DisputeState, shown: DisputeState) -> Step<DisputeState> {
    use DisputeState::{Closed, Inquiry, Lost, Open, Won};
    match state {
        Inquiry => match shown {
            Inquiry => Stay("the inquiry is still open"),
            Closed | Open | Won | Lost => To(shown),
        },
        Closed => match shown {
            Closed => Stay("it is closed"),
            Inquiry | Open | Won | Lost => To(shown),
        },
        Open => match shown {
            Open => Stay("it is still open"),
            Inquiry | Closed | Won | Lost => To(shown),
        },
        Won => match shown {
            Won => Stay("it is won"),
            Lost => To(Lost),
            Inquiry | Closed | Open => Stay("a verdict never becomes an open question again"),
        },
        Lost => match shown {
            Lost => Stay("it is lost"),
            Won => To(Won),
            Inquiry | Closed | Open => Stay("a verdict never becomes an open question again"),
        },
    }
}

/// A dispute, and since when it stands so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Where it stands.
    pub state: DisputeState,
    pub since: Timestamp,
    /// When it was first heard of, by the provider's clock.
    pub opened: Timestamp,
    /// When its invoice was paid, where that is known.
    pub paid_at: Option<Timestamp>,
}

impl Dispute {
    pub(super) const fn new(state: DisputeState, at: Timestamp) -> Self {
        Self {
            state,
            since: at,
            opened: at,
            paid_at: None,
        }
    }

    /// When what it is about was paid: by its own instant, where nothing else is known.
    #[must_use]
    pub fn paid_by(&self) -> Timestamp {
        self.paid_at.unwrap_or(self.opened)
    }

    pub(super) fn add(&mut self, shown: DisputeState, at: Timestamp) {
        let next = step(self.state, shown).from(self.state);
        if next != self.state {
            *self = Self {
                state: next,
                since: at,
                ..*self
            };
        }
    }
}

/// The disputes of one purchase, on whichever of its payments.
pub type Disputes = BTreeMap<DisputeId, Dispute>;
