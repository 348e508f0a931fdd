//! Watches for a source that says nothing though it should.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::kept::keep_troubles;
use crate::clock::{Passed, pause};
use crate::domain::adoption::Gap;
use crate::domain::attention::{Attention, Concern};
use crate::domain::id::SourceName;
use crate::domain::lifecycle::Kind;
use crate::domain::silence::{Rhythm, Silence, away, next_events, silence};
use crate::domain::time::{Span, Timestamp};
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::read::attention::{MachineCursor, stretch};
use crate::engine::record::RecordError;
use crate::engine::record::server::{self, SeenBy, ServerRecord, Trouble};
use crate::http::signals::{Signals, SourceSignals};

/// How often the sources are judged.
const CHECK_EVERY: Span = Span::from_s(2);
/// How often every subscription is asked when it must be told of next.
const FOLD_EVERY: Span = Span::from_hours(1);
/// How often the rhythm of deliveries is kept.
const KEEP_EVERY: Span = Span::from_minutes(1);
/// Purchases read before others have their turn.
const STRETCH: usize = 100;

/// The sources that are silent.
#[derive(Debug, Default)]
pub struct Silences(Mutex<BTreeMap<SourceName, Silence>>);

impl Silences {
    fn all(&self) -> MutexGuard<'_, BTreeMap<SourceName, Silence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As what waits for a person.
    pub(super) fn attention(&self) -> Vec<Attention> {
        let silent = |(source, silence): (&SourceName, &Silence)| Attention {
            since: silence.since,
            concern: Concern::SourceSilent {
                source: source.clone(),
                silence: *silence,
            },
        };
        self.all().iter().map(silent).collect()
    }
}

/// Instants at which a source must tell something.
type DueEvents = BTreeMap<SourceName, Vec<Timestamp>>;

/// Watches until the stop token.
pub(super) async fn run(
    handle: Handle,
    signals: Signals,
    silences: Arc<Silences>,
    stop: CancellationToken,
) {
    let start = handle.clock().now();
    let mut kept = server::rhythms(handle.reader()).unwrap_or_default();
    let failing = server::troubles(handle.reader(), SeenBy::Signatures).unwrap_or_default();
    for source in signals.iter() {
        let failing = failing.iter().find(|f| f.source == source.source);
        let failing = failing.map(|f| (f.since, f.times));
        let known = kept.iter().find(|(name, _)| *name == source.source);
        let known = known.map(|(_, rhythm)| *rhythm);
        let ours = known.map(|known| away(&handle.gaps(), known.last, start));
        source.begin(known, ours.unwrap_or_default(), failing, start);
    }
    let (mut due, mut folded, mut noted) = (DueEvents::new(), None, None);
    // By the machine's own clock: the other one may be set back by days.
    let is_due =
        |last: &Option<Passed>, every: Span| last.as_ref().is_none_or(|last| last.span() >= every);
    let mut kept_failing = failing;
    loop {
        let now = handle.clock().now();
        if is_due(&folded, FOLD_EVERY) {
            let collected = tokio::select! {
                () = stop.cancelled() => return,
                collected = collect(&handle, now) => collected,
            };
            match collected {
                Ok(collected) => due = collected,
                Err(error) => tracing::error!(%error, "what Stripe must tell of cannot be read"),
            }
            folded = Some(handle.clock().measure());
        }
        let rhythms = judge(&signals, &silences, &due, &handle.gaps(), now);
        if is_due(&noted, KEEP_EVERY) && rhythms != kept {
            let record = ServerRecord::Rhythms(rhythms.clone());
            // What is not taken now is kept a minute later.
            if handle.submit_waiting(Input::Keep(record)).await.is_ok() {
                kept = rhythms;
            }
            noted = Some(handle.clock().measure());
        }
        keep_failing(&handle, &signals, &mut kept_failing).await;
        tokio::select! { () = stop.cancelled() => break, () = pause(CHECK_EVERY) => {} }
    }
    // What was reported meanwhile must not be over at the next start.
    keep_failing(&handle, &signals, &mut kept_failing).await;
}

/// Keeps since when signatures do not fit, where that began or ended.
async fn keep_failing(handle: &Handle, signals: &Signals, kept: &mut Vec<Trouble>) {
    let trouble = |signals: &SourceSignals| {
        let (since, times) = signals.failing()?;
        let source = signals.source.clone();
        Some(Trouble {
            source,
            since,
            times,
        })
    };
    let failing = signals.iter().filter_map(trouble).collect();
    keep_troubles(handle, SeenBy::Signatures, failing, kept).await;
}

/// Judges every source; their rhythms as they are now.
fn judge(
    signals: &Signals,
    silences: &Silences,
    due: &DueEvents,
    gaps: &[Gap],
    now: Timestamp,
) -> Vec<(SourceName, Rhythm)> {
    let mut silent = BTreeMap::new();
    let mut rhythms = Vec::new();
    for source in signals.iter() {
        let Some(rhythm) = source.rhythm() else {
            continue;
        };
        let due = due.get(&source.source).map_or(&[][..], Vec::as_slice);
        if let Some(silence) = silence(&rhythm, gaps, due, now) {
            silent.insert(source.source.clone(), silence);
        }
        rhythms.push((source.source.clone(), rhythm));
    }
    *silences.all() = silent;
    rhythms
}

/// When every subscription must be told of next.
async fn collect(handle: &Handle, now: Timestamp) -> Result<DueEvents, RecordError> {
    let (mut due, mut cursor, rules) = (DueEvents::new(), MachineCursor::default(), handle.rules());
    loop {
        stretch(handle.reader(), &mut cursor, STRETCH, |machine| {
            if machine.kind == Kind::Subscription {
                let folded = machine.folded(&rules.revisions, now);
                let of_source = due.entry(machine.source.clone()).or_default();
                of_source.extend(next_events(&folded));
            }
        })?;
        if cursor.is_at_rest() {
            return Ok(due);
        }
        tokio::task::yield_now().await;
    }
}
