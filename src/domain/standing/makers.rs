//! Who makes licenses, by the orders of a shop.

use super::{Standing, StandingOrder, StandingOrders};
use crate::domain::id::SourceName;
use crate::domain::time::{Span, Timestamp};

/// So long after purchases were taken in, or a restored store went live, every create looks for a license first: who made
/// them may not have stopped.
const RECOVERS_FOR: Span = Span::from_days(7);

impl StandingOrders {
    /// Since when licenses are made here and nowhere else for a source: a plan, or the whole shop, last went live then, or a
    /// person said that no other program makes licenses for it any more. What was sold before may have got its license from
    /// somebody else, and a license that was made before shows nobody who makes them still.
    #[must_use]
    pub fn live_since(&self, of: &SourceName) -> Option<Timestamp> {
        let begins = |o: &&StandingOrder| match &o.what {
            Standing::Live { .. } => true,
            Standing::Alone { source } => source == of,
            Standing::Observe { .. }
            | Standing::Pause { .. }
            | Standing::Resume { .. }
            | Standing::OtherHandler { .. }
            | Standing::Adopted { .. }
            | Standing::Override { .. }
            | Standing::EndOverride { .. }
            | Standing::Erased => false,
        };
        self.0.iter().filter(begins).map(|o| o.at).max()
    }

    /// Whether others may make licenses at present, so that every create looks for one first: what is observed, a shop
    /// where another program was seen, one that was taken in or restored not long ago.
    #[must_use]
    pub fn others_may_make(&self, now: Timestamp) -> bool {
        let lately = |o: &StandingOrder| {
            matches!(o.what, Standing::Adopted { .. }) && now < o.at + RECOVERS_FOR
        };
        self.observes_anything()
            || self.is_any_shared()
            || self.0.iter().any(lately)
            || self.restored_lately(now)
    }

    /// Whether the store was restored, and went live not long ago: the server that it was copied from may still run, and make
    /// what is made here.
    #[must_use]
    pub fn restored_lately(&self, now: Timestamp) -> bool {
        let went = self.went_live(None);
        went.is_some_and(|went| went.restored.is_some() && now < went.at + RECOVERS_FOR)
    }
}
