//! Step three: what the customer should hold now, seat by seat, whatever the license service has.
//!
//! `claims.rs` says what the purchase stands for, `settle.rs` settles each claim's phase and conditions, `table.rs` decides,
//! `seats.rs` makes as many licenses of it as were bought.

mod claims;
pub mod printed;
mod seats;
mod settle;
mod table;

use std::collections::BTreeSet;

pub use claims::LOOKUP_TAKES;
pub use table::{Pair, Why};

use super::extension::{Extension, extend};
use super::finding::Report;
use super::id::{AppId, ItemKey, PlanName};
use super::lifecycle::{Folded, Life};
use super::plan::Devices;
use super::revision::Revisions;
use super::terms::Terms;
use super::time::Timestamp;
use claims::Claim;

/// One license that the purchase stands for, and what should hold of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatDue {
    /// The item or line.
    pub item: ItemKey,
    /// Other names of the item.
    pub aliases: BTreeSet<ItemKey>,
    /// Which of its units, from 1.
    pub unit: u32,
    /// The plan; `None` for a purchase by metadata alone.
    pub plan: Option<PlanName>,
    /// The application; `None`: the one under `[licenses]`.
    pub app_id: Option<AppId>,
    /// Devices.
    pub devices: Devices,
    /// What should be.
    pub want: Want,
    /// The row of the table that says so.
    pub why: Why,
    /// When the license became due.
    pub since: Option<Timestamp>,
    /// The end of what was paid for, without any margin or grace; `None`: nothing was paid, or it is for life.
    pub paid_until: Option<Timestamp>,
    /// Start and end of its item's running period, whoever paid for it; `None`: no item, or it was not told.
    pub period: Option<(Timestamp, Timestamp)>,
    /// The row of the table that says so.
    pub row: Option<Pair>,
    /// Whether its grace began by a status alone, of a purchase that was not heard of from its beginning.
    pub guessed: bool,
}

/// What should hold of a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Nothing was paid: no license.
    Nothing,
    /// It works until then (`None`: for life). An instant in the past is an end that came.
    Live {
        /// Its expiry.
        until: Option<Timestamp>,
    },
    /// It does not work, and may come back.
    Suspended,
    /// It is over.
    Revoked,
}

impl Want {
    /// Whether the license should work at an instant.
    #[must_use]
    pub fn live_at(self, now: Timestamp) -> bool {
        match self {
            Self::Live { until } => until.is_none_or(|u| u > now),
            Self::Nothing | Self::Suspended | Self::Revoked => false,
        }
    }
}

/// What a machine's customer should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlement {
    /// Seat by seat.
    pub seats: Vec<SeatDue>,
    /// Whether the seats are all there are: a license that stands for none of them is one given up.
    pub complete: bool,
    /// Whether the plan that a purchase's metadata names counts units, and nobody told how many were bought.
    pub units_unknown: bool,
    /// When time alone changes some of it next.
    pub wake: Option<Timestamp>,
    /// What the operator should know.
    pub reports: Vec<Report>,
}

/// Works out what should be, from a fold and from what other purchases add.
#[must_use]
pub fn entitlement(
    folded: &Folded,
    extensions: &[Extension],
    revisions: &Revisions,
    now: Timestamp,
    devices_max: u32,
) -> Entitlement {
    let ctx = Ctx {
        terms: Terms {
            revisions,
            decided: &folded.decided,
        },
        now,
        devices_max,
    };
    let mut entitlement = match &folded.life {
        Life::Payment(p) => ctx.purchase(p),
        Life::Subscription(s) => ctx.subscription(s),
    };
    for seat in &mut entitlement.seats {
        ctx.decide(seat);
    }
    extend(&mut entitlement, extensions, now);
    let ends = entitlement.seats.iter().filter_map(|s| match s.want {
        Want::Live { until } => until,
        Want::Nothing | Want::Suspended | Want::Revoked => None,
    });
    entitlement.wake = earliest(entitlement.wake, ends, now);
    entitlement
}

/// The pairs of phase and conditions that a machine's claims are in now: each is one row of the printed table.
#[must_use]
pub fn rows(folded: &Folded, revisions: &Revisions, now: Timestamp) -> Vec<table::Pair> {
    let ctx = Ctx {
        terms: Terms {
            revisions,
            decided: &folded.decided,
        },
        now,
        devices_max: u32::MAX,
    };
    match &folded.life {
        Life::Payment(p) => ctx
            .purchase_claims(p)
            .iter()
            .map(|c| ctx.settle_purchase(p, c).pair)
            .collect(),
        Life::Subscription(s) => ctx
            .subscription_claims(s)
            .iter()
            .map(|c| ctx.settle_subscription(s, c).pair)
            .collect(),
    }
}

/// The earliest instant after `now`.
pub(super) fn earliest(
    known: Option<Timestamp>,
    more: impl IntoIterator<Item = Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    known.into_iter().chain(more).filter(|t| *t > now).min()
}

struct Ctx<'a> {
    terms: Terms<'a>,
    now: Timestamp,
    devices_max: u32,
}

impl Ctx<'_> {
    /// A person's decision goes before everything (rule 50).
    fn decide(&self, seat: &mut SeatDue) {
        let decided = self.terms.decided;
        if decided.revoked {
            (seat.want, seat.why) = (Want::Revoked, Why::Decided);
        } else if let Some(grant) = decided.grant {
            let live = match seat.want {
                // Who has one for life keeps it: a grant gives time and takes none.
                Want::Live { until } => until.zip(grant).map(|(until, grant)| until.max(grant)),
                Want::Nothing | Want::Suspended | Want::Revoked => grant,
            };
            let holds = grant.is_none_or(|until| until > self.now)
                || matches!(seat.want, Want::Live { .. } | Want::Nothing);
            if holds {
                (seat.want, seat.why) = (Want::Live { until: live }, Why::Decided);
                seat.since = seat.since.or(Some(self.now));
            }
        }
    }

    /// The seats of a claim, each as the table says.
    fn add(&self, out: &mut Entitlement, claim: &Claim<'_>, settled: &settle::Settled) {
        let (should, why) = table::want_of(settled.pair);
        for mut seat in self.seats(claim) {
            (seat.want, seat.why, seat.since) = (settled.dates.want(should), why, settled.since);
            seat.paid_until = settled.dates.paid;
            seat.row = Some(settled.pair);
            seat.guessed = settled.guessed;
            out.seats.push(seat);
        }
        out.wake = earliest(out.wake, settled.dates.turns.iter().copied(), self.now);
    }
}
