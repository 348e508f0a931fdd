//! Decisions: facts whose source is a person. They survive replay, restore and new configs.

use std::fmt;

use minicbor::{Decode, Encode};

use super::id::PlanName;
use super::policy_override::PolicyOverride;
use super::service_move::{ServiceKind, TellOfKeys};
use super::time::Timestamp;
use crate::domain::words::{Sentence, sentences};

sentences!(Decision, Verb);

/// What somebody decided about one machine, and why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
pub struct Decision {
    /// What is to be done.
    #[n(0)]
    #[serde(flatten)]
    pub verb: Verb,
    /// The operator who ordered it.
    #[n(1)]
    #[serde(default)]
    pub author: String,
    /// The reason that was given.
    #[n(2)]
    #[serde(default)]
    pub reason: String,
}

/// The things that a person can decide.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Verb {
    /// The customer has a live license until then, whatever was paid; without an instant for life.
    #[n(0)]
    Grant {
        /// Until when; `None` for life.
        #[n(0)]
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// The paid end counts as not earlier than this.
    #[n(1)]
    Extend {
        /// The new paid end.
        #[n(0)]
        until: Timestamp,
    },
    /// A running or coming grace does not end before this.
    #[n(2)]
    Exempt {
        /// Until when.
        #[n(0)]
        until: Timestamp,
    },
    /// The licenses end; a later renewal does not revive them.
    #[n(3)]
    Revoke,
    /// The customer keeps the license despite a refund or dispute.
    #[n(4)]
    Keep,
    /// A new key; the old one ends when it is there.
    #[n(5)]
    Rekey {
        /// The number of the license; `None`: each that the purchase has.
        #[n(0)]
        license: Option<u32>,
        /// Whether the old one ends though the new one may not be there yet.
        #[n(1)]
        #[cbor(default)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        at_once: bool,
        /// Whether the old one is read first, and stays where it works: an audit found it revoked.
        #[n(2)]
        #[cbor(default)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        if_revoked: bool,
    },
    /// Mail goes to this address from now on.
    #[n(6)]
    Address {
        /// The address.
        #[n(0)]
        email: String,
    },
    /// The devices that are bound to the keys at present are forgotten; how many a key allows stays as it is.
    #[n(7)]
    ResetDevices {
        /// This one alone; `None`: all of them.
        #[n(0)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
    },
    /// The newest revision of the config judges everything from the beginning.
    #[n(8)]
    ApplyRevision,
    /// The keys are mailed once more.
    #[n(9)]
    Resend {
        /// To this address; `None`: where keys go anyway.
        #[n(0)]
        #[serde(default)]
        to: Option<String>,
    },
    /// A license for somebody who did not buy: the purchase begins with it.
    #[n(10)]
    Issue {
        /// The plan, by the name that it has then.
        #[n(0)]
        plan: PlanName,
        /// Whom its key is mailed to.
        #[n(1)]
        email: String,
        /// Until when; `None`: as long as the plan says, for life where it says nothing.
        #[n(2)]
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// Nothing changes: a person has looked at what was reported until then.
    #[n(11)]
    Note,
    /// The licenses are made anew at another license service; those of before are left alone.
    #[n(12)]
    Move {
        /// Where they are.
        #[n(0)]
        from: ServiceKind,
        /// Where they are made anew.
        #[n(1)]
        to: ServiceKind,
        /// Who is told of a key that cannot be kept.
        #[n(2)]
        tell: TellOfKeys,
    },
    /// What tells who the customer is was taken out of the purchase.
    #[n(13)]
    Erase,
    /// The customer has values of the policy of their own, for what happens from then on.
    #[n(14)]
    Override {
        /// The values.
        #[n(0)]
        values: PolicyOverride,
        /// Until when; `None`: until it is ended.
        #[n(1)]
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// Every override ends: the plan's policy judges what happens from then on.
    #[n(15)]
    EndOverride,
}

/// What was decided, by whom and why, as it stands in a timeline.
impl Sentence for Decision {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let author = if self.author.is_empty() {
            "somebody"
        } else {
            &self.author
        };
        write!(f, "{author} decided: {} ({})", self.verb, self.reason)
    }
}

/// What was decided, as it stands in a timeline.
impl Sentence for Verb {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        let until = |f: &mut fmt::Formatter<'_>, until: &Option<Timestamp>| match until {
            Some(until) => write!(f, " until {until}"),
            None => Ok(()),
        };
        match self {
            Self::Grant { until: Some(until) }
            | Self::Extend { until }
            | Self::Exempt { until } => write!(f, " until {until}"),
            Self::Grant { until: None } => f.write_str(" for life"),
            Self::Address { email } => write!(f, " {email}"),
            Self::Resend { to: Some(to) } => write!(f, " to {to}"),
            Self::ResetDevices {
                device: Some(device),
            } => write!(f, " {device}"),
            Self::Issue {
                plan,
                email,
                until: end,
            } => {
                write!(f, " {plan} to {email}")?;
                until(f, end)
            }
            Self::Move { to, .. } => write!(f, " to {}", to.as_str()),
            Self::Override { values, until: end } => {
                write!(f, " {values}")?;
                until(f, end)
            }
            Self::Rekey {
                license,
                at_once,
                if_revoked,
            } => {
                if let Some(number) = license {
                    write!(f, " of license {number}")?;
                }
                f.write_str(if *at_once { " at once" } else { "" })?;
                f.write_str(if *if_revoked {
                    ", if it is revoked"
                } else {
                    ""
                })
            }
            Self::Resend { to: None }
            | Self::EndOverride
            | Self::Revoke
            | Self::Keep
            | Self::ResetDevices { device: None }
            | Self::ApplyRevision
            | Self::Erase
            | Self::Note => Ok(()),
        }
    }
}

impl Verb {
    /// The verb as it appears in a timeline.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Grant { .. } => "grant",
            Self::Extend { .. } => "extend",
            Self::Exempt { .. } => "exempt",
            Self::Revoke => "revoke",
            Self::Keep => "keep",
            Self::Rekey { .. } => "rekey",
            Self::Address { .. } => "address",
            Self::ResetDevices { .. } => "reset_devices",
            Self::ApplyRevision => "apply_revision",
            Self::Resend { .. } => "resend",
            Self::Note => "note",
            Self::Issue { .. } => "issue",
            Self::Move { .. } => "move",
            Self::Erase => "erase",
            Self::Override { .. } => "override",
            Self::EndOverride => "end_override",
        }
    }

    /// Until when it is ordered; `None`: it has no end.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Grant { until } | Self::Issue { until, .. } | Self::Override { until, .. } => {
                *until
            }
            Self::Extend { until } | Self::Exempt { until } => Some(*until),
            Self::Revoke
            | Self::Keep
            | Self::Rekey { .. }
            | Self::Address { .. }
            | Self::ResetDevices { .. }
            | Self::ApplyRevision
            | Self::Resend { .. }
            | Self::Note
            | Self::Move { .. }
            | Self::Erase
            | Self::EndOverride => None,
        }
    }
}
