//! Orders that hold work back and that a person may forget, while customers wait behind them.

use super::{Author, Matter, StandingOrder, StandingOrders};
use crate::domain::time::{Span, Timestamp};

/// Whoever sets a shop up may start it live, and have it observe so much later: nobody was served before.
const SET_UP_WITHIN: Span = Span::from_hours(1);

impl StandingOrders {
    /// The orders in force that a forgetful person must be told of: each pause, each plan that is only observed while the
    /// shop is live, and the whole shop where it was live before. A restore has a line of its own.
    pub fn forgettable(
        &self,
        store_since: Option<Timestamp>,
    ) -> impl Iterator<Item = &StandingOrder> {
        let counts = |of: Option<&StandingOrder>, order: &StandingOrder| {
            of.is_some_and(|o| std::ptr::eq(o, order))
        };
        self.0
            .iter()
            .filter(move |order| match order.what.matter() {
                Matter::Service(name) => counts(self.paused(name), order),
                Matter::Mode(Some(plan)) => counts(self.observes(Some(plan)), order),
                Matter::Mode(None) => {
                    let is_own = order.by != Author::Restore;
                    is_own && counts(self.observes(None), order) && self.was_live(store_since)
                }
                Matter::Makers(_) | Matter::Adoption(_) | Matter::Policy(..) | Matter::Nothing => {
                    false
                }
            })
    }

    /// Whether the shop was ever live: it went so, or nothing was ordered for a while after the store began. One that moves
    /// here from another program is observed from the beginning, and nobody waits for it.
    fn was_live(&self, store_since: Option<Timestamp>) -> bool {
        let mut of_shop = self
            .0
            .iter()
            .filter(|o| o.what.matter() == Matter::Mode(None));
        let first = of_shop.next();
        let began_live = first.zip(store_since).is_some_and(|(first, since)| {
            !first.what.holds_back() || first.at - since > SET_UP_WITHIN
        });
        began_live || of_shop.any(|o| !o.what.holds_back())
    }
}
