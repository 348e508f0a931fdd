//! The schema's version, checked at every open: older stores are brought up, newer ones refused.
//!
//! The version lies under a key of the store's own, written through the log like everything else, so a rebuilt store
//! has it too.

use super::{Reader, Writer};
use crate::store::{Batch, OpenError, ReadError, StoreFault, Value};

/// The version of the keys' and values' layout that this program reads and writes.
pub(super) const SCHEMA: u32 = 1;

/// Where the version lies.
pub(super) const SCHEMA_KEY: &[u8] = b"\0v";

/// One step up. The last batch of a step writes the new version; every batch before it must be harmless to repeat,
/// because a step that was cut off begins anew.
struct Migration {
    from: u32,
    what: &'static str,
    run: fn(&mut Writer, &Reader) -> Result<(), StoreFault>,
}

/// Every version but the newest has exactly one step.
const STEPS: &[Migration] = &[];

/// Gives a new store its version, brings an older one up, refuses a newer one.
pub(super) fn bring_up(writer: &mut Writer, reader: &Reader) -> Result<(), OpenError> {
    let Some(mut found) = version(reader)? else {
        return found_none(writer, reader);
    };
    while found != SCHEMA {
        let Some(step) = STEPS.iter().find(|step| step.from == found) else {
            let path = reader.store().to_owned();
            return Err(OpenError::Newer {
                path,
                found,
                known: SCHEMA,
            });
        };
        tracing::warn!(
            from = found,
            what = step.what,
            "the store's schema is being brought up"
        );
        (step.run)(writer, reader)?;
        found = version(reader)?.unwrap_or(found);
    }
    Ok(())
}

/// Only a store without a single commit may lack its version.
fn found_none(writer: &mut Writer, reader: &Reader) -> Result<(), OpenError> {
    if writer.last() > 0 {
        let why =
            "its commits do not begin with a schema version, so they are not all there".to_owned();
        return Err(OpenError::Unrepaired {
            dir: reader.store().to_owned(),
            why,
        });
    }
    let mut batch = Batch::new();
    batch.put(SCHEMA_KEY, SCHEMA.to_be_bytes());
    writer.write(&batch)?;
    Ok(())
}

fn version(reader: &Reader) -> Result<Option<u32>, OpenError> {
    let value = reader
        .own(SCHEMA_KEY)
        .map_err(|ReadError::Broken(fault)| fault)?;
    let Some(Value { bytes, .. }) = value else {
        return Ok(None);
    };
    match bytes[..].try_into() {
        Ok(bytes) => Ok(Some(u32::from_be_bytes(bytes))),
        Err(_) => Err(OpenError::Unrepaired {
            dir: reader.store().to_owned(),
            why: "its schema version is unreadable".to_owned(),
        }),
    }
}
