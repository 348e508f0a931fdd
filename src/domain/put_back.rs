//! What becomes of a machine whose store is put back from a copy.

use super::action::{Action, ActionOutcome, CreatePhase};
use super::machine::Machine;
use super::notice::{Notice, NoticeStatus, Skipped};
use super::time::Timestamp;

/// Takes a machine out of a copy of its store. The store itself may have gone on since: it may have sent the mails that
/// wait, whenever they are due again, and made the licenses that are asked for. Those mails are skipped, and a license that
/// a recovery finds is no news to its customer.
pub fn put_back(machine: &mut Machine, now: Timestamp) {
    for notice in machine.notices.iter_mut().filter(|n| is_waiting(n)) {
        (notice.status, notice.at) = (NoticeStatus::Skipped, now);
        notice.skipped = Some(Skipped::BeforeRestore);
    }
    for action in machine.actions.iter_mut().filter(|a| is_being_made(a)) {
        action.phase = CreatePhase::recover_any_age(now);
    }
}

/// Mails of a copy of a machine that are skipped when it is put back; `None`: nothing of it waits.
#[must_use]
pub fn waiting(machine: &Machine) -> Option<usize> {
    let mails = machine.notices.iter().filter(|n| is_waiting(n)).count();
    (mails > 0 || machine.actions.iter().any(is_being_made)).then_some(mails)
}

fn is_waiting(notice: &Notice) -> bool {
    notice.status.is_open()
}

fn is_being_made(action: &Action) -> bool {
    action.act.creates() && action.outcome == ActionOutcome::Pending
}

#[cfg(test)]
mod tests {
    use super::super::operator::tests::{NOW, purchase};
    use super::*;
    use crate::domain::action::samples::create;

    #[test]
    fn of_a_copy_that_is_put_back_no_mail_goes_out_and_a_license_that_is_found_is_no_news() {
        let mut machine = purchase();
        assert_eq!(
            waiting(&machine),
            Some(1),
            "its mail is due again in an hour"
        );
        let mut create = create("purchase", 1, NOW);
        create.phase = CreatePhase::Recover {
            since: NOW,
            absent: 0,
            any_age: false,
        };
        machine.actions.push(create);
        put_back(&mut machine, NOW);
        let skipped = machine.notices[0].skipped;
        assert_eq!(skipped, Some(Skipped::BeforeRestore));
        let phase = machine.actions[0].phase;
        assert!(matches!(phase, CreatePhase::Recover { any_age: true, .. }));
        machine.actions[0].outcome = ActionOutcome::Done;
        assert_eq!(waiting(&machine), None);
    }
}
