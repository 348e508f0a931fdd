//! The names that parked events wait for, as digests in memory: most names that a machine gets are waited for by nobody, and
//! to know that without asking the store halves what a delivery costs.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::domain::id::Scope;
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::record::key::{self, Table};
use crate::store::{KeyRange, Read};

/// Names that something may wait for. One that is not here is waited for by nobody; one that is here may have been claimed
/// since, or never been committed, which costs a look into the store.
#[derive(Debug, Default)]
pub struct ParkedNames {
    hasher: RandomState,
    names: foldhash::HashSet<u64>,
}

impl ParkedNames {
    /// Reads them from a store.
    ///
    /// # Errors
    /// The store's.
    pub fn load(reader: &dyn Read) -> Result<Self, RecordError> {
        let mut names = Self::default();
        view::walk(
            reader,
            KeyRange::prefix(&[Table::Parked as u8]),
            |key, _| {
                names.note(key);
                Ok(true)
            },
        )?;
        Ok(names)
    }

    /// Notes a key of the table of parked events, and no other.
    pub fn note(&mut self, key: &[u8]) {
        if key.first() == Some(&(Table::Parked as u8))
            && let [scope, name, ..] = key::parts(key).as_slice()
        {
            self.names
                .insert(self.hasher.hash_one((Scope::of(scope), name)));
        }
    }

    /// Whether something may wait for a name.
    #[must_use]
    pub fn may_hold(&self, scope: &Scope, name: &str) -> bool {
        self.names.contains(&self.hasher.hash_one((scope, name)))
    }
}
