//! Gauges: what was counted, as Prometheus has it.

use std::collections::BTreeSet;

use super::super::health::ServiceReport;
use crate::domain::machine::LicenseStatus;
use crate::domain::standing::StandingOrders;
use crate::domain::time::Timestamp;
use crate::engine::read::counts::census::Census;
use crate::measure::{
    CENSUS_S, IN_GRACE, LICENSES, Metric, OLDEST_WAITING_S, SERVICE_PAUSED, SERVICE_STATE, WAITING,
};

/// A number as a gauge has it.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; exact up to 9 * 10^15"
)]
pub(super) fn as_f64(n: impl TryInto<u64>) -> f64 {
    n.try_into().unwrap_or(u64::MAX) as f64
}

/// Sets a gauge. A label that the metric does not have is a defect that the test of the page finds.
pub(super) fn gauge(metric: Metric, labels: &[&str], value: f64) {
    let labels: Vec<(&'static str, String)> = metric
        .labels
        .iter()
        .zip(labels)
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    metrics::gauge!(metric.name, &labels).set(value);
}

/// How each service fares for each source, whether somebody paused it, what waits, and for how long.
pub(super) fn services(services: &[ServiceReport], orders: &StandingOrders, now: Timestamp) {
    for service in services {
        let paused = u64::from(orders.paused(service.service).is_some());
        for (source, waits) in &service.by_source {
            let of = [service.service, source.as_str()];
            for state in service.states {
                gauge(
                    SERVICE_STATE,
                    &[of[0], of[1], state],
                    as_f64(u64::from(*state == service.state)),
                );
            }
            gauge(SERVICE_PAUSED, &of, as_f64(paused));
            let Some(waits) = waits else {
                continue; // unknown is not none
            };
            gauge(WAITING, &of, as_f64(waits.count));
            let age_s = waits
                .oldest
                .map_or(0, |since| (now - since).ms().max(0) / 1000);
            gauge(OLDEST_WAITING_S, &of, as_f64(age_s.unsigned_abs()));
        }
    }
}

/// Licenses by status, and subscriptions in grace. What there is none of is 0, and not what it was before.
pub(super) fn licenses(census: &Census) {
    let sources: BTreeSet<_> = census
        .licenses
        .keys()
        .map(|(source, _)| source)
        .chain(census.in_grace.keys())
        .collect();
    for source in sources {
        for status in LicenseStatus::ALL {
            let count = census
                .licenses
                .get(&(source.clone(), status))
                .copied()
                .unwrap_or_default();
            gauge(LICENSES, &[source.as_str(), status.as_str()], as_f64(count));
        }
        gauge(
            IN_GRACE,
            &[source.as_str()],
            as_f64(census.in_grace.get(source).copied().unwrap_or_default()),
        );
    }
    gauge(CENSUS_S, &[], as_f64(census.at.s().unsigned_abs()));
}
