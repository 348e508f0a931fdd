//! `reread`: events that changed nothing, put through the present reading again.

use std::path::Path;

use clap::{ArgGroup, Args};
use serde::Deserialize;

use super::ask::ask;
use super::{page, report};
use crate::admin::{Failure, Request, RereadQuery, Response};

/// `reread`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct RereadArgs {
    /// Events that were ignored or could not be read.
    #[arg(group = "which", value_name = "EVENT")]
    pub events: Vec<String>,
    /// All that were ignored for this reason, like `unreadable`, `connect` or `other_mode`; a wrong one lists them all.
    #[arg(long, group = "which", value_name = "REASON")]
    pub reason: Option<String>,
    /// Take in what is read otherwise now. Absent: nothing is changed.
    #[arg(long)]
    pub apply: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A line of the list.
#[derive(Debug, Deserialize)]
struct RereadRow {
    event: String,
    #[serde(rename = "type")]
    kind: String,
    created: String,
    was: String,
    now: String,
}

/// Reads again, and prints what comes of it.
///
/// # Errors
/// What went wrong.
pub(super) fn run(config: &Path, args: &RereadArgs) -> Result<(), Failure> {
    let query = RereadQuery {
        events: args.events.clone(),
        reason: args.reason.clone(),
        apply: args.apply,
    };
    let Response::Reread(reread) = ask(config, Request::Reread(query))? else {
        return Err(Failure::ours("the server answered something else")
            .hint("is the server of the same version as this command?"));
    };
    let (changed, unchanged) = (reread.rows.len(), reread.unchanged);
    let would = if reread.applied { "" } else { "would be " };
    report::say(&format!(
        "{changed} {would}taken in now; {unchanged} change nothing still"
    ));
    if args.json {
        return report::json(&reread);
    }
    if changed == 0 {
        return Ok(());
    }
    let rows = page::read::<RereadRow>(&reread.rows)?;
    let line = |r: RereadRow| vec![r.created, r.event, r.kind, r.was, r.now];
    report::data(&report::table(
        &["created", "event", "type", "was ignored", "now"],
        rows.into_iter().map(line).collect(),
    ));
    Ok(())
}
