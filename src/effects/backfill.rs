//! Events that never arrived, fetched from Stripe's event list and handed in through the same door as a delivery: what is
//! known already is left out, the oldest come first, and how far it came is kept, so that it goes on after a restart.
//!
//! Stripe's list lags near "now" and shows some events late: the walk stays behind by [`BEHIND`], and begins [`OVERLAP`]
//! before the instant up to which everything was known.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::stripe::{Account, Answer, EventWindow, StripeRefusal};
use crate::domain::id::{EventId, Scope};
use crate::domain::missed::{Arrival, Way};
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::{Delivery, Input, Receipt};
use crate::engine::record::body_codec::pack;
use crate::engine::record::key;
use crate::engine::record::server::ServerRecord;
use crate::engine::record::{self, EventHead};
use crate::engine::write::working::Committed;
use crate::engine::{Handle, SubmitError};
use crate::sources::stripe::delivery::delivery;
use crate::sources::stripe::event::{self, EventContent};

/// The list is read up to so long before now.
pub const BEHIND: Span = Span::from_minutes(1);
/// And again from so long before what was complete.
pub const OVERLAP: Span = Span::from_minutes(4);
/// Stripe keeps its events for so long.
pub const KEPT: Span = Span::from_days(30);
/// Events that are handed in together, so that they share a sync.
const TOGETHER_MAX: usize = 64;

/// Whether the store shall remember how far a walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The next walk goes on from there.
    Kept,
    /// It looked behind what is known: the next one begins where it would have.
    NotKept,
}

/// A walk over one account's events.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The source, and the connected account if there is one.
    pub scope: Scope,
    /// Everything created before this is known.
    pub complete_to: Timestamp,
    /// Where it ends.
    pub until: Timestamp,
    /// How wide the next window is.
    width: Span,
    /// Where a window that held more than a page began to be shown: the next ones end there, for behind it they stand close.
    dense_from: Option<Timestamp>,
    /// What it found so far.
    pub found: Backfilled,
    /// What it fetched, as arrivals.
    fetched: Vec<Arrival>,
    /// Of each type when the newest was made that was delivered promptly.
    prompt: BTreeMap<String, Timestamp>,
}

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Backfilled {
    /// Requests to Stripe.
    pub reads: u32,
    /// Events that it showed.
    pub seen: u32,
    /// Those that had not arrived, by type.
    pub missing: BTreeMap<String, u32>,
}

impl Backfilled {
    /// How many were missing.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.missing.values().sum()
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        (self.reads, self.seen) = (self.reads + other.reads, self.seen + other.seen);
        for (kind, n) in &other.missing {
            *self.missing.entry(kind.clone()).or_default() += n;
        }
    }
}

/// Why a walk stopped before its end. It goes on from where it came to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackfillError {
    /// Stripe does not answer now.
    #[error("{why}")]
    Again {
        /// Its own wish.
        after: Option<Span>,
        /// What happened.
        why: String,
    },
    /// Stripe refuses until a person has mended something.
    #[error("{why}")]
    Refused {
        /// The kind of refusal.
        refusal: StripeRefusal,
        /// What it said.
        why: String,
    },
    /// The engine takes nothing now.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Walk {
    /// A walk from an instant up to a minute ago.
    #[must_use]
    pub fn new(scope: Scope, from: Timestamp, now: Timestamp) -> Self {
        let until = (now - BEHIND).whole_s();
        let from = from.max(now - KEPT).whole_s().min(until);
        Self {
            scope,
            complete_to: from,
            until,
            width: until - from,
            dense_from: None,
            found: Backfilled::default(),
            fetched: Vec::new(),
            prompt: BTreeMap::new(),
        }
    }

    /// How what it saw came to us.
    #[must_use]
    pub fn into_arrivals(self) -> Vec<Arrival> {
        let prompt = |(kind, created)| Arrival {
            created,
            kind,
            way: Way::Prompt,
        };
        let mut all = self.fetched;
        all.extend(self.prompt.into_iter().map(prompt));
        all
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        self.complete_to >= self.until
    }

    /// Walks on for at most so many requests.
    ///
    /// # Errors
    /// [`BackfillError`]; what was handed in before stays.
    pub async fn go_on(
        &mut self,
        handle: &Handle,
        account: &Account,
        reads_max: u32,
        progress: Progress,
    ) -> Result<(), BackfillError> {
        let stop_at = self.found.reads.saturating_add(reads_max);
        while !self.is_over() && self.found.reads < stop_at {
            let end = self.window_end();
            let window = account
                .events(self.complete_to, end, self.scope.account())
                .await;
            let window = taken(window)?;
            self.found.reads += window.reads;
            if let Some(cut_at) = window.cut_at
                && end - self.complete_to > Span::from_s(1)
            {
                self.dense_from = Some(cut_at).filter(|at| *at > self.complete_to);
                self.width = narrower(self.complete_to, cut_at, end);
                continue;
            }
            let factor = wider_by(window.events.len());
            self.hand_in(handle, window).await?;
            self.complete_to = end;
            self.width = whole(Span::from_ms(self.width.ms().saturating_mul(factor)));
            if progress == Progress::Kept {
                let record = ServerRecord::Backfilled {
                    scope: self.scope.clone(),
                    to: end,
                };
                handle.submit_waiting(Input::Keep(record)).await?;
            }
        }
        Ok(())
    }

    /// Where the next window ends.
    fn window_end(&self) -> Timestamp {
        let end = (self.complete_to + self.width.max(Span::from_s(1))).min(self.until);
        let dense_from = self.dense_from.filter(|at| *at > self.complete_to);
        dense_from.map_or(end, |at| end.min(at))
    }

    /// Hands in what is not known yet. Events of no use are left with Stripe.
    async fn hand_in(&mut self, handle: &Handle, window: EventWindow) -> Result<(), SubmitError> {
        let mut under_way: JoinSet<Result<Option<Arrival>, SubmitError>> = JoinSet::new();
        for event in window.events {
            self.found.seen += 1;
            let Some(input) = self.input(handle, &event) else {
                continue;
            };
            if under_way.len() >= TOGETHER_MAX
                && let Some(done) = under_way.join_next().await
            {
                self.count(done.unwrap_or(Err(SubmitError::Stopped))?);
            }
            let handle = handle.clone();
            let fetched = Arrival {
                created: input.created,
                kind: input.kind.clone(),
                way: Way::Fetched,
            };
            under_way.spawn(async move {
                let input = Input::Delivery(Box::new(input));
                let receipt = handle.submit_waiting(input).await?;
                Ok((receipt != Receipt::Duplicate).then_some(fetched))
            });
        }
        while let Some(done) = under_way.join_next().await {
            self.count(done.unwrap_or(Err(SubmitError::Stopped))?);
        }
        Ok(())
    }

    fn count(&mut self, missing: Option<Arrival>) {
        if let Some(fetched) = missing {
            *self.found.missing.entry(fetched.kind.clone()).or_default() += 1;
            self.fetched.push(fetched);
        }
    }

    /// Remembers what was delivered sooner than the list showed it: what is fetched is older by then. Of what came later
    /// nothing is known, it may have been fetched by hand.
    fn note_known(&mut self, head: EventHead) {
        if head.received - head.created >= BEHIND {
            return;
        }
        let newest = self.prompt.entry(head.kind).or_insert(head.created);
        *newest = head.created.max(*newest);
    }

    /// An event as a delivery, if it is not known and of use.
    fn input(&mut self, handle: &Handle, event: &serde_json::Value) -> Option<Delivery> {
        let id = EventId::from(event["id"].as_str()?);
        let key = key::event(&self.scope, &id);
        match record::get::<EventHead>(&Committed(handle.reader()), &key) {
            Ok(None) => {}
            Ok(Some(head)) => {
                self.note_known(head);
                return None;
            }
            Err(_) => return None,
        }
        let (body, received) = (event.to_string().into_bytes(), handle.clock().now());
        let mut read = event::read(&body, received).ok()?;
        if let EventContent::Ignored(reason) = &read.content
            && !reason.is_unreadable()
        {
            return None;
        }
        read.account = self.scope.account().cloned();
        let source = self.scope.source();
        Some(delivery(read, source, pack(&body), received))
    }
}

/// How wide a window is tried next where one held more than a page: as wide as what was shown of it, if they are spread evenly.
fn narrower(from: Timestamp, cut_at: Timestamp, end: Timestamp) -> Span {
    let shown = (end - cut_at).ms() * 3 / 4;
    let half = (end - from).ms() / 2;
    whole(Span::from_ms(shown.min(half)))
}

/// By how much the next window is wider than one with so many events.
const fn wider_by(events: usize) -> i64 {
    match events {
        0 => 8,
        1..40 => 2,
        40.. => 1,
    }
}

/// Whole seconds, at least one.
fn whole(span: Span) -> Span {
    Span::from_s((span.ms() / 1000).max(1))
}

fn taken(answer: Answer<EventWindow>) -> Result<EventWindow, BackfillError> {
    match answer {
        Answer::Done(window) => Ok(window),
        Answer::Again { after, why, .. } => Err(BackfillError::Again { after, why }),
        Answer::Refused { refusal, why } => Err(BackfillError::Refused { refusal, why }),
    }
}
