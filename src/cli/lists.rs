//! The commands that ask: each sends one request, and prints the answer as JSON or text.

use std::path::Path;

use serde_json::value::RawValue;

use super::args::{EventsArgs, FindArgs, ListArgs};
use super::ask::ask;
use super::page::{self, ActionRow, Event, PurchasePage, Refused};
use super::show::ShowArgs;
use super::{report, show};
use crate::admin::{EventFilter, Failure, Request, Response, by_payment};
use crate::domain::machine::LicenseStatus;
use crate::domain::words::counted;

fn other() -> Failure {
    Failure::ours("the server answered something else")
        .hint("is the server of the same version as this command?")
}

/// `find`: nothing found is an error, so that scripts can ask.
///
/// # Errors
/// What went wrong.
pub(super) fn find(config: &Path, args: &FindArgs) -> Result<(), Failure> {
    let Response::Found { machines } = ask(
        config,
        Request::Find {
            text: args.text.clone(),
        },
    )?
    else {
        return Err(other());
    };
    if args.json {
        report::json(&machines)?;
    } else if !machines.is_empty() {
        let rows = page::read::<PurchasePage>(&machines)?.into_iter().map(|p| {
            let live = p
                .licenses
                .iter()
                .filter(|l| l.status == LicenseStatus::Live)
                .count();
            let licenses = format!("{live} of {} live", p.licenses.len());
            let email = p.email.clone().unwrap_or_default();
            vec![
                p.id.clone(),
                p.word().to_owned(),
                p.status().to_owned(),
                licenses,
                p.customer.clone().unwrap_or_default(),
                email,
            ]
        });
        report::data(&report::table(
            &[
                "purchase", "state", "status", "licenses", "customer", "email",
            ],
            rows.collect(),
        ));
        if machines.len() >= crate::engine::read::view::FOUND_MAX {
            report::say("there may be more: give a more telling text");
        }
    }
    if machines.is_empty() {
        return Err(
            Failure::input(format!("nothing is known of `{}`", args.text)).hint(
                by_payment(&args.text)
                    .unwrap_or("`keyward events --parked` lists what waits for its purchase"),
            ),
        );
    }
    Ok(())
}

/// `show`.
///
/// # Errors
/// What went wrong.
pub(super) fn show(config: &Path, args: &ShowArgs) -> Result<(), Failure> {
    if let Some(id) = &args.event {
        return show_event(config, id, args.json);
    }
    let Response::Machine {
        view,
        decided,
        next,
    } = ask(
        config,
        Request::Show {
            machine: args.machine.clone().unwrap_or_default(),
        },
    )?
    else {
        return Err(other());
    };
    if args.json {
        return report::json(&view);
    }
    let pages = page::read::<PurchasePage>(&[view])?;
    pages
        .iter()
        .for_each(|p| report::data(&show::show(p, &decided, &next)));
    Ok(())
}

/// `show --event`: what became of it on stderr, its body as it came on stdout.
fn show_event(config: &Path, id: &str, json: bool) -> Result<(), Failure> {
    let request = Request::Event { id: id.to_owned() };
    let Response::Event { view, body } = ask(config, request)? else {
        return Err(other());
    };
    for event in page::read::<Event>(&[view])?.iter().filter(|_| !json) {
        let about = [&event.machine, &event.reason].into_iter().flatten().next();
        let about = about.map(|a| format!(": {a}")).unwrap_or_default();
        let (kind, received) = (&event.kind, &event.received);
        report::say(&format!(
            "{kind}, received {received}, {}{about}",
            event.disposition
        ));
    }
    report::data(body.trim_end());
    Ok(())
}

fn list(
    config: &Path,
    request: Request,
    json: bool,
) -> Result<Option<Vec<Box<RawValue>>>, Failure> {
    let Response::List { rows, more } = ask(config, request)? else {
        return Err(other());
    };
    if more > 0 {
        report::say(&format!(
            "{} left out",
            counted(more, "older one is", "older ones are")
        ));
    }
    if json {
        report::json(&rows)?;
        return Ok(None);
    }
    Ok(Some(rows))
}

/// `events`.
///
/// # Errors
/// What went wrong.
pub(super) fn events(config: &Path, args: &EventsArgs) -> Result<(), Failure> {
    let which = [
        (args.applied, EventFilter::Applied),
        (args.parked, EventFilter::Parked),
        (args.ignored, EventFilter::Ignored),
    ];
    let which = which
        .into_iter()
        .find_map(|(asked, which)| asked.then_some(which));
    let request = Request::Events {
        which,
        limit: args.list.limit,
    };
    let Some(rows) = list(config, request, args.list.json)? else {
        return Ok(());
    };
    if rows.is_empty() {
        report::say("no events");
        return Ok(());
    }
    let rows = page::read::<Event>(&rows)?.into_iter().map(|e| {
        let about = match (&e.machine, &e.reason) {
            (Some(machine), _) => machine.clone(),
            (None, Some(reason)) => reason.clone(),
            (None, None) => {
                let noted = e.noted.map(|by| format!("; {by}")).unwrap_or_default();
                waits(&e.waits_for, e.age_s, e.looked_up) + &noted
            }
        };
        vec![e.received, e.event, e.kind, e.disposition, about]
    });
    report::data(&report::table(
        &["received", "event", "type", "what became of it", ""],
        rows.collect(),
    ));
    Ok(())
}

/// What an event waits for, for how long, and what Stripe was asked about it.
fn waits(names: &[String], age_s: Option<i64>, looked_up: Option<u32>) -> String {
    if names.is_empty() {
        return String::new();
    }
    let age = age_s.map(|s| match s {
        ..60 => format!(", {s} s"),
        60..3_600 => format!(", {} min", s / 60),
        3_600..86_400 => format!(", {} h", s / 3_600),
        86_400.. => format!(", {} d", s / 86_400),
    });
    let asked = looked_up.map(|n| format!("; Stripe was asked {n} times"));
    format!(
        "waits for {}{}{}",
        names.join(", "),
        age.unwrap_or_default(),
        asked.unwrap_or_default()
    )
}

/// `refused`.
///
/// # Errors
/// What went wrong.
pub(super) fn refused(config: &Path, args: ListArgs) -> Result<(), Failure> {
    let Some(rows) = list(config, Request::Refused { limit: args.limit }, args.json)? else {
        return Ok(());
    };
    if rows.is_empty() {
        report::say("nothing signed was refused");
        return Ok(());
    }
    let rows = page::read::<Refused>(&rows)?.into_iter().map(|r| {
        let body: String = r
            .body
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(60)
            .collect();
        vec![r.at, r.source, r.why, body]
    });
    report::data(&report::table(
        &["at", "source", "why", "body"],
        rows.collect(),
    ));
    Ok(())
}

/// `actions`.
///
/// # Errors
/// What went wrong.
pub(super) fn actions(config: &Path, args: ListArgs) -> Result<(), Failure> {
    let Some(rows) = list(config, Request::Actions { limit: args.limit }, args.json)? else {
        return Ok(());
    };
    if rows.is_empty() {
        report::say("nothing waits, is held or was refused");
        return Ok(());
    }
    let rows = page::read::<ActionRow>(&rows)?.into_iter().map(|a| {
        let (next, error) = (
            a.next.unwrap_or_else(|| "-".to_owned()),
            a.error.unwrap_or_default(),
        );
        vec![
            a.id,
            a.service,
            a.kind,
            a.outcome,
            a.attempts.to_string(),
            next,
            error,
        ]
    });
    let header = [
        "id",
        "service",
        "what",
        "outcome",
        "attempts",
        "next",
        "last error",
    ];
    report::data(&report::table(&header, rows.collect()));
    Ok(())
}
