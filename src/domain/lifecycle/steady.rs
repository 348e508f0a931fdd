//! Until when a subscription's fold holds: what in it depends on the instant, at which instants that turns.

use super::course::SPEAKS_AFTER;
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
    // What is dated later, by a clock that goes before ours.
    let facts = facts.iter().map(|f| f.at);
    // Snapshots speak, and what was not told is asked for, when it is no longer young. Where there is a snapshot both are known.
    let subscription = &objects.subscription;
    let young = [subscription.created(), subscription.known_since()];
    let grown = young.into_iter().flatten().map(|at| at + SPEAKS_AFTER);
    // Graces that end, and sent invoices that fall due.
    let graces = life.episodes.iter().map(|e| e.ends);
    let due = objects.invoices.values().filter_map(|i| i.due());
    let turns = facts.chain(grown).chain(graces).chain(due);
    turns.filter(|at| *at > now).min()
}
