//! A machine: everything kept of one payment or subscription. Its state is not kept but folded from its facts.

mod license_status;

use minicbor::{Decode, Encode};

use super::action::{Act, Action, ActionOutcome, CreatePhase, GrantStatus, SeatId};
use super::adoption::KeyEnd;
use super::contact::Contact;
use super::extension::{Extension, Target};
use super::fact::Fact;
use super::fact::order::canonical;
use super::finding::Report;
use super::hold::Flaw;
use super::id::{
    AppId, CustomerId, Label, LicenseKey, MachineId, ObjectId, ObjectKind, PlanName, SourceName,
};
use super::lifecycle::{Folded, Hears, Kind, State, Transition, fold_heard};
use super::notice::Notice;
use super::plan::Devices;
use super::revision::Revisions;
use super::service_move::{ServiceKind, ServiceMove};
use super::time::Timestamp;

pub use license_status::LicenseStatus;

/// One payment or subscription, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Machine {
    /// Source and object, as in `stripe/sub_123`.
    #[n(0)]
    pub id: MachineId,
    /// Payment or subscription.
    #[n(1)]
    pub kind: Kind,
    /// The source.
    #[n(2)]
    pub source: SourceName,
    /// The mode of its first fact; facts of the other mode change nothing.
    #[n(3)]
    pub livemode: Option<bool>,
    /// Everything that was said about it, in the order of arrival.
    #[n(4)]
    pub facts: Vec<Fact>,
    /// Its licenses as the service last confirmed them, oldest first.
    #[n(5)]
    pub grants: Vec<Grant>,
    /// Work at the license service, oldest first.
    #[n(6)]
    pub actions: Vec<Action>,
    /// E-mails, oldest first.
    #[n(7)]
    pub notices: Vec<Notice>,
    /// What was seen of its state, as it was seen.
    #[n(8)]
    pub journal: Vec<ObservedTransition>,
    /// The highest number of a license that was ever asked for.
    #[n(9)]
    pub last_number: u32,
    /// Reports already told to the operator.
    #[n(10)]
    pub told: Vec<Report>,
    /// Why it is held: it failed its own check. Nothing is done for it.
    #[n(11)]
    pub held: Option<Flaw>,
    /// Seats whose licenses went to another machine of the same customer.
    #[n(12)]
    pub moved_out: Vec<SeatId>,
    /// When time alone changes something next.
    #[n(13)]
    pub wake_at: Option<Timestamp>,
    /// When it was adopted: what was known of it then had been read at Stripe, not heard of.
    #[n(14)]
    pub adopted_at: Option<Timestamp>,
    /// What came of looking for the license that it extends; `None`: nobody looked yet.
    #[n(15)]
    pub target: Option<Target>,
    /// What other purchases add to its licenses, in the order of their payments.
    #[n(16)]
    #[cbor(default)]
    pub extensions: Vec<Extension>,
    /// A key that may be meant for it, where it was adopted without one.
    #[n(17)]
    pub meant: Option<KeyEnd>,
}

/// A transition with when it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ObservedTransition {
    /// What changed.
    #[n(0)]
    pub what: Transition,
    /// When we saw it.
    #[n(1)]
    pub seen_at: Timestamp,
}

/// One license as the service last confirmed it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    /// Its number within the machine, never used again.
    #[n(0)]
    pub number: u32,
    /// The seat that it stands for.
    #[n(1)]
    pub seat: SeatId,
    /// The key.
    #[n(3)]
    pub key: LicenseKey,
    /// The application.
    #[n(4)]
    pub app_id: Option<AppId>,
    /// The plan.
    #[n(5)]
    pub plan: Option<PlanName>,
    /// What the service says.
    #[n(6)]
    pub status: GrantStatus,
    /// Its expiry.
    #[n(7)]
    pub expires_at: Option<Timestamp>,
    /// Its devices.
    #[n(8)]
    pub devices: Devices,
    /// When we got it.
    #[n(9)]
    pub since: Timestamp,
    /// Whether it was found instead of made.
    #[n(10)]
    pub adopted: bool,
    /// Whether it was ever revoked.
    #[n(11)]
    pub ever_revoked: bool,
    /// Whether another license took its place (a re-key, a unit given up): nothing brings it back.
    #[n(12)]
    pub replaced: bool,
    /// Until when a request of unknown outcome may still land.
    #[n(13)]
    pub unsettled_until: Option<Timestamp>,
    /// Whether it came from another machine (a resubscription).
    #[n(14)]
    pub moved_in: bool,
    /// What another hand gave it at the license service beyond what we set, as it was last read.
    #[n(15)]
    pub given: Option<ExternalChanges>,
    /// The license service that it is at; `None`: it is older than this record, or the service is simulated.
    #[n(16)]
    pub service: Option<ServiceKind>,
    /// How it came through a move of all licenses; `None`: it was in none.
    #[n(17)]
    pub service_move: Option<ServiceMove>,
    /// When its purchase's own history asked for the revocation in which it was found without a request of ours on record;
    /// `None`: it was not found so, or another hand revoked it.
    #[n(18)]
    pub revocation_due: Option<Timestamp>,
    /// Since when a repair waits for what its service says when it is read next: where that is revoked, a new key takes its place.
    #[n(19)]
    pub replace_if_revoked: Option<Timestamp>,
}

/// What a license has from another hand: it is left, until we set more ourselves or a person says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ExternalChanges {
    /// Its end.
    #[n(0)]
    pub time: bool,
    /// Its devices.
    #[n(1)]
    pub devices: bool,
}

impl Grant {
    /// What it is at an instant: revoked before suspended before expired before live.
    /// By its gravest word (rule 46).
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> LicenseStatus {
        match self.status {
            GrantStatus::Revoked => LicenseStatus::Revoked,
            GrantStatus::Suspended => LicenseStatus::Suspended,
            GrantStatus::Live if self.expires_at.is_some_and(|t| t <= now) => {
                LicenseStatus::Expired
            }
            GrantStatus::Live => LicenseStatus::Live,
        }
    }

    /// Whether its key is of use to somebody: it was not revoked, and no other took its place.
    #[must_use]
    pub fn can_be_mailed(&self) -> bool {
        self.status != GrantStatus::Revoked && !self.replaced
    }

    /// Whether the license works at an instant, as far as the service confirmed.
    #[must_use]
    pub fn live_at(&self, now: Timestamp) -> bool {
        self.status == GrantStatus::Live && self.expires_at.is_none_or(|t| t > now)
    }
}

impl Machine {
    /// Folds its facts up to an instant.
    #[must_use]
    pub fn folded(&self, revisions: &Revisions, now: Timestamp) -> Folded {
        let hears = if revisions.hears_invoices(&self.source) {
            Hears::Invoices
        } else {
            Hears::Snapshots
        };
        fold_heard(self.kind, &self.facts, revisions, now, hears)
    }

    /// A machine about which nothing is known yet.
    #[must_use]
    pub fn new(id: MachineId, kind: Kind, source: SourceName, livemode: Option<bool>) -> Self {
        Self {
            id,
            kind,
            source,
            livemode,
            facts: Vec::new(),
            grants: Vec::new(),
            actions: Vec::new(),
            notices: Vec::new(),
            journal: Vec::new(),
            last_number: 0,
            told: Vec::new(),
            held: None,
            moved_out: Vec::new(),
            wake_at: None,
            adopted_at: None,
            target: None,
            extensions: Vec::new(),
            meant: None,
        }
    }

    /// The object's id at the provider.
    #[must_use]
    pub fn object(&self) -> &ObjectId {
        self.id.object()
    }

    /// The state as it was last seen.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        self.journal.last().map(|s| s.what.to)
    }

    /// The label of the machine's n-th license: the guide's own form, so that what its handler made is found too.
    /// Over 128 characters (the service's limit): the first 100 and a hash.
    #[must_use]
    pub fn label(&self, number: u32) -> Label {
        let base = match self.kind {
            Kind::Subscription => format!("Stripe sub {}", self.object()),
            Kind::Payment if self.object().kind() == ObjectKind::Invoice => {
                format!("Stripe invoice {}", self.object())
            }
            Kind::Payment if self.object().kind() == ObjectKind::Issued => {
                format!("Keyward {}", self.object())
            }
            Kind::Payment => format!("Stripe session {}", self.object()),
        };
        let label = if number <= 1 {
            base
        } else {
            format!("{base} #{number}")
        };
        if label.chars().count() <= 128 {
            return Label::new(label);
        }
        let head: String = label.chars().take(100).collect();
        Label::new(format!("{head}~{:08x}", crc32fast::hash(label.as_bytes())))
    }

    /// Actions that wait or are under way.
    pub fn open_actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|a| a.is_open())
    }

    /// The number of the next action.
    #[must_use]
    pub fn next_action(&self) -> u32 {
        self.actions.last().map_or(1, |a| a.id + 1)
    }

    /// Whom it belongs to and how to reach them, whatever the rules.
    #[must_use]
    pub fn contact(&self) -> Contact {
        Contact::of(&canonical(&self.facts))
    }

    /// The customer whom the newest fact names that names one.
    #[must_use]
    pub fn customer(&self) -> Option<&CustomerId> {
        self.facts.iter().rev().find_map(Fact::customer)
    }

    /// Whether this event is known.
    #[must_use]
    pub fn knows(&self, fact: &Fact) -> bool {
        self.facts.iter().any(|f| f.id == fact.id)
    }

    /// How many licenses were really made for it.
    #[must_use]
    pub fn licenses_created(&self) -> usize {
        let made = |a: &&Action| a.act.creates() && a.outcome == ActionOutcome::Done;
        let found = |g: &Grant| {
            self.actions
                .iter()
                .any(|a| matches!(a.act, Act::Recover(_)) && a.license == g.number)
        };
        let adopted = self.grants.iter().filter(|g| g.adopted && !found(g));
        let adopted = adopted.count();
        self.actions
            .iter()
            .filter(made)
            .count()
            .saturating_sub(adopted)
    }

    /// What types cannot say: checked before a machine is written and after it is read. One that fails is held.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn check(&self) -> Result<(), Flaw> {
        let mut numbers: Vec<u32> = self
            .grants
            .iter()
            .filter(|g| !g.moved_in)
            .map(|g| g.number)
            .collect();
        numbers.sort_unstable();
        if numbers.windows(2).any(|w| w[0] == w[1]) {
            return Err(Flaw::NumberTwice);
        }
        let mut keys: Vec<&LicenseKey> = self.grants.iter().map(|g| &g.key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|w| w[0] == w[1]) {
            return Err(Flaw::KeyTwice);
        }
        let not_given = |g: &Grant| g.number > self.last_number && !g.moved_in;
        if self.grants.iter().any(not_given) {
            return Err(Flaw::NumberNotGiven);
        }
        let creating = |a: &&Action| a.act.creates() && a.outcome == ActionOutcome::Pending;
        let mut seats: Vec<&SeatId> = self
            .actions
            .iter()
            .filter(creating)
            .filter_map(|a| a.act.new_license())
            .map(|new| &new.seat)
            .collect();
        seats.sort_unstable();
        if seats.windows(2).any(|w| w[0] == w[1]) {
            return Err(Flaw::SeatTwice);
        }
        for action in self.actions.iter().filter(creating) {
            let unknown = action.error.is_none() && action.missing.is_none();
            if action.attempts > 0 && action.phase == CreatePhase::Ready && unknown {
                return Err(Flaw::SentUnknown { action: action.id });
            }
        }
        Ok(())
    }
}
