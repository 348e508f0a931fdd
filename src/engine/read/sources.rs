//! The sources that the store knows, beside those that a config names: a name is part of every purchase's id.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::view;
use crate::domain::id::SourceName;
use crate::domain::words::counted;
use crate::engine::record::RecordError;
use crate::engine::record::key::{self, Table};
use crate::engine::record::server::license_services;
use crate::store::{KeyRange, Read};

/// How a config's sources differ from the store's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceChange {
    /// Those that have purchases and that the config does not name: nobody tends them.
    pub gone: Vec<GoneSource>,
    /// One that the last start still had, and that the config seems to name anew.
    pub renamed: Option<Renamed>,
}

/// A source that a config names no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneSource {
    /// Its name.
    pub source: SourceName,
    /// How many purchases it has.
    pub purchases: u64,
}

/// A source that seems to have another name now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    /// The one of before.
    pub was: GoneSource,
    /// The one that the store does not know.
    pub is: SourceName,
}

impl fmt::Display for GoneSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the config names no source `{}`, whose {} nobody tends any more: no event of it is taken, no license is extended",
            self.source,
            counted(self.purchases, "purchase", "purchases")
        )
    }
}

impl fmt::Display for Renamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the config names no source `{}`, which has {}, but a new one `{}`: each renewal would make a second purchase with \
             a second key, and the old key would run out",
            self.was.source,
            counted(self.was.purchases, "purchase", "purchases"),
            self.is
        )
    }
}

impl Renamed {
    /// What would be right.
    #[must_use]
    pub fn hint(&self) -> String {
        format!(
            "keep `name = \"{}\"`: the name is part of every purchase's id and of the webhook address. If `{}` is another account \
             that takes its place, name both for one start, then take the old one out",
            self.was.source, self.is
        )
    }
}

/// Holds the sources of a config against the store's. One that was named at a start is known from then on: whoever replaces an
/// account by another has both for one start.
///
/// # Errors
/// The store's.
pub fn change(reader: &dyn Read, named: &[SourceName]) -> Result<SourceChange, RecordError> {
    let at_last_start = license_services(reader)?;
    let had = |source: &SourceName| match &at_last_start {
        Some(services) => services.iter().any(|(name, _)| name == source),
        // A store of a version that did not note it.
        None => true,
    };
    let have_purchases = purchases(reader)?;
    let gone = have_purchases
        .iter()
        .filter(|(source, _)| !named.contains(source));
    let gone = gone.map(|(source, purchases)| GoneSource {
        source: source.clone(),
        purchases: *purchases,
    });
    let mut change = SourceChange {
        gone: gone.collect(),
        renamed: None,
    };
    let is_new = |source: &&SourceName| {
        let noted = at_last_start.is_some() && had(source);
        !noted && !have_purchases.contains_key(*source)
    };
    let was = change.gone.iter().find(|gone| had(&gone.source));
    if let Some((was, is)) = was.zip(named.iter().find(is_new)) {
        change.renamed = Some(Renamed {
            was: was.clone(),
            is: is.clone(),
        });
    }
    Ok(change)
}

/// How many purchases each source has, of those that have any. Keys of purchases lie in the order in which they came, so all of
/// them are looked at.
fn purchases(reader: &dyn Read) -> Result<BTreeMap<SourceName, u64>, RecordError> {
    let mut found: BTreeMap<SourceName, u64> = BTreeMap::new();
    view::walk(
        reader,
        KeyRange::prefix(&[Table::Machine as u8]),
        |entry, _| {
            if let Some(machine) = key::machine_of(entry) {
                *found.entry(machine.scope().source().clone()).or_default() += 1;
            }
            Ok(true)
        },
    )?;
    Ok(found)
}
