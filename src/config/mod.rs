//! The config: one TOML file becomes a valid [`Config`], or all its mistakes at once.
//!
//! Two steps: text to a tree that knows where every value stands (`tree`), tree to values (`parse`), and then judgements
//! across tables (`check`). Every key stands once in a table (`keys`), from which unknown keys get their suggestions
//! and `docs/config.md` its text. The environment is handed in; the only file that is read is the config itself.

mod types;

mod size;

mod env;
mod hush;
mod keys;
mod syntax;
mod tree;

mod parse;

mod check;
mod judge;

mod docs;
mod report;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

pub use docs::markdown;
pub use env::Env;
pub use report::{Finding, Mistakes, Position, RenderStyle, Severity, Warning, render};
pub use size::{ByteSize, NotASize};
pub(crate) use tree::nearest;
pub use types::*;

use crate::domain::guard::GuardLimits;
use crate::domain::id::{PlanName, PolicyName, SourceName};
use crate::domain::plan::Plan;
use crate::domain::policy::{Policy, STANDARD};
use crate::domain::probe::ServiceProbe;
use hush::hushed;
use tree::{Found, FoundKind, TreeReader};

/// The commented file that `keyward init` writes.
pub const TEMPLATE: &str = include_str!("template.toml");

/// The largest config file that is read. A thousand plans are a tenth of it; a larger file is some other file.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Everything that the config file says, valid and with its defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The folder of the store.
    pub data_dir: PathBuf,
    /// What customers and Stripe see as our address, without a slash at the end.
    pub public_url: String,
    /// Who sends events; at least one, names unlike.
    pub sources: Vec<Source>,
    /// The license service of the sources that have none of their own.
    pub licenses: LicensesConfig,
    /// The mail of the sources that have none of their own.
    pub mail: Mail,
    /// The store's size and limits.
    pub store: Store,
    /// Backups by schedule; `None`: none.
    pub backup: Option<Backup>,
    /// When the scheduler rings.
    pub scheduler: Scheduler,
    /// The HTTP server's limits.
    pub http: Http,
    /// Clocks and outages.
    pub time: Time,
    /// Events that never arrived.
    pub backfill: Backfill,
    /// How the operator is alerted.
    pub alert: AlertConfig,
    /// Licenses that another handler made before.
    pub adopt: Adopt,
    /// How plans are sold.
    pub checkout: Checkout,
    /// What customers can see and do by themselves.
    pub portal: Portal,
    /// Whether what is decided is carried out.
    pub mode: Mode,
    /// How many licenses may end in a while.
    pub guard: GuardLimits,
    /// The plans, in the file's order, names unlike.
    pub plans: Vec<Plan>,
    /// What each plan gives to the programs that ask the embedded service.
    pub program_terms: BTreeMap<PlanName, ProgramTerms>,
    /// The policies of the file, by name. Those that plans name are among them.
    pub policies: Vec<Policy>,
    /// Who the vendor is to customers.
    pub vendor: Vendor,
    /// The page after the purchase.
    pub success: SuccessPage,
    /// What customers see of each plan.
    pub display: BTreeMap<PlanName, PlanDisplay>,
}

impl Config {
    /// Reads a config file.
    ///
    /// # Errors
    /// All its mistakes at once, or that it cannot be read.
    pub fn load(path: &Path, env: &Env<'_>) -> Result<(Self, Vec<Warning>), Mistakes> {
        let told = |message: String, hint: &str| {
            let found = Found {
                kind: FoundKind::Mistake,
                at: None,
                message,
                hint: Some(hint.to_owned()),
            };
            let (mistakes, warnings) = shown(vec![found], path, "", &[]);
            Mistakes { mistakes, warnings }
        };
        let size = std::fs::metadata(path).map(|m| m.len());
        if size.is_ok_and(|s| s > FILE_BYTES_MAX) {
            return Err(told(
                "the file is too large to be a config".to_owned(),
                "4MiB at most",
            ));
        }
        let bytes = std::fs::read(path).map_err(|e| {
            told(
                format!("cannot read the config: {e}"),
                "`keyward init` writes one; `--config` names another",
            )
        })?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|b| **b == b'\n').count() + 1;
            told(
                format!("the file is not UTF-8: see line {line}"),
                "save it as UTF-8",
            )
        })?;
        Self::parse(&text, path, env)
    }

    /// Reads a config's text; relative paths in it count from the folder of the path.
    ///
    /// # Errors
    /// All its mistakes at once.
    pub fn parse(text: &str, path: &Path, env: &Env<'_>) -> Result<(Self, Vec<Warning>), Mistakes> {
        let (file, errors) = DeTable::parse_recoverable(text);
        let dir = path
            .parent()
            .filter(|d| !d.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let reader = TreeReader::new(env, dir.to_owned());
        let mut config = parse::config(&reader, file.get_ref());
        check::check(&config, &reader);
        let mut found = reader.into_found();
        syntax::syntax(text, &errors, &mut found);
        let secrets = syntax::secrets(text, file.get_ref(), &errors);
        let (mistakes, warnings) = shown(found, path, text, &secrets);
        if !mistakes.is_empty() {
            return Err(Mistakes { mistakes, warnings });
        }
        let standard_is_named = config
            .plans
            .iter()
            .any(|p| p.policy.as_ref().is_some_and(|p| p.as_str() == STANDARD));
        if standard_is_named && config.policies.iter().all(|p| p.name.as_str() != STANDARD) {
            config.policies.push(Policy::default());
        }
        if config.sources.is_empty() && env.is_lenient() {
            config.sources = vec![Source::for_replay()];
        }
        Ok((config, warnings))
    }

    /// What replay takes without a config file: one source `stripe` of either mode, no plans, the default policy.
    #[must_use]
    pub fn for_replay() -> Self {
        Self {
            listen: parse::LISTEN,
            data_dir: PathBuf::from("keyward-data"),
            public_url: format!("http://{}", parse::LISTEN),
            sources: vec![Source::for_replay()],
            licenses: LicensesConfig::default(),
            mail: Mail::default(),
            store: Store::default(),
            backup: None,
            scheduler: Scheduler::default(),
            http: Http::default(),
            time: Time::default(),
            backfill: Backfill::default(),
            alert: AlertConfig::default(),
            adopt: Adopt::default(),
            checkout: Checkout::default(),
            portal: Portal::default(),
            mode: Mode::Live,
            guard: parse::GUARD_LIMITS,
            plans: Vec::new(),
            program_terms: BTreeMap::new(),
            policies: vec![Policy::default()],
            vendor: Vendor::default(),
            success: SuccessPage::default(),
            display: BTreeMap::new(),
        }
    }

    /// Where Stripe posts a source's events.
    #[must_use]
    pub fn webhook_url(&self, source: &SourceName) -> String {
        format!(
            "{}/webhooks/{source}",
            self.public_url.trim_end_matches('/')
        )
    }

    /// Takes in what probes learned of the license services.
    ///
    /// # Errors
    /// What `known` says.
    pub fn learn<E>(
        &mut self,
        known: impl Fn(&str) -> Result<Option<ServiceProbe>, E>,
    ) -> Result<(), E> {
        let own = self.sources.iter_mut().filter_map(|s| s.licenses.as_mut());
        for licenses in own.chain([&mut self.licenses]) {
            licenses.probed = known(licenses.service.as_str())?;
        }
        Ok(())
    }

    /// The source of that name.
    #[must_use]
    pub fn source(&self, name: &SourceName) -> Option<&Source> {
        self.sources.iter().find(|s| s.name == *name)
    }

    /// The license service for a source's purchases.
    #[must_use]
    pub fn licenses_of(&self, source: &SourceName) -> &LicensesConfig {
        self.source(source)
            .and_then(|s| s.licenses.as_ref())
            .unwrap_or(&self.licenses)
    }

    /// The mail for a source's customers.
    #[must_use]
    pub fn mail_of(&self, source: &SourceName) -> &Mail {
        self.source(source)
            .and_then(|s| s.mail.as_ref())
            .unwrap_or(&self.mail)
    }

    /// What customers call a plan.
    #[must_use]
    pub fn title<'a>(&'a self, plan: &'a PlanName) -> &'a str {
        let title = self.display.get(plan).and_then(|l| l.title.as_deref());
        title.unwrap_or(plan.as_str())
    }

    /// The policy of that name; without a name the one called `standard`, else the documented defaults.
    #[must_use]
    pub fn policy(&self, name: Option<&PolicyName>) -> Policy {
        let wanted = name.map_or(STANDARD, PolicyName::as_str);
        self.policies
            .iter()
            .find(|p| p.name.as_str() == wanted)
            .cloned()
            .unwrap_or_else(|| Policy::named(wanted))
    }
}

impl Source {
    /// The source of a replay that names none.
    fn for_replay() -> Self {
        Self {
            name: SourceName::new("stripe"),
            kind: SourceKind::Stripe,
            signing_secrets: Vec::new(),
            livemode: Livemode::Any,
            api_key: None,
            api_base: parse::STRIPE_API.to_owned(),
            tolerance: Http::default().tolerance,
            connect: Connect::Ignore,
            invoices: true,
            licenses: None,
            mail: None,
        }
    }
}

impl Config {
    /// The sources whose endpoints hear of no invoices.
    pub fn deaf(&self) -> impl Iterator<Item = SourceName> + '_ {
        self.sources
            .iter()
            .filter(|s| !s.invoices)
            .map(|s| s.name.clone())
    }
}

/// Turns what was found into what is shown, mistakes and warnings apart, each in the file's order.
fn shown(
    mut found: Vec<Found>,
    path: &Path,
    text: &str,
    secrets: &[std::ops::Range<usize>],
) -> (Vec<Finding>, Vec<Finding>) {
    found.sort_by_key(|f| f.at.as_ref().map(|at| at.start));
    let blanked: Arc<str> = syntax::blanked(text, secrets).into();
    let file = path.display().to_string();
    let finding = |f: Found| Finding {
        severity: if f.kind == FoundKind::Warning {
            Severity::Warning
        } else {
            Severity::Mistake
        },
        file: file.clone(),
        place: f.at.map(|span| Position::of(text, span)),
        message: hushed(&f.message),
        hint: f.hint,
        text: Arc::clone(&blanked),
    };
    found
        .into_iter()
        .map(finding)
        .partition(|f| f.severity == Severity::Mistake)
}
