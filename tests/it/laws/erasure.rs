//! Whatever a customer is called: what is read from bodies stays what it was once the person is out of them.

use std::collections::BTreeSet;

use keyward::sim::ReplayReport;
use keyward::sim::redact::{Names, collect_names, without_person};
use serde_json::{Value, json};

use crate::support::replay::{self, History};

fn texts(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            all.insert(text.clone());
        }
        Value::Array(list) => list.iter().for_each(|item| texts(item, all)),
        Value::Object(fields) => fields.values().for_each(|inside| texts(inside, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Everything that any recorded body says, and each of its words.
fn vocabulary(histories: &[History]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in histories.iter().flat_map(|h| h.text.lines()) {
        if let Ok(value) = serde_json::from_str(line) {
            texts(&value, &mut all);
        }
    }
    let words = all
        .iter()
        .flat_map(|t| t.split(|c: char| !c.is_alphanumeric()));
    let words: BTreeSet<String> = words.map(str::to_owned).collect();
    all.extend(words);
    assert!(all.contains("complete") && all.contains("checkout"));
    all
}

/// A history whose bodies are without the person, who has these names besides those that stand there.
fn erased(history: &History, names: &Names) -> String {
    let mut names = names.clone();
    history
        .text
        .lines()
        .for_each(|line| collect_names(line.as_bytes(), &mut names));
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        let inside = ["event", "lookup"]
            .into_iter()
            .find(|k| value[*k].is_object());
        let body = match inside {
            Some(part) => &mut value[part],
            None if value["decision"].is_object() => return line.to_owned(),
            None => &mut value,
        };
        if let Some(without) = without_person(body.to_string().as_bytes(), &names) {
            *body = serde_json::from_slice(&without).unwrap();
        }
        value.to_string()
    };
    let lines = history.text.lines().filter(|l| !l.trim().is_empty());
    lines.map(line).collect::<Vec<_>>().join("\n")
}

/// What a replay comes to, but for mails: they find no address any more.
fn outcome(report: &ReplayReport) -> Value {
    let mut report = serde_json::to_value(report).unwrap();
    for machine in report["machines"].as_array_mut().unwrap() {
        let kept = [
            "id",
            "kind",
            "state",
            "licenses_created",
            "licenses",
            "transitions",
        ];
        *machine = kept.iter().map(|k| machine[*k].clone()).collect();
    }
    // A look-up's id is made of its text.
    for event in report["applied"].as_array_mut().unwrap() {
        if event["type"].as_str().unwrap().starts_with("lookup.") {
            event["event"] = Value::Null;
        }
    }
    report
}

#[test]
fn whatever_the_customer_is_called_a_replay_comes_out_the_same() {
    let histories = replay::all();
    let mut names = Names::default();
    vocabulary(&histories)
        .iter()
        .for_each(|name| names.add(name));
    for history in &histories {
        let (_, plain) = history.replay(None);
        let text = erased(history, &names);
        let (_, without) =
            replay::answered(&history.name, &text, history.rules.clone(), None, None);
        assert_eq!(outcome(&plain), outcome(&without), "{}", history.name);
    }
}

#[test]
fn what_people_wrote_holds_no_name_afterwards() {
    for name in vocabulary(&replay::all()) {
        if !name.chars().any(char::is_alphabetic) {
            continue;
        }
        let body = json!({ "id": "evt_1", "type": "invoice.paid", "data": { "object": {
            "object": "invoice", "customer_name": name, "description": format!("For {name}."), "footer": name.to_uppercase(),
            "customer_shipping": { "name": name, "address": { "line1": name } }, "custom_fields": [{ "value": name }],
            "metadata": { "note": name, "plan": "pro" }, "cancellation_details": { "comment": format!("{name}, goodbye") },
            "lines": { "data": [{ "description": format!("({name})") }] },
        }}});
        let body = body.to_string();
        let mut names = Names::default();
        collect_names(body.as_bytes(), &mut names);
        let said = without_person(body.as_bytes(), &names).unwrap();
        let said: Value = serde_json::from_slice(&said).unwrap();
        let left = json!({ "id": "evt_1", "type": "invoice.paid", "data": { "object": {
            "object": "invoice", "metadata": { "plan": "pro" }, "cancellation_details": {}, "lines": { "data": [{}] },
        }}});
        assert_eq!(said, left, "{name}");
    }
}
