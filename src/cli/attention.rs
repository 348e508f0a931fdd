//! `attention`: what waits for a person, and the command that settles each line.

use std::path::Path;

use serde::Deserialize;

use super::args::JsonArgs;
use super::ask::ask;
use super::{page, report};
use crate::admin::{Failure, Request, Response};

/// A line of the list.
#[derive(Debug, Deserialize)]
struct AttentionRow {
    cause: String,
    since: String,
    about: String,
    reason: String,
    #[serde(default)]
    details: Vec<String>,
    settle: String,
}

/// Prints the list. Something that waits is no error.
///
/// # Errors
/// What went wrong.
pub(super) fn run(config: &Path, args: JsonArgs) -> Result<(), Failure> {
    let Response::List { rows, .. } = ask(config, Request::Attention)? else {
        return Err(Failure::ours("the server answered something else")
            .hint("is the server of the same version as this command?"));
    };
    if args.json {
        return report::json(&rows);
    }
    if rows.is_empty() {
        report::say("nothing waits for you");
        return Ok(());
    }
    let rows = page::read::<AttentionRow>(&rows)?;
    let line = |r: AttentionRow| {
        let reason = [vec![r.reason], r.details].concat().join("\n");
        vec![r.since, r.cause, r.about, reason, r.settle]
    };
    report::data(&report::table(
        &["since", "what", "where", "why", "settled by"],
        rows.into_iter().map(line).collect(),
    ));
    Ok(())
}
