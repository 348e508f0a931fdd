//! What a failed payment means for the licenses that it should have paid for: its mails promise and threaten only what comes.

use crate::domain::condition::{DisputeEffect, RefundEffect};
use crate::domain::entitlement::{Entitlement, Pair, SeatDue, Want, Why};
use crate::domain::lifecycle::{Episode, Folded, Life};
use crate::domain::notice::About;
use crate::domain::time::Timestamp;

/// What depends on a failed payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stake {
    /// Nothing: no payment changes what the licenses are.
    Nothing,
    /// No license that the grace keeps: it stopped for another reason, or works for longer. It is paid for, or is not, later.
    Later,
    /// A license that works in the grace and stops with it.
    License,
}

/// What depends on the failed payment of an episode.
pub(super) fn of(
    episode: &Episode,
    (folded, due): (&Folded, &Entitlement),
    now: Timestamp,
) -> Stake {
    let stake = |seat: &SeatDue| of_seat(seat, episode, folded, now);
    let meant = due.seats.iter().filter(|s| is_meant(episode, s));
    let meant = meant.map(stake).max();
    let any = || due.seats.iter().map(stake).max();
    meant.or_else(any).unwrap_or(Stake::License)
}

/// Whether the failed payment should have paid for a license.
pub(super) fn is_meant(episode: &Episode, seat: &SeatDue) -> bool {
    let concern = &episode.concern;
    let mut names = seat.aliases.iter().chain([&seat.item]);
    let billed = |items| names.any(|name| std::collections::BTreeSet::contains(items, name));
    let meant = concern.items.as_ref().is_none_or(billed);
    meant && !concern.recovered.contains(&seat.item)
}

fn of_seat(seat: &SeatDue, episode: &Episode, folded: &Folded, now: Timestamp) -> Stake {
    let is_over =
        |row: Pair| row.refund == RefundEffect::Taken || row.dispute == DisputeEffect::Lost;
    match seat.why {
        // rule 50: no payment changes what a person ended or gave for life; what was granted for longer outlives the grace.
        Why::Decided if folded.decided.revoked => Stake::Nothing,
        Why::Decided => match folded.decided.grant {
            Some(None) => Stake::Nothing,
            Some(Some(until)) if until > episode.ends && until > now => Stake::Later,
            Some(Some(_)) | None => Stake::License,
        },
        // rule 55: what no license depends on is no alarm.
        Why::Extended => match seat.want {
            Want::Live { until: None } => Stake::Nothing,
            Want::Live { until: Some(until) } if until > episode.ends => Stake::Nothing,
            Want::Live { .. } | Want::Suspended | Want::Revoked | Want::Nothing => Stake::License,
        },
        // rule 42: what stopped before stops no more, and works until no grace's end.
        Why::Refunded | Why::Disputed | Why::DisputeLost | Why::Paused => Stake::Later,
        Why::Lapsed if seat.row.is_some_and(is_over) => Stake::Later,
        Why::Lapsed | Why::Due | Why::Grace | Why::Ending | Why::NotPaid => Stake::License,
    }
}

/// Whether a license works until the end of the grace that a failed payment began, and stops with it: what a mail about that
/// may promise.
#[must_use]
pub fn grace_keeps(about: &About, (folded, due): (&Folded, &Entitlement), now: Timestamp) -> bool {
    let Life::Subscription(life) = &folded.life else {
        return false;
    };
    let mut episodes = life.episodes.iter().rev();
    let episode = episodes.find(|e| About::failure(&e.cause) == *about);
    episode.is_some_and(|e| of(e, (folded, due), now) == Stake::License)
}
