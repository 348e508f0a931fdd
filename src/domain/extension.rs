//! The same key again: a purchase whose time goes to a license that the customer has already, instead of to a new one.
//!
//! The license stays where it is, under the purchase that it was made for; the other purchase makes none, and hands over
//! what it adds (`Extension`). So the license is the sum of what its own purchase and the others give it, each judged by
//! itself: money back, a dispute or a person's word takes just that part, whichever of them it is about. What a purchase
//! adds is worked out anew with its every change, and told on in the same batch (`engine/route/extend.rs`).
//!
//! `target.rs` says which license is meant, `pairing.rs` which seat of the purchase goes to which of several.

mod pairing;
mod target;

use minicbor::{Decode, Encode};

pub use pairing::{Offer, pair};
pub use target::{NotExtended, SeatAsked, Sought, asks, is_same_customer, may_have, seats_for};

use super::action::SeatId;
use super::entitlement::{Entitlement, SeatDue, Want, Why, earliest};
use super::finding::{Finding, Report};
use super::holding::is_only_adopted;
use super::id::{AppId, MachineId, ObjectKind, PlanName};
use super::lifecycle::{Folded, Kind, Life};
use super::machine::Machine;
use super::plan::Devices;
use super::time::{Span, Timestamp};

/// Which licenses a purchase turned out to extend.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Target {
    /// Licenses of other machines, one at least: this purchase makes none for these seats.
    #[n(0)]
    Extends(#[n(0)] Box<Extends>, #[cbor(n(1), default)] Vec<Extends>),
    /// None: it gets a license of its own.
    #[n(1)]
    Own,
}

/// Which license a purchase extends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Extends {
    /// The seat of the purchase that makes no license.
    #[n(0)]
    pub seat: SeatId,
    /// The machine that has the license.
    #[n(1)]
    pub machine: MachineId,
    /// Its seat there.
    #[n(2)]
    pub license: SeatId,
    /// Whether the buyer may see the key: named by the key itself, or bought by the same customer of Stripe's.
    #[n(3)]
    pub shows_key: bool,
}

/// What another purchase adds to a license of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Extension {
    /// The other purchase.
    #[n(0)]
    pub from: MachineId,
    /// The seat of the license.
    #[n(1)]
    pub seat: SeatId,
    /// What is to be said of it at present.
    #[n(2)]
    pub standing: ExtensionStanding,
    /// When it was paid.
    #[n(3)]
    pub since: Timestamp,
    /// What it adds.
    #[n(4)]
    pub adds: Adds,
    /// Its plan.
    #[n(5)]
    pub plan: Option<PlanName>,
    /// Its application.
    #[n(6)]
    pub app_id: Option<AppId>,
    /// Its devices.
    #[n(7)]
    pub devices: Devices,
    /// Whether all that is known of it was read when it was adopted.
    #[n(8)]
    #[cbor(default)]
    pub adopted: bool,
}

/// Whether what a purchase adds counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ExtensionStanding {
    /// It counts.
    #[n(0)]
    Counts,
    /// It does not, and may again: a dispute is open, or a payment.
    #[n(1)]
    Stopped,
    /// It was given back, or taken.
    #[n(2)]
    Gone,
}

/// What a purchase adds to a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Adds {
    /// It works for life.
    #[n(0)]
    Life,
    /// This much, from the license's end or from the payment, whichever is later.
    #[n(1)]
    Time(#[n(0)] Span),
    /// It works until then at least: a subscription, which does not add up.
    #[n(2)]
    Until(#[n(0)] Timestamp),
}

/// An end: an instant, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    At(Timestamp),
    Life,
}

impl Extension {
    /// Whether it is about this seat of the license's own purchase.
    #[must_use]
    pub fn is_of(&self, seat: &SeatDue) -> bool {
        is_seat(&self.seat, seat)
    }
}

impl Extends {
    /// Whether it is about this seat of the purchase.
    #[must_use]
    pub fn is_of(&self, seat: &SeatDue) -> bool {
        is_seat(&self.seat, seat)
    }
}

fn is_seat(named: &SeatId, seat: &SeatDue) -> bool {
    named.unit == seat.unit && (named.item == seat.item || seat.aliases.contains(&named.item))
}

impl Machine {
    /// The licenses of other machines that it extends.
    pub fn extends(&self) -> impl Iterator<Item = &Extends> {
        let all = match &self.target {
            Some(Target::Extends(first, more)) => Some(std::iter::once(&**first).chain(more)),
            Some(Target::Own) | None => None,
        };
        all.into_iter().flatten()
    }

    /// Whether it has no license of its own, and only adds to those of others.
    pub fn only_adds(&self) -> bool {
        self.grants.is_empty() && self.extends().next().is_some()
    }
}

/// What a machine adds to the licenses that it extends, by what is due of it.
#[must_use]
pub fn added_by(machine: &Machine, due: &Entitlement) -> Vec<(MachineId, Extension)> {
    let of = |extends: &Extends| (extends.machine.clone(), adds(machine, extends, due));
    machine.extends().map(of).collect()
}

fn adds(machine: &Machine, extends: &Extends, due: &Entitlement) -> Extension {
    let seat = due.seats.iter().find(|seat| extends.is_of(seat));
    let since = seat.and_then(|s| s.since).unwrap_or(Timestamp::from_ms(0));
    let want = seat.map_or(Want::Nothing, |seat| seat.want);
    let standing = match want {
        Want::Live { .. } => ExtensionStanding::Counts,
        Want::Suspended => ExtensionStanding::Stopped,
        Want::Revoked | Want::Nothing => ExtensionStanding::Gone,
    };
    let adds = match (want, machine.kind) {
        (Want::Live { until: None }, _) => Adds::Life,
        (Want::Live { until: Some(until) }, Kind::Payment) => Adds::Time(until - since),
        (Want::Live { until: Some(until) }, Kind::Subscription) => Adds::Until(until),
        (Want::Suspended | Want::Revoked | Want::Nothing, _) => Adds::Time(Span::ZERO),
    };
    Extension {
        from: machine.id.clone(),
        seat: extends.license.clone(),
        standing,
        since,
        adds,
        plan: seat.and_then(|s| s.plan.clone()),
        app_id: seat.and_then(|s| s.app_id.clone()),
        devices: seat.map_or(Devices::Count(1), |s| s.devices),
        adopted: is_only_adopted(machine),
    }
}

/// Takes in what a purchase adds. Returns whether anything changed.
pub fn take_in(machine: &mut Machine, extension: &Extension, now: Timestamp) -> bool {
    let same = |e: &&mut Extension| e.from == extension.from && e.seat == extension.seat;
    match machine.extensions.iter_mut().find(same) {
        Some(known) if known == extension => return false,
        Some(known) => *known = extension.clone(),
        None => {
            let finding = Finding::ExtendedBy(extension.from.clone());
            if !machine.told.iter().any(|t| t.finding == finding) {
                machine.told.push(Report::new(now, finding));
            }
            machine.extensions.push(extension.clone());
        }
    }
    let place = |e: &Extension| (e.since, e.from.clone(), e.seat.clone());
    machine.extensions.sort_by_cached_key(place);
    true
}

/// Adds to what is due of a machine by itself what other purchases add (rule 55), given in the order of their payments.
pub(super) fn extend(due: &mut Entitlement, extensions: &[Extension], now: Timestamp) {
    let mut done: Vec<&SeatId> = Vec::new();
    for extension in extensions {
        if done.contains(&&extension.seat) {
            continue;
        }
        done.push(&extension.seat);
        let of_seat: Vec<&Extension> = extensions
            .iter()
            .filter(|e| e.seat == extension.seat)
            .collect();
        let place = due
            .seats
            .iter()
            .position(|seat| is_seat(&extension.seat, seat));
        let place = place.unwrap_or_else(|| {
            due.seats.push(bare_seat(extension));
            due.seats.len() - 1
        });
        add_up(&mut due.seats[place], &of_seat, now);
    }
    let ends = due.seats.iter().filter_map(|s| match s.want {
        Want::Live { until } => until,
        Want::Nothing | Want::Suspended | Want::Revoked => None,
    });
    due.wake = earliest(due.wake, ends, now);
}

/// A seat that its own purchase gives up, or never had: what others add to its license stands.
fn bare_seat(extension: &Extension) -> SeatDue {
    SeatDue {
        item: extension.seat.item.clone(),
        aliases: std::collections::BTreeSet::new(),
        unit: extension.seat.unit,
        plan: extension.plan.clone(),
        app_id: extension.app_id.clone(),
        devices: extension.devices,
        want: Want::Revoked,
        why: Why::Ending,
        since: Some(extension.since),
        paid_until: None,
        period: None,
        row: None,
        guessed: false,
    }
}

/// The end of what its own purchase pays for; `None`: of that nothing counts.
fn own_reach(seat: &SeatDue) -> Option<Reach> {
    let given_back = matches!(
        seat.why,
        Why::Refunded | Why::DisputeLost | Why::Disputed | Why::NotPaid
    );
    match seat.want {
        Want::Live { until: None } => Some(Reach::Life),
        Want::Live { until: Some(until) } if seat.why == Why::Decided => Some(Reach::At(until)),
        Want::Live { until: Some(until) } => Some(Reach::At(
            seat.paid_until.map_or(until, |paid| paid.min(until)),
        )),
        // What lapsed or was paused had been paid for.
        Want::Suspended | Want::Revoked if !given_back => seat.paid_until.map(Reach::At),
        Want::Suspended | Want::Revoked | Want::Nothing => None,
    }
}

fn reach_after(before: Option<Reach>, extension: &Extension) -> Reach {
    match (extension.adds, before) {
        (Adds::Life, _) | (_, Some(Reach::Life)) => Reach::Life,
        (Adds::Time(span), Some(Reach::At(end))) => Reach::At(end.max(extension.since) + span),
        (Adds::Time(span), None) => Reach::At(extension.since + span),
        (Adds::Until(until), Some(Reach::At(end))) => Reach::At(end.max(until)),
        (Adds::Until(until), None) => Reach::At(until),
    }
}

/// One license: what its own purchase gives, and what the others add in the order of their payments.
fn add_up(seat: &mut SeatDue, extensions: &[&Extension], now: Timestamp) {
    // rule 50: what a person ended stays ended.
    if seat.want == Want::Revoked && seat.why == Why::Decided {
        return;
    }
    let own = seat.want;
    let counts = |e: &&&Extension| e.standing == ExtensionStanding::Counts;
    let mut reach = own_reach(seat);
    for extension in extensions.iter().filter(counts) {
        reach = Some(reach_after(reach, extension));
        seat.devices = seat.devices.max(extension.devices);
    }
    if let Want::Live { until } = own {
        let own = until.map_or(Reach::Life, Reach::At);
        reach = reach.max(Some(own));
    }
    let stopped = extensions
        .iter()
        .find(|e| e.standing == ExtensionStanding::Stopped);
    let want = match reach.filter(|_| extensions.iter().any(|e| counts(&e))) {
        Some(Reach::Life) => Want::Live { until: None },
        Some(Reach::At(end)) => Want::Live { until: Some(end) },
        None => own,
    };
    if let (true, Want::Live { until }) = (want != own, want) {
        seat.paid_until = until;
    }
    if want.live_at(now) || (stopped.is_none() && own != Want::Suspended) {
        if want != own {
            (seat.want, seat.why) = (want, Why::Extended);
        }
    } else if let Some(stopped) = stopped.filter(|_| own != Want::Suspended) {
        // What is in dispute, or not paid, may come back: the license waits for it.
        (seat.want, seat.why) = (Want::Suspended, stopped.why_stopped());
    }
}

impl Extension {
    fn why_stopped(&self) -> Why {
        match self.from.object().kind() {
            ObjectKind::Subscription => Why::Lapsed,
            ObjectKind::Session | ObjectKind::Invoice | ObjectKind::Issued | ObjectKind::Other => {
                Why::Disputed
            }
        }
    }
}

/// A license that another purchase gave for life, while its subscription still bills: nothing ends it, and only a person can.
#[must_use]
pub(super) fn still_bills(machine: &Machine, folded: &Folded) -> Option<Finding> {
    let Life::Subscription(life) = &folded.life else {
        return None;
    };
    let bills = life.ended.is_none() && life.cancel_at.is_none() && !life.cancel_at_period_end;
    let for_life = machine
        .extensions
        .iter()
        .find(|e| e.standing == ExtensionStanding::Counts && e.adds == Adds::Life)?;
    bills.then(|| Finding::StillBills(for_life.from.clone()))
}

#[cfg(test)]
mod tests;
