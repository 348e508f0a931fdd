//! A machine as programs and people are shown it. These forms are relied on from outside.

use serde::Serialize;

use super::fact::{self, DecisionView, FactView};
use crate::domain::action::{Act, ActionOutcome, Attempt, Word};
use crate::domain::guard::name_of;
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::id::CustomerId;
use crate::domain::lifecycle::{Folded, State};
use crate::domain::machine::{Grant, LicenseStatus, Machine};
use crate::domain::plan::Devices;
use crate::domain::service_move::ServiceKind;
use crate::domain::status::PurchaseStatus;
use crate::domain::time::Timestamp;

/// A machine, as JSON shows it.
#[derive(Clone, Debug, Serialize)]
pub struct MachineView {
    /// Its id.
    pub id: String,
    /// `payment` or `subscription`.
    pub kind: &'static str,
    /// Its state.
    pub state: Option<&'static str>,
    /// What it comes to, where somebody asks who knows what its license service allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<PurchaseStatus>,
    /// The customer at Stripe.
    pub customer: Option<String>,
    /// The address for everything about payment.
    pub email: Option<String>,
    /// How many licenses were really made.
    pub licenses_created: usize,
    /// Every license that it ever had.
    pub licenses: Vec<LicenseView>,
    /// Its changes of state.
    pub transitions: Vec<TransitionView>,
    /// Work at the license service.
    pub actions: Vec<ActionView>,
    /// E-mails.
    pub notices: Vec<NoticeView>,
    /// When time alone changes something next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// Why nothing is done for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// What the operator was told of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<String>,
    /// Everything that was said about it, in its own order, where somebody asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Vec<FactView>>,
    /// What people decided about it, in the order of the facts, where somebody asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Vec<DecisionView>>,
}

/// A license.
#[derive(Clone, Debug, Serialize)]
pub struct LicenseView {
    /// Its number within the machine.
    pub seat: u32,
    /// What it is.
    pub status: LicenseStatus,
    /// Its expiry; null is for life.
    pub expires_at: Option<Timestamp>,
    /// Its devices.
    pub devices: Devices,
    /// Its plan.
    pub plan: Option<String>,
    /// The key itself, where the one who asks may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The service of before where it was left by a move of all licenses: nothing is done with it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<ServiceKind>,
}

/// A change of state.
#[derive(Clone, Debug, Serialize)]
pub struct TransitionView {
    /// When it was so.
    pub at: Timestamp,
    /// When it was seen.
    pub seen_at: Timestamp,
    /// The state before.
    pub from: Option<&'static str>,
    /// The state after.
    pub to: &'static str,
    /// The event, decision or deadline that caused it.
    pub cause: String,
}

/// A piece of work at the license service.
#[derive(Clone, Debug, Serialize)]
pub struct ActionView {
    /// Its number within the machine.
    pub id: u32,
    /// When it was decided, or carried out.
    pub at: Timestamp,
    /// What it does.
    pub kind: &'static str,
    /// The license's number.
    pub seat: u32,
    /// What became of it.
    pub outcome: &'static str,
    /// How often it was sent.
    pub attempts: u32,
    /// The expiry that it sets, where it sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What holds it, or what the service said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What holds it, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<HeldBy>,
    /// What a person said of it when it was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<Word>,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Whether it made nothing: a license that others had made was found by its label.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Its attempts with their answers, where one failed and somebody asks for it: the first and the newest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<AttemptView>,
}

/// An attempt of an action.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptView {
    /// When it was sent.
    pub sent: Timestamp,
    /// When it was answered.
    pub answered: Timestamp,
    /// How it ended.
    pub answer: &'static str,
    /// What was said; absent: nothing, or the same as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// An e-mail.
#[derive(Clone, Debug, Serialize)]
pub struct NoticeView {
    /// Its number within the machine.
    pub id: u32,
    /// When it was sent, or decided.
    pub at: Timestamp,
    /// What it says.
    pub kind: &'static str,
    /// What it belongs to.
    pub episode: String,
    /// What became of it.
    pub status: &'static str,
    /// Whom it went to.
    pub to: Option<String>,
    /// Why it was skipped, or what the mail server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Whether keys are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// In full: for the operator and the customer.
    Shown,
    /// Not at all: for replay, whose keys are made up.
    Hidden,
}

impl MachineView {
    /// A machine's page at an instant, to which it was folded.
    #[must_use]
    pub fn of(
        machine: &Machine,
        folded: &Folded,
        on_record: Option<&str>,
        now: Timestamp,
        keys: Keys,
    ) -> Self {
        Self {
            id: machine.id.to_string(),
            kind: machine.kind.as_str(),
            state: folded.state.map(State::as_str),
            status: None,
            customer: folded.contact.customer.as_ref().map(CustomerId::to_string),
            email: folded.contact.payer(on_record),
            licenses_created: machine.licenses_created(),
            licenses: licenses(machine, now, keys),
            transitions: machine
                .journal
                .iter()
                .map(|seen| TransitionView {
                    at: seen.what.at,
                    seen_at: seen.seen_at,
                    from: seen.what.from.map(State::as_str),
                    to: seen.what.to.as_str(),
                    cause: seen.what.cause.to_string(),
                })
                .collect(),
            actions: machine
                .actions
                .iter()
                .filter(|a| !matches!(a.act, Act::Read { .. } | Act::Query(_)))
                .map(|a| action(machine, a, now))
                .collect(),
            notices: machine.notices.iter().map(notice).collect(),
            wake_at: machine.wake_at,
            held: machine.held.map(|flaw| flaw.to_string()),
            reports: machine.told.iter().map(|r| r.finding.to_string()).collect(),
            facts: None,
            decisions: None,
        }
    }

    /// The same with every fact, every decision, and every attempt that is kept.
    #[must_use]
    pub fn with_history(self, machine: &Machine) -> Self {
        let mut page = Self {
            facts: Some(fact::views(machine)),
            decisions: Some(fact::decisions(machine)),
            ..self
        };
        for shown in &mut page.actions {
            let kept = machine.actions.iter().find(|a| a.id == shown.id);
            let tried = kept.and_then(|a| a.tried.as_ref()).into_iter().flatten();
            shown.tried = tried.map(attempt).collect();
        }
        page
    }
}

fn licenses(machine: &Machine, now: Timestamp, keys: Keys) -> Vec<LicenseView> {
    let mut licenses: Vec<LicenseView> = machine
        .grants
        .iter()
        .map(|g| LicenseView {
            seat: g.number,
            status: g.status_at(now),
            expires_at: g.expires_at,
            devices: g.devices,
            plan: g.plan.as_ref().map(ToString::to_string),
            key: (keys == Keys::Shown).then(|| g.key.reveal().to_owned()),
            left_at: g.service.filter(|_| g.is_left()),
        })
        .collect();
    licenses.sort_by_key(|l| l.seat);
    licenses
}

fn action(machine: &Machine, a: &crate::domain::action::Action, now: Timestamp) -> ActionView {
    let found = |g: &Grant| g.number == a.license && g.adopted;
    let made = a.act.creates() && a.outcome == ActionOutcome::Done;
    ActionView {
        id: a.id,
        at: a.at,
        kind: name_of(machine, a, now),
        seat: a.license,
        outcome: a.outcome.as_str(),
        attempts: a.attempts,
        expires_at: a.act.sets_end().flatten(),
        error: a.waits_because(),
        held_by: (a.outcome == ActionOutcome::Held)
            .then(|| a.held.as_ref().map(Hold::by))
            .flatten(),
        word: a.word(),
        next: (a.outcome == ActionOutcome::Pending).then_some(a.due),
        adopted: made && machine.grants.iter().any(found),
        tried: Vec::new(),
    }
}

fn attempt(a: &Attempt) -> AttemptView {
    AttemptView {
        sent: a.sent,
        answered: a.answered,
        answer: a.answer.as_str(),
        said: a.said.clone(),
    }
}

fn notice(n: &crate::domain::notice::Notice) -> NoticeView {
    NoticeView {
        id: n.id,
        at: n.at,
        kind: n.kind.as_str(),
        episode: n.about.to_string(),
        status: n.status.as_str(),
        to: n.to.clone(),
        why: n.why(),
    }
}
