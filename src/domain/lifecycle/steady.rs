//! Until when a subscription's fold holds: what in it depends on the instant, at which instants that turns.

use super::snapshots::SPEAKS_AFTER;
use super::subscription_life::SubscriptionLife;
use crate::domain::fact::Fact;
use crate::domain::object::Objects;
use crate::domain::time::Timestamp;

/// The first instant after `now` at which the same facts might be folded to something else. It may be too early, never too
/// late.
pub(super) fn until(
    facts: &[&Fact],
    objects: &Objects<'_>,
    life: &SubscriptionLife,
    now: Timestamp,
) -> Option<Timestamp> {
    // What is dated later, by a clock that goes before ours, and snapshots that speak when no invoice was heard of for a while.
    let facts = facts.iter().flat_map(|f| [f.at, f.at + SPEAKS_AFTER]);
    let known = objects.subscription.known_since().map(|k| k + SPEAKS_AFTER);
    // Graces that end, and sent invoices that fall due.
    let graces = life.episodes.iter().map(|e| e.ends);
    let due = objects.invoices.values().filter_map(|i| i.due());
    let turns = facts.chain(known).chain(graces).chain(due);
    turns.filter(|at| *at > now).min()
}
