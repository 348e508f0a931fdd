//! What the store knows of the embedded license service, whose own store lies elsewhere and may be lost by itself.

use std::fmt;

use super::view;
use crate::domain::machine::{Grant, Machine};
use crate::domain::service_move::ServiceKind;
use crate::engine::record::RecordError;
use crate::engine::record::server::license_services;
use crate::store::Read;

/// Why the embedded license service must have a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddedUse {
    /// It made so many licenses, and none of them was moved away since.
    Made {
        /// At least one.
        licenses: u64,
    },
    /// It served at the last start: programs may know the public half of its key pair.
    Served,
}

impl fmt::Display for EmbeddedUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made { licenses: 1 } => f.write_str("1 license is known that it made"),
            Self::Made { licenses } => write!(f, "{licenses} licenses are known that it made"),
            Self::Served => f.write_str("it was in use at the last start"),
        }
    }
}

/// Whether the embedded license service was used; `None`: it has not begun yet, or all that it made was moved away. All
/// purchases are read.
///
/// # Errors
/// The store's.
pub fn embedded_use(reader: &dyn Read) -> Result<Option<EmbeddedUse>, RecordError> {
    let made = |g: &&Grant| g.service == Some(ServiceKind::Embedded) && !g.is_left();
    let mut licenses = 0;
    view::machines(reader, |machine: Machine| {
        licenses += machine.grants.iter().filter(made).count() as u64;
        true
    })?;
    if licenses > 0 {
        return Ok(Some(EmbeddedUse::Made { licenses }));
    }
    let at_last_start = license_services(reader)?.unwrap_or_default();
    let served = at_last_start
        .iter()
        .any(|(_, service)| *service == ServiceKind::Embedded);
    Ok(served.then_some(EmbeddedUse::Served))
}
