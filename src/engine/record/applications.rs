//! The applications that licenses of a source were made in: those that plans name, and the one where a plan names none, which a
//! license does not note of itself.

use minicbor::{Decode, Encode};

use super::{RecordError, key};
use crate::domain::id::{AppId, SourceName};
use crate::domain::time::Timestamp;
use crate::engine::record;
use crate::engine::write::working::{Committed, Working};
use crate::store::Read;

/// An application that the config named for a source at some start.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NamedApplication {
    /// The source.
    #[n(0)]
    pub source: SourceName,
    /// The application.
    #[n(1)]
    pub app: AppId,
    /// Since when it is the one where a plan names none; `None`: plans named it.
    #[n(2)]
    pub default_since: Option<Timestamp>,
}

fn all_key() -> Vec<u8> {
    key::general("applications")
}

/// All of them, in the order in which they came.
///
/// # Errors
/// The store's.
pub fn all(reader: &dyn Read) -> Result<Vec<NamedApplication>, RecordError> {
    Ok(record::get(&Committed(reader), &all_key())?.unwrap_or_default())
}

/// Keeps them.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn put(
    working: &mut Working<'_>,
    all: &Vec<NamedApplication>,
) -> Result<(), RecordError> {
    record::put(working, all_key(), all)?;
    Ok(())
}
