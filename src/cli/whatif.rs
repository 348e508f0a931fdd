//! `keyward whatif`: the store's own history under another config, and what would have been different for whom.

mod pager;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::ask::{Conversation, only_row};
use super::history_pages;
use super::report::{self, BOLD, DIM, styled};
use super::source_names;
use super::when::When;
use crate::admin::{Failure, Request};
use crate::clock::Clock;
use crate::config::{Config, Env};
use crate::domain::plan::Devices;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::domain::words::counted;
use crate::engine::input::Rules;
use crate::engine::read::sources::SourceChange;
use crate::engine::read::view::LicenseView;
use crate::sim::compare::{Both, Difference, Happening, LicenseChange, Mail, Totals};
use crate::sim::parallel;
use pager::Pager;

/// `whatif`.
#[derive(Args, Debug)]
pub struct WhatifArgs {
    /// Compare only what happened from this instant on: `2026-03-01`, `2026-03-01T00:00:00Z`, or `30d` for the last 30 days.
    #[arg(long, value_name = "INSTANT")]
    pub since: Option<When>,
    /// How the difference is printed.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// How a difference is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The answer, as docs/replay.md has it.
#[derive(Debug, Serialize)]
struct WhatifReport {
    config: String,
    since: Option<Timestamp>,
    until: Timestamp,
    totals: Totals,
    differences: Vec<Difference>,
    #[serde(skip)]
    missing: u64,
}

/// The usual config, whose store is asked: `--config` names the other one.
const USUAL: &str = "./keyward.toml";

/// Runs the comparison. `new` is what `--config` named, if it did.
///
/// # Errors
/// What went wrong.
pub fn run(new: Option<&Path>, args: &WhatifArgs) -> Result<(), Failure> {
    compared(new, args).map(|_| ())
}

/// Runs the comparison, prints it, and says for how many purchases something differs.
///
/// # Errors
/// What went wrong.
pub(super) fn compared(new: Option<&Path>, args: &WhatifArgs) -> Result<u64, Failure> {
    let new = new.ok_or_else(|| {
        Failure::input("which config would it be?")
            .hint("`--config NEW.toml` names it; the store's own is ./keyward.toml")
    })?;
    let loaded = Config::load(new, &Env::process().lenient());
    let (config, _) = loaded.inspect_err(report::mistakes)?;
    let answer = history_pages::converse(&store_of(new), |asked| {
        let named = source_names::named(&config);
        let change: SourceChange = only_row(asked.ask(Request::Sources { named })?)?;
        source_names::refuse(new, &change)?;
        differences(asked, new, &config, args)
    })?;
    if answer.missing > 0 {
        report::warning(&format!(
            "{} left out, of which the body is not kept any more",
            counted(answer.missing, "event is", "events are")
        ));
    }
    match args.format {
        Format::Json => report::json(&answer)?,
        Format::Text => report::data(&text(&answer)),
    }
    Ok(answer.totals.differ)
}

/// The config whose store is asked: the usual one, or where there is none, the new one, whose `data_dir` is the same.
fn store_of(new: &Path) -> PathBuf {
    let named = std::env::var_os("KEYWARD_CONFIG").map(PathBuf::from);
    let usual = named.unwrap_or_else(|| PathBuf::from(USUAL));
    if usual.exists() {
        usual
    } else {
        new.to_owned()
    }
}

fn differences(
    asked: &mut Conversation,
    path: &Path,
    config: &Config,
    args: &WhatifArgs,
) -> Result<WhatifReport, Failure> {
    let rules = Both {
        present: Arc::new(present(asked)?),
        new: Arc::new(super::replay::simulated(config, always(config))),
    };
    let since = args.since.map(|when| when.past(Clock::Wall.now()));
    let mut answer = WhatifReport {
        config: path.display().to_string(),
        since,
        until: Timestamp::from_ms(0),
        totals: Totals::default(),
        differences: Vec::new(),
        missing: 0,
    };
    let mut pager = Pager::new(asked);
    let mut failed = None;
    let since = since.unwrap_or(Timestamp::from_ms(0));
    parallel::in_order(
        parallel::cores(),
        &mut pager,
        |batch| batch.and_then(|batch| batch.played(&rules, since)),
        |compared| match compared {
            Ok(compared) => {
                answer.totals.add(&compared);
                answer.differences.extend(compared.differences);
                true
            }
            Err(failure) => {
                failed = Some(failure);
                false
            }
        },
    );
    (answer.until, answer.missing) = (pager.until, pager.missing);
    match failed {
        Some(failure) => return Err(failure),
        None => answer.differences.sort_by(|a, b| a.machine.cmp(&b.machine)),
    }
    Ok(answer)
}

fn always(config: &Config) -> Revisions {
    Revisions::always(config.plans.clone(), config.policies.clone()).deaf(config.deaf())
}

/// What is in force; a store that no server has served yet goes by its config.
fn present(asked: &mut Conversation) -> Result<Rules, Failure> {
    let kept = history_pages::revisions(asked)?;
    let revisions = if kept.is_empty() {
        always(&asked.config)
    } else {
        Revisions::new(kept).deaf(asked.config.deaf())
    };
    Ok(super::replay::simulated(&asked.config, revisions))
}

fn text(answer: &WhatifReport) -> String {
    let since = answer
        .since
        .map_or_else(|| "the beginning".to_owned(), |s| s.to_string());
    let totals = &answer.totals;
    let mut out = format!(
        "{} instead of the revisions in force, from {since} to {}: {} of {} would have gone otherwise\n",
        answer.config,
        answer.until,
        totals.differ,
        counted(totals.machines, "purchase", "purchases")
    );
    for difference in &answer.differences {
        out.push_str(&one(difference));
    }
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n{}", styled(BOLD, "In all"));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, present: String, new: String, more: String| {
        rows.push(vec![what.to_owned(), present, new, more])
    };
    let counts = totals
        .happened
        .iter()
        .map(|(what, n)| (format!("licenses {what}"), *n));
    for (what, n) in counts.chain([("mails".to_owned(), totals.mails)]) {
        row(
            &what,
            n.present.to_string(),
            n.new.to_string(),
            signed(n.new.cast_signed() - n.present.cast_signed()),
        );
    }
    let days = totals.license_days;
    row(
        "license-days",
        format!("{:.2}", days.present),
        format!("{:.2}", days.new),
        format!("{:+.2}", days.new - days.present),
    );
    out.push_str(&report::table(&["", "present", "new", "difference"], rows));
    out
}

fn signed(n: i64) -> String {
    if n == 0 {
        "0".to_owned()
    } else {
        format!("{n:+}")
    }
}

fn one(difference: &Difference) -> String {
    let who = [difference.customer.as_deref(), difference.email.as_deref()];
    let who = who.into_iter().flatten().collect::<Vec<_>>().join("  ");
    let mut out = format!(
        "\n{}  {}\n",
        styled(BOLD, &difference.machine),
        styled(DIM, who)
    );
    let mut line = |text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {}", text.trim_end());
    };
    difference.happened.iter().for_each(|h| line(happened(h)));
    difference.mails.iter().for_each(|m| line(mail(m)));
    let word = |state: Option<&'static str>| state.unwrap_or("nothing");
    if difference.state.present != difference.state.new {
        line(format!(
            "at the end: {} instead of {}",
            word(difference.state.new),
            word(difference.state.present)
        ));
    }
    difference.licenses.iter().for_each(|l| line(license(l)));
    let days = difference.license_days;
    line(format!(
        "license-days: {:.2} instead of {:.2}",
        days.new, days.present
    ));
    out
}

/// A license that is another at the end. What its plan is called is nothing to its customer: it is named where that differs.
fn license(change: &LicenseChange) -> String {
    let plan = |l: &Option<LicenseView>| l.as_ref().map(|l| l.plan.clone());
    let (present, new) = (plan(&change.is.present), plan(&change.is.new));
    let renames = present.is_some() && new.is_some() && present != new;
    let is = |l: &Option<LicenseView>| {
        let Some(l) = l else {
            return "none".to_owned();
        };
        let until = l
            .expires_at
            .map_or("for life".to_owned(), |t| format!("until {t}"));
        let devices = match l.devices {
            Devices::Count(n) => n.to_string(),
            Devices::Unlimited => "unlimited".to_owned(),
        };
        let plan = match &l.plan {
            Some(plan) if renames => format!(", plan {plan}"),
            None if renames => ", no plan".to_owned(),
            Some(_) | None => String::new(),
        };
        format!("{} {until}, devices {devices}{plan}", l.status)
    };
    format!(
        "license {} at the end: {} instead of {}",
        change.seat,
        is(&change.is.new),
        is(&change.is.present)
    )
}

fn happened(h: &Happening) -> String {
    let (seat, what) = (h.seat, h.what.as_str());
    match (h.at.present, h.at.new) {
        (Some(present), Some(new)) => {
            format!("license {seat} would have been {what} {new} instead of {present}")
        }
        (None, Some(new)) => format!("license {seat} would have been {what} {new}"),
        (Some(present), None) => format!("license {seat} would not have been {what} {present}"),
        (None, None) => String::new(),
    }
}

fn mail(m: &Mail) -> String {
    let what = format!("mail {} ({})", m.kind, m.episode);
    match (m.at.present, m.at.new) {
        (Some(present), Some(new)) => {
            format!("{what} would have gone out {new} instead of {present}")
        }
        (None, Some(new)) => format!("{what} would have gone out {new}"),
        (Some(present), None) => format!("{what} would not have gone out {present}"),
        (None, None) => String::new(),
    }
}
