//! What an operator can ask and order: one line of JSON each on the socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::payload::{EraseQuery, MoveQuery, OverrideOrder, Settlement};

use crate::domain::adoption::Repair;
use crate::domain::decision::Decision;
use crate::domain::hold::HeldBy;
use crate::domain::id::{EventId, MachineId, Scope, SourceName};
use crate::domain::probe::ServiceProbe;
use crate::domain::standing::Standing;
use crate::domain::time::Timestamp;

/// What an operator asks or orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Which purchases a text leads to.
    Find {
        /// An address, a key or an id.
        text: String,
    },
    /// One purchase's page.
    Show {
        /// Its id, or what leads to it alone.
        machine: String,
    },
    /// One event as it came.
    Event {
        /// Its id.
        id: String,
    },
    /// Why the licenses of purchases are what they are.
    Why {
        /// An address, a key or an id.
        text: String,
        /// As it was at this instant; absent: now.
        at: Option<Timestamp>,
        /// By what was known at this instant; absent: now.
        known_at: Option<Timestamp>,
    },
    /// What became of events.
    Events {
        /// Only those; absent: all.
        which: Option<EventFilter>,
        /// The newest so many.
        limit: Option<u32>,
    },
    /// Signed deliveries that were no events.
    Refused {
        /// The newest so many.
        limit: Option<u32>,
    },
    /// Work that waits, is held or was refused.
    Actions {
        /// The newest so many.
        limit: Option<u32>,
    },
    /// Everything that waits for a person.
    Attention,
    /// The server's config, read again.
    Reload,
    /// The next part of the events that never arrived.
    Backfill(BackfillQuery),
    /// Events that changed nothing, read again.
    Reread(RereadQuery),
    /// The next try now.
    Retry(ActionFilter),
    /// No further try.
    Abandon {
        /// The action's name.
        id: String,
    },
    /// Not before `retry`.
    Hold {
        /// The action's name.
        id: String,
        /// Why, for whoever sees it in the list.
        reason: String,
    },
    /// A backup of everything, by the server that runs.
    Backup {
        /// The file, by its absolute path.
        target: PathBuf,
    },
    /// Whether everything that is stored fits together.
    Verify {
        /// Whether to put right what does not.
        repair: bool,
    },
    /// What a probe learned of a license service.
    Probed(ServiceProbe),
    /// How the sources of a config, which may not be the server's own, differ from those that have purchases.
    Sources {
        /// Their names.
        named: Vec<SourceName>,
    },
    /// What is known of a license service by a probe.
    Probe {
        /// The service.
        service: String,
    },
    /// A license for somebody who did not buy.
    Issue {
        /// The source that serves it; absent: the only one.
        source: Option<String>,
        /// What, who and why.
        decision: Decision,
    },
    /// What is held, and by what.
    Held {
        /// The newest so many.
        limit: Option<u32>,
    },
    /// A person's word on what is held.
    Settle {
        /// The action's name; absent: all that `held_by` holds.
        id: Option<String>,
        /// Whose; absent: what the guard holds.
        #[serde(default)]
        held_by: Option<HeldBy>,
        /// The decision on a batch of held work.
        settlement: Settlement,
        /// The operator who ordered it.
        author: String,
        /// The reason that was given.
        reason: String,
    },
    /// What a customer has of their own.
    Override {
        /// The customer, or anything that leads to a purchase of theirs.
        whom: String,
        /// The change of the overrides.
        what: OverrideOrder,
        /// The operator who ordered it.
        author: String,
        /// The reason that was given.
        reason: String,
    },
    /// An order for the whole shop.
    Order {
        /// The order.
        what: Standing,
        /// The operator who ordered it.
        author: String,
        /// The reason that was given.
        reason: String,
    },
    /// A page of the history.
    History(HistoryQuery),
    /// What plans and policies judge, and the newest ones' word on what already is.
    Policy(PolicyQuery),
    /// What a look at a shop needs of the store.
    Adoption(AdoptionQuery),
    /// A customer's data.
    Erase(EraseQuery),
    /// What moves to another license service.
    Move(MoveQuery),
    /// A person's decision.
    Decide {
        /// The purchase's id, or what leads to it alone.
        machine: String,
        /// What, who and why.
        decision: Decision,
    },
}

/// Which events are read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RereadQuery {
    /// Their ids; empty: all of the reason.
    pub events: Vec<String>,
    /// Why they changed nothing; absent: for whatever reason.
    pub reason: Option<String>,
    /// Whether to take in what is read otherwise now.
    pub apply: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventFilter {
    /// Those that belong somewhere.
    Applied,
    /// Those that wait.
    Parked,
    /// Those that change nothing.
    Ignored,
}

impl EventFilter {
    /// The word in an event's view.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Parked => "parked",
            Self::Ignored => "ignored",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionFilter {
    /// One, or all of a purchase.
    Id(String),
    /// All at a service.
    Service(String),
    All,
}

/// Which page.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryQuery {
    /// Events without their bodies, in the order of their keys.
    Events {
        /// Only those that belong to no purchase and might to one under another config, or that wait.
        loose: bool,
        /// After this entry.
        after: Option<String>,
        /// What was received until then; absent: until now.
        until: Option<Timestamp>,
    },
    /// Lines for what was said without an event: decisions and queries.
    Said {
        /// After this entry.
        after: Option<String>,
        /// What was received until then.
        until: Timestamp,
    },
    /// The ids of all purchases.
    Machines {
        /// After this entry.
        after: Option<String>,
        /// What began until then.
        until: Timestamp,
    },
    /// Lines of events.
    Bodies {
        /// Scope and id of each.
        events: Vec<(Scope, EventId)>,
    },
    /// The whole history of the purchase that this text leads to.
    Only(String),
    /// Every purchase with its facts, those that share a customer together.
    Purchases {
        /// After this entry.
        after: Option<String>,
        /// What was received until then; absent: until now.
        until: Option<Timestamp>,
    },
    /// Every revision, as it is stored.
    Revisions,
}

/// Which events to fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackfillQuery {
    /// Those made since then.
    pub since: Timestamp,
    /// Only of this source.
    pub source: Option<String>,
    /// Where to go on; absent: at the beginning.
    pub position: Option<BackfillPosition>,
}

/// Where a part of the events ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackfillPosition {
    /// The account.
    pub scope: Scope,
    /// The next events are as old as this.
    pub from: Timestamp,
    /// The last ones are.
    pub until: Timestamp,
}

/// What is asked or ordered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyQuery {
    /// How many live purchases each plan and policy judges.
    Counts,
    /// What the newest revision would change for what already is.
    Preview {
        /// Only purchases of this plan.
        plan: Option<String>,
    },
    /// The order to judge by it.
    Apply {
        /// Only purchases of this plan.
        plan: Option<String>,
        decision: Decision,
    },
}

/// What `adopt` and `audit` ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdoptionQuery {
    /// The purchases as they are stored.
    Machines {
        /// After this entry.
        after: Option<String>,
    },
    /// Digests of keys and of the labels that were read.
    Labels,
    /// The order to take purchases in.
    Apply {
        /// Each as an [`AdoptedPurchase`](crate::adopt::AdoptedPurchase), packed as text.
        purchases: Vec<String>,
    },
    /// Events that Stripe made while the shop was read.
    Deliver {
        /// Whose they are.
        source: SourceName,
        /// Their bodies, oldest first.
        events: Vec<String>,
    },
    /// The order to repair what an audit found of purchases.
    Repair {
        /// The repair that was chosen.
        repair: Repair,
        /// Whether it ends keys: else it only gives.
        takes: bool,
        purchases: Vec<Differing>,
        author: String,
        reason: String,
    },
    /// The order to forget what was adopted and is as it was then.
    Undo,
    /// Labels that were read meanwhile.
    Remember {
        /// Digests of keys and labels.
        labels: Vec<(u64, u64)>,
    },
}

/// A purchase that an audit found to differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// The purchase.
    pub machine: MachineId,
    /// The numbers of its licenses that differ, where a repair is about single ones.
    pub licenses: Vec<u32>,
}

/// The parts of an action's name, `stripe/sub_123#4`.
#[must_use]
pub(super) fn action_name(text: &str) -> Option<(&str, u32)> {
    let (machine, number) = text.trim().rsplit_once('#')?;
    Some((machine, number.parse().ok()?))
}
