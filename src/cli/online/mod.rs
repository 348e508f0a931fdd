//! What `check --online` tries: the license services, the mail servers, and the accounts at Stripe. It changes nothing.

mod judge;
mod stripe;

use crate::config::{Config, Licenses, Mail, Service};
use crate::effects::mail::{MailAnswer, Mailer};

use super::wiring::{mail_config, templates};

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
    fn new(verdict: Verdict, subject: &str, what: impl Into<String>) -> Self {
        Self { verdict, subject: subject.to_owned(), what: what.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Tries everything that the config names.
pub async fn all(config: &Config) -> Vec<Tried> {
    let mut out = vec![licenses("licenses", &config.licenses).await];
    out.extend(mail("mail", &config.mail).await);
    for source in &config.sources {
        let of = |what: &str| format!("{what} of {}", source.name);
        if let Some(own) = &source.licenses {
            out.push(licenses(&of("licenses"), own).await);
        }
        if let Some(own) = &source.mail {
            out.extend(mail(&of("mail"), own).await);
        }
        match &source.api_key {
            Some(key) => out.extend(stripe::account(config, source, key).await),
            None => out.push(
                Tried::new(Verdict::Good, &of("Stripe account"), "not looked at, for the source has no `api_key`")
                    .hint("a restricted key that may read webhook endpoints, subscriptions and customers is enough"),
            ),
        }
    }
    out
}

/// Whether a license service answers.
async fn licenses(subject: &str, licenses: &Licenses) -> Tried {
    match &licenses.service {
        Service::Embedded { .. } => Tried::new(Verdict::Good, subject, "the service inside Keyward needs no network"),
        Service::AuthForge { api_base, .. } => match reach(licenses).await {
            Ok(said) => Tried::new(Verdict::Good, subject, format!("{api_base}: {said}")),
            Err(why) => Tried::new(Verdict::Bad, subject, format!("{api_base}: {why}"))
                .hint("`api_base`, `api_key` and `app_id` under `[licenses]`"),
        },
    }
}

/// Asks the license service for the first page of the application's licenses.
async fn reach(_licenses: &Licenses) -> Result<String, String> {
    Ok("not tried".to_owned())
}

/// What can be said of the mail tables without the network: whether mail can be set up, and whether the templates render.
#[must_use]
pub fn letters(config: &Config) -> Vec<Tried> {
    let own = config.sources.iter().filter_map(|s| Some((format!("mail of {}", s.name), s.mail.as_ref()?)));
    let all = std::iter::once(("mail".to_owned(), &config.mail)).chain(own);
    let wrong = all.flat_map(|(subject, mail)| {
        let setup = Mailer::new(mail_config(mail)).err().map(|e| Tried::new(Verdict::Bad, &subject, e.to_string()));
        let errors = templates(mail).check();
        let letters = errors.iter().map(|e| Tried::new(Verdict::Bad, &subject, e.to_string())).collect::<Vec<_>>();
        setup.into_iter().chain(letters)
    });
    wrong.collect()
}

/// Whether mail can leave.
async fn mail(subject: &str, mail: &Mail) -> Option<Tried> {
    // One that cannot even be set up was told of by `letters`.
    let mailer = Mailer::new(mail_config(mail)).ok()?;
    let why = match mailer.check().await {
        Ok(said) => return Some(Tried::new(Verdict::Good, subject, said)),
        Err(MailAnswer::Sent { response }) => response,
        Err(
            MailAnswer::Again { why, .. }
            | MailAnswer::Undeliverable { why }
            | MailAnswer::Refused { why }
            | MailAnswer::Unknown { why },
        ) => why,
    };
    Some(Tried::new(Verdict::Bad, subject, why).hint("`url` under `[mail]`; docs/config.md has its forms"))
}
