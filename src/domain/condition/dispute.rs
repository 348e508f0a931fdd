//! Disputes: what all of them together do to a license. **This file decides it** (rule 39).

use crate::domain::id::DisputeId;
use crate::domain::object::dispute::DisputeState;
use crate::domain::object::{Dispute, Disputes};
use crate::domain::policy::{OnDispute, OnDisputeLost, OnDisputeWon, OnInquiry, Policy};
use crate::domain::time::Timestamp;

/// What disputes do to a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisputeEffect {
    /// Nothing, or nothing any more.
    None,
    /// The license stops until the dispute is closed.
    Stops,
    /// One was lost, and no period was paid since.
    Lost,
}

impl DisputeEffect {
    /// Every value, for the printed table.
    pub const ALL: [Self; 3] = [Self::None, Self::Stops, Self::Lost];
    /// The word in the printed table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "no",
            Self::Stops => "open",
            Self::Lost => "lost",
        }
    }
}

fn first(disputes: &Disputes, state: DisputeState) -> Option<(&DisputeId, Timestamp)> {
    let such = disputes.iter().filter(|(_, d)| d.state == state);
    such.min_by_key(|(_, d)| d.since)
        .map(|(id, d)| (id, d.since))
}

/// The dispute or inquiry that is open now, and since when.
#[must_use]
pub fn open(disputes: &Disputes) -> Option<(&DisputeId, Timestamp)> {
    first(disputes, DisputeState::Open).or_else(|| first(disputes, DisputeState::Inquiry))
}

/// The first of the lost disputes that end a license: no period was paid since.
#[must_use]
pub fn lost(
    disputes: &Disputes,
    policy: impl Fn(Timestamp) -> Policy,
    paid_since: impl Fn(Timestamp) -> bool,
) -> Option<(&DisputeId, Timestamp)> {
    let ends = |d: &Dispute| {
        d.state == DisputeState::Lost
            && policy(d.since).on_dispute_lost == OnDisputeLost::Revoke
            && !paid_since(d.since)
    };
    let lost = disputes.iter().filter(|(_, d)| ends(d));
    lost.min_by_key(|(_, d)| d.since)
        .map(|(id, d)| (id, d.since))
}

/// What the disputes do together. A loss stands, whatever other disputes open or close, until a later period is paid; then
/// an open one stops the license, whichever payment it is about; then an inquiry; what was won, only under `keep`.
#[must_use]
pub fn effect(
    disputes: &Disputes,
    policy: impl Fn(Timestamp) -> Policy,
    paid_since: impl Fn(Timestamp) -> bool,
) -> DisputeEffect {
    if lost(disputes, &policy, paid_since).is_some() {
        return DisputeEffect::Lost;
    }
    let stops = |d: &Dispute| {
        let policy = policy(d.since);
        match d.state {
            DisputeState::Open => policy.on_dispute == OnDispute::Suspend,
            DisputeState::Inquiry => policy.on_inquiry == OnInquiry::Suspend,
            DisputeState::Won => {
                policy.on_dispute == OnDispute::Suspend
                    && policy.on_dispute_won == OnDisputeWon::Keep
            }
            DisputeState::Lost | DisputeState::Closed => false,
        }
    };
    if disputes.values().any(stops) {
        DisputeEffect::Stops
    } else {
        DisputeEffect::None
    }
}
