//! Rule 52: which license that others made is a seat's own.

use super::*;
use crate::domain::action::{NewLicense, SeatId};
use crate::domain::adoption::{Belongs, SeatEnds};

/// The license that the seat of an item needs until a day.
fn needed(item: &str, until: f64) -> NewLicense {
    NewLicense {
        seat: SeatId {
            item: item.into(),
            unit: 1,
        },
        app_id: None,
        plan: None,
        expires_at: Some(day(until)),
        devices: Devices::Count(1),
        keeps: None,
    }
}

fn belongs(case: &Case, needed: &NewLicense, ends: f64) -> Belongs {
    SeatEnds::of(&case.machine, needed).belongs(Some(Some(day(ends))))
}

/// Both licenses have the subscription's label. The month's one still ends where the last period did, and the year is known
/// from a snapshot alone, or not at all.
#[test]
fn at_a_renewal_the_month_s_license_is_not_mistaken_for_the_year_s() {
    let renewal = || {
        let lines = vec![line("si_2", "price_solo_m", 29, 30.0, 60.0)];
        invoice("in_2", InvoiceEvent::Paid, lines)
    };
    let mut case = Case::subscription(|_| {});
    case.told(30.0, "invoice.paid", renewal());
    let month = needed("si_2", 63.0);
    assert_eq!(belongs(&case, &month, 33.0), Belongs::Here);
    assert_eq!(belongs(&case, &month, 61.0), Belongs::Here);
    assert_eq!(belongs(&case, &month, 368.0), Belongs::Unsaid);

    let year = item("si_1", "price_solo_y", 1, 0.0, 365.0);
    let both = |s: &mut Subscription| {
        let month = item("si_2", "price_solo_m", 1, 30.0, 60.0);
        s.items = vec![year, month];
    };
    case.told(
        30.01,
        "customer.subscription.updated",
        snapshot(30.0, 60.0, both),
    );
    assert_eq!(belongs(&case, &month, 33.0), Belongs::Here);
    assert_eq!(belongs(&case, &month, 368.0), Belongs::Elsewhere);
    let of_year = needed("si_1", 368.0);
    assert_eq!(belongs(&case, &of_year, 368.0), Belongs::Here);
    assert_eq!(belongs(&case, &of_year, 61.0), Belongs::Elsewhere);
}

/// What asks for a license may stand in the metadata of the whole, and any item may pay for it.
#[test]
fn the_whole_purchase_s_license_is_not_another_item_s() {
    let mut case = Case::subscription(|_| {});
    case.told(
        0.0,
        "customer.subscription.updated",
        snapshot(0.0, 30.0, |_| {}),
    );
    let whole = needed("purchase", 33.0);
    assert_eq!(belongs(&case, &whole, 32.0), Belongs::Here);
    assert_eq!(belongs(&case, &whole, 90.0), Belongs::Unsaid);
}

/// A recovery of the license that another hand made, begun when the purchase was to end: its answer comes when nobody wants it any
/// more. What it found may be what was made here since, whose key is still to be mailed.
#[test]
fn what_a_look_finds_that_nobody_wants_any_more_is_not_taken_over() {
    for (wanted, keys) in [(true, 1), (false, 0)] {
        let mut case = Case::subscription(|_| {});
        let look = Act::Recover(needed("si_1", 33.0));
        let mut look = Action::new(1, look, 1, case.now);
        if !wanted {
            look.outcome = ActionOutcome::Superseded;
        }
        case.machine.actions.push(look);
        let found = Outcome::Done(Confirmed {
            status: GrantStatus::Live,
            key: LicenseKey::new("KEY-1"),
            expires_at: Some(day(33.0)),
            devices: Some(Devices::Count(1)),
            adopted: true,
            others: Vec::new(),
        });
        let sent = case.now;
        case.in_context(|machine, context| outcome(machine, 1, &found, sent, context));
        assert_eq!(case.machine.grants.len(), keys, "wanted: {wanted}");
    }
}

/// A create of unknown outcome while the clock was two days ahead: once it is right, a sweep that begins from then on counts.
#[test]
fn a_look_that_a_clock_dated_ahead_does_not_wait_for_the_wrong_date() {
    let mut case = Case::subscription(|_| {});
    case.ready = vec![day(9.0)];
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.machine.actions[0].phase = CreatePhase::Recover {
        since: day(2.0),
        absent: 0,
        any_age: false,
    };
    let sweeps = Abilities::simulated().lookup_after.len();
    let mut looks = Vec::new();
    while matches!(case.machine.actions[0].phase, CreatePhase::Recover { .. }) && looks.len() < 9 {
        let (id, now) = (case.machine.actions[0].id, case.now);
        let began = Outcome::Absent { began: now };
        case.in_context(|machine, context| outcome(machine, id, &began, now, context));
        looks.push(case.machine.actions[0].phase);
        case.now = case.now + Span::from_minutes(1);
    }
    let begun_anew = CreatePhase::Recover {
        since: day(0.0),
        absent: 0,
        any_age: false,
    };
    assert_eq!(looks[0], begun_anew, "which sweep that was is not known");
    assert_eq!(looks.len(), 1 + sweeps);
    assert_eq!(looks.last(), Some(&CreatePhase::Ready));
}
