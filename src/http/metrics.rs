//! What the server counts, and `GET /metrics`. Labels are of fixed sets only: never an id, never what a stranger sent.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics::{Counter, Histogram, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::App;
use crate::config::Source;
use crate::sources::stripe::signature::Refusal;

const DELIVERIES: &str = "keyward_deliveries_total";
const SIGNATURE_FAILURES: &str = "keyward_signature_failures_total";
const ACK_S: &str = "keyward_ack_seconds";
const QUEUE_LEN: &str = "keyward_queue_length";
const STORE_BYTES: &str = "keyward_store_bytes";
const PAGES: &str = "keyward_success_pages_total";

/// From an instant store to Stripe's patience.
const ACK_BUCKETS_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder of this process, once, and gives its handle.
pub fn install() -> PrometheusHandle {
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new();
            // Refused for an empty list only.
            let builder = builder
                .set_buckets_for_metric(Matcher::Full(ACK_S.to_owned()), &ACK_BUCKETS_S)
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
    metrics::describe_counter!(DELIVERIES, Unit::Count, "Deliveries, by what became of them");
    metrics::describe_counter!(SIGNATURE_FAILURES, Unit::Count, "Deliveries whose signature was refused, by why");
    metrics::describe_histogram!(ACK_S, Unit::Seconds, "From a delivery's head to its synced receipt");
    metrics::describe_gauge!(QUEUE_LEN, Unit::Count, "Inputs that wait for the committer");
    metrics::describe_gauge!(STORE_BYTES, Unit::Bytes, "Bytes in the data directory");
    metrics::describe_counter!(PAGES, Unit::Count, "Success pages, by what they said");
}

/// Counts a success page by what it said.
pub(super) fn page_said(word: &'static str) {
    metrics::counter!(PAGES, "said" => word).increment(1);
}

/// What can become of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Told {
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

impl Told {
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
pub(super) struct Door {
    source: String,
    told: [Counter; Told::ALL.len()],
    ack_s: Histogram,
}

impl Door {
    /// Of a source.
    pub(super) fn of(source: &Source) -> Self {
        let name = source.name.to_string();
        let told = Told::ALL.map(|t| metrics::counter!(DELIVERIES, "source" => name.clone(), "result" => t.as_str()));
        Self { source: name, told, ack_s: metrics::histogram!(ACK_S) }
    }

    /// Counts a delivery.
    pub(super) fn count(&self, told: Told) {
        self.told[told as usize].increment(1);
    }

    /// Notes how long a receipt took.
    pub(super) fn acked(&self, told: Told, took: std::time::Duration) {
        self.count(told);
        self.ack_s.record(took.as_secs_f64());
    }

    /// Counts a refused signature.
    pub(super) fn refused(&self, refusal: &Refusal) {
        self.count(Told::Unsigned);
        metrics::counter!(SIGNATURE_FAILURES, "source" => self.source.clone(), "reason" => refusal.code()).increment(1);
    }
}

/// `GET /metrics`
pub(super) async fn page(State(app): State<Arc<App>>) -> impl IntoResponse {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; exact far beyond any queue's length")]
    metrics::gauge!(QUEUE_LEN).set(app.handle.queue_len() as f64);
    let dir = app.config.data_dir.clone();
    let text = tokio::task::spawn_blocking(move || {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; exact up to 9 PB")]
        metrics::gauge!(STORE_BYTES).set(bytes_under(&dir, 0) as f64);
        let handle = install();
        handle.run_upkeep();
        handle.render()
    });
    let text = text.await.unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// Deeper than any data directory of ours.
const DEPTH_MAX: u8 = 4;

/// Bytes of the files under a folder; what cannot be read counts nothing.
fn bytes_under(dir: &Path, depth: u8) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_dir() && depth < DEPTH_MAX => bytes_under(&entry.path(), depth + 1),
            Ok(m) if m.is_file() => m.len(),
            Ok(_) | Err(_) => 0,
        })
        .sum()
}
