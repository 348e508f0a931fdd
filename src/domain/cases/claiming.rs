//! Mails that tell of a license's end or stop, where that is held, refused or given up (rule 53): none says what is not so.

use super::*;
use crate::domain::fact::EndReason;
use crate::domain::notice::{MailReason, Part, Skipped};
use crate::domain::operator::{Order, carry_out};
use crate::domain::policy::{AtGraceEnd, OnCancel};
use crate::domain::standing::Standing;

const DROPPED: fn() -> Order = || Order::Drop {
    author: "ada".to_owned(),
    reason: "a mistake of ours".to_owned(),
};
const APPROVED: fn() -> Order = || Order::Approve {
    author: "ada".to_owned(),
    reason: "looked at".to_owned(),
};

impl Case {
    /// A person's word on the newest action.
    fn word(&mut self, at: f64, order: &Order) -> &mut Self {
        self.on(at);
        let newest = self.machine.actions.last().unwrap().id;
        carry_out(&mut self.machine, Some(newest), order, self.now);
        self.reconcile();
        self
    }

    /// What the newest action would do is given up.
    pub(super) fn dropped(&mut self, at: f64) -> &mut Self {
        self.word(at, &DROPPED())
    }

    fn retried(&mut self, at: f64) -> &mut Self {
        self.word(at, &Order::Retry)
    }

    fn stopped_service(&mut self, at: f64) -> &mut Self {
        let service = "simulated".to_owned();
        self.order(at, Standing::Pause { service })
    }

    /// What its last mail that was sent gives as its reason.
    fn gives(&mut self, reason: Option<MailReason>) -> &mut Self {
        let sent = |n: &&super::super::notice::Notice| n.status == NoticeStatus::Sent;
        let last = self.machine.notices.iter().rev().find(sent).unwrap();
        assert_eq!(last.reason(), reason);
        self
    }

    fn skipped(&mut self, why: Skipped) -> &mut Self {
        let last = self.machine.notices.last().unwrap();
        assert_eq!(
            (last.status, last.skipped),
            (NoticeStatus::Skipped, Some(why))
        );
        self
    }

    fn mail_waits(&mut self) -> &mut Self {
        let last = self.machine.notices.last().unwrap();
        assert_eq!(last.status, NoticeStatus::Waiting);
        self
    }
}

fn bought() -> Case {
    let mut case = Case::purchase(|_| {});
    let paid = session(PaymentStatus::Paid);
    case.told(0.0, "checkout.session.completed", paid);
    case
}

/// Refunded while the end is held.
fn refunded() -> Case {
    let mut case = bought();
    case.stopped_service(4.0)
        .told(5.0, "charge.refunded", charge(100));
    case
}

#[test]
fn a_refund_is_told_when_the_license_has_ended() {
    let mut case = refunded();
    case.on(6.0)
        .is("refunded: live for life")
        .mails("license_issued 0")
        .mail_waits();
    case.word(6.0, &APPROVED())
        .is("refunded: revoked")
        .mails("license_issued 0, refunded 6")
        .gives(None);
}

#[test]
fn a_refund_whose_end_is_dropped_is_told_without_an_end() {
    let mut case = refunded();
    case.on(6.0)
        .dropped(6.0)
        .mails("license_issued 0, refunded 6")
        .gives(Some(MailReason::Kept));
    // Dropped before its mail is due.
    let mut case = refunded();
    case.dropped(5.0)
        .on(6.0)
        .mails("license_issued 0, refunded 5.01")
        .gives(Some(MailReason::Kept));
    // The money did not go back after all: nothing was stopped, so nothing is restored.
    case.told(7.0, "refund.failed", charge(0))
        .on(8.0)
        .mails("license_issued 0, refunded 5.01");
}

#[test]
fn an_end_that_comes_after_it_was_dropped_is_told() {
    let mut case = refunded();
    case.on(6.0).dropped(6.0);
    let service = "simulated".to_owned();
    case.order(7.0, Standing::Resume { service })
        .retried(7.0)
        .is("refunded: revoked")
        .mails("license_issued 0, refunded 6, refunded 7")
        .gives(None);
    let last = case.machine.notices.last().unwrap();
    assert_eq!(last.part, Part::Again(2));
}

#[test]
fn an_end_that_the_service_refuses_is_not_told() {
    let mut case = refunded();
    let action = case.machine.actions.last_mut().unwrap();
    (action.outcome, action.held) = (ActionOutcome::Refused, None);
    case.on(6.0).mails("license_issued 0").mail_waits();
}

#[test]
fn a_dispute_tells_of_no_stop_that_is_held_or_dropped() {
    let disputed = || {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0).stopped_service(4.0);
        let open = dispute("dp_1", "in_1", DisputeStatus::Open);
        case.told(5.0, "charge.dispute.created", open).on(6.0);
        case.mails("license_issued 0").mail_waits();
        case
    };
    disputed()
        .word(6.0, &APPROVED())
        .mails("license_issued 0, disputed 6")
        .gives(None);
    disputed()
        .dropped(6.0)
        .mails("license_issued 0, disputed 6")
        .gives(Some(MailReason::Kept));
}

#[test]
fn the_end_of_a_grace_that_is_held_or_dropped_is_not_told() {
    for at_grace_end in [AtGraceEnd::Suspend, AtGraceEnd::Revoke] {
        let lapsed = || {
            let mut case = Case::subscription(|p| {
                (p.at_grace_end, p.reminders) = (at_grace_end, Vec::new());
            });
            case.paid(0.0, "in_1", 0.0, 30.0)
                .failed(30.0, "in_2", 30.0, 60.0)
                .stopped_service(40.0);
            // Kept alive, as by another hand.
            case.machine.grants[0].expires_at = None;
            case.on(50.0).mails("license_issued 0");
            case
        };
        let kind = match at_grace_end {
            AtGraceEnd::Revoke => "ended",
            AtGraceEnd::Suspend | AtGraceEnd::Keep => "suspended",
        };
        lapsed()
            .mail_waits()
            .word(50.0, &APPROVED())
            .mails(&format!("license_issued 0, {kind} 50"));
        lapsed()
            .dropped(50.0)
            .on(60.0)
            .mails("license_issued 0")
            .skipped(Skipped::EndGivenUp);
    }
}

#[test]
fn a_cancelled_subscription_whose_end_is_held_is_not_said_to_have_ended() {
    let mut case = Case::subscription(|p| p.on_cancel = OnCancel::Now);
    case.paid(0.0, "in_1", 0.0, 30.0).stopped_service(4.0);
    case.deleted(5.0, 0.0, 30.0, EndReason::Requested);
    case.on(5.5).mails("license_issued 0").mail_waits();
    case.dropped(5.6)
        .on(6.0)
        .mails("license_issued 0")
        .skipped(Skipped::EndGivenUp);
}
