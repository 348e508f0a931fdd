//! What is folded holds until it says: nothing turns before that.

use keyward::domain::fact::Fact;
use keyward::domain::machine::Machine;
use keyward::domain::revision::Revisions;
use keyward::domain::time::{Span, Timestamp};

use crate::support::replay;

/// Around these a fold might turn, counted from whatever is dated: a subscription that is young, graces of the fixtures, months.
const TURNS: [Span; 10] = [
    Span::from_ms(0),
    Span::from_minutes(1),
    Span::from_minutes(10),
    Span::from_hours(1),
    Span::from_days(1),
    Span::from_days(7),
    Span::from_days(14),
    Span::from_days(16),
    Span::from_days(30),
    Span::from_days(60),
];

#[test]
fn a_fold_holds_until_it_says() {
    let (mut compared, mut turned) = (0, 0);
    for history in replay::all() {
        let (world, _) = history.replay(None);
        for whole in world.machines() {
            for known in 1..=whole.facts.len() {
                let mut machine = whole.clone();
                machine.facts.truncate(known);
                let revisions = &history.rules.revisions;
                let (same, until) = holds(&history.name, &machine, revisions);
                (compared, turned) = (compared + same, turned + usize::from(until));
            }
        }
    }
    assert!(compared > 10_000 && turned > 500, "{compared} {turned}");
}

/// Compares a machine's fold with those of later instants before its end. Returns how many there were, and whether it ends.
fn holds(name: &str, machine: &Machine, revisions: &Revisions) -> (usize, bool) {
    let heard = machine.facts.iter().map(|f| f.received).max();
    let now = heard.unwrap_or_default();
    let folded = machine.folded(revisions, now);
    let mut later: Vec<Timestamp> = machine.facts.iter().flat_map(dates).collect();
    later.push(now);
    let turns = |at: Timestamp| TURNS.map(|span| at + span);
    let mut later: Vec<Timestamp> = later.into_iter().flat_map(turns).collect();
    later.extend(folded.until.map(|until| until - Span::from_ms(1)));
    later.retain(|at| *at > now && folded.until.is_none_or(|until| *at < until));
    later.sort_unstable();
    later.dedup();
    for at in &later {
        let then = machine.folded(revisions, *at);
        assert_eq!(then, folded, "{name}: {} of {now} at {at}", machine.id);
    }
    (later.len(), folded.until.is_some())
}

/// What a fact dates.
fn dates(fact: &Fact) -> Vec<Timestamp> {
    let made = fact.subscription().and_then(|s| s.created);
    let due = fact.invoice().and_then(|i| i.due);
    let told = [Some(fact.at), Some(fact.received), made, due];
    told.into_iter().flatten().collect()
}
