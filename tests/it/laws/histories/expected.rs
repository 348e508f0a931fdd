//! What the authors of the histories expect: `expect.jsonl`, a claim a line, held against replay's answer as whoever reads
//! its JSON sees it.
//!
//! A claim holds at an instant (`at`), for one machine (`of`) or all, and of their licenses for those of a `plan`, or of
//! some `seats` (first and last), or all. [`Scope::judge`] says what each further key claims.

use std::collections::BTreeMap;

use keyward::domain::time::Timestamp;
use keyward::sim::ReplayReport;
use serde_json::{Map, Value};

use crate::support::replay::History;

/// A line of the file.
pub(crate) struct Claim {
    pub(crate) at: Timestamp,
    keys: Map<String, Value>,
}

/// All that is claimed of a history.
pub(crate) fn claims(history: &History) -> Vec<Claim> {
    let text = std::fs::read_to_string(history.folder.join("expect.jsonl")).unwrap();
    let claim = |line: &str| {
        let mut keys: Map<String, Value> = serde_json::from_str(line).unwrap();
        let at = keys.remove("at").unwrap();
        let at = Timestamp::parse(at.as_str().unwrap()).unwrap();
        Claim { at, keys }
    };
    text.lines().map(claim).collect()
}

/// What does not hold of a claim.
pub(crate) fn judge(claim: &Claim, answer: &ReplayReport) -> Vec<String> {
    let answer = serde_json::to_value(answer).unwrap();
    let scope = Scope {
        answer: &answer,
        claim,
    };
    let scoping = ["of", "plan", "seats"];
    let keys = claim
        .keys
        .iter()
        .filter(|(k, _)| !scoping.contains(&k.as_str()));
    keys.filter_map(|(key, wanted)| {
        Some(format!("{key} {wanted}, but {}", scope.judge(key, wanted)?))
    })
    .collect()
}

struct Scope<'a> {
    answer: &'a Value,
    claim: &'a Claim,
}

impl<'a> Scope<'a> {
    /// What is so instead, where a key's claim does not hold.
    fn judge(&self, key: &str, wanted: &Value) -> Option<String> {
        match key {
            // How many machines there are; whether events wait for one, and under which name.
            "machines" => is(self.machines().count(), wanted),
            "parked" => is(!self.parked().is_empty(), wanted),
            "waits_for" => {
                let waits = self.parked().iter().any(|p| p["waits_for"] == *wanted);
                (!waits).then(|| format!("{:?} wait", self.parked()))
            }
            // Of each machine.
            "state" | "email" => self.machine(key, wanted),
            "created_each" => self.machine("licenses_created", wanted),
            // Of all machines together: licenses made, work listed, work done (in all, or by kind).
            "created" => {
                let made = self
                    .machines()
                    .map(|m| m["licenses_created"].as_u64().unwrap());
                is(made.sum::<u64>(), wanted)
            }
            "actions_listed" => is(self.all("actions").count(), wanted),
            "actions" => is(self.done(None), wanted),
            "done" => each(wanted, |kind| self.done(Some(kind))),
            // Notices in any condition; one of a kind in a condition.
            "notices" => is(self.all("notices").count(), wanted),
            "notice" => {
                let same =
                    |n: &Value| n["kind"] == wanted["kind"] && n["status"] == wanted["status"];
                (!self.all("notices").any(same)).then(|| "there is no such notice".to_owned())
            }
            "mails" | "mailed" | "mailed_some" | "mailed_to" | "mailed_to_only" => {
                self.judge_mails(key, wanted)
            }
            _ => self.judge_licenses(key, wanted),
        }
    }

    fn judge_mails(&self, key: &str, wanted: &Value) -> Option<String> {
        let sent = self.sent();
        match key {
            // Exactly these, each so many times.
            "mails" => {
                let all: BTreeMap<String, usize> = serde_json::from_value(wanted.clone()).unwrap();
                (sent != all).then(|| format!("sent were {sent:?}"))
            }
            // Of these kinds so many, whatever else.
            "mailed" => each(wanted, |kind| sent.get(kind).copied().unwrap_or(0)),
            "mailed_some" => (!sent.contains_key(wanted.as_str().unwrap()))
                .then(|| format!("sent were {sent:?}")),
            // A kind to an address: one of them, or all.
            _ => {
                let of_kind = |n: &&Value| n["kind"] == wanted["kind"] && n["status"] == "sent";
                let to = |n: &Value| n["to"] == wanted["to"];
                let any = self.all("notices").filter(of_kind).any(to);
                let all = self.all("notices").filter(of_kind).all(to);
                let holds = any && (all || key == "mailed_to");
                (!holds)
                    .then(|| format!("it went to {:?}", self.all("notices").collect::<Vec<_>>()))
            }
        }
    }

    fn judge_licenses(&self, key: &str, wanted: &Value) -> Option<String> {
        let licenses = self.licenses();
        let with = |status: &str| licenses.iter().filter(|l| l["status"] == status).count();
        let until = self.answer["until"].as_str().unwrap();
        let end = |l: &Value| l["expires_at"].as_str().map(str::to_owned);
        match key {
            "licenses" => is(licenses.len(), wanted),
            "live" => is(with("live"), wanted),
            "revoked" => is(with("revoked"), wanted),
            // Each license has these values.
            "each" => {
                let values = wanted.as_object().unwrap();
                self.each_license(|l| values.iter().all(|(k, v)| l[k] == *v))
            }
            // Where a key was made anew, what is said of the end concerns the live one.
            "expires_at" => {
                let anew = |l: &Value| with("live") > 0 && l["status"] == "revoked";
                self.each_license(|l| l["expires_at"] == *wanted || anew(l))
            }
            "expires_later" => self.each_license(|l| end(l).is_some_and(|e| e.as_str() > until)),
            "live_to" => {
                let at = wanted.as_str().unwrap();
                let lasts = |l: &Value| end(l).is_none_or(|e| e.as_str() >= at);
                self.each_license(|l| l["status"] == "live" && lasts(l))
            }
            "devices_together" => is(
                licenses
                    .iter()
                    .filter_map(|l| l["devices"].as_u64())
                    .sum::<u64>(),
                wanted,
            ),
            "devices_max" => {
                let max = wanted.as_u64().unwrap();
                self.each_license(|l| l["devices"].as_u64().is_some_and(|d| d <= max))
            }
            other => panic!("no claim is called {other}"),
        }
    }

    fn machines(&self) -> impl Iterator<Item = &'a Value> {
        let of = self.claim.keys.get("of");
        let machines = self.answer["machines"].as_array().unwrap().iter();
        machines.filter(move |m| of.is_none_or(|of| m["id"] == *of))
    }

    fn parked(&self) -> &'a Vec<Value> {
        self.answer["parked"].as_array().unwrap()
    }

    fn all(&self, list: &'static str) -> impl Iterator<Item = &'a Value> {
        self.machines()
            .flat_map(move |m| m[list].as_array().unwrap())
    }

    fn licenses(&self) -> Vec<&'a Value> {
        let (plan, seats) = (self.claim.keys.get("plan"), self.claim.keys.get("seats"));
        let of_seat = |l: &Value| {
            let seat = l["seat"].as_u64();
            seats.is_none_or(|s| seat >= s[0].as_u64() && seat <= s[1].as_u64())
        };
        self.all("licenses")
            .filter(|l| plan.is_none_or(|p| l["plan"] == *p) && of_seat(l))
            .collect()
    }

    fn done(&self, kind: Option<&str>) -> usize {
        let done = self.all("actions").filter(|a| a["outcome"] == "done");
        done.filter(|a| kind.is_none_or(|kind| a["kind"] == kind))
            .count()
    }

    /// Kinds of the mails that went out, with how often.
    fn sent(&self) -> BTreeMap<String, usize> {
        let mut out = BTreeMap::new();
        for notice in self.all("notices").filter(|n| n["status"] == "sent") {
            let kind = notice["kind"].as_str().unwrap().to_owned();
            *out.entry(kind).or_default() += 1;
        }
        out
    }

    fn machine(&self, field: &str, wanted: &Value) -> Option<String> {
        let are: Vec<&Value> = self.machines().map(|m| &m[field]).collect();
        let holds = !are.is_empty() && are.iter().all(|is| **is == *wanted);
        (!holds).then(|| format!("it is {are:?}"))
    }

    fn each_license(&self, holds: impl Fn(&Value) -> bool) -> Option<String> {
        let licenses = self.licenses();
        let all = !licenses.is_empty() && licenses.iter().all(|l| holds(l));
        (!all).then(|| format!("licenses are {licenses:?}"))
    }
}

fn is(got: impl Into<Value>, wanted: &Value) -> Option<String> {
    let got = got.into();
    (got != *wanted).then(|| format!("it is {got}"))
}

/// Numbers by name.
fn each(wanted: &Value, got: impl Fn(&str) -> usize) -> Option<String> {
    let wanted = wanted.as_object().unwrap().iter();
    let wrong: Vec<String> = wanted
        .filter(|(kind, n)| n.as_u64() != u64::try_from(got(kind)).ok())
        .map(|(kind, _)| format!("{kind} {}", got(kind)))
        .collect();
    (!wrong.is_empty()).then(|| wrong.join(", "))
}
