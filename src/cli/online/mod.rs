//! What `check --online` tries: the license services, the mail servers, and the accounts at Stripe. It changes nothing but for a Checkout
//! session in Stripe's test mode, which it expires.

mod abilities;
mod judge;
mod selling;
mod stripe;

pub use abilities::learned;
use std::net::SocketAddr;

use crate::admin::ElsewhereRow;
use crate::config::{Config, Service};
use crate::domain::id::SourceName;
use crate::domain::plan::Plan;
use crate::domain::words::counted;
use crate::effects::license::Answer;
use crate::effects::mail::MailAnswer;
use crate::effects::services::{EmbeddedAt, LicenseService, MailService, Services};
use crate::engine::read::applications::OtherApplication;
use crate::secret::Secret;

/// How a trial went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Good,
    /// It works, and something about it is unwise.
    Unwise,
    /// It does not work as configured.
    Bad,
}

impl Verdict {
    /// The word that stands before it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Unwise => "note",
            Self::Bad => "fails",
        }
    }
}

/// Something that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// How it went.
    pub verdict: Verdict,
    /// What was tried.
    pub subject: String,
    /// What came of it.
    pub what: String,
    /// The way out.
    pub hint: Option<String>,
}

impl Tried {
    pub(super) fn new(verdict: Verdict, subject: &str, what: impl Into<String>) -> Self {
        Self {
            verdict,
            subject: subject.to_owned(),
            what: what.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Builds the services as `serve` would, and tries the templates of mails and pages: no network is needed for that.
///
/// # Errors
/// What `serve` would refuse.
pub fn services(config: &Config) -> Result<(Services, Vec<Tried>), Tried> {
    // Nobody asks the embedded service here, so it may be anywhere.
    let nowhere = EmbeddedAt {
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        token: Secret::new("none"),
    };
    let services = Services::new(config, Some(&nowhere))
        .map_err(|e| Tried::new(Verdict::Bad, "services", e.to_string()))?;
    let mut wrong = Vec::new();
    for (source, mail) in services.mail_services() {
        let errors = mail.templates.load().check();
        wrong.extend(
            errors
                .iter()
                .map(|e| Tried::new(Verdict::Bad, &of("mail", source), e.to_string())),
        );
    }
    let pages = crate::http::page_mistakes(config);
    let pages = pages.iter().map(ToString::to_string);
    wrong.extend(pages.map(|why| Tried::new(Verdict::Bad, "pages", why)));
    Ok((services, wrong))
}

fn of(what: &str, source: &SourceName) -> String {
    format!("{what} of {source}")
}

/// Tries everything that the config names.
pub async fn all(config: &Config, services: &Services) -> Vec<Tried> {
    let mut out = Vec::new();
    for (source, service) in services.license_services() {
        out.push(licenses(config, source, service).await);
    }
    for (source, service) in services.mail_services() {
        out.push(mail(source, service).await);
    }
    for source in &config.sources {
        match &source.api_key {
            Some(key) => {
                out.extend(stripe::account(config, source, key).await);
                if let Some(account) = services.stripe_map().get(&source.name) {
                    out.extend(selling::plans(config, &source.name, account).await);
                }
            }
            None => out.push(not_asked(config, &source.name)),
        }
    }
    out
}

/// A source whose account nobody may ask.
fn not_asked(config: &Config, source: &SourceName) -> Tried {
    let (verdict, what) = if config.plans.iter().any(Plan::is_sold_by_price) {
        (
            Verdict::Unwise,
            "not looked at, for the source has no `api_key`; no event of a one-time purchase names its price, so that \
             such a purchase gets no license unless its metadata names the `plan`",
        )
    } else {
        (
            Verdict::Good,
            "not looked at, for the source has no `api_key`",
        )
    };
    Tried::new(verdict, &of("Stripe account", source), what).hint(
        "a restricted key that may read webhook endpoints, subscriptions, customers and Checkout sessions is enough",
    )
}

/// Licenses that are at another service than the one that the config names.
#[must_use]
pub fn elsewhere(found: &ElsewhereRow) -> Tried {
    let (at, named) = (found.at.as_str(), found.named.as_str());
    let licenses = counted(found.licenses, "license", "licenses");
    let are = if found.licenses == 1 { "is" } else { "are" };
    let what = format!(
        "{licenses} of its purchases {are} at `{at}`, and the config names `{named}`: whatever is to be done about them is held"
    );
    Tried::new(Verdict::Unwise, &of("licenses", &found.source), what).hint(format!(
        "`keyward move-licenses --from {at}` moves them; where they are to stay, `service = \"{at}\"`"
    ))
}

/// Licenses that are in an application that the config names no more.
#[must_use]
pub fn other_application(found: &OtherApplication) -> Tried {
    Tried::new(Verdict::Unwise, &of("licenses", &found.source), found.to_string()).hint(format!(
        "they go on there. Was `app_id` changed by mistake? `app_id = \"{}\"` in `[licenses]`, or in the plan's `license`",
        found.app
    ))
}

/// Whether a license service answers for its application.
async fn licenses(config: &Config, source: &SourceName, service: &LicenseService) -> Tried {
    let subject = of("licenses", source);
    let api_base = match &config.licenses_of(source).service {
        Service::Embedded { .. } => {
            return Tried::new(
                Verdict::Good,
                &subject,
                "the service inside Keyward needs no network",
            );
        }
        Service::AuthForge { api_base, .. } => api_base,
    };
    let why = match service.client.reachable(&service.app_id).await {
        Answer::Done(()) => {
            let what = format!("{api_base} answers for the application {}", service.app_id);
            return Tried::new(Verdict::Good, &subject, what);
        }
        Answer::Again { why, .. } | Answer::NotSent { why } | Answer::Unknown { why, .. } => why,
        Answer::Refused(refusal) => refusal.to_string(),
    };
    Tried::new(Verdict::Bad, &subject, format!("{api_base}: {why}"))
        .hint("`api_base`, `api_key` and `app_id` under `[licenses]`")
}

/// Whether mail can leave.
async fn mail(source: &SourceName, service: &MailService) -> Tried {
    let subject = of("mail", source);
    let why = match service.mailer.check().await {
        Ok(said) => return Tried::new(Verdict::Good, &subject, said),
        Err(MailAnswer::Sent { response }) => response,
        Err(
            MailAnswer::Again { why, .. }
            | MailAnswer::Undeliverable { why }
            | MailAnswer::Refused { why }
            | MailAnswer::Rejected { why }
            | MailAnswer::Unknown { why },
        ) => why,
    };
    Tried::new(Verdict::Bad, &subject, why)
        .hint("`url` under `[mail]`; docs/config.md has its forms")
}
