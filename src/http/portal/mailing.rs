//! The mails that sign customers in, one after the other behind the pages: whether an address is known is looked up here,
//! when its visitor has been answered, so that neither the answer nor its time tells.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::domain::id::SourceName;
use crate::domain::time::Timestamp;
use crate::effects::mail::MailAnswer;
use crate::effects::services::Services;
use crate::effects::sign_in::{SignInMail, send};
use crate::engine::Handle;
use crate::engine::read::addresses;
use crate::engine::record::RecordError;

/// Mails that wait at most; beyond it none is sent, and the visitor asks again.
const WAITING_MAX: usize = 200;

/// Where mails are handed in.
#[derive(Clone)]
pub(super) struct Outbox(mpsc::Sender<SignInMail>);

impl Outbox {
    /// Begins to send, until the stop token or until nobody hands in any more.
    pub(super) fn start(handle: Handle, services: Arc<Services>, stop: CancellationToken) -> Self {
        let (into, mut waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            let all = async {
                while let Some(mail) = waiting.recv().await {
                    one(&handle, &services, mail).await;
                }
            };
            tokio::select! { () = stop.cancelled() => {}, () = all => {} }
        });
        Self(into)
    }

    /// Hands one in.
    pub(super) fn put(&self, mail: SignInMail) {
        if self.0.try_send(mail).is_err() {
            tracing::warn!("too many customers ask to sign in: a mail is not sent");
        }
    }
}

/// Mails an address that is known.
async fn one(handle: &Handle, services: &Services, mail: SignInMail) {
    let (reader, address, now) = (handle.clone(), mail.to.clone(), mail.at);
    let known = tokio::task::spawn_blocking(move || source_of(&reader, &address, now)).await;
    let source = match known {
        Ok(Ok(Some(source))) => source,
        Ok(Ok(None)) => return,
        Ok(Err(error)) => {
            tracing::error!(%error, "a customer's purchases could not be read");
            return;
        }
        Err(_) => return,
    };
    let Some(service) = services.mail(&source) else {
        return;
    };
    match send(service, mail).await {
        Ok(MailAnswer::Sent { .. }) => {}
        // What the server says may hold the address, so it stays out of the log.
        Ok(_) => tracing::warn!("a mail to sign in could not be sent; the customer may ask again"),
        Err(error) => tracing::error!(%error, "the mail `sign_in` cannot be written"),
    }
}

/// The source of a purchase of the address.
fn source_of(
    handle: &Handle,
    address: &str,
    now: Timestamp,
) -> Result<Option<SourceName>, RecordError> {
    let rules = handle.rules();
    addresses::first(handle.reader(), &rules, address, now)
}
