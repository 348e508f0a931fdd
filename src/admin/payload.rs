//! Parts of requests and responses that belong to one subject: its own file answers them, and this one only says what goes
//! over the socket.

use serde::{Deserialize, Serialize};

use crate::domain::id::{MachineId, SourceName};
use crate::domain::policy_override::PolicyOverride;
use crate::domain::service_move::{ServiceKind, TellOfKeys};
use crate::domain::standing::StandingOrder;
use crate::domain::time::Timestamp;
use crate::engine::read::applications::SourceApplications;

/// Whose data, and whether it is erased.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EraseQuery {
    /// An address, a customer's id, or anything that leads to purchases.
    pub who: String,
    /// The order; absent: only what would be erased.
    pub order: Option<EraseOrder>,
}

/// The order to erase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EraseOrder {
    /// How many purchases must be to erase.
    pub expect: usize,
    pub author: String,
    pub reason: String,
}

/// What is ordered for a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideOrder {
    /// They have values of the policy of their own.
    Give {
        /// The values.
        values: PolicyOverride,
        /// Until when; `None`: until it is ended.
        until: Option<Timestamp>,
    },
    /// They have nothing of their own any more.
    End,
}

/// What is asked or ordered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveQuery {
    /// The licenses that are at a service and whose source has another one by now.
    List {
        /// Where they are.
        from: ServiceKind,
        /// Only those of this source.
        source: Option<SourceName>,
        /// After this entry.
        after: Option<String>,
    },
    /// How many licenses are to move by the services that a config names, which may not be the server's own.
    Count {
        /// Each source's service.
        named: Vec<(SourceName, ServiceKind)>,
    },
    /// How many licenses are in applications that a config names no more.
    Applications {
        /// What it names for each source.
        named: Vec<SourceApplications>,
    },
    /// The order to make them at the source's service.
    Apply {
        /// Where they are.
        from: ServiceKind,
        machines: Vec<MachineId>,
        /// Who is told of a key that cannot be kept.
        tell: TellOfKeys,
        author: String,
        reason: String,
    },
}

/// What a person says of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It may go ahead, whatever holds it.
    Approve,
    /// It is given up.
    Drop,
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The file, as the server names it.
    pub file: String,
    /// Whether plans and policies are a new revision.
    pub revision: bool,
    /// What differs and needs a restart.
    pub restart: Vec<String>,
    /// What is unwise in the file, and what mail templates have wrong.
    pub warnings: Vec<String>,
}

/// What holds at present, besides the rows of what is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// The shop's orders, oldest first.
    pub orders: Vec<StandingOrder>,
    /// Whether anything is only observed.
    pub observing: bool,
    /// Since when the guard holds everything that would end a license.
    pub guard_tripped: Option<Timestamp>,
    /// What observe mode held, against what the license service has.
    pub compared: Compared,
}

/// What would have been done in observe mode, against what the license service has by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// What would have been done.
    pub would_have_done: u64,
    /// Of it, what the service has already: somebody else did the same.
    pub service_has: u64,
    /// Of it, what the service does not have.
    pub differ: u64,
}
