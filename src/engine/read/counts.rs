//! What an operator wants to know of the whole store, counted a stretch at a time: how much waits ([`backlog`]), and how many
//! licenses there are ([`census`]). A job comes again and again; whoever asks gets the last round that was completed.

pub mod backlog;
pub(crate) mod census;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

use crate::domain::time::Timestamp;
use crate::engine::record::RecordError;
use crate::store::Read;
use backlog::Backlog;
use census::Census;

/// The counts of a store.
#[derive(Debug, Default)]
pub struct Counts {
    backlog: ArcSwapOption<Backlog>,
    census: ArcSwapOption<Census>,
    rounds: Mutex<Rounds>,
}

/// The rounds under way.
#[derive(Debug, Default)]
struct Rounds {
    backlog: backlog::Round,
    census: census::Round,
}

impl Counts {
    /// What waited when it was last counted to the end; `None`: not yet.
    #[must_use]
    pub fn backlog(&self) -> Option<Arc<Backlog>> {
        self.backlog.load_full()
    }

    /// The licenses as they were last counted to the end; `None`: not yet.
    #[must_use]
    pub fn census(&self) -> Option<Arc<Census>> {
        self.census.load_full()
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the next stretch of what waits. Returns whether that was the last one of its round.
    ///
    /// # Errors
    /// The store's.
    pub fn count_backlog(&self, reader: &dyn Read, now: Timestamp) -> Result<bool, RecordError> {
        let counted = self.rounds().backlog.stretch(reader, now)?;
        let is_over = counted.is_some();
        if let Some(backlog) = counted {
            self.backlog.store(Some(Arc::new(backlog)));
        }
        Ok(is_over)
    }

    /// Begins the count of what waits anew, for whoever wants to know how it is now.
    pub fn restart_backlog(&self) {
        self.rounds().backlog.restart();
    }

    /// Counts the next stretch of the licenses. Returns whether that was the last one of its round, or none is due yet.
    ///
    /// # Errors
    /// The store's, or a record that cannot be read.
    pub fn count_census(&self, reader: &dyn Read, now: Timestamp) -> Result<bool, RecordError> {
        let last = self.census().map(|census| census.at);
        let mut rounds = self.rounds();
        if !rounds.census.is_due(last, now) {
            return Ok(true);
        }
        let counted = rounds.census.stretch(reader, now)?;
        drop(rounds);
        let is_over = counted.is_some();
        if let Some(census) = counted {
            self.census.store(Some(Arc::new(census)));
        }
        Ok(is_over)
    }
}
