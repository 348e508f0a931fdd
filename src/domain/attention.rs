//! What waits for a person, by its cause: listed by `keyward attention`, and what alerts are about.
//!
//! One purchase's part is worked out by [`of_machine`]. Who reports something new adds a variant of [`Concern`]: the list, the
//! JSON and the alerts follow from it.

mod machine;

use std::fmt;

pub use machine::of_machine;

use super::finding::Finding;
use super::hold::{Flaw, Hold};
use super::id::{EventId, MachineId, Scope};
use super::notice::NoticeKind;
use super::time::{Span, Timestamp};
use crate::domain::words::{Sentence, sentences};

sentences!(Concern, ServiceTrouble);

/// A purchase that is paid has its key within this, or somebody looks at it.
pub const KEY_WITHIN: Span = Span::from_minutes(15);
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
    HeldAction { action: ActionAttention, hold: Hold },
    /// A purchase is paid, and its key is late.
    PaidWithoutKey {
        machine: MachineId,
        /// The action that should bring it.
        action: u32,
        /// What stood in its way last.
        why: Option<String>,
    },
    /// A mail has no recipient.
    NoAddress {
        machine: MachineId,
        kind: NoticeKind,
    },
    /// A mail was refused for good.
    Undeliverable {
        machine: MachineId,
        kind: NoticeKind,
        /// What the mail server said.
        why: Option<String>,
    },
    /// Something was found that only a person can judge.
    Found {
        machine: MachineId,
        finding: Finding,
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
    /// Stripe's event list cannot be read.
    BackfillFails {
        scope: Scope,
        /// What Stripe said.
        why: String,
    },
    /// A service does not do its work.
    ServiceGone {
        /// What the operator calls it.
        service: &'static str,
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
    /// Why it is not done, in words.
    pub why: Option<String>,
}

impl ActionAttention {
    /// The action's name, `stripe/sub_123#4`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}#{}", self.machine, self.number)
    }
}

/// How a service fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceTrouble {
    /// It does not answer.
    Down,
    /// It refuses everything until a person has mended something.
    Refusing,
    /// It makes no more licenses until somebody has paid for them.
    NoCredits,
}

/// The causes: what alerts are gathered by, and what programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttentionCause {
    RefusedAction,
    HeldAction,
    PaidWithoutKey,
    NoAddress,
    Undeliverable,
    /// A license differs from what should be, by another hand.
    Drift,
    /// Something was sold that the config does not know.
    UnknownPrice,
    /// Another finding about a purchase.
    Finding,
    MachineHeld,
    Parked,
    Backfill,
    Service,
}

impl AttentionCause {
    /// The code in JSON and in alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefusedAction => "refused_action",
            Self::HeldAction => "held_action",
            Self::PaidWithoutKey => "paid_without_key",
            Self::NoAddress => "no_address",
            Self::Undeliverable => "undeliverable",
            Self::Drift => "drift",
            Self::UnknownPrice => "unknown_price",
            Self::Finding => "finding",
            Self::MachineHeld => "machine_held",
            Self::Parked => "parked",
            Self::Backfill => "backfill",
            Self::Service => "service",
        }
    }
}

impl Finding {
    /// What it is to whoever must look at it; `None`: it is news, and nobody needs to do anything.
    #[must_use]
    pub(crate) const fn attention(&self) -> Option<AttentionCause> {
        match self {
            Self::RevokedElsewhere(_) | Self::GivenElsewhere { .. } | Self::OtherLicenses(_) => {
                Some(AttentionCause::Drift)
            }
            Self::NothingToHandOut | Self::UnknownPlan(_) => Some(AttentionCause::UnknownPrice),
            Self::FraudWarning
            | Self::UnreadableMetadata(_)
            | Self::NotPaidAfterAll { .. }
            | Self::FinalizationFailed(_)
            | Self::PaidAfterEnd(_)
            | Self::RefundUnlinked
            | Self::QuantityZero(_)
            | Self::NoPriceNamed { .. }
            | Self::ItemsCut
            | Self::LinesCut(_)
            | Self::LineItemsCut
            | Self::ServedTwice(_)
            | Self::NoInvoiceHeard(_) => Some(AttentionCause::Finding),
            // What is held is listed as such.
            Self::Held(_) | Self::GuardTripped => None,
            Self::MovedTo { paid_until, .. } => match paid_until {
                Some(_) => Some(AttentionCause::Finding),
                None => None,
            },
        }
    }
}

impl Concern {
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
            Self::BackfillFails { .. } => AttentionCause::Backfill,
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
            Self::BackfillFails { scope, .. } => scope.to_string(),
            Self::ServiceGone { service, .. } => (*service).to_owned(),
        }
    }

    /// The command that settles it, once what it names is mended.
    #[must_use]
    pub fn settled_by(&self) -> String {
        let noted = |machine: &MachineId| format!("keyward note {machine} --reason …");
        match self {
            Self::RefusedAction(action) => format!("keyward retry {}", action.name()),
            Self::HeldAction { action, .. } => {
                format!("keyward held approve {} --reason …", action.name())
            }
            Self::PaidWithoutKey {
                machine, action, ..
            } => format!("keyward retry {machine}#{action}"),
            Self::NoAddress { machine, .. } => {
                format!("keyward address {machine} --to ADDRESS --reason …")
            }
            Self::Undeliverable { machine, kind, .. } if *kind == NoticeKind::LicenseIssued => {
                format!("keyward resend {machine} --to ADDRESS --reason …")
            }
            Self::Undeliverable { machine, .. } => {
                format!("keyward address {machine} --to ADDRESS --reason …")
            }
            Self::Found { machine, finding } => match finding {
                Finding::RevokedElsewhere(_) => format!("keyward rekey {machine} --reason …"),
                Finding::NoPriceNamed { until, .. } => {
                    format!("keyward extend {machine} --until {until} --reason …")
                }
                Finding::FraudWarning
                | Finding::UnreadableMetadata(_)
                | Finding::NotPaidAfterAll { .. }
                | Finding::FinalizationFailed(_)
                | Finding::PaidAfterEnd(_)
                | Finding::RefundUnlinked
                | Finding::NothingToHandOut
                | Finding::UnknownPlan(_)
                | Finding::QuantityZero(_)
                | Finding::ItemsCut
                | Finding::LinesCut(_)
                | Finding::GivenElsewhere { .. }
                | Finding::OtherLicenses(_)
                | Finding::ServedTwice(_)
                | Finding::MovedTo { .. }
                | Finding::Held(_)
                | Finding::LineItemsCut
                | Finding::GuardTripped
                | Finding::NoInvoiceHeard(_) => noted(machine),
            },
            Self::MachineHeld { machine, .. } => format!("keyward show {machine}"),
            Self::Parked { .. } => "keyward events --parked".to_owned(),
            Self::BackfillFails { scope, .. } => {
                format!("keyward backfill --source {} --since 1d", scope.source())
            }
            Self::ServiceGone { service, .. } => format!("keyward retry --service {service}"),
        }
    }
}

impl Sentence for Concern {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |f: &mut fmt::Formatter<'_>, why: &Option<String>| match why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        };
        match self {
            Self::RefusedAction(action) => {
                write!(f, "{} was refused", action.act)?;
                because(f, &action.why)
            }
            Self::HeldAction { action, hold } => write!(f, "{} is held: {hold}", action.act),
            Self::PaidWithoutKey { why, .. } => {
                f.write_str("paid, and there is no key yet")?;
                because(f, why)
            }
            Self::NoAddress { kind, .. } => write!(f, "{} has no recipient", kind.as_str()),
            Self::Undeliverable { kind, why, .. } => {
                write!(f, "{} cannot be delivered", kind.as_str())?;
                because(f, why)
            }
            Self::Found { finding, .. } => write!(f, "{finding}"),
            Self::MachineHeld { flaw, .. } => {
                write!(
                    f,
                    "nothing is done for this purchase, which is a defect: {flaw}"
                )
            }
            Self::Parked { names, .. } => write!(
                f,
                "no purchase is known by {}; link it at Stripe, or wait for the event that links it",
                names.join(", ")
            ),
            Self::BackfillFails { why, .. } => write!(
                f,
                "Stripe's event list cannot be read, so nobody notices events that never arrive: {why}"
            ),
            Self::ServiceGone {
                service,
                trouble,
                why,
            } => write!(f, "{service} {trouble}: {why}"),
        }
    }
}

impl Sentence for ServiceTrouble {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "does not answer; it is tried again by itself",
            Self::Refusing => "refuses us",
            Self::NoCredits => "has no credits left for new licenses",
        })
    }
}
