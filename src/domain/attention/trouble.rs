//! What can be wrong with the server itself and with what it works with.

use minicbor::{Decode, Encode};

use crate::domain::id::PlanName;
use crate::domain::time::Timestamp;

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
