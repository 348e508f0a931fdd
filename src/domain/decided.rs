//! What a person's decisions come to, all of them together.

use crate::domain::decision::Verb;
use crate::domain::fact::Fact;
use crate::domain::policy::Policy;
use crate::domain::policy_override::DatedOverride;
use crate::domain::time::Timestamp;

/// Time that a person added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// When that was said.
    pub said: Timestamp,
    /// The paid end counts as not earlier than this.
    pub until: Timestamp,
}

/// What people decided, the newest on each matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Granted until an instant, or for life (`Some(None)`).
    pub grant: Option<Option<Timestamp>>,
    /// Revoked for good.
    pub revoked: bool,
    /// Kept despite refunds and disputes of what was paid by then.
    pub kept: Option<Timestamp>,
    /// Time that was added, with when that was said.
    pub extensions: Vec<Extension>,
    /// A grace does not end before this.
    pub exempt: Option<Timestamp>,
    /// Judge everything before this instant as if it had happened then.
    pub apply_from: Option<Timestamp>,
    /// Values of the policy of the customer's own, in the order in which they were given.
    pub overrides: Vec<DatedOverride>,
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
                Verb::Extend { until } => decided.extensions.push(Extension {
                    said: fact.at,
                    until: *until,
                }),
                Verb::Exempt { until } => decided.exempt = decided.exempt.max(Some(*until)),
                Verb::Revoke => (decided.revoked, decided.grant, decided.kept) = (true, None, None),
                Verb::Keep => (decided.kept, decided.revoked) = (Some(fact.at), false),
                Verb::ApplyRevision => decided.apply_from = Some(fact.at),
                Verb::Override { values, until } => decided.overrides.push(DatedOverride {
                    from: fact.at,
                    until: *until,
                    values: values.clone(),
                }),
                Verb::EndOverride => decided.end_overrides(fact.at),
                Verb::Rekey { .. }
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

    /// Whether the customer keeps what was paid for at an instant, whatever becomes of that money. A later payment is another
    /// matter.
    #[must_use]
    pub fn keeps(&self, paid_at: Timestamp) -> bool {
        self.kept.is_some_and(|said| paid_at <= said)
    }

    /// Not before this the paid end counts as reached; `None`: nobody added time.
    #[must_use]
    pub fn extended(&self) -> Option<Timestamp> {
        self.extensions.iter().map(|e| e.until).max()
    }

    /// The same, by what had been said at an instant: a failure before that began its grace all the same.
    #[must_use]
    pub fn extended_by(&self, at: Timestamp) -> Option<Timestamp> {
        let said = self.extensions.iter().filter(|e| e.said <= at);
        said.map(|e| e.until).max()
    }

    fn end_overrides(&mut self, at: Timestamp) {
        for given in &mut self.overrides {
            given.until = Some(given.until.map_or(at, |until| until.min(at)));
        }
    }

    /// Puts what the customer has of their own in the place of a policy's values, for what happens at an instant. Of two
    /// overrides of one key the later one counts.
    pub fn override_policy(&self, policy: &mut Policy, at: Timestamp) {
        for given in self.overrides.iter().filter(|o| o.is_in_force(at)) {
            given.values.apply(policy);
        }
    }

    /// When the override was given that sets a key for what happens at an instant.
    #[must_use]
    pub fn overridden_since(&self, key: &str, at: Timestamp) -> Option<Timestamp> {
        let sets = |o: &&DatedOverride| {
            o.is_in_force(at) && o.values.values().iter().any(|(set, _)| *set == key)
        };
        self.overrides
            .iter()
            .filter(sets)
            .map(|o| o.from)
            .next_back()
    }

    /// The instant whose revision judges what happened at `at`.
    #[must_use]
    pub fn judged_at(&self, at: Timestamp) -> Timestamp {
        self.apply_from.map_or(at, |from| from.max(at))
    }
}
