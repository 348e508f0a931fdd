//! The sources that the store knows, beside those that a config names: a name is part of every purchase's id.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::view;
use crate::domain::id::SourceName;
use crate::domain::words::counted;
use crate::engine::record::RecordError;
use crate::engine::record::key::{self, Table};
use crate::engine::record::server::license_services;
use crate::store::{Direction, KeyRange, Read};

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
    let mut known = with_events(reader)?;
    known.extend(at_last_start.iter().flatten().map(|(name, _)| name.clone()));
    if known.iter().all(|source| named.contains(source)) {
        return Ok(SourceChange::default());
    }
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

/// Each source that has an event. Events lie in the order of their sources, which takes two reads for each; purchases lie in
/// the order in which they came, and all of them would have to be looked at. A purchase without an event is one that a person
/// issued, for which none is to come.
fn with_events(reader: &dyn Read) -> Result<BTreeSet<SourceName>, RecordError> {
    let mut range = KeyRange::prefix(&[Table::Event as u8]);
    let mut found = BTreeSet::new();
    while let Some((entry, _)) = reader.range(&range, Direction::Forward, 1)?.pop() {
        let name = entry[1..].split(|b| matches!(b, 0 | b'/')).next();
        let name = name.unwrap_or_default();
        found.insert(SourceName::from(&*String::from_utf8_lossy(name)));
        // A zero follows the name in a key, a connected account's slash, or, of a longer name, something between or behind.
        let behind = entry.get(1 + name.len()).map_or(1, |end| end + 1);
        range.start = [&entry[..=name.len()], &[behind]].concat();
    }
    Ok(found)
}

/// How many purchases each source has, of those that have any. All are looked at: 1,000,000 small
/// ones take over two seconds.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{EventId, Scope};
    use crate::store::memory::Memory;
    use crate::store::{Batch, Commit as _};

    /// A name may be the beginning of another, and what follows one in a key may lie before or behind an account's slash.
    #[test]
    fn each_source_that_has_an_event_is_found_whatever_their_names_are() {
        let scopes = [
            "a",
            "a-b",
            "a/acct_1",
            "a/acct_2",
            "a0",
            "a_b",
            "ab",
            "ab/acct_1",
            "b/acct_1",
        ];
        let mut store = Memory::new();
        let mut batch = Batch::new();
        for scope in scopes {
            for event in ["evt_1", "evt_2"] {
                batch.put(key::event(&Scope::of(scope), &EventId::from(event)), "");
            }
        }
        store.commit(&batch).unwrap();
        let found = with_events(&store).unwrap();
        let found: Vec<&str> = found.iter().map(SourceName::as_str).collect();
        assert_eq!(found, ["a", "a-b", "a0", "a_b", "ab", "b"]);
    }
}
