//! Which license a purchase means to extend: named in its metadata, or the only one of a plan that its own plan extends.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::domain::action::{ActionOutcome, GrantStatus, SeatId};
use crate::domain::entitlement::{Entitlement, SeatDue};
use crate::domain::fact::{Fact, NamedLicense};
use crate::domain::id::{AppId, LicenseKey, ObjectKind, PlanName};
use crate::domain::lifecycle::{Folded, Life};
use crate::domain::machine::Machine;
use crate::domain::matching::{is_for, match_seats};
use crate::domain::plan::Plan;
use crate::domain::revision::Revisions;
use crate::domain::time::{Span, Timestamp};
use crate::domain::words::{Sentence, sentences};

sentences!(NotExtended);

/// So long after a purchase was first heard of, what it names may still be heard of: two that were made at once are told in
/// any order. A license of its own is made only then.
pub const WAITS: Span = Span::from_minutes(2);

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The license that the metadata names.
    Named(NamedLicense),
    /// The only one of these plans that the customer has.
    OneOf(Vec<PlanName>),
}

/// A seat of a purchase whose license is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatAsked {
    /// The seat.
    pub seat: SeatId,
    /// Its application.
    pub app_id: Option<AppId>,
    /// Its plan.
    pub plan: Option<PlanName>,
    /// What is looked for.
    pub sought: Sought,
}

/// Why the license that a purchase names is not extended: it got one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum NotExtended {
    /// Nothing of that name is known.
    #[n(0)]
    Unknown,
    /// It is another customer's.
    #[n(1)]
    OtherCustomer,
    /// It was revoked, or there is none.
    #[n(2)]
    Ended,
    /// It is of another application.
    #[n(3)]
    OtherApplication,
    /// There are several.
    #[n(4)]
    Several,
}

impl Sentence for NotExtended {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no purchase and no key of that name is known here",
            Self::OtherCustomer => "that purchase is another customer's",
            Self::Ended => "that purchase has no license, or it was revoked",
            Self::OtherApplication => "that license is for another application",
            Self::Several => "there are several, and none is named by its key",
        })
    }
}

/// What a machine's purchase is to extend, and for which of its seats, while that is not resolved and nothing was made. Its
/// licenses are not created before that is settled.
/// Rule 55: a purchase that names a license makes none before that one was resolved.
#[must_use]
pub fn asks(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    revisions: &Revisions,
    under_way: &[u32],
    now: Timestamp,
) -> Vec<SeatAsked> {
    if machine.target.is_some() || !machine.grants.is_empty() {
        return Vec::new();
    }
    // Of nearly all purchases nothing is sought: that is found out first, for it costs least.
    if !due
        .seats
        .iter()
        .any(|seat| is_sought(folded, seat, revisions))
    {
        return Vec::new();
    }
    let matched = match_seats(machine, due);
    let wanted =
        |(seat, grant): &(&SeatDue, Option<usize>)| grant.is_none() && seat.want.live_at(now);
    let seats = due.seats.iter().zip(matched).filter(wanted);
    let seats: Vec<&SeatDue> = seats.map(|(seat, _)| seat).collect();
    let sent = machine.actions.iter().any(|a| {
        let may_have_acted = a.attempts > 0 || under_way.contains(&a.id);
        a.act.creates() && may_have_acted && seats.iter().any(|seat| is_for(a, seat))
    });
    if sent {
        return Vec::new();
    }
    let asked = seats.into_iter().filter_map(|seat| {
        Some(SeatAsked {
            seat: SeatId {
                item: seat.item.clone(),
                unit: seat.unit,
            },
            app_id: seat.app_id.clone(),
            plan: seat.plan.clone(),
            sought: sought(folded, seat, revisions)?,
        })
    });
    asked.collect()
}

/// What a seat's license is to be looked for as.
#[must_use]
pub fn sought(folded: &Folded, seat: &SeatDue, revisions: &Revisions) -> Option<Sought> {
    if let Some(named) = named(folded) {
        return Some(Sought::Named(named.clone()));
    }
    let plan = extending_plan(folded, seat, revisions)?;
    Some(Sought::OneOf(plan.extends.clone()))
}

fn is_sought(folded: &Folded, seat: &SeatDue, revisions: &Revisions) -> bool {
    named(folded).is_some() || extending_plan(folded, seat, revisions).is_some()
}

/// The license that the metadata names.
fn named(folded: &Folded) -> Option<&NamedLicense> {
    match &folded.life {
        Life::Payment(p) => p.wants.license.as_ref(),
        Life::Subscription(s) => {
            let asked = s.asked.as_ref().and_then(|w| w.license.as_ref());
            asked.or(s.wants.license.as_ref())
        }
    }
}

/// A seat's plan, if it extends what its customer has.
fn extending_plan<'r>(
    folded: &Folded,
    seat: &SeatDue,
    revisions: &'r Revisions,
) -> Option<&'r Plan> {
    let at = folded.decided.judged_at(seat.since?);
    let plan = revisions.plan_named(seat.plan.as_ref()?.as_str(), at)?;
    (!plan.extends.is_empty()).then_some(plan)
}

/// The licenses of a machine that may be extended: one for each seat, made or about to be. With a key, the one of that key.
#[must_use]
pub fn seats_for(machine: &Machine, key: Option<&LicenseKey>) -> Vec<(SeatId, Option<AppId>)> {
    let mut out: Vec<(SeatId, Option<AppId>)> = Vec::new();
    let named = |seat: &SeatId| {
        key.is_none_or(|key| {
            machine
                .grants
                .iter()
                .any(|g| g.key == *key && g.seat == *seat)
        })
    };
    let held = machine
        .grants
        .iter()
        .filter(|g| !g.replaced || g.is_left())
        .filter(|g| g.status != GrantStatus::Revoked)
        .map(|g| (&g.seat, &g.app_id));
    let coming = machine.actions.iter().filter_map(|a| {
        let waits = a.is_open() || a.outcome == ActionOutcome::Refused;
        let new = a.act.new_license().filter(|_| waits && a.act.creates())?;
        Some((&new.seat, &new.app_id))
    });
    for (seat, app) in held.chain(coming) {
        if named(seat) && !out.iter().any(|(known, _)| known == seat) {
            out.push((seat.clone(), app.clone()));
        }
    }
    out
}

/// Whether a buyer may extend what a name stands for. The key, and the Checkout session that shows it, prove possession; any
/// other id is written on invoices, so there the customer must be the same one at Stripe. An address proves nothing: nobody
/// verified it.
#[must_use]
pub fn may_have(buyer: &Machine, owner: &Machine, named: &NamedLicense) -> bool {
    match named {
        NamedLicense::Key(_) => true,
        NamedLicense::Purchase(object) => match object.kind() {
            ObjectKind::Session | ObjectKind::Issued => true,
            ObjectKind::Subscription | ObjectKind::Invoice | ObjectKind::Other => {
                is_same_customer(buyer, owner)
            }
        },
    }
}

/// Whether two machines are of one customer of Stripe's.
#[must_use]
pub fn is_same_customer(buyer: &Machine, owner: &Machine) -> bool {
    buyer
        .customer()
        .zip(owner.customer())
        .is_some_and(|(buyer, owner)| buyer == owner)
}

impl Machine {
    /// The plan of a seat's license, made or about to be.
    #[must_use]
    pub fn plan_of(&self, seat: &SeatId) -> Option<&PlanName> {
        let held = self.grants.iter().rev().find(|g| g.seat == *seat);
        let coming = || {
            let mut made = self.actions.iter().filter_map(|a| a.act.new_license());
            made.rfind(|new| new.seat == *seat)
        };
        held.map_or_else(|| coming()?.plan.as_ref(), |g| g.plan.as_ref())
    }

    /// Until when what it names may still be heard of.
    #[must_use]
    pub fn waits_for_named(&self) -> Option<Timestamp> {
        let heard = self.facts.iter().map(|f| f.received).min()?;
        Some(heard + WAITS)
    }

    /// The license that its metadata names, as it was last said.
    #[must_use]
    pub fn named_license(&self) -> Option<&NamedLicense> {
        let wants = self.facts.iter().rev().filter_map(Fact::wants);
        wants.into_iter().find_map(|w| w.license.as_ref())
    }
}
