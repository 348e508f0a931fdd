//! What a license comes to by its own purchase and by others.

use super::*;

const fn day(n: i64) -> Timestamp {
    Timestamp::from_s(1_767_607_200 + n * 86_400)
}

fn seat(want: Want, why: Why, paid_until: Option<i64>) -> SeatDue {
    SeatDue {
        item: "purchase".into(),
        aliases: std::collections::BTreeSet::new(),
        unit: 1,
        plan: None,
        app_id: None,
        devices: Devices::Count(2),
        want,
        why,
        since: Some(day(0)),
        paid_until: paid_until.map(day),
        period: None,
        row: None,
        guessed: false,
    }
}

const fn live(n: i64) -> Want {
    Want::Live {
        until: Some(day(n)),
    }
}

fn added(n: u32, since: i64, adds: Adds, standing: ExtensionStanding) -> Extension {
    Extension {
        from: format!("stripe/cs_{n}").parse().unwrap(),
        seat: SeatId {
            item: "purchase".into(),
            unit: 1,
        },
        standing,
        since: day(since),
        adds,
        plan: None,
        app_id: None,
        devices: Devices::Count(1),
        adopted: false,
    }
}

#[track_caller]
fn comes_to(own: SeatDue, extensions: &[Extension], now: i64, wanted: (Want, Why)) {
    let mut due = Entitlement {
        seats: vec![own],
        complete: true,
        ..Entitlement::default()
    };
    extend(&mut due, extensions, day(now));
    assert_eq!((due.seats[0].want, due.seats[0].why), wanted);
    assert_eq!(
        (due.seats.len(), due.seats[0].devices),
        (1, Devices::Count(2))
    );
}

#[test]
fn time_is_added_from_the_end_or_from_the_payment() {
    use ExtensionStanding::{Counts, Gone, Stopped};
    let year = Adds::Time(Span::from_days(365));
    let own = || seat(live(365), Why::Due, Some(365));
    let of = |n, since, standing| added(n, since, year, standing);
    let extended = |n| (live(n), Why::Extended);
    comes_to(own(), &[of(2, 300, Counts)], 310, extended(730));
    comes_to(own(), &[of(2, 400, Counts)], 410, extended(765));
    comes_to(
        own(),
        &[of(2, 0, Counts), of(3, 0, Counts)],
        1,
        extended(1095),
    );
    comes_to(
        own(),
        &[of(2, 10, Gone), of(3, 500, Counts)],
        501,
        extended(865),
    );
    comes_to(own(), &[of(2, 10, Gone)], 20, (live(365), Why::Due));
    comes_to(own(), &[of(2, 10, Stopped)], 20, (live(365), Why::Due));
    comes_to(
        own(),
        &[of(2, 10, Stopped)],
        400,
        (Want::Suspended, Why::Disputed),
    );
    let refunded = || seat(Want::Revoked, Why::Refunded, Some(365));
    comes_to(refunded(), &[of(2, 100, Counts)], 101, extended(465));
    comes_to(refunded(), &[of(2, 100, Counts)], 500, extended(465));
    comes_to(
        refunded(),
        &[of(2, 100, Gone)],
        101,
        (Want::Revoked, Why::Refunded),
    );
    comes_to(
        refunded(),
        &[of(2, 100, Stopped)],
        101,
        (Want::Suspended, Why::Disputed),
    );
    let disputed = || seat(Want::Suspended, Why::Disputed, Some(365));
    comes_to(disputed(), &[of(2, 100, Counts)], 101, extended(465));
    comes_to(
        disputed(),
        &[of(2, 100, Gone)],
        101,
        (Want::Suspended, Why::Disputed),
    );
}

#[test]
fn a_subscription_s_own_time_counts_without_its_margin() {
    use ExtensionStanding::Counts;
    let year = Adds::Time(Span::from_days(365));
    // Its license outlives what was paid by the margin, and the year does not begin only then.
    let own = seat(live(33), Why::Due, Some(30));
    comes_to(
        own.clone(),
        &[added(2, 10, year, Counts)],
        11,
        (live(395), Why::Extended),
    );
    // What a short extension adds takes nothing of the margin.
    let day_more = Adds::Time(Span::from_days(1));
    comes_to(
        own,
        &[added(2, 10, day_more, Counts)],
        11,
        (live(33), Why::Due),
    );
    let lapsed = seat(Want::Suspended, Why::Lapsed, Some(30));
    comes_to(
        lapsed.clone(),
        &[added(2, 20, year, Counts)],
        50,
        (live(395), Why::Extended),
    );
    comes_to(
        lapsed,
        &[added(2, 20, year, Counts)],
        400,
        (Want::Suspended, Why::Lapsed),
    );
    let until = Adds::Until(day(60));
    let own = seat(live(365), Why::Due, Some(365));
    comes_to(
        own,
        &[added(2, 20, until, Counts)],
        50,
        (live(365), Why::Due),
    );
}

#[test]
fn for_life_is_for_life_and_a_person_s_end_stays() {
    use ExtensionStanding::Counts;
    let life = [added(2, 10, Adds::Life, Counts)];
    let for_life = (Want::Live { until: None }, Why::Extended);
    for own in [
        seat(live(33), Why::Due, Some(30)),
        seat(Want::Suspended, Why::Lapsed, Some(30)),
        seat(Want::Revoked, Why::Refunded, None),
    ] {
        comes_to(own, &life, 40, for_life);
    }
    let ended = seat(Want::Revoked, Why::Decided, Some(30));
    comes_to(ended, &life, 40, (Want::Revoked, Why::Decided));
}

#[test]
fn a_seat_that_is_given_up_is_held_by_what_others_add() {
    let mut due = Entitlement::default();
    let year = Adds::Time(Span::from_days(365));
    let extension = added(2, 10, year, ExtensionStanding::Counts);
    extend(&mut due, &[extension], day(11));
    assert_eq!(due.seats[0].want, live(375));
    assert_eq!(due.wake, Some(day(375)));
}
