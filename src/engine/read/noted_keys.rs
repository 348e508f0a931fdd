//! The keys that `keyward adopt` noted for its next run, of every purchase that waits for it.

use crate::domain::id::{LicenseKey, MachineId};
use crate::engine::read::view;
use crate::engine::record::waiting::{self, AdoptedLicense};
use crate::engine::record::{self, RecordError};
use crate::engine::write::working::Committed;
use crate::store::Read;

/// Purchases with the keys that were noted for them.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn all(reader: &dyn Read) -> Result<Vec<(MachineId, Vec<LicenseKey>)>, RecordError> {
    let mut found = Vec::new();
    view::walk(reader, waiting::range(), |key, first| {
        let noted: Vec<AdoptedLicense> = record::whole(&Committed(reader), key, first)?;
        if let Some(machine) = waiting::machine_of(key) {
            found.push((machine, noted.into_iter().map(|l| l.key).collect()));
        }
        Ok(true)
    })?;
    Ok(found)
}
