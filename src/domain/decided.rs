//! What a person's decisions come to, all of them together.

use crate::domain::decision::Verb;
use crate::domain::fact::Fact;
use crate::domain::time::Timestamp;

/// What people decided, the newest on each matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Granted until an instant, or for life (`Some(None)`).
    pub grant: Option<Option<Timestamp>>,
    /// Revoked for good.
    pub revoked: bool,
    /// Kept despite refunds and disputes.
    pub kept: bool,
    /// The paid end counts as not earlier than this.
    pub extended: Option<Timestamp>,
    /// A grace does not end before this.
    pub exempt: Option<Timestamp>,
    /// Judge everything before this instant as if it had happened then.
    pub apply_from: Option<Timestamp>,
}

impl Decided {
    pub(super) fn of(facts: &[&Fact]) -> Self {
        let mut decided = Self::default();
        for fact in facts {
            let Some(decision) = fact.decision() else {
                continue;
            };
            match &decision.verb {
                Verb::Grant { until } => (decided.grant, decided.revoked) = (Some(*until), false),
                Verb::Extend { until } => decided.extended = decided.extended.max(Some(*until)),
                Verb::Exempt { until } => decided.exempt = decided.exempt.max(Some(*until)),
                Verb::Revoke => {
                    (decided.revoked, decided.grant, decided.kept) = (true, None, false)
                }
                Verb::Keep => (decided.kept, decided.revoked) = (true, false),
                Verb::ApplyRevision => decided.apply_from = Some(fact.at),
                Verb::Rekey
                | Verb::Address { .. }
                | Verb::ResetDevices { .. }
                | Verb::Resend { .. }
                | Verb::Note
                | Verb::Move { .. }
                | Verb::Erase
                | Verb::Issue { .. } => {}
            }
        }
        decided
    }

    /// The instant whose revision judges what happened at `at`.
    #[must_use]
    pub fn judged_at(&self, at: Timestamp) -> Timestamp {
        self.apply_from.map_or(at, |from| from.max(at))
    }
}
