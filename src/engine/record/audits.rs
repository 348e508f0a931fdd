//! What the last audits found.

use minicbor::{Decode, Encode};

use super::{RecordError, key};
use crate::domain::adoption::{AuditNote, Class, Differences, DifferingPurchase};
use crate::domain::id::SourceName;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::engine::record;
use crate::engine::write::working::{Committed, Working};
use crate::store::Read;

/// What the last audit of a source found.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AuditRecord {
    /// The source.
    #[n(0)]
    pub source: SourceName,
    /// Since when something differs.
    #[n(1)]
    pub since: Timestamp,
    /// How many of each class. Never empty.
    #[n(2)]
    pub differs: Vec<(Class, u32)>,
    /// What was last paid for the purchases of a class, in each currency.
    #[cbor(n(3), default)]
    pub money: Vec<(Class, Money)>,
    /// The first purchases.
    #[cbor(n(4), default)]
    pub first: Vec<DifferingPurchase>,
    /// A code of all of them.
    #[cbor(n(5), default)]
    pub code: u64,
    /// A person's note on what this one or one before it found.
    #[cbor(n(6), default)]
    pub noted: Option<AuditNote>,
}

impl AuditRecord {
    fn new(source: &SourceName, since: Timestamp, found: &Differences) -> Self {
        Self {
            source: source.clone(),
            since,
            differs: found.classes.clone(),
            money: found.money.clone(),
            first: found.first.clone(),
            code: found.code,
            noted: None,
        }
    }

    /// What it found.
    #[must_use]
    pub fn found(self) -> Differences {
        Differences {
            classes: self.differs,
            money: self.money,
            first: self.first,
            code: self.code,
            noted: self.noted,
        }
    }
}

fn key_of_all() -> Vec<u8> {
    key::general("audits")
}

/// Keeps what one found.
///
/// # Errors
/// The store's.
pub(super) fn put(
    working: &mut Working<'_>,
    source: &SourceName,
    at: Timestamp,
    found: &Differences,
) -> Result<(), RecordError> {
    let mut kept: Vec<AuditRecord> = record::get(working, &key_of_all())?.unwrap_or_default();
    let before = kept.iter().find(|a| a.source == *source);
    let since = before.map_or(at, |a| a.since);
    let noted = before.and_then(|a| a.noted.clone());
    kept.retain(|a| a.source != *source);
    if !found.classes.is_empty() {
        let found = AuditRecord::new(source, since, found);
        kept.push(AuditRecord { noted, ..found });
    }
    Ok(record::put(working, key_of_all(), &kept)?)
}

/// Keeps a person's note on what one found, as long as something differs.
///
/// # Errors
/// The store's.
pub(super) fn note(
    working: &mut Working<'_>,
    source: &SourceName,
    note: &AuditNote,
) -> Result<(), RecordError> {
    let mut kept: Vec<AuditRecord> = record::get(working, &key_of_all())?.unwrap_or_default();
    for audit in kept.iter_mut().filter(|a| a.source == *source) {
        audit.noted = Some(note.clone());
    }
    Ok(record::put(working, key_of_all(), &kept)?)
}

/// What the last audits found, of each source where something differs.
///
/// # Errors
/// The store's.
pub fn all(reader: &dyn Read) -> Result<Vec<AuditRecord>, RecordError> {
    Ok(record::get(&Committed(reader), &key_of_all())?.unwrap_or_default())
}
