//! Compares replay's JSON with what the oracle expects, and counts what was judged.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::calendar::{Time, iso, read};
use super::truth::{Expect, Mail, Seat, Want};

/// How often each kind of thing was judged, and how often the rules left it open.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    judged: Mutex<BTreeMap<String, u64>>,
    shops: AtomicU64,
}

impl Counts {
    fn count(&self, what: &str) {
        *self
            .judged
            .lock()
            .unwrap()
            .entry(what.to_owned())
            .or_default() += 1;
    }

    /// A shop is played.
    pub(crate) fn played(&self) {
        self.shops.fetch_add(1, Ordering::Relaxed);
    }

    /// How many shops were played, those among them that a mismatch was shrunk to.
    pub(crate) fn shops(&self) -> u64 {
        self.shops.load(Ordering::Relaxed)
    }

    /// How often that was judged.
    pub(crate) fn of(&self, what: &str) -> u64 {
        self.judged.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    /// A line each.
    pub(crate) fn told(&self) -> String {
        self.judged
            .lock()
            .unwrap()
            .iter()
            .map(|(what, n)| format!("{n:>9}  {what}\n"))
            .collect()
    }
}

/// The first difference between an answer and what is expected of a machine.
pub(crate) fn judge(
    answer: &Value,
    expect: &Expect,
    at: Time,
    counts: &Counts,
) -> Result<(), String> {
    let machines = answer["machines"].as_array().unwrap();
    let machine = machines.iter().find(|m| m["id"] == expect.machine.as_str());
    let nothing = Value::Null;
    let machine = machine.unwrap_or(&nothing);
    let wrong = |what: String| {
        Err(format!(
            "{}: {what}\n  machine: {}",
            expect.machine,
            shown(machine)
        ))
    };
    if let Some(Want::Open(why)) = expect
        .seats
        .iter()
        .map(|s| &s.want)
        .find(|w| matches!(w, Want::Open(_)))
    {
        counts.count(&format!("not judged: {why}"));
        return Ok(());
    }
    if let Err(why) = licenses(machine, expect, at, counts) {
        return wrong(why);
    }
    let created = machine["licenses_created"].as_u64().unwrap_or(0);
    if let Some((least, most)) = expect.created {
        counts.count("licenses created");
        if !(least..=most).contains(&created) {
            return wrong(format!(
                "{created} licenses were created, expected {least} to {most} (rule 46)"
            ));
        }
    }
    for mail in &expect.mails {
        if let Err(why) = sent(machine, mail, counts) {
            return wrong(why);
        }
    }
    Ok(())
}

fn sent(machine: &Value, mail: &Mail, counts: &Counts) -> Result<(), String> {
    let notices = machine["notices"].as_array().into_iter().flatten();
    let went =
        |n: &&Value| n["status"] == "sent" && mail.kinds.iter().any(|kind| n["kind"] == *kind);
    let count = notices.filter(went).count();
    let name = mail.kinds.join(" or ");
    let how = if mail.least == mail.most {
        "exactly"
    } else {
        "about"
    };
    counts.count(&format!("mail {name}, {how}"));
    if mail.least > 0 {
        counts.count(&format!("mail {name}, expected"));
    }
    if (mail.least..=mail.most).contains(&count) {
        return Ok(());
    }
    Err(format!(
        "{count} mails {name}, expected {} to {} (rule {})",
        mail.least, mail.most, mail.rule
    ))
}

fn licenses(machine: &Value, expect: &Expect, at: Time, counts: &Counts) -> Result<(), String> {
    let seats = &expect.seats;
    let mut left: Vec<&Value> = machine["licenses"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut wanted: Vec<&Seat> = seats.iter().filter(|s| s.want != Want::Nothing).collect();
    // The pickiest first, so that what takes anything does not take what another needs; last what may not have been made.
    wanted.sort_by_key(|s| match &s.want {
        Want::Stopped(words) => (s.unmade, words.len(), Reverse(0)),
        Want::Live(ends) => (false, ends.len(), Reverse(0)),
        Want::LiveFrom(least) => (false, usize::MAX, Reverse(*least)),
        Want::Nothing | Want::Open(_) => (false, 0, Reverse(0)),
    });
    for seat in wanted {
        counts.count(&format!("{}, rule {}", word(&seat.want), seat.rule));
        let found = left.iter().position(|l| fits(l, seat, at));
        // What was over or stopped when it could have been made was not made (rule 5).
        let late = expect.late && !seat.want.is_live() && left.is_empty();
        if found.is_none() && (late || seat.unmade) {
            continue;
        }
        let Some(found) = found else {
            return Err(format!(
                "expected a license {} (rule {})",
                told(seat),
                seat.rule
            ));
        };
        left.remove(found);
    }
    for seat in seats.iter().filter(|s| s.want == Want::Nothing) {
        counts.count(&format!("no license, rule {}", seat.rule));
        if let Some(one) = left.first() {
            return Err(format!(
                "expected no license (rule {}), there is one: {one}",
                seat.rule
            ));
        }
    }
    match left.iter().find(|l| l["status"] == "live") {
        Some(live) => Err(format!("a live license too many: {live}")),
        None => Ok(()),
    }
}

fn fits(license: &Value, seat: &Seat, at: Time) -> bool {
    let status = license["status"].as_str().unwrap();
    let expires = license["expires_at"].as_str().map(read);
    let right = match &seat.want {
        Want::Live(until) => status == "live" && until.contains(&expires),
        Want::LiveFrom(least) => status == "live" && expires.is_none_or(|e| e >= *least && e > at),
        Want::Stopped(words) => words.contains(&status),
        Want::Nothing | Want::Open(_) => false,
    };
    let devices = seat.devices.is_none_or(|n| license["devices"] == n);
    let plan = seat.plan.is_none_or(|name| license["plan"] == name);
    // What no longer works keeps what it had.
    right && (!seat.want.is_live() || devices && plan)
}

fn word(want: &Want) -> &'static str {
    match want {
        Want::Live(_) | Want::LiveFrom(_) => "live",
        Want::Stopped(words) if *words == ["revoked"] => "revoked",
        Want::Stopped(words) if *words == ["suspended"] => "suspended",
        Want::Stopped(words) if *words == ["expired"] => "expired",
        Want::Stopped(_) => "stopped",
        Want::Nothing => "no license",
        Want::Open(_) => "open",
    }
}

fn told(seat: &Seat) -> String {
    let until = match &seat.want {
        Want::Live(until) => until
            .iter()
            .map(|u| u.map_or("null".to_owned(), iso))
            .collect::<Vec<_>>()
            .join(" or "),
        Want::LiveFrom(least) => format!("{} or later", iso(*least)),
        Want::Stopped(words) => words.join(" or "),
        Want::Nothing | Want::Open(_) => String::new(),
    };
    format!(
        "{} {until}, devices {:?}, plan {:?}",
        word(&seat.want),
        seat.devices,
        seat.plan
    )
}

fn shown(machine: &Value) -> String {
    let short = |list: &str, keys: &[&str]| {
        let entries = machine[list].as_array().into_iter().flatten();
        let line = |e: &Value| {
            keys.iter()
                .map(|k| e[*k].to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        entries
            .map(|e| format!("\n    {list}: {}", line(e)))
            .collect::<String>()
    };
    format!(
        "{} created {}{}{}{}{}",
        machine["state"],
        machine["licenses_created"],
        short("licenses", &["status", "expires_at", "devices", "plan"]),
        short("transitions", &["at", "from", "to", "cause"]),
        short("actions", &["at", "kind", "outcome", "expires_at"]),
        short("notices", &["at", "kind", "episode", "status", "why"]),
    )
}
