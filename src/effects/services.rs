//! The services as the config names them: for each source a license service and a mailer, the default ones shared.

mod build;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::license::recover::Recoverer;
use super::license::{Client, ClientError};
use super::mail::{CannotMail, Mailer, RenderError, Templates};
use super::stripe::{Account, Accounts, CannotAsk};
use super::throttle::{Guard, Throttle};
use crate::config;
use crate::config::Config;
use crate::domain::adoption::Template;
use crate::domain::id::{AppId, LicenseKey, PlanName, SourceName};
use crate::domain::time::Timestamp;
use crate::engine::Read;
use crate::engine::read::{noted_keys, view};
use crate::engine::record::RecordError;
use crate::secret::Secret;
pub use build::{abilities, list_client, list_client_at, prober};
use build::{license_service, mail_error, mail_service};

/// So many mails at a time are the full flow: the dispatcher sends no more side by side.
const MAIL_FLOW: u32 = 4;

/// Where the embedded license service listens, and what opens it.
#[derive(Clone, Debug)]
pub struct EmbeddedAt {
    /// Its loopback address.
    pub address: SocketAddr,
    /// Its bearer token.
    pub token: Secret,
}

/// A config whose services cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ServiceConfigError {
    /// The license service.
    #[error("the license service of {source_name}: {error}")]
    License {
        source_name: SourceName,
        error: ClientError,
    },
    #[error("the mail of {source_name}: {error}")]
    Mail {
        source_name: SourceName,
        error: CannotMail,
    },
    /// The queries at Stripe.
    #[error("the look-ups at Stripe of {source_name}: {error}")]
    Stripe {
        source_name: SourceName,
        error: CannotAsk,
    },
    /// The embedded service is named but does not run.
    #[error("the embedded license service is configured but was not started")]
    NoEmbedded,
}

/// A license service with everything that guards it.
#[derive(Debug)]
pub struct LicenseService {
    pub client: Client,
    /// Rate and places.
    pub throttle: Throttle,
    /// Looks for licenses by label.
    pub recoverer: Recoverer,
    /// The application where none is named.
    pub app_id: AppId,
    /// How many requests run side by side.
    pub in_flight: usize,
    /// Open when the service is down.
    pub breaker: Guard,
    /// Open when there are no credits: creates wait, other acts go on.
    pub credits: Guard,
    /// What the operator calls it.
    pub name: &'static str,
    /// How long a request may take.
    pub request_timeout: crate::domain::time::Span,
}

/// A mailer with its templates.
#[derive(Debug)]
pub struct MailService {
    pub mailer: Mailer,
    /// Open when the mail server is down.
    pub breaker: Guard,
    /// The templates; a reload replaces them.
    pub templates: ArcSwap<Templates>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// The language where nothing tells another.
    pub default_language: String,
}

/// Everything that reaches outside.
#[derive(Debug)]
pub struct Services {
    licenses: BTreeMap<SourceName, Arc<LicenseService>>,
    mail: BTreeMap<SourceName, Arc<MailService>>,
    stripe: Accounts,
    /// Notified when a service goes or comes back.
    pub changed: Arc<Notify>,
    /// Where our own pages are.
    pub public_url: String,
    /// Where customers look after their licenses, where they can.
    pub portal_url: Option<String>,
    /// Who the vendor is to customers.
    pub vendor: config::Vendor,
    /// What customers see of each plan.
    display: BTreeMap<PlanName, config::PlanDisplay>,
    /// What others wrote into the labels of licenses that they made.
    pub adopt: Vec<Template>,
    /// Keys that some machine holds or held, as digests; read from the store when a recovery first needs them.
    held: Mutex<Option<HashSet<u128>>>,
}

impl Services {
    /// Builds the services of a config.
    ///
    /// # Errors
    /// [`ServiceConfigError`].
    pub fn new(config: &Config, embedded: Option<&EmbeddedAt>) -> Result<Self, ServiceConfigError> {
        let changed = Arc::default();
        let license_service = |l: &config::LicensesConfig| license_service(l, embedded, &changed);
        let mail_service = |m: &config::Mail| mail_service(m, &changed);
        let shared_licenses =
            Arc::new(license_service(&config.licenses).map_err(|e| e.of("[licenses]"))?);
        let shared_mail =
            Arc::new(mail_service(&config.mail).map_err(|e| mail_error(e, "[mail]"))?);
        let (mut licenses, mut mail) = (BTreeMap::new(), BTreeMap::new());
        for source in &config.sources {
            let own = source.licenses.as_ref().map(license_service).transpose();
            let own = own.map_err(|e| e.of(source.name.as_str()))?;
            licenses.insert(
                source.name.clone(),
                own.map_or_else(|| Arc::clone(&shared_licenses), Arc::new),
            );
            let own = source.mail.as_ref().map(mail_service).transpose();
            let own = own.map_err(|e| mail_error(e, source.name.as_str()))?;
            mail.insert(
                source.name.clone(),
                own.map_or_else(|| Arc::clone(&shared_mail), Arc::new),
            );
        }
        let stripe = stripe_accounts(config, &changed)?;
        let (public_url, adopt) = (config.public_url.clone(), config.adopt.labels.clone());
        let portal_url = config
            .portal
            .enabled
            .then(|| format!("{public_url}/portal"));
        Ok(Self {
            licenses,
            mail,
            stripe,
            changed,
            public_url,
            portal_url,
            vendor: config.vendor.clone(),
            display: config.display.clone(),
            adopt,
            held: Mutex::default(),
        })
    }

    /// What customers call a plan.
    #[must_use]
    pub fn title<'a>(&'a self, plan: &'a PlanName) -> &'a str {
        let title = self.display.get(plan).and_then(|l| l.title.as_deref());
        title.unwrap_or(plan.as_str())
    }

    /// A source's license service.
    #[must_use]
    pub fn license(&self, source: &SourceName) -> Option<&Arc<LicenseService>> {
        self.licenses.get(source)
    }

    /// A source's account at Stripe, where it has an API key.
    #[must_use]
    pub fn stripe(&self, source: &SourceName) -> Option<&Arc<Account>> {
        self.stripe.get(source)
    }

    /// Each source that can ask Stripe, with its account.
    #[must_use]
    pub fn selling_accounts(&self) -> BTreeMap<SourceName, Arc<Account>> {
        self.stripe.clone()
    }

    /// Each source with its license service.
    pub(super) fn licenses_by_source(
        &self,
    ) -> impl Iterator<Item = (&SourceName, &Arc<LicenseService>)> {
        self.licenses.iter()
    }

    /// Each source with its mail.
    pub(super) fn mail_by_source(&self) -> impl Iterator<Item = (&SourceName, &Arc<MailService>)> {
        self.mail.iter()
    }

    /// Every account at Stripe that can be asked, by source.
    #[must_use]
    pub const fn stripe_map(&self) -> &Accounts {
        &self.stripe
    }

    /// Each source that can ask Stripe, with its account.
    pub(super) fn stripe_by_source(&self) -> impl Iterator<Item = (&SourceName, &Arc<Account>)> {
        self.stripe.iter()
    }

    /// Every account at Stripe that can be asked.
    pub fn stripe_accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.stripe.values()
    }

    #[must_use]
    pub fn mail(&self, source: &SourceName) -> Option<&Arc<MailService>> {
        self.mail.get(source)
    }

    /// Reads the mail templates again. Those of a mailer that have mistakes are not taken; what is wrong is returned.
    #[must_use]
    pub fn reload_templates(&self, config: &Config) -> Vec<RenderError> {
        let mut wrong = Vec::new();
        for (source, service) in self.mail_services() {
            let mail = config.mail_of(source);
            let templates = Templates::load(mail.templates.as_deref(), &mail.default_language);
            let mut mistakes = templates.check();
            if mistakes.is_empty() {
                service.templates.store(Arc::new(templates));
            }
            wrong.append(&mut mistakes);
        }
        wrong
    }

    /// A person says that what was wrong is mended: the next call at each service that is held back is the trial.
    pub fn release(&self, now: Timestamp) {
        self.licenses
            .values()
            .for_each(|service| service.release(now));
        self.mail
            .values()
            .for_each(|service| service.breaker.release(now));
        self.stripe
            .values()
            .for_each(|account| account.breaker.release(now));
    }

    /// Every license service, each once.
    #[must_use]
    pub fn license_services(&self) -> Vec<(&SourceName, &Arc<LicenseService>)> {
        let mut seen: Vec<(&SourceName, &Arc<LicenseService>)> = Vec::new();
        for (name, service) in &self.licenses {
            if !seen.iter().any(|(_, s)| Arc::ptr_eq(s, service)) {
                seen.push((name, service));
            }
        }
        seen
    }

    /// Every mailer, each once.
    #[must_use]
    pub fn mail_services(&self) -> Vec<(&SourceName, &Arc<MailService>)> {
        let mut seen: Vec<(&SourceName, &Arc<MailService>)> = Vec::new();
        for (name, service) in &self.mail {
            if !seen.iter().any(|(_, s)| Arc::ptr_eq(s, service)) {
                seen.push((name, service));
            }
        }
        seen
    }

    /// Reads every key that is held into memory, if that was not done yet. Only recoveries need it.
    ///
    /// # Errors
    /// The store's.
    pub fn load_held(&self, reader: &dyn Read) -> Result<(), RecordError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            let mut keys = HashSet::new();
            view::machines(reader, |m| {
                keys.extend(m.grants.iter().map(|g| digest(&g.key)));
                true
            })?;
            // Noted for a purchase that waits for the next run of `keyward adopt`: no recovery of another one may take them.
            for (_, noted) in noted_keys::all(reader)? {
                keys.extend(noted.iter().map(digest));
            }
            *held = Some(keys);
        }
        Ok(())
    }

    /// Notes a key that a machine holds from now on.
    pub fn hold(&self, key: &LicenseKey) {
        if let Some(held) = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
        {
            held.insert(digest(key));
        }
    }

    /// Notes that no machine holds a key any more: its purchase was forgotten.
    pub fn let_go(&self, key: &LicenseKey) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_mut() {
            held.remove(&digest(key));
        }
    }

    /// Notes a key that was found as one that a machine holds from now on; false where another one was quicker.
    #[must_use]
    pub fn reserve(&self, key: &LicenseKey) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_default().insert(digest(key))
    }

    /// Whether a machine holds or held a key. Before the keys are loaded nothing is known to be held.
    #[must_use]
    pub fn is_held(&self, key: &LicenseKey) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref()
            .is_some_and(|keys| keys.contains(&digest(key)))
    }
}

/// The accounts at Stripe of a config. `changed` is notified when one goes or comes back.
///
/// # Errors
/// When an address or a key cannot be used.
pub fn stripe_accounts(
    config: &Config,
    changed: &Arc<Notify>,
) -> Result<Accounts, ServiceConfigError> {
    let keys = config
        .sources
        .iter()
        .filter_map(|s| Some((s, s.api_key.as_ref()?)));
    let account =
        |(s, key): (&config::Source, &Secret)| match Account::new(&s.api_base, key, changed) {
            Ok(account) => Ok((s.name.clone(), Arc::new(account))),
            Err(error) => Err(ServiceConfigError::Stripe {
                source_name: s.name.clone(),
                error,
            }),
        };
    keys.map(account).collect()
}

/// A mailer for alerts.
///
/// # Errors
/// When mail cannot be sent as it is configured.
pub fn alert_mailer(mail: &config::Mail) -> Result<Mailer, CannotMail> {
    mail_service(mail, &Arc::default()).map(|service| service.mailer)
}

fn digest(key: &LicenseKey) -> u128 {
    let hash = Sha256::digest(key.reveal().as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(first)
}
