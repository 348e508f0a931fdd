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
        return Item::Query(id);
    }
    match (action.phase, action.is_ready_create()) {
        (CreatePhase::Recover { .. }, _) => Item::Recover(id),
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
        | Item::Recover(n)
        | Item::Action(n)
        | Item::ActionAgain(n) => (0, n),
        Item::Query(n) => (1, n),
        Item::Notice(n) => (2, n),
        Item::Wake => (3, 0),
    };
    items(machine)
        .filter(|_| machine.held.is_none())
        .min_by_key(|(at, item)| (*at, order(*item)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::samples::create;
    use crate::domain::id::{LicenseKey, SourceName};
    use crate::domain::lifecycle::Kind;
    use crate::engine::record::key::{Lane, Work};

    const NOW: Timestamp = Timestamp::from_s(1_767_600_000);

    /// The lane of a machine's only action.
    fn lane(change: impl FnOnce(&mut Action)) -> Work {
        let id = "stripe/cs_1".parse().unwrap();
        let mut machine = Machine::new(id, Kind::Payment, SourceName::from("stripe"), Some(true));
        let mut action = create("si_1", 1, NOW);
        change(&mut action);
        machine.actions.push(action);
        let dues = dues(&machine);
        Lane::of(dues.first().unwrap()).unwrap().work
    }

    #[test]
    fn what_was_tried_and_what_is_looked_for_have_lanes_of_their_own() {
        let tried = |action: &mut Action| action.attempts = 1;
        assert_eq!(lane(|_| {}), Work::Create);
        assert_eq!(lane(tried), Work::CreateAgain);
        let looked_for = |action: &mut Action| {
            action.phase = CreatePhase::Recover {
                since: NOW,
                absent: 0,
                any_age: false,
            };
        };
        assert_eq!(lane(looked_for), Work::Recover);
        let key = || LicenseKey::new("AAAA-1");
        let revoke = Act::Revoke { key: key() };
        assert_eq!(lane(|a| a.act = revoke.clone()), Work::License);
        assert_eq!(
            lane(|a| (a.act, a.attempts) = (revoke.clone(), 2)),
            Work::LicenseAgain
        );
        // It waits for its instant by design, however often it was made.
        let check = Act::Read { key: key() };
        assert_eq!(lane(|a| (a.act, a.attempts) = (check, 2)), Work::License);
    }
}
