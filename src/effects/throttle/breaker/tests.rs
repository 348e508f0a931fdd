//! The breaker's life, call by call.

use super::*;

const T0: Timestamp = Timestamp::from_s(1_000_000);

fn at(s: i64) -> Timestamp {
    T0 + Span::from_s(s)
}

fn breaker() -> Breaker {
    Breaker::new(BreakerSettings {
        failures_max: 3,
        ..BreakerSettings::service(8)
    })
}

/// Opens it at `at(0)`.
fn opened() -> Breaker {
    let mut b = breaker();
    for _ in 0..3 {
        assert_eq!(b.ask(at(0)), Gate::Go);
        b.record(CallResult::Broken, at(0));
    }
    b
}

/// How many calls go at once at an instant.
fn burst(b: &mut Breaker, now: Timestamp) -> u32 {
    (0..100)
        .take_while(|_| b.ask(now) == Gate::Go)
        .count()
        .try_into()
        .unwrap()
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_starts_the_count_anew() {
    let mut b = breaker();
    for result in [
        CallResult::Broken,
        CallResult::Broken,
        CallResult::Good,
        CallResult::Broken,
        CallResult::Broken,
    ] {
        assert_eq!(b.ask(at(0)), Gate::Go);
        b.record(result, at(0));
    }
    assert_eq!(b.open_until(), None);
    b.record(CallResult::Broken, at(0));
    assert_eq!(b.ask(at(0)), Gate::Until(at(1)));
}

#[test]
fn a_few_failures_are_enough_where_nothing_else_is_heard_for_long() {
    let mut b = Breaker::new(BreakerSettings::service(8));
    for (s, is_open) in [(0, false), (40, false), (41, true)] {
        assert_eq!(b.ask(at(s)), Gate::Go);
        b.record(CallResult::Broken, at(s));
        assert_eq!(b.open_until().is_some(), is_open, "at {s} s");
    }
    assert_eq!(b.condition(), (Condition::Down, Some(at(41))));
    let mut b = Breaker::new(BreakerSettings::service(8));
    for (s, result) in [
        (0, CallResult::Broken),
        (20, CallResult::Broken),
        (40, CallResult::Good),
        (41, CallResult::Broken),
    ] {
        b.record(result, at(s));
    }
    assert_eq!(b.condition(), (Condition::Up, None));
}

#[test]
fn the_condition_lasts_over_trials_until_one_succeeds() {
    let mut b = opened();
    let down = (Condition::Down, Some(at(0)));
    assert_eq!(b.condition(), down);
    b.record(CallResult::Good, at(0));
    assert_eq!(b.condition(), down, "an answer to what was sent before");
    assert_eq!(b.ask(at(1)), Gate::Go);
    assert_eq!(b.condition(), down, "the trial has told nothing yet");
    b.record(CallResult::Broken, at(1));
    assert_eq!(b.condition(), down);
    assert_eq!(b.ask(at(9)), Gate::Go);
    b.record(CallResult::Locked, at(9));
    assert_eq!(b.condition(), (Condition::Refusing, Some(at(9))));
    assert_eq!(b.ask(at(700)), Gate::Go);
    b.record(CallResult::Slow { after: None }, at(700));
    assert_eq!(
        b.condition(),
        (Condition::Slowed, Some(at(700))),
        "it answers"
    );
    assert_eq!(b.ask(at(710)), Gate::Go);
    b.record(CallResult::Good, at(711));
    assert_eq!(b.condition(), (Condition::Up, Some(at(711))));
}

#[test]
fn half_open_lets_one_through_and_each_failed_trial_doubles_the_wait() {
    let mut b = opened();
    let (mut now, mut waits) = (1, Vec::new());
    for _ in 0..8 {
        assert_eq!(b.ask(at(now)), Gate::Go);
        assert_eq!(b.ask(at(now)), Gate::Busy(at(now + 120)));
        b.record(CallResult::Broken, at(now));
        let Some(until) = b.open_until() else {
            panic!("it should be open")
        };
        waits.push((until - at(now)).ms() / 1000);
        now = until.s() - T0.s();
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn one_success_closes_it_and_the_backlog_comes_out_gradually() {
    let mut b = opened();
    assert_eq!(burst(&mut b, at(1)), 1);
    b.record(CallResult::Good, at(2));
    assert_eq!(burst(&mut b, at(2)), 2);
    b.record(CallResult::Good, at(3));
    assert_eq!(
        burst(&mut b, at(3)),
        3,
        "four at a time, of which one is still under way"
    );
    b.record(CallResult::Good, at(4));
    assert_eq!(burst(&mut b, at(4)), 100, "full flow");
}

#[test]
fn a_few_failures_while_it_recovers_do_not_open_it_again() {
    let mut b = opened();
    assert_eq!(b.ask(at(1)), Gate::Go);
    b.record(CallResult::Good, at(1));
    b.record(CallResult::Broken, at(1));
    assert_eq!(b.open_until(), None);
}

#[test]
fn a_call_that_is_never_reported_holds_the_trial_up_only_for_a_while() {
    let mut b = opened();
    assert_eq!(b.ask(at(1)), Gate::Go);
    assert_eq!(b.ask(at(120)), Gate::Busy(at(121)));
    assert_eq!(b.ask(at(121)), Gate::Go);
}

#[test]
fn a_call_that_was_not_made_gives_its_place_back() {
    let mut b = opened();
    assert_eq!(b.ask(at(1)), Gate::Go);
    b.record(CallResult::Unsent, at(1));
    assert_eq!(b.ask(at(1)), Gate::Go);
}

#[test]
fn too_many_requests_slow_the_whole_service_down_as_one_sign() {
    let mut b = breaker();
    let slow = |s: Option<i64>| CallResult::Slow {
        after: s.map(Span::from_s),
    };
    assert_eq!(burst(&mut b, at(0)), 100);
    b.record(slow(None), at(0));
    b.record(slow(None), at(0));
    assert_eq!(b.ask(at(0)), Gate::Until(at(1)));
    b.record(slow(Some(30)), at(0));
    assert_eq!(
        b.ask(at(0)),
        Gate::Until(at(30)),
        "what the service asks for is honoured"
    );
    assert_eq!(burst(&mut b, at(30)), 1);
    b.record(slow(None), at(30));
    assert_eq!(b.ask(at(30)), Gate::Until(at(32)));
}

#[test]
fn what_only_a_person_can_mend_is_tried_rarely_or_when_told() {
    let mut b = breaker();
    b.record(CallResult::Locked, at(0));
    assert_eq!(b.ask(at(0)), Gate::Until(at(600)));
    b.record(CallResult::Good, at(1));
    assert_eq!(b.ask(at(1)), Gate::Until(at(600)), "an old answer");
    b.release(at(5));
    assert_eq!(burst(&mut b, at(5)), 1);
    b.record(CallResult::Locked, at(6));
    assert_eq!(b.open_until(), Some(at(606)));
    assert_eq!(burst(&mut b, at(606)), 1);
    b.record(CallResult::Good, at(606));
    assert_eq!(b.open_until(), None);
}

#[test]
fn a_clock_that_is_set_back_keeps_it_open_no_longer() {
    let mut b = opened();
    assert_eq!(b.ask(at(-1)), Gate::Go);
    // So does a trial that is never reported.
    let mut b = opened();
    assert_eq!(b.ask(at(1)), Gate::Go);
    assert_eq!(b.ask(at(-1)), Gate::Go);
}
