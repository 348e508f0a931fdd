//! Other hands, held work, and time that cannot be trusted (rules 51 to 54).

use super::*;
use crate::domain::by_hand::ask_anew;
use crate::domain::hold::{DistrustCause, Hold};
use crate::domain::notice::NoticeKind;

fn paid_once() -> Case {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    case
}

/// Rule 51: what is missing is given back, whoever took it.
#[test]
fn what_another_hand_took_is_given_back() {
    let mut case = paid_once();
    case.changed_there(5.0, Some(10.0), 1)
        .is("active: live 33")
        .devices(&[3])
        .acts("create check extend update");
}

/// Rule 51: what the customer has beyond what should be is told and left, until it is overtaken or a person says.
#[test]
fn what_another_hand_gave_is_left_and_told() {
    let mut case = paid_once();
    case.changed_there(5.0, Some(90.0), 5)
        .is("active: live 90")
        .devices(&[5])
        .acts("create check");
    case.tells(5.0, "beyond what should be")
        .paid(30.1, "in_2", 30.0, 60.0)
        .is("active: live 90");
    case.paid(60.1, "in_3", 60.0, 90.0)
        .is("active: live 93")
        .acts("create check extend")
        .devices(&[5]);
    // A later, shorter end is no reason to take it away either; a refund is.
    let mut cancelled = paid_once();
    cancelled
        .changed_there(5.0, None, 3)
        .is("active: live for life");
    cancelled
        .deleted(10.0, 0.0, 30.0, EndReason::Requested)
        .on(31.0)
        .is("ended: live for life");
    cancelled
        .told(32.0, "refund.created", refund("re_1", "in_1", 1))
        .is("ended: live for life");
    let mut refunded = paid_once();
    refunded
        .changed_there(5.0, None, 3)
        .told(6.0, "refund.created", refund("re_1", "in_1", 1));
    refunded.is("active: revoked");
    // A person's word is carried out to the day.
    let mut said = paid_once();
    said.changed_there(5.0, Some(90.0), 3)
        .decide(
            6.0,
            Verb::Grant {
                until: Some(day(40.0)),
            },
        )
        .is("active: live 40");
}

/// Rule 51: what we set ourselves is no other hand's, whenever it shows.
#[test]
fn our_own_changes_are_no_foreign_ones() {
    let mut case = paid_once();
    case.paid(30.1, "in_2", 30.0, 60.0).is("active: live 63");
    // A request of ours of unknown outcome that landed late: what it set is taken back, for it was ours.
    case.machine.grants[0].expires_at = Some(day(33.0));
    case.changed_there(31.0, Some(63.0), 3);
    case.shown(32.0, 30.0, 60.0, |s| s.cancel_at_period_end = true)
        .is("active: live 60");
}

/// Rule 14: what a service accepts and does not do is listed, and asked for again ever more rarely: it can be wrong for an hour.
#[test]
fn what_is_accepted_without_effect_is_not_asked_for_again_and_again() {
    let mut case = paid_once();
    case.garbles = Some(|license| license.expires_at = Some(day(33.0)));
    case.paid(30.1, "in_2", 30.0, 60.0).is("active: live 33");
    let refused = |case: &Case| {
        let all = case.machine.actions.iter();
        let refused = all.filter(|a| a.outcome == ActionOutcome::Refused);
        refused.count()
    };
    assert_eq!(refused(&case), 1);
    case.on(50.0);
    assert_eq!(refused(&case), 1, "it stays listed");
    let asked = case.machine.actions.iter();
    let asked = asked.filter(|a| matches!(a.act, Act::SetExpiry { .. }) && a.attempts > 0);
    assert_eq!(asked.count(), 11, "in twenty days");
    let mut wrong_for_an_hour = paid_once();
    wrong_for_an_hour.garbles = Some(|license| license.expires_at = Some(day(33.0)));
    wrong_for_an_hour.paid(30.1, "in_2", 30.0, 60.0).on(30.12);
    wrong_for_an_hour.garbles = None;
    wrong_for_an_hour.on(30.2).is("active: live 63");
    assert_eq!(refused(&wrong_for_an_hour), 0);
}

/// Rule 14: a paid end that the service refuses is asked for again whenever the license is read, ever more rarely: it can be
/// wrong for an hour. A person sees it listed meanwhile.
#[test]
fn a_paid_end_that_was_refused_is_asked_for_again() {
    let mut case = paid_once();
    case.takes_no_end = true;
    case.paid(30.1, "in_2", 30.0, 60.0).is("active: live 33");
    let refused = |case: &Case| {
        let all = case.machine.actions.iter();
        let refused = all.filter(|a| a.outcome == ActionOutcome::Refused);
        refused.count()
    };
    let asked = |case: &Case| {
        let all = case.machine.actions.iter();
        let sent = all.filter(|a| matches!(a.act, Act::SetExpiry { .. }) && a.attempts > 0);
        sent.count()
    };
    assert_eq!(refused(&case), 1);
    case.on(30.12).is("active: live 33");
    assert_eq!((refused(&case), asked(&case)), (1, 1));
    case.on(50.0);
    assert_eq!((refused(&case), asked(&case)), (1, 11), "in twenty days");
    let mut wrong_for_an_hour = paid_once();
    wrong_for_an_hour.takes_no_end = true;
    wrong_for_an_hour.paid(30.1, "in_2", 30.0, 60.0).on(30.12);
    wrong_for_an_hour.takes_no_end = false;
    wrong_for_an_hour.on(30.2).is("active: live 63");
    assert_eq!(refused(&wrong_for_an_hour), 0);
    // What takes is not asked for again: a person sees it, and nobody waits for it.
    let mut refunded = paid_once();
    refunded.takes_no_end = true;
    refunded
        .shown(10.0, 0.0, 30.0, |s| s.cancel_at_period_end = true)
        .on(20.0);
    assert_eq!((refused(&refunded), asked(&refunded)), (1, 1));
}

/// Rule 51: what was refused while its service called the license revoked is decided anew once it does so no more.
#[test]
fn what_was_refused_of_a_license_that_lives_again_is_asked_for_again() {
    let mut case = paid_once();
    let key = case.machine.grants[0].key.clone();
    let mut suspend = Action::new(99, Act::Suspend { key }, 1, case.now);
    suspend.outcome = ActionOutcome::Refused;
    case.machine.actions.push(suspend);
    let (live, revoked) = (GrantStatus::Live, GrantStatus::Revoked);
    for (was, is, outcome) in [
        (revoked, revoked, ActionOutcome::Refused),
        (live, live, ActionOutcome::Refused),
        (revoked, live, ActionOutcome::Superseded),
    ] {
        case.machine.grants[0].status = is;
        ask_anew(&mut case.machine, (1, Some(was)), case.now);
        let suspend = case.machine.actions.last().unwrap();
        assert_eq!(suspend.outcome, outcome, "{was:?} {is:?}");
    }
}

/// Rule 47: a service that rounds ends to the second shows what was asked for: nothing is changed again for it.
#[test]
fn an_end_that_the_service_rounds_is_not_set_again_and_again() {
    let rounded: [fn(&mut License); 2] = [
        |l| l.expires_at = l.expires_at.map(|end| end + Span::from_s(1)),
        |l| l.expires_at = l.expires_at.map(|end| end - Span::from_s(1)),
    ];
    for rounds in rounded {
        let mut case = paid_once();
        case.garbles = Some(rounds);
        case.paid(30.1, "in_2", 30.0, 60.0).acts("create extend");
        case.changed_there(31.0, Some(63.0), 3)
            .is("active: live 63")
            .acts("create extend check");
        assert!(case.machine.told.is_empty(), "{:?}", case.machine.told);
    }
}

/// Rule 52: a purchase from before this store has a license perhaps: it is looked for, and adopted without a mail.
#[test]
fn a_license_made_before_is_adopted() {
    let mut case = Case::subscription(|_| {});
    (case.since, case.there) = (
        Some(day(10.0)),
        Some((GrantStatus::Live, Some(day(30.0)), Devices::Count(3))),
    );
    case.told_late(
        11.0,
        0.0,
        "invoice.paid",
        invoice(
            "in_1",
            InvoiceEvent::Paid,
            vec![line("si_1", "price_pro", 29, 0.0, 30.0)],
        ),
    );
    case.on(20.0)
        .is("active: live 33")
        .acts("create extend")
        .mails("");
    // Where there is none, it is made after one complete recovery.
    let mut none = Case::subscription(|_| {});
    none.since = Some(day(10.0));
    none.told_late(
        11.0,
        0.0,
        "invoice.paid",
        invoice(
            "in_1",
            InvoiceEvent::Paid,
            vec![line("si_1", "price_pro", 29, 0.0, 30.0)],
        ),
    );
    none.on(20.0)
        .is("active: live 33")
        .acts("create")
        .mails("license_issued 11");
}

/// Rules 51 and 52: an adopted license that has more than was bought keeps it, and the operator is told.
#[test]
fn an_adopted_license_is_not_cut_down() {
    let mut case = Case::purchase(|_| {});
    (case.since, case.there) = (
        Some(day(10.0)),
        Some((GrantStatus::Live, None, Devices::Count(9))),
    );
    let wants = |s: &mut Session| s.wants.duration = Some(Span::from_days(365));
    case.told_late(
        11.0,
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, wants),
    );
    case.on(20.0)
        .is("paid: live for life")
        .devices(&[9])
        .tells(11.0, "beyond what should be")
        .mails("");
}

/// Rule 52: where a license should end and none is known, it is looked for, adopted and ended; none is made for it.
#[test]
fn a_license_that_should_end_is_looked_for_first() {
    let refunded = |there, heard| {
        let mut case = Case::purchase(|_| {});
        (case.since, case.there) = (Some(day(10.0)), there);
        case.told(11.0, "refund.created", refund("re_1", "cs_1", 100));
        case.told_late(
            heard,
            0.0,
            "checkout.session.completed",
            session(PaymentStatus::Paid),
        )
        .on(heard + 5.0);
        case
    };
    let there = |status| Some((status, None, Devices::Count(2)));
    let mut at_once = refunded(there(GrantStatus::Live), 11.5);
    at_once
        .is("refunded: revoked")
        .acts("find revoke")
        .mails("refunded 11.5");
    refunded(there(GrantStatus::Live), 30.0)
        .is("refunded: revoked")
        .acts("find revoke")
        .mails("");
    refunded(None, 12.0).is("refunded:").acts("find").mails("");
    refunded(there(GrantStatus::Revoked), 11.5)
        .is("refunded: revoked")
        .acts("find")
        .mails("");
    // A purchase of this store's own time is not looked for.
    let mut own = Case::purchase(|_| {});
    own.since = Some(day(-1.0));
    own.told(0.5, "refund.created", refund("re_1", "cs_1", 100));
    own.told_late(
        1.0,
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    )
    .on(9.0)
    .acts("");
    // One that lapsed long ago, and lives on at the service.
    let mut lapsed = Case::subscription(|_| {});
    (lapsed.since, lapsed.there) = (
        Some(day(50.0)),
        Some((GrantStatus::Live, None, Devices::Count(3))),
    );
    lapsed.told_late(
        51.0,
        0.0,
        "invoice.paid",
        invoice(
            "in_1",
            InvoiceEvent::Paid,
            vec![line("si_1", "price_pro", 29, 0.0, 30.0)],
        ),
    );
    lapsed
        .on(60.0)
        .is("active: expired")
        .acts("find extend")
        .mails("");
}

/// Whether its customer was told that the license stopped.
fn says_stopped(case: &Case) -> bool {
    let mut notices = case.machine.notices.iter();
    notices.any(|n| n.kind == NoticeKind::Suspended && n.status == NoticeStatus::Sent)
}

/// Rule 54: while time cannot be trusted nobody is stopped by time alone; a payment told meanwhile ends the matter.
#[test]
fn nobody_is_stopped_by_time_alone_while_it_cannot_be_trusted() {
    let held = |meanwhile: fn(&mut Case)| {
        let mut case = paid_once();
        case.failed(30.0, "in_2", 30.0, 60.0).is("grace: live 46");
        let away = Distrust {
            cause: DistrustCause::Away(Span::from_days(1)),
            until: day(46.6),
        };
        case.stops_held = Some(away);
        case.on(46.5).acts("create extend");
        let held = case.machine.actions.last().unwrap().held.clone();
        assert_eq!(held, Some(Hold::TimeNotTrusted(away)));
        assert!(!says_stopped(&case), "nor is anybody told so");
        meanwhile(&mut case);
        case.stops_held = None;
        case.told(
            47.0,
            "invoice.updated",
            invoice("in_2", InvoiceEvent::Updated, vec![]),
        );
        case
    };
    let mut stopped = held(|_| {});
    stopped
        .is("lapsed: suspended")
        .acts("create extend suspend");
    assert!(says_stopped(&stopped));
    let told = |case: &mut Case| {
        let lines = vec![line("si_1", "price_pro", 29, 30.0, 60.0)];
        case.told_late(
            46.6,
            45.0,
            "invoice.paid",
            invoice("in_2", InvoiceEvent::Paid, lines),
        );
    };
    held(told)
        .is("active: live 63")
        .acts("create extend extend");
    // What a person or Stripe says is no matter of time.
    let mut said = paid_once();
    let jumped = DistrustCause::Jumped(Span::from_hours(1));
    said.stops_held = Some(Distrust {
        cause: jumped,
        until: day(4.0),
    });
    said.decide(3.0, Verb::Revoke).is("active: revoked");
}
