//! A purchase's page, as a support person reads it.

use std::fmt::Write;

use clap::{ArgGroup, Args};

use super::page::{Action, PurchasePage};
use super::report::{BOLD, DIM, styled, table};
use crate::admin::TimelineItem;
use crate::domain::money::Money;

/// `show`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("which").required(true).multiple(false))]
pub struct ShowArgs {
    /// The purchase, like `stripe/sub_123`, or anything by which `find` finds it alone.
    #[arg(group = "which")]
    pub machine: Option<String>,
    /// One event instead, as Stripe sent it; with its source or account in front where several have it, like `stripe/evt_123`.
    #[arg(long, value_name = "ID", group = "which")]
    pub event: Option<String>,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// The whole page.
#[must_use]
pub(super) fn show(page: &PurchasePage, decided: &[TimelineItem], next: &[TimelineItem]) -> String {
    let mut out = head(page);
    let mut part = |title: &str, body: String| {
        if !body.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\n{}\n{body}", styled(BOLD, title));
        }
    };
    part("Licenses", licenses(page));
    part("Timeline", timeline(page, decided));
    part("Actions", actions(page));
    part("Attempts", attempts(page));
    part("Facts", facts(page));
    part(
        "To know",
        page.reports.iter().map(|r| format!("  {r}\n")).collect(),
    );
    part("What comes next", coming(page, next));
    out
}

fn head(page: &PurchasePage) -> String {
    // Often the state says it all.
    let mut words = vec![page.word(), page.status()];
    words.dedup();
    words.retain(|word| !word.is_empty());
    let mut out = format!(
        "{}  {}  {}\n",
        styled(BOLD, &page.id),
        page.kind,
        styled(BOLD, words.join(", "))
    );
    let customer = [page.customer.as_deref(), page.email.as_deref()];
    let customer = customer
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("  ");
    let customer = if customer.is_empty() {
        "nobody that is known yet"
    } else {
        &customer
    };
    let _ = writeln!(out, "  customer: {customer}");
    if let Some(why) = &page.held {
        let _ = writeln!(out, "  held, so nothing is done for it: {why}");
    }
    out
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn licenses(page: &PurchasePage) -> String {
    if page.licenses.is_empty() {
        return "  none\n".to_owned();
    }
    let row = |l: &super::page::LicenseRow| {
        vec![
            l.seat.to_string(),
            l.left_at.as_ref().map_or_else(
                || l.status.to_string(),
                |service| format!("left at {service}"),
            ),
            l.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
            l.devices
                .as_str()
                .map_or_else(|| l.devices.to_string(), str::to_owned),
            l.plan.clone().unwrap_or_default(),
            l.key.clone().unwrap_or_default(),
        ]
    };
    indented(&table(
        &["no", "status", "expires", "devices", "plan", "key"],
        page.licenses.iter().map(row).collect(),
    ))
}

/// Transitions, decisions, finished actions and mails, merged by time.
fn timeline(page: &PurchasePage, decided: &[TimelineItem]) -> String {
    let mut lines: Vec<(String, u8, String)> = decided
        .iter()
        .map(|d| (d.at.to_string(), 0, d.what.clone()))
        .collect();
    for t in &page.transitions {
        let from = t
            .from
            .as_deref()
            .map_or(String::new(), |from| format!("{from} -> "));
        // The day is enough to say that it was heard of late.
        let late = if t.seen_at.get(..10) == t.at.get(..10) {
            String::new()
        } else {
            styled(DIM, format!("  (seen {})", t.seen_at))
        };
        lines.push((
            t.at.clone(),
            1,
            format!("{from}{}  by {}{late}", styled(BOLD, &t.to), t.cause),
        ));
    }
    for a in page.actions.iter().filter(|a| a.outcome == "done") {
        lines.push((a.at.clone(), 2, done(a)));
    }
    let dropped = page.actions.iter().filter(|a| a.is_dropped());
    lines.extend(dropped.map(|a| (a.at.clone(), 2, format!("{} {}{}", a.kind, a.seat, word(a)))));
    for n in &page.notices {
        let to =
            n.to.as_deref()
                .map_or(String::new(), |to| format!(" to {to}"));
        let why = n
            .why
            .as_deref()
            .filter(|_| n.status != "sent")
            .map_or(String::new(), |why| format!(": {why}"));
        lines.push((
            n.at.clone(),
            3,
            format!("mail {} ({}) {}{to}{why}", n.kind, n.episode, n.status),
        ));
    }
    lines.sort_by(|a, b| instant(&a.0).cmp(&instant(&b.0)).then(a.1.cmp(&b.1)));
    lines
        .into_iter()
        .map(|(at, _, what)| format!("  {at}  {what}\n"))
        .collect()
}

fn instant(text: &str) -> Option<crate::domain::time::Timestamp> {
    crate::domain::time::Timestamp::parse(text).ok()
}

/// What a person said of it when it was held.
fn word(a: &Action) -> String {
    let said = a.word.as_ref();
    said.map_or(String::new(), |word| format!(", {word}"))
}

fn done(a: &Action) -> String {
    let until = a
        .expires_at
        .as_deref()
        .map_or(String::new(), |t| format!(" until {t}"));
    let tries = if a.attempts > 1 {
        format!(", after {} tries", a.attempts)
    } else {
        String::new()
    };
    if a.adopted {
        return format!(
            "license {} found by its label and taken over{tries}",
            a.seat
        );
    }
    format!("{} {}{until}{tries}{}", a.kind, a.seat, word(a))
}

/// What is not done: it waits, was refused, or came to nothing.
fn actions(page: &PurchasePage) -> String {
    let rows = page
        .actions
        .iter()
        .filter(|a| a.outcome != "done")
        .map(|a| {
            vec![
                format!("#{}", a.id),
                format!("{} {}", a.kind, a.seat),
                a.outcome.clone(),
                a.attempts.to_string(),
                a.next.clone().unwrap_or_else(|| "-".to_owned()),
                because(a),
            ]
        });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    indented(&table(
        &["id", "what", "outcome", "attempts", "next", "because"],
        rows,
    ))
}

/// What a person said of it, or what holds it, or what was answered last.
fn because(a: &Action) -> String {
    let said = a.word.as_ref().map(ToString::to_string);
    let said = [said, a.error.clone()].into_iter().flatten();
    said.collect::<Vec<_>>().join("; ")
}

/// Every attempt with its answer, of what did not go well at once.
fn attempts(page: &PurchasePage) -> String {
    let mut rows = Vec::new();
    for action in &page.actions {
        // The first of them and the newest are kept.
        let left_out = (action.attempts as usize).saturating_sub(action.tried.len());
        for (n, tried) in action.tried.iter().enumerate() {
            let mut said = tried.said.clone().unwrap_or_default();
            if n == 0 && left_out > 0 {
                said = format!("{said} ({left_out} more after it)");
            }
            rows.push(vec![
                tried.sent.clone(),
                format!("#{} {}", action.id, action.kind),
                tried.answer.clone(),
                said,
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    indented(&table(&["sent", "what", "answer", ""], rows))
}

/// Everything that was said about it.
fn facts(page: &PurchasePage) -> String {
    let row = |f: &super::page::FactRow| {
        let late = f.at.get(..16) != f.received.get(..16);
        vec![
            f.at.clone(),
            f.kind.clone(),
            f.object.clone().unwrap_or_default(),
            money(f),
            f.event.clone(),
            if late {
                format!("heard {}", f.received)
            } else {
                String::new()
            },
        ]
    };
    if page.facts.is_empty() {
        return String::new();
    }
    let rows = page.facts.iter().map(row).collect();
    indented(&table(
        &["at", "type", "object", "amount", "event", ""],
        rows,
    ))
}

fn money(fact: &super::page::FactRow) -> String {
    let money = fact.amount.zip(fact.currency.clone());
    money.map_or(String::new(), |(minor, currency)| {
        Money { minor, currency }.to_string()
    })
}

fn coming(page: &PurchasePage, next: &[TimelineItem]) -> String {
    match next {
        [] if page.held.is_some() => "  nothing, while it is held\n".to_owned(),
        [] => "  nothing, unless Stripe or a person says so\n".to_owned(),
        next => next
            .iter()
            .map(|c| format!("  {}  {}\n", c.at, c.what))
            .collect(),
    }
}
