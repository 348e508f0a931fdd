//! Finds licenses by our label: for creates whose outcome is unknown, and for what others made before us.
//!
//! One look at a time per application serves everybody who waits; while it runs, others queue. A service that can be
//! asked for a label is asked; elsewhere the whole list is swept, at most half the rate being used.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::sweep::{Endless, Index, Memory, Sweep, Swept, Wanted};
use super::wire::Page;
use super::{Answer, Client, License, Refusal, RefusalKind, Status};
use crate::clock::pause;
use crate::domain::id::{AppId, LicenseKey};
use crate::domain::time::{Span, Timestamp};
use crate::effects::throttle::{Share, Throttle};

/// How many licenses are read side by side.
const READS_AT_ONCE: usize = 4;
/// How often a list that refuses its own cursor is begun again.
const RESTARTS_MAX: u32 = 5;

/// Why a look came to no result. Nothing may be concluded from it: look again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The service refuses.
    #[error("the license service refused the look-up: {0}")]
    Refused(#[from] Refusal),
    /// The service does not answer, or asks for more patience than a look has.
    #[error("the license service could not be looked through: {0}")]
    Unanswered(String),
    /// The list does not end.
    #[error(transparent)]
    Endless(#[from] Endless),
}

/// How often one call of a look is tried, and how long it waits between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries of one call.
    pub tries: u32,
    /// The wait after the first try; each further one doubles it. A longer one that the service asks for is kept.
    pub first_wait: Span,
}

impl Default for Patience {
    fn default() -> Self {
        // 1 + 2 + 4 + 8 + 16 s: past that, the caller's own back-off knows better.
        Self { tries: 6, first_wait: Span::from_s(1) }
    }
}

/// Finds licenses by label at one service, and remembers the labels that it has read.
#[derive(Clone, Debug)]
pub struct Finder {
    client: Client,
    throttle: Throttle,
    patience: Patience,
    memory: Arc<Mutex<Memory>>,
    turns: Arc<Mutex<HashMap<AppId, Arc<tokio::sync::Mutex<()>>>>>,
}

impl Finder {
    /// A finder with an empty memory.
    #[must_use]
    pub fn new(client: Client, throttle: Throttle, patience: Patience) -> Self {
        Self { client, throttle, patience, memory: Arc::default(), turns: Arc::default() }
    }

    /// Looks once through an application for licenses with these labels. A label that is missing from the result was
    /// absent from the whole list at some time while we looked; lists may lag, so absent means two such looks, the
    /// second `lookup_after` later.
    ///
    /// `is_held`: whether any machine holds, or held, this key; such a key is never found. Keys of creates that are
    /// still unresolved are not held.
    ///
    /// # Errors
    /// When the look could not be completed.
    pub async fn find(
        &self,
        app: &AppId,
        wanted: &[Wanted],
        is_held: impl Fn(&LicenseKey) -> bool,
    ) -> Result<HashMap<String, Vec<License>>, Failed> {
        let turn = self.turn(app);
        let _turn = turn.lock().await;
        if !self.client.abilities().finds_by_label {
            let sweep = Sweep::for_labels(wanted, self.client.abilities().list_shows_label);
            return Ok(self.run(app, None, sweep, is_held).await?.found);
        }
        let mut found = HashMap::new();
        for one in wanted {
            let sweep = Sweep::for_labels(std::slice::from_ref(one), self.client.abilities().list_shows_label);
            found.extend(self.run(app, Some(&one.label), sweep, &is_held).await?.found);
        }
        Ok(found)
    }

    /// Reads all labels of an application (BEHAVIOUR 52). Should it break off, the next one reads only what this one
    /// did not: see [`Finder::with_memory`].
    ///
    /// # Errors
    /// When the crawl could not be completed.
    pub async fn crawl(&self, app: &AppId, is_held: impl Fn(&LicenseKey) -> bool) -> Result<Index, Failed> {
        let turn = self.turn(app);
        let _turn = turn.lock().await;
        let sweep = Sweep::for_all(self.client.abilities().list_shows_label);
        Ok(self.run(app, None, sweep, is_held).await?.index)
    }

    /// Looks into the memory, to keep it or to take up what was kept.
    pub fn with_memory<T>(&self, f: impl FnOnce(&mut Memory) -> T) -> T {
        // Each change of it is one insert, so what a panicking task left is whole.
        f(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn turn(&self, app: &AppId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(app.clone()).or_default())
    }

    async fn run(
        &self,
        app: &AppId,
        label: Option<&str>,
        mut sweep: Sweep,
        is_held: impl Fn(&LicenseKey) -> bool,
    ) -> Result<Swept, Failed> {
        let mut restarts = 0;
        while let Some(cursor) = sweep.next_page() {
            match self.page(app, label, cursor.as_deref()).await {
                Ok(page) => self.with_memory(|memory| sweep.page(page, memory, &is_held))?,
                Err(Failed::Refused(refusal))
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
                let finder = self.clone();
                reads.spawn(async move { finder.read(&key).await });
            }
            match reads.join_next().await {
                None => return Ok(sweep.finish()),
                Some(Ok(Ok(Some(license)))) => self.with_memory(|memory| sweep.read(license, memory)),
                // Gone since it was listed.
                Some(Ok(Ok(None))) => {}
                Some(Ok(Err(failed))) => return Err(failed),
                Some(Err(broken)) => return Err(Failed::Unanswered(broken.to_string())),
            }
        }
    }

    async fn page(&self, app: &AppId, label: Option<&str>, cursor: Option<&str>) -> Result<Page, Failed> {
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

    async fn read(&self, key: &LicenseKey) -> Result<Option<License>, Failed> {
        let mut tries = Tries::new(self.patience);
        loop {
            let pass = self.throttle.pass(Share::Sweep).await;
            let answer = self.client.get(key).await;
            drop(pass);
            match tries.judge(answer).await {
                Ok(Some(license)) => return Ok(Some(license)),
                Ok(None) => {}
                Err(Failed::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => return Ok(None),
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
        Self { left: patience.tries, wait: patience.first_wait }
    }

    /// The result; or nothing, once the wait is over and it may be tried again.
    async fn judge<T>(&mut self, answer: Answer<T>) -> Result<Option<T>, Failed> {
        let (after, why) = match answer {
            Answer::Done(t) => return Ok(Some(t)),
            Answer::Refused(refusal) => return Err(refusal.into()),
            Answer::Again { after, why } | Answer::Unknown { after, why } => (after, why),
            Answer::NotSent { why } => (None, why),
        };
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(Failed::Unanswered(why));
        }
        pause(self.wait.max(after.unwrap_or(Span::ZERO))).await;
        self.wait = Span::from_ms(self.wait.ms().saturating_mul(2));
        Ok(None)
    }
}

/// Whether a refused page may be the cursor's fault.
fn is_cursors(refusal: &Refusal) -> bool {
    matches!(refusal.kind, RefusalKind::BadRequest | RefusalKind::NotFound | RefusalKind::Other)
}

/// The one of several licenses with one label that a machine takes, and the others, of which the operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// This one.
    pub adopt: License,
    /// The rest; not touched.
    pub others: Vec<License>,
}

/// Chooses among licenses with one label: a live one before one that is stopped or expired, that before a revoked one;
/// then one with bound devices; then the older (BEHAVIOUR 52).
#[must_use]
pub fn choose(mut licenses: Vec<License>, now: Timestamp) -> Option<Choice> {
    licenses.sort_by_cached_key(|license| {
        let rank = match (license.is_live(now), &license.status) {
            (Some(true), _) => 0,
            (Some(false) | None, Status::Active | Status::Suspended) => 1,
            (Some(false) | None, Status::Other(_)) => 2,
            (Some(false) | None, Status::Revoked) => 3,
        };
        let has_devices = license.bound.is_some_and(|n| n > 0);
        let made = license.created_at.map_or(i64::MAX, Timestamp::ms);
        (rank, Reverse(has_devices), made, license.key.reveal().to_owned())
    });
    let mut licenses = licenses.into_iter();
    let adopt = licenses.next()?;
    Some(Choice { adopt, others: licenses.collect() })
}

#[cfg(test)]
mod tests {
    use super::super::Expiry;
    use super::*;

    #[test]
    fn the_choice_among_several_is_live_then_in_use_then_older() {
        let now = Timestamp::from_s(1000);
        let one = |key: &str, status: &str, end_s: i64, bound: u32, made_s: i64| License {
            key: LicenseKey::new(key),
            app_id: None,
            status: if status == "active" { Status::Active } else { Status::Revoked },
            expires_at: Expiry::At(Timestamp::from_s(end_s)),
            devices: None,
            bound: Some(bound),
            label: None,
            created_at: Some(Timestamp::from_s(made_s)),
        };
        let best_first = [
            one("in use", "active", 2000, 2, 50),
            one("older", "active", 2000, 0, 10),
            one("newer", "active", 2000, 0, 20),
            one("expired", "active", 900, 1, 1),
            one("revoked", "revoked", 2000, 9, 0),
        ];
        for turned in 0..best_first.len() {
            let mut licenses = best_first.to_vec();
            licenses.rotate_left(turned);
            let choice = choose(licenses, now).unwrap();
            assert_eq!(choice.adopt, best_first[0]);
            assert_eq!(choice.others, best_first[1..]);
        }
        assert_eq!(choose(vec![], now), None);
    }
}
