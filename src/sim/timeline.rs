//! A history's story: a timeline that a support person can read, or a diagram.

use std::fmt::Write;

use super::answer::{EventOutcome, ReplayReport};
use crate::domain::time::Timestamp;
use crate::engine::read::view::MachineView;

/// The timeline as text, all of it at once.
#[must_use]
pub fn text(answer: &ReplayReport) -> String {
    let mut out: String = answer.machines.iter().map(machine).collect();
    let events = answer.parked.iter().cloned().map(EventOutcome::Parked);
    out.extend(
        events
            .chain(answer.ignored.iter().cloned().map(EventOutcome::Ignored))
            .filter_map(|e| event(&e)),
    );
    out + &as_of(answer.until)
}

/// An event that belongs to no machine, as a line.
#[must_use]
pub fn event(became: &EventOutcome) -> Option<String> {
    match became {
        EventOutcome::Parked(p) => Some(format!(
            "parked   {} {} waits for {}\n",
            p.event, p.kind, p.waits_for
        )),
        EventOutcome::Ignored(i) => {
            Some(format!("ignored  {} {}: {}\n", i.event, i.kind, i.reason))
        }
        EventOutcome::Applied(_) => None,
    }
}

/// The last line.
#[must_use]
pub fn as_of(until: Timestamp) -> String {
    format!("as of {until}\n")
}

/// A machine's story and its licenses.
#[must_use]
pub fn machine(machine: &MachineView) -> String {
    let mut out = String::new();
    let state = machine.state.unwrap_or("nothing known");
    let email = machine.email.as_deref().unwrap_or("no address");
    let _ = writeln!(out, "{}  {}  {state}  {email}", machine.id, machine.kind);
    for (at, line) in story(machine) {
        let _ = writeln!(out, "  {at}  {line}");
    }
    for license in &machine.licenses {
        let plan = license.plan.as_deref().unwrap_or("by metadata");
        let until = license
            .expires_at
            .map_or_else(|| "for life".to_owned(), |t| format!("until {t}"));
        let _ = writeln!(
            out,
            "  license {}  {}  {until}  ({plan}, {})",
            license.seat, license.status, license.devices
        );
    }
    for report in &machine.reports {
        let _ = writeln!(out, "  for you: {report}");
    }
    out.push('\n');
    out
}

/// Everything that happened to a machine, merged by time.
#[must_use]
pub fn story(machine: &MachineView) -> Vec<(Timestamp, String)> {
    let mut lines: Vec<(Timestamp, u8, String)> = Vec::new();
    for t in &machine.transitions {
        let late = if t.seen_at == t.at {
            String::new()
        } else {
            format!(", seen {}", t.seen_at)
        };
        let from = t.from.map_or_else(String::new, |f| format!("{f} "));
        lines.push((
            t.seen_at.max(t.at),
            0,
            format!("{from}→ {}  ({}{late})", t.to, t.cause),
        ));
    }
    for a in &machine.actions {
        let until = a
            .expires_at
            .map_or_else(String::new, |t| format!(" until {t}"));
        let how = if a.outcome == "done" {
            String::new()
        } else {
            format!(", {}", a.outcome)
        };
        let tries = if a.attempts > 1 {
            format!(", {} attempts", a.attempts)
        } else {
            String::new()
        };
        lines.push((a.at, 1, format!("{} {}{until}{how}{tries}", a.kind, a.seat)));
    }
    for n in &machine.notices {
        let what = match (n.status, &n.to, &n.why) {
            ("sent", Some(to), _) => format!("mail {} to {to}", n.kind),
            (status, _, Some(why)) => format!("mail {} {status}: {why}", n.kind),
            (status, _, None) => format!("mail {} {status}", n.kind),
        };
        lines.push((n.at, 2, what));
    }
    lines.sort_by_key(|(at, order, _)| (*at, *order));
    lines.into_iter().map(|(at, _, line)| (at, line)).collect()
}

/// The first line of a Mermaid diagram of machines.
pub const MERMAID: &str = "stateDiagram-v2\n";

/// The states that a machine went through, as its part of a Mermaid diagram; each part has its number.
#[must_use]
pub fn mermaid(n: usize, machine: &MachineView) -> String {
    let mut out = format!("  state \"{}\" as m{n} {{\n", machine.id);
    for t in &machine.transitions {
        let from = t
            .from
            .map_or_else(|| "[*]".to_owned(), |f| format!("m{n}_{f}"));
        let _ = writeln!(out, "    {from} --> m{n}_{}: {} {}", t.to, t.at, t.cause);
    }
    out.push_str("  }\n");
    out
}
