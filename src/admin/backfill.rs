//! Events that never arrived, fetched by hand: a part at a time, so that no answer takes long.

use super::context::Context;
use super::failure::Failure;
use super::request::{BackfillPosition, BackfillQuery};
use super::response::{BackfillPart, Response, Unanswered};
use crate::domain::id::{Scope, SourceName};
use crate::domain::time::Span;
use crate::effects::backfill::{BackfillError, Progress, Walk};
use crate::effects::stripe::{Accounts, StripeRefusal, WRONG_KEY};
use crate::engine::record::server;

/// Requests to Stripe for one part.
const READS_MAX: u32 = 20;

/// Reads the next part.
pub(super) async fn next(
    context: &Context,
    accounts: &Accounts,
    query: BackfillQuery,
) -> Result<Response, Failure> {
    let scopes = scopes(context, accounts, query.source.as_deref())?;
    let now = context.handle.clock().now();
    let mut walk = match &query.position {
        None => Walk::new(scopes[0].clone(), query.since, now),
        Some(position) => {
            let mut walk = Walk::new(position.scope.clone(), position.from, now);
            walk.until = position.until;
            walk
        }
    };
    let Some(account) = accounts.get(walk.scope.source()) else {
        return Err(no_key(walk.scope.source()));
    };
    let complete_to = server::backfilled(context.handle.reader(), &walk.scope)?;
    let known_from = complete_to.or(context.handle.rules().store_since);
    let progress = if known_from.is_some_and(|known| query.since <= known) {
        Progress::Kept
    } else {
        Progress::NotKept
    };
    let walked = walk
        .go_on(&context.handle, account, READS_MAX, progress)
        .await;
    let unanswered = match walked {
        Ok(()) => None,
        // Whoever asks waits, and asks for what is left: no answer of ours takes long.
        Err(BackfillError::Again { after, why }) => {
            let after_ms = after.map(Span::ms);
            Some(Unanswered { after_ms, why })
        }
        Err(error) => return Err(failed(&walk.scope, &error)),
    };
    let position = |scope: &Scope, from, until| BackfillPosition {
        scope: scope.clone(),
        from,
        until,
    };
    let next = if walk.is_over() {
        let behind = scopes.iter().find(|scope| **scope > walk.scope);
        behind.map(|scope| {
            let next = Walk::new(scope.clone(), query.since, now);
            position(scope, next.complete_to, next.until)
        })
    } else {
        Some(position(&walk.scope, walk.complete_to, walk.until))
    };
    Ok(Response::Backfilled(BackfillPart {
        scope: walk.scope,
        to: walk.complete_to,
        found: walk.found,
        next,
        unanswered,
    }))
}

/// Every account that can be asked, in order.
fn scopes(
    context: &Context,
    accounts: &Accounts,
    source: Option<&str>,
) -> Result<Vec<Scope>, Failure> {
    let rules = context.handle.rules();
    let mut scopes = Vec::new();
    for name in accounts.keys() {
        if source.is_some_and(|wanted| wanted != name.as_str()) {
            continue;
        }
        scopes.push(Scope::new(name.clone(), None));
        if rules.source(name).connect {
            let connected = server::accounts(context.handle.reader(), name)?;
            scopes.extend(
                connected
                    .into_iter()
                    .map(|a| Scope::new(name.clone(), Some(a))),
            );
        }
    }
    scopes.sort();
    if scopes.is_empty() {
        return Err(match source {
            Some(source) => no_key(&SourceName::from(source)),
            None => Failure::input("no source has an `api_key`, so Stripe cannot be asked")
                .hint("a restricted key that may read events is enough"),
        });
    }
    Ok(scopes)
}

fn no_key(source: &SourceName) -> Failure {
    Failure::input(format!(
        "no source `{source}` with an `api_key` is configured"
    ))
    .hint("a restricted key that may read events is enough")
}

fn failed(scope: &Scope, error: &BackfillError) -> Failure {
    let failure = |hint: &str| {
        Failure::ours(format!("the events of {scope} cannot be read: {error}")).hint(hint)
    };
    match error {
        BackfillError::Again { .. } => failure("try again; what was fetched is kept"),
        BackfillError::Refused {
            refusal: StripeRefusal::Key,
            ..
        } => failure(WRONG_KEY),
        BackfillError::Refused { .. } => failure("the key needs the permission to read events"),
        BackfillError::Submit(error) => (*error).into(),
    }
}
