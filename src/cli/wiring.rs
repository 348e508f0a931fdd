//! The license services by the names that the operator knows them by.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::domain::id::SourceName;

/// The license service of each source, by the name that `retry --service` takes.
#[must_use]
pub fn services(config: &Config) -> BTreeMap<SourceName, &'static str> {
    let name = |source: &crate::config::Source| config.licenses_of(&source.name).service.as_str();
    config
        .sources
        .iter()
        .map(|s| (s.name.clone(), name(s)))
        .collect()
}
