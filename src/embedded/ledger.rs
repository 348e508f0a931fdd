//! The way to the disk: what the service needs of a store, and nothing more.

use crate::store::{Batch, Commit, CommitError, Direction, KeyRange, Read};

/// Under this all licenses are stored.
pub const PREFIX: &[u8] = b"license/";

/// A store of byte values by key. It has one user, the writer.
pub trait Ledger: Send + 'static {
    /// Hands every stored license over, in any order.
    ///
    /// # Errors
    /// When the store cannot be read, or `each` refuses a value.
    fn load(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError>;

    /// A single value that is no license.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Writes all of these or none; on disk when it returns.
    ///
    /// # Errors
    /// [`LedgerError::Full`]: nothing was written, come again. [`LedgerError::Broken`]: whether it was is uncertain; the
    /// writer then stops, for memory and disk may differ.
    fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError>;
}

/// A store that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// There is no room at present; nothing was written.
    #[error("{0}")]
    Full(String),
    /// It cannot be trusted any more, or holds what this version cannot read.
    #[error("{0}")]
    Broken(String),
}

/// The ledger in Keyward's own store, in a directory of its own.
#[derive(Debug)]
pub struct StoreLedger<R, W> {
    reader: R,
    writer: W,
}

impl<R, W> StoreLedger<R, W> {
    /// Over the two halves of an open store that nobody else writes to.
    pub const fn new(reader: R, writer: W) -> Self {
        Self { reader, writer }
    }
}

/// How many values are read at a time.
const READ_AT_ONCE: usize = 1000;

impl<R: Read + 'static, W: Commit + 'static> Ledger for StoreLedger<R, W> {
    fn load(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut range = KeyRange::prefix(PREFIX);
        loop {
            let read = self.reader.range(&range, Direction::Forward, READ_AT_ONCE);
            let read = read.map_err(|e| LedgerError::Broken(e.to_string()))?;
            for (_, value) in &read {
                each(&value.bytes)?;
            }
            let Some((last, _)) = read.into_iter().last() else {
                return Ok(());
            };
            // The first key behind the last one.
            range.start = [&last[..], &[0]].concat();
        }
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        let read = self.reader.get(key);
        let read = read.map_err(|e| LedgerError::Broken(e.to_string()))?;
        Ok(read.map(|value| value.bytes.to_vec()))
    }

    fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError> {
        let mut batch = Batch::new();
        for (key, value) in writes {
            batch.put(key, value);
        }
        match self.writer.commit(&batch) {
            Ok(_) => Ok(()),
            Err(CommitError::Full(cause)) => Err(LedgerError::Full(cause.to_string())),
            Err(e @ (CommitError::Conflict { .. } | CommitError::TooLarge { .. })) => {
                Err(LedgerError::Broken(e.to_string()))
            }
            Err(e @ (CommitError::BadKey { .. } | CommitError::Broken(_))) => {
                Err(LedgerError::Broken(e.to_string()))
            }
        }
    }
}

/// A ledger that forgets when the process ends: for simulation and tests.
#[derive(Debug, Default)]
pub struct MemoryLedger(std::collections::BTreeMap<Vec<u8>, Vec<u8>>);

impl Ledger for MemoryLedger {
    fn load(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut licenses = self.0.iter().filter(|(key, _)| key.starts_with(PREFIX));
        licenses.try_for_each(|(_, value)| each(value))
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.0.get(key).cloned())
    }

    fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError> {
        self.0.extend(writes);
        Ok(())
    }
}
