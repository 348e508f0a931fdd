//! What a person said of an action that was held: who, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Action, ActionOutcome};
use crate::domain::hold::Cleared;
use crate::domain::time::Timestamp;
use crate::domain::words::{Sentence, sentences};

sentences!(Word);

/// What a person said of an action that was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// What they said.
    pub what: WordKind,
    /// The person or program that ordered it.
    pub by: String,
    /// The reason that was given.
    pub reason: String,
    /// When; absent where that was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What a person says of an action that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordKind {
    /// It may go ahead.
    Approved,
    /// It is given up.
    Dropped,
    /// The difference that it settles is to be repaired.
    Repaired,
}

impl Action {
    /// What a person said of it.
    #[must_use]
    pub fn word(&self) -> Option<Word> {
        let (what, by, reason) = match (&self.cleared, self.outcome) {
            (Some(Cleared::Person { author, reason }), ActionOutcome::Abandoned) => {
                (WordKind::Dropped, author, reason)
            }
            (Some(Cleared::Person { author, reason }), _) => (WordKind::Approved, author, reason),
            (Some(Cleared::Repair { author, reason }), _) => (WordKind::Repaired, author, reason),
            (Some(Cleared::Guard | Cleared::Decision) | None, _) => return None,
        };
        Some(Word {
            what,
            by: by.clone(),
            reason: reason.clone(),
            at: self.word_at,
        })
    }

    /// What it waits for or failed by, in words: what holds it, before what was said of its last attempt.
    #[must_use]
    pub fn waits_because(&self) -> Option<String> {
        let held = self.held.as_ref().map(ToString::to_string);
        held.filter(|_| self.outcome == ActionOutcome::Held)
            .or_else(|| self.why())
    }
}

impl Sentence for Word {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            WordKind::Approved => "approved",
            WordKind::Dropped => "dropped",
            WordKind::Repaired => "repair ordered",
        };
        write!(f, "{what} by {}: {}", self.by, self.reason)
    }
}
