//! `backfill`: fetches events that never arrived, a part at a time.

use std::path::Path;

use serde::Serialize;

use super::args::BackfillArgs;
use super::ask::Conversation;
use super::report;
use crate::admin::{BackfillPart, BackfillQuery, Failure, Request, Response, Unanswered};
use crate::clock::{Clock, pause};
use crate::domain::id::Scope;
use crate::domain::time::{Span, Timestamp};
use crate::domain::words::counted;
use crate::effects::backfill::{Backfilled, KEPT};

/// Stripe is asked so often at one place before the command gives up.
const TRIES_MAX: u32 = 8;
/// It is waited for so long at most.
const WAIT_MAX: Span = Span::from_s(60);

/// What came of it. Relied on from outside.
#[derive(Debug, Serialize)]
struct BackfillResult {
    since: Timestamp,
    #[serde(flatten)]
    found: Backfilled,
}

/// What was found so far of the account that is being read.
#[derive(Default)]
struct AccountSoFar {
    scope: Option<Scope>,
    found: Backfilled,
}

impl AccountSoFar {
    /// What there is to say after a part; nothing where it was all: the last line says it.
    fn line(&mut self, part: &BackfillPart) -> Option<String> {
        let is_first = self.scope.is_none();
        if self.scope.as_ref() != Some(&part.scope) {
            (self.scope, self.found) = (Some(part.scope.clone()), Backfilled::default());
        }
        self.found.add(&part.found);
        let (seen, missing) = (self.found.seen, self.found.missing());
        let is_all = is_first && part.next.is_none();
        (!is_all).then(|| {
            format!(
                "{}: read up to {}: {}, {missing} had not arrived",
                part.scope,
                part.to,
                counted(seen, "event", "events")
            )
        })
    }
}

/// How often Stripe was asked in vain at one place, and how long is waited next.
#[derive(Default)]
struct Patience {
    tries: u32,
}

impl Patience {
    /// Waits where Stripe gives no answer now, as it asks for a 429.
    ///
    /// # Errors
    /// That it was asked too often.
    fn wait(&mut self, part: &BackfillPart) -> Result<(), Failure> {
        let Some(Unanswered { after_ms, why }) = &part.unanswered else {
            self.tries = 0;
            return Ok(());
        };
        if part.found.reads > 0 {
            self.tries = 0;
        }
        self.tries += 1;
        if self.tries >= TRIES_MAX {
            let what = format!("the events of {} cannot be read: {why}", part.scope);
            return Err(Failure::ours(what).hint("try again; what was fetched is kept"));
        }
        let own = Span::from_s(1 << (self.tries - 1)).min(WAIT_MAX);
        let wait = own
            .max(Span::from_ms(after_ms.unwrap_or_default()))
            .min(WAIT_MAX);
        report::say(&format!(
            "Stripe answers nothing that can be used: {why}; it is asked again in {wait}"
        ));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
        runtime.block_on(pause(wait));
        Ok(())
    }
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
    let mut patience = Patience::default();
    let (mut found, mut so_far) = (Backfilled::default(), AccountSoFar::default());
    let result = loop {
        match conversation.ask(Request::Backfill(query.clone())) {
            Ok(Response::Backfilled(part)) => {
                found.add(&part.found);
                if let Some(line) = so_far.line(&part) {
                    report::say(&line);
                }
                if let Err(failure) = patience.wait(&part) {
                    break Err(failure);
                }
                let Some(next) = part.next else {
                    break Ok(());
                };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::BackfillPosition;

    fn part(scope: &str, seen: u32, next: Option<&str>) -> BackfillPart {
        let to = Timestamp::from_s(1_767_607_200);
        BackfillPart {
            scope: Scope::of(scope),
            to,
            found: Backfilled {
                reads: 1,
                seen,
                missing: [("invoice.paid".to_owned(), seen)].into(),
            },
            next: next.map(|scope| BackfillPosition {
                scope: Scope::of(scope),
                from: to,
                until: to,
            }),
            unanswered: None,
        }
    }

    #[test]
    fn each_account_has_a_line_with_its_own_count() {
        let mut so_far = AccountSoFar::default();
        let parts = [
            part("second", 2, Some("stripe")),
            part("stripe", 1, Some("stripe")),
            part("stripe", 1, Some("stripe/acct_8")),
            part("stripe/acct_8", 0, Some("stripe/acct_9")),
            part("stripe/acct_9", 2, None),
        ];
        let said: Vec<String> = parts.iter().filter_map(|p| so_far.line(p)).collect();
        let at = "read up to 2026-01-05T10:00:00Z";
        assert_eq!(
            said,
            [
                format!("second: {at}: 2 events, 2 had not arrived"),
                format!("stripe: {at}: 1 event, 1 had not arrived"),
                format!("stripe: {at}: 2 events, 2 had not arrived"),
                format!("stripe/acct_8: {at}: 0 events, 0 had not arrived"),
                format!("stripe/acct_9: {at}: 2 events, 2 had not arrived"),
            ]
        );
        let all = part("stripe", 2, None);
        assert_eq!(
            AccountSoFar::default().line(&all),
            None,
            "the last line says it"
        );
    }
}
