//! What differs between two states of plans and policies, key by key, and how many live purchases it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::report::{BOLD, styled};
use super::revision_keys::Keys;
use crate::admin::PolicyCounts;
use crate::domain::plan::Plan;
use crate::domain::policy::{Policy, STANDARD};
use crate::domain::revision::Revision;

/// All differences.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Changes {
    /// Whether there are none.
    equal: bool,
    /// Of plans.
    plans: Group,
    /// Of policies.
    policies: Group,
}

/// Differences of one kind of thing.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Group {
    added: Vec<One>,
    removed: Vec<One>,
    changed: Vec<One>,
}

/// One plan or policy.
#[derive(Debug, PartialEq, Serialize)]
struct One {
    name: String,
    /// Live purchases that it judges.
    live: u64,
    /// Its keys that differ; all of them for one that is new.
    keys: Vec<KeyChange>,
}

#[derive(Debug, PartialEq, Serialize)]
struct KeyChange {
    key: String,
    from: Value,
    to: Value,
}

impl Changes {
    /// From a revision to a config's plans and policies.
    pub(super) fn of(
        old: &Revision,
        plans: &[Plan],
        policies: &[Policy],
        counts: &PolicyCounts,
    ) -> Self {
        let by_name = |list: &[Plan]| list.iter().map(|p| (p.name.to_string(), keys(p))).collect();
        let plans = Group::of(&by_name(&old.plans), &by_name(plans), &counts.plans);
        let policies = Group::of(
            &with_standard(&old.policies),
            &with_standard(policies),
            &counts.policies,
        );
        let none = Group::default();
        Self {
            equal: plans == none && policies == none,
            plans,
            policies,
        }
    }
}

/// The policy that counts where none is named is there, written or not.
fn with_standard(list: &[Policy]) -> BTreeMap<String, Keys> {
    let mut out: BTreeMap<String, Keys> =
        list.iter().map(|p| (p.name.to_string(), keys(p))).collect();
    out.entry(STANDARD.to_owned())
        .or_insert_with(|| keys(&Policy::default()));
    out
}

fn keys<T: Serialize>(value: &T) -> Keys {
    fn into(value: &Value, path: &str, out: &mut Keys) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    into(
                        value,
                        &if path.is_empty() {
                            key.clone()
                        } else {
                            format!("{path}.{key}")
                        },
                        out,
                    );
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                out.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut out = Keys::new();
    // Plans and policies are made of texts and numbers: they always have a JSON form.
    into(
        &serde_json::to_value(value).unwrap_or_default(),
        "",
        &mut out,
    );
    out.remove("name");
    out
}

impl Group {
    fn of(
        old: &BTreeMap<String, Keys>,
        new: &BTreeMap<String, Keys>,
        live: &BTreeMap<String, u64>,
    ) -> Self {
        let mut group = Self::default();
        let nothing = Keys::new();
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (old.get(name), new.get(name));
            let keys = differing(was.unwrap_or(&nothing), is.unwrap_or(&nothing));
            let one = One {
                name: name.clone(),
                live: live.get(name).copied().unwrap_or(0),
                keys,
            };
            match (was, is) {
                (None, _) => group.added.push(one),
                (_, None) => group.removed.push(One {
                    keys: Vec::new(),
                    ..one
                }),
                _ if one.keys.is_empty() => {}
                _ => group.changed.push(one),
            }
        }
        group
    }
}

fn differing(was: &Keys, is: &Keys) -> Vec<KeyChange> {
    let value = |keys: &Keys, key: &str| keys.get(key).cloned().unwrap_or(Value::Null);
    let key = |key: &String| {
        let (from, to) = (value(was, key), value(is, key));
        (from != to).then(|| KeyChange {
            key: key.clone(),
            from,
            to,
        })
    };
    was.keys()
        .chain(is.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(key)
        .collect()
}

/// For people.
pub(super) fn text(changes: &Changes) -> String {
    if changes.equal {
        return "plans and policies are those of the newest revision: loading it changes nothing\n"
            .to_owned();
    }
    let mut out = String::new();
    for (word, group) in [("plan", &changes.plans), ("policy", &changes.policies)] {
        group
            .added
            .iter()
            .for_each(|one| tell(&mut out, "+", word, one, "is new"));
        let gone = "is gone from the file; what was bought under it keeps it";
        group
            .removed
            .iter()
            .for_each(|one| tell(&mut out, "-", word, one, gone));
        group
            .changed
            .iter()
            .for_each(|one| tell(&mut out, "~", word, one, "changes"));
    }
    out.push_str(
        "\nLoading it (`keyward reload` or a restart) changes nothing that already is: purchases, failures, cancellations, refunds \
         and disputes\nstay as they were judged, and a running grace keeps its end. What happens from then on is judged by \
         it. Only\n`keyward policy apply --existing` brings it to what already is.\n",
    );
    out
}

fn tell(out: &mut String, sign: &str, word: &str, one: &One, what: &str) {
    let live = if one.live == 1 {
        "1 live purchase".to_owned()
    } else {
        format!("{} live purchases", one.live)
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{sign} {} {what} ({live})",
        styled(BOLD, format!("{word} {}", one.name))
    );
    for key in &one.keys {
        let _ = match sign {
            "+" => writeln!(out, "    {} = {}", key.key, display_value(&key.to)),
            _ => writeln!(
                out,
                "    {}: {} -> {}",
                key.key,
                display_value(&key.from),
                display_value(&key.to)
            ),
        };
    }
}

fn display_value(value: &Value) -> String {
    if value.is_null() {
        "(not said)".to_owned()
    } else {
        value.to_string()
    }
}
