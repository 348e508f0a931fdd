//! Which order counts.

use super::*;

fn orders(given: &[Standing]) -> StandingOrders {
    let mut orders = StandingOrders::default();
    for (at, what) in (1..).zip(given) {
        orders.add(StandingOrder {
            what: what.clone(),
            by: Author::Person("ada".to_owned()),
            reason: String::new(),
            at: Timestamp::from_s(at),
        });
    }
    orders
}

fn observe(plan: Option<&str>) -> Standing {
    let plan = plan.map(PlanName::from);
    Standing::Observe { plan }
}

fn live(plan: Option<&str>) -> Standing {
    let plan = plan.map(PlanName::from);
    Standing::Live { plan }
}

#[test]
fn the_newest_order_about_a_plan_counts() {
    for (given, pro, other) in [
        (vec![], false, false),
        (vec![observe(None)], true, true),
        (vec![observe(None), live(Some("pro"))], false, true),
        (
            vec![observe(None), live(Some("pro")), observe(None)],
            true,
            true,
        ),
        (
            vec![observe(None), live(None), observe(Some("pro"))],
            true,
            false,
        ),
    ] {
        let orders = orders(&given);
        assert_eq!(
            orders.observes(Some(&PlanName::from("pro"))).is_some(),
            pro,
            "{given:?}"
        );
        assert_eq!(orders.observes(None).is_some(), other, "{given:?}");
        assert_eq!(orders.observes_anything(), pro || other, "{given:?}");
    }
}

#[test]
fn a_service_is_paused_until_it_is_resumed() {
    let pause = |service: &str| Standing::Pause {
        service: service.to_owned(),
    };
    let resume = Standing::Resume {
        service: "authforge".to_owned(),
    };
    let orders = orders(&[pause("authforge"), pause("embedded"), resume]);
    assert!(orders.paused("authforge").is_none());
    assert_eq!(orders.paused("embedded").map(|o| o.at.s()), Some(2));
}

#[test]
fn where_another_program_makes_licenses_every_create_looks_until_a_person_says_it_stopped() {
    let source = SourceName::from("stripe");
    let of = |seen: &[Standing]| orders(seen);
    let (other, alone, adopted) = (
        Standing::OtherHandler {
            source: source.clone(),
        },
        Standing::Alone {
            source: source.clone(),
        },
        Standing::Adopted {
            source: source.clone(),
        },
    );
    let seen = of(std::slice::from_ref(&other));
    assert!(seen.other_handler(&source).is_some() && seen.hold_anything());
    assert!(seen.other_handler(&SourceName::from("other")).is_none());
    assert!(seen.others_may_make(Timestamp::from_s(9_000_000)));
    let over = of(&[other.clone(), alone.clone()]);
    assert!(over.other_handler(&source).is_none() && !over.hold_anything());
    assert!(!over.others_may_make(Timestamp::from_s(3)));
    assert_eq!(
        over.live_since(&source),
        Some(Timestamp::from_s(2)),
        "what was sold before looks"
    );
    let of_another = SourceName::from("other");
    assert_eq!(over.live_since(&of_another), None, "each source by itself");
    assert!(
        of(&[other.clone(), alone, other])
            .other_handler(&source)
            .is_some()
    );
    let adopted = of(&[adopted]);
    assert!(adopted.others_may_make(Timestamp::from_s(100)) && !adopted.hold_anything());
    assert!(
        !adopted.others_may_make(Timestamp::from_s(700_000)),
        "a week later"
    );
}

#[test]
fn it_went_live_when_its_last_plan_did() {
    let orders = orders(&[
        observe(None),
        live(Some("pro")),
        live(None),
        observe(Some("pro")),
    ]);
    let since = orders.live_since(&SourceName::from("stripe"));
    assert_eq!(since, Some(Timestamp::from_s(3)));
}

/// Since when the store is there, and whether the order that is in force is one to be told of.
#[test]
fn a_shop_that_never_was_live_is_not_forgotten() {
    let hours = |n: i64| Some(Timestamp::from_s(1 - n * 3_600));
    let told = |given: &[Standing], since| orders(given).forgettable(since).count();
    assert_eq!(told(&[observe(None)], hours(0)), 0, "it is moving here");
    assert_eq!(
        told(&[observe(None)], hours(2)),
        1,
        "it was live from the start"
    );
    assert_eq!(told(&[observe(None), live(None)], hours(0)), 0);
    let again = [observe(None), live(None), observe(None)];
    assert_eq!(told(&again, hours(0)), 1);
    let plan_by_plan = [observe(None), live(Some("pro"))];
    assert_eq!(
        told(&plan_by_plan, hours(0)),
        0,
        "the others are still to come"
    );
    let all = [observe(Some("pro")), observe(None)];
    assert_eq!(
        told(&all, hours(2)),
        1,
        "the shop's order holds the plan's work too"
    );
    let mut restored = orders(&again);
    restored.add(StandingOrder {
        what: observe(None),
        by: Author::Restore,
        reason: String::new(),
        at: Timestamp::from_s(9),
    });
    assert_eq!(
        restored.forgettable(hours(2)).count(),
        0,
        "it has its own line"
    );
}
