//! What is due for a machine, and the entries that stand for it in the table of what is due.

use std::collections::BTreeSet;

use crate::domain::action::{Action, ActionOutcome};
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
    if action.act.question().is_some() {
        Item::LookUp(action.id)
    } else if action.is_ready_create() {
        Item::Create(action.id)
    } else {
        Item::Action(action.id)
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
        Item::Create(n) | Item::Action(n) => (0, n),
        Item::LookUp(n) => (1, n),
        Item::Notice(n) => (2, n),
        Item::Wake => (3, 0),
    };
    items(machine)
        .filter(|_| machine.held.is_none())
        .min_by_key(|(at, item)| (*at, order(*item)))
}
