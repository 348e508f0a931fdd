//! `backfill`: fetches events that never arrived, a part at a time.

use std::path::Path;

use serde::Serialize;

use super::args::BackfillArgs;
use super::ask::Conversation;
use super::report;
use crate::admin::{BackfillQuery, Failure, Request, Response};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::domain::words::counted;
use crate::effects::backfill::{Backfilled, KEPT};

/// What came of it. Relied on from outside.
#[derive(Debug, Serialize)]
struct BackfillResult {
    since: Timestamp,
    #[serde(flatten)]
    found: Backfilled,
}

/// Fetches, and says how many were missing.
///
/// # Errors
/// What went wrong; what was fetched until then is kept.
pub(super) fn run(config: &Path, args: &BackfillArgs) -> Result<(), Failure> {
    let now = Clock::Wall.now();
    let since = args.since.past(now);
    if since > now {
        let hint = "`--since` takes an instant that has passed, like `30d`";
        return Err(Failure::input(format!("{since} is yet to come")).hint(hint));
    }
    if since < now - KEPT {
        report::say(&format!(
            "Stripe keeps events for {KEPT}: what is older is not in its list"
        ));
    }
    let mut query = BackfillQuery {
        since,
        source: args.source.clone(),
        position: None,
    };
    let mut conversation = Conversation::begin(config)?;
    let mut found = Backfilled::default();
    let result = loop {
        match conversation.ask(Request::Backfill(query.clone())) {
            Ok(Response::Backfilled(part)) => {
                found.add(&part.found);
                let Some(next) = part.next else {
                    break Ok(());
                };
                let (seen, missing) = (found.seen, found.missing());
                let (scope, to) = (&part.scope, part.to);
                report::say(&format!(
                    "{scope}: read up to {to}: {}, {missing} had not arrived",
                    counted(seen, "event", "events")
                ));
                query.position = Some(next);
            }
            Ok(_) => break Err(Failure::ours("the server answered something else")),
            Err(failure) => break Err(failure),
        }
    };
    conversation.end()?;
    result?;
    if args.json {
        return report::json(&BackfillResult { since, found });
    }
    report::say(&format!(
        "{} since {since}; {} had not arrived",
        counted(found.seen, "event", "events"),
        found.missing()
    ));
    let rows = found.missing.iter();
    let rows: Vec<_> = rows
        .map(|(kind, n)| vec![kind.clone(), n.to_string()])
        .collect();
    if !rows.is_empty() {
        report::data(&report::table(&["type", "had not arrived"], rows));
    }
    Ok(())
}
