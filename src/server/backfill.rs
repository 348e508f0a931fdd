//! Reads Stripe's event lists: at each start, every so often, and each minute while stops wait for it.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backfills::Backfills;
use super::parts::Parts;
use crate::clock::pause;
use crate::domain::hold::{Distrust, DistrustCause};
use crate::domain::id::{Scope, SourceName};
use crate::domain::time::{Span, Timestamp};
use crate::effects::backfill::{BackfillError, KEPT, OVERLAP, Progress, Walk};
use crate::effects::services::Services;
use crate::engine::Handle;
use crate::engine::record::RecordError;
use crate::engine::record::server;

/// How often it is looked whether a round is due.
const CHECK_EVERY: Span = Span::from_s(2);
/// Between rounds while stops wait for the list to be read to its end, and after a failure.
const SOON: Span = Span::from_minutes(1);
/// Requests of one account in one round; the next round goes on at once.
const READS_MAX: u32 = 500;
/// Connected accounts that one round reads, those that were not read for longest: Stripe counts reads.
const ACCOUNTS_MAX: usize = 10;

/// Starts reading.
pub(super) fn start(parts: &Parts) -> JoinHandle<()> {
    tokio::spawn(run(
        parts.handle.clone(),
        Arc::clone(&parts.services),
        parts.config.backfill.every,
        Arc::clone(&parts.backfills),
        parts.stop.clone(),
    ))
}

/// Reads until the stop token.
async fn run(
    handle: Handle,
    services: Arc<Services>,
    every: Option<Span>,
    state: Arc<Backfills>,
    stop: CancellationToken,
) {
    let Some(every) = every else { return };
    state.missed.begin(&handle, &services);
    // By the machine's own clock: the other one may be set back by days.
    let (mut last, mut wait, mut known) = (handle.clock().measure(), Span::ZERO, None);
    loop {
        let held = handle.stops_held().map(|why| why.cause);
        let anew = held.is_some() && held != known;
        known = held;
        if anew || last.span() >= wait {
            last = handle.clock().measure();
            let again = tokio::select! {
                () = stop.cancelled() => return,
                again = round(&handle, &services, &state) => again,
            };
            let waited_for = handle.stops_held().is_some();
            wait = match again {
                RoundDue::AtOnce => Span::ZERO,
                RoundDue::Soon => SOON,
                RoundDue::InTime if waited_for => SOON,
                RoundDue::InTime => every,
            };
        }
        tokio::select! { () = stop.cancelled() => return, () = pause(CHECK_EVERY) => {} }
    }
}

/// When the next round is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RoundDue {
    InTime,
    Soon,
    AtOnce,
}

/// One round over every account that can be asked.
async fn round(handle: &Handle, services: &Services, state: &Backfills) -> RoundDue {
    let mut next = RoundDue::InTime;
    for (source, account) in services.stripe_map() {
        let scopes = match scopes(handle, source, state) {
            Ok(scopes) => scopes,
            Err(error) => {
                tracing::error!(%error, "how far Stripe's events were read cannot be read");
                return RoundDue::Soon;
            }
        };
        for (scope, from) in scopes {
            let mut walk = Walk::new(scope, from, handle.clock().now());
            let progress = if is_wrong(handle) {
                Progress::NotKept
            } else {
                Progress::Kept
            };
            let walked = walk.go_on(handle, account, READS_MAX, progress).await;
            // The clock may have been set meanwhile.
            let now = handle.clock().now();
            let complete_to = (!is_wrong(handle)).then_some(walk.complete_to);
            next = next.max(note(state, (&walk, complete_to), walked, now));
            // By a clock that is wrong nothing can be said of how old an event was when it came.
            if complete_to.is_some() {
                state.missed.add(handle, walk).await;
            }
        }
    }
    next
}

/// Whether our clock may be wrong: how far the lists are known is not told by it then.
fn is_wrong(handle: &Handle) -> bool {
    let jumped = |why: Distrust| matches!(why.cause, DistrustCause::Jumped(_));
    handle.stops_held().is_some_and(jumped) && !handle.clock_agrees()
}

/// Where a list is read from that is known up to an instant. One that lies ahead was told by a clock that was wrong: what is
/// known is not, and everything that Stripe keeps is read.
fn read_from(known: Option<Timestamp>, since: Timestamp, now: Timestamp) -> Timestamp {
    match known {
        Some(to) if to <= now => to - OVERLAP,
        Some(_) => since.max(now - KEPT),
        None => since,
    }
}

/// The accounts to read in this round, each with where its list is read from.
fn scopes(
    handle: &Handle,
    source: &SourceName,
    state: &Backfills,
) -> Result<Vec<(Scope, Timestamp)>, RecordError> {
    let rules = handle.rules();
    let now = handle.clock().now();
    let since = rules.store_since.unwrap_or(now);
    let from = |scope: Scope| {
        let kept = server::backfilled(handle.reader(), &scope)?;
        state.scopes().entry(scope.clone()).or_default();
        Ok::<_, RecordError>((scope, read_from(kept, since, now)))
    };
    let mut connected = Vec::new();
    if rules.source(source).connect {
        for account in server::accounts(handle.reader(), source)? {
            connected.push(from(Scope::new(source.clone(), Some(account)))?);
        }
        connected.sort_by_key(|(_, from)| *from);
        if handle.stops_held().is_none() {
            connected.truncate(ACCOUNTS_MAX);
        }
    }
    let own = from(Scope::new(source.clone(), None))?;
    Ok(std::iter::once(own).chain(connected).collect())
}

/// Keeps what came of a walk, and says it where it is news.
fn note(
    state: &Backfills,
    (walk, complete_to): (&Walk, Option<Timestamp>),
    walked: Result<(), BackfillError>,
    now: Timestamp,
) -> RoundDue {
    let (scope, found) = (&walk.scope, &walk.found);
    if found.missing() > 0 {
        let types = found.missing.iter().map(|(kind, n)| format!("{n} {kind}"));
        let types = types.collect::<Vec<_>>().join(", ");
        tracing::warn!(%scope, missing = found.missing(), "events had not arrived and were fetched from Stripe: {types}");
    }
    let mut scopes = state.scopes();
    let kept = scopes.entry(scope.clone()).or_default();
    match walked {
        Ok(()) => {
            kept.failed = None;
            kept.complete_to = kept.complete_to.filter(|to| *to <= now).max(complete_to);
            // One of which nothing is kept would begin anew.
            if walk.is_over() || complete_to.is_none() {
                RoundDue::InTime
            } else {
                RoundDue::AtOnce
            }
        }
        Err(BackfillError::Submit(_)) => RoundDue::Soon,
        Err(error) => {
            let is_refused = matches!(error, BackfillError::Refused { .. });
            if kept.failed.is_none() {
                tracing::warn!(%scope, %error, "Stripe's event list cannot be read; it is tried again by itself");
                kept.failed = Some((now, error.to_string()));
            }
            if is_refused {
                RoundDue::InTime
            } else {
                RoundDue::Soon
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wrong_clock_called_known_is_read_again() {
        let day = |n: i64| Timestamp::from_s(n * 86_400);
        let now = day(100);
        for (known, since, from) in [
            (Some(day(99)), day(10), day(99) - OVERLAP),
            (None, day(10), day(10)),
            (Some(day(117)), day(10), day(70)), // a clock that was ahead
            (Some(day(117)), day(90), day(90)),
        ] {
            assert_eq!(read_from(known, since, now), from);
        }
    }
}
