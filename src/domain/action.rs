//! Actions: durable pieces of outside work at the license service, and what comes of them.

mod act;
mod attempt;
mod phase;
mod refusal;
#[cfg(test)]
pub(crate) mod samples;
mod word;

use std::fmt;

use minicbor::{Decode, Encode};

pub use act::{Act, NewLicense, Question, SeatId};
pub use attempt::{Answer, Attempt};
pub use phase::CreatePhase;
pub use refusal::RefusalScope;
pub use word::{Word, WordKind};

use super::by_hand::{ByHand, Task};
use super::hold::{Cleared, Hold};
use super::id::{Label, LicenseKey};
use super::plan::Devices;
use super::policy::choices;
use super::service_move::ServiceKind;
use super::time::{Span, Timestamp};
use crate::domain::words::{Sentence, sentences};

/// A purchase that is paid has its key within this, or the seller looks at it.
const KEY_WITHIN: Span = Span::from_minutes(15);

sentences!(Missing);

choices! {
    /// What became of an action.
    ActionOutcome {
        /// It waits for its instant, or is under way.
        0 Pending = "pending",
        /// The service confirmed it.
        1 Done = "done",
        /// Somebody or something holds it back.
        2 Held = "held",
        /// It was no longer needed when its turn came.
        3 Superseded = "superseded",
        /// The service refused it, and a retry cannot mend that.
        4 Refused = "refused",
        /// A person gave it up.
        5 Abandoned = "abandoned",
    }
}

/// One piece of work at the license service, or one question to Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Action {
    /// Its number within the machine; with the machine's id it is the action's name.
    #[n(0)]
    pub id: u32,
    /// What it does.
    #[n(1)]
    pub act: Act,
    /// The license's number within the machine; 0 for a question.
    #[n(2)]
    pub license: u32,
    /// The label of a license to be made or found. It is looked for no more once that is done.
    #[n(3)]
    pub label: Option<Label>,
    /// When it was decided; for one that was carried out, when that was.
    #[n(4)]
    pub at: Timestamp,
    /// What became of it.
    #[n(5)]
    pub outcome: ActionOutcome,
    /// How often it was sent.
    #[n(6)]
    pub attempts: u32,
    /// When it is due next.
    #[n(7)]
    pub due: Timestamp,
    /// What the service said last, if that was no success.
    #[n(8)]
    pub error: Option<String>,
    /// Where a create stands.
    #[n(9)]
    pub phase: CreatePhase,
    /// Why it is held.
    #[n(10)]
    pub held: Option<Hold>,
    /// What of it is missing at the license service.
    #[n(11)]
    pub missing: Option<Missing>,
    /// What a person does instead, where the service does not take it from us.
    #[n(12)]
    pub by_hand: Option<ByHand>,
    /// What let it pass where it would be held.
    #[n(13)]
    pub cleared: Option<Cleared>,
    /// Its attempts with their answers, where one failed: the first and the newest of them.
    #[n(14)]
    pub tried: Option<Vec<Attempt>>,
    /// The license service at which a create is to be made, or may have been; `None`: it is done, or no create, or the service
    /// is simulated.
    #[n(15)]
    pub service: Option<ServiceKind>,
    /// How far the refusal goes with which the last attempt was answered.
    #[n(16)]
    pub refused: Option<RefusalScope>,
    /// Since when it is held; `None`: it never was, or was by a version that did not keep it.
    #[n(17)]
    pub held_at: Option<Timestamp>,
    /// Whether the new end that it sets was an earlier one when it was decided; `None`: it was not, or it sets none. The
    /// license says so no more once it is done.
    #[n(18)]
    pub shortens: Option<bool>,
    /// When a person said that it may go ahead, or is given up; `None`: nobody did, or a version heard it that did not keep it.
    /// Not `let_go_at`: what is given up is not let go, and what observe mode or a pause holds on waits though it has its yes.
    #[n(19)]
    pub word_at: Option<Timestamp>,
    /// When what held it last let it go; `None`: nothing did.
    /// Not `word_at`: a pause that is over, or time that is trusted again, lets go without a person's word.
    #[n(20)]
    pub let_go_at: Option<Timestamp>,
    /// When a recovery last found that it was not made: what was not known before that is known. Its buyer has waited since `at`
    /// all the same.
    #[n(21)]
    pub missed_at: Option<Timestamp>,
}

/// What is not at the license service, as far as we know ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Missing {
    /// The create was not carried out, so it is sent.
    #[n(0)]
    NotMade,
    /// No license carries the label, so there is nothing to adopt.
    #[n(1)]
    NoneThere,
    /// The license that it is about is gone.
    #[n(2)]
    Gone,
    /// What was accepted: the license does not show it.
    #[n(3)]
    Effect,
}

impl Missing {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::NotMade, Self::NoneThere, Self::Gone, Self::Effect];
}

impl Sentence for Missing {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotMade => "looked for: it was not made",
            Self::NoneThere => "looked for: there is none",
            Self::Gone => "the license is gone at the license service",
            Self::Effect => "it is asked for again whenever the license is read",
        })
    }
}

impl Action {
    /// One that was just decided and is due at once.
    #[must_use]
    pub fn new(id: u32, act: Act, license: u32, now: Timestamp) -> Self {
        Self {
            id,
            act,
            license,
            label: None,
            at: now,
            outcome: ActionOutcome::Pending,
            attempts: 0,
            due: now,
            error: None,
            phase: CreatePhase::Ready,
            held: None,
            missing: None,
            by_hand: None,
            cleared: None,
            tried: None,
            service: None,
            refused: None,
            held_at: None,
            shortens: None,
            word_at: None,
            let_go_at: None,
            missed_at: None,
        }
    }

    /// Holds it back.
    pub fn hold(&mut self, hold: Hold, now: Timestamp) {
        (self.outcome, self.held, self.held_at) = (ActionOutcome::Held, Some(hold), Some(now));
    }

    /// Lets it go ahead now.
    pub fn let_go(&mut self, now: Timestamp) {
        (self.outcome, self.held) = (ActionOutcome::Pending, None);
        self.make_due(now);
        self.let_go_at = Some(now);
    }

    /// Makes it due now, in the place that it had when it was decided: what is let go together goes in the order in which it
    /// was sold.
    pub fn make_due(&mut self, now: Timestamp) {
        self.due = self.at.min(now);
    }

    /// Since when it waits for nothing but its service: since it was decided, or let go.
    #[must_use]
    pub fn set_out_at(&self) -> Timestamp {
        self.let_go_at.map_or(self.at, |at| at.max(self.at))
    }

    /// Whether a key that it makes is late for the seller: the list of what waits for a person shows it from now on, and the
    /// purchase is shown as delayed. Counted from when it was decided, for it is the buyer's whole wait. The mail to the buyer
    /// (`notice/keys.rs`) comes later, and counts from [`set_out_at`](Self::set_out_at): what a person held back is not the
    /// service's delay.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        now - self.at >= KEY_WITHIN
    }

    /// Notes what a person said of it.
    pub fn clear(&mut self, by: Cleared, now: Timestamp) {
        (self.cleared, self.word_at) = (Some(by), Some(now));
    }

    /// Why it is not done, in words: the service's, or ours.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        let task = self.by_hand.map(|by_hand| Task {
            by_hand,
            act: &self.act,
        });
        let ours = task
            .map(|task| task.to_string())
            .or_else(|| self.missing.map(|missing| missing.to_string()));
        match (&self.error, ours) {
            (Some(said), Some(ours)) => Some(format!("{said}. {ours}")),
            (Some(said), None) => Some(said.clone()),
            (None, ours) => ours,
        }
    }

    /// Whether it waits, is under way, or is held.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.outcome, ActionOutcome::Pending | ActionOutcome::Held)
    }

    /// Whether it makes a license that was not asked for yet, so that nothing must be looked for first.
    #[must_use]
    pub const fn is_ready_create(&self) -> bool {
        self.act.creates()
            && matches!(self.outcome, ActionOutcome::Pending)
            && matches!(self.phase, CreatePhase::Ready)
    }
}

/// A license as the service confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The key.
    pub key: LicenseKey,
    /// Its status.
    pub status: GrantStatus,
    /// Its expiry.
    pub expires_at: Option<Timestamp>,
    /// Its devices, where told.
    pub devices: Option<Devices>,
    /// Found by its label instead of made.
    pub adopted: bool,
    /// Further licenses that were found to carry a label of the purchase; they are left alone.
    pub others: Vec<LicenseKey>,
}

choices! {
    /// What the service says of a license.
    GrantStatus {
        /// It works until its expiry.
        0 Live = "live",
        /// Stopped, and can come back.
        1 Suspended = "suspended",
        /// Ended.
        2 Revoked = "revoked",
    }
}

/// What came of carrying an action out, sorted by what is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service confirmed the state.
    Done(Confirmed),
    /// Nothing happened: try again, not before the given span if there is one.
    Again {
        /// The service's own wish.
        after: Option<Span>,
        /// What happened.
        why: String,
    },
    /// It may have acted.
    Unknown {
        /// What happened.
        why: String,
    },
    /// It will not, and a retry does not mend that.
    Refused {
        /// What it said.
        why: String,
        /// How far that goes.
        scope: RefusalScope,
    },
    /// It was accepted, and the license does not show it.
    NoEffect {
        /// What it said, or shows.
        why: String,
    },
    /// It does not take it from us, and a person can do it there.
    ByHand {
        /// What it said, where it was asked.
        why: Option<String>,
        /// What is to be done.
        by_hand: ByHand,
    },
    /// A complete sweep that began at the instant did not find a create's label.
    Absent {
        /// When the sweep began.
        began: Timestamp,
    },
    /// The license is gone at the service.
    Gone,
    /// A query was answered. What it said came in as a fact or a record of its own.
    Answered,
}

impl Outcome {
    /// How far it goes, where it is a refusal.
    #[must_use]
    pub const fn refused(&self) -> Option<RefusalScope> {
        if let Self::Refused { scope, .. } = self {
            Some(*scope)
        } else {
            None
        }
    }
}

/// What the license service can do. Declared by its adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Whether an expiry can be moved to an earlier instant.
    pub can_shorten: bool,
    /// Whether a revocation can be undone.
    pub revoke_reversible: bool,
    /// Whether devices can be changed.
    pub set_devices: bool,
    /// The most devices on one key.
    pub devices_max: u32,
    /// Whether mail is sent at all.
    pub sends_mail: bool,
    /// Whether Stripe can be asked (the source has an API key).
    pub can_query: bool,
    /// A request of unknown outcome may land until this long after it was sent.
    pub request_timeout: Span,
    /// How long to wait before each of the sweeps that recover a create of unknown outcome.
    pub lookup_after: Vec<Span>,
}

impl Abilities {
    /// What replay's simulated services can: everything.
    #[must_use]
    pub fn simulated() -> Self {
        Self {
            can_shorten: true,
            revoke_reversible: true,
            set_devices: true,
            devices_max: 16,
            sends_mail: true,
            // What queries said stands in the history.
            can_query: false,
            request_timeout: Span::from_s(35),
            lookup_after: vec![Span::from_s(2), Span::from_s(15)],
        }
    }
}
