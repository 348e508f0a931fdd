//! What a look at a purchase finds: what Stripe says was paid, what the license service has, what this store knows. Each
//! purchase comes to exactly one class.

use std::fmt;

use minicbor::{Decode, Encode};

use super::found::{FoundLicense, SAME_END, between};
use super::meant::KeyEnd;
use super::remark::Remark;
use super::repair::{Repair, Unrepaired};
use super::unknown::owed_until;
use crate::domain::action::GrantStatus;
use crate::domain::difference::left_revoked;
use crate::domain::entitlement::{Entitlement, SeatDue, Why};
use crate::domain::machine::{Grant, Machine};
use crate::domain::matching::{held_seats, paired_seats};
use crate::domain::plan::Devices;
use crate::domain::time::{Span, Timestamp};

/// Nothing is moved so near to a renewal: its payment may be on the way.
pub const NEAR_RENEWAL: Span = Span::from_hours(24);

/// What a purchase comes to.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It is paid, or it was, and has its key.
    #[n(0)]
    Linked,
    /// It is paid, and its key ends before what was paid for, or is suspended; or a grace runs, and its key ends before that.
    #[n(1)]
    LinkedEndsTooEarly,
    /// It is paid, and no key is found.
    #[n(2)]
    PaidWithoutKey,
    /// A key works, and nothing is paid for it.
    #[n(3)]
    KeyWithoutPayment,
    /// More keys carry its name than it bought.
    #[n(4)]
    TwoKeys,
    /// The money went back, and the key still works.
    #[n(5)]
    AliveAfterRefund,
    /// No key carries its id alone, but one may be meant ([`Suggestion`]).
    #[n(6)]
    Suggested,
    /// No plan names its price.
    #[n(7)]
    Foreign,
    /// This store knows it already.
    #[n(8)]
    Known,
    /// It is paid, and somebody else revoked its key.
    #[n(9)]
    RevokedElsewhere,
    /// Somebody else moved the end of its key to an earlier instant.
    #[n(10)]
    ShortenedElsewhere,
    /// Its key allows another number of devices than it should.
    #[n(11)]
    DevicesDiffer,
    /// Stripe tells what this store has not heard.
    #[n(12)]
    MissedEvents,
}

impl Class {
    /// Every one.
    pub const ALL: [Self; 13] = [
        Self::Linked,
        Self::LinkedEndsTooEarly,
        Self::PaidWithoutKey,
        Self::KeyWithoutPayment,
        Self::TwoKeys,
        Self::AliveAfterRefund,
        Self::Suggested,
        Self::Foreign,
        Self::Known,
        Self::RevokedElsewhere,
        Self::ShortenedElsewhere,
        Self::DevicesDiffer,
        Self::MissedEvents,
    ];

    /// The name in JSON and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::LinkedEndsTooEarly => "linked_ends_too_early",
            Self::PaidWithoutKey => "paid_without_key",
            Self::KeyWithoutPayment => "key_without_payment",
            Self::TwoKeys => "two_keys",
            Self::AliveAfterRefund => "alive_after_refund",
            Self::Suggested => "suggested",
            Self::Foreign => "foreign",
            Self::Known => "known",
            Self::RevokedElsewhere => "revoked_elsewhere",
            Self::ShortenedElsewhere => "shortened_elsewhere",
            Self::DevicesDiffer => "devices_differ",
            Self::MissedEvents => "missed_events",
        }
    }

    /// Whether somebody loses something while it stays so: the customer what was paid for, or the vendor the money.
    #[must_use]
    pub const fn is_difference(self) -> bool {
        match self {
            Self::Linked | Self::Foreign | Self::Known => false,
            Self::LinkedEndsTooEarly
            | Self::PaidWithoutKey
            | Self::KeyWithoutPayment
            | Self::TwoKeys
            | Self::AliveAfterRefund
            | Self::Suggested
            | Self::RevokedElsewhere
            | Self::ShortenedElsewhere
            | Self::DevicesDiffer
            | Self::MissedEvents => true,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Whether it can be taken in.
    Adoption,
    /// What differs.
    Audit,
}

/// By what a license may be meant that does not carry a purchase's id alone. Listed, never used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// It carries the customer's e-mail address.
    Address,
    /// Its label fits other purchases as well.
    Label,
}

/// A purchase with everything that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Examined<'a> {
    /// The purchase with what Stripe tells of it, and what this store knows.
    pub machine: &'a Machine,
    /// What should be by all that.
    pub due: &'a Entitlement,
    /// What should be by what this store knows alone; `None`: it does not know the purchase.
    pub stored: Option<&'a Entitlement>,
    /// Whether the store heard of it in the midst of its life, and is to read the rest, if a license is there to go on with.
    pub unread: bool,
    /// Whether it is getting its key from here, and nothing of it is left to be read.
    pub gets_key: bool,
    /// The licenses with its name that no other purchase holds, the best first.
    pub licenses: &'a [FoundLicense],
    /// Whether a license that it holds is not among them though its service may have it: no list shows it, and nobody read it.
    pub unshown: bool,
    /// By what some license may be meant that does not carry its id, and the end of its key.
    pub suggested: Option<(Suggestion, Option<KeyEnd>)>,
    /// Until when a try to collect is announced.
    pub retry_at: Option<Timestamp>,
    /// Whether its customer has a newer live subscription to the same plan.
    pub has_newer: bool,
    /// The instant.
    pub now: Timestamp,
}

/// What a purchase comes to, and what would be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Judged {
    /// Its class.
    #[n(0)]
    pub class: Class,
    /// Why it is not touched now; the next run does it.
    #[n(1)]
    pub waits: Option<Waits>,
    /// Whether it came here by an event, with its keys, and its history is all that is missing.
    #[n(2)]
    pub unread: bool,
    /// How many keys there are, and how many were bought.
    #[n(3)]
    pub keys: (usize, usize),
    /// What its sentence says beside its class.
    #[n(4)]
    pub remark: Option<Remark>,
    /// What repairs it, or who must; `None`: it was not asked.
    #[n(5)]
    pub repair: Option<Result<Repair, Unrepaired>>,
    /// The key that may be meant.
    #[n(6)]
    pub meant: Option<KeyEnd>,
}

/// Why a purchase is not moved now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Waits {
    /// It renews at this instant, or did.
    #[n(0)]
    Renewal(#[n(0)] Timestamp),
    /// A payment is tried again at this instant.
    #[n(1)]
    Retry(#[n(0)] Timestamp),
}

impl<'a> Examined<'a> {
    /// The class; `None` for a purchase that is over and never left a key: nobody owes anybody anything.
    #[must_use]
    pub fn judge(&self, asking: Asking) -> Option<Judged> {
        let bought = self.due.seats.len();
        // One that was taken in without a key, where none is to be linked, waits here for its key to be made.
        let settled = !self.machine.grants.is_empty() || self.licenses.is_empty();
        let known = self.stored.is_some() && settled;
        let unread = self.unread && !self.licenses.is_empty();
        let class = match (self.stored, asking) {
            (Some(_), Asking::Adoption) if !self.machine.grants.is_empty() && !unread => {
                Class::Known
            }
            (Some(stored), Asking::Audit) if !self.machine.grants.is_empty() => self.known(stored),
            (Some(_) | None, _) if bought == 0 => Class::Foreign,
            (Some(_) | None, _) => self.unknown()?,
        };
        let remark = self.remark(class);
        let is_moved = class != Class::Known && remark != Some(Remark::TakenIn);
        Some(Judged {
            class,
            waits: self.waits().filter(|_| is_moved),
            unread,
            keys: (self.licenses.len(), bought),
            remark,
            repair: (asking == Asking::Audit).then(|| class.repair(known, self.has_newer)),
            meant: self
                .suggested
                .filter(|_| class == Class::Suggested)
                .and_then(|(_, end)| end),
        })
    }

    pub(super) fn live_seats(&self) -> impl Iterator<Item = &SeatDue> {
        self.due.seats.iter().filter(|s| s.want.live_at(self.now))
    }

    /// A key works though nothing should.
    pub(super) fn unpaid(&self) -> Class {
        let back = |s: &SeatDue| matches!(s.why, Why::Refunded | Why::DisputeLost);
        if self.due.seats.iter().any(back) {
            Class::AliveAfterRefund
        } else {
            Class::KeyWithoutPayment
        }
    }

    /// Its licenses that should work and that another hand revoked or deleted, as the service tells.
    #[must_use]
    pub fn revoked_elsewhere(&self) -> Vec<&'a Grant> {
        let revoked = |seat: &SeatDue, grant: &Grant| {
            seat.want.live_at(self.now) && self.is_revoked_elsewhere(seat, grant)
        };
        held_seats(self.machine, self.due)
            .filter(|(seat, grant)| revoked(seat, grant))
            .map(|(_, grant)| grant)
            .collect()
    }

    fn is_revoked_elsewhere(&self, seat: &SeatDue, grant: &Grant) -> bool {
        match self.licenses.iter().find(|l| l.key == grant.key) {
            Some(license) if license.status == Some(GrantStatus::Revoked) => {
                grant.status != GrantStatus::Revoked
                    || left_revoked(self.machine, seat, grant, self.now)
            }
            // What was not shown is unknown, not gone.
            Some(_) | None => false,
        }
    }

    /// A purchase whose licenses this store holds: what the service has now is compared with what it last confirmed.
    fn known(&self, stored: &Entitlement) -> Class {
        if told_apart(stored, self.due, self.now) {
            return Class::MissedEvents;
        }
        let is = |grant: &Grant| self.licenses.iter().find(|l| l.key == grant.key);
        for (seat, grant) in paired_seats(self.machine, self.due) {
            let should_live = seat.want.live_at(self.now);
            match (grant, grant.and_then(is)) {
                (None, _) if should_live => return Class::PaidWithoutKey,
                (Some(grant), _) if should_live && self.is_revoked_elsewhere(seat, grant) => {
                    return Class::RevokedElsewhere;
                }
                (Some(grant), Some(license)) => {
                    if let Some(class) = self.differs(seat, grant, license) {
                        return class;
                    }
                }
                (None | Some(_), None) | (None, Some(_)) => {}
            }
        }
        let ours = |l: &&FoundLicense| super::makers::Made::of(l).may_be_ours(self.machine);
        let strangers = self.licenses.iter().filter(|l| !ours(l));
        if strangers.filter(|l| l.is_live(self.now)).count() > 0 {
            return Class::TwoKeys;
        }
        Class::Known
    }

    fn differs(&self, seat: &SeatDue, grant: &Grant, license: &FoundLicense) -> Option<Class> {
        if !seat.want.live_at(self.now) {
            let ends = license.is_live(self.now) && !self.is_given_up(grant);
            return ends.then(|| self.unpaid());
        }
        if license.status == Some(GrantStatus::Revoked) {
            return None;
        }
        if !license.lasts(grant.expires_at, self.now) && grant.live_at(self.now) {
            return Some(Class::ShortenedElsewhere);
        }
        if !license.lasts(owed_until(seat), self.now) {
            return Some(Class::LinkedEndsTooEarly);
        }
        // What another hand gave is left until a person says otherwise (rule 51); any other number than the seat's is open, also
        // where the service does not take the change and it is somebody's task (rule 14).
        let left = grant.given.is_some_and(|given| given.devices);
        let differs = |d: Devices| d != grant.devices || (d != seat.devices && !left);
        (license.devices.is_some_and(differs)).then_some(Class::DevicesDiffer)
    }

    fn waits(&self) -> Option<Waits> {
        if let Some(at) = self.retry_at.filter(|at| *at > self.now) {
            return Some(Waits::Retry(at));
        }
        let near = |at: &Timestamp| between(self.now, *at) <= NEAR_RENEWAL;
        let renews = self.live_seats().filter(|s| s.why != Why::Ending);
        renews
            .filter_map(|s| s.paid_until)
            .find(near)
            .filter(|_| self.machine.kind == crate::domain::lifecycle::Kind::Subscription)
            .map(Waits::Renewal)
    }
}

/// Whether two ways of looking at a purchase come to different licenses.
fn told_apart(stored: &Entitlement, all: &Entitlement, now: Timestamp) -> bool {
    let live = |e: &Entitlement| e.seats.iter().filter(|s| s.want.live_at(now)).count();
    let end = |e: &Entitlement| e.seats.iter().filter_map(|s| s.paid_until).max();
    let apart = match (end(stored), end(all)) {
        (Some(a), Some(b)) => between(a, b) > SAME_END,
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    };
    live(stored) != live(all) || apart
}
