use super::*;
use crate::domain::attention::{ActionAttention, HeldBack, ServiceTrouble, Shortage};

const NOW: Timestamp = Timestamp::from_s(1_767_607_200);
const EVERY: Span = Span::from_minutes(15);

fn minutes(n: i64) -> Timestamp {
    NOW + Span::from_minutes(n)
}

fn refused(number: u32, since: Timestamp) -> Attention {
    let concern = Concern::RefusedAction(ActionAttention {
        machine: "stripe/cs_1".parse().unwrap(),
        number,
        act: "extend_license",
        creates: false,
        lost: None,
        lacks_access: false,
        why: None,
        meant: None,
    });
    Attention { since, concern }
}

fn gone(trouble: ServiceTrouble, since: Timestamp) -> Attention {
    gone_of(&[], trouble, since)
}

fn gone_of(sources: &[&str], trouble: ServiceTrouble, since: Timestamp) -> Attention {
    let concern = Concern::ServiceGone {
        service: "authforge",
        of: sources.iter().map(|name| (*name).into()).collect(),
        trouble,
        why: "401".to_owned(),
    };
    Attention { since, concern }
}

/// Plays what waits at some minutes; what is reported, as `cause: new of total` or `cause: over`.
fn play(coverage: Coverage, at: &[(i64, Vec<Attention>)]) -> Vec<String> {
    let (mut log, mut said) = (AlertLog::default(), Vec::new());
    for (minute, waiting) in at {
        let now = minutes(*minute);
        let (digests, next) = due_digests(&log, waiting, coverage, EVERY, now);
        said.extend(digests.iter().map(|d| match &d.news {
            News::Waits { new, all, .. } => format!(
                "{minute} {}: {} of {}",
                d.topic.cause.as_str(),
                new.len(),
                all.len()
            ),
            News::Recovered { .. } => format!("{minute} {}: over", d.topic.cause.as_str()),
        }));
        // It survives a restart.
        log = stored(&next);
    }
    said
}

fn stored(log: &AlertLog) -> AlertLog {
    let mut bytes = Vec::new();
    minicbor::encode(log, &mut bytes).unwrap();
    minicbor::decode(&bytes).unwrap()
}

#[test]
fn an_urgent_topic_is_reported_at_once_and_once_and_then_its_end() {
    let refuses = || vec![gone(ServiceTrouble::Refusing, NOW)];
    let said = play(
        Coverage::Whole,
        &[
            (0, refuses()),
            (1, refuses()),
            (90, refuses()),
            (91, vec![]),
            (93, refuses()),
            (94, vec![]),
            (98, vec![]),
            (99, vec![]),
            (200, vec![]),
        ],
    );
    assert_eq!(said, ["0 service: 1 of 1", "99 service: over"]);
}

#[test]
fn what_may_pass_by_itself_is_reported_when_it_has_lasted() {
    let down = || vec![gone(ServiceTrouble::Down, NOW)];
    let said = play(Coverage::Whole, &[(0, down()), (14, down()), (15, down())]);
    assert_eq!(said, ["15 service: 1 of 1"]);
    let said = play(Coverage::Whole, &[(0, down()), (14, vec![]), (40, vec![])]);
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_full_disk_is_reported_at_once_and_an_order_when_it_has_stood() {
    let full = |shortage| {
        let why = "14.00 MiB free, 16.00 MiB needed".to_owned();
        let concern = Concern::StoreFull { shortage, why };
        vec![Attention {
            since: NOW,
            concern,
        }]
    };
    let at_once = |waiting| play(Coverage::Whole, &[(0, waiting)]);
    assert_eq!(at_once(full(Shortage::Disk)), ["0 full: 1 of 1"]);
    assert_eq!(at_once(full(Shortage::Memory)), [""; 0], "it may pass");
    let paused = |holds| {
        let concern = Concern::HeldBack {
            what: HeldBack::Service("authforge".to_owned()),
            by: "ada (moving)".to_owned(),
            holds,
        };
        vec![Attention {
            since: NOW,
            concern,
        }]
    };
    let said = play(
        Coverage::Whole,
        &[
            (0, paused(None)),
            (14, paused(Some(1))),
            (15, paused(Some(2))),
            (60, paused(Some(3))),
            (61, vec![]),
            (66, vec![]),
        ],
    );
    assert_eq!(said, ["15 held_back: 1 of 1", "66 held_back: over"]);
}

#[test]
fn more_of_a_topic_is_one_message_each_time() {
    let some = |ns: &[u32]| ns.iter().map(|n| refused(*n, NOW - EVERY)).collect();
    let said = play(
        Coverage::Whole,
        &[
            (0, some(&[1, 2])),
            (5, some(&[1, 2, 3])),
            (16, some(&[1, 2, 3, 4])),
            (40, some(&[4])),
            (41, some(&[4, 5])),
            (60, some(&[5])),
        ],
    );
    assert_eq!(
        said,
        [
            "0 refused_action: 2 of 2",
            "16 refused_action: 2 of 4",
            "41 refused_action: 1 of 2"
        ]
    );
}

/// A digest of what may wait does not hold back what may not, and each has its own pause.
#[test]
fn what_is_urgent_does_not_wait_for_the_next_digest_of_its_topic() {
    let create = |number: u32, since| {
        let mut urgent = refused(number, since);
        if let Concern::RefusedAction(action) = &mut urgent.concern {
            action.creates = true;
        }
        urgent
    };
    let waits = || refused(1, NOW - EVERY);
    let said = play(
        Coverage::Whole,
        &[
            (0, vec![waits()]),
            (1, vec![waits(), create(2, minutes(1))]),
            (
                2,
                vec![waits(), create(2, minutes(1)), create(3, minutes(2))],
            ),
            (
                16,
                vec![waits(), create(2, minutes(1)), create(3, minutes(2))],
            ),
        ],
    );
    assert_eq!(
        said,
        [
            "0 refused_action: 1 of 1",
            "1 refused_action: 1 of 2",
            "16 refused_action: 1 of 3"
        ]
    );
}

/// A service that did not answer and now refuses us is another trouble: nobody mends it by waiting.
#[test]
fn a_service_that_was_down_and_now_refuses_us_is_news() {
    let down = || vec![gone(ServiceTrouble::Down, NOW)];
    let refuses = || vec![gone(ServiceTrouble::Refusing, NOW)];
    let said = play(
        Coverage::Whole,
        &[(15, down()), (16, refuses()), (17, refuses()), (18, down())],
    );
    assert_eq!(said, ["15 service: 1 of 1", "16 service: 1 of 1"]);
}

/// Two accounts of one kind of service are two topics: the second is reported though the first was, and each has its end.
#[test]
fn two_services_of_one_name_do_not_hide_each_other() {
    let eu = || gone_of(&["eu"], ServiceTrouble::Refusing, NOW);
    let us = || gone_of(&["us"], ServiceTrouble::Refusing, minutes(2));
    let said = play(
        Coverage::Whole,
        &[
            (0, vec![eu()]),
            (2, vec![eu(), us()]),
            (3, vec![us()]),
            (8, vec![us()]),
            (9, vec![]),
            (14, vec![]),
        ],
    );
    let (waits, over) = ("service: 1 of 1", "service: over");
    assert_eq!(
        said,
        [
            format!("0 {waits}"),
            format!("2 {waits}"),
            format!("8 {over}"),
            format!("14 {over}")
        ]
    );
    assert_eq!(eu().concern.about(), "authforge of eu");
    assert_eq!(eu().concern.to_string(), "authforge of eu refuses us: 401");
}

#[test]
fn nothing_of_purchases_is_over_before_all_were_looked_at() {
    let waiting = || vec![refused(1, NOW - EVERY)];
    let said = play(
        Coverage::Partial,
        &[(0, waiting()), (30, vec![]), (60, vec![])],
    );
    assert_eq!(said, ["0 refused_action: 1 of 1"]);
}

/// A clock that was two days ahead reported something and noted an end; right again, nothing waits for the wrong date.
#[test]
fn a_clock_that_was_ahead_silences_no_topic() {
    const AHEAD: i64 = 2 * 24 * 60;
    let (first, other) = (refused(1, NOW), refused(2, NOW));
    let said = play(
        Coverage::Whole,
        &[
            (AHEAD, vec![first.clone()]),
            (20, vec![first.clone(), other.clone()]),
            (21, vec![first, other]),
            (AHEAD + 1, vec![]),
            (30, vec![]),
            (36, vec![]),
            (37, vec![refused(3, minutes(AHEAD))]),
        ],
    );
    assert_eq!(
        said,
        [
            "2880 refused_action: 1 of 1",
            "20 refused_action: 1 of 2",
            "36 refused_action: over",
            "37 refused_action: 1 of 1",
        ]
    );
}
