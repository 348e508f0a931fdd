//! What probes learned of license services.

use super::key;
use super::{RecordError, View};
use crate::domain::probe::ServiceProbe;
use crate::engine::input::Receipt;
use crate::engine::record;
use crate::engine::write::working::Working;

fn probe_key(service: &str) -> Vec<u8> {
    key::general(&format!("probe:{service}"))
}

/// What is known of a service, if it was probed.
///
/// # Errors
/// The store's.
pub fn of(view: &dyn View, service: &str) -> Result<Option<ServiceProbe>, RecordError> {
    record::get(view, &probe_key(service))
}

/// Keeps what a probe learned.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn keep(
    working: &mut Working<'_>,
    probe: &ServiceProbe,
) -> Result<Receipt, RecordError> {
    record::put(working, probe_key(&probe.service), probe)?;
    Ok(Receipt::Done)
}
