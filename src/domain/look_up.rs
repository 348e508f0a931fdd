//! What a machine must ask Stripe: what a session sold, and where a customer can be reached. Each question is a durable
//! piece of work that is asked once; what the answer says comes in as a fact or a record like any other.

use super::action::{Action, ActionKind, ActionOutcome, Phase, Target};
use super::decide::World;
use super::entitlement::Entitlement;
use super::fact::{Fact, Says, SessionMode};
use super::fold::{Folded, Life, Report};
use super::id::{CustomerId, SessionId};
use super::machine::Machine;
use super::notice::NoticeStatus;
use super::plan::Devices;

/// How the report begins that waits for a look-up.
const NOTHING_TO_HAND_OUT: &str = "paid, but nothing to hand out";
/// The target's item where a session's lines are asked for; its label is the session.
const LINE_ITEMS: &str = "line_items";
/// The target's item where a customer is asked for; its label is the customer.
const CUSTOMER: &str = "customer";

/// A question to Stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What a session sold.
    LineItems(SessionId),
    /// A customer's address.
    Customer(CustomerId),
}

impl Asked {
    /// What an action asks; `None` where it asks nothing.
    #[must_use]
    pub fn of(action: &Action) -> Option<Self> {
        let about = action.target.label.as_str();
        match (action.kind, action.target.item.as_str()) {
            (ActionKind::LookUp, LINE_ITEMS) => Some(Self::LineItems(SessionId::from(about))),
            (ActionKind::LookUp, CUSTOMER) => Some(Self::Customer(CustomerId::from(about))),
            _ => None,
        }
    }

    fn target(&self) -> Target {
        let (item, about) = match self {
            Self::LineItems(session) => (LINE_ITEMS, session.as_str()),
            Self::Customer(customer) => (CUSTOMER, customer.as_str()),
        };
        Target {
            item: item.to_owned(),
            unit: 0,
            app_id: None,
            expires_at: None,
            devices: Devices::Count(0),
            key: None,
            label: about.to_owned(),
            plan: None,
        }
    }

    /// Whether what it asks for has been said.
    fn is_answered(&self, machine: &Machine, world: &World<'_>) -> bool {
        match self {
            Self::LineItems(_) => machine.facts.iter().any(|f| matches!(f.says, Says::LineItems(_))),
            Self::Customer(customer) => world.customer.is_some_and(|c| c.id == *customer),
        }
    }
}

/// Asks what is to be asked, and closes what is answered or no longer of interest. What was refused or given up is not
/// asked again unless a person says so.
pub(super) fn look_ups(machine: &mut Machine, folded: &Folded, due: &Entitlement, world: &World<'_>) {
    let wanted = if world.abilities.looks_up { wanted(machine, folded, due, world) } else { Vec::new() };
    let open: Vec<(usize, Asked)> = (0..).zip(&machine.actions).filter_map(|(n, a)| Some((n, open(a)?))).collect();
    for (index, asked) in open {
        if wanted.contains(&asked) {
            continue;
        }
        let answered = asked.is_answered(machine, world);
        let action = &mut machine.actions[index];
        action.at = world.now;
        if answered {
            (action.outcome, action.error) = (ActionOutcome::Done, None);
            action.attempts += 1;
        } else {
            action.outcome = ActionOutcome::Superseded;
        }
    }
    for asked in wanted {
        let again = |a: &Action| a.outcome == ActionOutcome::Superseded;
        if !machine.actions.iter().any(|a| Asked::of(a).as_ref() == Some(&asked) && !again(a)) {
            let id = machine.actions.last().map_or(1, |a| a.id + 1);
            machine.actions.push(Action {
                id,
                kind: ActionKind::LookUp,
                seat: 0,
                target: asked.target(),
                at: world.now,
                outcome: ActionOutcome::Pending,
                attempts: 0,
                due: world.now,
                error: None,
                phase: Phase::Ready,
                held: None,
            });
        }
    }
}

fn open(action: &Action) -> Option<Asked> {
    let is_open = matches!(action.outcome, ActionOutcome::Pending | ActionOutcome::Held);
    Asked::of(action).filter(|_| is_open)
}

fn wanted(machine: &Machine, folded: &Folded, due: &Entitlement, world: &World<'_>) -> Vec<Asked> {
    let mut wanted = Vec::new();
    if let Life::Payment(payment) = &folded.life
        && payment.paid_at.is_some()
        && !payment.lines_told
        && due.seats.is_empty()
    {
        let of_fact = |f: &Fact| {
            if let Says::Session(s) = &f.says { (s.mode == SessionMode::Payment).then(|| s.id.clone()) } else { None }
        };
        let session = machine.facts.iter().find_map(of_fact);
        wanted.extend(session.map(Asked::LineItems));
    }
    let unreached = machine.notices.iter().any(|n| n.status == NoticeStatus::NoAddress);
    if let Some(customer) = folded.contact.customer.as_ref().filter(|_| unreached && world.customer.is_none()) {
        wanted.push(Asked::Customer(customer.clone()));
    }
    wanted
}

/// Whether a report is not to be told yet, for Stripe is being asked.
pub(super) fn waits(machine: &Machine, report: &Report) -> bool {
    let asks = |a: &Action| matches!(open(a), Some(Asked::LineItems(_)));
    report.what.starts_with(NOTHING_TO_HAND_OUT) && machine.actions.iter().any(asks)
}
