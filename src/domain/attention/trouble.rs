//! What can be wrong with the server itself and with what it works with.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::domain::id::PlanName;
use crate::domain::time::Timestamp;
use crate::domain::words::{Sentence, counted, sentences};

sentences!(ServiceTrouble, BackupTrouble);

/// How a service fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum ServiceTrouble {
    /// It does not answer.
    #[n(0)]
    Down,
    /// It refuses everything until a person has mended something.
    #[n(1)]
    Refusing,
    /// It makes no more licenses until somebody has paid for them.
    #[n(2)]
    NoCredits,
}

/// What an order holds back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldBack {
    /// All work at a license service.
    Service(String),
    /// All work for a plan, in a shop that is live.
    Plan(PlanName),
    /// All work, in a shop that was live.
    Shop,
}

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Room on the disk: a person must make some.
    Disk,
    /// Memory for what the disk is too slow to take; that may pass.
    Memory,
}

/// What is wrong with the backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupTrouble {
    /// There never was one.
    Never,
    /// The newest proven one is old.
    Old { newest: Timestamp },
    /// The last try failed.
    Failed {
        /// What happened, in one line.
        why: String,
    },
    /// Those that were made are gone.
    Lost {
        /// The folder.
        folder: String,
        /// How many had been made there.
        files: usize,
    },
}

/// What is wrong with a webhook endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointTrouble {
    /// Stripe sends nothing to it.
    Disabled,
    /// It was there, and no endpoint posts to its address any more.
    Gone,
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

impl Sentence for BackupTrouble {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("no backup was ever made, though `[backup]` orders one"),
            Self::Old { newest } => write!(f, "the newest proven backup is of {newest}"),
            Self::Failed { why } => write!(f, "the last backup failed: {why}"),
            Self::Lost { folder, files } => write!(
                f,
                "{} in {folder} {} gone: is its disk mounted? New ones are made there all the same",
                counted(*files, "backup", "backups"),
                if *files == 1 { "is" } else { "are" }
            ),
        }
    }
}
