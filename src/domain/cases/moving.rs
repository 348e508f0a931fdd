//! All licenses move to another license service.

use super::decisions::rekey;
use super::facts::{dispute, failed_refund, refund, session};
use super::{Case, day};
use crate::domain::action::GrantStatus;
use crate::domain::decision::Verb;
use crate::domain::fact::{DisputeStatus, EndReason, PaymentStatus};
use crate::domain::hold::Hold;
use crate::domain::machine::Grant;
use crate::domain::notice::{Notice, NoticeKind};
use crate::domain::policy::AtGraceEnd;
use crate::domain::service_move::{
    KeysAtTarget, MoveClass, ServiceKind, ServiceMove, TellOfKeys, judge,
};

fn to_authforge(tell: TellOfKeys) -> Verb {
    Verb::Move {
        from: ServiceKind::Embedded,
        to: ServiceKind::AuthForge,
        tell,
    }
}

fn classes(case: &Case, keys: KeysAtTarget) -> Vec<MoveClass> {
    let judged = judge(&case.machine, ServiceKind::Embedded, keys, case.now);
    judged.into_iter().map(|(_, class)| class).collect()
}

#[test]
fn what_is_left_stays_as_it_is_and_what_takes_its_place_goes_on() {
    for (tell, mails) in [
        (TellOfKeys::Nobody, "license_issued 0"),
        (TellOfKeys::Customer, "license_issued 0, license_issued 10"),
    ] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0);
        assert_eq!(classes(&case, KeysAtTarget::Own), [MoveClass::NewKey]);
        assert_eq!(classes(&case, KeysAtTarget::Chosen), [MoveClass::KeepsKey]);
        case.decide(10.0, to_authforge(tell))
            .is("active: live 33, live 33")
            .paid(30.1, "in_2", 30.0, 60.0)
            .is("active: live 33, live 63")
            .acts("create create extend");
        case.decide(40.0, Verb::Revoke)
            .is("active: expired, revoked")
            .mails(mails);
        let grants = &case.machine.grants;
        assert_eq!(grants[0].service, Some(ServiceKind::Embedded));
        assert!(grants[0].is_left() && !grants[1].is_left());
        assert_eq!(case.machine.label(2).to_string(), "Stripe sub sub_1 #2");
    }
}

#[test]
fn what_does_not_work_moves_when_it_works_again_and_its_customer_is_told() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .failed(30.0, "in_2", 30.0, 60.0)
        .on(50.0)
        .is("lapsed: suspended");
    assert_eq!(classes(&case, KeysAtTarget::Own), [MoveClass::Later]);
    case.decide(51.0, to_authforge(TellOfKeys::Nobody))
        .is("lapsed: suspended")
        .acts("create extend suspend");
    case.paid(52.0, "in_2", 30.0, 60.0)
        .is("active: suspended, live 63")
        .on(53.0);
    let of_second = |n: &Notice| n.kind == NoticeKind::LicenseIssued && n.seats == [2];
    assert!(case.machine.notices.iter().any(of_second));
}

#[test]
fn what_another_hand_gave_moves_too() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .changed_there(5.0, Some(100.0), 4)
        .is("active: live 100")
        .decide(10.0, to_authforge(TellOfKeys::Nobody))
        .is("active: live 100, live 100")
        .devices(&[4, 4]);
    let given = case.machine.grants[1].given.unwrap();
    assert!(given.time && given.devices);
}

#[test]
fn a_new_key_that_a_person_wants_is_a_new_one() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .decide(10.0, to_authforge(TellOfKeys::Nobody))
        .decide(11.0, rekey())
        .is("active: live 33, revoked, live 33")
        .on(12.0)
        .mails("license_issued 0, license_issued 11");
    let kept = &case.machine.grants[0];
    assert_eq!(kept.service_move, Some(ServiceMove::LeftForGood));
}

#[test]
fn the_key_is_kept_where_the_service_takes_it() {
    let mut case = Case::subscription(|_| {});
    case.takes_keys = true;
    case.paid(0.0, "in_1", 0.0, 30.0)
        .decide(10.0, to_authforge(TellOfKeys::Customer))
        .is("active: live 33")
        .deleted(20.0, 0.0, 30.0, EndReason::Requested)
        .on(40.0)
        .is("ended: expired");
    assert_eq!(case.machine.grants[0].key.reveal(), "KEY-1");
    assert!(
        classes(&case, KeysAtTarget::Own)
            .iter()
            .all(|c| *c == MoveClass::Later)
    );
    case.mails("license_issued 0, ended 30");
    assert!(case.now > day(30.0));
}

const AT_EMBEDDED: Hold = Hold::OtherService {
    at: ServiceKind::Embedded,
};

#[test]
fn what_is_at_another_service_waits_for_the_move() {
    let mut case = Case::subscription(|_| {});
    case.service = "embedded";
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.service = "authforge";
    case.paid(30.1, "in_2", 30.0, 60.0)
        .is("active: live 33")
        .acts("create")
        .holds(&[("extend_license", AT_EMBEDDED)]);
    assert_eq!(classes(&case, KeysAtTarget::Own), [MoveClass::NewKey]);
    case.decide(31.0, to_authforge(TellOfKeys::Nobody))
        .is("active: live 33, live 63")
        .acts("create create")
        .holds(&[]);
}

#[test]
fn with_the_old_service_again_what_waited_is_done_there() {
    let mut case = Case::subscription(|_| {});
    case.service = "embedded";
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.service = "authforge";
    case.decide(10.0, rekey())
        .is("active: live 33")
        .holds(&[("create_license", AT_EMBEDDED)]);
    // A license that works there, and no key beside it: its successor is made there first.
    assert_eq!(classes(&case, KeysAtTarget::Own), [MoveClass::Busy]);
    case.service = "embedded";
    case.on(11.0);
    case.reconcile();
    case.is("active: revoked, live 33").holds(&[]);
}

#[test]
fn what_another_service_ended_comes_back_as_a_new_license() {
    for (service, acts) in [
        ("authforge", "create revoke reinstate"),
        ("embedded", "create revoke create"),
    ] {
        let mut case = Case::purchase(|_| {});
        case.service = "authforge";
        case.told(
            0.0,
            "checkout.session.completed",
            session(PaymentStatus::Paid),
        );
        case.told(1.0, "refund.created", refund("re_1", "cs_1", 100));
        case.service = service;
        case.told(5.0, "refund.failed", failed_refund("re_1", "cs_1", 100))
            .acts(acts)
            .holds(&[]);
    }
}

/// The mail that a license works again speaks of the same key: where it is another one, the mail with that key says it.
#[test]
fn a_new_key_after_a_stop_is_told_by_its_own_mail() {
    for (service, told) in [
        ("authforge", "restored 50"),
        ("embedded", "license_issued 50"),
    ] {
        let mut case = Case::subscription(|p| p.at_grace_end = AtGraceEnd::Revoke);
        case.service = "authforge";
        case.paid(0.0, "in_1", 0.0, 30.0)
            .failed(30.0, "in_2", 30.0, 60.0)
            .on(48.0)
            .is("lapsed: revoked");
        case.service = service;
        case.paid(50.0, "in_2", 30.0, 60.0).on(51.0);
        case.mails(&format!("license_issued 0, payment_failed 30.01, grace_ending 37, grace_ending 44, ended 46.01, {told}"));
    }
}

/// A purchase whose license moved to another service and came back: one key stands at the first service since before, the
/// other one took its place.
fn there_and_back() -> Case {
    let mut case = Case::purchase(|_| {});
    case.service = "embedded";
    case.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    case.service = "authforge";
    case.decide(10.0, to_authforge(TellOfKeys::Nobody))
        .is("paid: live for life, live for life");
    case.service = "embedded";
    case.takes_keys = true;
    let back = Verb::Move {
        from: ServiceKind::AuthForge,
        to: ServiceKind::Embedded,
        tell: TellOfKeys::Nobody,
    };
    case.decide(20.0, back)
        .is("paid: live for life, live for life")
        .acts("create create create");
    case
}

#[test]
fn what_was_left_at_a_service_that_is_used_again_ends_with_its_purchase() {
    there_and_back()
        .told(30.0, "refund.created", refund("re_1", "cs_1", 100))
        .is("refunded: revoked, revoked");
    there_and_back()
        .decide(30.0, Verb::Revoke)
        .is("paid: revoked, revoked");
    there_and_back()
        .decide(30.0, rekey())
        .is("paid: revoked, revoked, live for life");
}

#[test]
fn what_was_left_there_stops_and_comes_back_with_its_purchase() {
    let mut case = there_and_back();
    let disputed = |status| dispute("dp_1", "cs_1", status);
    case.told(
        30.0,
        "charge.dispute.created",
        disputed(DisputeStatus::Open),
    )
    .is("paid: suspended, suspended")
    .told(31.0, "charge.dispute.closed", disputed(DisputeStatus::Won))
    .is("paid: live for life, live for life");
}

#[test]
fn what_was_left_at_a_service_that_is_not_used_any_more_stays() {
    let mut case = there_and_back();
    case.service = "authforge";
    case.takes_keys = false;
    case.decide(30.0, to_authforge(TellOfKeys::Nobody)).told(
        40.0,
        "refund.created",
        refund("re_1", "cs_1", 100),
    );
    let lives = |g: &&Grant| g.status == GrantStatus::Live;
    let left: Vec<bool> = case
        .machine
        .grants
        .iter()
        .filter(lives)
        .map(Grant::is_left)
        .collect();
    assert_eq!(left, [true, true]);
    case.holds(&[]);
    // What cannot be reached now ends once it can.
    case.service = "embedded";
    case.on(41.0);
    case.reconcile();
    assert_eq!(case.machine.grants.iter().filter(lives).count(), 0);
}
