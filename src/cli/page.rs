//! The forms of lists and pages as this command reads them back: what it does not know, it leaves out.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::admin::Failure;
use crate::domain::action::{Word, WordKind};
use crate::domain::hold::HeldBy;
use crate::domain::machine::LicenseStatus;
use crate::domain::status::PurchaseStatus;

/// A purchase.
#[derive(Debug, Deserialize)]
pub(super) struct PurchasePage {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) state: Option<String>,
    pub(super) status: Option<PurchaseStatus>,
    pub(super) customer: Option<String>,
    pub(super) email: Option<String>,
    pub(super) licenses: Vec<LicenseRow>,
    pub(super) transitions: Vec<Transition>,
    pub(super) actions: Vec<Action>,
    pub(super) notices: Vec<Notice>,
    pub(super) held: Option<String>,
    #[serde(default)]
    pub(super) reports: Vec<String>,
    #[serde(default)]
    pub(super) facts: Vec<FactRow>,
}

/// A fact.
#[derive(Debug, Deserialize)]
pub(super) struct FactRow {
    pub(super) event: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) at: String,
    pub(super) received: String,
    pub(super) object: Option<String>,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
}

/// An attempt of an action.
#[derive(Debug, Deserialize)]
pub(super) struct AttemptRow {
    pub(super) sent: String,
    pub(super) answer: String,
    pub(super) said: Option<String>,
}

impl PurchasePage {
    /// The state in one word.
    pub(super) fn word(&self) -> &str {
        match (&self.held, &self.state) {
            (Some(_), _) => "held",
            (None, Some(state)) => state,
            (None, None) => "unknown",
        }
    }

    /// What it comes to, in one word.
    pub(super) fn status(&self) -> &'static str {
        self.status.map_or("", PurchaseStatus::as_str)
    }
}

/// A license.
#[derive(Debug, Deserialize)]
pub(super) struct LicenseRow {
    pub(super) seat: u32,
    pub(super) status: LicenseStatus,
    pub(super) expires_at: Option<String>,
    pub(super) devices: Value,
    pub(super) plan: Option<String>,
    pub(super) key: Option<String>,
    #[serde(default)]
    pub(super) left_at: Option<String>,
}

/// A change of state.
#[derive(Debug, Deserialize)]
pub(super) struct Transition {
    pub(super) at: String,
    pub(super) seen_at: String,
    pub(super) from: Option<String>,
    pub(super) to: String,
    pub(super) cause: String,
}

/// Work at the license service.
#[derive(Debug, Deserialize)]
pub(super) struct Action {
    pub(super) id: u32,
    pub(super) at: String,
    pub(super) kind: String,
    pub(super) seat: u32,
    pub(super) outcome: String,
    pub(super) attempts: u32,
    pub(super) expires_at: Option<String>,
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) word: Option<Word>,
    pub(super) next: Option<String>,
    #[serde(default)]
    pub(super) adopted: bool,
    #[serde(default)]
    pub(super) tried: Vec<AttemptRow>,
}

impl Action {
    /// Whether a person gave it up, and said why.
    pub(super) fn is_dropped(&self) -> bool {
        let dropped = |w: &Word| w.what == WordKind::Dropped;
        self.word.as_ref().is_some_and(dropped)
    }
}

/// An e-mail.
#[derive(Debug, Deserialize)]
pub(super) struct Notice {
    pub(super) at: String,
    pub(super) kind: String,
    pub(super) episode: String,
    pub(super) status: String,
    pub(super) to: Option<String>,
    pub(super) why: Option<String>,
}

/// An event.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) event: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) received: String,
    pub(super) disposition: String,
    pub(super) machine: Option<String>,
    #[serde(default)]
    pub(super) waits_for: Vec<String>,
    pub(super) age_s: Option<i64>,
    pub(super) looked_up: Option<u32>,
    pub(super) noted: Option<String>,
    pub(super) reason: Option<String>,
}

/// A signed delivery that was no event.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) at: String,
    pub(super) source: String,
    pub(super) why: String,
    pub(super) body: String,
}

/// An action of some purchase.
#[derive(Debug, Deserialize)]
pub(super) struct ActionRow {
    pub(super) id: String,
    pub(super) service: String,
    pub(super) kind: String,
    #[serde(default)]
    pub(super) would: Option<String>,
    pub(super) outcome: String,
    pub(super) attempts: u32,
    pub(super) error: Option<String>,
    pub(super) next: Option<String>,
    #[serde(default)]
    pub(super) held_by: Option<HeldBy>,
    #[serde(default)]
    pub(super) held_at: Option<String>,
}

/// Reads rows back.
///
/// # Errors
/// When an answer is of another version.
pub(super) fn read<T: for<'d> Deserialize<'d>>(rows: &[Box<RawValue>]) -> Result<Vec<T>, Failure> {
    let read = |row: &RawValue| {
        serde_json::from_str(row.get()).map_err(|e| {
            Failure::ours(format!("the server's answer makes no sense: {e}"))
                .hint("is the server of the same version as this command?")
        })
    };
    rows.iter().map(|row| read(row)).collect()
}
