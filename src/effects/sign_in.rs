//! The mail that signs a customer in at the portal. It is sent at once and once: whoever gets none asks for another.

use std::sync::Arc;

use super::mail::{
    Letter, LetterColors, LetterSignIn, MailAnswer, Outgoing, RenderError, SIGN_IN, message_id,
};
use super::services::MailService;
use crate::config::Vendor;
use crate::domain::time::{Span, Timestamp};
use crate::secret::Secret;

/// Ends every session of an address, and the sign-ins that are under way for it. It changes what is in memory.
pub(crate) type SignOut = Arc<dyn Fn(&str) + Send + Sync>;

/// What the mail says.
#[derive(Debug)]
pub struct SignInMail {
    /// Whom it goes to.
    pub to: String,
    /// The code to type.
    pub code: Secret,
    /// The link to open.
    pub url: Secret,
    /// How long they work.
    pub lasts: Span,
    /// The portal.
    pub portal_url: String,
    /// Who the vendor is to customers.
    pub vendor: Vendor,
    /// The language that was asked for.
    pub lang: String,
    /// When it was asked for.
    pub at: Timestamp,
}

/// Sends it.
///
/// # Errors
/// When its template cannot be used.
pub async fn send(mail: &MailService, what: SignInMail) -> Result<MailAnswer, RenderError> {
    let templates = mail.templates.load_full();
    let lang = templates.language(SIGN_IN, &what.lang);
    let sender = mail.mailer.sender();
    let named = what.vendor.name.as_deref().unwrap_or(sender.vendor());
    let vendor = named.to_owned();
    let letter = Letter {
        product: vendor.clone(),
        vendor,
        customer_email: what.to.clone(),
        reply_to: mail.reply_to.clone(),
        colors: LetterColors::of(&what.vendor),
        support_url: what.vendor.support_url,
        portal_url: Some(what.portal_url),
        sign_in: Some(LetterSignIn {
            code: what.code.reveal().to_owned(),
            url: what.url.reveal().to_owned(),
            minutes: what.lasts.ms() / Span::from_minutes(1).ms(),
        }),
        ..Letter::default()
    };
    let parts = templates.render(SIGN_IN, &lang, &letter)?;
    // Nothing of the secrets, nor of the address, stands in a Message-ID.
    let name = format!("{SIGN_IN}/{:032x}", rand::random::<u128>());
    let outgoing = Outgoing {
        message_id: message_id(&name, sender.domain()),
        to: what.to,
        parts,
        lang,
        date: what.at,
    };
    Ok(mail.mailer.send(outgoing).await)
}
