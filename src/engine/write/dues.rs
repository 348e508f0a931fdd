//! What is due for a machine, and the entries that stand for it in the table of what is due.

use std::collections::BTreeSet;

use crate::domain::action::{Act, Action, ActionOutcome, CreatePhase};
use crate::domain::machine::Machine;
use crate::domain::notice::NoticeStatus;
use crate::domain::time::Timestamp;
use crate::engine::record::key::{self, Item};

/// What is due for a machine, also for one that is held.
pub(super) fn items(machine: &Machine) -> impl Iterator<Item = (Timestamp, Item)> {
    let actions = machine
        .actions
        .iter()
        .filter(|a| a.outcome == ActionOutcome::Pending)
        .map(|a| (a.due, item(a)));
    let notices = machine
        .notices
        .iter()
        .filter(|n| n.status == NoticeStatus::Pending)
        .map(|n| (n.due, Item::Notice(n.id)));
    let wake = machine.wake_at.map(|at| (at, Item::Wake));
    actions.chain(notices).chain(wake)
}

fn item(action: &Action) -> Item {
    // A check waits for its instant by design, however often it was made.
    let is_check = matches!(action.act, Act::Read { .. });
    let (id, is_tried) = (action.id, action.attempts > 0 && !is_check);
    if action.act.question().is_some() {
        return Item::LookUp(id);
    }
    match (action.phase, action.is_ready_create()) {
        (CreatePhase::Look { .. }, _) => Item::Look(id),
        (CreatePhase::Ready, true) if is_tried => Item::CreateAgain(id),
        (CreatePhase::Ready, true) => Item::Create(id),
        (CreatePhase::Ready, false) if is_tried => Item::ActionAgain(id),
        (CreatePhase::Ready, false) => Item::Action(id),
    }
}

/// The due entries that a machine should have.
#[must_use]
pub fn dues(machine: &Machine) -> BTreeSet<Vec<u8>> {
    if machine.held.is_some() {
        BTreeSet::new()
    } else {
        as_kept(machine)
    }
}

/// The due entries that a machine's record stands for, also those of one that turned out to be held when it was read:
/// these are what must go.
pub(super) fn as_kept(machine: &Machine) -> BTreeSet<Vec<u8>> {
    items(machine)
        .map(|(at, item)| key::due(at, &machine.id, item))
        .collect()
}

/// What comes first for a machine: at one instant what is done at the license service goes before mails, and these before
/// a wake-up, as in the table.
pub(super) fn first(machine: &Machine) -> Option<(Timestamp, Item)> {
    let order = |item: Item| match item {
        Item::Create(n)
        | Item::CreateAgain(n)
        | Item::Look(n)
        | Item::Action(n)
        | Item::ActionAgain(n) => (0, n),
        Item::LookUp(n) => (1, n),
        Item::Notice(n) => (2, n),
        Item::Wake => (3, 0),
    };
    items(machine)
        .filter(|_| machine.held.is_none())
        .min_by_key(|(at, item)| (*at, order(*item)))
}
