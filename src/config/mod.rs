//! The config room: one TOML file becomes a valid [`Config`], or all its mistakes at once.
//!
//! Two steps: text to a tree that knows where every value stands (`tree`), tree to values (`parse`), and then judgements
//! across tables (`check`). Every key stands once in a table (`keys`), from which unknown keys get their suggestions
//! and `docs/config.md` its text. The environment is handed in; the only file that is read is the config itself.

mod size;
mod types;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use size::{ByteSize, NotASize};
pub use types::*;

use crate::domain::id::{PolicyName, SourceName};
use crate::domain::plan::Plan;
use crate::domain::policy::{Policy, STANDARD};

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
    pub licenses: Licenses,
    /// The mail of the sources that have none of their own.
    pub mail: Mail,
    /// The store's size and limits.
    pub store: Store,
    /// When the scheduler rings.
    pub scheduler: Scheduler,
    /// The HTTP server's limits.
    pub http: Http,
    /// Clocks and outages.
    pub time: Time,
    /// The plans, in the file's order, names unlike.
    pub plans: Vec<Plan>,
    /// The policies of the file, by name. A plan's policy is among them, or is `standard`.
    pub policies: Vec<Policy>,
}

impl Config {
    /// The source of that name.
    #[must_use]
    pub fn source(&self, name: &SourceName) -> Option<&Source> {
        self.sources.iter().find(|s| s.name == *name)
    }

    /// The license service for a source's purchases.
    #[must_use]
    pub fn licenses_of(&self, source: &SourceName) -> &Licenses {
        self.source(source).and_then(|s| s.licenses.as_ref()).unwrap_or(&self.licenses)
    }

    /// The mail for a source's customers.
    #[must_use]
    pub fn mail_of(&self, source: &SourceName) -> &Mail {
        self.source(source).and_then(|s| s.mail.as_ref()).unwrap_or(&self.mail)
    }

    /// The policy of that name; without a name the one called `standard`, else the documented defaults.
    #[must_use]
    pub fn policy(&self, name: Option<&PolicyName>) -> Policy {
        let wanted = name.map_or(STANDARD, PolicyName::as_str);
        self.policies.iter().find(|p| p.name.as_str() == wanted).cloned().unwrap_or_else(|| Policy::named(wanted))
    }
}
