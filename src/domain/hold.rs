//! Why work is held: an action until something or somebody releases it, a whole machine because it contradicts itself.

use std::fmt;

use minicbor::{Decode, Encode};

use super::service_move::ServiceKind;
use super::time::{Span, Timestamp};
use crate::domain::words::{Sentence, sentences};

sentences!(Hold, Distrust, DistrustCause, Flaw);

/// Why an action is held (rule 53).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Hold {
    /// It is a stop by time alone, and time cannot be trusted yet. It ends by itself.
    #[n(0)]
    TimeNotTrusted(#[n(0)] Distrust),
    /// A person holds it until a person releases it.
    #[n(1)]
    Person {
        /// What they gave as the reason.
        #[n(0)]
        reason: String,
    },
    /// The shop, or its plan, is only observed: it is not carried out until it goes live.
    #[n(2)]
    Observed,
    /// Its license service is paused.
    #[n(3)]
    Paused {
        /// The reason that was given.
        #[n(0)]
        reason: String,
    },
    /// More licenses were to be taken in a while than the guard lets through.
    #[n(4)]
    Guard,
    /// The purchase was adopted, and only what was read then asks for it.
    #[n(5)]
    Adoption,
    /// The purchase began before anybody told us of it, and it follows only from what was not told.
    #[n(6)]
    BeginningUnknown,
    /// Another program still makes licenses for this shop's purchases.
    #[n(7)]
    OtherHandler,
    /// Its license is at another license service than the one that the config names, or may have been made there.
    #[n(8)]
    OtherService {
        /// Where it is.
        #[n(0)]
        at: ServiceKind,
    },
}

/// What holds an action, in a word: for lists, and for an order about all that one of them holds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum HeldBy {
    /// The guard.
    Guard,
    /// That the purchase was adopted.
    Adoption,
    /// That the beginning of the purchase is unknown.
    Beginning,
    /// A person.
    Person,
    /// Observe mode.
    Observe,
    /// A paused service.
    Pause,
    /// Another program that makes licenses.
    OtherHandler,
    /// That it belongs to another license service.
    OtherService,
    /// That time cannot be trusted.
    Time,
}

impl HeldBy {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Adoption => "adoption",
            Self::Beginning => "beginning",
            Self::Person => "person",
            Self::Observe => "observe",
            Self::Pause => "pause",
            Self::OtherHandler => "other-handler",
            Self::OtherService => "other-service",
            Self::Time => "time",
        }
    }

    /// Whether a person's word on the action alone lets it go ahead. The others end by an order for the whole shop, by a move,
    /// or by themselves.
    #[must_use]
    pub const fn is_settled_by_word(self) -> bool {
        match self {
            Self::Guard | Self::Adoption | Self::Beginning | Self::Person => true,
            Self::Observe | Self::Pause | Self::OtherHandler | Self::OtherService | Self::Time => {
                false
            }
        }
    }
}

impl Hold {
    /// What holds, in a word.
    #[must_use]
    pub const fn by(&self) -> HeldBy {
        match self {
            Self::TimeNotTrusted(_) => HeldBy::Time,
            Self::Person { .. } => HeldBy::Person,
            Self::Observed => HeldBy::Observe,
            Self::Paused { .. } => HeldBy::Pause,
            Self::Guard => HeldBy::Guard,
            Self::Adoption => HeldBy::Adoption,
            Self::BeginningUnknown => HeldBy::Beginning,
            Self::OtherHandler => HeldBy::OtherHandler,
            Self::OtherService { .. } => HeldBy::OtherService,
        }
    }
}

/// What let an action pass that would be held.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Cleared {
    /// The guard counted it.
    #[n(0)]
    Guard,
    /// A person's own decision about the purchase asks for it, so the guard does not count it.
    #[n(1)]
    Decision,
    /// A person said that it may go ahead.
    #[n(2)]
    Person {
        /// The operator who ordered it.
        #[n(0)]
        author: String,
        /// The reason that was given.
        #[n(1)]
        reason: String,
    },
    /// A person had a difference repaired; the guard still counts it.
    #[n(3)]
    Repair {
        /// The operator who ordered it.
        #[n(0)]
        author: String,
        /// The reason that was given.
        #[n(1)]
        reason: String,
    },
}

/// Why time cannot be trusted, and until when at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Distrust {
    /// What happened.
    #[n(0)]
    pub cause: DistrustCause,
    /// The earliest end; a delivery that confirms the clock is needed besides.
    #[n(1)]
    pub until: Timestamp,
}

/// What made time untrustworthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DistrustCause {
    /// The server was away for so long.
    #[n(0)]
    Away(#[n(0)] Span),
    /// The wall clock jumped by so much against the monotonic one.
    #[n(1)]
    Jumped(#[n(0)] Span),
}

/// What a machine says that cannot be: it is held, and nothing is done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Flaw {
    /// Two licenses share a number.
    #[n(0)]
    NumberTwice,
    /// One key stands in two places.
    #[n(1)]
    KeyTwice,
    /// A license's number is higher than any that was given out.
    #[n(2)]
    NumberNotGiven,
    /// Two creates would fill the same seat.
    #[n(3)]
    SeatTwice,
    /// A create was sent, and neither its outcome nor a recovery of it is on record.
    #[n(4)]
    SentUnknown {
        /// The action's number.
        #[n(0)]
        action: u32,
    },
}

impl Sentence for Hold {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeNotTrusted(why) => write!(f, "time cannot be trusted yet: {why}"),
            Self::Person { reason } => write!(f, "held by a person: {reason}"),
            Self::Observed => f.write_str("observe mode: it is not carried out until it goes live"),
            Self::Paused { reason } => write!(f, "the license service is paused: {reason}"),
            Self::Guard => f.write_str("the guard: too many licenses would end in a short time"),
            Self::BeginningUnknown => f.write_str(
                "the purchase began before this store, and what was paid then was never told: a person decides",
            ),
            Self::OtherHandler => f.write_str(
                "another program still makes licenses for this shop's purchases",
            ),
            Self::Adoption => f.write_str("found when the purchase was adopted: a person decides"),
            Self::OtherService { at } => write!(
                f,
                "it belongs to the license service `{0}`, and the config names another one: `keyward move-licenses --from {0}`",
                at.as_str()
            ),
        }
    }
}

impl Sentence for Distrust {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; until {} and a delivery that confirms the clock",
            self.cause, self.until
        )
    }
}

impl Sentence for DistrustCause {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(span) => write!(f, "the server was away for {}", seconds(*span)),
            Self::Jumped(span) => write!(f, "the clock jumped by {}", seconds(*span)),
        }
    }
}

fn seconds(span: Span) -> Span {
    Span::from_s(span.ms() / 1000)
}

impl Sentence for Flaw {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NumberTwice => f.write_str("two licenses have one number"),
            Self::KeyTwice => f.write_str("one license key is listed twice"),
            Self::NumberNotGiven => f.write_str("a license has a number that was never given out"),
            Self::SeatTwice => f.write_str("two creates wait for one seat"),
            Self::SentUnknown { action } => write!(
                f,
                "create {action} was sent and nobody knows what came of it"
            ),
        }
    }
}
