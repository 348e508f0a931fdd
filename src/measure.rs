//! Every metric, by name: what counts in one module is shown by another. `docs/operating.md` has the same table; a test
//! compares them.

/// How a metric is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Samples in buckets.
    Histogram,
}

/// One metric. Its name ends in its unit where it has one.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it is read.
    pub kind: MetricKind,
    /// Its labels. They are of fixed sets: never an id, never what a stranger sent.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind: MetricKind::Counter,
        labels,
        help,
    }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric {
        name,
        kind: MetricKind::Gauge,
        labels,
        help,
    }
}

/// Deliveries.
pub const DELIVERIES: Metric = counter(
    "keyward_deliveries_total",
    &["source", "result"],
    "Deliveries, by what became of them",
);
/// Refused signatures.
pub const SIGNATURE_FAILURES: Metric = counter(
    "keyward_signature_failures_total",
    &["source", "reason"],
    "Deliveries whose signature was refused, by reason",
);
/// How long a delivery waits for its answer.
pub const ACK_S: Metric = Metric {
    name: "keyward_ack_seconds",
    kind: MetricKind::Histogram,
    labels: &[],
    help: "From a delivery's head to its synced receipt",
};
/// Inputs that wait.
pub const QUEUE_LEN: Metric = gauge(
    "keyward_queue_length",
    &[],
    "Inputs that wait for the committer",
);
/// The data directory.
pub const STORE_BYTES: Metric = gauge("keyward_store_bytes", &[], "Bytes in the data directory");
/// Success pages.
pub const PAGES: Metric = counter(
    "keyward_success_pages_total",
    &["said"],
    "Success pages, by what they said",
);
/// Programs' questions.
pub const PROGRAMS: Metric = counter(
    "keyward_program_answers_total",
    &["call", "result"],
    "Questions of programs to the embedded license service, by the answer",
);
/// Work that was tried.
pub const ACTIONS: Metric = counter(
    "keyward_actions_total",
    &["service", "source", "kind", "outcome"],
    "Attempts at the license service and look-ups at Stripe, by what came of them",
);
/// Mails that were tried.
pub const MAILS: Metric = counter(
    "keyward_mails_total",
    &["source", "kind", "outcome"],
    "Attempts to send a mail, by what came of them",
);
/// How a service fares.
pub const SERVICE_STATE: Metric = gauge(
    "keyward_service_state",
    &["service", "source", "state"],
    "1 for the state of the service's breaker: up, slowed, down, refusing or no_credits",
);
/// Whether somebody paused a service. Its state goes on telling how it answers.
pub const SERVICE_PAUSED: Metric = gauge(
    "keyward_service_paused",
    &["service", "source"],
    "1 while an order pauses the service: nothing is sent to it, whatever its state",
);
/// Work that waits.
pub const WAITING: Metric = gauge(
    "keyward_waiting",
    &["service", "source"],
    "Actions, mails or look-ups that wait for the service",
);
/// Its age.
pub const OLDEST_WAITING_S: Metric = gauge(
    "keyward_oldest_waiting_seconds",
    &["service", "source"],
    "Age of the oldest of them; 0: nothing waits",
);
/// Licenses.
pub const LICENSES: Metric = gauge(
    "keyward_licenses",
    &["source", "status"],
    "Licenses: live, suspended, revoked or expired",
);
/// Subscriptions in grace.
pub const IN_GRACE: Metric = gauge(
    "keyward_subscriptions_in_grace",
    &["source"],
    "Subscriptions in their grace period",
);
/// When the two before were counted.
pub const CENSUS_S: Metric = gauge(
    "keyward_census_timestamp_seconds",
    &[],
    "When licenses and grace periods were last counted to the end, in seconds since 1970",
);

/// The last backup.
pub const BACKUP_AGE_S: Metric = gauge(
    "keyward_backup_age_seconds",
    &[],
    "Age of the newest proven backup; absent: there never was one",
);

/// All of them.
pub const ALL: [Metric; 17] = [
    DELIVERIES,
    SIGNATURE_FAILURES,
    ACK_S,
    QUEUE_LEN,
    STORE_BYTES,
    PAGES,
    PROGRAMS,
    ACTIONS,
    MAILS,
    SERVICE_STATE,
    SERVICE_PAUSED,
    WAITING,
    OLDEST_WAITING_S,
    LICENSES,
    IN_GRACE,
    CENSUS_S,
    BACKUP_AGE_S,
];
