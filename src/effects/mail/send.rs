//! One mail to a server: a mail in, an answer out. Nothing is retried here.

use crate::effects::mail::outgoing::Outgoing;
use std::path::PathBuf;
use std::time::Duration;

use super::address::{self, Sender};
use super::answer::MailAnswer;
use super::smtp::Smtp;
use super::url::SmtpUrl;
use super::{folder, message};
use crate::secret::Secret;

/// Where mail goes.
#[derive(Clone, Debug)]
pub enum Transport {
    /// To a mail server.
    Smtp {
        /// `smtps://user:password@host`, `smtp://host?tls=required`, `smtp://localhost?tls=none`.
        url: Secret,
        /// A file with the only CA certificates to trust; absent: the system's and the well-known ones.
        ca: Option<PathBuf>,
    },
    /// Into a folder, as `.eml` files.
    Folder {
        /// The folder; it is made when it is missing.
        path: PathBuf,
    },
    /// Nowhere: the vendor tells customers by other means. Every mail counts as sent, and the answer says so.
    None,
}

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// Where to.
    pub transport: Transport,
    /// Who sends: `Pixel Forge <licenses@example.com>`.
    pub from: String,
    /// Where answers go; absent: to `from`.
    pub reply_to: Option<String>,
    /// How long one mail may take from the first byte to the last.
    pub timeout: Duration,
}

/// Why no mail can be sent with this configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotMail {
    /// `from` is no address.
    #[error("mail.from: {0}")]
    From(String),
    /// `reply_to` is no address.
    #[error("mail.reply_to: {0}")]
    ReplyTo(String),
    /// The server's URL cannot be used. The text does not show it.
    #[error("mail.smtp: {0}")]
    Url(String),
    /// TLS cannot be set up; mostly the CA file.
    #[error("mail.ca: {0}")]
    Tls(String),
}

/// Sends mail. One connection a mail: a purchase writes one mail, and a stale pooled connection loses it.
pub struct Mailer {
    route: Route,
    from: Sender,
    reply_to: Option<Sender>,
}

enum Route {
    Smtp(Box<Smtp>),
    Folder(PathBuf),
    Nowhere,
}

impl Mailer {
    /// Reads the configuration; needs no network.
    ///
    /// # Errors
    /// When something in it cannot be used.
    pub fn new(config: MailConfig) -> Result<Self, CannotMail> {
        let from = Sender::parse(&config.from).map_err(CannotMail::From)?;
        let reply_to = config
            .reply_to
            .as_deref()
            .map(Sender::parse)
            .transpose()
            .map_err(CannotMail::ReplyTo)?;
        let route = match config.transport {
            Transport::Smtp { url, ca } => {
                let url = SmtpUrl::parse(url.reveal()).map_err(CannotMail::Url)?;
                let smtp =
                    Smtp::new(url, ca.as_deref(), config.timeout).map_err(CannotMail::Tls)?;
                Route::Smtp(Box::new(smtp))
            }
            Transport::Folder { path } => Route::Folder(path),
            Transport::None => Route::Nowhere,
        };
        Ok(Self {
            route,
            from,
            reply_to,
        })
    }

    /// Who sends: the letters' vendor, and the domain for Message-IDs.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.from
    }

    /// Whether mail goes anywhere.
    #[must_use]
    pub fn is_on(&self) -> bool {
        match self.route {
            Route::Smtp(_) | Route::Folder(_) => true,
            Route::Nowhere => false,
        }
    }

    /// Sends one mail, once.
    pub async fn send(&self, mail: Outgoing) -> MailAnswer {
        tracing::debug!(mail.id = %mail.message_id, "sending a mail");
        let to = match address::parse(&mail.to) {
            Ok(to) => to,
            Err(why) => {
                return MailAnswer::Undeliverable {
                    why: format!("not an address: {why}"),
                };
            }
        };
        let message = match message::build(&self.from, self.reply_to.as_ref(), to, &mail) {
            Ok(message) => message,
            Err(why) => return MailAnswer::Rejected { why },
        };
        match &self.route {
            Route::Smtp(smtp) => Box::pin(smtp.deliver(&message)).await,
            Route::Folder(path) => {
                folder::deliver(path, &mail.message_id, &message.formatted()).await
            }
            Route::Nowhere => MailAnswer::Sent {
                response: "mail is switched off: nothing was sent".to_owned(),
            },
        }
    }

    /// Tries the way without sending: connects and logs in, or writes to the folder and cleans up.
    ///
    /// # Errors
    /// With what a mail would have met.
    pub async fn check(&self) -> Result<String, MailAnswer> {
        match &self.route {
            Route::Smtp(smtp) => Box::pin(smtp.check()).await,
            Route::Folder(path) => match folder::check(path).await {
                Ok(()) => Ok(format!(
                    "mail is written to {}, and nobody gets it",
                    path.display()
                )),
                Err(why) => Err(MailAnswer::Refused {
                    why: format!("cannot write to {}: {why}", path.display()),
                }),
            },
            Route::Nowhere => Ok("mail is switched off".to_owned()),
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer")
            .field("from", &self.from.vendor())
            .finish_non_exhaustive()
    }
}
