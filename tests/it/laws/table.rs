//! The entitlement table is walked: every row of `docs/states/entitlement.md` is reached by a history, under one policy or
//! another, at some instant of its life.

use keyward::domain::entitlement::printed::{self, Row};
use keyward::domain::entitlement::{self, Why};
use keyward::domain::fact::Fact;
use keyward::domain::lifecycle::{Kind, fold};
use keyward::domain::policy::{
    AtGraceEnd, OnCancel, OnDispute, OnDisputeLost, OnDisputeWon, OnInquiry, OnPartialRefund,
    OnPause, OnRefund, Policy, Trial,
};
use keyward::domain::revision::{Revision, Revisions};
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::read::view;

use crate::support::replay::{self, History};

/// One change of a policy each, so that every choice is made somewhere.
const CHOICES: [fn(&mut Policy); 14] = [
    |_| {},
    |p| p.at_grace_end = AtGraceEnd::Revoke,
    |p| p.at_grace_end = AtGraceEnd::Keep,
    |p| p.on_cancel = OnCancel::Now,
    |p| p.on_cancel = OnCancel::Keep,
    |p| p.on_refund = OnRefund::Keep,
    |p| p.on_partial_refund = OnPartialRefund::Revoke,
    |p| p.on_dispute = OnDispute::Keep,
    |p| p.on_inquiry = OnInquiry::Suspend,
    |p| p.on_dispute_won = OnDisputeWon::Keep,
    |p| p.on_dispute_lost = OnDisputeLost::Keep,
    |p| p.on_pause = OnPause::Suspend,
    |p| p.trial = Trial::None,
    |p| {
        (p.grace, p.at_grace_end, p.on_pause) =
            (Span::from_days(1), AtGraceEnd::Keep, OnPause::Suspend)
    },
];

fn revisions(history: &History, change: fn(&mut Policy)) -> Revisions {
    let newest = history.rules.revisions.newest().unwrap();
    let mut policies = newest.policies.clone();
    policies.push(Policy::default());
    policies.iter_mut().for_each(change);
    Revisions::new(vec![Revision {
        from: Timestamp::from_ms(0),
        plans: newest.plans.clone(),
        policies,
    }])
}

/// Instants at which something can have changed: each fact's, and some days after it.
fn instants(facts: &[Fact]) -> Vec<Timestamp> {
    let later = [0, 1, 5, 20, 45].map(Span::from_days);
    facts
        .iter()
        .flat_map(|f| later.map(|span| f.at + span))
        .collect()
}

fn note(kind: Kind, facts: &[Fact], revisions: &Revisions, rows: &mut [(Row, usize)]) {
    for now in instants(facts) {
        let heard: Vec<Fact> = facts.iter().filter(|f| f.at <= now).cloned().collect();
        let folded = fold(kind, &heard, revisions, now);
        for pair in entitlement::rows(&folded, revisions, now) {
            let (_, reached) = rows
                .iter_mut()
                .find(|(row, _)| row.holds(pair))
                .expect("a row for every pair");
            *reached += 1;
        }
    }
}

#[test]
fn every_row_is_reached_by_a_history() {
    let mut rows: Vec<(Row, usize)> = printed::rows().into_iter().map(|row| (row, 0)).collect();
    for history in replay::all().iter().filter(|h| !h.name.contains("--")) {
        let (world, _) = history.replay(None);
        view::machines(&world.store, |machine| {
            for change in CHOICES {
                note(
                    machine.kind,
                    &machine.facts,
                    &revisions(history, change),
                    &mut rows,
                );
            }
            true
        })
        .unwrap();
    }
    let missed: Vec<&Row> = rows
        .iter()
        .filter(|(_, reached)| *reached == 0)
        .map(|(row, _)| row)
        .collect();
    assert!(
        missed.is_empty(),
        "rows that no history reaches:\n{missed:#?}"
    );
    println!(
        "{} rows, each reached; the rarest {} times",
        rows.len(),
        rows.iter().map(|(_, n)| *n).min().unwrap()
    );
}

/// Every reason that the table gives is of a row, and reads as a sentence.
#[test]
fn every_reason_can_be_read() {
    let page = printed::page();
    let reasons = [
        Why::Due,
        Why::Grace,
        Why::Lapsed,
        Why::Disputed,
        Why::DisputeLost,
        Why::Refunded,
        Why::Paused,
    ];
    let said: Vec<Why> = printed::rows().iter().map(|row| row.says.1).collect();
    for why in reasons.into_iter().chain([Why::Ending, Why::NotPaid]) {
        assert!(said.contains(&why), "{why:?} is of no row");
    }
    assert!(
        page.lines().filter(|l| l.starts_with("| ")).count() > said.len(),
        "{page}"
    );
}
