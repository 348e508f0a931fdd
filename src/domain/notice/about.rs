//! What a notice is about: its identity, never a sentence.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::domain::id::{DisputeId, InvoiceId, ObjectId};
use crate::domain::lifecycle::grace::Cause;
use crate::domain::time::{Span, Timestamp};

/// What a notice is about. What prints is what replay's answer calls its episode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum About {
    /// Licenses, by their numbers.
    #[n(0)]
    Keys(#[n(0)] Vec<u32>),
    /// The purchase's first key.
    #[n(1)]
    FirstKey,
    /// An invoice.
    #[n(2)]
    Invoice(#[n(0)] InvoiceId),
    /// A failure that no known invoice explains.
    #[n(3)]
    FailureAt(#[n(0)] Timestamp),
    /// A trial.
    #[n(4)]
    TrialUntil(#[n(0)] Timestamp),
    /// The subscription's end.
    #[n(5)]
    End,
    /// A dispute.
    #[n(6)]
    Dispute(#[n(0)] DisputeId),
    /// The purchase as a whole, by the object's id.
    #[n(7)]
    Purchase(#[n(0)] ObjectId),
    /// Keys that a person wants mailed once more.
    #[n(8)]
    Resend,
    /// A license's end.
    #[n(9)]
    Expiry(#[n(0)] Timestamp),
}

impl About {
    /// A failed renewal.
    #[must_use]
    pub fn failure(cause: &Cause) -> Self {
        match cause {
            Cause::Invoice(invoice) => Self::Invoice(invoice.clone()),
            Cause::FailureAt(at) => Self::FailureAt(*at),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                f.write_str(&numbers.join(","))
            }
            Self::FirstKey => f.write_str("first"),
            Self::Invoice(invoice) => write!(f, "{invoice}"),
            Self::FailureAt(at) => write!(f, "failure at {at}"),
            Self::TrialUntil(end) => write!(f, "trial until {end}"),
            Self::End => f.write_str("end"),
            Self::Dispute(dispute) => write!(f, "{dispute}"),
            Self::Purchase(object) => write!(f, "{object}"),
            Self::Resend => f.write_str("resend"),
            Self::Expiry(end) => write!(f, "end at {end}"),
        }
    }
}

/// Tells notices of one kind about one thing apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Part {
    /// There is one.
    #[n(0)]
    Whole,
    /// A reminder, by its offset from the failure, or from the end.
    #[n(1)]
    Offset(#[n(0)] Span),
    /// The n-th time that a person wanted it.
    #[n(2)]
    Time(#[n(0)] u32),
    /// The n-th time that the same happened again.
    #[n(3)]
    Again(#[n(0)] u32),
    /// The license goes on all the same: a person gave its end up.
    #[n(4)]
    Kept,
    /// Some of several licenses, by the number of the first.
    #[n(5)]
    License(#[n(0)] u32),
}

impl Part {
    /// What happens for the first time, or after so many times before.
    #[must_use]
    pub fn nth(before: usize) -> Self {
        match before {
            0 => Self::Whole,
            n => Self::Again(u32::try_from(n + 1).unwrap_or(u32::MAX)),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::Time(n) => write!(f, "resend {n}"),
            Self::Again(n) => write!(f, "time {n}"),
            Self::Kept => f.write_str("kept"),
            Self::License(number) => write!(f, "license {number}"),
        }
    }
}
