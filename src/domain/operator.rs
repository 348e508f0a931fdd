//! What an operator's command does with actions, outcome by outcome.

use super::action::{Action, ActionOutcome, CreatePhase};
use super::hold::{Cleared, Hold};
use super::holding::read_first;
use super::machine::Machine;
use super::notice::{NoticeStatus, Skipped};
use super::time::Timestamp;

/// What the operator wants done with actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Try now, also what was refused or is held.
    Retry,
    /// Not until somebody says `Retry`, because.
    Hold(String),
    /// What is held may go ahead, whatever holds it.
    Approve {
        /// Who says so.
        author: String,
        /// Why.
        reason: String,
    },
    /// What is held is given up.
    Drop {
        /// Who says so.
        author: String,
        /// Why.
        reason: String,
    },
    /// What waits for a yes or was refused is tried; what takes a license counts with the guard.
    Repair {
        /// Who says so.
        author: String,
        /// Why.
        reason: String,
    },
    /// The licenses are read again at their service.
    Read,
    /// Give up.
    Abandon,
}

impl Order {
    /// The outcomes of an action for which it means something.
    #[must_use]
    pub const fn takes(&self) -> &'static [ActionOutcome] {
        match self {
            Self::Retry => &[
                ActionOutcome::Pending,
                ActionOutcome::Held,
                ActionOutcome::Refused,
                ActionOutcome::Abandoned,
            ],
            Self::Repair { .. } => &[
                ActionOutcome::Held,
                ActionOutcome::Refused,
                ActionOutcome::Abandoned,
            ],
            Self::Read => &[],
            Self::Hold(_) => &[ActionOutcome::Pending, ActionOutcome::Held],
            Self::Approve { .. } | Self::Drop { .. } => &[ActionOutcome::Held],
            Self::Abandon => &[
                ActionOutcome::Pending,
                ActionOutcome::Held,
                ActionOutcome::Refused,
            ],
        }
    }
}

/// Carries an order out: what was refused is tried again, or what waits is held or given up.
pub fn carry_out(machine: &mut Machine, only: Option<u32>, order: &Order, now: Timestamp) {
    if *order == Order::Read {
        read_all(machine, now);
    }
    let named = |a: &&mut Action| only.is_none_or(|id| a.id == id);
    for action in machine.actions.iter_mut().filter(named) {
        if order.takes().contains(&action.outcome) {
            carry_out_one(action, order, now);
        }
    }
}

/// Carries an order out on an action of whose outcome it means something.
fn carry_out_one(action: &mut Action, order: &Order, now: Timestamp) {
    let by = |author: &String, reason: &String| Cleared::Person {
        author: author.clone(),
        reason: reason.clone(),
    };
    match order {
        Order::Retry | Order::Repair { .. }
            if matches!(
                action.outcome,
                ActionOutcome::Refused | ActionOutcome::Abandoned
            ) =>
        {
            // A refusal blocks its difference; without it the difference is found anew.
            action.outcome = ActionOutcome::Superseded;
        }
        Order::Retry if action.outcome == ActionOutcome::Pending => action.due = now,
        // What the shop's orders or the guard hold is not let go with a list of other things.
        Order::Retry if is_held_alone(action) => release(action, now),
        Order::Repair { author, reason } if is_repaired(action) => {
            approve(action, now);
            action.cleared = Some(Cleared::Repair {
                author: author.clone(),
                reason: reason.clone(),
            });
        }
        Order::Retry | Order::Repair { .. } | Order::Read => {}
        Order::Approve { author, reason } => {
            approve(action, now);
            action.cleared = Some(by(author, reason));
        }
        Order::Hold(why) => {
            let reason = why.clone();
            (action.outcome, action.held) = (ActionOutcome::Held, Some(Hold::Person { reason }));
        }
        Order::Drop { author, reason } => {
            (action.outcome, action.phase, action.at) =
                (ActionOutcome::Abandoned, CreatePhase::Ready, now);
            action.cleared = Some(by(author, reason));
        }
        Order::Abandon => {
            (action.outcome, action.phase, action.at) =
                (ActionOutcome::Abandoned, CreatePhase::Ready, now);
        }
    }
}

/// Tries what is held by itself.
fn release(action: &mut Action, now: Timestamp) {
    if matches!(action.held, Some(Hold::TimeNotTrusted(_))) {
        // Else it would be held again at once.
        action.cleared = Some(Cleared::Decision);
    }
    (action.outcome, action.due, action.held) = (ActionOutcome::Pending, now, None);
}

/// Lets go what is held.
fn approve(action: &mut Action, now: Timestamp) {
    // While it was only observed, others may have made it.
    if action.act.creates() && matches!(action.held, Some(Hold::Observed | Hold::OtherHandler)) {
        action.phase = CreatePhase::Look {
            since: now,
            absent: 1,
            any_age: true,
        };
    }
    (action.outcome, action.due, action.held) = (ActionOutcome::Pending, now, None);
}

/// Whether an action is held by itself: a person, or time that cannot be trusted.
fn is_held_alone(action: &Action) -> bool {
    match action.held {
        Some(Hold::TimeNotTrusted(_) | Hold::Person { .. }) | None => true,
        Some(
            Hold::Observed
            | Hold::Paused { .. }
            | Hold::Guard
            | Hold::Adoption
            | Hold::BeginningUnknown
            | Hold::OtherHandler
            | Hold::OtherService { .. },
        ) => false,
    }
}

/// Whether a repair lets go what holds an action. What the shop's orders, the guard or a person hold stays held.
fn is_repaired(action: &Action) -> bool {
    match action.held {
        Some(Hold::Adoption | Hold::BeginningUnknown) => true,
        Some(
            Hold::Observed
            | Hold::Paused { .. }
            | Hold::Guard
            | Hold::Person { .. }
            | Hold::TimeNotTrusted(_)
            | Hold::OtherHandler
            | Hold::OtherService { .. },
        )
        | None => false,
    }
}

/// Reads every license that was not replaced. It is a person's word that a purchase that was only adopted goes on like any
/// other: else what is read would wait for a second one.
fn read_all(machine: &mut Machine, now: Timestamp) {
    machine.adopted_at = None;
    let numbers = machine.grants.iter().filter(|g| !g.replaced);
    let numbers: Vec<u32> = numbers.map(|g| g.number).collect();
    for number in numbers {
        read_first(machine, number, now);
    }
}

/// Makes the mails that wait for their server due now. One that was refused for good is sent again by a decision.
pub fn mail_now(machine: &mut Machine, now: Timestamp) {
    for notice in &mut machine.notices {
        if notice.status == NoticeStatus::Pending {
            notice.due = now;
        }
    }
}

/// Sends none of the mails that were due until an instant: whoever had the store before may have sent them.
pub fn skip_mails(machine: &mut Machine, until: Timestamp) {
    for notice in &mut machine.notices {
        if notice.status == NoticeStatus::Pending && notice.due <= until {
            (notice.status, notice.at) = (NoticeStatus::Skipped, until);
            notice.skipped = Some(Skipped::BeforeRestore);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::SourceName;
    use crate::domain::lifecycle::Kind;
    use crate::domain::notice::{About, Notice, NoticeKind, Part};
    use crate::domain::time::Span;

    #[test]
    fn only_mails_that_wait_become_due() {
        let now = Timestamp::from_s(1_767_607_200);
        let later = now + Span::from_hours(1);
        let notice = |id, status| Notice {
            id,
            kind: NoticeKind::LicenseIssued,
            about: About::FirstKey,
            part: Part::Whole,
            status,
            at: now,
            to: None,
            seats: Vec::new(),
            attempts: 3,
            due: later,
            error: None,
            skipped: None,
        };
        let statuses = [
            NoticeStatus::Pending,
            NoticeStatus::Sent,
            NoticeStatus::Skipped,
            NoticeStatus::NoAddress,
            NoticeStatus::Undeliverable,
        ];
        let id = "stripe/cs_1".parse().unwrap();
        let mut machine = Machine::new(id, Kind::Payment, SourceName::from("stripe"), None);
        machine.notices = (1..).zip(statuses).map(|(id, s)| notice(id, s)).collect();
        mail_now(&mut machine, now);
        let due: Vec<bool> = machine.notices.iter().map(|n| n.due == now).collect();
        assert_eq!(due, [true, false, false, false, false]);
        assert_eq!(machine.notices[0].attempts, 3);
    }
}
