//! A history that is played group by group, on however many cores, comes to the same bytes as in one world.

use std::num::NonZeroUsize;
use std::sync::Arc;

use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Rules;
use keyward::sim::history::{self, History};
use keyward::sim::replay::{PlayOptions, Replay};
use keyward::sim::streamed::StreamedReport;
use keyward::sim::{ReplayReport, timeline};

use crate::support::replay::{self, played};

/// As `replay --format json` tells it, and the timeline.
fn in_groups(text: &str, rules: &Arc<Rules>, options: PlayOptions) -> (String, String) {
    let history = History::new("h", text.as_bytes()).unwrap();
    let replay = Replay::read(vec![history], Arc::clone(rules), options).unwrap();
    let json = serde_json::to_string_pretty(&StreamedReport(&replay)).unwrap();
    let mut story = String::new();
    let events = replay.play(&mut |machine| {
        story.push_str(&timeline::machine(&machine));
        true
    });
    for line in events.unwrap().iter().filter_map(timeline::event) {
        story.push_str(&line);
    }
    (json, story)
}

/// The same of one world that plays everything in the order of delivery.
fn in_one_world(text: &str, rules: &Arc<Rules>, options: PlayOptions) -> String {
    let lines = history::read("h", text).unwrap();
    let world = played(lines, Arc::clone(rules), options.until, options.seed);
    serde_json::to_string_pretty(&ReplayReport::of(&world).unwrap()).unwrap()
}

fn threads(n: usize) -> PlayOptions {
    PlayOptions {
        threads: NonZeroUsize::new(n).unwrap(),
        ..PlayOptions::new()
    }
}

#[test]
fn each_history_comes_to_the_same() {
    for history in replay::all() {
        let rules = Arc::new(history.rules);
        let one = in_one_world(&history.text, &rules, threads(1));
        let (json, _) = in_groups(&history.text, &rules, threads(1));
        assert_eq!(json, one, "{}", history.name);
    }
}

/// All histories as one: many groups, customers with several purchases, late events, look-ups and decisions.
#[test]
fn side_by_side_and_one_by_one_come_to_the_same_bytes() {
    let histories = replay::all();
    let rules = Arc::new(histories[0].rules.clone());
    let mut lines: Vec<(Timestamp, &str)> = Vec::new();
    for history in &histories {
        // Each of its lines by itself, at the instant at which it was received.
        let texts = history.text.lines().filter(|l| !l.trim().is_empty());
        let read = history.lines();
        if texts.clone().count() == read.len() {
            lines.extend(read.iter().map(|l| l.received).zip(texts));
        }
    }
    assert!(lines.len() > 1_000, "only {} lines", lines.len());
    lines.sort_by_key(|(received, _)| *received);
    let middle = lines[lines.len() / 2].0;
    // Two that come late: their instants are those of what came before them.
    let (early, late) = (lines.remove(3), lines.remove(70));
    lines.insert(400, early);
    lines.push(late);
    let texts: Vec<&str> = lines.into_iter().map(|(_, text)| text).collect();
    let text = texts.join("\n");
    for (until, seed) in [
        (None, None),
        (Some(middle + Span::from_s(1)), None),
        (None, Some(7)),
    ] {
        let options = |n| PlayOptions {
            until,
            seed,
            ..threads(n)
        };
        let one = in_one_world(&text, &rules, options(1));
        let (json, story) = in_groups(&text, &rules, options(1));
        assert!(json == one, "until {until:?}, seed {seed:?}: in groups");
        for n in [2, 5] {
            let side_by_side = in_groups(&text, &rules, options(n));
            let same = side_by_side == (json.clone(), story.clone());
            assert!(same, "until {until:?}, seed {seed:?}: {n} threads");
        }
    }
}
