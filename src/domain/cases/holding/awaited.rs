//! A license that a newer purchase of the customer waits for (rule 35): whose end it is, and whose create.

use super::aside::{keyless, only_read};
use super::*;
use crate::domain::awaited::{Awaiting, awaiting, ends, hold};
use crate::domain::hold::Cleared;
use crate::domain::policy::Resubscribe;
use crate::domain::transfer;

/// An ended subscription that was adopted with a key which works on, and its end that waits for a yes.
fn ended() -> Case {
    let mut case = Case::subscription(|policy| policy.on_cancel = OnCancel::Now);
    case.paid(0.0, "in_1", 0.0, 30.0);
    only_read(&mut case);
    case.on(9.0);
    case.deleted(9.0, 0.0, 30.0, EndReason::Requested);
    case.holds(&[("extend_license", Hold::Adoption)]);
    case
}

/// The subscription of the same customer that was adopted without a key.
fn newer() -> Case {
    let mut case = keyless();
    case.machine.id = "stripe/sub_2".parse().unwrap();
    case
}

fn held(case: &mut Case) -> &mut Action {
    let mut actions = case.machine.actions.iter_mut();
    actions.find(|a| a.outcome == ActionOutcome::Held).unwrap()
}

fn found(ended: &mut Case, newer: &Case) -> Option<Awaiting> {
    let end = held(ended).clone();
    let (other, old) = (&newer.machine, &ended.machine);
    let found = awaiting(other, old, &end, &newer.rules(), day(10.0));
    found.filter(|_| ends(old, &end, day(10.0)))
}

#[test]
fn the_end_of_a_license_names_the_create_that_goes_on_with_it() {
    let (mut old, mut new) = (ended(), newer());
    let (machine, create) = (new.machine.id.clone(), held(&mut new).id);
    let comes_over = true;
    assert_eq!(
        found(&mut old, &new),
        Some(Awaiting {
            machine,
            create,
            comes_over
        })
    );
}

/// What rule 35 does not bring over is not waited for.
#[test]
fn nobody_waits_for_a_license_that_does_not_come_over() {
    type Change = fn(&mut Case, &mut Case);
    let changes: [(&str, Change); 8] = [
        ("its license was revoked once", |old, _| {
            old.machine.grants[0].ever_revoked = true;
        }),
        ("its plan is another one", |old, _| {
            old.machine.grants[0].plan = Some("team".into());
        }),
        ("it is of another mode", |_, new| {
            new.machine.livemode = Some(false)
        }),
        ("who comes back gets a new license", |_, new| {
            new.revisions[0].policies[0].resubscribe = Resubscribe::New;
        }),
        ("the create was given up", |_, new| {
            held(new).outcome = ActionOutcome::Abandoned;
        }),
        ("the create waits for no person", |_, new| {
            held(new).held = Some(Hold::Observed);
        }),
        ("a person ordered the end", |old, _| {
            held(old).cleared = Some(Cleared::Decision);
        }),
        ("the license ended by itself", |old, _| {
            old.machine.grants[0].expires_at = Some(day(9.5));
        }),
    ];
    for (what, change) in changes {
        let (mut old, mut new) = (ended(), newer());
        change(&mut old, &mut new);
        assert_eq!(found(&mut old, &new), None, "{what}");
    }
    // A subscription that is not over keeps its license, unless another hand made it: that may have been for both.
    let mut runs = Case::subscription(|_| {});
    runs.paid(0.0, "in_1", 0.0, 30.0);
    let key = runs.machine.grants[0].key.clone();
    let mut end = Action::new(9, Act::Suspend { key }, 1, day(9.0));
    end.hold(Hold::Adoption, day(9.0));
    runs.machine.actions.push(end);
    assert_eq!(found(&mut runs, &newer()), None);
    runs.machine.grants[0].adopted = true;
    let found = found(&mut runs, &newer()).map(|awaiting| awaiting.comes_over);
    assert_eq!(found, Some(false));
}

/// A word that was said on the end alone is no more than before: it is held since it was first, and asks for a new one.
#[test]
fn an_end_that_was_let_go_is_held_as_before() {
    let mut old = ended();
    let end = held(&mut old);
    let before = end.clone();
    (end.outcome, end.held) = (ActionOutcome::Pending, None);
    let (author, reason) = ("ada".to_owned(), "a test".to_owned());
    end.clear(Cleared::Person { author, reason }, day(12.0));
    hold(end, day(12.0));
    assert_eq!(*end, before);
}

/// Once it was heard of, it goes on with that license by itself: no key is made, so nobody is asked.
#[test]
fn a_purchase_that_renews_needs_no_yes_to_what_makes_no_key() {
    let mut new = newer();
    let create = held(&mut new).id;
    let restorable = |new: &Case| {
        let revisions = new.rules();
        let folded = new.machine.folded(&revisions, new.now);
        transfer::restorable(&new.machine, &folded, &revisions, &new.standing, new.now)
    };
    assert_eq!(restorable(&new), [0; 0]);
    new.renewed(30.1, "in_2", 30.0, 60.0);
    assert_eq!(restorable(&new), [create]);
    held(&mut new).held = Some(Hold::Guard);
    assert_eq!(restorable(&new), [0; 0]);
}
