//! The phase of one item's life at an instant, with its dates.

use super::grace::Episode;
use super::subscription_life::{OpenRenewal, SubscriptionLife};
use crate::domain::policy::AtGraceEnd;
use crate::domain::time::{Span, Timestamp};

/// Where an item's life stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nothing was paid.
    NotPaid,
    /// On a trial that hands out a license.
    Trial,
    /// Paid or granted to an end, which may have passed.
    Paid,
    /// A renewal failed; the promised grace runs.
    Grace,
    /// The grace is over: stopped until it is paid.
    Lapsed,
    /// The grace is over, and it is kept until Stripe ends it.
    LapsedKept,
    /// The grace is over, and so is the license.
    LapsedForGood,
}

impl Phase {
    /// Every value, for the printed table.
    pub const ALL: [Self; 7] = [
        Self::NotPaid,
        Self::Trial,
        Self::Paid,
        Self::Grace,
        Self::Lapsed,
        Self::LapsedKept,
        Self::LapsedForGood,
    ];

    /// The word in the printed table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPaid => "not paid",
            Self::Trial => "trial",
            Self::Paid => "paid",
            Self::Grace => "grace",
            Self::Lapsed => "lapsed",
            Self::LapsedKept => "lapsed, kept",
            Self::LapsedForGood => "lapsed for good",
        }
    }

    /// Whether it is in a grace, or beyond its end.
    #[must_use]
    pub const fn is_unpaid(self) -> bool {
        match self {
            Self::Grace | Self::Lapsed | Self::LapsedKept | Self::LapsedForGood => true,
            Self::NotPaid | Self::Trial | Self::Paid => false,
        }
    }
}

/// The phase of an item, or of what metadata asks for, whose time ends at `base`, in its unsettled grace if there is one.
#[must_use]
pub fn of_item(life: &SubscriptionLife, base: Option<Timestamp>, grace: Option<&Episode>) -> Phase {
    let Some(base) = base else {
        return Phase::NotPaid;
    };
    match grace {
        Some(episode) if episode.lapsed.is_none() => Phase::Grace,
        Some(episode) => match episode.policy.at_grace_end {
            AtGraceEnd::Suspend => Phase::Lapsed,
            AtGraceEnd::Keep => Phase::LapsedKept,
            AtGraceEnd::Revoke => Phase::LapsedForGood,
        },
        None if life.trial_until == Some(base) => Phase::Trial,
        None => Phase::Paid,
    }
}

/// A paid end with its margin, and how long open renewals carry on from there. An ordinary renewal stays one extend:
/// a renewal that is being collected is looked at when the license would run out (rule 19).
#[must_use]
pub fn with_margin<'r>(
    renewals: impl Iterator<Item = &'r OpenRenewal> + Clone,
    base: Timestamp,
    margin: Span,
    now: Timestamp,
) -> Timestamp {
    let alive = base + margin;
    let carries = || renewals.clone().filter(|o| o.since <= alive);
    let sent = carries().filter(|o| o.sent).map(|o| o.until).max();
    let ordinary = alive.max(sent.unwrap_or(alive));
    // Of several that are under way the last one counts: each may be the one that comes.
    let under_way = carries().filter(|o| !o.sent && now >= ordinary && o.until > now);
    under_way
        .map(|o| o.until)
        .max()
        .map_or(ordinary, |until| until.max(ordinary))
}
