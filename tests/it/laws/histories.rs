//! Every history in `fixtures/histories`: what its author expects, its whole timeline, and what no history may
//! leave behind.

pub(crate) mod expected;

use std::collections::BTreeMap;

use keyward::domain::action::ActionOutcome;
use keyward::domain::time::Span;
use keyward::engine::read::view;
use keyward::sim::timeline;

use crate::support::replay;

/// Each line of each `expect.jsonl`.
#[test]
fn what_was_expected_comes_out() {
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for history in replay::all() {
        let claims = expected::claims(&history);
        assert!(!claims.is_empty(), "{} expects nothing", history.name);
        let mut answers = BTreeMap::new();
        for claim in &claims {
            judged += 1;
            let answer = answers
                .entry(claim.at)
                .or_insert_with(|| history.replay(Some(claim.at)).1);
            let so = expected::judge(claim, answer);
            wrong.extend(
                so.iter()
                    .map(|w| format!("{} at {}: {w}", history.name, claim.at)),
            );
        }
    }
    let all = wrong.join("\n");
    assert!(
        wrong.is_empty(),
        "{} of {judged} do not hold:\n{all}",
        wrong.len()
    );
}

/// The whole story of each history stands beside it, and whoever changes it sees it in the diff.
#[test]
fn timelines_are_as_kept() {
    for history in replay::all() {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&history.folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let (_, answer) = history.replay(None);
        settings.bind(|| insta::assert_snapshot!("timeline", timeline::text(&answer)));
    }
}

/// Every event has an explained end, all work is done, and every machine passes its own check.
#[test]
fn nothing_is_left_open() {
    for history in replay::all() {
        let (world, answer) = history.replay(None);
        let name = &history.name;
        for ignored in &answer.ignored {
            let known = EXPLAINED.iter().any(|e| ignored.reason.starts_with(e));
            assert!(
                known,
                "{name}: {} {} ignored: {}",
                ignored.event, ignored.kind, ignored.reason
            );
        }
        let all = answer.applied.len() + answer.parked.len() + answer.ignored.len();
        assert_eq!(
            all,
            world.events.len(),
            "{name}: an event is neither applied, parked nor ignored"
        );
        view::machines(&world.store, |machine| {
            assert_eq!(machine.check(), Ok(()), "{name}: {}", machine.id);
            assert_eq!(machine.held, None, "{name}: {}", machine.id);
            let open = |o| {
                matches!(
                    o,
                    ActionOutcome::Pending | ActionOutcome::Held | ActionOutcome::Refused
                )
            };
            let left = machine.actions.iter().find(|a| open(a.outcome));
            assert!(left.is_none(), "{name}: {} {left:?}", machine.id);
            true
        })
        .unwrap();
    }
}

/// Rule 7: what no purchase ever claims is ignored after 400 days, and not a day sooner.
#[test]
fn what_is_never_linked_is_ignored_in_the_end() {
    let history = replay::all()
        .into_iter()
        .find(|h| h.name == "refund-never-linked")
        .unwrap();
    let first = history.lines().iter().map(|l| l.received).min().unwrap();
    let last = history.lines().iter().map(|l| l.received).max().unwrap();
    let (_, answer) = history.replay(Some(first + Span::from_days(399)));
    assert_eq!((answer.parked.len(), answer.ignored.len()), (2, 0));
    let (_, answer) = history.replay(Some(last + Span::from_days(400)));
    assert_eq!((answer.parked.len(), answer.ignored.len()), (0, 2));
    assert!(
        answer
            .ignored
            .iter()
            .all(|i| i.reason.starts_with("never linked"))
    );
}

/// Reasons for which the events of these histories may be ignored.
const EXPLAINED: &[&str] = &[
    "one attempt to pay",
    "a plan for later",
    "prices and products are read from purchases",
    "a one-off invoice counts when it is paid",
    "a credit note changes nothing by itself",
    "an event of a connected account, and the source does not say",
    "an event of the other mode (live or test)",
    "an event of the other mode than the",
    "a Checkout session of mode `setup`",
];
