//! Items that come, go and are replaced.

use super::*;
use crate::domain::policy::Trial;

/// Rule 14: an item that is added is licensed at once while the running period is paid, before any invoice for it.
#[test]
fn an_added_item_is_licensed_at_once() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .shown(1.0, 0.0, 30.0, |_| {});
    let both = |s: &mut Subscription| s.items.push(item("si_2", "price_team", 1, 0.0, 30.0));
    case.shown(10.0, 0.0, 30.0, both)
        .is("active: live 33, live 33");
    // Where the period is not paid any more, it waits for its own payment.
    let mut late = Case::subscription(|_| {});
    late.paid(0.0, "in_1", 0.0, 30.0)
        .shown(1.0, 0.0, 30.0, |_| {})
        .failed(30.0, "in_2", 30.0, 60.0);
    late.shown(31.0, 30.0, 60.0, |s| {
        s.status = SubscriptionStatus::PastDue;
        s.items.push(item("si_2", "price_team", 1, 30.0, 60.0));
    });
    late.is("grace: live 46");
}

/// Rule 14: an item that is replaced hands its license on, to one of the same plan first.
#[test]
fn an_item_that_is_replaced_hands_its_license_on() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .shown(1.0, 0.0, 30.0, |_| {});
    case.shown(10.0, 0.0, 30.0, |s| {
        s.items = vec![item("si_9", "price_team", 1, 0.0, 30.0)]
    });
    case.is("active: live 33")
        .acts("create")
        .paid(30.0, "in_2", 30.0, 60.0);
    let mut two = Case::subscription(|_| {});
    let items = |ids: [(&'static str, &'static str); 2]| {
        move |s: &mut Subscription| {
            s.items = ids
                .map(|(id, price)| item(id, price, 1, 0.0, 30.0))
                .to_vec()
        }
    };
    let lines = vec![
        line("si_1", "price_pro", 29, 0.0, 30.0),
        line("si_2", "price_team", 29, 0.0, 30.0),
    ];
    two.told(0.0, "invoice.paid", paid("in_1", lines));
    two.shown(
        1.0,
        0.0,
        30.0,
        items([("si_1", "price_pro"), ("si_2", "price_team")]),
    );
    two.shown(
        9.0,
        0.0,
        30.0,
        items([("si_8", "price_team"), ("si_9", "price_pro")]),
    );
    two.is("active: live 33, live 33").acts("create create");
    let plans: Vec<_> = two
        .machine
        .grants
        .iter()
        .map(|g| g.plan.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(plans, ["pro", "team"]);
}

/// Rule 23: a trial added to a paid, running subscription extends its license, whatever the policy says of first trials.
#[test]
fn a_trial_that_is_given_later_extends() {
    let mut case = Case::subscription(|p| p.trial = Trial::None);
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.shown(10.0, 10.0, 70.0, |s| {
        (s.status, s.trial_end) = (SubscriptionStatus::Trialing, Some(day(70.0)))
    });
    case.is("trialing: live 73");
}
