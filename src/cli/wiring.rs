//! The license services by the names that the operator knows them by.

use std::collections::BTreeMap;

use crate::config::{Config, Licenses, Service};
use crate::domain::id::SourceName;

/// The license service of each source, by the name that `retry --service` takes.
#[must_use]
pub fn services(config: &Config) -> BTreeMap<SourceName, &'static str> {
    let name = |source: &crate::config::Source| service_name(config.licenses_of(&source.name));
    config.sources.iter().map(|s| (s.name.clone(), name(s))).collect()
}

/// The name of a license service.
#[must_use]
pub const fn service_name(licenses: &Licenses) -> &'static str {
    match licenses.service {
        Service::AuthForge { .. } => "authforge",
        Service::Embedded { .. } => "embedded",
    }
}
