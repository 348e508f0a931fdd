//! No key that stops a moment after it was mailed: in whatever order the events of a first week arrive, what ends well was
//! never stopped on the way, and was made once.
//!
//! Every history's first week is delivered a second apart, in permutations of what the rules read. What the true order
//! itself stops (a dispute that is won within the week) is not judged.

use keyward::domain::action::{Act, ActionOutcome};
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::{EventPayload, Input};
use keyward::engine::read::view;
use keyward::sim::Simulation;
use keyward::sim::history::Line;

use crate::support::replay::{self, History};

const WEEK: Span = Span::from_days(7);
/// Long enough for snapshots to speak, and for notices.
const AFTERWARDS: Span = Span::from_hours(2);
/// Permutations tried of each history; all of those of six events with the long campaigns.
const TRIED: usize = 40;
const TRIED_FULL: usize = 720;
/// What Stripe never does: one id in both modes. Which mode a machine is of is what its first event says.
const IN_BOTH_MODES: &str = "other-mode-same-ids";

/// Facts, and not what the rules ignore.
fn is_read(line: &Line) -> bool {
    matches!(&line.input, Input::Delivery(delivery) if matches!(delivery.payload, EventPayload::Fact(_)))
}

fn first_week(history: &History) -> Vec<Line> {
    let lines = history.lines();
    let Some(first) = lines.iter().map(|l| l.received).min() else {
        return lines;
    };
    lines
        .into_iter()
        .filter(|l| l.received < first + WEEK && is_read(l))
        .collect()
}

/// The n-th of `tried` permutations: all of them where there are not more, else spread over them all.
fn permutation(lines: &[Line], n: usize, tried: usize) -> Vec<&Line> {
    let count = (1..=lines.len())
        .try_fold(1_usize, usize::checked_mul)
        .unwrap_or(usize::MAX);
    let mut n = if count <= tried {
        n
    } else {
        n * (count / tried) + n
    };
    let mut left: Vec<&Line> = lines.iter().collect();
    let mut out = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let len = left.len();
        out.push(left.remove(n % len));
        n /= len;
    }
    out
}

/// What was done on the way to a purchase's licenses.
#[derive(Debug, Default, PartialEq, Eq)]
struct Way {
    stops: usize,
    made: usize,
    live: usize,
    /// Mails that told of a stop.
    alarms: usize,
}

fn played(history: &History, lines: Vec<&Line>, from: Timestamp) -> (Simulation, String) {
    let mut world = Simulation::new(history.rules.clone(), None);
    let mut order = Vec::new();
    for (line, n) in lines.into_iter().zip(0..) {
        if let Input::Delivery(delivery) = &line.input {
            order.push(delivery.kind.to_string());
        }
        let line = replay::received(line, from + Span::from_s(n));
        world
            .advance(line.received)
            .and_then(|()| world.deliver(&line))
            .unwrap_or_else(|e| panic!("{}: {e}", history.name));
    }
    world
        .advance(from + AFTERWARDS)
        .unwrap_or_else(|e| panic!("{}: {e}", history.name));
    (world, order.join(", "))
}

fn way(world: &Simulation) -> Way {
    let mut way = Way::default();
    view::machines(&world.store, |machine| {
        let done = machine
            .actions
            .iter()
            .filter(|a| a.outcome == ActionOutcome::Done);
        way.stops += done
            .filter(|a| matches!(a.act, Act::Suspend { .. } | Act::Revoke { .. }))
            .count();
        way.made += machine.licenses_created();
        way.live += machine
            .grants
            .iter()
            .filter(|g| g.live_at(world.now))
            .count();
        let told = |n: &&keyward::domain::notice::Notice| {
            n.status.as_str() == "sent"
                && ["suspended", "ended", "refunded", "disputed"].contains(&n.kind.as_str())
        };
        way.alarms += machine.notices.iter().filter(told).count();
        true
    })
    .unwrap();
    way
}

#[test]
fn no_order_of_a_first_week_stops_what_ends_well() {
    let tried = if std::env::var_os("KEYWARD_FULL").is_some() {
        TRIED_FULL
    } else {
        TRIED
    };
    let (mut judged, mut wrong) = (0, Vec::new());
    for history in replay::all()
        .into_iter()
        .filter(|h| h.name != IN_BOTH_MODES)
    {
        let lines = first_week(&history);
        let Some(last) = lines.iter().map(|l| l.received).max() else {
            continue;
        };
        let right = way(&played(&history, lines.iter().collect(), last).0);
        if right.stops > 0 || right.live == 0 {
            continue;
        }
        let count = (1..=lines.len())
            .try_fold(1_usize, usize::checked_mul)
            .unwrap_or(usize::MAX)
            .min(tried);
        for n in 0..count {
            let (world, order) = played(&history, permutation(&lines, n, tried), last);
            let got = way(&world);
            judged += 1;
            if got != right {
                wrong.push(format!("{}: {got:?}, not {right:?}: {order}", history.name));
                break;
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} histories:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(judged > 5_000, "only {judged} orders were judged");
    println!("{judged} orders of first weeks, none stopped what ends well");
}
