//! The valid configuration, table by table. Whoever holds one of these validates nothing again.

mod http;
mod selling;
mod vendor;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use lettre::message::Mailbox;

use super::size::ByteSize;
use crate::domain::adoption::Template;
use crate::domain::id::AppId;
use crate::domain::id::SourceName;
use crate::domain::probe::ServiceProbe;
use crate::domain::time::Span;
use crate::secret::Secret;
pub use http::{Http, Network};
pub use selling::{Checkout, Mode, PlanCheckout, Portal};
pub use vendor::{Color, Link, PlanDisplay, SuccessPage, Vendor};

/// A Stripe account or endpoint that sends events: one `[[source]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name, safe in a URL: the events come in at `/webhooks/{name}`.
    pub name: SourceName,
    /// What kind of provider it is.
    pub kind: SourceKind,
    /// The endpoint's signing secrets, several while one is being rolled. Empty only in replay.
    pub signing_secrets: Vec<Secret>,
    /// Which mode's events count; the other mode's are kept apart and change nothing.
    pub livemode: Livemode,
    /// A key for queries at Stripe; without one nothing is looked up.
    pub api_key: Option<Secret>,
    /// Where Stripe's API is, without a slash at the end.
    pub api_base: String,
    /// How old a signature may be: the source's own, else that of `[http]`.
    pub tolerance: Span,
    /// What to do with the events of connected accounts.
    pub connect: Connect,
    /// Whether its endpoint hears of invoices.
    pub invoices: bool,
    /// The license service for this source's purchases, instead of `[licenses]`.
    pub licenses: Option<LicensesConfig>,
    /// The mail for this source's customers, instead of `[mail]`.
    pub mail: Option<Mail>,
}

/// The kinds of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Stripe's webhooks.
    Stripe,
}

impl SourceKind {
    /// Every value as it is written in the config, the default first.
    pub const CHOICES: &'static [(&'static str, Self)] = &[("stripe", Self::Stripe)];
}

/// Which of Stripe's modes a source takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Livemode {
    /// Real purchases.
    Live,
    /// Test purchases.
    Test,
    /// Both: for trying things out and for replay.
    Any,
}

impl Livemode {
    /// Every value as it is written in the config, the default first.
    pub const CHOICES: &'static [(&'static str, Self)] = &[
        ("live", Self::Live),
        ("test", Self::Test),
        ("any", Self::Any),
    ];

    /// Whether an event with this `livemode` counts.
    #[must_use]
    pub const fn takes(self, livemode: bool) -> bool {
        match self {
            Self::Live => livemode,
            Self::Test => !livemode,
            Self::Any => true,
        }
    }
}

/// What to do with the events of connected accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    /// They are ignored with a reason.
    Ignore,
    /// They count, with ids scoped by account.
    Accept,
}

impl Connect {
    /// Every value as it is written in the config, the default first.
    pub const CHOICES: &'static [(&'static str, Self)] =
        &[("ignore", Self::Ignore), ("accept", Self::Accept)];
}

/// A license service and how to treat it: `[licenses]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LicensesConfig {
    /// Which service, and how to reach it.
    pub service: Service,
    /// The application whose licenses are made where neither plan nor purchase names one.
    pub app_id: AppId,
    /// Requests a second at most; `None`: no limit.
    pub requests_per_s: Option<NonZeroU32>,
    /// Requests under way at one time at most.
    pub in_flight: u32,
    /// How long a request may take before its outcome counts as unknown.
    pub request_timeout: Span,
    /// After an unknown outcome: how long to wait before each recovery. Never empty.
    pub lookup_after: Vec<Span>,
    /// How a license is stopped early at a service that knows no suspension.
    pub suspend: SuspendBy,
    /// What a probe learned of the service. It stands in the store, never in the file.
    pub probed: Option<ServiceProbe>,
}

/// The license services.
#[derive(Clone, Debug, PartialEq)]
pub enum Service {
    /// AuthForge's Developer API.
    AuthForge {
        /// Where it is, without a slash at the end.
        api_base: String,
        /// The Developer API's key.
        api_key: Secret,
    },
    /// The one inside this binary, on a store of its own.
    Embedded {
        /// The loopback address that it listens on; port 0 takes a free one.
        listen: SocketAddr,
        /// What concerns the programs that ask it.
        programs: ProgramSettings,
    },
}

/// The embedded service as programs see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramSettings {
    /// What new keys begin with: letters and digits.
    pub key_prefix: Option<String>,
    /// How long a program may rely on an answer.
    pub session: Span,
    /// The number of the key pair that signs answers.
    pub signing_key: u32,
    /// A second pair that is only listed.
    pub second_signing_key: Option<u32>,
}

/// What a plan gives to programs, at the embedded service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramTerms {
    /// How long a file for an offline device may last; `None`: there are no files.
    pub offline: Option<Span>,
    /// The vendor's own words for the program.
    pub variables: Arc<BTreeMap<String, String>>,
}

impl Service {
    /// The name that `retry --service` takes, and that logs and metrics give.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AuthForge { .. } => "authforge",
            Self::Embedded { .. } => "embedded",
        }
    }
}

/// How a license is stopped early where the service has no suspension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspendBy {
    /// Its expiry moves to now, and later back.
    Shorten,
    /// It is revoked, and later activated again.
    Revoke,
    /// Not at all: the operator is told.
    Wait,
}

impl SuspendBy {
    /// Every value as it is written in the config, the default first.
    pub const CHOICES: &'static [(&'static str, Self)] = &[
        ("shorten", Self::Shorten),
        ("revoke", Self::Revoke),
        ("wait", Self::Wait),
    ];
}

/// How customers are written to: `[mail]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// How a mail leaves.
    pub transport: Transport,
    /// Who writes.
    pub from: Mailbox,
    /// Who gets the answers, if somebody else does.
    pub reply_to: Option<Mailbox>,
    /// A folder whose files go before the built-in templates of the same name.
    pub templates: Option<PathBuf>,
    /// The language of those who have not said theirs, like `en` or `pt-BR`.
    pub default_language: String,
    /// How long handing over a mail may take.
    pub timeout: Span,
}

/// How a mail leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum Transport {
    /// To an SMTP server.
    Smtp {
        /// The server, with name and password; checked to be what lettre's `from_url` takes.
        url: Secret,
        /// A PEM file with certificate authorities to trust besides the usual ones.
        ca_file: Option<PathBuf>,
    },
    /// Into a folder, one `.eml` file a mail.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Not at all: keys are shown on the success page only.
    None,
}

/// The store's size and limits: `[store]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// sled's page cache.
    pub cache: ByteSize,
    /// Free space below which deliveries are answered 503 instead of stored.
    pub min_free: ByteSize,
}

/// Backups by schedule: `[backup]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The folder that they go to.
    pub path: PathBuf,
    /// How far apart they are.
    pub every: Span,
    /// How many stay.
    pub keep: u32,
}

/// When the scheduler rings: `[scheduler]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduler {
    /// Looking for wake-ups that are due.
    pub due: Cron,
    /// The repair sweep.
    pub repair: Cron,
    /// Upkeep of the metrics.
    pub metrics: Cron,
    /// The nightly audit.
    pub audit: Cron,
    /// In observe mode: comparing what is held with what the license service has.
    pub compare: Cron,
}

/// A cron expression of six fields, in UTC, checked to be one that the scheduler takes and that will occur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron(pub(super) String);

impl Cron {
    /// The expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was sold before: `[adopt]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adopt {
    /// What another handler wrote into the labels of the licenses that it made, besides the forms that always count.
    pub labels: Vec<Template>,
}

/// What concerns clocks and outages: `[time]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// After an outage: how long nobody is stopped by time alone, because Stripe may be about to tell of payments.
    pub catch_up: Span,
}

/// Events that never arrived: `[backfill]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// How often Stripe's event list is read; `None`: only by hand.
    pub every: Option<Span>,
}

/// How the operator is alerted: `[alert]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertConfig {
    /// Who gets a mail.
    pub email: Vec<String>,
    /// What gets a small JSON.
    pub url: Option<Secret>,
    /// What is asked while all is well.
    pub heartbeat_url: Option<Secret>,
    /// The least time between two messages on one topic.
    pub every: Span,
}

impl AlertConfig {
    /// Whether anybody hears of an alert who does not read the log.
    #[must_use]
    pub fn reaches_somebody(&self) -> bool {
        !self.email.is_empty() || self.url.is_some()
    }
}
