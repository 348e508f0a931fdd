//! Finds licenses by our label: for creates whose outcome is unknown, and for what others made before us.
//!
//! One recovery at a time per application serves everybody who waits; while it runs, others queue. A service that can be
//! asked for a label is asked; elsewhere the whole list is swept, at most half the rate being used, and a fifth of the time.

mod error;
mod single_flight;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinSet;

pub use error::RecoverError;
use single_flight::{Rest, SingleFlight, Waiting};

use super::sweep::{Index, Memory, Sweep, Swept, Wanted};
use super::wire::LicensePage;
use super::{Answer, Client, License, Refusal, RefusalKind};
use crate::clock::{Clock, Stopwatch, pause};
use crate::domain::id::{AppId, LicenseKey};
use crate::domain::time::{Span, Timestamp};
use crate::effects::throttle::{Share, Throttle};

/// How many licenses are read side by side.
const READS_AT_ONCE: usize = 4;
/// How often a list that refuses its own cursor is begun again.
const RESTARTS_MAX: u32 = 5;

/// How often one call of a recovery is tried, and how long it waits between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries of one call.
    pub tries: u32,
    /// The wait after the first try; each further one doubles it. A longer one that the service asks for is kept.
    pub first_wait: Span,
}

impl Default for Patience {
    fn default() -> Self {
        // ¼ + ½ + 1 + 2 + 4 + 8 + 16 s: past that, the caller's own back-off knows better. Soon at first, for everybody
        // waits for the slowest read.
        Self {
            tries: 8,
            first_wait: Span::from_ms(250),
        }
    }
}

/// What is asked of a recovery.
#[derive(Clone, Debug)]
pub struct RecoverRequest<'a> {
    /// The labels of one purchase.
    pub wanted: Vec<Wanted>,
    /// Only what a recovery shows that began after it is an answer.
    pub since: Timestamp,
    /// Tells when a recovery begins.
    pub clock: &'a Clock,
}

/// What a recovery showed.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The licenses that carry a label that was asked for.
    pub licenses: Vec<License>,
    /// When it began.
    pub began: Timestamp,
}

/// Finds licenses by label at one service, and remembers the labels that it has read.
#[derive(Clone, Debug)]
pub struct Recoverer {
    client: Client,
    throttle: Throttle,
    patience: Patience,
    memory: Arc<Mutex<Memory>>,
    flights: Arc<Mutex<HashMap<AppId, Arc<SingleFlight>>>>,
}

impl Recoverer {
    /// A recoverer with an empty memory.
    #[must_use]
    pub fn new(client: Client, throttle: Throttle, patience: Patience) -> Self {
        Self {
            client,
            throttle,
            patience,
            memory: Arc::default(),
            flights: Arc::default(),
        }
    }

    /// Looks once through an application for licenses with these labels. A label that is missing from the result was
    /// absent from the whole list at some time meanwhile; lists may lag, so absent means two such recoveries, the
    /// second `lookup_after` later.
    ///
    /// `is_held`: whether any machine holds, or held, this key; such a key is never found. Keys of creates that are
    /// still unresolved are not held.
    ///
    /// # Errors
    /// When the recovery could not be completed.
    pub async fn find(
        &self,
        app: &AppId,
        wanted: &[Wanted],
        is_held: impl Fn(&LicenseKey) -> bool,
    ) -> Result<HashMap<String, Vec<License>>, RecoverError> {
        let flight = self.flight(app);
        let _turn = flight.turn.lock().await;
        Ok(self.run_all(app, wanted, is_held).await?.found)
    }

    /// The same for the labels of one purchase, together with all who ask while a recovery is under way: the next one serves them
    /// all. A recovery begins after everybody whom it serves has asked, unless one that is just over began late enough and
    /// showed none of the labels: its answer is as good, and a thousand purchases that are looked for after a restart need
    /// not go through the list a thousand times. `is_held` must answer alike for all.
    ///
    /// # Errors
    /// When the recovery could not be completed.
    pub async fn recover(
        &self,
        app: &AppId,
        asked: RecoverRequest<'_>,
        is_held: impl Fn(&LicenseKey) -> bool,
    ) -> Result<Recovered, RecoverError> {
        let flight = self.flight(app);
        let shown_absent = || {
            let began = flight.just_shown_absent(&asked)?;
            Some(Recovered {
                licenses: Vec::new(),
                began,
            })
        };
        loop {
            if let Some(recovered) = shown_absent() {
                return Ok(recovered);
            }
            let (reply, mut answer) = oneshot::channel();
            let waiting = || {
                flight
                    .waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
            };
            waiting().push(Waiting {
                wanted: asked.wanted.clone(),
                reply,
            });
            let mut turn = flight.turn.lock().await;
            match answer.try_recv() {
                Ok(result) => return result,
                // Whoever ran it for us gave up half-way: ask again.
                Err(TryRecvError::Closed) => continue,
                Err(TryRecvError::Empty) => {}
            }
            // The recovery that went on while we waited for our turn may have begun late enough for us, too.
            if let Some(recovered) = shown_absent() {
                return Ok(recovered);
            }
            turn.over().await;
            let served = std::mem::take(&mut *waiting());
            let (began, watch) = (asked.clock.now(), Stopwatch::start());
            let labels: Vec<Wanted> = served.iter().flat_map(|w| w.wanted.clone()).collect();
            let swept = self.run_all(app, &labels, &is_held).await;
            *turn = Rest::after(watch.elapsed());
            let of = |wanted: &[Wanted]| match &swept {
                Ok(swept) => Ok(Recovered {
                    licenses: swept.licenses(wanted),
                    began,
                }),
                Err(failed) => Err(failed.clone()),
            };
            let ours = of(&asked.wanted);
            for other in served {
                // Whoever no longer waits needs no answer.
                let _ = other.reply.send(of(&other.wanted));
            }
            flight.keep((began, watch), swept.ok().and_then(|swept| swept.shown));
            return ours;
        }
    }

    /// Reads all labels of an application (rule 52). Should it break off, the next one reads only what this one
    /// did not: see [`Recoverer::with_memory`].
    ///
    /// # Errors
    /// When the crawl could not be completed.
    pub async fn crawl(
        &self,
        app: &AppId,
        is_held: impl Fn(&LicenseKey) -> bool,
    ) -> Result<Index, RecoverError> {
        let flight = self.flight(app);
        let _turn = flight.turn.lock().await;
        let sweep = Sweep::for_all(self.client.abilities().list_shows_label);
        Ok(self.run(app, None, sweep, is_held).await?.index)
    }

    /// Looks into the memory, to keep it or to take up what was kept.
    pub fn with_memory<T>(&self, f: impl FnOnce(&mut Memory) -> T) -> T {
        // Each change of it is one insert, so what a panicking task left is whole.
        f(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn flight(&self, app: &AppId) -> Arc<SingleFlight> {
        Arc::clone(
            self.flights
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(app.clone())
                .or_default(),
        )
    }

    /// One recovery, by whoever has the turn.
    async fn run_all(
        &self,
        app: &AppId,
        wanted: &[Wanted],
        is_held: impl Fn(&LicenseKey) -> bool,
    ) -> Result<Swept, RecoverError> {
        let shows_label = self.client.abilities().list_shows_label;
        if !self.client.abilities().finds_by_label {
            let sweep = Sweep::for_labels(wanted, shows_label);
            return self.run(app, None, sweep, is_held).await;
        }
        let mut found = HashMap::new();
        for one in wanted {
            let sweep = Sweep::for_labels(std::slice::from_ref(one), shows_label);
            let swept = self.run(app, Some(&one.label), sweep, &is_held).await?;
            found.extend(swept.found);
        }
        // Each was asked for by itself: nothing is known of others.
        Ok(Swept {
            found,
            ..Swept::default()
        })
    }

    async fn run(
        &self,
        app: &AppId,
        label: Option<&str>,
        mut sweep: Sweep,
        is_held: impl Fn(&LicenseKey) -> bool,
    ) -> Result<Swept, RecoverError> {
        let mut restarts = 0;
        while let Some(cursor) = sweep.next_page() {
            match self.page(app, label, cursor.as_deref()).await {
                Ok(page) => self.with_memory(|memory| sweep.page(page, memory, &is_held))?,
                Err(RecoverError::Refused(refusal))
                    if cursor.is_some() && is_cursors(&refusal) && restarts < RESTARTS_MAX =>
                {
                    restarts += 1;
                    sweep.restart();
                }
                Err(failed) => return Err(failed),
            }
        }
        let mut reads = JoinSet::new();
        loop {
            while reads.len() < READS_AT_ONCE
                && let Some(key) = sweep.next_read()
            {
                let recoverer = self.clone();
                reads.spawn(async move { recoverer.read(&key).await });
            }
            match reads.join_next().await {
                None => return Ok(sweep.finish()),
                Some(Ok(Ok(Some(license)))) => {
                    self.with_memory(|memory| sweep.read(license, memory))
                }
                // Gone since it was listed.
                Some(Ok(Ok(None))) => {}
                Some(Ok(Err(failed))) => return Err(failed),
                Some(Err(broken)) => return Err(RecoverError::Unanswered(broken.to_string())),
            }
        }
    }

    async fn page(
        &self,
        app: &AppId,
        label: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<LicensePage, RecoverError> {
        let mut tries = Tries::new(self.patience);
        loop {
            let pass = self.throttle.pass(Share::Sweep).await;
            let answer = match label {
                Some(label) => self.client.list_labelled(app, label, cursor).await,
                None => self.client.list(app, cursor).await,
            };
            drop(pass);
            if let Some(page) = tries.judge(answer).await? {
                return Ok(page);
            }
        }
    }

    async fn read(&self, key: &LicenseKey) -> Result<Option<License>, RecoverError> {
        let mut tries = Tries::new(self.patience);
        loop {
            let pass = self.throttle.pass(Share::Sweep).await;
            let answer = self.client.get(key).await;
            drop(pass);
            match tries.judge(answer).await {
                Ok(Some(license)) => return Ok(Some(license)),
                Ok(None) => {}
                Err(RecoverError::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => {
                    return Ok(None);
                }
                Err(failed) => return Err(failed),
            }
        }
    }
}

/// The tries of one call that changes nothing, so that it may be repeated whatever came of it.
struct Tries {
    left: u32,
    wait: Span,
}

impl Tries {
    const fn new(patience: Patience) -> Self {
        Self {
            left: patience.tries,
            wait: patience.first_wait,
        }
    }

    /// The result; or nothing, once the wait is over and it may be tried again.
    async fn judge<T>(&mut self, answer: Answer<T>) -> Result<Option<T>, RecoverError> {
        let (after, why) = match answer {
            Answer::Done(t) => return Ok(Some(t)),
            Answer::Refused(refusal) => return Err(refusal.into()),
            Answer::Again { after, why } | Answer::Unknown { after, why } => (after, why),
            Answer::NotSent { why } => (None, why),
        };
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(RecoverError::Unanswered(why));
        }
        pause(self.wait.max(after.unwrap_or(Span::ZERO))).await;
        self.wait = Span::from_ms(self.wait.ms().saturating_mul(2));
        Ok(None)
    }
}

/// Whether a refused page may be the cursor's fault.
fn is_cursors(refusal: &Refusal) -> bool {
    matches!(
        refusal.kind,
        RefusalKind::BadRequest | RefusalKind::NotFound | RefusalKind::Other
    )
}
