//! The nightly audit: Stripe, the license service and the store compared, read-only. One line says what differs, and alerts
//! report it.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::other_handler;
use super::parts::Parts;
use crate::adopt::table::KeyTable;
use crate::adopt::{
    ANSWER_BYTES_MAX, Found, KnownShop, LicenseList, Question, ReportRow, examine, settle_strays,
};
use crate::config::{Config, Service, Source};
use crate::domain::adoption::{Asking, Differences};
use crate::domain::id::{Scope, SourceName};
use crate::domain::time::Span;
use crate::effects::license::sweep::hash;
use crate::effects::services::{Services, abilities};
use crate::effects::stripe::Client;
use crate::effects::throttle::Share;
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::server::ServerRecord;
use crate::engine::record::{self, audits, labels};

/// Calls a second to Stripe: the night is long, and the seller's other programs share the limits.
const READS_PER_S: u32 = 2;
/// How long one request may take.
const TIMEOUT: Span = Span::from_s(60);
/// Digests of labels that are kept in one commit.
const LABELS_AT_ONCE: usize = 2_000;

/// Starts what looks whenever it is woken, until it is to stop.
pub(super) fn start(parts: &Parts, wake: &Arc<Notify>) -> JoinHandle<()> {
    let auditor = Auditor {
        handle: parts.handle.clone(),
        config: Arc::clone(&parts.config),
        services: Arc::clone(&parts.services),
    };
    tokio::spawn(auditor.run(Arc::clone(wake), parts.stop.clone()))
}

/// What the audit works on.
struct Auditor {
    handle: Handle,
    config: Arc<Config>,
    services: Arc<Services>,
}

impl Auditor {
    /// Looks whenever it is woken, until it is to stop.
    async fn run(self, wake: Arc<Notify>, stop: CancellationToken) {
        let audits = async {
            self.forget_sources().await;
            loop {
                wake.notified().await;
                self.sources().await;
            }
        };
        tokio::select! { () = stop.cancelled() => {} () = audits => {} }
    }

    /// Looks at each source, and then tells of them: a key that is no purchase's of one may be another's.
    async fn sources(&self) {
        let (mut looked_at, mut all) = (Vec::new(), Vec::new());
        for source in &self.config.sources {
            if source.api_key.is_none() {
                self.keep(&source.name, Differences::default()).await;
                continue;
            }
            match self.examine(source).await {
                Ok(found) => {
                    looked_at.push(source);
                    all.push(found);
                }
                Err(why) => {
                    tracing::warn!(source.name = %source.name, "the nightly audit came to nothing: {why}");
                }
            }
        }
        settle_strays(&mut all);
        for (source, found) in looked_at.into_iter().zip(&all) {
            other_handler::judge(&self.handle, &self.services, &found.judged.strangers).await;
            let differs = differing(found);
            digest(source, found, &differs);
            if !found.unshown.is_none() {
                tracing::warn!(source.name = %source.name, "{}", found.unshown);
            }
            self.keep(&source.name, differs).await;
        }
    }

    /// What was found of sources that the config names no more.
    async fn forget_sources(&self) {
        for audit in audits::all(self.handle.reader()).unwrap_or_default() {
            if self.config.source(&audit.source).is_none() {
                self.keep(&audit.source, Differences::default()).await;
            }
        }
    }

    /// Keeps what was found: `attention` lists it and the alerts report it until an audit finds no difference.
    async fn keep(&self, source: &SourceName, found: Differences) {
        let record = ServerRecord::Audited {
            source: source.clone(),
            at: self.handle.clock().now(),
            found,
        };
        // What is not taken now is found again tomorrow.
        let _ = self.handle.submit_waiting(Input::Keep(record)).await;
    }

    async fn examine(&self, source: &Source) -> Result<Found, String> {
        let key = source
            .api_key
            .as_ref()
            .ok_or("the source has no `api_key`")?;
        let stripe = Client::new(&source.api_base, key, TIMEOUT, ANSWER_BYTES_MAX)
            .map_err(|e| e.to_string())?;
        let handle = self.handle.clone();
        let known = tokio::task::spawn_blocking(move || known(&handle))
            .await
            .map_err(|e| e.to_string())??;
        let rules = self.handle.rules();
        let services = self.config.licenses_of(&source.name);
        let question = Question {
            scope: Scope::new(source.name.clone(), None),
            stripe: &stripe,
            reads_per_s: READS_PER_S,
            licenses: self.licenses(source),
            revisions: &rules.revisions,
            devices_max: abilities(services, self.config.mail_of(&source.name)).devices_max,
            templates: &self.config.adopt.labels,
            known: &known,
            asking: Asking::Audit,
            progress: None,
            account: hash(key.reveal()),
            now: self.handle.clock().now(),
        };
        let mut found = examine(&question, &mut KeyTable::default(), &mut |_| {})
            .await
            .map_err(|e| e.to_string())?;
        found.drop_changed(&question.scope, |id| {
            let now = view::machine(self.handle.reader(), id);
            now.is_ok_and(|now| known.is_still(id, now.as_ref()))
        });
        for pairs in found.labels.chunks(LABELS_AT_ONCE) {
            // Those that cannot be written are read again some night.
            let _ = self
                .handle
                .submit_waiting(Input::Labels(pairs.to_vec()))
                .await;
        }
        Ok(found)
    }

    /// The license service, at the pace of a sweep; none where it is this program's own.
    fn licenses(&self, source: &Source) -> Option<LicenseList> {
        if matches!(
            self.config.licenses_of(&source.name).service,
            Service::Embedded { .. }
        ) {
            return None;
        }
        let service = self.services.license(&source.name)?;
        Some(LicenseList {
            client: service.client.clone(),
            throttle: service.throttle.clone(),
            share: Share::Sweep,
            app: service.app_id.clone(),
        })
    }
}

/// What the store knows.
fn known(handle: &Handle) -> Result<KnownShop, String> {
    let mut known = KnownShop::default();
    view::machines(handle.reader(), |machine| {
        known.add(record::encode(&machine));
        true
    })
    .map_err(|e| e.to_string())?;
    known.labels = labels::read(handle.reader()).map_err(|e| e.to_string())?;
    Ok(known)
}

/// What of it differs.
fn differing(found: &Found) -> Differences {
    let rows = found.judged.report.rows.iter();
    let differing: Vec<_> = rows.filter_map(ReportRow::differing).collect();
    Differences::of(&differing)
}

/// One line where something differs.
fn digest(source: &Source, found: &Found, differs: &Differences) {
    let (stripe, licenses) = found.calls;
    if differs.classes.is_empty() {
        tracing::info!(source.name = %source.name, stripe, licenses, "the nightly audit found no difference");
    } else {
        tracing::warn!(source.name = %source.name, stripe, licenses, "the nightly audit found differences: {differs}; `keyward audit` lists them");
    }
}
