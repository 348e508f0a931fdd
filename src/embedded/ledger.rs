//! The way to the disk: what the service needs of a store, and nothing more.

/// A store of byte values by key. It has one user, the writer.
pub trait Ledger: Send + 'static {
    /// Hands every stored value over, in any order.
    ///
    /// # Errors
    /// When the store cannot be read, or `each` refuses a value.
    fn load(&mut self, each: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>) -> Result<(), LedgerError>;

    /// Writes all of these or none; on disk when it returns.
    ///
    /// # Errors
    /// When that is not certain. The writer then stops, for memory and disk may differ.
    fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError>;
}

/// A store that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LedgerError(pub String);

/// A ledger that forgets when the process ends: for simulation and tests.
#[derive(Debug, Default)]
pub struct MemoryLedger(std::collections::BTreeMap<Vec<u8>, Vec<u8>>);

impl Ledger for MemoryLedger {
    fn load(&mut self, each: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>) -> Result<(), LedgerError> {
        self.0.values().try_for_each(|value| each(value))
    }

    fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError> {
        self.0.extend(writes);
        Ok(())
    }
}
