//! Rules in time, and people (rules 49 and 50).

mod succeeding;

use super::*;
use crate::domain::policy::{AtGraceEnd, OnCancel, OnRefund};

/// New keys, the old ones until these are there.
pub(super) fn rekey() -> Verb {
    Verb::Rekey {
        license: None,
        at_once: false,
        if_revoked: false,
    }
}

/// Rule 49: each thing is judged by the revision in force when it happened, and loading one takes nothing away.
#[test]
fn an_edited_file_reaches_nothing_that_has_happened() {
    let mut case = Case::subscription(|_| {});
    case.load(10.0, |r| {
        r.plans[0].license.devices = Some(Devices::Count(1));
        r.policies[0].grace = Span::from_days(1);
        r.policies[0].expiry_margin = Span::ZERO;
        r.policies[0].on_cancel = OnCancel::Now;
    });
    case.paid(0.0, "in_1", 0.0, 30.0)
        .on(11.0)
        .is("active: live 33")
        .acts("create");
    // The failure happens under the new file.
    case.failed(30.0, "in_2", 30.0, 60.0)
        .is("grace: live 33")
        .on(31.0)
        .is("lapsed: suspended");
    // A running episode keeps its own.
    let mut running = Case::subscription(|_| {});
    running.load(35.0, |r| r.policies[0].grace = Span::from_days(1));
    running
        .paid(0.0, "in_1", 0.0, 30.0)
        .failed(30.0, "in_2", 30.0, 60.0)
        .on(40.0)
        .is("grace: live 46");
    // A refund before the edit stays what it was.
    let mut refunded = Case::purchase(|_| {});
    refunded.load(5.0, |r| r.policies[0].on_refund = OnRefund::Keep);
    refunded.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    refunded
        .told(1.0, "refund.created", refund("re_1", "cs_1", 100))
        .is("refunded: revoked");
    refunded.on(6.0).is("refunded: revoked");
}

/// Rule 49: a file that does not name the standard policy has it with its defaults. One that names it judges nothing that was
/// before, and one that names it no more judges by the defaults.
#[test]
fn the_first_standard_policy_of_a_file_reaches_back_to_nothing() {
    let strict = |r: &mut Revision| {
        r.policies = vec![Policy {
            grace: Span::from_minutes(20),
            at_grace_end: AtGraceEnd::Revoke,
            expiry_margin: Span::ZERO,
            ..Policy::default()
        }];
    };
    let mut case = Case::subscription(|_| {});
    case.revisions[0].policies.clear();
    case.load(31.0, strict);
    case.paid(0.0, "in_1", 0.0, 30.0)
        .is("active: live 33")
        .failed(30.0, "in_2", 30.0, 60.0)
        .is("grace: live 46")
        .on(40.0)
        .is("grace: live 46");
    let mut named_no_more = Case::subscription(|_| {});
    strict(&mut named_no_more.revisions[0]);
    named_no_more.load(20.0, |r| r.policies.clear());
    named_no_more
        .paid(0.0, "in_1", 0.0, 30.0)
        .is("active: live 30")
        .failed(30.0, "in_2", 30.0, 60.0)
        .is("grace: live 46");
}

/// Rule 49: a price keeps the plan that it last had when it is dropped from the file.
#[test]
fn a_dropped_price_keeps_its_plan() {
    let mut case = Case::subscription(|_| {});
    case.load(10.0, |r| r.plans.clear());
    case.paid(0.0, "in_1", 0.0, 30.0)
        .on(20.0)
        .paid(30.1, "in_2", 30.0, 60.0)
        .is("active: live 63");
    // One that no revision knew takes the first later one that names it (8).
    let mut later = Case::subscription(|_| {});
    later.revisions[0].plans.clear();
    later.paid(0.0, "in_1", 0.0, 30.0).is("active:");
    later.load(2.0, |r| r.plans = vec![plan("pro", "price_pro")]);
    later
        .told(
            2.0,
            "customer.subscription.updated",
            snapshot(0.0, 30.0, |_| {}),
        )
        .is("active: live 33");
}

/// Rule 50: a grant gives time and takes none: what is for life stays so, also when the grant is over.
#[test]
fn a_grant_shortens_nothing() {
    let mut case = Case::subscription(|p| p.on_cancel = crate::domain::policy::OnCancel::Keep);
    case.paid(0.0, "in_1", 0.0, 30.0)
        .deleted(10.0, 0.0, 30.0, EndReason::Requested)
        .is("ended: live for life");
    let until = Some(day(20.0));
    case.decide(12.0, Verb::Grant { until })
        .is("ended: live for life")
        .on(25.0)
        .is("ended: live for life");
}

/// Rule 50: a person's word is a fact.
#[test]
fn a_person_s_word_goes_before() {
    let mut granted = Case::subscription(|_| {});
    granted
        .paid(0.0, "in_1", 0.0, 30.0)
        .decide(
            10.0,
            Verb::Grant {
                until: Some(day(100.0)),
            },
        )
        .is("active: live 100");
    granted
        .deleted(20.0, 0.0, 30.0, EndReason::Requested)
        .is("ended: live 100")
        .on(100.0)
        .is("ended: expired");
    let mut extended = Case::subscription(|_| {});
    extended
        .paid(0.0, "in_1", 0.0, 30.0)
        .decide(10.0, Verb::Extend { until: day(40.0) })
        .is("active: live 43");
    let mut exempt = Case::subscription(|_| {});
    exempt
        .paid(0.0, "in_1", 0.0, 30.0)
        .decide(10.0, Verb::Exempt { until: day(80.0) });
    exempt
        .failed(30.0, "in_2", 30.0, 60.0)
        .is("grace: live 80")
        .on(80.0)
        .is("lapsed: suspended");
    let mut running = Case::subscription(|_| {});
    running
        .paid(0.0, "in_1", 0.0, 30.0)
        .failed(30.0, "in_2", 30.0, 60.0);
    running
        .decide(40.0, Verb::Exempt { until: day(80.0) })
        .is("grace: live 80");
    let mut revoked = Case::subscription(|_| {});
    revoked
        .paid(0.0, "in_1", 0.0, 30.0)
        .decide(10.0, Verb::Revoke)
        .is("active: revoked");
    revoked.paid(30.1, "in_2", 30.0, 60.0).is("active: revoked");
    let mut kept = Case::purchase(|_| {});
    kept.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    )
    .decide(1.0, Verb::Keep);
    kept.told(2.0, "refund.created", refund("re_1", "cs_1", 100))
        .is("refunded: live for life");
    let mut kept = Case::subscription(|_| {});
    kept.paid(0.0, "in_1", 0.0, 30.0).decide(1.0, Verb::Keep);
    kept.told(2.0, "refund.created", refund("re_1", "in_1", 29))
        .deleted(3.0, 0.0, 30.0, EndReason::Requested)
        .is("ended: live 30");
    let mut rekeyed = Case::purchase(|_| {});
    rekeyed
        .told(
            0.0,
            "checkout.session.completed",
            session(PaymentStatus::Paid),
        )
        .decide(1.0, rekey());
    rekeyed
        .is("paid: revoked, live for life")
        .on(2.0)
        .mails("license_issued 0, license_issued 1");
}

/// Rule 50: who adds a day takes no grace away, whichever comes first, and whatever Stripe does meanwhile.
#[test]
fn an_extension_takes_no_grace_away() {
    let mut before = Case::subscription(|_| {});
    before
        .paid(0.0, "in_1", 0.0, 30.0)
        .decide(29.0, Verb::Extend { until: day(31.0) })
        .failed(30.0, "in_2", 30.0, 60.0)
        .is("grace: live 46");
    let mut meanwhile = Case::subscription(|_| {});
    meanwhile
        .paid(0.0, "in_1", 0.0, 30.0)
        .failed(30.0, "in_2", 30.0, 60.0);
    meanwhile
        .deleted(40.0, 0.0, 60.0, EndReason::PaymentFailed)
        .decide(41.0, Verb::Extend { until: day(42.0) })
        .is("grace: live 46")
        .on(46.0)
        .is("ended: suspended");
}

/// Rules 25 and 50: time that a person adds settles the grace that it reaches beyond. What had failed before that begins no
/// further one, and who adds days gives those days.
#[test]
fn an_extension_settles_what_failed_before() {
    let mut lapsed = Case::subscription(|_| {});
    lapsed
        .paid(0.0, "in_1", 0.0, 30.0)
        .failed(30.0, "in_2", 30.0, 60.0)
        .failed(60.0, "in_3", 60.0, 90.0)
        .is("lapsed: suspended");
    lapsed
        .decide(60.5, Verb::Extend { until: day(61.0) })
        .is("active: live 64");
    lapsed.mails("license_issued 0, payment_failed 30.01, grace_ending 37, grace_ending 44, suspended 46.01, restored 60.5");
    let mut running = Case::subscription(|_| {});
    running
        .paid(0.0, "in_1", 0.0, 30.0)
        .failed(30.0, "in_2", 30.0, 60.0);
    running
        .decide(45.0, Verb::Extend { until: day(47.0) })
        .is("active: live 50");
}

/// Rule 50: a new key ends the old one and is mailed, whatever comes later goes to the new one.
#[test]
fn a_new_key_takes_the_place_of_the_old_one() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .decide(10.0, rekey())
        .is("active: revoked, live 33");
    case.paid(30.1, "in_2", 30.0, 60.0)
        .is("active: revoked, live 63")
        .acts("create create revoke extend");
    case.decide(40.0, rekey())
        .is("active: revoked, revoked, live 63")
        .on(50.0);
    case.mails("license_issued 0, license_issued 10, license_issued 40");
    let labels: Vec<String> = case
        .machine
        .grants
        .iter()
        .map(|g| case.machine.label(g.number).to_string())
        .collect();
    assert_eq!(
        labels,
        [
            "Stripe sub sub_1",
            "Stripe sub sub_1 #2",
            "Stripe sub sub_1 #3"
        ]
    );
}

/// Rule 50: the address that a person set is the one for everything from then on; what went out before keeps its own.
#[test]
fn an_address_that_a_person_set_goes_before_all_others() {
    let mut case = Case::purchase(|_| {});
    let gift = |s: &mut Session| s.wants.deliver_to = Some("gift@example.com".to_owned());
    case.told(
        0.0,
        "checkout.session.completed",
        session_with(PaymentStatus::Paid, gift),
    );
    case.decide(
        1.0,
        Verb::Address {
            email: "right@example.com".to_owned(),
        },
    );
    case.decide(2.0, Verb::Resend { to: None })
        .told(3.0, "refund.created", refund("re_1", "cs_1", 100))
        .on(4.0);
    case.mails("license_issued 0, license_issued 2, refunded 3.01");
    case.mailed_to(&["gift@example.com", "right@example.com", "right@example.com"]);
}

/// Rules 43 and 50: a mail that was refused for good goes to the address that a person names then; what arrived does not go again.
#[test]
fn what_was_undeliverable_goes_to_the_address_that_is_named_then() {
    let to = |email: &str| Verb::Address {
        email: email.to_owned(),
    };
    let mut case = Case::purchase(|_| {});
    case.refuses = &["grace@example.com", "worse@example.com"];
    case.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    )
    .mails("")
    .decide(1.0, to("worse@example.com"))
    .mails("")
    .on(2.0)
    .decide(3.0, to("right@example.com"))
    .mails("license_issued 3")
    .mailed_to(&["right@example.com"])
    .decide(4.0, to("other@example.com"))
    .on(5.0)
    .mails("license_issued 3");
    // A mail that a person sent elsewhere failed there.
    let elsewhere = Some("worse@example.com".to_owned());
    case.decide(6.0, Verb::Resend { to: elsewhere })
        .decide(7.0, to("right@example.com"))
        .on(8.0)
        .mails("license_issued 3");
}

/// Rule 50: bound devices are forgotten once for each time that it is said, on the keys that were there then.
#[test]
fn devices_are_forgotten_once_for_each_word() {
    let mut case = Case::subscription(|_| {});
    case.load(-1.0, |r| r.plans[0].seats = Seats::Keys);
    let shown = |n: u32| move |s: &mut Subscription| s.items[0].quantity = Some(n);
    case.paid(0.0, "in_1", 0.0, 30.0)
        .shown(0.0, 0.0, 30.0, shown(2))
        .decide(5.0, Verb::ResetDevices { device: None });
    case.acts("create create reset_devices reset_devices")
        .is("active: live 33, live 33");
    case.shown(6.0, 0.0, 30.0, shown(3))
        .paid(30.1, "in_2", 30.0, 60.0)
        .on(40.0);
    case.acts("create create reset_devices reset_devices create extend extend extend");
    case.decide(41.0, Verb::ResetDevices { device: None });
    let resets = case
        .machine
        .actions
        .iter()
        .filter(|a| matches!(a.act, Act::ResetDevices { .. }))
        .count();
    assert_eq!(resets, 5);
    // One that is over has nothing to forget.
    let mut over = Case::purchase(|_| {});
    over.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    )
    .decide(1.0, Verb::Revoke);
    over.decide(2.0, Verb::ResetDevices { device: None })
        .acts("create revoke");
}

/// Rule 49: an explicit word makes the newest revision count for everything.
#[test]
fn apply_to_existing_is_a_person_s_word() {
    let mut case = Case::subscription(|_| {});
    case.load(10.0, |r| {
        r.plans[0].license.devices = Some(Devices::Count(1))
    });
    case.paid(0.0, "in_1", 0.0, 30.0).on(11.0).acts("create");
    case.decide(12.0, Verb::ApplyRevision).acts("create update");
}

/// Rule 51: what somebody else revoked at the service is left until a person says.
#[test]
fn what_another_hand_revoked_is_left() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.machine.grants[0].status = GrantStatus::Revoked;
    case.paid(30.1, "in_2", 30.0, 60.0)
        .is("active: revoked")
        // It is asked again, for the service may have been wrong.
        .acts("create check check");
    assert!(
        case.machine
            .told
            .iter()
            .any(|r| matches!(r.finding, Finding::RevokedElsewhere(_)))
    );
    case.decide(
        31.0,
        Verb::Grant {
            until: Some(day(60.0)),
        },
    )
    .is("active: live 63");
}
