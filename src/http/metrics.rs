//! What the server counts, and `GET /metrics`. The names are those of [`crate::measure`].

mod gauges;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics::{Counter, Histogram, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::App;
use crate::config::Source;
use crate::measure::{
    self, ACK_S, BACKUP_AGE_S, DELIVERIES, Metric, MetricKind, PAGES, PROGRAMS, QUEUE_LEN,
    SIGNATURE_FAILURES, STORE_BYTES,
};
use crate::sources::stripe::signature::SignatureError;
use gauges::{as_f64, gauge, licenses, services};

/// From an instant store to Stripe's patience.
const ACK_BUCKETS_S: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0,
];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder of this process, once, and gives its handle.
pub fn install() -> PrometheusHandle {
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new();
            // Refused for an empty list only.
            let builder = builder
                .set_buckets_for_metric(Matcher::Full(ACK_S.name.to_owned()), &ACK_BUCKETS_S)
                .unwrap_or_else(|_| PrometheusBuilder::new());
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("metrics go to another recorder: /metrics stays empty");
            }
            describe();
            handle
        })
        .clone()
}

/// Sorts samples into buckets. Without it they pile up until somebody scrapes (metrics-rs/metrics#467).
pub fn upkeep() {
    install().run_upkeep();
}

fn describe() {
    for Metric {
        name, kind, help, ..
    } in measure::ALL
    {
        let unit = match name.rsplit('_').next() {
            Some("seconds") => Unit::Seconds,
            Some("bytes") => Unit::Bytes,
            Some(_) | None => Unit::Count,
        };
        match kind {
            MetricKind::Counter => metrics::describe_counter!(name, unit, help),
            MetricKind::Gauge => metrics::describe_gauge!(name, unit, help),
            MetricKind::Histogram => metrics::describe_histogram!(name, unit, help),
        }
    }
}

/// Counts a success page by what it said.
pub(super) fn page_said(word: &'static str) {
    metrics::counter!(PAGES.name, "said" => word).increment(1);
}

/// Counts a program's question by its answer.
pub(super) fn program_told(call: &'static str, result: &'static str) {
    metrics::counter!(PROGRAMS.name, "call" => call, "result" => result).increment(1);
}

/// What can become of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum DeliveryResult {
    Applied,
    Parked,
    Ignored,
    Duplicate,
    Unsigned,
    Malformed,
    TooLarge,
    TooSlow,
    Busy,
}

impl DeliveryResult {
    const ALL: [Self; 9] = [
        Self::Applied,
        Self::Parked,
        Self::Ignored,
        Self::Duplicate,
        Self::Unsigned,
        Self::Malformed,
        Self::TooLarge,
        Self::TooSlow,
        Self::Busy,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Parked => "parked",
            Self::Ignored => "ignored",
            Self::Duplicate => "duplicate",
            Self::Unsigned => "unsigned",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Busy => "busy",
        }
    }
}

/// The counters of one source, registered once so that counting is one atomic addition.
pub(super) struct SourceMetrics {
    source: String,
    told: [Counter; DeliveryResult::ALL.len()],
    ack_s: Histogram,
}

impl SourceMetrics {
    pub(super) fn of(source: &Source) -> Self {
        let name = source.name.to_string();
        let told =
            DeliveryResult::ALL.map(|t| metrics::counter!(DELIVERIES.name, "source" => name.clone(), "result" => t.as_str()));
        Self {
            source: name,
            told,
            ack_s: metrics::histogram!(ACK_S.name),
        }
    }

    pub(super) fn count(&self, told: DeliveryResult) {
        self.told[told as usize].increment(1);
    }

    /// Notes how long a receipt took.
    pub(super) fn acked(&self, result: DeliveryResult, took: std::time::Duration) {
        self.count(result);
        self.ack_s.record(took.as_secs_f64());
    }

    /// Counts a refused signature.
    pub(super) fn refused(&self, refusal: &SignatureError) {
        self.count(DeliveryResult::Unsigned);
        let source = self.source.clone();
        metrics::counter!(SIGNATURE_FAILURES.name, "source" => source, "reason" => refusal.code())
            .increment(1);
    }
}

/// `GET /metrics`. Nothing is counted for it: gauges show what the last round of counting saw.
pub(super) async fn page(State(app): State<Arc<App>>) -> impl IntoResponse {
    gauge(QUEUE_LEN, &[], as_f64(app.handle.queue_len()));
    let (observed, now) = ((app.observed)(), app.handle.clock().now());
    services(&observed.services, &app.handle.standing(), now);
    if let Some(age_s) = observed.backup.age_s(now) {
        gauge(BACKUP_AGE_S, &[], as_f64(age_s));
    }
    if let Some(census) = app.counts.census() {
        licenses(&census);
    }
    let dir = app.config.data_dir.clone();
    let text = tokio::task::spawn_blocking(move || {
        gauge(STORE_BYTES, &[], as_f64(bytes_under(&dir, 0)));
        let handle = install();
        handle.run_upkeep();
        handle.render()
    });
    let text = text.await.unwrap_or_default();
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
}

/// Deeper than any data directory of ours.
const DEPTH_MAX: u8 = 4;

/// Bytes of the files under a folder; what cannot be read counts nothing.
fn bytes_under(dir: &Path, depth: u8) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_dir() && depth < DEPTH_MAX => bytes_under(&entry.path(), depth + 1),
            Ok(m) if m.is_file() => m.len(),
            Ok(_) | Err(_) => 0,
        })
        .sum()
}
