//! Why a notice is not sent: kept as a code, so that a better wording changes no record.

use std::fmt;

use crate::domain::words::{Sentence, sentences};
use minicbor::{Decode, Encode};

sentences!(Skipped);

/// Why a notice is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Skipped {
    /// The license ended before its key was mailed.
    #[n(0)]
    EndedBeforeMailed,
    /// The stop was over before it was told.
    #[n(1)]
    OverBeforeTold,
    /// No license could stop.
    #[n(2)]
    NoLicense,
    /// The failure was settled before the mail was due.
    #[n(3)]
    SettledBefore,
    /// It was due before the failure was known.
    #[n(4)]
    DueBeforeKnown,
    /// A later reminder says it too.
    #[n(5)]
    LaterReminder,
    /// The failure is settled.
    #[n(6)]
    Settled,
    /// The failure was settled before it was told.
    #[n(7)]
    SettledBeforeTold,
    /// The trial is over.
    #[n(8)]
    TrialOver,
    /// It was over for more than a day.
    #[n(9)]
    LongOver,
    /// It was over for more than a day when its license was found.
    #[n(10)]
    FoundLate,
    /// No key can be sent.
    #[n(11)]
    NoKey,
    /// It was not true any more when its turn came.
    #[n(12)]
    NoLongerTrue,
    /// Mail is switched off.
    #[n(13)]
    MailOff,
    /// The shop, or the plan, was only observed when it was due.
    #[n(14)]
    Observed,
    /// It was due before the purchase was adopted.
    #[n(15)]
    Adopted,
    /// It was due before the store was restored: the store that was lost may have sent it.
    #[n(16)]
    BeforeRestore,
    /// The license goes on: a person gave its end up.
    #[n(17)]
    EndGivenUp,
}

impl Skipped {
    /// Every reason.
    pub const ALL: [Self; 18] = [
        Self::EndedBeforeMailed,
        Self::OverBeforeTold,
        Self::NoLicense,
        Self::SettledBefore,
        Self::DueBeforeKnown,
        Self::LaterReminder,
        Self::Settled,
        Self::SettledBeforeTold,
        Self::TrialOver,
        Self::LongOver,
        Self::FoundLate,
        Self::NoKey,
        Self::NoLongerTrue,
        Self::MailOff,
        Self::Observed,
        Self::Adopted,
        Self::BeforeRestore,
        Self::EndGivenUp,
    ];
}

impl Sentence for Skipped {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndedBeforeMailed => "the license was ended before its key was mailed",
            Self::OverBeforeTold => "it was over before it was told",
            Self::NoLicense => "there is no license that could stop",
            Self::SettledBefore => "the failure was settled before",
            Self::DueBeforeKnown => "it was due before the failure was known",
            Self::LaterReminder => "a later reminder speaks for it",
            Self::Settled => "the failure is settled",
            Self::SettledBeforeTold => "it was settled before it was told",
            Self::TrialOver => "the trial is over",
            Self::LongOver => "it has been over for more than a day",
            Self::FoundLate => "it was over for more than a day when its license was found",
            Self::NoKey => "there is no key to send",
            Self::NoLongerTrue => "it was no longer true when its turn came",
            Self::MailOff => "mail is switched off",
            Self::Observed => "it came due in observe mode",
            Self::Adopted => "it came due before the purchase was adopted",
            Self::BeforeRestore => {
                "it was due before the store was restored, and may have been sent"
            }
            Self::EndGivenUp => "the license goes on: a person gave its end up",
        })
    }
}
