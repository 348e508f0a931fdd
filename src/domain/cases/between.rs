//! What stands between machines: which one a fact belongs to, and what moves from one to another.

use super::*;
use crate::domain::action::{NewLicense, SeatId};
use crate::domain::finding::Report;
use crate::domain::hold::Hold;
use crate::domain::id::Scope;
use crate::domain::routing::{Meanwhile, Reason, Route, asks, route};
use crate::domain::transfer::{Attempts, take_over};

fn fact(body: FactBody) -> Fact {
    Fact {
        id: "evt_1".into(),
        kind: String::new(),
        at: day(0.0),
        received: day(0.0),
        body,
        chain: None,
    }
}

/// Where a fact goes whose names lead to these machines, each by one of its names.
fn routed(body: FactBody, linked: &[(&str, &str)]) -> Route {
    let fact = fact(body);
    let machine = |name: &Name| {
        linked
            .iter()
            .find(|(n, _)| *n == name.as_str())
            .map(|(_, to)| to.parse().unwrap())
    };
    let links: Vec<_> = asks(&fact)
        .into_iter()
        .filter_map(|name| Some((name.clone(), machine(&name)?)))
        .collect();
    route(&Scope::of("stripe"), &fact, &links, &Revisions::default())
}

fn to(machine: &str, takes_over: Option<&str>) -> Route {
    let takes_over = takes_over.map(|id| id.parse().unwrap());
    Route::To {
        machine: machine.parse().unwrap(),
        kind: Kind::Payment,
        takes_over,
    }
}

#[test]
fn money_back_waits_for_its_purchase() {
    let body = || refund("re_1", "cs_1", 100);
    let names = vec!["pi_cs_1".to_owned()];
    assert_eq!(
        routed(body(), &[]),
        Route::Wait {
            names,
            counts: Meanwhile::Parked
        }
    );
    assert_eq!(
        routed(body(), &[("pi_cs_1", "stripe/cs_1")]),
        to("stripe/cs_1", None)
    );
}

#[test]
fn a_charge_without_money_back_is_a_mere_link() {
    let counts = |body| match routed(body, &[]) {
        Route::Wait { counts, .. } => counts,
        elsewhere @ (Route::To { .. } | Route::Nowhere(_)) => panic!("{elsewhere:?}"),
    };
    assert_eq!(counts(charge(0)), Meanwhile::Link);
    assert_eq!(counts(charge(1)), Meanwhile::Parked);
    // No plan names its price; what paid it may still lead somewhere, where it is named.
    assert_eq!(counts(bill("il_1", "price_none")), Meanwhile::Link);
    let unpaid_by = |i: &mut Invoice| (i.payment_intent, i.charge) = (None, None);
    let counted = counts(with(bill("il_1", "price_none"), unpaid_by));
    assert_eq!(counted, Meanwhile::Ignored(Reason::InvoiceOfOthers));
}

#[test]
fn a_session_takes_its_own_invoice_s_machine_over_and_no_other() {
    let body = || session(PaymentStatus::Paid);
    assert_eq!(
        routed(body(), &[("pi_cs_1", "stripe/in_9")]),
        to("stripe/cs_1", Some("stripe/in_9"))
    );
    assert_eq!(
        routed(body(), &[("pi_cs_1", "stripe/sub_9")]),
        to("stripe/cs_1", None)
    );
}

/// A machine with one create that waits, sent so many times.
fn creating(id: &str, attempts: u32) -> Machine {
    let mut machine = Machine::new(
        id.parse().unwrap(),
        Kind::Payment,
        SourceName::from("stripe"),
        Some(true),
    );
    let seat = SeatId {
        item: "purchase".into(),
        unit: 1,
    };
    let new = NewLicense {
        seat,
        app_id: None,
        plan: None,
        expires_at: None,
        devices: Devices::Count(1),
        keeps: None,
    };
    machine.actions.push(Action {
        attempts,
        ..Action::new(1, Act::Create(new), 1, day(0.0))
    });
    machine.last_number = 1;
    machine
}

/// How far a create came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It was never sent.
    Nowhere,
    /// Its attempt is on disk: it may have been sent.
    ToDisk,
    /// It was sent, and no answer came.
    ToTheService,
}

/// What became of the creates of a session and of its invoice.
fn merged(own: Came, incoming: Came) -> Machine {
    let one = |came: Came| (came == Came::ToDisk).then_some(1).into_iter().collect();
    let sent = |came: Came| u32::from(came == Came::ToTheService);
    let attempts = Attempts {
        own: one(own),
        incoming: one(incoming),
        land_until: day(1.0),
    };
    let mut machine = creating("stripe/cs_1", sent(own));
    take_over(
        &mut machine,
        creating("stripe/in_9", sent(incoming)),
        &attempts,
        day(0.0),
    );
    machine
}

#[test]
fn of_two_creates_for_one_seat_the_one_that_was_not_sent_is_dropped() {
    let outcomes = |m: Machine| [m.actions[0].outcome, m.actions[1].outcome];
    let (pending, dropped) = (ActionOutcome::Pending, ActionOutcome::Superseded);
    assert_eq!(
        outcomes(merged(Came::Nowhere, Came::Nowhere)),
        [dropped, pending]
    );
    assert_eq!(
        outcomes(merged(Came::ToTheService, Came::Nowhere)),
        [pending, dropped]
    );
    assert_eq!(
        outcomes(merged(Came::ToDisk, Came::Nowhere)),
        [pending, dropped]
    );
    assert_eq!(
        outcomes(merged(Came::Nowhere, Came::ToDisk)),
        [dropped, pending]
    );
}

/// What holds both lets go of both: one of them must be gone by then.
#[test]
fn of_two_creates_that_are_held_one_is_dropped() {
    let held = |id| {
        let mut machine = creating(id, 0);
        let hold = Some(Hold::Observed);
        (machine.actions[0].outcome, machine.actions[0].held) = (ActionOutcome::Held, hold);
        machine
    };
    let mut machine = held("stripe/cs_1");
    take_over(
        &mut machine,
        held("stripe/in_9"),
        &Attempts::default(),
        day(0.0),
    );
    let outcomes: Vec<_> = machine.actions.iter().map(|a| a.outcome).collect();
    assert_eq!(outcomes, [ActionOutcome::Superseded, ActionOutcome::Held]);
}

#[test]
fn of_two_creates_that_may_have_been_made_both_are_looked_for() {
    let machine = merged(Came::ToTheService, Came::ToDisk);
    let seats: Vec<_> = machine
        .actions
        .iter()
        .map(|a| a.act.new_license().unwrap().seat.item.as_str())
        .collect();
    assert_eq!(
        seats,
        ["purchase", "in_9"],
        "the second stands for a seat that nobody is due"
    );
    let (second, look) = (
        &machine.actions[1],
        CreatePhase::Recover {
            since: day(1.0),
            absent: 0,
            any_age: false,
        },
    );
    assert_eq!(
        (second.id, second.license, second.attempts, second.phase),
        (2, 2, 1, look)
    );
    assert_eq!(machine.last_number, 2);
}

#[test]
fn a_purchase_that_was_served_twice_is_told() {
    let mut bought = Case::purchase(|_| {});
    bought
        .told(
            0.0,
            "checkout.session.completed",
            session(PaymentStatus::Paid),
        )
        .on(1.0);
    let mut machine = bought.machine.clone();
    let from = Machine {
        id: "stripe/in_9".parse().unwrap(),
        ..bought.machine
    };
    take_over(&mut machine, from, &Attempts::default(), day(1.0));
    assert!(machine.told.contains(&Report::new(
        day(1.0),
        Finding::ServedTwice("stripe/in_9".parse().unwrap())
    )));
    let numbers: Vec<u32> = machine.grants.iter().map(|g| g.number).collect();
    assert_eq!(numbers, [1, 2]);
}
