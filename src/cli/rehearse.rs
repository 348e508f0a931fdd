//! `keyward rehearse`: the store's own history through another binary or another config, and every customer for whom the
//! outcome would differ. An upgrade does this first.

mod played;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::export::{self, WholeHistory};
use super::report::{self, BOLD, styled};
use super::whatif::{self, WhatifArgs};
use crate::admin::Failure;
use crate::clock::Stopwatch;
use crate::domain::words::counted;
use played::{patience, played};

/// `rehearse`.
#[derive(Args, Debug)]
pub struct RehearseArgs {
    /// Another build of keyward: both play the history under the config. Without it `--config` names a new config, as for
    /// `whatif`. One that says nothing for ten times as long as this build took, and for five minutes, is ended.
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What counts of a purchase for its customer. What a word of the answer is called may change from version to version; what
/// somebody holds and is told may not.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Outcome {
    id: String,
    customer: Option<String>,
    state: Option<String>,
    licenses_created: u64,
    licenses: Vec<OutcomeLicense>,
    #[serde(rename = "notices")]
    mails: Vec<OutcomeMail>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct OutcomeLicense {
    seat: u32,
    status: String,
    expires_at: Option<String>,
    devices: serde_json::Value,
    plan: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct OutcomeMail {
    at: String,
    kind: String,
    status: String,
}

/// A purchase that would come out otherwise; `None`: one of the two knows nothing of it.
#[derive(Debug, PartialEq, Serialize)]
struct Differing {
    machine: String,
    present: Option<Outcome>,
    new: Option<Outcome>,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Rehearsal {
    binary: String,
    machines: usize,
    differ: Vec<Differing>,
    /// Purchases of the store that this version does not make of the history, by id.
    unplayed: Vec<String>,
    /// Events that the history lacks.
    left_out: u64,
}

/// Runs the rehearsal. `named` is what `--config` named on the command line, if it did.
///
/// # Errors
/// What went wrong, and that something differs.
pub(super) fn run(config: &Path, named: Option<&Path>, args: &RehearseArgs) -> Result<(), Failure> {
    let Some(binary) = &args.binary else {
        let format = if args.json {
            whatif::Format::Json
        } else {
            whatif::Format::Text
        };
        let since = None;
        let differ = whatif::compared(named, &WhatifArgs { since, format })?;
        return answered(
            differ,
            "the answer above names them; until they are meant, stay with the config in force",
        );
    };
    let (history, whole) = ExportedHistory::export(config)?;
    let own = std::env::current_exe().map_err(|e| Failure::ours(e.to_string()))?;
    let takes = Stopwatch::start();
    let present = by_purchase(played(&own, config, &history.0, None)?);
    let patience = patience(takes.elapsed());
    let new = by_purchase(played(binary, config, &history.0, Some(patience))?);
    let answer = Rehearsal {
        binary: binary.display().to_string(),
        machines: present.len(),
        unplayed: unplayed(whole.machines, &present),
        left_out: whole.left_out,
        differ: compare(present, new),
    };
    if args.json {
        report::json(&answer)?;
    } else {
        report::data(&text(&answer));
    }
    let differ = u64::try_from(answer.differ.len()).unwrap_or(u64::MAX);
    answered(
        differ,
        "read what the new version says it changed; until then stay with this one",
    )?;
    match answer.unplayed.len() {
        0 => Ok(()),
        n => Err(Failure::answer(format!(
            "{} not played: what becomes of them is not known",
            counted(n, "purchase was", "purchases were")
        ))
        .hint("the answer above names them; some of their events are not kept any more, or cannot be read")),
    }
}

/// The store's purchases that no history tells of.
fn unplayed(machines: Vec<String>, played: &BTreeMap<String, Outcome>) -> Vec<String> {
    let is_unplayed = |id: &String| !played.contains_key(id);
    machines.into_iter().filter(is_unplayed).collect()
}

/// What a script reads off the exit code, alike for another binary and another config: whether purchases would come out
/// otherwise.
fn answered(differ: u64, hint: &str) -> Result<(), Failure> {
    match differ {
        0 => Ok(()),
        n => Err(Failure::answer(format!(
            "{} would come out otherwise",
            counted(n, "purchase", "purchases")
        ))
        .hint(hint)),
    }
}

/// The history in a file of its own, which goes with it: it holds customers' addresses.
struct ExportedHistory(PathBuf);

impl ExportedHistory {
    fn export(config: &Path) -> Result<(Self, WholeHistory), Failure> {
        let name = format!("keyward-rehearsal-{:016x}.jsonl", rand::random::<u64>());
        let file = Self(std::env::temp_dir().join(name));
        let whole = export::whole(config, &file.0)?;
        Ok((file, whole))
    }
}

impl Drop for ExportedHistory {
    fn drop(&mut self) {
        // Where it is gone already, there is nothing to do.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Outcomes by purchase.
fn by_purchase(played: Vec<Outcome>) -> BTreeMap<String, Outcome> {
    played.into_iter().map(|m| (m.id.clone(), m)).collect()
}

fn compare(
    mut present: BTreeMap<String, Outcome>,
    new: BTreeMap<String, Outcome>,
) -> Vec<Differing> {
    let mut differ = Vec::new();
    for (machine, new) in new {
        let present = present.remove(&machine);
        if present.as_ref() != Some(&new) {
            differ.push(Differing {
                machine,
                present,
                new: Some(new),
            });
        }
    }
    let gone = present.into_iter().map(|(machine, present)| Differing {
        machine,
        present: Some(present),
        new: None,
    });
    differ.extend(gone);
    differ
}

fn text(answer: &Rehearsal) -> String {
    let differ = answer.differ.len();
    let mut out = format!(
        "{} instead of this version: {differ} of {} would come out otherwise\n",
        answer.binary,
        counted(answer.machines, "purchase", "purchases")
    );
    if answer.left_out > 0 {
        let events = counted(answer.left_out, "event was", "events were");
        let _ = writeln!(out, "{events} left out: {}", export::LEFT_OUT);
    }
    for id in &answer.unplayed {
        let _ = writeln!(out, "\n{}  not played", styled(BOLD, id));
    }
    for d in &answer.differ {
        let customer = d
            .present
            .iter()
            .chain(&d.new)
            .find_map(|o| o.customer.as_deref());
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "\n{}  {}",
            styled(BOLD, &d.machine),
            customer.unwrap_or_default()
        );
        for (name, outcome) in [("this version", &d.present), ("the new one", &d.new)] {
            let _ = writeln!(
                out,
                "  {name}: {}",
                outcome.as_ref().map_or("nothing".to_owned(), sentence)
            );
        }
    }
    out
}

fn sentence(outcome: &Outcome) -> String {
    let licenses = outcome.licenses.iter().map(|l| {
        let until = l
            .expires_at
            .as_deref()
            .map_or("for life".to_owned(), |t| format!("until {t}"));
        format!(
            "license {} {} {until}, devices {}",
            l.seat, l.status, l.devices
        )
    });
    let state = outcome
        .state
        .clone()
        .unwrap_or_else(|| "nothing".to_owned());
    let mails = outcome.mails.iter().filter(|m| m.status == "sent").count();
    let parts: Vec<String> = [state].into_iter().chain(licenses).collect();
    format!(
        "{}; {} made, {}",
        parts.join("; "),
        counted(outcome.licenses_created, "license", "licenses"),
        counted(mails, "mail", "mails")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(id: &str, status: &str) -> (String, Outcome) {
        let license = OutcomeLicense {
            seat: 1,
            status: status.to_owned(),
            expires_at: None,
            devices: 3.into(),
            plan: None,
        };
        let outcome = Outcome {
            id: id.to_owned(),
            customer: None,
            state: Some("paid".to_owned()),
            licenses_created: 1,
            licenses: vec![license],
            mails: Vec::new(),
        };
        (id.to_owned(), outcome)
    }

    #[test]
    fn what_is_gone_new_or_otherwise_differs() {
        let present = [
            outcome("a", "live"),
            outcome("b", "live"),
            outcome("c", "live"),
        ];
        let new = [
            outcome("a", "live"),
            outcome("b", "revoked"),
            outcome("d", "live"),
        ];
        let present = BTreeMap::from(present);
        let gone = unplayed(vec!["a".to_owned(), "e".to_owned()], &present);
        assert_eq!(gone, ["e"]);
        let differ = compare(present, new.into());
        let names: Vec<&str> = differ.iter().map(|d| d.machine.as_str()).collect();
        assert_eq!(names, ["b", "d", "c"]);
        let text = text(&Rehearsal {
            binary: "new".to_owned(),
            machines: 3,
            differ,
            unplayed: gone,
            left_out: 1,
        });
        assert!(
            text.contains("the new one: nothing")
                && text.contains("revoked for life")
                && text.contains("1 event was left out")
                && text.contains("not played"),
            "{text}"
        );
    }
}
