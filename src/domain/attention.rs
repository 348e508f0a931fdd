//! What waits for a person, by its cause: listed by `keyward attention`, and what alerts are about.
//!
//! One purchase's part is worked out by [`of_machine`]. Who reports something new adds a variant of [`Concern`]: the list, the
//! JSON and the alerts follow from it.

mod cause;
mod machine;
mod sold;
mod trouble;
mod unreadable;
mod words;

pub use cause::AttentionCause;
pub use machine::of_machine;
pub use trouble::{BackupTrouble, EndpointTrouble, HeldBack, ServiceTrouble, Shortage};
pub use unreadable::{UnreadableEvent, UnreadableEvents};
pub use words::unknown_keys;

use super::adoption::{Differences, Meant};
use super::awaited::Awaiting;
use super::fact::Priced;
use super::finding::Finding;
use super::hold::{Distrust, Flaw, Hold};
use super::id::{EventId, MachineId, Scope, SourceName};
use super::missed::MissedType;
use super::notice::{NoticeKind, Undelivered};
use super::silence::Silence;
use super::time::{Span, Timestamp};

/// An event finds its purchase within this, or somebody looks at it.
pub const PURCHASE_WITHIN: Span = Span::from_days(7);

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Since when.
    pub since: Timestamp,
    pub concern: Concern,
}

/// What it is that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// An action was refused, and a retry alone does not mend it.
    RefusedAction(ActionAttention),
    /// An action is held until somebody says otherwise.
    HeldAction {
        action: ActionAttention,
        hold: Hold,
        /// The purchase that waits for the license which it ends.
        awaiting: Option<Awaiting>,
    },
    /// A purchase is paid, and its key is late.
    PaidWithoutKey {
        machine: MachineId,
        /// The action that should bring it.
        action: u32,
        /// What stood in its way last.
        why: Option<String>,
        /// Whether it takes the place of a key that works until then.
        old_works: bool,
    },
    /// A mail has no recipient.
    NoAddress {
        machine: MachineId,
        kind: NoticeKind,
    },
    /// A mail was refused for good, or again and again.
    Undeliverable {
        machine: MachineId,
        kind: NoticeKind,
        how: Undelivered,
        /// What the mail server said.
        why: Option<String>,
    },
    /// Something was found that only a person can judge.
    Found {
        machine: MachineId,
        finding: Finding,
        /// As what it was sold, where no plan knows that.
        prices: Vec<Priced>,
    },
    /// A purchase contradicts itself: nothing is done for it.
    MachineHeld { machine: MachineId, flaw: Flaw },
    /// An event waits for its purchase.
    Parked {
        scope: Scope,
        event: EventId,
        /// The names by which the purchase would be known.
        names: Vec<String>,
    },
    /// Events could not be read.
    UnreadableEvents {
        source: SourceName,
        events: Box<UnreadableEvents>,
    },
    /// Stripe's event list cannot be read.
    BackfillFails {
        scope: Scope,
        /// What Stripe said.
        why: String,
    },
    /// Events do not arrive by themselves, and are only fetched from Stripe's event list.
    MissedDeliveries {
        scope: Scope,
        /// Which, and how many.
        missed: Vec<MissedType>,
    },
    /// Deliveries come whose signatures do not fit.
    SignaturesFail {
        source: SourceName,
        /// So many in a row.
        failures: u32,
    },
    /// A source says nothing, though it should.
    SourceSilent {
        source: SourceName,
        silence: Silence,
    },
    /// The webhook endpoint at Stripe.
    Endpoint {
        source: SourceName,
        trouble: EndpointTrouble,
    },
    /// Another program makes licenses for a source's purchases: no key is made for them.
    OtherHandler {
        source: SourceName,
        /// By what it was seen.
        seen: String,
    },
    /// The last audit found differences.
    AuditDiffers {
        source: SourceName,
        found: Box<Differences>,
    },
    /// There is no proven backup of late, though one is made by schedule.
    Backup(BackupTrouble),
    /// The store was restored from a backup: everything is decided and nothing sent until a person has it go live.
    Restored {
        /// From what, in words.
        why: String,
        /// From the backup to the restore, where the embedded service's licenses of that time are not in the copy.
        unknown_keys: Option<(Timestamp, Timestamp)>,
    },
    /// An order for the shop holds work back until a person ends it: what waits behind it are customers who paid.
    HeldBack {
        what: HeldBack,
        /// Who ordered it, and why.
        by: String,
        /// How much it holds; `None`: that is being counted.
        holds: Option<u64>,
    },
    /// Nothing can be written, so nothing is taken.
    StoreFull {
        shortage: Shortage,
        /// How little there is, in words.
        why: String,
    },
    /// The clock was set, and nobody has confirmed it since.
    ClockJumped(Distrust),
    /// A service does not do its work.
    ServiceGone {
        /// What the operator calls it.
        service: &'static str,
        /// The sources that use this one, where several services are called so; else none.
        of: Vec<SourceName>,
        trouble: ServiceTrouble,
        /// What it said.
        why: String,
    },
}

/// An action that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionAttention {
    pub machine: MachineId,
    /// Its number.
    pub number: u32,
    /// What it does, as lists call it.
    pub act: &'static str,
    /// Whether it makes a license: somebody waits for the key.
    pub creates: bool,
    /// Whether it was refused because of what we may do at the service: others will be, too.
    pub lacks_access: bool,
    /// The license that does not come back, by its number: to try again helps only once somebody mended it at the service.
    pub lost: Option<u32>,
    /// Why it is not done, in words.
    pub why: Option<String>,
    /// The key that the purchase may have already.
    pub meant: Option<Meant>,
}

impl ActionAttention {
    /// The action's name, `stripe/sub_123#4`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}#{}", self.machine, self.number)
    }
}

impl Attention {
    /// A code that tells it from all others, so that it is reported once. Of what concerns the server itself one thing at a
    /// time can be wrong with each service and source.
    #[must_use]
    pub fn code(&self) -> u64 {
        let mut bytes = self.concern.cause().as_str().as_bytes().to_vec();
        bytes.extend_from_slice(self.concern.about().as_bytes());
        if self.concern.is_of_purchases() {
            bytes.extend_from_slice(&self.since.ms().to_be_bytes());
        }
        // Writing to a Vec cannot fail.
        let _ = match &self.concern {
            Concern::Found { finding, .. } => minicbor::encode(finding, &mut bytes),
            // Others are news, also where they are as many.
            Concern::AuditDiffers { found, .. } => minicbor::encode(found.code, &mut bytes),
            // More of a type that was reported are not, and those of another are.
            Concern::UnreadableEvents { events, .. } => {
                let kinds: Vec<&str> = events.kinds.iter().map(String::as_str).collect();
                minicbor::encode(kinds, &mut bytes)
            }
            // One that answers again and refuses us is not mended by waiting.
            Concern::ServiceGone {
                trouble: ServiceTrouble::Refusing | ServiceTrouble::NoCredits,
                ..
            } => minicbor::encode("refuses", &mut bytes),
            Concern::RefusedAction(_)
            | Concern::HeldAction { .. }
            | Concern::PaidWithoutKey { .. }
            | Concern::NoAddress { .. }
            | Concern::Undeliverable { .. }
            | Concern::MachineHeld { .. }
            | Concern::Parked { .. }
            | Concern::BackfillFails { .. }
            | Concern::MissedDeliveries { .. }
            | Concern::SignaturesFail { .. }
            | Concern::SourceSilent { .. }
            | Concern::Endpoint { .. }
            | Concern::OtherHandler { .. }
            | Concern::Backup(_)
            | Concern::Restored { .. }
            | Concern::HeldBack { .. }
            | Concern::StoreFull { .. }
            | Concern::ClockJumped(_)
            | Concern::ServiceGone { .. } => Ok(()),
        };
        // FNV-1a.
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

impl Concern {
    /// Whether it is about purchases, and not about the server itself.
    #[must_use]
    pub const fn is_of_purchases(&self) -> bool {
        match self {
            Self::RefusedAction(_)
            | Self::HeldAction { .. }
            | Self::PaidWithoutKey { .. }
            | Self::NoAddress { .. }
            | Self::Undeliverable { .. }
            | Self::Found { .. }
            | Self::MachineHeld { .. }
            | Self::Parked { .. } => true,
            Self::UnreadableEvents { .. }
            | Self::BackfillFails { .. }
            | Self::MissedDeliveries { .. }
            | Self::SignaturesFail { .. }
            | Self::SourceSilent { .. }
            | Self::Endpoint { .. }
            | Self::OtherHandler { .. }
            | Self::AuditDiffers { .. }
            | Self::Backup(_)
            | Self::Restored { .. }
            | Self::HeldBack { .. }
            | Self::StoreFull { .. }
            | Self::ClockJumped(_)
            | Self::ServiceGone { .. } => false,
        }
    }

    /// Whether it is reported at once: it does not pass by itself, and somebody waits or nobody would notice.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        match self {
            Self::PaidWithoutKey { old_works, .. } => !*old_works,
            Self::Undeliverable { .. }
            | Self::UnreadableEvents { .. }
            | Self::MissedDeliveries { .. }
            | Self::SignaturesFail { .. }
            | Self::SourceSilent { .. }
            | Self::OtherHandler { .. }
            | Self::Restored { .. }
            | Self::ClockJumped(_)
            | Self::Endpoint { .. } => true,
            Self::RefusedAction(action) => action.creates || action.lacks_access,
            Self::HeldAction { hold, .. } => match hold {
                Hold::Guard | Hold::OtherService { .. } => true,
                // Whoever held it knows.
                Hold::Person { .. }
                | Hold::TimeNotTrusted(_)
                | Hold::Observed
                | Hold::Paused { .. }
                | Hold::Adoption
                // What was seen is reported by itself.
                | Hold::OtherHandler
                | Hold::BeginningUnknown => false,
            },
            Self::StoreFull { shortage, .. } => matches!(shortage, Shortage::Disk),
            Self::ServiceGone { trouble, .. } => match trouble {
                ServiceTrouble::Refusing | ServiceTrouble::NoCredits => true,
                ServiceTrouble::Down => false,
            },
            Self::NoAddress { .. }
            | Self::Found { .. }
            | Self::MachineHeld { .. }
            | Self::Parked { .. }
            | Self::BackfillFails { .. }
            | Self::AuditDiffers { .. }
            // Whoever ordered it knows, and may have meant some minutes.
            | Self::HeldBack { .. }
            // One that fails is tried again by itself.
            | Self::Backup(_) => false,
        }
    }

    #[must_use]
    pub fn cause(&self) -> AttentionCause {
        match self {
            Self::RefusedAction(_) => AttentionCause::RefusedAction,
            Self::HeldAction { .. } => AttentionCause::HeldAction,
            Self::PaidWithoutKey { .. } => AttentionCause::PaidWithoutKey,
            Self::NoAddress { .. } => AttentionCause::NoAddress,
            Self::Undeliverable { .. } => AttentionCause::Undeliverable,
            Self::Found { finding, .. } => finding.attention().unwrap_or(AttentionCause::Finding),
            Self::MachineHeld { .. } => AttentionCause::MachineHeld,
            Self::Parked { .. } => AttentionCause::Parked,
            Self::UnreadableEvents { .. } => AttentionCause::UnreadableEvents,
            Self::BackfillFails { .. } => AttentionCause::Backfill,
            Self::MissedDeliveries { .. } => AttentionCause::MissedDeliveries,
            Self::SignaturesFail { .. } => AttentionCause::Signatures,
            Self::SourceSilent { .. } => AttentionCause::Silent,
            Self::Endpoint { .. } => AttentionCause::Endpoint,
            Self::OtherHandler { .. } => AttentionCause::OtherHandler,
            Self::AuditDiffers { .. } => AttentionCause::Audit,
            Self::Backup(_) => AttentionCause::Backup,
            Self::Restored { .. } => AttentionCause::Restored,
            Self::HeldBack { .. } => AttentionCause::HeldBack,
            Self::StoreFull { .. } => AttentionCause::Full,
            Self::ClockJumped(_) => AttentionCause::Clock,
            Self::ServiceGone { .. } => AttentionCause::Service,
        }
    }

    /// What it is about: an action, a purchase, an event or a service.
    #[must_use]
    pub fn about(&self) -> String {
        match self {
            Self::RefusedAction(action) | Self::HeldAction { action, .. } => action.name(),
            Self::PaidWithoutKey { machine, .. }
            | Self::NoAddress { machine, .. }
            | Self::Undeliverable { machine, .. }
            | Self::Found { machine, .. }
            | Self::MachineHeld { machine, .. } => machine.to_string(),
            Self::Parked { scope, event, .. } => format!("{scope}/{event}"),
            Self::BackfillFails { scope, .. } | Self::MissedDeliveries { scope, .. } => {
                scope.to_string()
            }
            Self::UnreadableEvents { source, .. }
            | Self::SignaturesFail { source, .. }
            | Self::SourceSilent { source, .. }
            | Self::OtherHandler { source, .. }
            | Self::AuditDiffers { source, .. }
            | Self::Endpoint { source, .. } => source.to_string(),
            Self::Backup(_) => "backup".to_owned(),
            Self::Restored { .. } | Self::StoreFull { .. } => "store".to_owned(),
            Self::ClockJumped(_) => "clock".to_owned(),
            Self::HeldBack { what, .. } => match what {
                HeldBack::Service(service) => service.clone(),
                HeldBack::Plan(plan) => format!("plan {plan}"),
                HeldBack::Shop => "shop".to_owned(),
            },
            Self::ServiceGone { service, of, .. } => service_of(service, of),
        }
    }
}

/// A service, told from others of its name by the sources that use it.
fn service_of(service: &str, sources: &[SourceName]) -> String {
    if sources.is_empty() {
        return service.to_owned();
    }
    let sources: Vec<&str> = sources.iter().map(SourceName::as_str).collect();
    format!("{service} of {}", sources.join(", "))
}
