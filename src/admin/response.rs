//! The answers. What programs read comes as the JSON that they get, so that no form exists twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::failure::Failure;
use super::held_work::HeldWork;
use super::payload::{Holding, Reloaded};
use super::request::BackfillPosition;
use crate::domain::hold::HeldBy;
use crate::domain::id::{EventId, MachineId, Scope, SourceName};
use crate::domain::service_move::ServiceKind;
use crate::domain::time::Timestamp;
use crate::effects::backfill::Backfilled;

/// An answer. What programs read comes as the JSON that they get, so that no form exists twice.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Pages of purchases.
    Found {
        /// The pages.
        machines: Vec<Box<RawValue>>,
    },
    /// A purchase.
    Machine {
        /// Its page.
        view: Box<RawValue>,
        /// What people decided about it.
        decided: Vec<TimelineItem>,
        /// What comes next.
        next: Vec<TimelineItem>,
    },
    /// One event.
    Event {
        /// Its line in the list of events.
        view: Box<RawValue>,
        /// Its body as it came.
        body: String,
    },
    List {
        /// Its rows, oldest first.
        rows: Vec<Box<RawValue>>,
        /// Older rows that were left out.
        more: u64,
    },
    /// A part of a longer list.
    Page {
        rows: Vec<Box<RawValue>>,
        /// Where the next part begins; absent: this was the last one.
        next: Option<String>,
        /// The instant that it shows.
        at: Timestamp,
    },
    /// Events that had not arrived.
    Backfilled(BackfillPart),
    /// What is held, and by what.
    Held {
        /// Its actions, oldest first.
        rows: Vec<Box<RawValue>>,
        /// Older rows that were left out.
        more: u64,
        /// What holds them.
        holding: Holding,
    },
    /// Events that were read again.
    Reread(Reread),
    /// The config was read again.
    Reloaded(Reloaded),
    /// What was changed.
    Changed(Changed),
    /// Nothing came of it.
    Failed(Failure),
}

/// A part of the events that were looked through.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackfillPart {
    /// The source, and the connected account if there is one.
    pub scope: Scope,
    /// Up to when.
    pub to: Timestamp,
    /// What was in it.
    pub found: Backfilled,
    /// Where the next part begins; absent: this was the last one.
    pub next: Option<BackfillPosition>,
    /// Why it ends before its end: Stripe gives no answer now.
    #[serde(default)]
    pub unanswered: Option<Unanswered>,
}

/// Stripe gives no answer now: to be asked again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unanswered {
    /// Its own wish, in milliseconds.
    pub after_ms: Option<i64>,
    /// What it said.
    pub why: String,
}

/// What came of reading events again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reread {
    /// Whether they were taken in.
    pub applied: bool,
    /// How many change nothing still.
    pub unchanged: u64,
    /// Those that are read otherwise now, the oldest first.
    pub rows: Vec<Box<RawValue>>,
}

/// Something that happened or will happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimelineItem {
    pub at: Timestamp,
    pub what: String,
}

/// What an order changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The purchases.
    pub machines: Vec<String>,
    /// Events that could not be read, where the order was about one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// The source, where the order was about what the nightly audit found of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<SourceName>,
    /// How many actions, where the order was about actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<u32>,
    /// How many mails, where the order was about mails too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mails: Option<u32>,
    /// The decision's id, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Purchases whose keys were noted for the next adoption and are forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noted: Option<u32>,
    /// Purchases that an undone adoption took in and that stay: something was heard of them or done since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stay: Vec<String>,
    /// How many actions stay held, by what holds them, where the order was about all that one thing holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub still_held: BTreeMap<HeldBy, u32>,
    /// Held creates that a word on all left out, for a key may be there already: each is settled by its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggested: Vec<String>,
    /// What of a decision is held all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldWork>,
    /// Licenses that no order reaches any more: they were left at a service that the config names no more, and work there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_of_reach: Vec<OutOfReach>,
}

/// A license at a service that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfReach {
    /// Its number within the purchase.
    pub number: u32,
    /// The last characters of its key.
    pub key: String,
    /// Where it is.
    pub at: ServiceKind,
}

/// An event in the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When it reached us.
    pub received: Timestamp,
    /// When it was made.
    pub created: Timestamp,
    /// Where its id is known.
    pub scope: Scope,
    pub id: EventId,
}

/// A line with its instant; without a text where the body is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HistoryLine {
    /// When it reached us.
    pub received: Timestamp,
    /// The line.
    pub text: Option<String>,
}

/// Purchases with all that is known of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryGroup {
    /// The purchases.
    pub machines: Vec<String>,
    /// What was received, in that order.
    pub lines: Vec<HistoryLine>,
}

/// Purchases that are replayed together, in the forms in which they are stored, packed as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Purchases {
    /// Each as a [`Purchase`](crate::sim::purchase::Purchase).
    pub purchases: Vec<String>,
    /// What is known of their customer.
    pub customer: Option<String>,
}

/// How many live purchases are judged by what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyCounts {
    pub plans: BTreeMap<String, u64>,
    pub policies: BTreeMap<String, u64>,
}

/// A purchase for which the newest revision changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AffectedPurchase {
    /// The purchase.
    pub machine: MachineId,
    pub plans: Vec<String>,
    /// What changes, in words.
    pub changes: Vec<String>,
}

/// What an order changed, as an answer.
pub(super) fn changed(
    machines: impl IntoIterator<Item = MachineId>,
    actions: u32,
    mails: u32,
) -> Response {
    let machines = machines.into_iter().map(|m| m.to_string()).collect();
    Response::Changed(Changed {
        machines,
        actions: Some(actions),
        mails: Some(mails).filter(|n| *n > 0),
        ..Changed::default()
    })
}
