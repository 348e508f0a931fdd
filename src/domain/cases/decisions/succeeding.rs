//! A license in whose place another one is made works until that one is there.

use super::*;
use crate::domain::attention::of_machine;
use crate::domain::hold::{Cleared, DistrustCause, Hold};
use crate::domain::id::AppId;
use crate::domain::machine::Grant;
use crate::domain::standing::Standing;

/// A month that is paid, whose next key is made on day 20 at the earliest, because the service has no credits.
fn without_credits() -> Case {
    let mut case = Case::subscription(|_| {});
    case.ready = vec![day(0.0), day(40.0)];
    case.paid(0.0, "in_1", 0.0, 30.0);
    case
}

/// The old key ends once the new one is there, and not before; what is paid meanwhile is its too.
#[test]
fn the_old_key_works_until_the_new_one_is_there() {
    let mut case = without_credits();
    case.decide(10.0, rekey())
        .is("active: live 33")
        .acts("create");
    case.paid(29.0, "in_2", 30.0, 60.0)
        .is("active: live 63")
        .on(39.0)
        .is("active: live 63");
    // A second order for a new key is the same one.
    case.decide(39.5, rekey())
        .on(40.1)
        .is("active: revoked, live 63")
        .acts("create create extend revoke");
    case.on(50.0).is("active: revoked, live 63");
}

/// The line about a new key that is late says that its customer has a working one.
#[test]
fn a_late_key_whose_old_one_works_is_told_as_that() {
    let mut case = without_credits();
    case.decide(10.0, rekey()).on(11.0);
    let all = of_machine(&case.machine, case.now);
    let said = all[0].concern.to_string();
    assert!(
        said.starts_with("its new key is not there yet, and the old one works"),
        "{said}"
    );
    assert!(all.len() == 1 && !all[0].concern.is_urgent());
}

/// What ends the purchase while the new key waits ends the old one, and no new one is made.
#[test]
fn an_old_key_that_waits_for_its_successor_ends_with_its_purchase() {
    let mut refunded = without_credits();
    refunded
        .decide(10.0, rekey())
        .told(12.0, "refund.created", refund("re_1", "in_1", 29))
        .is("active: revoked")
        .on(45.0)
        .is("active: revoked")
        .acts("create revoke");
    let mut disputed = without_credits();
    disputed.decide(10.0, rekey()).told(
        12.0,
        "charge.dispute.created",
        dispute("dp_1", "in_1", DisputeStatus::Open),
    );
    disputed.is("active: revoked");
    // Won, it gets the key that was ordered.
    disputed
        .told(
            45.0,
            "charge.dispute.closed",
            dispute("dp_1", "in_1", DisputeStatus::Won),
        )
        .paid(46.0, "in_2", 30.0, 60.0)
        .is("active: revoked, live 63");
    let mut revoked = without_credits();
    revoked
        .decide(10.0, rekey())
        .decide(11.0, Verb::Revoke)
        .is("active: revoked");
}

/// One that runs out before the next payment is heard of goes on with it, and what time alone ends waits while time is not
/// trusted.
#[test]
fn an_old_key_that_runs_out_meanwhile_goes_on_with_the_next_payment() {
    let mut case = without_credits();
    case.decide(10.0, rekey())
        .on(34.0)
        .is("active: expired")
        .paid(35.0, "in_2", 30.0, 60.0)
        .is("active: live 63")
        .on(41.0)
        .is("active: revoked, live 63");
    let mut lapses = without_credits();
    lapses.ready = vec![day(0.0), day(90.0)];
    lapses
        .decide(10.0, rekey())
        .failed(30.0, "in_2", 30.0, 60.0)
        .is("grace: live 46");
    lapses.stops_held = Some(Distrust {
        cause: DistrustCause::Away(Span::from_hours(5)),
        until: day(50.0),
    });
    lapses.on(47.0);
    let held = lapses
        .machine
        .actions
        .iter()
        .filter_map(|a| a.held.as_ref());
    assert!(held.eq(&[Hold::TimeNotTrusted(lapses.stops_held.unwrap())]));
    lapses.stops_held = None;
    lapses.reconcile();
    lapses.is("lapsed: revoked");
}

/// A key that leaked ends now, whatever the new one waits for.
#[test]
fn an_old_key_ends_at_once_where_that_is_ordered() {
    let mut case = without_credits();
    let verb = Verb::Rekey {
        license: None,
        at_once: true,
        if_revoked: false,
    };
    case.decide(10.0, verb)
        .is("active: revoked")
        .paid(29.0, "in_2", 30.0, 60.0)
        .on(41.0)
        .is("active: revoked, live 63");
    // Later ones end when their successor is there, as ever.
    case.ready.push(day(60.0));
    case.decide(45.0, rekey()).is("active: revoked, live 63");
}

/// A new key that is held keeps the old one alive.
#[test]
fn an_old_key_works_while_the_new_one_is_held() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.order(5.0, Standing::Observe { plan: None });
    case.decide(10.0, rekey())
        .is("active: live 33")
        .holds(&[("create_license", Hold::Observed)]);
}

/// A plan that becomes another application's needs a key of its own: the old one works until it is there.
#[test]
fn a_key_for_another_application_is_there_before_the_old_one_ends() {
    let mut case = without_credits();
    case.revisions[0].plans[1].license.app_id = Some(AppId::from("other"));
    case.shown(10.0, 0.0, 30.0, |s| {
        s.items[0].price = priced("price_team");
    });
    case.is("active: live 33").acts("create");
    case.paid(29.0, "in_2", 30.0, 60.0).on(39.0);
    assert!(case.machine.grants[0].live_at(case.now));
    case.on(40.1);
    let live = |g: &&Grant| g.live_at(case.now);
    assert_eq!(case.machine.grants.iter().filter(live).count(), 1);
    let end = case
        .machine
        .actions
        .iter()
        .rfind(|a| matches!(a.act, Act::Revoke { .. }));
    assert_eq!(end.unwrap().cleared, None, "the guard counts it");
}

fn repaired() -> Verb {
    Verb::Rekey {
        license: Some(1),
        at_once: false,
        if_revoked: true,
    }
}

/// An audit found the key revoked. It is replaced when it is so as it is read, and nothing is sent to end it; one that works
/// stays, now and when another hand ends it later.
#[test]
fn a_repair_replaces_a_key_that_is_revoked_and_no_other() {
    let bought = || {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0).decide(10.0, repaired());
        case.is("active: live 33").acts("create");
        case
    };
    let mut works = bought();
    works
        .changed_there(11.0, Some(33.0), 3)
        .is("active: live 33")
        .acts("create check");
    works.revoked_there = vec!["KEY-1"];
    works
        .changed_there(12.0, Some(33.0), 3)
        .is("active: revoked")
        .acts("create check check");
    let mut revoked = bought();
    revoked.revoked_there = vec!["KEY-1"];
    revoked
        .changed_there(11.0, Some(33.0), 3)
        .is("active: revoked, live 33")
        .acts("create check create");
}

/// A service that called the key revoked was wrong, and it works: that ends it is no person's order, so the guard counts it.
#[test]
fn a_repair_is_no_order_to_end_a_key_that_works() {
    for (verb, is_order) in [(repaired(), false), (rekey(), true)] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0)
            .decide(10.0, verb)
            .on(10.5);
        case.revoked_there = vec!["KEY-1"];
        case.changed_there(11.0, Some(33.0), 3);
        case.machine.grants[0].status = GrantStatus::Live;
        case.reconcile();
        let ends = |a: &&Action| matches!(a.act, Act::Revoke { .. });
        let ending = case.machine.actions.iter().find(ends).unwrap();
        assert_eq!(ending.cleared == Some(Cleared::Decision), is_order);
    }
}
