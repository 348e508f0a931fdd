//! What a license is, beside what it should be: as its service last confirmed it, and what becomes of the difference.

use crate::domain::action::{Act, Action, ActionOutcome};
use crate::domain::entitlement::{Entitlement, SeatDue, Want};
use crate::domain::guard::is_hurtful;
use crate::domain::hold::Hold;
use crate::domain::machine::{Grant, LicenseStatus, Machine};
use crate::domain::matching::{is_for, match_seats, paired_seats};
use crate::domain::service_move::left_for;
use crate::domain::time::Timestamp;

/// Which instant is spoken of. The license services' answers are not kept by time: only the present has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    /// An instant that has passed, or the present by what was known before.
    Past,
    /// Now.
    Present,
    /// An instant to come.
    Future,
}

/// The two clocks.
#[derive(Clone, Copy)]
pub struct At {
    /// The instant that is spoken of.
    pub at: Timestamp,
    /// What was heard of by then counts.
    pub known_at: Timestamp,
    /// Which instant that is.
    pub tense: Tense,
}

impl At {
    /// What is asked for: what is left out is the present.
    #[must_use]
    pub fn of(at: Option<Timestamp>, known_at: Option<Timestamp>, now: Timestamp) -> Self {
        // What is known today of a past instant, unless somebody asks what was known then.
        let (at, known_at) = (at.unwrap_or(now), known_at.unwrap_or(now));
        Self {
            at,
            known_at,
            tense: if at < now || known_at < now {
                Tense::Past
            } else if at > now {
                Tense::Future
            } else {
                Tense::Present
            },
        }
    }

    /// Whether something that came about then was there, and known.
    #[must_use]
    pub fn knows(self, came: Timestamp) -> bool {
        came <= self.known_at && came <= self.at
    }
}

/// A seat's license.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Not known of that instant.
    Unknown,
    /// There is none.
    Missing,
    /// Whether there is one is being found out: somebody may have made it before this store knew the purchase.
    Sought,
    /// It went to another purchase of the same customer.
    MovedOn,
    /// As the service last confirmed it.
    There {
        /// What it is.
        status: LicenseStatus,
        /// Its end; `None`: for life.
        until: Option<Timestamp>,
    },
}

/// How a license differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Not in what its customer notices.
    None,
    /// It is less.
    Less,
    /// It is more.
    More,
}

/// What becomes of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is carried out.
    OnItsWay,
    /// It is refused, held or late, and the seller knows that.
    SellerKnows,
    /// The seller has paused what goes out, for all: it goes on with that, and nobody looks into this one.
    Paused,
    /// A person gave up what would take the license, or time of it.
    GivenUp,
}

/// A seat's license, and what becomes of the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present<'m> {
    /// The license.
    pub grant: Option<&'m Grant>,
    /// What it is.
    pub holds: Holds,
    /// What becomes of the difference; `None`: nothing, or there is none.
    pub rest: Option<Rest>,
}

impl Holds {
    /// Whether it works at an instant, as far as is known.
    #[must_use]
    pub fn works(self) -> bool {
        matches!(
            self,
            Self::There {
                status: LicenseStatus::Live,
                ..
            }
        )
    }

    /// How it differs from what should be.
    #[must_use]
    pub fn gap(self, want: Want, now: Timestamp) -> Gap {
        let should = want.live_at(now);
        match self {
            Self::Unknown | Self::MovedOn | Self::Sought => Gap::None,
            Self::There {
                status: LicenseStatus::Live,
                until,
            } => match want {
                Want::Live { until: due } if should => by_end(until, due),
                Want::Live { .. } | Want::Nothing | Want::Suspended | Want::Revoked => Gap::More,
            },
            Self::Missing | Self::There { .. } if should => Gap::Less,
            Self::Missing | Self::There { .. } => Gap::None,
        }
    }
}

/// Of two ends, without an end being the latest.
fn by_end(is: Option<Timestamp>, should: Option<Timestamp>) -> Gap {
    let (is, should) = (is.map(Timestamp::whole_s), should.map(Timestamp::whole_s));
    match (is, should) {
        (Some(is), Some(should)) if is < should => Gap::Less,
        (Some(is), Some(should)) if is > should => Gap::More,
        (Some(_), None) => Gap::Less,
        (None, Some(_)) => Gap::More,
        (Some(_), Some(_)) | (None, None) => Gap::None,
    }
}

/// What each seat has at an instant, in the order of `due`.
#[must_use]
pub fn present<'m>(
    machine: &'m Machine,
    due: &Entitlement,
    at: Timestamp,
    tense: Tense,
) -> Vec<Present<'m>> {
    let of = |(seat, grant): (&SeatDue, Option<&'m Grant>)| {
        let grant = grant.or_else(|| left_for(machine, seat));
        let holds = holds(machine, seat, grant, at, tense);
        Present {
            grant,
            holds,
            rest: rest(machine, seat, grant, holds.gap(seat.want, at), at),
        }
    };
    paired_seats(machine, due).map(of).collect()
}

/// Licenses that stand for no seat and work all the same: given up, or with another in their place.
#[must_use]
pub fn strays<'m>(machine: &'m Machine, due: &Entitlement, now: Timestamp) -> Vec<Present<'m>> {
    let matched = match_seats(machine, due);
    let stands = |n: usize| matched.contains(&Some(n));
    let grants = machine.grants.iter().enumerate();
    let of = |(n, grant): (usize, &'m Grant)| {
        let strays = !stands(n) && !grant.is_left() && grant.live_at(now);
        let ends = due.complete || grant.replaced;
        strays.then(|| Present {
            grant: Some(grant),
            holds: Holds::There {
                status: LicenseStatus::Live,
                until: grant.expires_at,
            },
            rest: ends.then(|| end_of(machine, grant, now).unwrap_or(Rest::OnItsWay)),
        })
    };
    grants.filter_map(of).collect()
}

fn holds(
    machine: &Machine,
    seat: &SeatDue,
    grant: Option<&Grant>,
    at: Timestamp,
    tense: Tense,
) -> Holds {
    let moved = machine
        .moved_out
        .iter()
        .any(|m| m.unit == seat.unit && (m.item == seat.item || seat.aliases.contains(&m.item)));
    match (grant, tense) {
        (_, Tense::Past) | (Some(_), Tense::Future) => Holds::Unknown,
        (None, _) if moved => Holds::MovedOn,
        (None, Tense::Present) if is_sought(machine, seat) => Holds::Sought,
        (None, _) => Holds::Missing,
        (Some(grant), Tense::Present) => Holds::There {
            status: grant.status_at(at),
            until: grant.expires_at,
        },
    }
}

/// Whether a license for the seat is looked for that nobody knows of yet.
fn is_sought(machine: &Machine, seat: &SeatDue) -> bool {
    let mut open = machine.open_actions();
    open.any(|a| matches!(a.act, Act::Recover(_)) && is_for(a, seat))
}

fn rest(
    machine: &Machine,
    seat: &SeatDue,
    grant: Option<&Grant>,
    gap: Gap,
    now: Timestamp,
) -> Option<Rest> {
    let of_seat = |a: &&Action| is_for(a, seat) || grant.is_some_and(|g| g.number == a.license);
    let actions = machine.actions.iter().filter(of_seat);
    match gap {
        Gap::None => None,
        // What another hand ended, nothing brings back until a person says so (rule 51): that is told.
        Gap::Less => {
            mends(machine, actions, now).or(match grant.map(|g| g.status_at(now)) {
                Some(LicenseStatus::Revoked) => Some(Rest::SellerKnows),
                // The margin of an adopted license is asked for at the turn of its period, and not before.
                Some(LicenseStatus::Live) => None,
                Some(LicenseStatus::Suspended | LicenseStatus::Expired) | None => {
                    Some(Rest::OnItsWay)
                }
            })
        }
        // A service that cannot shorten a license is not asked to.
        Gap::More => grant.and_then(|g| end_of(machine, g, now)),
    }
}

/// What becomes of a license that works, where something would take it, or time of it; `None`: nothing would. What its
/// customer is shown, is written and is answered goes by this alone, so that none of it speaks of an end that does not come.
#[must_use]
pub(in crate::domain) fn end_of(machine: &Machine, grant: &Grant, now: Timestamp) -> Option<Rest> {
    let takes = |a: &&Action| {
        let counts = !matches!(a.outcome, ActionOutcome::Superseded | ActionOutcome::Done);
        a.license == grant.number && counts && is_hurtful(machine, a, now)
    };
    let newest = machine.actions.iter().rev().find(takes)?;
    if machine.held.is_some() {
        return Some(Rest::SellerKnows);
    }
    match newest.outcome {
        ActionOutcome::Abandoned => Some(Rest::GivenUp),
        ActionOutcome::Pending
        | ActionOutcome::Held
        | ActionOutcome::Refused
        | ActionOutcome::Done
        | ActionOutcome::Superseded => waits(newest, now),
    }
}

/// What becomes of a license that is less than it should be, by the newest action that would mend it.
fn mends<'m>(
    machine: &Machine,
    actions: impl DoubleEndedIterator<Item = &'m Action>,
    now: Timestamp,
) -> Option<Rest> {
    if machine.held.is_some() {
        return Some(Rest::SellerKnows);
    }
    let gives = |a: &&Action| {
        a.outcome != ActionOutcome::Superseded
            && matches!(
                a.act,
                Act::Create(_) | Act::Reinstate { .. } | Act::SetExpiry { .. }
            )
    };
    waits(actions.rev().find(gives)?, now)
}

/// What an action waits for.
fn waits(action: &Action, now: Timestamp) -> Option<Rest> {
    match action.outcome {
        ActionOutcome::Refused | ActionOutcome::Abandoned => Some(Rest::SellerKnows),
        ActionOutcome::Held => Some(match action.held {
            // It ends by itself.
            Some(Hold::TimeNotTrusted(_)) => Rest::OnItsWay,
            Some(Hold::Paused { .. } | Hold::Observed) => Rest::Paused,
            Some(
                Hold::Person { .. }
                | Hold::Guard
                | Hold::Adoption
                | Hold::BeginningUnknown
                | Hold::OtherHandler
                | Hold::OtherService { .. },
            )
            | None => Rest::SellerKnows,
        }),
        ActionOutcome::Pending => {
            let is_late = action.act.creates() && action.is_late(now);
            Some(if is_late || action.refused.is_some() {
                Rest::SellerKnows
            } else {
                Rest::OnItsWay
            })
        }
        ActionOutcome::Done | ActionOutcome::Superseded => None,
    }
}
