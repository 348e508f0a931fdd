//! Kinds of fault that real reports and made-up shops showed, each as the smallest history that has it
//! (`fixtures/field/<kind>/`), with what must come of it as data (`expect.json`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use keyward::domain::id::PolicyName;
use keyward::domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::support::replay;

/// What must hold at an instant. What is not named is not judged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    rules: String,
    at: Timestamp,
    policy: Option<String>,
    state: Option<String>,
    /// In order of their numbers; each names what is judged of it.
    licenses: Option<Vec<BTreeMap<String, Value>>>,
    created: Option<u64>,
    /// Sent mails by kind.
    #[serde(default)]
    mails: BTreeMap<String, usize>,
    mails_total: Option<usize>,
    /// No action was carried out from then on.
    idle_since: Option<Timestamp>,
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/field");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    folders.retain(|f| f.is_dir());
    folders.sort();
    folders
}

/// The one machine of the history at an instant, as replay's answer shows it.
fn answer(folder: &Path, expected: &Expected) -> Value {
    let own = folder.join("keyward.toml");
    let config = if own.exists() {
        own
    } else {
        folder.parent().unwrap().join("keyward.toml")
    };
    let mut rules = replay::rules(&config);
    if let Some(policy) = &expected.policy {
        rules.revisions = rules
            .revisions
            .clone()
            .force_policy(PolicyName::from(policy.as_str()));
    }
    let text = fs::read_to_string(folder.join("history.jsonl")).unwrap();
    let (_, answer) = replay::answered(
        folder.to_str().unwrap(),
        &text,
        rules,
        Some(expected.at),
        None,
    );
    let machines = serde_json::to_value(&answer).unwrap()["machines"].clone();
    assert_eq!(
        machines.as_array().map(Vec::len),
        Some(1),
        "{}",
        folder.display()
    );
    machines[0].clone()
}

fn sent(machine: &Value) -> Vec<&str> {
    let notices = machine["notices"].as_array().unwrap().iter();
    notices
        .filter(|n| n["status"] == "sent")
        .map(|n| n["kind"].as_str().unwrap())
        .collect()
}

fn judge(machine: &Value, expected: &Expected) -> Result<(), String> {
    let differs = |what: &str, is: &dyn std::fmt::Debug, should: &dyn std::fmt::Debug| {
        Err(format!(
            "{what} is {is:?} at {}, should be {should:?} (rules {})",
            expected.at, expected.rules
        ))
    };
    if let Some(state) = expected
        .state
        .as_ref()
        .filter(|s| machine["state"] != s.as_str())
    {
        return differs("the state", &machine["state"], state);
    }
    if let Some(licenses) = &expected.licenses {
        let are = machine["licenses"].as_array().unwrap();
        let alike = |(is, should): (&Value, &BTreeMap<String, Value>)| {
            should.iter().all(|(k, v)| is[k] == *v)
        };
        if are.len() != licenses.len() || !are.iter().zip(licenses).all(alike) {
            return differs("the licenses", are, licenses);
        }
    }
    if expected
        .created
        .is_some_and(|n| machine["licenses_created"] != n)
    {
        return differs(
            "the number made",
            &machine["licenses_created"],
            &expected.created,
        );
    }
    let sent = sent(machine);
    for (kind, count) in &expected.mails {
        if sent.iter().filter(|k| *k == kind).count() != *count {
            return differs("the mails", &sent, &(kind, count));
        }
    }
    if expected.mails_total.is_some_and(|n| n != sent.len()) {
        return differs("the number of mails", &sent, &expected.mails_total);
    }
    if let Some(since) = expected.idle_since {
        let at = |a: &Value| Timestamp::parse(a["at"].as_str().unwrap()).unwrap();
        let done = machine["actions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|a| a["outcome"] == "done");
        if let Some(action) = done.into_iter().find(|a| at(a) >= since) {
            return differs("an action", action, &"none");
        }
    }
    Ok(())
}

#[test]
fn each_kind_of_fault_is_gone() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for folder in folders() {
        let text = fs::read_to_string(folder.join("expect.json")).unwrap();
        let expected: Vec<Expected> = serde_json::from_str(&text).unwrap();
        for expected in &expected {
            judged += 1;
            let machine = answer(&folder, expected);
            wrong.extend(
                judge(&machine, expected)
                    .err()
                    .map(|why| format!("{}: {why}", folder.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged >= 19, "only {judged} were judged");
}
