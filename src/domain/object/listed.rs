//! The items that are known of a snapshot whose list may be cut: what it shows, what a query answered, and what of the rest moved along.

use super::item_then::ItemThen;
use crate::domain::fact::{Fact, FactBody, Item, Subscription as Shown, SubscriptionItems};
use crate::domain::time::Timestamp;

/// The items that are known of a snapshot.
pub(super) struct Listed<'f> {
    pub(super) items: &'f [Item],
    /// Whether they are all.
    pub(super) whole: bool,
}

impl<'f> Listed<'f> {
    /// What a snapshot shows; where it shows only the first ones, what Stripe answered when it was asked for all.
    pub(super) fn of(shown: &'f Shown, answer: Option<&'f SubscriptionItems>) -> Self {
        match answer.filter(|_| !shown.items_whole) {
            Some(answer) => Self {
                items: &answer.items,
                whole: true,
            },
            None => Self {
                items: &shown.items,
                whole: shown.items_whole,
            },
        }
    }
}

/// What a query answered to each snapshot, given in canonical order: an answer tells of the newest one that is not later
/// than it, and the newest answer counts.
pub(super) fn answers<'f>(
    facts: &[&'f Fact],
    snapshots: &[&Fact],
) -> Vec<Option<&'f SubscriptionItems>> {
    let mut answers = vec![None; snapshots.len()];
    for fact in facts {
        if let FactBody::Items(items) = &fact.body {
            let later = snapshots.partition_point(|s| s.at.s() <= fact.at.s());
            if let Some(answer) = later
                .checked_sub(1)
                .and_then(|newest| answers.get_mut(newest))
            {
                *answer = Some(items.as_ref());
            }
        }
    }
    answers
}

/// The running period of an item that a query lists without one: as the snapshot shows it, or as all that it shows have
/// it.
pub(super) fn period_shown(shown: &Shown, item: &Item) -> Option<(Timestamp, Timestamp)> {
    let own = shown
        .items
        .iter()
        .find(|i| i.id.is_some() && i.id == item.id);
    let mut all = own
        .into_iter()
        .chain(&shown.items)
        .map(|i| i.period_start.zip(i.period_end));
    let first = all.next()?;
    (own.is_some() || all.all(|p| p == first))
        .then_some(first)
        .flatten()
}

/// The running period of an item that a cut list does not show: it turned where those turned that had the same.
pub(super) fn moved_along(
    period: Option<(Timestamp, Timestamp)>,
    former: &[ItemThen],
    shown: &[ItemThen],
) -> Option<(Timestamp, Timestamp)> {
    let alike = former.iter().filter(|f| f.period == period).map(|f| &f.key);
    let now: Vec<_> = alike
        .filter_map(|key| shown.iter().find(|i| i.key == *key)?.period)
        .collect();
    let first = now.first().filter(|first| now.iter().all(|p| p == *first));
    first.copied().or(period)
}
