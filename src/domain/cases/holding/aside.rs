//! Held and failing work stands aside: it keeps nothing else from its license, and is judged again once what held it is over
//! (rule 53). A person's own order passes what waits for a person's word (rule 50).

use super::*;
use crate::domain::cases::decisions::rekey;
use crate::domain::hold::{Cleared, DistrustCause};
use crate::domain::operator::Repaired;

/// A subscription that was adopted with the key of its handler; the plan has three devices, the key `devices`.
fn adopted(devices: u32) -> Case {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    only_read(&mut case);
    let grant = &mut case.machine.grants[0];
    (grant.adopted, grant.devices) = (true, Devices::Count(devices));
    grant.expires_at = Some(day(30.0));
    case.on(10.0).reconcile();
    case
}

/// All that is known of it was read at Stripe.
pub(super) fn only_read(case: &mut Case) {
    for fact in &mut case.machine.facts {
        fact.id = format!("{ADOPTED_PREFIX}{}", fact.id).as_str().into();
    }
    case.machine.adopted_at = Some(day(10.0));
}

/// An adopted subscription without any key.
pub(super) fn keyless() -> Case {
    let mut case = Case::subscription(|_| {});
    case.machine.adopted_at = Some(day(10.0));
    let lines = vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
    let paid = invoice("in_1", InvoiceEvent::Paid, lines);
    case.told_late(10.0, 0.0, "invoice.paid", paid);
    case.holds(&[("create_license", Hold::Adoption)]);
    case
}

/// Another purchase's license came for one that was adopted without a key: what it lacks of the paid time is given by the yes
/// that brought it. Without having come it waits for one of its own.
#[test]
fn a_license_that_came_from_another_purchase_is_given_the_paid_time() {
    for came in [true, false] {
        let mut case = adopted(3);
        let grant = &mut case.machine.grants[0];
        (grant.moved_in, grant.expires_at) = (came, Some(day(20.0)));
        case.reconcile();
        if came {
            case.is("active: live 33").holds(&[]);
        } else {
            let waits = [("extend_license", Hold::Adoption)];
            case.is("active: live 20").holds(&waits);
        }
        // What takes something from it waits all the same.
        case.machine.grants[0].expires_at = Some(day(90.0));
        case.reconcile();
        let waits = [("extend_license", Hold::Adoption)];
        case.is("active: live 90").holds(&waits);
    }
}

fn distrust() -> Distrust {
    Distrust {
        cause: DistrustCause::Away(Span::from_hours(5)),
        until: day(100.0),
    }
}

pub(super) fn paused() -> Standing {
    let service = "simulated".to_owned();
    Standing::Pause { service }
}

pub(super) fn resumed() -> Standing {
    let service = "simulated".to_owned();
    Standing::Resume { service }
}

/// A key with fewer devices than the plan waits for a yes; the renewal that is paid then does not.
#[test]
fn a_renewal_goes_out_beside_what_an_adoption_holds() {
    let mut case = adopted(1);
    let devices = [("update_license", Hold::Adoption)];
    case.holds(&devices).is("active: live 30");
    case.paid(29.0, "in_2", 30.0, 60.0)
        .is("active: live 63")
        .holds(&devices)
        .devices(&[1]);
}

/// Whatever holds one thing back for itself, the license gets what was paid for.
#[test]
fn a_renewal_goes_out_beside_whatever_is_held() {
    let by = "asked".to_owned();
    for hold in [
        Hold::Adoption,
        Hold::Guard,
        Hold::Person { reason: by },
        Hold::TimeNotTrusted(distrust()),
    ] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0);
        // By a clock that jumped nobody knows.
        case.stops_held = Some(distrust());
        case.machine.grants[0].devices = Devices::Count(1);
        let act = Act::SetDevices {
            key: case.machine.grants[0].key.clone(),
            devices: Devices::Count(3),
        };
        let mut held = Action::new(case.machine.next_action(), act, 1, case.now);
        held.hold(hold.clone(), case.now);
        case.machine.actions.push(held);
        case.paid(30.1, "in_2", 30.0, 60.0).is("active: live 63");
        case.holds(&[("update_license", hold)]);
    }
}

/// What failed waits for its next try, and what was refused for a person: neither keeps a renewal.
#[test]
fn a_renewal_goes_out_beside_what_fails() {
    for refused in [false, true] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0);
        case.machine.grants[0].devices = Devices::Count(1);
        let act = Act::SetDevices {
            key: case.machine.grants[0].key.clone(),
            devices: Devices::Count(3),
        };
        let mut fails = Action::new(case.machine.next_action(), act, 1, case.now);
        (fails.attempts, fails.due) = (3, day(29.04));
        if refused {
            fails.outcome = ActionOutcome::Refused;
        }
        case.now = day(29.0);
        case.machine.actions.push(fails);
        case.paid(29.0, "in_2", 30.0, 60.0)
            .is("active: live 63")
            .devices(&[1]);
    }
}

/// Two things for one license that are let go at once are both done.
#[test]
fn what_is_let_go_together_is_all_done() {
    let mut case = adopted(1);
    case.machine.grants[0].expires_at = Some(day(20.0));
    case.reconcile();
    case.holds(&[
        ("update_license", Hold::Adoption),
        ("extend_license", Hold::Adoption),
    ]);
    case.approved()
        .is("active: live 33")
        .devices(&[3])
        .holds(&[]);
}

/// What a pause held and something else holds when it ends says so, and goes ahead by the word that this takes.
#[test]
fn what_a_pause_held_is_held_by_what_else_holds_it_when_the_pause_ends() {
    let mut case = Case::subscription(|_| {});
    case.order(-1.0, paused());
    case.paid(0.0, "in_1", 0.0, 30.0);
    only_read(&mut case);
    case.on(11.0);
    case.order(12.0, resumed())
        .holds(&[("create_license", Hold::Adoption)]);
    case.approved().is("active: live 33");
}

/// What is observed and paused waits for both, in whichever order they end, and looks before it makes anything.
#[test]
fn what_two_orders_hold_waits_for_both() {
    let observe = || Standing::Observe { plan: None };
    let live = || Standing::Live { plan: None };
    for (first, second, then) in [
        (resumed(), live(), Hold::Observed),
        (
            live(),
            resumed(),
            Hold::Paused {
                reason: "a test".to_owned(),
            },
        ),
    ] {
        let mut case = Case::subscription(|_| {});
        case.since = Some(day(-100.0));
        case.order(-2.0, observe()).order(-1.0, paused());
        case.told(0.0, "invoice.paid", {
            let lines = vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
            invoice("in_1", InvoiceEvent::Paid, lines)
        });
        case.there = Some((GrantStatus::Live, Some(day(33.0)), Devices::Count(3)));
        case.order(1.0, first).holds(&[("create_license", then)]);
        case.order(2.0, second).is("active: live 33").holds(&[]);
        assert_eq!(case.machine.licenses_created(), 0, "others made it");
    }
}

/// Who grants, extends or wants a new key has said that the customer is to have one.
#[test]
fn an_order_that_gives_passes_what_an_adoption_holds() {
    let until = Some(day(90.0));
    for (verb, is) in [
        (Verb::Grant { until }, "active: live 90"),
        (Verb::Extend { until: day(40.0) }, "active: live 43"),
        (rekey(), "active: live 33"),
        (Verb::Keep, "active: live 33"),
    ] {
        let mut case = keyless();
        case.decide(12.0, verb.clone()).is(is).holds(&[]);
        let create = case.machine.actions.iter().find(|a| a.act.creates());
        let cleared = create.and_then(|a| a.cleared.clone());
        assert_eq!(cleared, Some(Cleared::Decision), "{verb:?}");
    }
    // What says nothing of a license lets none go.
    for verb in [Verb::Note, Verb::ResetDevices { device: None }] {
        keyless()
            .decide(12.0, verb)
            .holds(&[("create_license", Hold::Adoption)]);
    }
    // Nor does what somebody held, or an order for the whole shop.
    let mut case = keyless();
    case.order(11.0, paused());
    case.decide(12.0, rekey());
    let reason = "a test".to_owned();
    case.holds(&[("create_license", Hold::Paused { reason })]);
    case.order(13.0, resumed()).is("active: live 33").holds(&[]);
}

/// Who revokes has said so, also of a key whose end waits for a yes already.
#[test]
fn an_order_that_ends_passes_what_waits_for_a_yes() {
    for hold in [Hold::Adoption, Hold::Guard, Hold::BeginningUnknown] {
        let mut case = Case::purchase(|_| {});
        case.told(
            0.0,
            "checkout.session.completed",
            session(PaymentStatus::Paid),
        );
        let key = case.machine.grants[0].key.clone();
        let mut held = Action::new(case.machine.next_action(), Act::Revoke { key }, 1, day(1.0));
        held.hold(hold.clone(), day(1.0));
        case.machine.actions.push(held);
        case.decide(2.0, Verb::Revoke).is("paid: revoked");
        assert_eq!(case.machine.actions.len(), 2, "{hold:?}");
    }
}

/// The margin of a key that had ended before it was taken in waits for a yes; that of one which ends afterwards does not.
#[test]
fn the_margin_of_a_key_that_had_ended_waits() {
    for (paid_until, waits) in [(9.0, true), (10.5, false)] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, paid_until);
        only_read(&mut case);
        let grant = &mut case.machine.grants[0];
        (grant.adopted, grant.expires_at) = (true, Some(day(paid_until)));
        case.on(10.0).reconcile();
        case.on(11.0);
        if waits {
            case.holds(&[("extend_license", Hold::Adoption)]);
        } else {
            case.holds(&[]).is("active: live 13.5");
        }
    }
}

/// A repair is a yes to what a purchase lacks, not to sending anything while the shop is only observed: it waits for the shop
/// to go live, and then needs no second yes.
#[test]
fn a_repair_waits_for_what_holds_the_whole_shop() {
    for (mut case, which, act) in [
        (keyless(), Repaired::Giving, "create_license"),
        (adopted(1), Repaired::Lacking, "update_license"),
    ] {
        case.holds(&[(act, Hold::Adoption)]);
        case.order(11.0, observe());
        let order = Order::Repair {
            which,
            author: "ada".to_owned(),
            reason: "audited".to_owned(),
        };
        carry_out(&mut case.machine, None, &order, case.now);
        case.reconcile();
        case.holds(&[(act, Hold::Observed)]);
        case.order(12.0, live()).holds(&[]);
        let grant = &case.machine.grants[0];
        assert_eq!(grant.devices, Devices::Count(3), "{act}");
    }
}
