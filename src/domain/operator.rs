//! What an operator's command does with actions, outcome by outcome.

use std::collections::BTreeSet;

use super::action::{Act, Action, ActionOutcome, CreatePhase};
use super::guard::is_hurtful;
use super::hold::{Cleared, Hold};
use super::holding::read_first;
use super::machine::Machine;
use super::notice::NoticeStatus;
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
        /// The reason that was given.
        reason: String,
    },
    /// What is held is given up.
    Drop {
        /// Who says so.
        author: String,
        /// The reason that was given.
        reason: String,
    },
    /// What waits for a yes or was refused is tried; what takes a license counts with the guard.
    Repair {
        /// What of it.
        which: Repaired,
        /// Who says so.
        author: String,
        /// The reason that was given.
        reason: String,
    },
    /// The licenses are read again at their service.
    Read,
    /// Give up.
    Abandon,
}

/// Which of a purchase's actions a repair tries: those that its row speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// What gives a license that is there what it lacks.
    Lacking,
    /// What gives, a new license too.
    Giving,
    /// What ends a license, or takes time of it.
    Taking,
}

impl Repaired {
    /// Whether an action is one of them.
    #[must_use]
    pub fn has(self, machine: &Machine, action: &Action, now: Timestamp) -> bool {
        let stops = matches!(action.act, Act::Suspend { .. } | Act::Revoke { .. });
        let takes = stops || is_hurtful(machine, action, now);
        match self {
            Self::Lacking => !takes && !action.act.creates(),
            Self::Giving => !takes,
            // Whoever gave an end up has decided of it; what ends others does not reach it.
            Self::Taking => takes && action.outcome != ActionOutcome::Abandoned,
        }
    }
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
    let repaired = |a: &Action| match order {
        Order::Repair { which, .. } => which.has(machine, a, now),
        Order::Retry
        | Order::Hold(_)
        | Order::Approve { .. }
        | Order::Drop { .. }
        | Order::Read
        | Order::Abandon => true,
    };
    let meant = machine.actions.iter().filter(|a| repaired(a));
    let meant: BTreeSet<u32> = meant.map(|a| a.id).collect();
    let named = |a: &&mut Action| only.is_none_or(|id| a.id == id) && meant.contains(&a.id);
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
        Order::Retry if action.outcome == ActionOutcome::Pending => action.make_due(now),
        // What the shop's orders or the guard hold is not let go with a list of other things.
        Order::Retry if is_tried(action) => release(action, now),
        Order::Repair { author, reason, .. } if is_repaired(action) => {
            approve(action, now);
            let (author, reason) = (author.clone(), reason.clone());
            action.clear(Cleared::Repair { author, reason }, now);
        }
        Order::Retry | Order::Repair { .. } | Order::Read => {}
        Order::Approve { author, reason } => {
            approve(action, now);
            action.clear(by(author, reason), now);
        }
        Order::Hold(why) => {
            let reason = why.clone();
            action.hold(Hold::Person { reason }, now);
        }
        Order::Drop { author, reason } => {
            (action.outcome, action.phase, action.at) =
                (ActionOutcome::Abandoned, CreatePhase::Ready, now);
            action.clear(by(author, reason), now);
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
    action.let_go(now);
}

/// Lets go what is held.
fn approve(action: &mut Action, now: Timestamp) {
    // While it was only observed, others may have made it.
    if action.act.creates() && matches!(action.held, Some(Hold::Observed | Hold::OtherHandler)) {
        action.phase = CreatePhase::recover_any_age(now);
    }
    action.let_go(now);
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

/// Whether a retry tries an action now. What a shop-wide order, the guard or an adoption holds waits for a yes of its own.
#[must_use]
pub fn is_tried(action: &Action) -> bool {
    let takes = Order::Retry.takes().contains(&action.outcome);
    takes && (action.outcome != ActionOutcome::Held || is_held_alone(action))
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
            // In the order in which they were to be sent.
            notice.due = notice.at.min(now);
        }
    }
}

#[cfg(test)]
pub(in crate::domain) mod tests {
    use super::*;
    use crate::domain::action::Act;
    use crate::domain::action::samples::create;
    use crate::domain::id::SourceName;
    use crate::domain::lifecycle::Kind;
    use crate::domain::notice::{About, Notice, NoticeKind, Part};
    use crate::domain::time::Span;

    pub(in crate::domain) const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    /// A purchase with a mail of each status, due an hour later.
    pub(in crate::domain) fn purchase() -> Machine {
        let notice = |id, status| Notice {
            id,
            kind: NoticeKind::LicenseIssued,
            about: About::FirstKey,
            part: Part::Whole,
            status,
            at: NOW,
            to: None,
            seats: Vec::new(),
            attempts: 3,
            due: NOW + Span::from_hours(1),
            error: None,
            skipped: None,
            refusals: 0,
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
        machine
    }

    #[test]
    fn a_repair_that_gives_ends_nothing_and_one_that_ends_gives_nothing() {
        let key = crate::domain::id::LicenseKey::new("AAAA");
        for (which, meant) in [
            (Repaired::Lacking, [false, false, true]),
            (Repaired::Giving, [true, false, true]),
            (Repaired::Taking, [false, true, false]),
        ] {
            let mut machine = purchase();
            let revoke = Act::Revoke { key: key.clone() };
            let lengthen = Act::SetExpiry {
                key: key.clone(),
                until: None,
            };
            let actions = vec![
                create("purchase", 1, NOW),
                Action::new(2, revoke, 2, NOW),
                Action::new(3, lengthen, 3, NOW),
            ];
            machine.actions = actions;
            let order = Order::Repair {
                which,
                author: "ada".to_owned(),
                reason: "audited".to_owned(),
            };
            let held = machine.actions.iter_mut();
            held.for_each(|a| a.hold(Hold::Adoption, NOW));
            carry_out(&mut machine, None, &order, NOW);
            let goes = |a: &Action| a.outcome == ActionOutcome::Pending;
            let goes: Vec<bool> = machine.actions.iter().map(goes).collect();
            assert_eq!(goes, meant, "{which:?}");
        }
    }

    #[test]
    fn a_repair_leaves_an_end_that_a_person_gave_up() {
        let mut machine = purchase();
        let key = crate::domain::id::LicenseKey::new("AAAA");
        let mut revoke = Action::new(1, Act::Revoke { key }, 1, NOW);
        revoke.outcome = ActionOutcome::Abandoned;
        machine.actions.push(revoke);
        let order = Order::Repair {
            which: Repaired::Taking,
            author: "ada".to_owned(),
            reason: "audited".to_owned(),
        };
        carry_out(&mut machine, None, &order, NOW);
        assert_eq!(machine.actions[0].outcome, ActionOutcome::Abandoned);
    }

    /// A thousand that waited are let go at once: whoever bought first is served first.
    #[test]
    fn what_is_tried_again_or_let_go_together_keeps_its_order() {
        let mut machine = purchase();
        let decided = |s| NOW + Span::from_s(s);
        machine.actions = vec![create("si_1", 1, NOW), create("si_2", 2, NOW)];
        machine.actions[1].id = 2;
        for (action, at) in machine.actions.iter_mut().zip([20, 10].map(decided)) {
            (action.at, action.due) = (at, at + Span::from_hours(1));
        }
        machine.actions[1].hold(Hold::Observed, decided(30));
        machine.actions[1].let_go(decided(900));
        carry_out(&mut machine, None, &Order::Retry, decided(900));
        let due: Vec<Timestamp> = machine.actions.iter().map(|a| a.due).collect();
        assert_eq!(due, [20, 10].map(decided));
        machine.notices[0].at = decided(5);
        mail_now(&mut machine, decided(900));
        assert_eq!(machine.notices[0].due, decided(5));
    }

    #[test]
    fn only_mails_that_wait_become_due() {
        let mut machine = purchase();
        mail_now(&mut machine, NOW);
        let due: Vec<bool> = machine.notices.iter().map(|n| n.due == NOW).collect();
        assert_eq!(due, [true, false, false, false, false]);
        assert_eq!(machine.notices[0].attempts, 3);
    }
}
