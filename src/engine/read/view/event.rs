//! An event as lists show it.

use serde::Serialize;

use crate::domain::id::Scope;
use crate::domain::time::Timestamp;
use crate::engine::record::EventRecord;
use crate::engine::record::disposition::Disposition;

/// An event, as lists show it.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// Where its id is known.
    #[serde(skip)]
    pub scope: Scope,
    /// The event.
    pub event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it reached us.
    pub received: Timestamp,
    /// What became of it.
    pub disposition: &'static str,
    /// Its machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The names that it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// How long it has waited, in seconds, where somebody said what time it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_s: Option<i64>,
    /// How often Stripe was asked for what it waits for and knew no link; absent where nobody asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_up: Option<u32>,
    /// Who looked at it while it waited, and why it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noted: Option<String>,
    /// Why it changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl EventView {
    pub(super) fn of(scope: Scope, event: String, record: &EventRecord) -> Self {
        let mut view = Self {
            scope,
            event,
            kind: record.kind.clone(),
            created: record.created,
            received: record.received,
            disposition: "applied",
            machine: None,
            waits_for: Vec::new(),
            age_s: None,
            looked_up: None,
            noted: record.noted.as_ref().map(ToString::to_string),
            reason: None,
        };
        match &record.disposition {
            Disposition::Applied(machine) => {
                view.machine = machine.as_ref().map(ToString::to_string)
            }
            Disposition::Parked(names) => {
                (view.disposition, view.waits_for) = ("parked", names.clone())
            }
            Disposition::Ignored(_) | Disposition::Unreadable(_) => {
                (view.disposition, view.reason) = ("ignored", record.disposition.why_ignored());
            }
        }
        view
    }
}
