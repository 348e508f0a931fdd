//! A license that another purchase of the customer waits for (rule 35): taken in without a key, it goes on with the license of
//! the customer's ended subscription once a person says yes to it. Until then that license is ended by a person's order alone.
//! So is one that another hand made for a subscription that still runs: who served the shop before may have lengthened the one
//! key for both.

use std::fmt;

use super::action::{Action, ActionOutcome};
use super::guard::is_hurtful;
use super::hold::{Cleared, Hold};
use super::id::MachineId;
use super::machine::Machine;
use super::revision::Revisions;
use super::time::Timestamp;
use super::transfer::{apart, created, fits, goes_on_with_former, is_ended};
use super::words::{Sentence, sentences};

sentences!(Awaiting);

/// The purchase that waits for a license, and its create that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaiting {
    pub machine: MachineId,
    /// The create's number.
    pub create: u32,
    /// Whether a yes to the create brings the license over: the subscription that had it is over.
    pub comes_over: bool,
}

impl Awaiting {
    /// The command that brings it over.
    #[must_use]
    pub fn settled_by(&self) -> String {
        let Self {
            machine, create, ..
        } = self;
        format!("keyward held approve {machine}#{create} --reason …")
    }
}

impl Sentence for Awaiting {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.comes_over {
            "goes on with this license"
        } else {
            "may be served by this license"
        };
        write!(
            f,
            "{} of the same customer has no key yet, and {how}: `{}` first",
            self.machine,
            self.settled_by()
        )
    }
}

/// Whether an action is to end a license of an ended subscription, or one that another hand made, or take time of it, and no
/// person's order asks for that.
#[must_use]
pub fn ends(machine: &Machine, action: &Action, now: Timestamp) -> bool {
    let waits = matches!(action.outcome, ActionOutcome::Pending | ActionOutcome::Held);
    let is_ordered = action.cleared == Some(Cleared::Decision);
    let mut grants = machine.grants.iter();
    let by_others = grants.any(|g| g.number == action.license && g.adopted);
    let is_doubtful = is_ended(machine) || by_others;
    waits && is_doubtful && !is_ordered && is_hurtful(machine, action, now)
}

/// What of another purchase waits for the license that an action ends.
#[must_use]
pub fn awaiting(
    other: &Machine,
    ended: &Machine,
    end: &Action,
    revisions: &Revisions,
    now: Timestamp,
) -> Option<Awaiting> {
    let grant = ended.grants.iter().find(|g| g.number == end.license)?;
    let waits = |a: &&Action| {
        let held = a.outcome == ActionOutcome::Held && a.held == Some(Hold::Adoption);
        held && created(a).is_some_and(|new| fits(ended, grant, new, now))
    };
    let mut creates = other.actions.iter().filter(waits).peekable();
    if creates.peek().is_none() || apart(ended.livemode, other.livemode) {
        return None;
    }
    let folded = other.folded(revisions, now);
    let began = folded.transitions.first().map_or(now, |t| t.at);
    let create = creates.find(|a| goes_on_with_former(other, a, began, revisions))?;
    Some(Awaiting {
        machine: other.id.clone(),
        create: create.id,
        comes_over: is_ended(ended),
    })
}

/// Holds an end that was let go, or never held, until the other purchase has the license or goes without: no yes to the end is
/// a no to the customer. It is held since whenever it was first.
pub fn hold(end: &mut Action, now: Timestamp) {
    end.hold(Hold::Adoption, end.held_at.unwrap_or(now));
    (end.cleared, end.word_at, end.let_go_at) = (None, None, None);
}
