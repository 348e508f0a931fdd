//! How far Stripe's event lists are known, and which cannot be read.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::missed::Missed;
use crate::domain::attention::{Attention, Concern};
use crate::domain::id::{Scope, SourceName};
use crate::domain::time::Timestamp;

/// How far the lists are known.
#[derive(Debug)]
pub struct Backfills {
    scopes: Mutex<BTreeMap<Scope, ScopeState>>,
    pub(super) missed: Missed,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ScopeState {
    pub(super) complete_to: Option<Timestamp>,
    pub(super) failed: Option<(Timestamp, String)>,
}

impl Backfills {
    /// Of sources of which nothing was read yet.
    pub(super) fn new<'a>(sources: impl Iterator<Item = &'a SourceName>) -> Self {
        let scopes = sources.map(|source| Scope::new(source.clone(), None));
        let scopes = scopes.map(|scope| (scope, ScopeState::default()));
        Self {
            scopes: Mutex::new(scopes.collect()),
            missed: Missed::default(),
        }
    }

    pub(super) fn scopes(&self) -> MutexGuard<'_, BTreeMap<Scope, ScopeState>> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every event that was made before an instant is known, of every source and account.
    #[must_use]
    pub(super) fn covers(&self, at: Timestamp) -> bool {
        let scopes = self.scopes();
        scopes
            .values()
            .all(|scope| scope.complete_to.is_some_and(|to| to >= at))
    }

    /// The lists that cannot be read, and what arrives only by them, as what waits for a person.
    #[must_use]
    pub fn attention(&self) -> Vec<Attention> {
        let failed = |(scope, state): (&Scope, &ScopeState)| {
            let (since, why) = state.failed.clone()?;
            let scope = scope.clone();
            Some(Attention {
                since,
                concern: Concern::BackfillFails { scope, why },
            })
        };
        let failed: Vec<_> = self.scopes().iter().filter_map(failed).collect();
        [failed, self.missed.attention()].concat()
    }
}
