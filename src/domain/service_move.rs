//! All licenses move to another license service (`keyward move-licenses`): what a purchase leaves at the service of before,
//! and what takes its place at the new one.
//!
//! A move is a decision about each purchase. It marks the licenses that are there as left; from then on the difference to
//! what should be asks for new ones at the service that the config names now, each once, as for any other purchase. A
//! license that should not work at present is made when it should again.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::action::{Act, Action, ActionOutcome, CreatePhase, GrantStatus, NewLicense};
use super::entitlement::SeatDue;
use super::hold::Hold;
use super::id::LicenseKey;
use super::machine::{Grant, Machine};
use super::notice::{NoticeKind, NoticeStatus};
use super::plan::Devices;
use super::time::Timestamp;

/// A license service, by the word in the config.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    /// AuthForge.
    #[n(0)]
    AuthForge,
    /// The one inside this binary.
    #[n(1)]
    Embedded,
}

/// Whom a move tells of a key that could not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TellOfKeys {
    /// Nobody: the vendor does, or new programs do.
    #[n(0)]
    Nobody,
    /// Its customer, by mail.
    #[n(1)]
    Customer,
}

impl ServiceKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::AuthForge, Self::Embedded];

    /// The service of a name; `None`: a simulated one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What it does with the keys that customers have.
    #[must_use]
    pub const fn keys(self) -> KeysAtTarget {
        match self {
            Self::AuthForge => KeysAtTarget::Own,
            Self::Embedded => KeysAtTarget::Chosen,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthForge => "authforge",
            Self::Embedded => "embedded",
        }
    }
}

/// How a license came through a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ServiceMove {
    /// It stays at the service of before, where nothing is done with it any more; its place is to be taken.
    #[n(0)]
    Left {
        /// Who is told, where its key cannot be kept.
        #[n(0)]
        tell: TellOfKeys,
    },
    /// The same, and its customer got a new key meanwhile: this one is not kept.
    #[n(1)]
    LeftForGood,
    /// It took the place of one that was left, and nobody is told of its key.
    #[n(2)]
    Untold,
}

/// The key that a license to be made should have.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeptKey {
    /// The key that its customer has.
    #[n(0)]
    pub key: LicenseKey,
    /// Who is told, where the service gives it another one.
    #[n(1)]
    pub tell: TellOfKeys,
}

impl Grant {
    /// Whether it is at this service, as far as anybody knows. `None`: a simulated one.
    #[must_use]
    pub fn is_at(&self, here: Option<ServiceKind>) -> bool {
        here.is_none() || self.service.is_none() || self.service == here
    }

    /// Whether it stays at a service of before.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        matches!(
            self.service_move,
            Some(ServiceMove::Left { .. } | ServiceMove::LeftForGood)
        )
    }
}

/// Leaves a machine's licenses where they are. Of a key that is made later, because its license works again only then, its
/// customer is told anyway: nobody else has it.
pub(super) fn leave(machine: &mut Machine, from: ServiceKind, tell: TellOfKeys, now: Timestamp) {
    for grant in &mut machine.grants {
        let is_over = grant.replaced && grant.status == GrantStatus::Revoked;
        if grant.is_left() || is_over {
            continue;
        }
        let tell = if grant.live_at(now) {
            tell
        } else {
            TellOfKeys::Customer
        };
        grant.service_move = Some(if grant.replaced {
            ServiceMove::LeftForGood
        } else {
            ServiceMove::Left { tell }
        });
        grant.service = grant.service.or(Some(from));
        grant.replaced = true;
    }
}

/// What is left is not kept: a person wants new keys.
pub(super) fn keep_none(machine: &mut Machine) {
    for grant in machine.grants.iter_mut().filter(|g| g.is_left()) {
        grant.service_move = Some(ServiceMove::LeftForGood);
    }
}

/// The license that a seat has left at the service of before, where nothing took its place since.
pub(super) fn left_for<'m>(machine: &'m Machine, seat: &SeatDue) -> Option<&'m Grant> {
    let names = |g: &&Grant| {
        let named = g.seat.item == seat.item || seat.aliases.contains(&g.seat.item);
        named && g.seat.unit == seat.unit
    };
    let newest = machine.grants.iter().rev().find(names)?;
    newest.is_left().then_some(newest)
}

/// The licenses that work and were left at a service: `here`, or at any other.
pub fn working_left(
    machine: &Machine,
    (here, is_there): (ServiceKind, bool),
    now: Timestamp,
) -> impl Iterator<Item = (&Grant, ServiceKind)> {
    let left = machine.grants.iter().filter(|g| g.is_left());
    let left = left.filter(move |g| g.live_at(now));
    left.filter_map(move |g| Some((g, g.service.filter(|at| (*at == here) == is_there)?)))
}

/// Makes a license to be made what takes the place of one that was left: with its key where the service takes it, and with
/// what another hand had given it.
pub(super) fn take_place(new: &mut NewLicense, left: &Grant) {
    if let Some(ServiceMove::Left { tell }) = left.service_move {
        let key = left.key.clone();
        new.keeps = Some(KeptKey { key, tell });
    }
    let given = left.given.unwrap_or_default();
    if given.time {
        new.expires_at = later(new.expires_at, left.expires_at);
    }
    if given.devices {
        new.devices = more(new.devices, left.devices);
    }
}

fn later(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.zip(b).map(|(a, b)| a.max(b))
}

fn more(a: Devices, b: Devices) -> Devices {
    if b > a { b } else { a }
}

/// What a move would do with a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveClass {
    /// It moves with its key.
    KeepsKey,
    /// It gets a new key: the new service makes its own.
    NewKey,
    /// It does not work at present: it moves when it should work again.
    Later,
    /// It is ended: it stays as it is.
    Ended,
    /// Work on it is under way at the service of before, or its key is still to be mailed: it waits for the next run.
    Busy,
}

impl MoveClass {
    /// Every one, in the order of lists.
    pub const ALL: [Self; 5] = [
        Self::KeepsKey,
        Self::NewKey,
        Self::Later,
        Self::Ended,
        Self::Busy,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeepsKey => "keeps_key",
            Self::NewKey => "new_key",
            Self::Later => "later",
            Self::Ended => "ended",
            Self::Busy => "busy",
        }
    }

    /// Whether a move has something to do for it.
    #[must_use]
    pub const fn moves(self) -> bool {
        match self {
            Self::KeepsKey | Self::NewKey | Self::Later => true,
            Self::Ended | Self::Busy => false,
        }
    }
}

/// What a move does with keys: the new service takes those that customers have, or makes its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysAtTarget {
    /// It takes them.
    Chosen,
    /// It makes its own.
    Own,
}

/// The licenses of a machine that are at the service of before, each with what a move would do with it.
#[must_use]
pub fn judge(
    machine: &Machine,
    from: ServiceKind,
    keys: KeysAtTarget,
    now: Timestamp,
) -> Vec<(&Grant, MoveClass)> {
    let busy = is_busy(machine);
    let here = |g: &&Grant| {
        let is_over = g.replaced && (g.status == GrantStatus::Revoked || g.is_left());
        !is_over && g.service.is_none_or(|is| is == from)
    };
    let class = |g: &Grant| match (g.status, keys) {
        (GrantStatus::Revoked, _) => MoveClass::Ended,
        (GrantStatus::Suspended | GrantStatus::Live, _) if busy => MoveClass::Busy,
        (GrantStatus::Suspended, _) => MoveClass::Later,
        (GrantStatus::Live, _) if !g.live_at(now) => MoveClass::Later,
        (GrantStatus::Live, KeysAtTarget::Chosen) => MoveClass::KeepsKey,
        (GrantStatus::Live, KeysAtTarget::Own) => MoveClass::NewKey,
    };
    let found = machine.grants.iter().filter(here);
    found.map(|g| (g, class(g))).collect()
}

/// The other license service that an action belongs to: its license is there, or may have been made there. `None`: it belongs
/// to the one that the config names, `service`.
#[must_use]
pub fn elsewhere(machine: &Machine, action: &Action, service: &str) -> Option<ServiceKind> {
    let here = ServiceKind::named(service)?;
    let other = |at: Option<ServiceKind>| at.filter(|at| *at != here);
    match &action.act {
        Act::Create(new) => other(action.service).or_else(|| {
            // A second key beside one that works there would be one too many.
            let works = |g: &&Grant| g.seat == new.seat && g.status != GrantStatus::Revoked;
            let mut grants = machine.grants.iter().filter(works);
            grants.find_map(|g| other(g.service).filter(|_| !g.is_left()))
        }),
        Act::SetExpiry { .. }
        | Act::Suspend { .. }
        | Act::Reinstate { .. }
        | Act::Revoke { .. }
        | Act::SetDevices { .. }
        | Act::ResetDevices { .. }
        | Act::Read { .. } => {
            let grant = machine.grants.iter().find(|g| g.number == action.license)?;
            // Of one that was left nothing is to be read any more.
            let is_read = matches!(action.act, Act::Read { .. });
            other(grant.service).filter(|_| !(grant.is_left() && is_read))
        }
        Act::Recover(_) | Act::Query(_) => None,
    }
}

/// Creates that were not sent yet are made at the service that the config names now, whichever it named when they were
/// decided.
pub(super) fn name_service(machine: &mut Machine, service: &str, under_way: &[u32]) {
    let unsent = |a: &&mut Action| {
        a.act.creates()
            && a.is_open()
            && a.phase == CreatePhase::Ready
            && !under_way.contains(&a.id)
    };
    for action in machine.actions.iter_mut().filter(unsent) {
        action.service = ServiceKind::named(service);
    }
}

/// Whether something is under way that must end at the service of before: a license that is made, found or ended there, or
/// a key that is still to be mailed.
fn is_busy(machine: &Machine) -> bool {
    let at_service = |a: &Action| {
        let is_held_there = matches!(a.held, Some(Hold::OtherService { .. }));
        (a.outcome == ActionOutcome::Pending || is_held_there && a.is_open())
            && matches!(
                a.act,
                Act::Create(_) | Act::Recover(_) | Act::Revoke { .. } | Act::Suspend { .. }
            )
    };
    let keys = machine
        .notices
        .iter()
        .any(|n| n.kind == NoticeKind::LicenseIssued && n.status == NoticeStatus::Pending);
    keys || machine.actions.iter().any(at_service)
}
