//! The laws, for every history and for made-up lives: neither order nor repetition changes what comes out, faults of the
//! license service never make one license too many, and nobody gets less than was promised.

mod lawful;

use std::collections::BTreeMap;

use keyward::domain::machine::LicenseStatus;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Input;
use keyward::engine::read::view;
use keyward::sim::history::Line;
use keyward::sim::{ReplayReport, Simulation};
use proptest::prelude::*;
use proptest::sample::Index;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use crate::support::replay;
use crate::support::replay::History;
use lawful::{Judged, lawful};

/// Long enough for notices, look-ups and repetitions to be done with.
const AFTERWARDS: Span = Span::from_hours(2);

/// Everything that must not depend on the order of delivery, in a form that can be compared and read.
fn outcome(answer: &ReplayReport) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for m in &answer.machines {
        out.push(format!(
            "{} {:?} email {:?} created {}",
            m.id, m.state, m.email, m.licenses_created
        ));
        for l in &m.licenses {
            out.push(format!(
                "{} license {} {:?} {:?} {:?}",
                m.id, l.status, l.expires_at, l.devices, l.plan
            ));
        }
    }
    out.extend(
        answer
            .parked
            .iter()
            .map(|e| format!("parked {} {}", e.event, e.waits_for)),
    );
    out.extend(
        answer
            .ignored
            .iter()
            .map(|e| format!("ignored {} {}", e.event, e.reason)),
    );
    out.extend(
        answer
            .applied
            .iter()
            .map(|e| format!("applied {} {:?}", e.event, e.machine)),
    );
    out.sort();
    out
}

/// What must not depend on the order even where work was done between deliveries: a license may have been made and ended
/// again by then, but what lives is the same.
fn living(answer: &ReplayReport) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for m in &answer.machines {
        out.push(format!("{} {:?}", m.id, m.state));
        for l in m
            .licenses
            .iter()
            .filter(|l| l.status == LicenseStatus::Live)
        {
            out.push(format!(
                "{} {:?} {:?} {:?}",
                m.id, l.expires_at, l.devices, l.plan
            ));
        }
    }
    out.sort();
    out
}

/// The same as far as a history's order must not matter. A key that others extend stays under the purchase that made it, unless
/// that was known to be given back before (rule 55).
fn lasting(answer: &ReplayReport, history: &History) -> Vec<String> {
    let mut out = living(answer);
    if history.name.starts_with("again-") {
        for line in &mut out {
            let license = line.split_once(' ').map(|(_, license)| license.to_owned());
            *line = license
                .filter(|l| l.contains("Count("))
                .unwrap_or_else(|| line.clone());
        }
        out.sort();
    }
    out
}

/// Delivers everything at one instant, before anything is worked off, and lets time run on.
fn at_once(history: &History, lines: Vec<Line>, at: Timestamp) -> ReplayReport {
    let mut world = Simulation::new(history.rules.clone(), None);
    for line in lines {
        world.deliver(&replay::received(&line, at)).unwrap();
    }
    world
        .advance(at + AFTERWARDS)
        .unwrap_or_else(|stuck| panic!("{}: {stuck}", history.name));
    ReplayReport::of(&world).unwrap()
}

/// Delivers a line a second and works off what is due in between.
fn one_by_one(
    history: &History,
    lines: Vec<Line>,
    from: Timestamp,
    until: Timestamp,
) -> Simulation {
    let mut world = Simulation::new(history.rules.clone(), None);
    for (line, n) in lines.into_iter().zip(0..) {
        world
            .advance(from + Span::from_s(n))
            .unwrap_or_else(|stuck| panic!("{}: {stuck}", history.name));
        world
            .deliver(&replay::received(&line, from + Span::from_s(n)))
            .unwrap();
        lawful(&world, &history.name);
    }
    world
        .advance(until)
        .unwrap_or_else(|stuck| panic!("{}: {stuck}", history.name));
    lawful(&world, &history.name);
    world
}

/// The instants at which a history is looked at: those that its author chose, and its last delivery.
fn instants(history: &History) -> Vec<Timestamp> {
    let mut instants: Vec<Timestamp> = super::histories::expected::claims(history)
        .into_iter()
        .map(|claim| claim.at)
        .collect();
    instants.extend(history.lines().iter().map(|l| l.received).max());
    instants
}

fn heard_by(history: &History, at: Timestamp) -> Vec<Line> {
    history
        .lines()
        .into_iter()
        .filter(|l| l.received <= at)
        .collect()
}

/// Rule 35's move, and what rule 55 finds of a license that is named, are what may depend on the order. And what Stripe never does: one id in both modes (the first
/// event says of which one it is), or one event with two bodies that say different things (the first one counts).
fn moves(history: &History) -> bool {
    let restores = history.name.starts_with("resubscribe-") && !history.name.contains("new-key");
    // Whether the first purchase's license was made, or still stood, when the second named it.
    let finds = [
        "again-first-refunded",
        "again-both-refunded",
        "again-revoked",
        "again-by-plan",
        "again-by-plan-several",
        "again-several-keys",
        "again-three-keys",
        "again-more-keys",
        "again-lifetime-for-subscription",
        "again-lifetime-then-failing",
        "again-in-grace",
        "again-trial-to-lifetime",
        "again-sold-out-of-subscription",
    ];
    restores
        || finds.contains(&history.name.as_str())
        || ["other-mode-same-ids", "duplicates-in-another-version"].contains(&history.name.as_str())
}

/// What must come in time, and what may be a day late. A purchase that names another one waits for it two minutes, no longer
/// (rule 55): what begins a purchase is told within these.
fn in_time(history: &History, lines: Vec<Line>) -> (Vec<Line>, Vec<Line>) {
    let names_another = history.name.starts_with("again-");
    lines.into_iter().partition(|line| {
        let Input::Delivery(delivery) = &line.input else {
            return false;
        };
        let takes_back = ["charge.", "refund."]
            .iter()
            .any(|of| delivery.kind.starts_with(of));
        names_another && !takes_back
    })
}

/// Puts the n-th permutation of a list in place of the list (n < list.len()!).
fn permuted<T>(mut list: Vec<T>, mut n: usize) -> Vec<T> {
    let mut out = Vec::new();
    while !list.is_empty() {
        let len = list.len();
        out.push(list.remove(n % len));
        n /= len;
    }
    out
}

#[test]
fn every_order_of_a_short_history_ends_alike() {
    for history in replay::all().into_iter().filter(|h| !moves(h)) {
        let lines = history.lines();
        if lines.len() > ALL_ORDERS_MAX {
            continue;
        }
        let at = lines.iter().map(|l| l.received).max().unwrap();
        let wanted = outcome(&at_once(&history, lines, at));
        let lines_n = history.lines().len();
        let orders: usize = (1..=lines_n).product();
        // All of them up to five events, a part of them with six: 720 each would take a minute.
        let step = if lines_n == ALL_ORDERS_MAX { 11 } else { 1 };
        for n in (1..orders).step_by(step) {
            let got = outcome(&at_once(&history, permuted(history.lines(), n), at));
            assert_eq!(got, wanted, "{}, order {n}", history.name);
        }
    }
}

/// A history with more events has its orders sampled.
const ALL_ORDERS_MAX: usize = 6;

#[test]
fn every_license_is_made_once_whatever_the_service_does() {
    let (mut judged, mut of_two_accounts) = (Judged::default(), 0);
    // What came later is played after the others, so that these keep their seeds.
    let (later, first): (Vec<_>, Vec<_>) = replay::all()
        .into_iter()
        .partition(|h| h.name.starts_with("again-"));
    for (history, n) in first.into_iter().chain(later).zip(0..) {
        of_two_accounts += u64::from(history.name.starts_with("connect-"));
        for seed in [n, n + 1000] {
            judged.add(faults(&history, seed));
        }
    }
    let Judged {
        seats,
        moved,
        refunded,
        grace,
    } = judged;
    for (law, times) in [
        ("as many live licenses as seats", seats),
        ("licenses that moved to another purchase", moved),
        ("a refunded purchase works no more", refunded),
        ("a grace is as long as promised", grace),
        ("equal labels in two accounts", of_two_accounts),
    ] {
        assert_ne!(times, 0, "never judged: {law}");
    }
}

/// Plays a history against a service that errs, and counts there.
fn faults(history: &History, seed: u64) -> Judged {
    let name = format!("{} with faults of seed {seed}", history.name);
    let at = history.lines().iter().map(|l| l.received).max().unwrap() + AFTERWARDS;
    let (world, answer) = replay::answered(
        &name,
        &history.text,
        history.rules.clone(),
        Some(at),
        Some(seed),
    );
    let (_, calm) = history.replay(Some(at));
    assert_eq!(living(&answer), living(&calm), "{name}");
    let mut labels = BTreeMap::new();
    for license in world.licenses.all.values() {
        *labels.entry(license.label.clone()).or_insert(0) += 1;
    }
    // Two connected accounts with the same ids, which only a fixture has, have the same labels.
    assert!(
        name.starts_with("connect-") || labels.values().all(|n| *n == 1),
        "{name}: a license was made twice: {labels:?}"
    );
    let mut held = 0;
    view::machines(&world.store, |m| {
        for grant in &m.grants {
            held += 1;
            let real = &world.licenses.all[&grant.key];
            assert_eq!(
                (grant.status, grant.expires_at),
                (real.status, real.expires_at),
                "{name}: {}",
                m.id
            );
        }
        // Whoever was given a key was told it, though the answer was lost at first.
        let unmailed = m
            .grants
            .iter()
            .filter(|g| !g.moved_in)
            .find(|g| !m.notices.iter().any(|n| n.seats.contains(&g.number)));
        assert!(
            unmailed.is_none(),
            "{name}: {} was never mailed {unmailed:?}",
            m.id
        );
        true
    })
    .unwrap();
    assert_eq!(
        held,
        world.licenses.all.len(),
        "{name}: a license that no machine knows"
    );
    lawful(&world, &name)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// Any order, with any repetitions, delivered at one instant.
    #[test]
    fn any_order_and_repetition_ends_alike(which: Index, when: Index, order: u64, twice in 0..12_usize) {
        let histories = HISTORIES.with(|h| h.clone());
        let history = &histories[which.index(histories.len())];
        prop_assume!(!moves(history));
        let instants = instants(history);
        let at = instants[when.index(instants.len())];
        let wanted = outcome(&at_once(history, heard_by(history, at), at));
        let mut lines = shuffled(heard_by(history, at), order);
        prop_assume!(!lines.is_empty());
        for n in 0..twice {
            let again = replay::received(&lines[n * 7 % lines.len()], at);
            lines.push(again);
        }
        let got = outcome(&at_once(history, shuffled(lines, order), at));
        prop_assert_eq!(got, wanted, "{} at {}", history.name, at);
    }

    /// Any order with work done in between, and a part that comes a day late.
    #[test]
    fn what_comes_late_is_merged(which: Index, when: Index, order: u64, late in 0..8_usize) {
        let histories = HISTORIES.with(|h| h.clone());
        let history = &histories[which.index(histories.len())];
        prop_assume!(!moves(history));
        let instants = instants(history);
        let at = instants[when.index(instants.len())];
        let until = at + Span::from_days(1) + AFTERWARDS;
        let wanted = ReplayReport::of(&one_by_one(history, heard_by(history, at), at, until)).unwrap();
        let (mut early, mut may_be_late) = in_time(history, shuffled(heard_by(history, at), order));
        let late = may_be_late.split_off(may_be_late.len() - late.min(may_be_late.len()));
        early.append(&mut may_be_late);
        let mut world = one_by_one(history, early, at, at + Span::from_days(1));
        for line in late {
            let now = world.now + Span::from_s(1);
            world.advance(now).unwrap();
            world.deliver(&replay::received(&line, now)).unwrap();
        }
        world.advance(until).unwrap();
        lawful(&world, &history.name);
        let got = ReplayReport::of(&world).unwrap();
        prop_assert_eq!(lasting(&got, history), lasting(&wanted, history), "{} at {}", history.name, at);
    }
}

thread_local! {
    static HISTORIES: std::rc::Rc<Vec<History>> = std::rc::Rc::new(replay::all());
}

/// As the dice of a seed fall.
fn shuffled<T>(mut list: Vec<T>, seed: u64) -> Vec<T> {
    list.shuffle(&mut SmallRng::seed_from_u64(seed));
    list
}
