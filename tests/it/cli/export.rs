//! A store's history as a file: what it holds, and that it replays to what the store has.

use std::collections::BTreeSet;

use keyward::engine::read::view;
use keyward::sim::anonymize::Anonymizer;
use keyward::sim::{ReplayReport, history, record};
use serde_json::{Value, json};

use super::serve::Server;
use super::support::{CONFIG, Place, willing};
use crate::stripe::cut_lists::{self as cut_lists, Shape};
use crate::support::replay;
use crate::support::shop::NOW;

/// Histories of unlike kinds, none of which the least config leaves without a plan.
const HISTORIES: &[&str] = &[
    "refund-before-its-purchase",
    "refund-never-linked",
    "cancel-now",
    "resubscribe-restored",
    "renewal-recovered-in-grace",
    "dispute-won",
    "customer-email-changed",
    "onetime-card--old",
];

/// What a replay must say alike: of each machine its kind, state, licenses, changes and mails.
fn shape(machine: &Value) -> Value {
    let part = |list: &str, keys: &[&str]| -> Vec<Value> {
        let of = |item: &Value| keys.iter().map(|k| item[*k].clone()).collect::<Value>();
        machine[list].as_array().unwrap().iter().map(of).collect()
    };
    json!({
        "kind": machine["kind"],
        "state": machine["state"],
        "licenses_created": machine["licenses_created"],
        "licenses": part("licenses", &["seat", "status", "expires_at", "devices", "plan"]),
        "transitions": part("transitions", &["at", "from", "to"]),
        "notices": part("notices", &["kind", "status", "at"]),
    })
}

fn shapes(answer: &ReplayReport) -> Vec<String> {
    let machines = serde_json::to_value(answer).unwrap();
    let mut shapes: Vec<String> = machines["machines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| shape(m).to_string())
        .collect();
    shapes.sort();
    shapes
}

/// States and licenses by purchase, which a live store and a replay must have alike.
fn holds(machines: &Value) -> BTreeSet<String> {
    let machine = |m: &Value| {
        let shape = shape(m);
        format!("{} {} {}", m["id"], shape["state"], shape["licenses"])
    };
    machines.as_array().unwrap().iter().map(machine).collect()
}

/// What the live store has of each machine.
fn live(place: &Place) -> BTreeSet<String> {
    let events = place.run(&["events", "--json"]).json();
    let ids: BTreeSet<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["machine"].as_str())
        .collect();
    let shown = ids
        .iter()
        .map(|id| place.run(&["show", id, "--json"]).json());
    holds(&shown.collect())
}

#[test]
fn an_exported_history_replays_to_what_the_live_store_has() {
    let place = Place::with(CONFIG);
    place.fill(HISTORIES, willing);
    let (sub, because) = ("sub_CancelNow01", ["--reason", "a friend"]);
    for args in [
        &["exempt", sub, "--until", "30d"][..],
        &["override", sub, "grace=30d", "--until", "30d"],
    ] {
        let said = place.run(&[args, &because].concat());
        assert_eq!(said.code, Some(0), "{said}");
    }
    let said = place.run(&["export", "all.jsonl"]);
    assert!(
        said.code == Some(0) && !said.err.contains("left out"),
        "{said}"
    );
    let text = std::fs::read_to_string(place.path("all.jsonl")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let at = |line: &Value| line["received_at"].as_str().unwrap().to_owned();
    assert!(
        lines.iter().zip(&lines[1..]).all(|(a, b)| at(a) <= at(b)),
        "in the order of receipt"
    );
    assert!(lines.iter().all(|l| l["source"] == "stripe"));
    let decided = |kind: &str| {
        let of_kind = lines.iter().filter(|l| l["decision"]["kind"] == kind);
        of_kind.collect::<Vec<_>>()
    };
    assert_eq!(decided("exempt").len(), 1);
    assert_eq!(decided("override")[0]["decision"]["values"]["grace"], "30d");
    let config = ["--config", "keyward.toml"];
    let replayed = place.run(
        &[
            &["replay", "all.jsonl", "--format", "json", "--until", "0d"][..],
            &config,
        ]
        .concat(),
    );
    let replayed = replayed.json();
    assert_eq!(holds(&replayed["machines"]), live(&place));
    let parked = place.run(&["events", "--parked", "--json"]).json();
    assert_eq!(
        replayed["parked"].as_array().unwrap().len(),
        parked.as_array().unwrap().len()
    );
    // A running server is not stopped for it, and says the same.
    let server = Server::start(&place, &[]);
    assert_eq!(place.run(&["export", "-"]).out, text);
    drop(server);
    // What it says of one purchase is the same where it is exported alone.
    let said = place.run(&["export", "one.jsonl", "--machine", sub]);
    assert_eq!(said.code, Some(0), "{said}");
    let alone = place
        .run(
            &[
                &["replay", "one.jsonl", "--format", "json", "--until", "0d"][..],
                &config,
            ]
            .concat(),
        )
        .json();
    assert_eq!(alone["machines"].as_array().unwrap().len(), 1);
    assert!(holds(&alone["machines"]).is_subset(&holds(&replayed["machines"])));
}

#[test]
fn a_file_is_never_written_over() {
    let place = Place::with(CONFIG);
    place.fill(&["cancel-now"], willing);
    std::fs::write(place.path("there.jsonl"), "mine").unwrap();
    let said = place.run(&["export", "there.jsonl"]);
    assert!(
        said.code == Some(1) && said.err.contains("there.jsonl exists"),
        "{said}"
    );
    assert_eq!(
        std::fs::read_to_string(place.path("there.jsonl")).unwrap(),
        "mine"
    );
    let said = place.run(&["export", "-", "--machine", "nobody"]);
    assert!(said.code == Some(1) && said.out.is_empty(), "{said}");
    let said = place.run(&["export", "-"]);
    assert!(
        said.out.lines().count() > 3 && said.err.contains("lines"),
        "{said}"
    );
}

#[test]
fn an_anonymized_export_names_nobody_and_replays_alike() {
    let place = Place::with(CONFIG);
    place.fill(HISTORIES, willing);
    for args in [
        ["export", "plain.jsonl"].as_slice(),
        &["export", "anon.jsonl", "--anonymize"],
    ] {
        assert_eq!(place.run(args).code, Some(0));
    }
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    let (plain, anon) = (read("plain.jsonl"), read("anon.jsonl"));
    for word in ["ada@", "Ada ", "CancelNow01", "cus_Cancel", "Lovelace"] {
        assert!(!anon.contains(word), "{word} is still there");
    }
    assert!(plain.lines().count() > 50);
    assert_eq!(plain.lines().count(), anon.lines().count());
    let rules = replay::rules(&place.path("keyward.toml"));
    let play = |text: &str| replay::answered("x", text, rules.clone(), None, None).1;
    assert_eq!(shapes(&play(&plain)), shapes(&play(&anon)));
}

/// Whatever the rules read is still there: every recorded life cycle goes the same way without its names.
#[test]
fn every_history_replays_alike_without_its_names() {
    for history in replay::all() {
        let text = std::fs::read_to_string(history.folder.join("history.jsonl")).unwrap();
        let line = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap();
            let whole = ["event", "decision", "lookup"]
                .iter()
                .any(|k| value[*k].is_object());
            let wrapped = || json!({ "received_at": value["created"], "event": value }).to_string();
            if whole {
                record::minified(line)
            } else {
                wrapped()
            }
        };
        let lines: Vec<String> = text
            .lines()
            .filter(|l| !l.trim().is_empty())
            .map(line)
            .collect();
        let id = |line: &String| {
            let value: Value = serde_json::from_str(line).unwrap();
            value["event"]["id"].as_str().map(str::to_owned)
        };
        let ids: Vec<String> = lines.iter().filter_map(id).collect();
        let anonymizer = Anonymizer::new([7; 64], &ids);
        let anon: Vec<String> = lines.iter().map(|l| anonymizer.line(l).unwrap()).collect();
        let play = |lines: &[String]| {
            replay::answered(
                &history.name,
                &lines.join("\n"),
                history.rules.clone(),
                None,
                None,
            )
            .1
        };
        assert_eq!(
            shapes(&play(&lines)),
            shapes(&play(&anon)),
            "{}",
            history.name
        );
    }
}

/// Decisions and look-ups have lines of their own: written from what a machine knows and read again, they say the same.
#[test]
fn what_was_said_without_an_event_is_written_as_it_was_read() {
    let mut written = 0;
    for history in replay::all() {
        let text = std::fs::read_to_string(history.folder.join("history.jsonl")).unwrap();
        let is_event = |line: &&str| {
            let value: Value = serde_json::from_str(line).unwrap();
            !value["decision"].is_object() && !value["lookup"].is_object()
        };
        let other = |line: &&str| !is_event(line) && !line.contains("\"customer\"");
        if !text.lines().any(|l| other(&l)) {
            continue;
        }
        let (world, answer) = history.replay(None);
        let mut lines: Vec<String> = text
            .lines()
            .filter(|l| !other(l))
            .map(str::to_owned)
            .collect();
        view::machines(&world.store, |machine| {
            let said = machine
                .facts
                .iter()
                .filter_map(|f| record::without_event("stripe", &machine.id, f));
            lines.extend(said);
            true
        })
        .unwrap();
        assert_eq!(lines.len(), text.lines().count(), "{}", history.name);
        let mut read = history::read(&history.name, &lines.join("\n")).unwrap();
        read.sort_by_key(|l| l.received);
        let again = replay::played(read, history.rules.clone(), None, None);
        assert_eq!(
            shapes(&answer),
            shapes(&ReplayReport::of(&again).unwrap()),
            "{}",
            history.name
        );
        written += 1;
    }
    assert!(
        written > 5,
        "only {written} histories have decisions or look-ups"
    );
}

/// A subscription of fourteen items, of which its events show ten; what Stripe answered about the rest came a minute later.
fn cut_history(shape: Shape, looked_up: bool) -> Vec<String> {
    let at = |s: i64| (NOW + keyward::domain::time::Span::from_s(s)).s();
    let event = |id: &str, kind: &str, object: Value| {
        let event = json!({ "id": id, "object": "event", "type": kind, "created": NOW.s(), "livemode": true, "data": { "object": object } });
        json!({ "received_at": at(1), "source": "stripe", "event": event })
    };
    let mut lines = vec![
        event(
            "evt_1",
            "customer.subscription.created",
            cut_lists::subscription(1..=14, shape),
        ),
        event("evt_2", "invoice.paid", cut_lists::invoice(1..=14, shape)),
    ];
    if looked_up {
        let items: Vec<Value> = (1..=14).map(|n| cut_lists::item(n, Shape::New)).collect();
        let items = json!({ "object": "list", "has_more": false, "data": items });
        let mut invoice = cut_lists::invoice(1..=14, Shape::New);
        let all: Vec<Value> = (1..=14).map(|n| cut_lists::line(n, Shape::New)).collect();
        invoice["lines"] = json!({ "has_more": false, "data": all });
        for lookup in [items, invoice] {
            lines.push(json!({ "received_at": at(60), "source": "stripe", "lookup": lookup }));
        }
    }
    lines.iter().map(Value::to_string).collect()
}

/// What look-ups answered is written from the facts that it became, though nothing else of it is left.
#[test]
fn a_cut_list_s_rest_is_written_though_its_event_is_gone() {
    let place = Place::with(CONFIG);
    let rules = replay::rules(&place.path("keyward.toml"));
    let play =
        |lines: &[String]| replay::answered("cut", &lines.join("\n"), rules.clone(), None, None);
    for shape in [Shape::New, Shape::Old] {
        let (world, whole) = play(&cut_history(shape, true));
        let mut lines = cut_history(shape, false);
        assert_ne!(
            shapes(&play(&lines).1),
            shapes(&whole),
            "the look-ups matter"
        );
        view::machines(&world.store, |machine| {
            let said = machine
                .facts
                .iter()
                .filter_map(|f| record::without_event("stripe", &machine.id, f));
            lines.extend(said);
            true
        })
        .unwrap();
        assert_eq!(lines.len(), 4);
        assert_eq!(shapes(&play(&lines).1), shapes(&whole));
    }
}
